"""The import law: a file imports only from stages to its left, wherever it imports."""

import ast
from pathlib import Path

import pytest

import sarcfeat

ROOT = Path(sarcfeat.__file__).parent
STAGES = [
    "exceptions",
    "_validation",
    "survival",
    "metrics",
    "splits",
    "nets",
    "io",
    "datasets",
    "segment",
    "encoders",
    "store",
    "transform",
    "estimators",
    "nomogram",
    "evaluate",
    "plots",
    "report",
    "cli",
]
FILES = sorted(
    path for path in ROOT.rglob("*.py") if path.parent != ROOT or path.stem in STAGES
)


def stage_of(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported_stages(path, text=None):
    """Return the (stage, line) of every sarcfeat import of a file, at any depth."""
    package = ("sarcfeat", *path.relative_to(ROOT).parent.parts)
    for node in ast.walk(ast.parse(text or path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            modules = [f"{module}.{alias.name}" for alias in node.names]
        else:
            continue
        for module in modules:
            parts = module.split(".")
            if parts[0] == "sarcfeat" and len(parts) > 1 and parts[1] != "__version__":
                yield parts[1], node.lineno


def violations(path, text=None):
    allowed = STAGES[: STAGES.index(stage_of(path)) + 1]
    return [
        f"{path.relative_to(ROOT)}:{line} imports from {stage!r}"
        for stage, line in imported_stages(path, text)
        if stage not in allowed
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_file_imports_only_from_stages_to_its_left(path):
    assert stage_of(path) in STAGES
    assert not violations(path)


def test_the_law_sees_function_level_and_relative_imports():
    text = "def f():\n    from ..cli import main\n    import sarcfeat.plots.km\n"
    found = violations(ROOT / "survival" / "cox.py", text)
    assert len(found) == 2
    assert "'cli'" in found[0]
    assert "'plots'" in found[1]


def test_only_plots_imports_matplotlib():
    for path in FILES:
        if stage_of(path) == "plots":
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = [
            alias.name if isinstance(node, ast.Import) else node.module or ""
            for node in ast.walk(tree)
            if isinstance(node, (ast.Import, ast.ImportFrom))
            for alias in node.names
        ]
        assert not [n for n in names if n.split(".")[0] == "matplotlib"], path


def foreign_secrets(path, text=None):
    """Return what a file imports from behind an underscore of another stage."""
    for node in ast.walk(ast.parse(text or path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom) or not node.module:
            continue
        package, *inside = node.module.split(".")
        if package != "sarcfeat" or len(inside) < 2 or inside[0] == stage_of(path):
            continue
        names = [*inside, *(alias.name for alias in node.names)]
        if any(name.startswith("_") for name in names):
            yield f"{path.relative_to(ROOT)}:{node.lineno} imports {node.module}"


def test_what_has_an_underscore_stays_within_its_stage():
    assert not [found for path in FILES for found in foreign_secrets(path)]


def test_the_law_sees_secrets_of_other_stages_and_not_its_own():
    text = "from sarcfeat.nets._core import fit\nfrom sarcfeat.io.mask import _read\n"
    assert len(list(foreign_secrets(ROOT / "store" / "masks.py", text))) == 2
    assert len(list(foreign_secrets(ROOT / "io" / "mask.py", text))) == 1
