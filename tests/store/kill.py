"""Kill a real encode at random points and count what is lost.

By hand: ``python -m tests.store.kill --kills 200``. A child process encodes a tiny
cohort, by default with two workers and itself as the committer, and says each unit once
it is acknowledged, that is, once the commit that holds it has returned. At a random
point it is killed (kill -9), alone or with its workers, or one of its workers is; the
store is opened again, and so on until nothing is left to encode; then the next store is
begun. After each kill: no acknowledged unit is lost, none is there twice, each vector
has the bits that its file gives, and ``verify()`` finds nothing.
"""

import argparse
import contextlib
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sarcfeat import FeatureStore
from sarcfeat.exceptions import StoreRepaired
from sarcfeat.store import committing
from sarcfeat.store.identity import vector_checksum
from tests.store.fakes import FakeEncoder, add_files, patients, write_patient

N_PATIENTS = 60
EARLY = 0.15
VICTIMS = ("all", "committer", "worker")
NAMES = tuple(f"feature {i}" for i in range(200))


@dataclass
class Told:
    """What came of it all."""

    kills: int = 0
    stores: int = 0
    acknowledged: int = 0
    units: int = 0
    from_inbox: int = 0
    where: Counter = field(default_factory=Counter)
    whom: Counter = field(default_factory=Counter)
    slowest_opening: float = 0.0
    problems: list = field(default_factory=list)

    def __str__(self):
        return (
            f"{self.kills} kills in {self.stores} stores: {self.acknowledged} units "
            f"acknowledged, {self.units} held, {self.from_inbox} of them taken in from "
            f"the inbox; killed {dict(self.where)}, {dict(self.whom)}; slowest opening "
            f"{self.slowest_opening:.2f} s; problems: {self.problems or 'none'}"
        )


def encoder():
    return FakeEncoder(names=NAMES, pause=0.02)


def child(said, store, n_jobs):
    """Encode in a process of its own and say what is acknowledged."""
    os.setsid()  # its workers are of its group
    committing.BATCH, committing.CHECKPOINT = 3, 9
    ingest, take = committing.ingest, committing.Committer.take

    def told_ingest(db, encoder, folder, results):
        failures = ingest(db, encoder, folder, results)
        for result in results:
            said.send_bytes(result.task.unit_id.encode())
        return failures

    def told_take(self, fragment):
        said.send_bytes(b"working")
        take(self, fragment)

    committing.ingest, committing.Committer.take = told_ingest, told_take
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what a start takes in is counted
    said.send_bytes(b"begin")
    try:
        with FeatureStore(store) as opened:
            opened.encode(encoder(), n_jobs=n_jobs)
    except BaseException:  # whatever it is: an encode that fails by itself is a problem
        said.send_bytes(f"failed: {traceback.format_exc()}".encode())
        raise
    said.send_bytes(b"end")


@dataclass
class Killed:
    """One encode that was killed: what it said, when, and what is left of it."""

    lines: list
    startup: float
    seconds: float
    pid: int

    @property
    def acknowledged(self):
        return set(self.lines) - {"begin", "working", "end"} - set(self.failures)

    @property
    def failures(self):
        return [line for line in self.lines if line.startswith("failed: ")]

    def bury(self):
        """End the workers that outlive their committer."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)


def kill_once(store, n_jobs, *, early=None, late=None, victim="all"):
    """Start an encode and kill it at a time; without one it comes to its end.

    `early` counts from its start, `late` from the first unit that is handed in.
    """
    # Forked from a process that has imported everything and opened nothing.
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["sarcfeat.store", "tests.store.fakes"])
    heard, said = processes.Pipe(duplex=False)
    started = processes.Process(target=child, args=(said, str(store), n_jobs))
    started.start()
    said.close()
    lines = [heard.recv_bytes().decode()]
    start = first = time.monotonic()
    if early is None:
        lines.append(heard.recv_bytes().decode())  # "working", or the end
        first = time.monotonic()
    if early is None and late is None:
        while lines[-1] != "end" and not lines[-1].startswith("failed"):
            lines.append(heard.recv_bytes().decode())
        victim = "all"  # its idle workers would stay for minutes
    else:
        time.sleep(early or late or 0.0)
    kill(started.pid, victim)
    with heard, contextlib.suppress(EOFError):
        while True:
            lines.append(heard.recv_bytes().decode())
    end = time.monotonic()
    started.join()
    return Killed(lines, first - start, end - first, started.pid)


def kill(pid, victim):
    """Kill a committer with or without its workers, or one worker and then all."""
    with contextlib.suppress(ProcessLookupError):
        if victim == "worker":
            workers = [p for p in group_of(pid) if p != pid]
            if workers:
                os.kill(random.choice(workers), signal.SIGKILL)
                time.sleep(0.3)  # its committer starts another one
        if victim == "committer":
            os.kill(pid, signal.SIGKILL)
        else:
            os.killpg(pid, signal.SIGKILL)


def group_of(leader):
    """Return the processes of a group."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[2]) == leader:
                found.append(int(stat.parent.name))
    return found


