"""The one committer: fragments in, one transaction a batch."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from sarcfeat.store.connection import Connection
from sarcfeat.store.inbox import RunFolder
from sarcfeat.store.results import append_results
from sarcfeat.store.slide_results import append_bags
from sarcfeat.store.units import (
    Describes,
    Encoder,
    Result,
    SlideEncoder,
    attempt_id,
)

__all__ = ["Committer", "ingest"]

BATCH = 32
SECONDS = 5.0
CHECKPOINT = 256


def ingest(
    db: Connection,
    encoder: Describes | SlideEncoder,
    folder: RunFolder,
    results: Sequence[Result],
) -> list[Result]:
    """Write results that the catalogue does not hold yet; return the failures.

    Ingesting the same fragments twice changes nothing.
    """
    marks = [attempt_id(result.task.unit_id, folder.run_id) for result in results]
    held = _held(db, marks)
    fresh = [r for r, mark in zip(results, marks, strict=True) if mark not in held]
    if not fresh:
        return []
    bags = [result for result in fresh if result.bag is not None]
    rest = [result for result in fresh if result.bag is None]
    run = (folder.extractor_id, folder.run_id)
    failures: list[Result] = []
    with db.commit(f"encode {encoder.name}"):
        if rest:
            failures += append_results(db, cast(Describes, encoder), *run, rest)
        if bags:
            failures += append_bags(db, Path(folder.path).parents[1], *run, bags)
    return failures


def _held(db: Connection, marks: Sequence[str]) -> set[str]:
    """Return those tries that are written down already."""
    one = "SELECT attempt_id FROM attempt WHERE attempt_id = ?"
    many = (
        "SELECT attempt_id FROM attempt "
        "JOIN (SELECT unnest(?::VARCHAR[]) AS attempt_id) USING (attempt_id)"
    )
    # One by its key takes half the time of a join.
    rows = db.rows(one, marks) if len(marks) == 1 else db.rows(many, [marks])
    return {row[0] for row in rows}


class Committer:
    """Takes in the fragments of one run as they come.

    Parameters
    ----------
    db : Connection
        The catalogue, held by this process alone.
    encoder : Encoder or SlideEncoder
        Whose run it is.
    folder : RunFolder
        The run's folder in the inbox.
    """

    def __init__(
        self, db: Connection, encoder: Encoder | SlideEncoder, folder: RunFolder
    ) -> None:
        self.failures: list[Result] = []
        self._db = db
        self._encoder = encoder
        self._folder = folder
        self._names: dict[str, tuple[str, ...]] = {}
        self._pending: list[Path] = []
        self._ingested: list[Path] = []
        self._last = time.monotonic()

    def take(self, fragment: Path) -> None:
        """Take one fragment; write the batch when it is full or old."""
        self._pending.append(fragment)
        if len(self._pending) >= BATCH or time.monotonic() - self._last > SECONDS:
            self.commit()
            if len(self._ingested) >= CHECKPOINT:
                self._checkpoint()

    def commit(self) -> None:
        """Write what is pending in one transaction."""
        if not self._pending:
            return
        results = [self._folder.read(path, self._names) for path in self._pending]
        self.failures += ingest(self._db, self._encoder, self._folder, results)
        self._ingested += self._pending
        self._pending, self._last = [], time.monotonic()

    def finish(self) -> None:
        """Checkpoint the catalogue; the run's fragments have then done their work."""
        self._checkpoint()
        self._folder.clear()

    def _checkpoint(self) -> None:
        self._db.checkpoint()
        self._folder.remove(self._ingested)
        self._ingested = []
