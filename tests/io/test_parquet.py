"""Parquet of others: read where it can do no harm, bit for bit, or refused by name."""

import os
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from sarcfeat.exceptions import InputCorrupt, InvalidInput, SarcfeatError
from sarcfeat.io import parquet, parquet_child, read_table
from sarcfeat.io.cells import read_cells
from sarcfeat.io.parquet import is_parquet, read_parquet

BITS = (0.1 + 0.2, -0.0, 5e-324, 1.7976931348623157e308, np.inf)


def write(path, frame):
    with duckdb.connect() as db:
        db.register("given", frame)
        quoted = str(path).replace("'", "''")
        db.execute(f"COPY given TO '{quoted}' (FORMAT parquet)")
    return path


@pytest.fixture
def table():
    return pd.DataFrame(
        {
            "patient": ["007", "7", "P3", "P4", "P5"],
            "Mean": BITS,
            "narrow": np.array([0.1, 1, 2, 3, 4], np.float32),
            "stage": [1, 2, 3, 4, 2**60],
            "seen": pd.to_datetime(["2020-01-15"] * 5),
            "event": [True, False, True, False, True],
            'x"; DROP TABLE patient; --': ["a", None, " é ", "=cmd|' /C calc'!A0", ""],
        }
    )


def test_fault_107_parquet_comes_in_bit_for_bit(tmp_path, table):
    path = write(tmp_path / "t.parquet", table)
    found = read_table(path, index="patient")
    assert list(found.index) == ["007", "7", "P3", "P4", "P5"]
    raw = read_parquet(path)
    assert raw.names == list(table.columns)
    at = dict(zip(raw.names, zip(*raw.rows, strict=True), strict=True))
    assert np.array(at["Mean"], float).tobytes() == np.array(BITS).tobytes()
    assert float(at["narrow"][0]) == float(np.float32(0.1))
    assert at["stage"][-1] == str(2**60)
    assert at["seen"][0] == "2020-01-15 00:00:00"
    assert at["event"] == ("1", "0", "1", "0", "1")
    assert at[raw.names[-1]] == ("a", "", " é ", "=cmd|' /C calc'!A0", "")
    assert raw.kinds[2] == "FLOAT"
    assert read_cells(path).encoding == "parquet"


def test_fault_107_parquet_under_another_name_and_odd_paths(tmp_path, table):
    for name in ("features.csv", "it's *[1].parquet", "ü.pq"):
        path = write(tmp_path / "plain.parquet", table)
        path = Path(os.replace(path, tmp_path / name) or tmp_path / name)
        assert is_parquet(path)
        assert len(read_parquet(path).rows) == 5


def test_fault_107_the_reader_reaches_no_other_file(tmp_path, table):
    path = str(write(tmp_path / "in.parquet", table))
    other = write(tmp_path / "other.parquet", table)
    db = parquet_child.locked(path, parquet.MEMORY)
    assert len(parquet_child.table(db, path)["rows"]) == 5
    for query in (
        f"SELECT * FROM read_parquet('{other}')",
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM glob('/*')",
        f"COPY (SELECT 1) TO '{tmp_path / 'out.csv'}'",
        "SET enable_external_access = true",
        "SET allowed_paths = ['/']",
        "INSTALL httpfs",
        "LOAD httpfs",
    ):
        with pytest.raises(duckdb.Error):
            db.execute(query)
    assert not (tmp_path / "out.csv").exists()


def test_fault_107_the_reader_gets_no_secret(tmp_path, table, monkeypatch):
    seen = {}

    def run(command, **given):
        seen.update(given, command=command)
        raise OSError("no processes left")

    monkeypatch.setenv("SARCFEAT_SALT", "/somewhere/secret.salt")
    monkeypatch.setattr(parquet.subprocess, "run", run)
    path = write(tmp_path / "t.parquet", table)
    with pytest.raises(InvalidInput, match=r"t\.parquet: no process could be started"):
        read_parquet(path)
    assert "secret" not in str(seen)
    assert str(path) not in str(seen)
    assert seen["timeout"] == parquet.SECONDS


def test_fault_107_nested_and_binary_columns_are_named(tmp_path):
    path = tmp_path / "n.parquet"
    for cell, name in (("[1, 2]", "a list"), ("{'b': 1}", "a"), ("'x'::BLOB", "b")):
        with duckdb.connect() as db:
            db.execute(f"COPY (SELECT {cell} AS \"{name}\") TO '{path}'")
        with pytest.raises(InputCorrupt, match=rf"n\.parquet .*column '{name}'"):
            read_parquet(path)


def test_fault_107_names_that_differ_by_case_are_refused(tmp_path):
    table = pd.DataFrame([["P1", 1.0, 2.0]], columns=["patient", "aaaa", "bbbb"])
    path = write(tmp_path / "t.parquet", table)
    path.write_bytes(path.read_bytes().replace(b"bbbb", b"Aaaa"))
    with pytest.raises(InvalidInput, match="columns 2 and 3 are both called 'Aaaa'"):
        read_table(path)


def test_fault_107_a_reader_that_hangs_or_dies_is_ended(tmp_path, table, monkeypatch):
    path = write(tmp_path / "t.parquet", table)
    script = tmp_path / "child.py"
    monkeypatch.setattr(parquet_child, "__file__", str(script))
    with monkeypatch.context() as patch:
        patch.setattr(parquet, "SECONDS", 1)
        script.write_text("import time; time.sleep(60)")
        with pytest.raises(InputCorrupt, match=r"t\.parquet .*took more than 1 s"):
            read_parquet(path)
    for code, told in (
        ("import os; os.kill(os.getpid(), 11)", "status -11"),
        ("", "gave no table"),
    ):
        script.write_text(code)
        with pytest.raises(InputCorrupt, match=rf"t\.parquet .*{told}"):
            read_parquet(path)
    for answer in ("[]", '{"names": ["a"], "kinds": ["x"], "rows": [["1", "2"]]}', "x"):
        script.write_text(
            "import json, sys\n"
            f"open(json.load(sys.stdin)['out'], 'w').write({answer!r})\n"
        )
        with pytest.raises(InputCorrupt, match=r"t\.parquet cannot be taken over"):
            read_parquet(path)


def test_fault_107_damaged_parquet_is_named(tmp_path, table):
    path = write(tmp_path / "t.parquet", table)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for case in range(8):
        data = bytearray(whole)
        for at in rng.integers(4, len(data), 6):
            data[at] = rng.integers(0, 256)
        path.write_bytes(bytes(data[: len(data) // 2] if case == 0 else data))
        caught = None
        try:
            read_parquet(path)
        except SarcfeatError as error:
            caught, refused = str(error), refused + 1
        assert caught is None or str(path) in caught
    assert refused >= 3
    path.write_bytes(b"PAR1")
    with pytest.raises(InputCorrupt, match=r"t\.parquet"):
        read_parquet(path)
