"""What the verbs of a store share: its folder and its open catalogue."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
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
