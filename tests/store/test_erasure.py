"""A patient who withdraws consent leaves no byte behind."""

import numpy as np
import pandas as pd
import pytest

from sarcfeat import FeatureStore
from sarcfeat.exceptions import InvalidInput, StoreError, UnknownName
from tests.store.fakes import FakeEncoder, OddEncoder, clinical, image_path

SECRET = "q7Zx-rosebud-91fKLm"
NUMBER = 1234.5678901234


def holds(folder, needle):
    return [
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and needle in path.read_bytes()
    ]


@pytest.fixture
def planted(study):
    """A store where P003's secret is everywhere it can be."""
    table = clinical(6)
    table["note"] = ["", "", SECRET, "", "", ""]
    study.add_patients(table, index_time="surgery", roles={"note": "description"})
    study.encode(FakeEncoder())
    study.add_cohort("some", patients=["P001", "P002"])
    features = np.full((9, 4), NUMBER, np.float32)
    study.add_bag("P003", SECRET, features, np.zeros((9, 2), int), extractor="uni")
    study.add_bag("P001", "S1", features * 2, np.zeros((9, 2), int), extractor="uni")
    with pytest.raises(StoreError):
        study.add_bag(
            "P003", SECRET, features * 3, np.zeros((9, 2), int), extractor="uni"
        )
    return study


def test_no_byte_is_left(planted):
    store = planted
    with_patient = store.matrix("all", features=["fake.t1", "clinical"], outcome="mfs")
    without = store.matrix("some", features="clinical.age")
    store.readings("fake.t1")
    store.publish()
    secret, numbers = SECRET.encode(), np.full(4, NUMBER, np.float32).tobytes()
    assert holds(store.path, secret)
    assert holds(store.path, numbers)

    told = store.erase("P003", reason="consent withdrawn", by="Dr A")

    assert holds(store.path, secret) == []
    assert holds(store.path, numbers) == []
    assert told.invalidated == (with_patient.matrix_id,)
    assert any("P003" in path for path in told.kept_outside)
    assert "P003 is erased" in str(told)
    tables = store.sql(
        "SELECT table_name FROM duckdb_columns() WHERE column_name = 'patient_id' "
        "AND NOT internal"
    )["table_name"]
    for table in set(tables) - {"erased", "invalidated"}:
        found = store.sql(f'SELECT * FROM "{table}" WHERE patient_id = ?', ["P003"])
        assert found.empty, table
    assert told.rows["unit"] == 3
    assert told.rows["feature_vector"] == 2
    stone = store.sql('SELECT patient_id, "by", reason FROM erased').iloc[0]
    assert stone.tolist() == ["P003", "Dr A", "consent withdrawn"]
    assert store.verify().ok
    # Frozen matrices: that with the patient says so, the other stands.
    with pytest.raises(StoreError, match=r"cannot be made again: patients P003 were"):
        store.matrix_by_id(with_patient.matrix_id)
    assert store.matrix_by_id(without.matrix_id).X.equals(without.X)
    # The others are all there.
    again = store.matrix("all", features=["fake.t1", "clinical"], outcome="mfs")
    expected = with_patient.X.drop(index="P003")
    pd.testing.assert_frame_equal(again.X, expected, check_exact=True)
    assert len(store.tiles("P001").features) == 9
    with pytest.raises(UnknownName, match="No patient 'P003'"):
        store.tiles("P003")
    with FeatureStore(store.path, read_only=True) as copy:
        assert "P003" not in copy.sql("SELECT patient_id FROM patient").to_numpy()


def test_matrices_that_did_not_hold_the_patient_stay_valid(study):
    """A member of the cohort without follow-up is no row of the matrix."""
    table = pd.DataFrame({"t": [9, 8], "e": [1, 1]}, index=["P001", "P002"])
    study.add_outcome("os", time="t", event="e", data=table)
    short = study.matrix("all", features="clinical.age", outcome="os")
    whole = study.matrix(None, features="clinical.age")
    told = study.erase("P006", reason="withdrawn")
    assert told.invalidated == (whole.matrix_id,)
    assert study.matrix_by_id(short.matrix_id).X.equals(short.X)


def test_bits_of_the_others_survive_the_rewriting(study):
    values = (np.nan, -0.0, np.inf, -np.inf, 5e-324, 0.1)
    study.encode(OddEncoder(names=tuple("abcdef"), values=values))
    study.erase("P001", reason="withdrawn")
    assert study.verify().ok
    row = study.matrix("all", features="fake.t1").X.loc["P002"].iloc[1:]
    kept = row.to_numpy(dtype=np.float64)
    assert kept.tobytes() == np.array(values).tobytes()


def test_erased_patients_do_not_come_back(study, root):
    study.erase("P002", reason="withdrawn")
    with pytest.raises(StoreError, match=r"P002 were erased"):
        study.add_bag(
            "P002", "S", np.ones((1, 2), np.float32), [[0, 0]], extractor="uni"
        )
    with pytest.raises(StoreError, match=r"P002 .*erased"):
        study.add_patients(clinical(6), index_time="surgery")
    report = study.add_images(
        root / "images", pattern="{patient}/{sequence}_image.nii.gz"
    )
    assert report.ok == 5
    assert any("erased" in note and "P002" in note for note in report.notes)
    assert "P002" not in study.sql("SELECT patient_id FROM patient").to_numpy()


def test_erasing_again_finishes_the_job(study):
    study.erase("P002", reason="withdrawn")
    again = study.erase("P002", reason="withdrawn")
    assert again.rows == {}
    assert len(study.sql("SELECT * FROM erased")) == 1


def test_an_erasure_cut_short_is_finished_by_the_same_call(planted, monkeypatch):
    def cut(path):
        raise StoreError("cut short")

    with monkeypatch.context() as patch:
        patch.setattr("sarcfeat.store.upkeep.rewrite", cut)
        with pytest.raises(StoreError, match="cut short"):
            planted.erase("P003", reason="withdrawn")
    assert "P003" not in planted.sql("SELECT patient_id FROM patient").to_numpy()
    planted.erase("P003", reason="withdrawn")
    assert holds(planted.path, SECRET.encode()) == []
    assert planted.verify().ok


def test_bytes_are_looked_for_where_a_crash_left_them(planted):
    """A run's fragments, what was set aside, a bag that no row names."""
    run = planted.path / "inbox" / "run"
    run.mkdir()
    left = [
        run / "u.safetensors",
        planted.path / "quarantine" / "x-u.safetensors",
        planted.path / "quarantine" / "catalog.duckdb.wal",
        planted.path / "backups" / "catalog-schema-1.duckdb",
    ]
    (planted.path / "backups").mkdir(exist_ok=True)
    for path in left:
        path.write_bytes(f'{{"task":{{"patient":"P003"}}}} {SECRET}'.encode())
    other = planted.path / "quarantine" / "other"
    other.write_bytes(b'{"patient":"P0031"}')
    told = planted.erase("P003", reason="withdrawn")
    assert {str(path) for path in left} <= set(told.files)
    assert holds(planted.path, SECRET.encode()) == []
    assert other.exists()


def test_errors(study):
    with pytest.raises(UnknownName, match=r"No patient 'P0O1'\. Did you mean 'P001'"):
        study.erase("P0O1", reason="withdrawn")
    with pytest.raises(InvalidInput, match="'P001' needs a reason"):
        study.erase("P001", reason=" ")
    assert image_path(study.path.parent, "P001").exists()
