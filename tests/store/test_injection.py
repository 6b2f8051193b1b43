"""The n-th write, fsync, rename or commit fails: the store stays whole and resumes."""

import builtins
import contextlib
import os
import shutil
import warnings

import duckdb
import numpy as np
import pytest

from sarcfeat import FeatureStore
from sarcfeat.exceptions import StoreRepaired
from sarcfeat.store.connection import Connection
from tests.store.fakes import FakeEncoder, add_files, clinical, patients, write_patient

STEPS = ("write", "fsync", "rename", "begin", "commit", "checkpoint")
MOST = 400
# Of the many calls every few; a stride of 1 takes minutes and is for by hand.
STRIDES = {"write": 5, "fsync": 3, "rename": 3}


class Fault:
    """Counts the calls of one kind below a folder and lets the n-th one fail."""

    def __init__(self, step, n, folder):
        self.step, self.n, self.folder = step, n, str(folder)
        self.calls = 0

    def due(self, step):
        if step == self.step:
            self.calls += 1
            return self.calls == self.n
        return False

    def install(self, patch):
        fsync, replace, opened, rows = os.fsync, os.replace, open, Connection.rows

        def new_fsync(handle):
            if self.due("fsync"):
                raise OSError(5, "Input/output error (injected)")
            return fsync(handle)

        def new_replace(source, target, **more):
            if self.folder in str(target) and self.due("rename"):
                raise OSError(5, "Input/output error (injected)", str(target))
            return replace(source, target, **more)

        def new_open(file, mode="r", *args, **more):
            writes = set(mode) & set("wax+") and self.folder in str(file)
            if writes and self.due("write"):
                with opened(file, mode, *args, **more) as half:
                    half.write("x" if "b" not in mode else b"x")
                raise OSError(5, "Input/output error (injected)", str(file))
            return opened(file, mode, *args, **more)

        def new_rows(db, sql, values=()):
            words = {"BEGIN": "begin", "COMMIT": "commit", "CHECKPOINT": "checkpoint"}
            step = words.get(sql.split()[0])
            if step and self.due(step):
                raise duckdb.IOException(f"IO Error (injected) at {sql}")
            return rows(db, sql, values)

        patch.setattr(os, "fsync", new_fsync)
        patch.setattr(os, "replace", new_replace)
        patch.setattr(builtins, "open", new_open)
        patch.setattr(Connection, "rows", new_rows)


def bag(seed):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(5, 3)).astype(np.float32), np.zeros((5, 2), int)


def work(path, root):
    """Do a day's work: each line may be repeated."""
    with FeatureStore(path) as store:
        store.add_patients(clinical(2), index_time="surgery", units={"age": "years"})
        store.add_outcome("mfs", time="mfs_days", event="metastasis")
        add_files(store, root)
        if "all" not in set(store.sql("SELECT cohort_id FROM cohort")["cohort_id"]):
            store.add_cohort("all")
        report = store.encode(FakeEncoder())
        assert report.failed == 0, str(report)
        store.add_bag("P001", "S1", *bag(1), extractor="uni")
        store.readings("fake.t1").load()
        m = store.matrix("all", features=["fake.t1", "clinical"], outcome="mfs")
        store.publish()
        return m


@pytest.fixture
def root(tmp_path):
    for patient in patients(2):
        write_patient(tmp_path / "files", patient)
    return tmp_path / "files"


def survives(path, root, fault, expected):
    """Run the work with a fault in it, look, and do the work again without."""
    shutil.rmtree(path, ignore_errors=True)
    with pytest.MonkeyPatch.context() as patch:
        fault.install(patch)
        # Whatever the error is: what counts is what the store is afterwards.
        with contextlib.suppress(Exception):
            work(path, root)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StoreRepaired)
        with FeatureStore(path) as store:
            found = store.verify(sources=True)
            assert found.ok, (fault.step, fault.n, str(found))
            units = store.sql("SELECT unit_id FROM unit")["unit_id"]
            assert units.is_unique
    m = work(path, root)
    assert m.matrix_id == expected.matrix_id, (fault.step, fault.n)
    with FeatureStore(path) as store:
        assert int(store.status().loc["units", "count"]) == 3
        assert store.verify().ok
        assert store.gc(dry_run=False) is not None
        assert store.verify().ok


def loop(tmp_path, root, step):
    """Let the n-th call fail for n = 1, 1 + stride, ... until there is none."""
    expected = work(tmp_path / "reference", root)
    for n in range(1, MOST, STRIDES.get(step, 1)):
        fault = Fault(step, n, tmp_path / "study")
        survives(tmp_path / "study", root, fault, expected)
        if fault.calls < n:
            return n
    raise AssertionError(f"more than {MOST} calls of {step}")


def test_a_few_failing_calls_leave_a_whole_store(tmp_path, root):
    expected = work(tmp_path / "reference", root)
    for step, n in (("write", 3), ("fsync", 4), ("rename", 3), ("commit", 6)):
        fault = Fault(step, n, tmp_path / "study")
        survives(tmp_path / "study", root, fault, expected)
        assert fault.calls >= n


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_failing_calls_all_along_leave_a_whole_store(tmp_path, root, step):
    assert loop(tmp_path, root, step) > 3
