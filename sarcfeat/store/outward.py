"""The verbs that take something out of a store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import pandas as pd

from sarcfeat.exceptions import StoreError
from sarcfeat.store import cohorts, explain
from sarcfeat.store.explain import Explanation
from sarcfeat.store.handle import Handle
from sarcfeat.store.matrix import Matrix, build_matrix
from sarcfeat.store.pairs import readable_pairs
from sarcfeat.store.readings import Readings, build_readings

__all__ = ["COUNTS", "Outward"]

COUNTS = {
    "patients": "SELECT count(*) FROM patient",
    "clinical values": "SELECT count(*) FROM clinical WHERE retired_no IS NULL",
    "endpoints": "SELECT count(DISTINCT endpoint) FROM outcome",
    "cohorts": "SELECT count(DISTINCT cohort_id) FROM cohort",
    "images": "SELECT count(*) FROM image WHERE retired_no IS NULL "
    "AND kind <> 'imported'",
    "masks": "SELECT count(*) FROM mask WHERE retired_no IS NULL AND label <> 0",
    "slides": "SELECT count(*) FROM slide WHERE retired_no IS NULL "
    "AND told IS NOT NULL",
    "annotated slides": "SELECT count(*) FROM annotation JOIN slide USING (slide_id) "
    "WHERE annotation.retired_no IS NULL AND slide.retired_no IS NULL",
    "readers": "SELECT count(DISTINCT reader) FROM mask WHERE retired_no IS NULL",
    "extractors": "SELECT count(*) FROM extractor",
    "feature sets": "SELECT count(DISTINCT address) FROM feature_set",
    "units": "SELECT count(*) FROM unit WHERE retired_no IS NULL",
    "failing files": "SELECT count(*) FROM file WHERE error_code IS NOT NULL",
    "bags": (
        "SELECT count(*) FROM embedding_file JOIN unit USING (unit_id) "
        "WHERE retired_no IS NULL"
    ),
    "tiles": (
        "SELECT coalesce(sum(n_rows), 0) FROM embedding_file JOIN unit USING (unit_id) "
        "WHERE retired_no IS NULL"
    ),
    "matrices": "SELECT count(*) FROM matrix",
    "commits": "SELECT commit_no FROM store_meta",
}


class Outward(Handle):
    """Matrices, readings, explanations, counts and queries."""

    def matrix(
        self,
        cohort: str | None,
        *,
        features: str | Sequence[str],
        outcome: str | None = None,
        reader: str | None = None,
        session: int = 1,
        as_of: str | None = "index_time",
        missing: str = "keep",
        competing: bool = False,
        extractor: str | Mapping[str, str] | None = None,
        zero: str = "raise",
        origin: str | None = None,
    ) -> Matrix:
        """Return X and y of a cohort, free of what was not yet known.

        Parameters
        ----------
        cohort : str or None
            Name of a cohort; None for all patients.
        features : str or sequence of str
            Feature sets (``"radiomics.t1"``), single features, ``"clinical"``,
            ``"clinical.age"``, names with ``*``, or an extractor of slides
            (``"resnet50"``): a column ``resnet50.bag`` of references to all tiles of a
            patient's slides (``sarcfeat.io.BagRef``), None where there is none.
        outcome : str, optional
            Endpoint. Patients without it are left out and listed.
        reader : str, optional
            Whose masks; by default the first reader by name.
        session : int
            Which reading of this reader.
        as_of : {"index_time", "written", None}
            Leave out images acquired and values known after the patient's index time;
            or those written into the store after it; or nothing.
        missing : {"keep", "drop"}
            Keep patients who lack something (NaN), or leave them out.
        competing : bool
            y with integer event codes (2 = competing event) instead of the event of
            interest with competing events censored.
        extractor : str or dict of feature set to str, optional
            Id (or its beginning), where two extractors gave one feature set.
        zero : {"raise", "keep"}
            What to do with a follow-up of 0 days.
        origin : str, optional
            What the outcome counts from, where that is not the index time: named to
            accept the immortal time between the two.

        Returns
        -------
        Matrix
            With ``X``, ``y``, ``missing``, ``provenance`` and ``matrix_id``.

        Raises
        ------
        LeakageError
            An outcome (or a column that is one in disguise) among the features, a
            feature asked for by name that was not known by the index time, or an
            outcome that counts from elsewhere than the index time.
        UnknownName
            A cohort, feature, endpoint or reader that is not there.
        StoreError
            Two extractors for one feature set.
        """
        return build_matrix(
            self._open,
            cohorts.members(self._open, cohort),
            features=features,
            outcome=outcome,
            competing=competing,
            reader=reader,
            session=session,
            as_of=as_of,
            missing=missing,
            extractor=extractor,
            zero=zero,
            origin=origin,
        )

    def readings(
        self,
        feature_sets: str | Sequence[str],
        *,
        cohort: str | None = None,
        extractor: str | Mapping[str, str] | None = None,
    ) -> Readings:
        """Return every reader's and session's values, for ``ICCFilter``.

        Parameters
        ----------
        feature_sets : str or sequence of str
            Addresses, such as ``"radiomics.t1"``.
        cohort : str, optional
            Only its patients.
        extractor : str or dict of feature set to str, optional
            Id (or its beginning), where two extractors gave one feature set.
        """
        return build_readings(
            self._open,
            self._readings_folder,
            cohorts.members(self._open, cohort),
            feature_sets,
            extractor,
        )

    def images_and_masks(self, cohort: str | None = None) -> pd.DataFrame:
        """Return every usable mask with its image, one row a reading.

        Parameters
        ----------
        cohort : str, optional
            Only its patients.

        Returns
        -------
        DataFrame
            Columns patient, sequence, reader, session, label, image_path, mask_path.
        """
        chosen = cohorts.members(self._open, cohort)
        return readable_pairs(self._open, chosen.patients)

    def explain(
        self,
        patient: str,
        feature: str,
        *,
        reader: str | None = None,
        session: int = 1,
        extractor: str | None = None,
    ) -> Explanation:
        """Return the whole chain behind one number, down to the files' hashes.

        Parameters
        ----------
        patient : str
            Id.
        feature : str
            Such as ``"radiomics.t1.original_glcm_Contrast"``, ``"clinical.age"`` or
            ``"resnet50.bag"``.
        reader, session : str, int
            Whose reading; by default the first reader by name, session 1.
        extractor : str, optional
            Id (or its beginning), where two extractors gave one feature set.
        """
        return explain.explain(
            self._open,
            patient,
            feature,
            reader=reader,
            session=session,
            extractor=extractor,
        )

    def status(self) -> pd.DataFrame:
        """Return how many of everything the store holds."""
        rows = [[noun, int(self._open.one(sql)[0])] for noun, sql in COUNTS.items()]
        return pd.DataFrame(rows, columns=["what", "count"]).set_index("what")

    def sql(self, query: str, values: Sequence[Any] = ()) -> pd.DataFrame:
        """Return one SELECT over the catalogue, which it cannot change.

        Parameters
        ----------
        query : str
            One statement, with ``?`` for values.
        values : sequence
            The values, such as patient ids; never write them into the query.

        Raises
        ------
        StoreError
            Not a SELECT, more than one statement, or a mistake in it.
        """
        try:
            kinds = [part.type for part in self._open.statements(query)]
            if kinds != [duckdb.StatementType.SELECT]:
                raise StoreError(
                    "store.sql takes one SELECT and changes nothing; got "
                    f"{[kind.name for kind in kinds]}."
                )
            return self._open.frame(query, values)
        except duckdb.Error as error:
            raise StoreError(f"The query does not work: {error}") from error
