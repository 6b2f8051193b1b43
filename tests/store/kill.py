"""Kill a real encode at random points and count what is lost.

By hand: ``python -m tests.store.kill 200``, with ``--n-jobs 2`` for worker processes.
A child process encodes a tiny cohort and says each unit once it is acknowledged, that
is, once the commit that holds it has returned. It is killed (kill -9) after a random
time, the store is opened again, and so on until nothing is left to encode; then the
next store is begun. After each kill: no acknowledged unit is lost, none is there twice,
and each vector has the bits that its file gives.
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

N_PATIENTS = 30
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
    slowest_opening: float = 0.0
    problems: list = field(default_factory=list)

    def __str__(self):
        return (
            f"{self.kills} kills in {self.stores} stores: {self.acknowledged} units "
            f"acknowledged, {self.units} held, {self.from_inbox} of them taken in from "
            f"the inbox; killed {dict(self.where)}; slowest opening "
            f"{self.slowest_opening:.2f} s; problems: {self.problems or 'none'}"
        )


def encoder():
    return FakeEncoder(names=NAMES, pause=0.003)


def child(said, store, n_jobs):
    """Encode in a process of its own and say what is acknowledged."""
    os.setsid()  # workers die with it
    committing.BATCH, committing.CHECKPOINT = 3, 9
    before = committing.ingest

    def ingest(db, encoder, folder, results):
        failures = before(db, encoder, folder, results)
        for result in results:
            said.send_bytes(result.task.unit_id.encode())
        return failures

    committing.ingest = ingest
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what a start takes in is counted
    said.send_bytes(b"begin")
    with FeatureStore(store) as opened:
        opened.encode(encoder(), n_jobs=n_jobs)
    said.send_bytes(b"end")


def kill_once(store, wait, n_jobs):
    """Start an encode, kill it after `wait` seconds; return what it said and when.

    Without `wait` it may come to its end.
    """
    # Forked from a process that has imported everything and opened nothing.
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["sarcfeat.store", "tests.store.fakes"])
    heard, said = processes.Pipe(duplex=False)
    started = processes.Process(target=child, args=(said, str(store), n_jobs))
    started.start()
    said.close()
    lines = [heard.recv_bytes().decode()]
    start = time.monotonic()
    while wait is None and lines[-1] != "end":
        lines.append(heard.recv_bytes().decode())
    time.sleep(wait or 0.0)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(started.pid, signal.SIGKILL)
    started.join()
    with heard, contextlib.suppress(EOFError):
        while True:
            lines.append(heard.recv_bytes().decode())
    return lines, time.monotonic() - start


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
        if hasattr(opened, "verify"):
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
    """Return what a verification found, whether it is a table or holds one."""
    table = getattr(found, "problems", found)
    return [tuple(row) for row in table.itertuples(index=False)]


def whole_run(root, folder, n_jobs):
    """Encode once without any kill: what each unit must hold, and how long it takes."""
    with FeatureStore(folder) as store:
        add_files(store, root)
    lines, seconds = kill_once(folder, None, n_jobs)
    assert lines[-1] == "end", lines
    with FeatureStore(folder) as store:
        rows = store._open.rows("SELECT unit_id, checksum FROM feature_vector")
    return dict(rows), seconds


def torture(folder, kills, seed, n_jobs=1):
    """Kill `kills` times; return what was seen."""
    rng, told, root = random.Random(seed), Told(), Path(folder) / "files"
    for patient in patients(N_PATIENTS):
        write_patient(root, patient)
    expected, seconds = whole_run(root, Path(folder) / "whole", n_jobs)
    while told.kills < kills:
        store = Path(folder) / "killed"
        shutil.rmtree(store, ignore_errors=True)
        with FeatureStore(store) as opened:
            add_files(opened, root)
        told.stores += 1
        acknowledged, before, done = set(), set(), False
        while told.kills < kills and not done:
            lines, _ = kill_once(store, rng.uniform(0.0, 0.8 * seconds), n_jobs)
            told.kills += 1
            new = {line for line in lines if line not in ("begin", "end")}
            done = "end" in lines
            stage = "after the end" if done else "while encoding" if new else "early"
            told.where[stage] += 1
            acknowledged |= new
            held = look(store, acknowledged, expected, told)
            told.from_inbox += len(held - before - new)
            before = held
        told.acknowledged += len(acknowledged)
        told.units += len(before)
    return told


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("kills", type=int, nargs="?", default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--n-jobs", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        told = torture(folder, options.kills, options.seed, options.n_jobs)
    sys.stdout.write(f"{told}\n")
    sys.exit(bool(told.problems))


if __name__ == "__main__":
    main()
