"""What could run code is never opened, whatever it is called."""

import ast
import pickle
import zipfile
from pathlib import Path

import duckdb
import joblib
import pytest

import sarcfeat
from sarcfeat.exceptions import UntrustedFile
from sarcfeat.io import read_table, refuse_untrusted

INSTEAD = "Give something else."


class Trap:
    """A pickle of this one writes a file when it is opened."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.fixture
def sprung(tmp_path):
    path = tmp_path / "sprung"
    yield path
    assert not path.exists()


def pickled(path, sprung):
    path.write_bytes(pickle.dumps(Trap(sprung)))
    return path


@pytest.mark.parametrize("name", ["model.pkl", "model.joblib", "model.json", "model"])
def test_fault_105_pickles_are_known_by_content_and_by_name(tmp_path, sprung, name):
    path = pickled(tmp_path / name, sprung)
    with pytest.raises(UntrustedFile, match=rf"{name} is a pickle.*runs any code"):
        refuse_untrusted(path, INSTEAD)


def test_fault_105_joblib_and_torch_archives(tmp_path):
    joblib.dump({"a": 1}, tmp_path / "model.joblib", compress=3)
    with pytest.raises(UntrustedFile, match=r"model\.joblib is a pickle"):
        refuse_untrusted(tmp_path / "model.joblib", INSTEAD)
    with zipfile.ZipFile(tmp_path / "weights.bin", "w") as archive:
        archive.writestr("archive/data.pkl", b"x")
    with pytest.raises(UntrustedFile, match=r"weights\.bin is a pickle.*else\."):
        refuse_untrusted(tmp_path / "weights.bin", INSTEAD)


def test_fault_107_databases_and_parquet_are_known_by_content(tmp_path):
    with duckdb.connect(str(tmp_path / "theirs.csv")) as db:
        db.execute("CREATE TABLE patient (patient_id VARCHAR)")
        db.execute(f"COPY patient TO '{tmp_path / 'features.csv'}' (FORMAT parquet)")
    for name in ("theirs.csv", "features.csv"):
        with pytest.raises(UntrustedFile, match=rf"{name} is a DuckDB or Parquet"):
            refuse_untrusted(tmp_path / name, INSTEAD)
    # Tables are read from Parquet in a process of its own, from databases never.
    with pytest.raises(UntrustedFile, match=r"theirs\.csv is a DuckDB"):
        read_table(tmp_path / "theirs.csv")
    assert read_table(tmp_path / "features.csv").empty


def test_plain_files_pass(tmp_path):
    for name, text in {"a.csv": "patient,age\nP1,3\n", "b.json": "{}", "c": ""}.items():
        (tmp_path / name).write_text(text)
        refuse_untrusted(tmp_path / name, INSTEAD)
    refuse_untrusted(tmp_path / "nowhere.csv", INSTEAD)


def test_fault_105_no_source_file_opens_a_pickle():
    banned = {"pickle.load", "pickle.loads", "joblib.load", "torch.load", "yaml.load"}
    found = []
    for path in Path(sarcfeat.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        tensors = {id(node.func) for node in ast.walk(tree) if only_tensors(node)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                name = f"{node.value.id}.{node.attr}"
                if name in banned and id(node) not in tensors:
                    found.append(f"{path}:{node.lineno} {name}")
    assert found == []


def only_tensors(node):
    """Whether a call is ``torch.load(..., weights_only=True)``, which runs no code."""
    return (
        isinstance(node, ast.Call)
        and ast.unparse(node.func) == "torch.load"
        and any(
            word.arg == "weights_only" and ast.unparse(word.value) == "True"
            for word in node.keywords
        )
    )


def test_fault_102_no_source_file_reads_the_label_or_macro_of_a_slide():
    """They are photographs of the glass, with the patient's name on its label."""
    found = [
        f"{path}:{node.lineno}"
        for path in Path(sarcfeat.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "associated_images"
    ]
    assert found == []
