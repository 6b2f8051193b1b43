"""A cohort on disk and a store of it."""

import pytest

from sarcfeat import FeatureStore
from tests.store.fakes import add_files, clinical, patients, write_patient


@pytest.fixture
def root(tmp_path):
    """Six patients, one sequence, two readers."""
    for patient in patients(6):
        write_patient(tmp_path, patient, readers=("A", "B"))
    return tmp_path


@pytest.fixture
def store(tmp_path):
    with FeatureStore(tmp_path / "study") as opened:
        yield opened


@pytest.fixture
def study(root, store):
    """The store with everything added, nothing encoded."""
    store.add_patients(clinical(6), index_time="surgery", units={"age": "years"})
    store.add_outcome("mfs", time="mfs_days", event="metastasis", competing="death")
    add_files(store, root, readers=("A", "B"))
    store.add_cohort("all")
    return store
