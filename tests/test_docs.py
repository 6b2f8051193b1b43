"""What the README says is true: its Python runs, its commands exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"


def python_blocks():
    return re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)


def test_readme_has_python():
    assert python_blocks()


@pytest.mark.filterwarnings("ignore::sarcfeat.exceptions.SarcfeatWarning")
def test_readme_python_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "readme"}
    for number, block in enumerate(python_blocks()):
        exec(compile(block, f"README block {number}", "exec"), namespace)
    assert (tmp_path / "calculator.html").stat().st_size > 2000


def test_readme_names_the_commands_and_the_prerequisite():
    text = README.read_text("utf-8")
    for phrase in ("make demo", "make test", "C compiler", "SARCFEAT_DATA"):
        assert phrase in text


def test_every_command_has_help():
    from typer.main import get_command

    from sarcfeat.cli import app

    for name, command in get_command(app).commands.items():
        assert command.help, f"sarcfeat {name} has no help"


def test_makefile_has_the_targets():
    text = (ROOT / "Makefile").read_text("utf-8")
    for target in ("demo", "test", "slow", "lint", "bench"):
        assert re.search(rf"^{target}:", text, re.MULTILINE)
