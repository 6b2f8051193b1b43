"""The verbs that exchange numbers with other tools."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import pandas as pd

from sarcfeat.exceptions import InvalidInput
from sarcfeat.store import cohorts, gaps, imports
from sarcfeat.store.export import export_matrix
from sarcfeat.store.handle import Handle, Table
from sarcfeat.store.imports import ImportReport
from sarcfeat.store.matrix import Matrix, build_matrix

__all__ = ["Exchange"]

PLAIN: dict[str, Any] = {
    "competing": True,
    "reader": None,
    "session": 1,
    "as_of": "index_time",
    "missing": "keep",
    "extractor": None,
    "zero": "keep",
}


class Exchange(Handle):
    """Import feature tables of other tools, export matrices, say who lacks what."""

    def import_features(
        self,
        data: Table,
        *,
        extractor: str,
        patient: str | None = None,
        reader: str | None = None,
        session: str | int | None = None,
        sequence: str | Mapping[str, str] | None = None,
        acquired_at: str | None = None,
        format: str = "auto",
        missing: Iterable[str] = imports.MISSING,
        decimal: str | None = None,
        unknown: str = "raise",
    ) -> ImportReport:
        """Take over features that another tool computed, one row a reading.

        The numbers become units like any other (``matrix``, ``readings`` and
        ``explain`` know them) under an extractor of their own: its name, the hash of
        the table and how its columns were read. The same table again changes nothing.

        Parameters
        ----------
        data : DataFrame or path of a CSV
            As pyradiomics, LIFEx, MIRP or CaPTk write it. Separator, encoding and
            decimal comma are recognised; what is doubtful is refused.
        extractor : str
            A short name, such as ``"legacy"``; the features' address is then
            ``legacy.t1``.
        patient : str, optional
            Column with the patient's id; by default the one that looks like it.
        reader, session : str or int, optional
            Column that says who drew and the how-many-eth time, or the reader and
            session themselves; by default a column of that name, else ``"A"`` and 1.
        sequence : str or dict of prefix to sequence, optional
            Column that says which sequence, or the sequence itself. By default the
            columns' prefixes (``T1_original_…``) are the sequences.
        acquired_at : str, optional
            Column with the date of the image; ``matrix`` then leaves out what is later
            than a patient's index time.
        format : {"auto", "pyradiomics", "lifex", "mirp", "captk", "wide"}
            How the columns are named. ``"wide"``: every other column is a feature.
        missing : iterable of str
            Cells that mean "not known". No other text is taken as missing.
        decimal : {".", ","}, optional
            Decimal mark; the other one is then a thousands mark.
        unknown : {"raise", "skip"}
            What to do with patients who are not in the store.

        Returns
        -------
        ImportReport

        Raises
        ------
        InvalidInput
            A cell that is not a number (line, column and patient are named), a reading
            that is there twice, two columns of one name, an ambiguous decimal mark,
            two settings of pyradiomics in one table.
        UnknownName
            Patients that are not in the store; near misses (7 for 007) are named.
        """
        return imports.import_features(
            self._open,
            data,
            extractor=extractor,
            patient=patient,
            reader=reader,
            session=session,
            sequence=sequence,
            acquired_at=acquired_at,
            format=format,
            missing=missing,
            decimal=decimal,
            unknown=unknown,
        )

    def export(
        self,
        what: Matrix | str | None,
        path: str | PathLike[str],
        *,
        format: str | None = None,
        features: str | Sequence[str] | None = None,
        outcome: str | None = None,
    ) -> Path:
        """Write a matrix for another tool, with its provenance in a JSON file beside.

        Parameters
        ----------
        what : Matrix, or name of a cohort (None for all patients)
            With a cohort, `features` says what to write.
        path : str or path
            The file; ``<file>.provenance.json`` is written beside it.
        format : {"parquet", "csv", "npz"}, optional
            By default what the file's name says. A CSV holds every bit of the numbers,
            and text that a spreadsheet would run as a formula gets a quote before it.
            An npz holds X, obs_names, var_names, obs and var as AnnData wants them:
            ``AnnData(a["X"], pd.DataFrame(a["obs"], a["obs_names"]), ...)``, opened
            with ``np.load(path, allow_pickle=False)``. Of a bag of tiles each of these
            holds the reference, as JSON that names patient and files, not the tiles.
        features, outcome : optional
            As in :meth:`~sarcfeat.store.FeatureStore.matrix`.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        UnknownName
            A format other than these three.
        InvalidInput
            No such folder; a cohort without features; two columns that Parquet
            readers take for one.
        """
        if isinstance(what, Matrix):
            return export_matrix(what, path, format)
        if features is None:
            raise InvalidInput(
                f"export({what!r}, ...) needs to know what to write: give a Matrix, or "
                "a cohort with features='radiomics.t1'."
            )
        members = cohorts.members(self._open, what)
        return export_matrix(
            build_matrix(
                self._open, members, features=features, outcome=outcome, **PLAIN
            ),
            path,
            format,
        )

    def missing(
        self,
        cohort: str | None,
        features: str | Sequence[str],
        *,
        reader: str | None = None,
        session: int = 1,
        as_of: str | None = "index_time",
        extractor: str | None = None,
    ) -> pd.DataFrame:
        """Return who lacks what and why, without building or freezing a matrix.

        Parameters
        ----------
        cohort : str or None
            Name of a cohort; None for all patients.
        features : str or sequence of str
            As in :meth:`~sarcfeat.store.FeatureStore.matrix`.
        reader, session, as_of, extractor : optional
            As in :meth:`~sarcfeat.store.FeatureStore.matrix`.

        Returns
        -------
        DataFrame
            Columns patient, feature_set, reason; one row for each set that a patient
            lacks, for each clinical variable, and for each set in which single
            features are not a number.
        """
        return gaps.missing(
            self._open,
            cohorts.members(self._open, cohort),
            features,
            reader=reader,
            session=session,
            as_of=as_of,
            extractor=extractor,
        )
