"""One writes, the others wait with a message or read published copies."""

import json
import os
import subprocess
import sys
import time

import pytest

from sarcfeat import FeatureStore
from sarcfeat.exceptions import InvalidInput, StoreBusy, StoreError
from sarcfeat.store import place, writer
from sarcfeat.store.writer import NOTE, Writer
from tests.store.fakes import FakeEncoder, clinical

HOLD = (
    "import sys\nfrom sarcfeat import FeatureStore\n"
    "store = FeatureStore(sys.argv[1])\nprint('open', flush=True)\n"
    "sys.stdin.read()\n"
)


@pytest.fixture
def holder(tmp_path):
    """Another process that has the store open until its input ends."""
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "study")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )
    assert child.stdout.readline().strip() == "open"
    yield child
    child.stdin.close()
    child.stdout.close()
    child.wait()


def test_fault_089_busy_names_who_and_since_when(tmp_path, holder):
    note = Writer.of(tmp_path / "study")
    assert note.pid == holder.pid
    start = time.monotonic()
    with pytest.raises(StoreBusy) as caught:
        FeatureStore(tmp_path / "study", timeout=0.3)
    assert 0.3 <= time.monotonic() - start < 60
    text = str(caught.value)
    assert f"process {holder.pid} on {note.host}" in text
    assert f"since {note.since}" in text
    assert "waited 0.3 s" in text


def test_fault_089_second_writer_waits_with_a_message(
    tmp_path, holder, capfd, monkeypatch
):
    say = writer.say

    def say_and_free(text):
        say(text)
        holder.stdin.close()

    monkeypatch.setattr(writer, "say", say_and_free)
    with FeatureStore(tmp_path / "study", timeout=120) as store:
        assert Writer.of(store.path).pid == os.getpid()
    told = capfd.readouterr().err
    assert told.startswith("Waiting up to 120 s")
    assert f"process {holder.pid} on" in told
    assert told.count("Waiting") == 1
    assert not (tmp_path / "study" / NOTE).exists()


def test_fault_089_note_of_a_dead_process_stops_nobody(tmp_path, holder):
    holder.kill()
    holder.wait()
    assert Writer.of(tmp_path / "study").pid == holder.pid
    with FeatureStore(tmp_path / "study", timeout=0) as store:
        assert Writer.of(store.path).pid == os.getpid()


def test_store_opened_twice_in_one_process_keeps_its_note(tmp_path):
    first = FeatureStore(tmp_path / "study")
    second = FeatureStore(tmp_path / "study")
    first.close()
    assert (tmp_path / "study" / NOTE).exists()
    second.close()
    assert not (tmp_path / "study" / NOTE).exists()


def test_fault_094_other_computer_on_a_network_disk_is_refused(tmp_path, monkeypatch):
    with FeatureStore(tmp_path / "study") as store:
        note = json.loads((store.path / NOTE).read_text())
    (tmp_path / "study" / NOTE).write_text(json.dumps({**note, "host": "ward-7"}))
    with FeatureStore(tmp_path / "study", timeout=0) as store:
        (store.path / NOTE).write_text(json.dumps({**note, "host": "ward-7"}))
    assert (tmp_path / "study" / NOTE).exists()
    mounts = f"server:/home {tmp_path} nfs4 rw 0 0\n"
    monkeypatch.setattr(place, "mounts_text", lambda: mounts)
    with pytest.raises(StoreBusy, match=r"on ward-7 .* second writer is refused"):
        FeatureStore(tmp_path / "study", timeout=0, network=True)


