"""A cohort on disk and a store of it."""

import pytest

from sarcfeat import FeatureStore
from tests.store.fakes import add_everything, patients, write_patient


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
    return add_everything(store, root)
