"""What a store refuses to open."""

import pickle

import duckdb
import pandas as pd
import pytest

from sarcfeat import FeatureStore, Nomogram, Radiomics
from sarcfeat.exceptions import InvalidInput, StoreError, UntrustedFile


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


def test_fault_107_parquet_and_databases_are_no_tables(store, parquet):
    for door in (store.add_patients, store.add_images, store.add_masks):
        with pytest.raises(UntrustedFile, match=r"patients\.parquet .*as CSV"):
            door(parquet)
    with pytest.raises(UntrustedFile, match=r"catalog\.duckdb is a DuckDB"):
        store.add_patients(store.path / "catalog.duckdb")
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
