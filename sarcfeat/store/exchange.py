"""The verbs that exchange numbers with other tools."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sarcfeat.store import imports
from sarcfeat.store.handle import Handle, Table
from sarcfeat.store.imports import ImportReport

__all__ = ["Exchange"]


class Exchange(Handle):
    """Import feature tables of other tools."""

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
