"""Open, close, refuse: the folder itself."""

import os
import subprocess
import sys

import pandas as pd
import pytest

from sarcfeat import FeatureStore
from sarcfeat.exceptions import StoreBusy, StoreError
from sarcfeat.store.connection import Connection
from tests.store.fakes import FakeEncoder, clinical


def test_creates_opens_again_and_counts(tmp_path):
    path = tmp_path / "deep" / "study"
    with FeatureStore(path) as store:
        store.add_patients(clinical(6))
        assert "6 patients, 0 images, 0 masks, 0 units" in repr(store)
        mark = (path / "store.toml").read_text()
    with FeatureStore(path) as store:
        assert store.status().loc["patients", "count"] == 6
    assert (path / "store.toml").read_text() == mark
    assert "closed" in repr(store)
    with pytest.raises(StoreError, match="is closed"):
        store.status()


def test_refuses_a_folder_of_something_else(tmp_path):
    (tmp_path / "thesis.docx").write_text("x")
    with pytest.raises(StoreError, match=r"is not empty \(it holds thesis.docx\)"):
        FeatureStore(tmp_path)
    with pytest.raises(StoreError, match="is a file; a store is a folder"):
        FeatureStore(tmp_path / "thesis.docx")


def test_fault_089_second_process_is_told_who_has_it(tmp_path):
    code = (
        "import sys\nfrom sarcfeat import FeatureStore\n"
        "store = FeatureStore(sys.argv[1])\nprint('open', flush=True)\n"
        "sys.stdin.read()\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "study")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )
    try:
        assert child.stdout.readline().strip() == "open"
        with pytest.raises(StoreBusy, match=f"process {child.pid}"):
            FeatureStore(tmp_path / "study", timeout=0)
    finally:
        child.communicate("")
    with FeatureStore(tmp_path / "study") as store:
        assert store.status().loc["patients", "count"] == 0


def test_fault_095_store_from_a_newer_version(tmp_path):
    with FeatureStore(tmp_path / "study"):
        pass
    db = Connection(tmp_path / "study" / "catalog.duckdb")
    db.rows("UPDATE store_meta SET schema_version = 7")
    db.close()
    with pytest.raises(
        StoreError, match="has schema 7; this sarcfeat knows schemas up"
    ):
        FeatureStore(tmp_path / "study")
    # The failed opening let go of the lock.
    db = Connection(tmp_path / "study" / "catalog.duckdb")
    db.close()


def test_fault_108_sql_reads_and_nothing_else(study, tmp_path):
    found = study.sql("SELECT patient_id FROM patient WHERE patient_id = ?", ["P001"])
    assert found["patient_id"].tolist() == ["P001"]
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    for query, told in (
        ("DROP TABLE patient", "one SELECT .* got .*DROP"),
        ("SELECT 1; DELETE FROM patient", "got .*SELECT.*DELETE"),
        ("WITH x AS (DELETE FROM patient RETURNING *) SELECT * FROM x", "DELETE|read"),
        ("COPY patient TO 'out.csv'", "got .*COPY"),
        ("SET enable_external_access = true", "got .*SET"),
        ("ATTACH ':memory:'", "got .*ATTACH"),
        (f"SELECT * FROM read_csv('{secret}')", r"secret\.csv|disabled"),
        ("PRAGMA database_size", "got|PRAGMA|pragma"),
        ("SELECT nonsense", "does not work: .*nonsense"),
    ):
        with pytest.raises(StoreError, match=f"(?s){told}"):
            study.sql(query)
    assert study.status().loc["patients", "count"] == 6
    assert study.sql("SELECT * FROM commit_log")["at"].notna().all()


def test_every_row_carries_a_commit_number(study):
    study.encode(FakeEncoder())
    study.matrix("all", features="fake.t1")
    tables = study.sql(
        "SELECT table_name FROM information_schema.columns "
        "WHERE column_name = 'commit_no' AND table_name <> 'store_meta'"
    )["table_name"]
    last = study.sql("SELECT commit_no FROM store_meta")["commit_no"].iloc[0]
    assert len(tables) > 12
    numbers = study.sql("SELECT commit_no FROM commit_log ORDER BY 1")["commit_no"]
    assert numbers.tolist() == list(range(1, last + 1))
    units = study.sql("SELECT min(commit_no) AS a, max(commit_no) AS b FROM unit")
    assert 0 < units["a"].iloc[0] <= units["b"].iloc[0] < last


def test_store_module_loads_without_the_imaging_libraries():
    code = (
        "import sys, sarcfeat.store\n"
        "bad = {'SimpleITK', 'radiomics', 'torch', 'matplotlib'} & set(sys.modules)\n"
        "assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_status_is_a_table(study):
    status = study.status()
    assert isinstance(status, pd.DataFrame)
    assert status.loc[["images", "masks", "readers"], "count"].tolist() == [6, 12, 2]
