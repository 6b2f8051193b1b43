"""What the store asks of whatever keeps its rows: five verbs, in plain Python types.

The verbs know units by content ids and lists of numbers only, so that each of them can
be a MERGE: a backend without primary keys (DuckLake on PostgreSQL) can offer them, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from sarcfeat.store.committing import ingest
from sarcfeat.store.connection import Connection
from sarcfeat.store.inbox import RunFolder
from sarcfeat.store.selection import vectors
from sarcfeat.store.snapshots import publish
from sarcfeat.store.units import Describes, Result, Task, todo

__all__ = ["Backend", "DuckDBBackend"]


@runtime_checkable
class Backend(Protocol):
    """Where a store's rows are kept."""

    def begin(self, what: str) -> AbstractContextManager[int]:
        """Open a transaction: all inside it is written, or nothing.

        Gives the number of the commit, which only grows and orders everything.
        """
        ...

    def append_units(
        self, encoder: Describes, folder: RunFolder, results: Sequence[Result]
    ) -> list[Result]:
        """Write what a run handed in; return the failures among it.

        Merged by unit id: the same units a second time change nothing, other numbers
        for a unit are a failure and the first ones stay.
        """
        ...

    def anti_join(
        self, extractor: str, patients: Iterable[str], phases: Sequence[str] | None
    ) -> list[Task]:
        """Return the work for which there is no unit yet, in a fixed order."""
        ...

    def fetch_matrix(
        self, units: Sequence[str], names: Sequence[str], address: str
    ) -> npt.NDArray[np.float64]:
        """Return units × features, bit for bit; NaN where a unit lacks a feature."""
        ...

    def snapshot(self) -> Path:
        """Write a copy that others read while this one is written."""
        ...


@dataclass(frozen=True)
class DuckDBBackend:
    """One DuckDB file, written by one process.

    Parameters
    ----------
    db : Connection
        The open catalogue.
    store : Path
        The store's folder.
    """

    db: Connection
    store: Path

    def begin(self, what: str) -> AbstractContextManager[int]:
        """Open a transaction that becomes one commit."""
        return self.db.commit(what)

    def append_units(
        self, encoder: Describes, folder: RunFolder, results: Sequence[Result]
    ) -> list[Result]:
        """Insert the units that are not there, in one transaction."""
        return ingest(self.db, encoder, folder, results)

    def anti_join(
        self, extractor: str, patients: Iterable[str], phases: Sequence[str] | None
    ) -> list[Task]:
        """Return the masks without a unit of this extractor."""
        return todo(self.db, extractor, patients, phases)[0]

    def fetch_matrix(
        self, units: Sequence[str], names: Sequence[str], address: str
    ) -> npt.NDArray[np.float64]:
        """Return the vectors of units, one row each in the order asked."""
        rows = vectors(self.db, units, list(names), address)
        lacking = np.full(len(names), np.nan)
        values = [rows.get(unit, lacking) for unit in units]
        return np.array(values, dtype=np.float64).reshape(len(units), len(names))

    def snapshot(self) -> Path:
        """Checkpoint, copy, fsync, rename."""
        return publish(self.db, self.store, keep=5)
