"""The verbs that look after a store: verify, relocate, collect garbage, erase."""

from __future__ import annotations

from os import PathLike, fspath

import pandas as pd

from sarcfeat.store.erasure import Erasure, erase_files, erase_rows
from sarcfeat.store.garbage import collect
from sarcfeat.store.handle import Handle
from sarcfeat.store.opening import open_for_writing
from sarcfeat.store.relocation import Relocation, relocate
from sarcfeat.store.rewriting import rewrite
from sarcfeat.store.snapshots import publish, published
from sarcfeat.store.verification import Verification, verify

__all__ = ["Upkeep"]


class Upkeep(Handle):
    """Find damage, follow moved files, tidy up, and erase a patient."""

    def verify(self, *, sources: bool = False) -> Verification:
        """Look at every byte of the store and name the patients it has lost.

        The catalogue's file (not what is cached of it), each vector against its
        checksum, bags, readings, volumes taken out of DICOM, fragments in the inbox,
        published copies, and the plain files that repeat what the catalogue says. Not
        ``writer.json`` (who has the store open) nor what lies in ``quarantine``.

        Parameters
        ----------
        sources : bool
            Also the images, masks, slides and outlines that features were computed
            from.

        Returns
        -------
        Verification
            ``ok``, ``problems`` (one row each) and ``patients``.
        """
        return verify(self._open, self.path, sources=sources)

    def relocate(
        self, old: str | PathLike[str], new: str | PathLike[str]
    ) -> Relocation:
        """Tell the store that images, masks, slides, outlines or bags were moved.

        Each file is read in its new place; only one with the same bytes is followed.
        Nothing is computed again.

        Parameters
        ----------
        old, new : str or path
            A folder, or one file: where it was and where it is.

        Returns
        -------
        Relocation
            How many were found, and which are not there or not the same.

        Raises
        ------
        InputMissing
            There is nothing at `new`.
        """
        return relocate(self._writing, fspath(old), fspath(new))

    def gc(self, *, dry_run: bool = True, readings: bool = False) -> pd.DataFrame:
        """List the files that nothing needs any more, and remove them when told to.

        Parameters
        ----------
        dry_run : bool
            Only list them. False removes them.
        readings : bool
            Also files of readings that can be made again (a saved model with an
            ``ICCFilter`` then needs ``store.readings(...)`` before it is refitted).

        Returns
        -------
        DataFrame
            Columns what, file, bytes, why.
        """
        # A published copy does not know what was written since, and cannot judge.
        return collect(self._writing, self.path, dry_run=dry_run, readings=readings)

    def erase(self, patient: str, *, reason: str, by: str | None = None) -> Erasure:
        """Remove a patient who has withdrawn consent, down to the last byte.

        Every table, bag, reading, fragment, published copy and backup; the catalogue
        is written anew so that no deleted byte stays in its file. A tombstone (id,
        when, by whom, why) stays. This cannot be undone; if it is cut short, the same
        call finishes it. Not reached: copies of the store made elsewhere, published
        copies that a colleague has open until they are closed, and the patient's own
        files outside the store, which are listed.

        Parameters
        ----------
        patient : str
            Id.
        reason : str
            Why, for the tombstone.
        by : str, optional
            On whose behalf.

        Returns
        -------
        Erasure
            With the ids of the frozen matrices that can no longer be made.

        Raises
        ------
        UnknownName
            No such patient.
        """
        db = self._writing
        rows, matrices, inside, outside = erase_rows(db, self.path, patient, reason, by)
        db.checkpoint()
        shared = bool(published(self.path))
        files = erase_files(self.path, patient, inside)
        if db.journal is not None:
            db.journal.clear()
        path = db.path
        db.close()
        self._db = None
        try:
            rewrite(path)
        finally:
            self._db = open_for_writing(self.path, 10.0)
        if shared:
            publish(self._db, self.path, 1)
        return Erasure(patient, rows, tuple(files), tuple(matrices), tuple(outside))
