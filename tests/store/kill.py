"""Kill a real encode at random points and count what is lost.

By hand: ``python -m tests.store.kill --kills 200``. A child process encodes a tiny
cohort, by default with two workers and itself as the committer, and says each unit once
it is acknowledged, that is, once the commit that holds it has returned. At a random
point it is killed (kill -9), alone or with its workers, or one of its workers is; the
store is opened again, and so on until nothing is left to encode; then the next store is
begun. After each kill: no acknowledged unit is lost, none is there twice, each vector
has the bits that its file gives, and ``verify()`` finds nothing.

``--slides`` does the same with slides: no bag is lost, doubled or silently short.
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
from sarcfeat.store.identity import file_sha256, vector_checksum
from tests.store.fake_slides import MPP, FakeSlides, write_geojson, write_slide
from tests.store.fakes import FakeEncoder, add_files, patients, write_patient

N_PATIENTS = 60
N_SLIDES = 24
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


@dataclass(frozen=True)
class Images:
    """Masks of images, each a vector in the catalogue."""

    n: int = N_PATIENTS

    def write(self, root):
        for patient in patients(self.n):
            write_patient(root, patient)

    def add(self, store, root):
        add_files(store, root)

    def encoder(self):
        return FakeEncoder(names=NAMES, pause=0.02)

    def expected(self, opened):
        return dict(opened._open.rows("SELECT unit_id, checksum FROM feature_vector"))

    def held(self, opened, expected, told):
        """Return the units with numbers; write down the numbers that are others."""
        rows = opened._open.rows("SELECT unit_id, v, checksum FROM feature_vector")
        for unit, v, checksum in rows:
            bits = np.array(v, dtype=np.float64)
            if vector_checksum(bits) != checksum or expected[unit] != checksum:
                told.problems.append(f"other numbers in {unit}")
        return [row[0] for row in rows]


@dataclass(frozen=True)
class Slides:
    """Slides, half of them with regions, each a bag in a file of its own."""

    n: int = N_SLIDES

    def write(self, root):
        for i in range(self.n):
            name = f"P{i // 2:03d}_{i}"
            write_slide(root / "slides" / f"{name}.png", seed=i)
            if i % 2:
                write_geojson(root / "drawn" / f"{name}.geojson")

    def add(self, store, root):
        pattern = "{patient}_{slide}"
        store.add_slides(root / "slides", pattern=f"{pattern}.png", mpp=MPP)
        store.add_annotations(root / "drawn", pattern=f"{pattern}.geojson")

    def encoder(self):
        return FakeSlides(pause=0.05, dim=256)

    def expected(self, opened):
        rows = opened._open.rows("SELECT unit_id, checksum, n_rows FROM embedding_file")
        return {unit: (checksum, n) for unit, checksum, n in rows}

    def held(self, opened, expected, told):
        """Return the units with a bag; write down bags that are short or others."""
        rows = opened._open.rows(
            "SELECT e.unit_id, e.uri, e.checksum, e.n_rows, s.patient_id, s.name, "
            "(SELECT sum(tiles) FROM tile_count c WHERE c.unit_id = e.unit_id) "
            "FROM embedding_file e JOIN unit u USING (unit_id) "
            "JOIN slide s ON s.slide_id = u.image_id"
        )
        for unit, uri, checksum, n, patient, slide, tiles in rows:
            path = opened.path / uri
            if expected[unit] != (checksum, n) or tiles != 48:
                told.problems.append(f"another bag of {patient} {slide}")
            elif not path.exists() or file_sha256(str(path)) != checksum:
                told.problems.append(f"the bag of {patient} {slide} is not whole")
        return [row[0] for row in rows]


def child(said, store, n_jobs, variant):
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
            opened.encode(variant.encoder(), n_jobs=n_jobs)
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


def kill_once(store, n_jobs, variant, *, early=None, late=None, victim="all"):
    """Start an encode and kill it at a time; without one it comes to its end.

    `early` counts from its start, `late` from the first unit that is handed in.
    """
    # Forked from a process that has imported everything and opened nothing.
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["sarcfeat.store", "tests.store.fake_slides"])
    heard, said = processes.Pipe(duplex=False)
    work = (said, str(store), n_jobs, variant)
    started = processes.Process(target=child, args=work)
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


def look(store, variant, acknowledged, expected, told):
    """Open the store after a kill and write down whatever is wrong."""
    start = time.monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("error", StoreRepaired)
        opened = FeatureStore(store, timeout=30)
    told.slowest_opening = max(told.slowest_opening, time.monotonic() - start)
    with opened:
        held = opened._open.rows("SELECT unit_id FROM unit")
        numbers = variant.held(opened, expected, told)
        told.problems += [f"verify: {x}" for x in wrong_in(opened.verify())]
    counts = Counter(row[0] for row in held)
    told.problems += [f"lost {unit}" for unit in acknowledged if unit not in counts]
    told.problems += [f"doubled {unit}" for unit, n in counts.items() if n > 1]
    if sorted(counts) != sorted(numbers):
        told.problems.append(f"{len(counts)} units and {len(numbers)} with numbers")
    return set(counts)


def wrong_in(found):
    """Return what a verification found."""
    return [tuple(row) for row in found.problems.itertuples(index=False)]


def whole_run(root, folder, n_jobs, variant):
    """Encode once without any kill: what each unit must hold, and how long it takes."""
    with FeatureStore(folder) as store:
        variant.add(store, root)
    whole = kill_once(folder, n_jobs, variant)
    assert whole.lines[-1] == "end", whole.lines
    with FeatureStore(folder) as store:
        return variant.expected(store), whole


def torture(folder, kills, seed, n_jobs=2, n=N_PATIENTS, variant=None):
    """Kill `kills` times; return what was seen."""
    variant = variant or Images(n)
    rng, told, root = random.Random(seed), Told(), Path(folder) / "files"
    random.seed(seed)
    variant.write(root)
    expected, whole = whole_run(root, Path(folder) / "whole", n_jobs, variant)
    victims = VICTIMS if n_jobs > 1 else VICTIMS[:1]
    while told.kills < kills:
        store = Path(folder) / "killed"
        shutil.rmtree(store, ignore_errors=True)
        with FeatureStore(store) as opened:
            variant.add(opened, root)
        told.stores += 1
        acknowledged, before, done = set(), set(), False
        while told.kills < kills and not done:
            early = rng.uniform(0, whole.startup) if rng.random() < EARLY else None
            late = rng.uniform(0, 0.5 * whole.seconds)
            victim = rng.choice(victims)
            times = {"early": early, "late": late, "victim": victim}
            run = kill_once(store, n_jobs, variant, **times)
            told.kills += 1
            told.problems += run.failures
            new, done = run.acknowledged, "end" in run.lines
            working = "working" in run.lines
            stage = "after the end" if done else "encoding" if working else "starting"
            told.where[stage] += 1
            told.whom[victim] += 1
            acknowledged |= new
            # Workers may still be at it: nobody has told them.
            held = look(store, variant, acknowledged, expected, told)
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
    parser.add_argument("--slides", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        variant = Slides() if options.slides else Images()
        told = torture(
            folder, options.kills, options.seed, options.n_jobs, variant=variant
        )
    sys.stdout.write(f"{told}\n")
    sys.exit(bool(told.problems))


if __name__ == "__main__":
    main()
