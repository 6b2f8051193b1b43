"""What a store refuses to open."""

import pickle

import duckdb
import numpy as np
import pandas as pd
import pytest

from sarcfeat import FeatureStore, Nomogram, Radiomics
from sarcfeat.exceptions import (
    CohortError,
    InputCorrupt,
    InvalidInput,
    StoreError,
    UntrustedFile,
)


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps({"coefficients": [1.0]}))
    return path


@pytest.fixture
def parquet(tmp_path):
    path = tmp_path / "patients.parquet"
    table = pd.DataFrame({"patient": ["P1"], "age": [61]})
    with duckdb.connect() as db:
        db.register("given", table)
        db.execute(f"COPY given TO '{path}' (FORMAT parquet)")
    return path


def test_fault_105_a_pickled_model_is_refused_at_every_door(store, model):
    for door in (
        store.encode,
        store.add_patients,
        store.add_images,
        Nomogram.from_json,
        Radiomics,
    ):
        with pytest.raises(UntrustedFile, match=r"model\.pkl is a pickle"):
            door(model)
    with pytest.raises(InvalidInput, match=r"'mri\.yaml' is no encoder.*Radiomics"):
        store.encode("mri.yaml")


def test_fault_107_a_database_of_somebody_else_is_no_store(tmp_path):
    folder = tmp_path / "theirs"
    folder.mkdir()
    with duckdb.connect(str(folder / "catalog.duckdb")) as db:
        db.execute("CREATE TABLE secret AS SELECT 1 AS a")
    with pytest.raises(StoreError, match=r"catalog\.duckdb .*table 'secret'.*CSV"):
        FeatureStore(folder)
    with duckdb.connect(str(folder / "catalog.duckdb")) as db:
        names = db.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    assert names == [("secret",)]
    with pytest.raises(StoreError, match=r"catalog\.duckdb is a file"):
        FeatureStore(folder / "catalog.duckdb")


def test_fault_107_parquet_is_a_table_and_a_database_is_none(store, parquet, tmp_path):
    store.add_patients(parquet)
    assert store.explain("P1", "clinical.age").value == 61
    with pytest.raises(CohortError, match=r"patients\.parquet has no column 'sequ"):
        store.add_images(parquet)
    theirs = tmp_path / "theirs.duckdb"
    duckdb.connect(str(theirs)).close()
    doors = (store.add_patients, store.add_images, store.add_masks)
    for path in (store.path / "catalog.duckdb", theirs):
        for door in doors:
            with pytest.raises(UntrustedFile, match=rf"{path.name} is a DuckDB"):
                door(path)
        with pytest.raises(UntrustedFile, match=rf"{path.name} is a DuckDB"):
            store.import_features(path, extractor="old", sequence="T1")
    parquet.write_bytes(parquet.read_bytes()[:-20])
    with pytest.raises(InputCorrupt, match=r"patients\.parquet cannot be taken over"):
        store.add_patients(parquet)


def test_fault_107_features_of_a_parquet_file(store, tmp_path):
    names = ["a", "b", 'c"; DROP TABLE unit; --']
    values = np.array([[0.1 + 0.2, -0.0, 5e-324], [np.nan, 1e30, np.inf]])
    table = pd.DataFrame(values, columns=names).astype({"b": "float32"})
    table.insert(0, "patient", ["007", "P2"])
    path = tmp_path / "features.parquet"
    with duckdb.connect() as db:
        db.register("given", table)
        db.execute(f"COPY given TO '{path}' (FORMAT parquet)")
    store.add_patients(pd.DataFrame({"site": "x"}, index=["007", "P2"]))
    report = store.import_features(path, extractor="old", sequence="T1", format="wide")
    assert (report.imported, report.feature_sets) == (2, {"old.t1": 3})
    assert "1 float32 columns cast to float64" in report.notes
    X = store.matrix(None, features="old.t1").X
    assert list(X.columns[1:]) == [f"old.t1.{name}" for name in names]
    expected = table[names].to_numpy(dtype=np.float64)
    assert X.iloc[:, 1:].to_numpy().tobytes() == expected.tobytes()
    assert str(path) in str(store.explain("007", "old.t1.a"))


def test_fault_107_no_query_reads_parquet(store, parquet):
    with pytest.raises(StoreError, match="does not work"):
        store.sql(f"SELECT * FROM '{parquet}'")
    with pytest.raises(StoreError, match="does not work"):
        store.sql("SELECT * FROM read_parquet(?)", [str(parquet)])


def test_fault_108_the_connection_stays_locked_after_any_query(store, tmp_path):
    for query in (
        "SELECT * FROM glob('/*')",
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT getenv('HOME')",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET lock_configuration = false",
        "EXPORT DATABASE '/tmp/out'",
    ):
        with pytest.raises(StoreError):
            store.sql(query)
    locked = store.sql("SELECT current_setting('enable_external_access') AS a")
    assert not locked["a"].item()


@pytest.mark.parametrize(
    "column", ["Name", "birth_date", "Date of birth", "MRN", "e-mail"]
)
def test_fault_101_columns_that_name_somebody_are_refused(store, column):
    table = pd.DataFrame({"age": [61], column: ["Zzcanary"]}, index=["P1"])
    with pytest.raises(InvalidInput, match=f"column {column!r} says who") as raised:
        store.add_patients(table)
    assert "Zzcanary" not in str(raised.value)
    assert store.status().loc["patients", "count"] == 0


def test_clinical_columns_are_not_taken_for_names(store):
    columns = ["named_nodes", "birthplace_known", "phonation", "tumour_name_code"]
    store.add_patients(pd.DataFrame(1.0, index=["P1"], columns=columns))
    assert store.status().loc["clinical values", "count"] == 4
