"""Encode what is missing: workers compute, this process alone writes."""

from __future__ import annotations

import json
import platform
import socket
import time
import uuid
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd

from sarcfeat._validation import did_you_mean, listed
from sarcfeat.exceptions import InvalidInput, MissingDependency, UnknownName
from sarcfeat.io import refuse_untrusted
from sarcfeat.store.cohorts import Members
from sarcfeat.store.committing import Committer
from sarcfeat.store.connection import Connection
from sarcfeat.store.failures import (
    encode_failures,
    input_failures,
    known_encode_failures,
)
from sarcfeat.store.files import FAILURE_COLUMNS
from sarcfeat.store.inbox import RunFolder
from sarcfeat.store.intake import refresh
from sarcfeat.store.progress import progress_bar
from sarcfeat.store.units import (
    EXTRACTOR,
    Encoder,
    Result,
    SlideEncoder,
    Task,
    register_extractor,
    todo,
)
from sarcfeat.store.workers import HandedIn, fragments_of

__all__ = ["RUN", "EncodeReport", "check_request", "due", "encode", "run_tasks"]

RUN = {
    "run_id": "VARCHAR",
    "status": "VARCHAR",
    "host": "VARCHAR",
    "command": "VARCHAR",
    "env": "JSON",
}


@dataclass(frozen=True)
class EncodeReport:
    """What ``encode`` did.

    Attributes
    ----------
    encoded : int
        Units computed now (a unit is one mask of one image, or one slide).
    skipped : int
        Units that were already there.
    failed : int
        Failures that hold, new and known; each is a row of `failures`.
    failures : DataFrame
        Columns patient, sequence, reader, session, file, code, reason.
    seconds : float
        Wall-clock time.
    extractors : dict of feature set to extractor id
        What made each feature set; ``matrix(..., extractor=report.extractors)`` takes
        these and no older ones.
    notes : tuple of str
        What a reader of the slides encoded now should know: no tissue, most tiles out
        of focus, another resolution than the net was trained at.
    """

    encoded: int
    skipped: int
    failed: int
    failures: pd.DataFrame
    seconds: float
    extractors: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @classmethod
    def merge(cls, reports: Iterable[EncodeReport]) -> EncodeReport:
        """Add up the reports of several encoders or sequences."""
        reports = list(reports)
        frames = [report.failures for report in reports if len(report.failures)]
        empty = pd.DataFrame(columns=FAILURE_COLUMNS)
        failures = pd.concat(frames, ignore_index=True) if frames else empty
        return cls(
            encoded=sum(report.encoded for report in reports),
            skipped=sum(report.skipped for report in reports),
            failed=sum(report.failed for report in reports),
            failures=failures,
            seconds=sum(report.seconds for report in reports),
            extractors={k: v for r in reports for k, v in r.extractors.items()},
            notes=tuple(note for report in reports for note in report.notes),
        )

    def __str__(self) -> str:
        """Return one sentence, and one line for each failure and note."""
        lines = [
            f"encoded {self.encoded} units, {self.skipped} already there, "
            f"{self.failed} failed"
        ]
        lines += [f"  {row.code}: {row.reason}" for row in self.failures.itertuples()]
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])


def encode(
    db: Connection,
    encoder: Encoder,
    *,
    inbox: Path,
    members: Members,
    sequences: Sequence[str] | None,
    n_jobs: int,
    retry: str | None,
    required: Sequence[str],
    progress: bool,
    timeout: float | None = None,
) -> EncodeReport:
    """Compute the units that are missing and list every failure that holds."""
    start = time.perf_counter()
    check_request(encoder, retry)
    phases = _phases(db, sequences)
    refresh(db, progress=progress)
    extractor = register_extractor(db, encoder)
    missing, done = todo(db, extractor, members.patients, phases)
    known = known_encode_failures(db, extractor)
    tasks = [task for task in missing if due(task, known, retry)]
    left = [task for task in missing if not due(task, known, retry)]
    if retry == "all":
        tasks, done = [*tasks, *done], []
    fresh, n_failed = run_tasks(
        db,
        encoder,
        extractor,
        len(tasks),
        lambda folder: fragments_of(encoder, tasks, n_jobs, folder, timeout),
        inbox=inbox,
        progress=progress,
    )
    wanted = [name for name in required if phases is None or name.lower() in phases]
    inputs = input_failures(db, members, phases, wanted)
    computed = [*encode_failures(left, known), *fresh]
    failures = pd.concat(
        [inputs, pd.DataFrame(computed, columns=FAILURE_COLUMNS)], ignore_index=True
    ).sort_values(["patient", "sequence", "file"], ignore_index=True)
    return EncodeReport(
        encoded=len(tasks) - n_failed,
        skipped=len(done),
        failed=len(failures),
        failures=failures,
        seconds=time.perf_counter() - start,
        extractors={
            f"{encoder.name}.{phase.lower()}": extractor
            for phase in (phases or known_phases(db))
        },
    )


