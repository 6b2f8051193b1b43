"""The verbs that look back: earlier versions, frozen matrices, what changed."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from sarcfeat.store.bags import BagsOut
from sarcfeat.store.connection import Connection
from sarcfeat.store.differences import differences
from sarcfeat.store.frozen import thaw
from sarcfeat.store.handle import Handle
from sarcfeat.store.matrix import Matrix
from sarcfeat.store.outward import Outward
from sarcfeat.store.past import Past
from sarcfeat.store.slides_in import SlidesOut

__all__ = ["History", "StoreView"]


class StoreView(Outward, SlidesOut, BagsOut):
    """A store as it was at a commit: it can be asked, and not written to.

    `FeatureStore.at` makes one; it closes with its store. The reasons in
    ``matrix(...).missing`` that come from files are those of the last look at them.

    Parameters
    ----------
    path : Path
        The store's folder.
    db : Past
        The catalogue as it was.
    """

    def __init__(self, path: Path, db: Past) -> None:
        self.path = path
        self.version = db.version
        self._db: Connection | None = db

    def __repr__(self) -> str:
        return f"<StoreView {self.path}: version {self.version}>"


class History(Handle):
    """Earlier versions of a store, frozen matrices and differences."""

    @property
    def version(self) -> int:
        """Number of the last commit."""
        return self._open.commit_no

    def at(self, version: int) -> StoreView:
        """Return the store as it was at a commit, to read from.

        Parameters
        ----------
        version : int
            Number of a commit: an earlier `version` of the store, or the
            ``provenance["store_version"]`` of a matrix.

        Returns
        -------
        StoreView
            With ``matrix``, ``readings``, ``explain``, ``status`` and ``sql``, which
            see the rows written by then and not retired by then.

        Raises
        ------
        InvalidInput
            The store has no such version.
        """
        return StoreView(self.path, Past(self._open, version))

    def matrix_by_id(self, matrix_id: str) -> Matrix:
        """Return a frozen matrix again, bit for bit.

        Parameters
        ----------
        matrix_id : str
            The ``matrix_id`` of a matrix that this store gave, or its beginning.

        Returns
        -------
        Matrix
            Made from the catalogue as it was, and checked against the hash that was
            kept.

        Raises
        ------
        UnknownName
            No matrix of that id was frozen.
        StoreError
            The same bits can no longer be made; patients erased since are named.
        """
        return thaw(self._open, matrix_id)

    def diff(self, old: Matrix | str, new: Matrix | str) -> pd.DataFrame:
        """Say what differs between two matrices.

        Parameters
        ----------
        old, new : Matrix or str
            Matrices, or the ids of frozen ones.

        Returns
        -------
        DataFrame
            Columns what (patient, feature, value, outcome or unit), patient, feature,
            change (added, removed or changed), old and new. Empty when they are the
            same.
        """
        a, b = (
            thaw(self._open, asked) if isinstance(asked, str) else asked
            for asked in (old, new)
        )
        return differences(self._open, a, b)
