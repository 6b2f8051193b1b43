"""What the verbs of a store share: its folder and its open catalogue."""

from __future__ import annotations

import atexit
import shutil
from functools import cache
from os import PathLike
from pathlib import Path
from tempfile import mkdtemp
from typing import TypeAlias

import pandas as pd

from sarcfeat.exceptions import StoreError
from sarcfeat.store.connection import Connection

__all__ = ["Handle", "Table"]

Table: TypeAlias = pd.DataFrame | str | PathLike[str]


class Handle:
    """A store's folder and, while it is open, its catalogue."""

    path: Path
    _db: Connection | None

    @property
    def _open(self) -> Connection:
        if self._db is None:
            raise StoreError(f"The store {self.path} is closed. Open it again.")
        return self._db

    @property
    def _writing(self) -> Connection:
        """The catalogue, for a verb that changes it."""
        self._open.refuse_read_only()
        return self._open

    @property
    def _readings_folder(self) -> Path:
        """Where readings are written: beside a catalogue that may be written."""
        if not self._open.read_only:
            return self.path / "readings"
        return _scratch()


@cache
def _scratch() -> Path:
    """Return a folder of this process alone, which goes with it."""
    folder = mkdtemp(prefix="sarcfeat-readings-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
