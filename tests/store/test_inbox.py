"""Fragments: every unit is on the disk before it is in the catalogue."""

import contextlib
import os
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sarcfeat import FeatureStore
from sarcfeat.exceptions import StoreRepaired
from sarcfeat.store import committing
from sarcfeat.store.inbox import BadFragment, RunFolder
from sarcfeat.store.units import Result, Task
from tests.store.fakes import FakeEncoder

TASK = Task("u1", "i1", "m1", "P001", "T1", "A", 1, 1, "image.nii", "mask.nii")


@pytest.fixture
def folder(tmp_path):
    made = RunFolder(str(tmp_path / "run"), "store", "run", "extractor")
    made.start({"run": ["run"], "extractor": ["extractor"], "encoder": "fake"})
    return made


@given(st.lists(st.floats(width=64), max_size=8), st.text(max_size=12))
def test_fragment_returns_every_bit(tmp_path_factory, numbers, text):
    path = tmp_path_factory.mktemp("inbox") / "run"
    folder = RunFolder(str(path), "store", "run", "extractor")
    folder.start({})
    names = tuple(f"{i}{text}" for i in range(len(numbers)))
    sent = Result(TASK, 0.5, names, np.array(numbers, dtype=np.float64), (text,))
    back = folder.read(folder.write(FakeEncoder(), sent), {})
    assert back.values.tobytes() == sent.values.tobytes()
    assert (back.task, back.names, back.warnings) == (TASK, names, (text,))


def test_nan_payload_infinities_and_minus_zero(folder):
    odd = np.array([0x7FF8000000000123, 0xFFF0000000000000, 0x8000000000000000])
    values = odd.astype(np.uint64).view(np.float64)
    sent = Result(TASK, 0.1, ("a", "b", "c"), values)
    back = folder.read(folder.write(FakeEncoder(), sent), {})
    assert back.values.tobytes() == values.tobytes()


def test_failure_is_a_fragment_too(folder):
    sent = Result(TASK, 0.1, error_code="EmptyROI", error_text="P001: nothing")
    back = folder.read(folder.write(FakeEncoder(), sent), {})
    assert (back.ok, back.error_code, back.error_text) == (
        False,
        "EmptyROI",
        "P001: nothing",
    )


def test_any_changed_byte_of_a_fragment_is_seen(folder):
    path = folder.write(FakeEncoder(), Result(TASK, 0.1, ("a",), np.array([1.5])))
    whole = path.read_bytes()
    unseen = []
    for at in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[at] ^= 0x10
        path.write_bytes(damaged)
        with contextlib.suppress(BadFragment):
            back = folder.read(path, {})
            # A byte that carries nothing, such as one of the padding.
            assert (back.values.tolist(), back.task) == ([1.5], TASK)
            unseen.append(at)
    assert len(unseen) < 5


def test_inbox_is_empty_after_encode(study, monkeypatch):
    monkeypatch.setattr(committing, "BATCH", 2)
    monkeypatch.setattr(committing, "CHECKPOINT", 4)
    assert study.encode(FakeEncoder()).encoded == 12
    assert list((study.path / "inbox").iterdir()) == []
    assert not (study.path / "catalog.duckdb.wal").exists()


@pytest.fixture
def killed(study, monkeypatch):
    """A store whose process died after 12 units were handed in, none committed."""

    def die(self):
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(committing.Committer, "commit", die)
        with pytest.raises(SystemExit):
            study.encode(FakeEncoder())
    study.close()
    assert len(list((study.path / "inbox").glob("*/*.safetensors"))) == 12
    return study.path


def test_left_over_fragments_are_taken_in_once(killed, capfd, tmp_path):
    shutil.copytree(killed / "inbox", tmp_path / "again")
    with FeatureStore(killed) as store:
        assert "12 finished units of run" in capfd.readouterr().err
        assert store.encode(FakeEncoder()).skipped == 12
        assert store.sql("SELECT status FROM run")["status"].tolist() == ["interrupted"]
        X = store.matrix("all", features="fake.t1").X
    shutil.copytree(tmp_path / "again", killed / "inbox", dirs_exist_ok=True)
    with FeatureStore(killed) as store:
        assert "taken in" not in capfd.readouterr().err
        assert store.matrix("all", features="fake.t1").X.equals(X)
        rows = store.sql("SELECT count(*) AS n, count(DISTINCT unit_id) AS u FROM unit")
        assert rows.iloc[0].tolist() == [12, 12]
        described = store.sql("SELECT DISTINCT unit FROM feature")["unit"]
        assert described.tolist() == ["HU"]
    assert list((killed / "inbox").iterdir()) == []


def test_erased_patient_does_not_come_back_from_the_inbox(killed, tmp_path):
    inbox = tmp_path / "kept"
    os.rename(killed / "inbox", inbox)
    with FeatureStore(killed) as store:
        store._db.rows("INSERT INTO erased (patient_id, commit_no) VALUES ('P002', 1)")
    shutil.copytree(inbox, killed / "inbox", dirs_exist_ok=True)
    with FeatureStore(killed) as store:
        assert int(store.status().loc["units", "count"]) == 10
    assert list((killed / "inbox").iterdir()) == []


def test_fault_099_fragment_of_another_store_or_schema_is_set_aside(killed, tmp_path):
    with FeatureStore(tmp_path / "other"):
        pass
    run = next((killed / "inbox").iterdir())
    shutil.copytree(run, tmp_path / "other" / "inbox" / run.name)
    with pytest.warns(StoreRepaired, match=r"run.json belongs to store \w+; this is"):
        store = FeatureStore(tmp_path / "other")
    assert int(store.status().loc["units", "count"]) == 0
    store.close()
    aside = sorted(path.name for path in (store.path / "quarantine").iterdir())
    assert len(aside) == 2
    assert aside[0].endswith(run.name)
    reason = (store.path / "quarantine" / aside[1]).read_text()
    assert run.name in reason
    assert "belongs to store" in reason


def test_fault_099_damaged_fragment_is_set_aside_the_others_taken_in(killed):
    run = next((killed / "inbox").iterdir())
    first, second, third = sorted(run.glob("*.safetensors"))[:3]
    first.write_bytes(first.read_bytes()[:-9])
    second.write_bytes(b"")
    third.write_bytes(
        third.read_bytes().replace(b"sarcfeat-fragment-1", b"sarcfeat-fragment-9")
    )
    (killed / "inbox" / "stray.safetensors").write_bytes(b"x")
    (killed / "inbox" / ".cut.tmp").write_bytes(b"x")
    with pytest.warns(StoreRepaired) as caught:
        store = FeatureStore(killed)
    text = str(caught[0].message)
    assert f"{first.name} is damaged" in text
    assert f"{second.name} is damaged" in text
    assert f"{third.name} has schema 'sarcfeat-fragment-9'" in text
    assert "stray.safetensors lies outside the folder of a run" in text
    with store:
        report = store.encode(FakeEncoder())
        assert (report.encoded, report.skipped) == (3, 9)
    assert list((killed / "inbox").iterdir()) == []
    reasons = list((killed / "quarantine").glob("*.reason.txt"))
    assert len(reasons) == 4
