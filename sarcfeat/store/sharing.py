"""The verbs that let a team read what one process writes."""

from __future__ import annotations

from pathlib import Path

from sarcfeat.exceptions import InvalidInput
from sarcfeat.store import snapshots
from sarcfeat.store.handle import Handle

__all__ = ["Sharing"]


class Sharing(Handle):
    """Publish a copy that others open while the writer works."""

    def publish(self, *, keep: int = 5) -> Path:
        """Write a read-only copy of the catalogue for colleagues.

        They open it with ``FeatureStore(path, read_only=True)``, which takes the
        newest copy; who has an older one open keeps it until it is closed.

        Parameters
        ----------
        keep : int
            How many of the newest copies stay.

        Returns
        -------
        Path
            ``snapshots/catalog-<number of the last commit>.duckdb``.

        Raises
        ------
        StoreError
            The store is open read-only, or the disk is full.
        """
        if keep < 1:
            raise InvalidInput(f"keep={keep!r}; expected a whole number from 1.")
        return snapshots.publish(self._writing, self.path, keep)