def look(store, acknowledged, expected, told):
    """Open the store after a kill and write down whatever is wrong."""
    start = time.monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("error", StoreRepaired)
        opened = FeatureStore(store, timeout=30)
    told.slowest_opening = max(told.slowest_opening, time.monotonic() - start)
    with opened:
        held = opened._open.rows("SELECT unit_id FROM unit")
        vectors = opened._open.rows("SELECT unit_id, v, checksum FROM feature_vector")
        told.problems += [f"verify: {x}" for x in wrong_in(opened.verify())]
    counts = Counter(row[0] for row in held)
    told.problems += [f"lost {unit}" for unit in acknowledged if unit not in counts]
    told.problems += [f"doubled {unit}" for unit, n in counts.items() if n > 1]
    if counts.keys() != {row[0] for row in vectors} or len(vectors) != len(counts):
        told.problems.append(f"{len(counts)} units and {len(vectors)} vectors")
    for unit, v, checksum in vectors:
        bits = np.array(v, dtype=np.float64)
        if vector_checksum(bits) != checksum or expected[unit] != checksum:
            told.problems.append(f"other numbers in {unit}")
    return set(counts)


def wrong_in(found):
    """Return what a verification found."""
    return [tuple(row) for row in found.problems.itertuples(index=False)]


def whole_run(root, folder, n_jobs):
    """Encode once without any kill: what each unit must hold, and how long it takes."""
    with FeatureStore(folder) as store:
        add_files(store, root)
    whole = kill_once(folder, n_jobs)
    assert whole.lines[-1] == "end", whole.lines
    with FeatureStore(folder) as store:
        rows = store._open.rows("SELECT unit_id, checksum FROM feature_vector")
    return dict(rows), whole


def torture(folder, kills, seed, n_jobs=2, n=N_PATIENTS):
    """Kill `kills` times; return what was seen."""
    rng, told, root = random.Random(seed), Told(), Path(folder) / "files"
    random.seed(seed)
    for patient in patients(n):
        write_patient(root, patient)
    expected, whole = whole_run(root, Path(folder) / "whole", n_jobs)
    victims = VICTIMS if n_jobs > 1 else VICTIMS[:1]
    while told.kills < kills:
        store = Path(folder) / "killed"
        shutil.rmtree(store, ignore_errors=True)
        with FeatureStore(store) as opened:
            add_files(opened, root)
        told.stores += 1
        acknowledged, before, done = set(), set(), False
        while told.kills < kills and not done:
            early = rng.uniform(0, whole.startup) if rng.random() < EARLY else None
            late = rng.uniform(0, 0.5 * whole.seconds)
            victim = rng.choice(victims)
            run = kill_once(store, n_jobs, early=early, late=late, victim=victim)
            told.kills += 1
            told.problems += run.failures
            new, done = run.acknowledged, "end" in run.lines
            working = "working" in run.lines
            stage = "after the end" if done else "encoding" if working else "starting"
            told.where[stage] += 1
            told.whom[victim] += 1
            acknowledged |= new
            # Workers may still be at it: nobody has told them.
            held = look(store, acknowledged, expected, told)
            run.bury()
            told.from_inbox += len(held - before - new)
            before = held
            if told.kills % 10 == 0:
                sys.stderr.write(f"{told}\n")
        told.acknowledged += len(acknowledged)
        told.units += len(before)
    return told


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--n-jobs", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        told = torture(folder, options.kills, options.seed, options.n_jobs)
    sys.stdout.write(f"{told}\n")
    sys.exit(bool(told.problems))


if __name__ == "__main__":
    main()
