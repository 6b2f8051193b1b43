"""Readings: a light handle that workers load without the store."""

import copy
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from sarcfeat import FeatureStore, Readings
from sarcfeat.exceptions import InvalidInput, StoreError, UnknownName
from tests.store.fakes import (
    FakeEncoder,
    add_everything,
    patients,
    write_patient,
)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """One store for all: these tests change no number in it."""
    root = tmp_path_factory.mktemp("readings")
    for patient in patients(6):
        write_patient(root, patient, readers=("A", "B"))
    with FeatureStore(root / "study") as store:
        add_everything(store, root)
        store.encode(FakeEncoder())
        yield store


@pytest.fixture
def readings(study):
    return study.readings("fake.t1")


def shape_elsewhere(handle):
    return handle.load().shape


def test_every_reader_of_every_patient(readings, study):
    frame = readings.load()
    assert frame.index.names == ["patient", "reader", "session"]
    assert frame.shape == (12, 2)
    assert repr(readings) == "<Readings: 6 patients, 2 readers, 1 sessions, 2 features>"
    a = frame.xs(("A", 1), level=["reader", "session"])
    X = study.matrix("all", features="fake.t1").X
    np.testing.assert_array_equal(a.to_numpy(), X[readings.feature_names].to_numpy())
    some = readings.load(["P002", "P009"])
    assert set(some.index.get_level_values("patient")) == {"P002"}


def test_light_and_safe_to_hand_around(readings, study):
    assert len(pickle.dumps(readings)) < 1000
    assert clone(readings) is readings
    assert copy.deepcopy(readings) is readings
    back = pickle.loads(pickle.dumps(readings))
    assert back == readings
    assert back.load().equals(readings.load())
    # A worker reads the file while this process holds the store.
    shapes = joblib.Parallel(n_jobs=2)(
        joblib.delayed(shape_elsewhere)(readings) for _ in range(2)
    )
    assert shapes == [(12, 2)] * 2
    assert study.readings("fake.t1") == readings


def test_caller_cannot_change_what_is_held(readings):
    mine = readings.load()
    mine.iloc[:] = 0
    assert (readings.load() != 0).all().all()


def test_from_frame():
    index = pd.MultiIndex.from_product(
        [["P1", "P2"], ["A", "B"], [1]], names=["patient", "reader", "session"]
    )
    frame = pd.DataFrame({"f.t1.x": [1.0, 2.0, 3.0, 4.0]}, index=index)
    readings = Readings.from_frame(frame)
    assert readings.feature_names == ["f.t1.x"]
    assert readings.load(["P2"])["f.t1.x"].tolist() == [3.0, 4.0]
    assert pickle.loads(pickle.dumps(readings)) == readings
    with pytest.raises(InvalidInput, match=r"indexed by \['patient', 'reader'"):
        Readings.from_frame(frame.reset_index())
    with pytest.raises(InvalidInput, match="there twice"):
        Readings.from_frame(pd.concat([frame, frame]))


def test_errors(study, readings, tmp_path):
    with pytest.raises(UnknownName, match="Readings are of feature sets"):
        study.readings("clinical")
    with pytest.raises(UnknownName, match=r"Did you mean 'fake\.t1'"):
        study.readings("fake.t2")
    for file in (study.path / "readings").iterdir():
        file.unlink()
    with pytest.raises(StoreError, match="are gone"):
        pickle.loads(pickle.dumps(readings)).load()


def test_cohort_limits_the_readings(study):
    study.add_cohort("two", patients=patients(2))
    assert study.readings(["fake.t1"], cohort="two").load().shape == (4, 2)


def test_store_of_no_features(tmp_path):
    with (
        FeatureStore(tmp_path / "empty") as store,
        pytest.raises(UnknownName, match="Feature sets with values: none"),
    ):
        store.readings("radiomics.t1")