def check_request(encoder: object, retry: str | None) -> None:
    """Refuse what is no encoder, and a choice that is none."""
    if isinstance(encoder, str | PathLike):
        refuse_untrusted(encoder, "Give an encoder, such as Radiomics('mri.yaml').")
        raise InvalidInput(
            f"{encoder!r} is no encoder. Give one, such as Radiomics('mri.yaml')."
        )
    if retry not in (None, "failed", "all"):
        raise InvalidInput(f"retry={retry!r}; expected None, 'failed' or 'all'.")


def known_phases(db: Connection) -> list[str]:
    """Return the sequences that the store has files of."""
    rows = db.rows(
        "SELECT DISTINCT phase FROM file WHERE what IN ('image', 'mask') ORDER BY ALL"
    )
    return [row[0] for row in rows]


def _phases(db: Connection, sequences: Sequence[str] | None) -> list[str] | None:
    if sequences is None:
        return None
    if isinstance(sequences, str):
        sequences = [sequences]
    known = known_phases(db)
    lower = {phase.lower() for phase in known}
    for name in sequences:
        if name.lower() not in lower:
            raise UnknownName(
                f"No sequence {name!r} in the store.{did_you_mean(name, known)} "
                f"Known: {listed(known, 12) or 'none'}."
            )
    return [name.lower() for name in sequences]


def due(
    task: Task,
    known: dict[tuple[str, str | None], tuple[object, ...]],
    retry: str | None,
) -> bool:
    """Whether a task is to be done now: not a known failure, unless asked."""
    failure = known.get((task.image_id, task.mask_id))
    if failure is None or retry is not None:
        return True
    # A file that was missing may be back, at no cost to see.
    return failure[1] == "InputMissing"


def run_tasks(
    db: Connection,
    encoder: Encoder | SlideEncoder,
    extractor: str,
    n: int,
    start: Callable[[RunFolder], Generator[HandedIn, None, None]],
    *,
    inbox: Path,
    progress: bool,
) -> tuple[list[list[object]], int]:
    """Do `n` tasks; return the failures' rows and their number."""
    if not n:
        return [], 0
    folder = _begin(db, encoder, extractor, inbox)
    committer = Committer(db, encoder, folder)
    status = "interrupted"
    handed_in = start(folder)
    try:
        with progress_bar(f"Encoding {encoder.name}", n, show=progress) as bar:
            for handed in handed_in:
                committer.take(handed.path)
                bar.step(handed.ok)
        committer.commit()
        status = "finished"
    finally:
        # Ctrl-C: what has been handed in is kept, the rest is done by the next encode.
        handed_in.close()
        committer.commit()
        _finish(db, folder.run_id, status)
        committer.finish()
    failures = committer.failures
    _raise_if_not_installed(failures)
    return [result.failure() for result in failures], len(failures)


def _raise_if_not_installed(failures: Iterable[Result]) -> None:
    for result in failures:
        if result.error_code == MissingDependency.__name__:
            raise MissingDependency(result.error_text)


def _begin(
    db: Connection, encoder: Encoder | SlideEncoder, extractor: str, inbox: Path
) -> RunFolder:
    """Write down a run in the catalogue and in its folder in the inbox."""
    run = uuid.uuid4().hex
    env = {
        "python": platform.python_version(),
        "system": platform.platform(),
        "numpy": np.__version__,
    }
    row = [run, "running", socket.gethostname(), f"encode {encoder.name}"]
    row.append(json.dumps(env))
    with db.commit(f"begin {encoder.name}"):
        db.insert("run", RUN, [row])
    # What a fragment points to must not hang on the log that may lose it.
    db.checkpoint()
    store = db.one("SELECT store_id FROM store_meta")[0]
    made_by = db.one(
        f"SELECT {', '.join(EXTRACTOR)} FROM extractor WHERE extractor_id = ?",
        [extractor],
    )
    folder = RunFolder(str(inbox / run), store, run, extractor)
    folder.start({"run": row, "extractor": list(made_by), "encoder": encoder.name})
    return folder


def _finish(db: Connection, run: str, status: str) -> None:
    with db.commit(f"end of run: {status}"):
        db.update(
            "UPDATE run SET finished_at = now(), status = ? WHERE run_id = ?",
            [status, run],
        )
