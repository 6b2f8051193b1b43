"""A store opens again whatever happened to it, and says what was lost."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sarcfeat import FeatureStore
from sarcfeat.exceptions import StoreBusy, StoreDamaged, StoreError, StoreRepaired
from sarcfeat.store import committing, migrations
from sarcfeat.store.connection import Connection
from tests.store.fakes import FakeEncoder, InterruptedEncoder, clinical
from tests.store.kill import Slides, torture

REPOSITORY = Path(__file__).parents[2]
DIE = """
import os, signal, sys
from pathlib import Path
from sarcfeat import FeatureStore
from sarcfeat.store import committing
from tests.store.fakes import FakeEncoder, clinical
committing.BATCH = 2
before = committing.Committer.commit
def commit(self):
    before(self)
    if len(self._ingested) >= 8:
        os.kill(os.getpid(), signal.SIGKILL)
store = FeatureStore(sys.argv[1])
if sys.argv[2] == "encode":
    committing.Committer.commit = commit
    store.encode(FakeEncoder())
else:
    store.add_patients(clinical(6).assign(height=170))
    store.add_cohort("later", patients=["P001"])
    os.kill(os.getpid(), signal.SIGKILL)
"""


def die(store, during):
    """Let another process write and be killed with its log not checkpointed."""
    done = subprocess.run(
        [sys.executable, "-c", DIE, str(store), during],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert done.returncode == -9, done.stderr
    log = store / "catalog.duckdb.wal"
    assert log.stat().st_size > 0
    return log


@pytest.fixture
def written(study):
    study.close()
    return study.path


def flip(path, at):
    """Change a bit of the last patient's name before that share of the file.

    Just any byte may be the length of an entry, and the log then looks cut short.
    """
    content = bytearray(path.read_bytes())
    content[content.rindex(b"P00", 0, int(len(content) * at))] ^= 0x40
    path.write_bytes(content)


@pytest.mark.parametrize("at", [0.3, 0.6, 0.9])
def test_fault_090_units_of_an_unreadable_log_come_back(written, at):
    log = die(written, "encode")
    flip(log, at)
    with pytest.warns(StoreRepaired) as caught:
        store = FeatureStore(written)
    text = str(caught[0].message)
    assert f"The log of {written} could not be replayed" in text
    # Eight were committed; the worker may have handed in more by then.
    n = int(re.search(r"(\d+) finished units of run", text)[1])
    assert 8 <= n <= 12
    assert "(encode fake)" in text
    with store:
        unit = store.sql("SELECT unit_id FROM unit ORDER BY 1")["unit_id"]
        assert len(unit) == n
        assert unit[0] in text
        report = store.encode(FakeEncoder())
        assert (report.encoded, report.skipped) == (12 - n, n)
    aside = sorted((written / "quarantine").iterdir())
    assert [path.suffix for path in aside] == [".wal", ".txt"]
    assert "cannot be replayed" in aside[1].read_text()
    assert str(written) in aside[1].read_text()
    with FeatureStore(written) as store:  # said once
        assert int(store.status().loc["units", "count"]) == 12


def test_fault_090_lost_commits_of_other_kinds_are_named(written):
    flip(die(written, "add"), 0.5)
    with pytest.warns(StoreRepaired, match=r"Commits that went with it: \d+ \(") as w:
        FeatureStore(written).close()
    text = str(w[0].message)
    assert "add" in text
    assert "cohort" in text
    assert "again with the same commands" in text


def test_fault_090_cut_or_deleted_log_is_noticed(written):
    log = die(written, "encode")
    content = log.read_bytes()
    log.write_bytes(content[:-700])
    with pytest.warns(StoreRepaired, match="was cut short or removed") as caught:
        store = FeatureStore(written)
    assert "(encode fake)" in str(caught[0].message)
    with store:
        assert int(store.status().loc["units", "count"]) >= 8
    die(written, "add").unlink()
    with pytest.warns(StoreRepaired, match="was cut short or removed"):
        FeatureStore(written).close()


def test_damaged_catalogue_is_named_and_left_as_it_was(written):
    log = die(written, "add")
    catalogue = written / "catalog.duckdb"
    catalogue.write_bytes(b"\0" * 4096 + catalogue.read_bytes()[4096:])
    before = log.read_bytes()
    with pytest.raises(StoreDamaged, match=r"catalog\.duckdb cannot be opened"):
        FeatureStore(written)
    assert log.read_bytes() == before


def test_fault_098_second_ctrl_c_while_writing(study, monkeypatch):
    monkeypatch.setattr(committing, "BATCH", 4)
    monkeypatch.setattr(committing, "SECONDS", 3600.0)
    before = committing.ingest
    calls = []

    def interrupted(*args):
        calls.append(1)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return before(*args)

    with monkeypatch.context() as patch:
        patch.setattr(committing, "ingest", interrupted)
        with pytest.raises(KeyboardInterrupt):
            study.encode(InterruptedEncoder(after=7))
    assert int(study.status().loc["units", "count"]) == 4
    study.close()
    with FeatureStore(study.path) as store:
        # What was handed in between the two is not computed again.
        assert int(store.status().loc["units", "count"]) == 7
        assert store.sql("SELECT status FROM run")["status"].tolist() == ["interrupted"]
        assert store.encode(FakeEncoder()).encoded == 5


def test_fault_095_older_store_is_copied_before_it_changes(study, monkeypatch, capfd):
    study.encode(FakeEncoder())
    study.close()
    found = migrations.latest_version()
    scripts = {**migrations.scripts(), 99: "CREATE TABLE later (a INTEGER);"}
    monkeypatch.setattr(migrations, "scripts", lambda: scripts)
    with FeatureStore(study.path) as store:
        assert store.sql("SELECT count(*) AS n FROM later")["n"].tolist() == [0]
        assert int(store.status().loc["units", "count"]) == 12
    copy = study.path / "backups" / f"catalog-schema-{found}.duckdb"
    said = " ".join(capfd.readouterr().err.split())
    assert f"has schema {found} and is brought to 99" in said
    db = Connection(copy, read_only=True)
    assert db.one("SELECT count(*) FROM unit")[0] == 12
    assert migrations.schema_version(db) == found
    db.close()


def test_fault_095_migration_that_fails_leaves_the_store_as_it_was(study, monkeypatch):
    study.close()
    found = migrations.latest_version()
    scripts = {**migrations.scripts(), 99: "CREATE TABLE a (b INTEGER); SELECT nothing"}
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "scripts", lambda: scripts)
        with pytest.raises(Exception, match="nothing"):
            FeatureStore(study.path)
    with FeatureStore(study.path) as store:
        assert migrations.schema_version(store._open) == found
        assert int(store.status().loc["images", "count"]) == 6


def test_fault_096_clock_set_back_does_not_bring_old_values_back(study):
    young = clinical(6)
    study._open.rows("UPDATE clinical SET written_at = TIMESTAMPTZ '2090-01-01'")
    study._open.rows("UPDATE commit_log SET \"at\" = TIMESTAMPTZ '2090-01-01'")
    before = study.matrix(None, features="clinical.age", as_of=None)
    old = young.assign(age=young["age"] + 1)
    study.add_patients(old, index_time="surgery", units={"age": "years"})
    after = study.matrix(None, features="clinical.age", as_of=None)
    assert np.array_equal(after.X["clinical.age"], old["age"].astype(float))
    then = study.at(before.provenance["store_version"])
    X = then.matrix(None, features="clinical.age", as_of=None).X
    assert X.equals(before.X)


def test_fault_096_times_are_stored_in_utc_whatever_the_zone(study, monkeypatch):
    clocks = study.sql('SELECT "at" FROM commit_log')["at"]
    assert str(clocks.dt.tz) == "UTC" or clocks.dt.tz is not None
    numbers = study.sql("SELECT commit_no FROM commit_log ORDER BY 1")["commit_no"]
    assert numbers.is_monotonic_increasing


def test_fault_110_encryption_is_refused_and_not_ignored(tmp_path):
    with pytest.raises(StoreError, match=r"cannot write an encrypted .* httpfs") as e:
        FeatureStore(tmp_path / "study", encryption_key="secret")
    assert "encrypted disk" in str(e.value)
    assert "secret" not in str(e.value)
    assert not (tmp_path / "study").exists()


def test_lock_error_is_told_from_a_broken_block(tmp_path):
    (tmp_path / "c.duckdb").write_bytes(b"not a catalogue, a block of text")
    with pytest.raises(StoreDamaged) as caught:
        Connection(tmp_path / "c.duckdb")
    assert not isinstance(caught.value, StoreBusy)


@pytest.mark.slow
def test_fault_087_a_few_kills_lose_and_double_nothing(tmp_path):
    told = torture(tmp_path, kills=3, seed=1, n_jobs=1, n=12)
    assert (told.kills, told.problems) == (3, [])


@pytest.mark.slow
def test_fault_087_twenty_kills_of_an_encode_with_two_workers(tmp_path):
    """By hand, 200 of them: python -m tests.store.kill --kills 200."""
    told = torture(tmp_path, kills=20, seed=2, n_jobs=2)
    assert (told.kills, told.problems) == (20, [])
    assert told.acknowledged > 20
    assert told.where["encoding"] >= 10
    assert set(told.whom) == {"all", "committer", "worker"}


@pytest.mark.slow
def test_fault_087_twenty_kills_of_an_encode_of_slides(tmp_path):
    """By hand, 200 of them: python -m tests.store.kill --slides --kills 200."""
    pytest.importorskip("shapely")
    told = torture(tmp_path, kills=20, seed=4, n_jobs=1, variant=Slides())
    assert (told.kills, told.problems) == (20, [])
    assert told.acknowledged > 20
    assert told.where["encoding"] >= 10