def test_published_copy_is_read_while_the_writer_works(study):
    study.encode(FakeEncoder())
    mine = study.matrix("all", features="fake.t1", outcome="mfs")
    path = study.publish()
    assert path.name == f"catalog-{study.version}.duckdb"
    study.add_patients(clinical(6).assign(site="Paris"))
    code = (
        "import sys\nfrom sarcfeat import FeatureStore\n"
        "with FeatureStore(sys.argv[1], read_only=True) as store:\n"
        "    m = store.matrix('all', features='fake.t1', outcome='mfs')\n"
        "    r = store.readings('fake.t1').load()\n"
        "    print(m.matrix_id, len(r), repr(store), sep='|')\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, str(study.path)],
        env={**os.environ, "PYTHONPATH": os.getcwd()},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    matrix_id, readings, shown = told.split("|")
    assert (matrix_id, readings) == (mine.matrix_id, "12")
    assert path.name in shown


ENCODE = (
    "import sys\nfrom sarcfeat import FeatureStore\n"
    "from tests.store.fakes import FakeEncoder\n"
    "with FeatureStore(sys.argv[1]) as store:\n"
    "    print('open', flush=True)\n"
    "    print(store.encode(FakeEncoder(name='slow', pause=0.15)).encoded)\n"
)


def test_readers_open_copies_while_another_process_encodes(study):
    study.encode(FakeEncoder())
    study.publish()
    ask = {"features": "fake.t1", "outcome": "mfs"}
    mine = study.matrix("all", **ask).matrix_id
    study.close()
    child = subprocess.Popen(
        [sys.executable, "-c", ENCODE, str(study.path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )
    assert child.stdout.readline().strip() == "open"
    with pytest.raises(StoreBusy, match=f"process {child.pid}"):
        FeatureStore(study.path, timeout=0)
    seen = []
    while child.poll() is None:
        with FeatureStore(study.path, read_only=True) as copy:
            seen.append(copy.matrix("all", **ask).matrix_id)
        time.sleep(0.1)
    assert child.stdout.read().strip() == "12"
    child.stdout.close()
    assert child.returncode == 0
    assert set(seen) == {mine}
    with FeatureStore(study.path) as store:
        assert int(store.status().loc["units", "count"]) == 24


def test_read_only_store_refuses_every_write(study, root):
    study.encode(FakeEncoder())
    path = study.publish()
    before = sorted(p for p in study.path.rglob("*") if "readings" not in str(p))
    with FeatureStore(study.path, read_only=True) as store:
        writes = [
            lambda: store.add_patients(clinical(6)),
            lambda: store.add_outcome("os", time="mfs_days", event="death"),
            lambda: store.add_images(root / "images", pattern="{patient}/x"),
            lambda: store.add_masks(root / "masks_A", pattern="{patient}/x"),
            lambda: store.add_cohort("few", patients=["P001"]),
            lambda: store.encode(FakeEncoder()),
            lambda: store.publish(),
            lambda: store._open.update("DELETE FROM unit"),
        ]
        for write in writes:
            with pytest.raises(StoreError, match=f"{path.name} is a published copy"):
                write()
        assert store.explain("P001", "fake.t1.mean")
        assert store.at(store.version).status().loc["units", "count"] == 12
        assert int(store.status().loc["units", "count"]) == 12
    after = sorted(p for p in study.path.rglob("*") if "readings" not in str(p))
    assert before == after


def test_newest_copy_wins_and_few_are_kept(study):
    names = []
    for i in range(4):
        study.add_cohort(f"c{i}", patients=["P001", "P002"])
        names.append(study.publish(keep=2).name)
    kept = sorted(path.name for path in (study.path / "snapshots").iterdir())
    assert kept == sorted(names[-2:])
    with FeatureStore(study.path, read_only=True) as store:
        assert int(store.status().loc["cohorts", "count"]) == 5
    with pytest.raises(InvalidInput, match="keep=0"):
        study.publish(keep=0)


def test_read_only_needs_a_store_and_a_copy(study, tmp_path):
    with pytest.raises(StoreError, match="no feature store in"):
        FeatureStore(tmp_path / "nowhere", read_only=True)
    assert not (tmp_path / "nowhere").exists()
    with pytest.raises(StoreError, match=r"must call store.publish\(\)"):
        FeatureStore(study.path, read_only=True)


def test_copy_of_another_schema_is_refused(study):
    path = study.publish()
    from sarcfeat.store.connection import Connection

    db = Connection(path)
    db.rows("UPDATE store_meta SET schema_version = 99")
    db.close()
    with pytest.raises(StoreError, match=f"{path.name} has schema 99"):
        FeatureStore(study.path, read_only=True)


def test_note_names_the_script_and_not_its_arguments(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/a/b/run.py", "--patient", "DUPONT"])
    assert writer.Writer.me().program == "run.py"
