"""What leaves the store: every bit, no formula, where it comes from beside it."""

import csv
import json

import duckdb
import numpy as np
import pandas as pd
import pytest

from sarcfeat.exceptions import InvalidInput, UnknownName
from tests.store.fakes import FakeEncoder, OddEncoder, add_files, clinical, mask_path

ODD = (0.1, -0.0, np.nan, np.inf, 1e-308)
NAMES = ("a", "=cmd|' /C calc'!A0", "@sum", "x;y", 'é"quote')


@pytest.fixture
def matrix(study):
    study.encode(OddEncoder(names=NAMES, values=ODD))
    return study.matrix("all", features=["fake.t1", "clinical"], outcome="mfs")


def test_parquet_holds_every_bit(study, matrix, tmp_path):
    path = study.export(matrix, tmp_path / "it's.parquet")
    con = duckdb.connect()
    found = con.execute("FROM read_parquet(?)", [str(path)]).fetchnumpy()
    con.close()
    assert list(found) == [
        "patient",
        *matrix.X.columns,
        "outcome.mfs.event",
        "outcome.mfs.time",
    ]
    for name in matrix.X.columns[-5:]:
        values = np.ma.filled(found[name], np.nan)
        assert values.tobytes() == matrix.X[name].to_numpy().tobytes()
    assert list(found["outcome.mfs.event"]) == list(matrix.y["event"])
    assert list(found["patient"]) == list(matrix.X.index)


def test_provenance_lies_beside(study, matrix, tmp_path):
    path = study.export(matrix, tmp_path / "m.csv")
    told = json.loads((tmp_path / "m.csv.provenance.json").read_text())
    assert told["matrix_id"] == matrix.matrix_id
    assert told["provenance"]["feature_sets"]["fake.t1"]["version"] == "1"
    assert told["shape"] == [6, 8]
    assert [p.name for p in tmp_path.glob(".*tmp")] == []
    assert path == tmp_path / "m.csv"


def test_fault_109_no_formula_in_a_csv(study, tmp_path):
    table = clinical(6)
    table["note"] = ["=1+1", "+x", "-x", "@x", "\tx", "plain"]
    study.add_patients(table, index_time="surgery")
    study.encode(OddEncoder(names=NAMES, values=ODD))
    m = study.matrix("all", features=["fake.t1", "clinical.note"])
    path = study.export(m, tmp_path / "m.csv")
    with open(path, newline="") as file:
        header, *rows = list(csv.reader(file))
    text = [*header, *(row[header.index("clinical.note")] for row in rows)]
    dangerous = [c for c in text if c.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert dangerous == []
    told = [row[header.index("clinical.note")] for row in rows]
    assert told == ["'=1+1", "'+x", "'-x", "'@x", "'\tx", "plain"]
    # Numbers stay numbers, a minus sign and all, and their bits come back.
    cells = [[row[i] for row in rows] for i in range(len(header))]
    column = cells[header.index("fake.t1.@sum")]
    assert column == [""] * 6
    minus = cells[header.index("fake.t1.=cmd|' /C calc'!A0")]
    assert minus == ["-0.0"] * 6


def test_an_exported_csv_comes_back(study, matrix, tmp_path):
    path = study.export("all", tmp_path / "m.csv", features="fake.t1")
    study.import_features(
        path,
        extractor="back",
        sequence="T1",
        format="wide",
        missing=("", "Bordeaux", "Lyon"),
    )
    m = study.matrix("all", features="back.t1")
    back = m.X["back.t1.fake.t1.a"]
    assert list(back) == [0.1] * 6


def test_npz_as_anndata_wants_it(study, matrix, tmp_path):
    path = study.export(matrix, tmp_path / "m.npz")
    with np.load(path, allow_pickle=False) as found:
        a = dict(found)
    numeric = list(matrix.X.columns[matrix.X.dtypes == np.float64])
    assert a["X"].tobytes() == matrix.X[numeric].to_numpy().tobytes()
    assert list(a["obs_names"]) == list(matrix.X.index)
    assert list(a["var_names"]) == numeric
    obs = pd.DataFrame(a["obs"], index=a["obs_names"])
    assert list(obs.columns) == ["site", "clinical.grade", "event", "time"]
    assert list(obs["time"]) == list(matrix.y["time"])
    var = pd.DataFrame(a["var"], index=a["var_names"])
    assert list(var["feature_set"]) == ["clinical", *["fake.t1"] * 5]
    assert list(var["feature"]) == ["age", *NAMES]
    assert "fake.t1" in json.loads(str(a["uns"]))["provenance"]["feature_sets"]


def test_what_cannot_be_exported(study, matrix, tmp_path):
    with pytest.raises(UnknownName, match="export format 'xlsx'"):
        study.export(matrix, tmp_path / "m.xlsx")
    with pytest.raises(InvalidInput, match=r"No folder .*nowhere"):
        study.export(matrix, tmp_path / "nowhere" / "m.csv")
    with pytest.raises(InvalidInput, match=r"export\('all', ...\) .*features="):
        study.export("all", tmp_path / "m.csv")
    study.encode(FakeEncoder(name="case", names=("Mean", "mean")))
    with pytest.raises(InvalidInput, match=r"'case.t1.Mean' and 'case.t1.mean'"):
        study.export("all", tmp_path / "m.parquet", features="case.t1")
    assert not (tmp_path / "m.parquet").exists()
    study.export("all", tmp_path / "m.npz", features="case.t1")


def test_missing_says_who_and_why(study, root):
    mask_path(root, "P004").write_bytes(b"")
    add_files(study, root, readers=("A", "B"))
    table = clinical(6)
    table["age"] = table["age"].where(table.index != "P006")
    study.add_patients(table, index_time="surgery")
    study.encode(OddEncoder(names=NAMES, values=ODD))
    before = study.status()
    found = study.missing("all", ["fake.t1", "clinical"])
    assert list(found.columns) == ["patient", "feature_set", "reason"]
    told = found.set_index(["patient", "feature_set"])["reason"]
    assert str(mask_path(root, "P004")) in told["P004", "fake.t1"]
    assert told["P001", "fake.t1"] == "1 of 5 features are NaN: @sum"
    assert told["P006", "clinical.age"] == "no value"
    assert len(found) == 7
    assert study.status().equals(before)
