"""The verbs of slides: scans and the regions drawn on them in, counts of tiles out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from sarcfeat.io.slide_properties import check_mpp
from sarcfeat.store import cohorts
from sarcfeat.store.annotations import write_rule
from sarcfeat.store.files import Report
from sarcfeat.store.handle import Handle, Table
from sarcfeat.store.slide_intake import add_slide_files, slots_of
from sarcfeat.store.slide_sources import find_places
from sarcfeat.store.slide_tables import slide_table, tile_counts

__all__ = ["SlidesIn", "SlidesOut"]


class SlidesIn(Handle):
    """Add slides and annotations."""

    def add_slides(
        self,
        source: Table,
        *,
        pattern: str | None = None,
        mpp: float | None = None,
        progress: bool = True,
        rehash: bool = False,
    ) -> Report:
        """Add the slides of a folder or a manifest; a bad file stops no other.

        A patient may have several. Of the file only sizes, resolution and a hash are
        kept: no text of its header, no label, no overview picture. A slide that was
        moved or renamed is the same slide.

        Parameters
        ----------
        source : folder, DataFrame or path of a CSV
            A manifest has the columns patient and path and, if known, slide (its name;
            by default the file's), mpp and acquired_at (when the tissue was taken).
        pattern : str, optional
            How the files of a folder are named, such as ``"{patient}/{slide}.svs"`` or
            ``"{patient}_{slide}.ndpi"``; without ``{slide}`` the file names the slide.
        mpp : float, optional
            Micrometres per pixel of the full resolution, where the files do not say;
            it wins over theirs, and a column of the manifest over it.
        progress : bool
            Show a bar on a terminal.
        rehash : bool
            Compare the bytes of every file, whatever its size and time.

        Returns
        -------
        Report
        """
        given = None if mpp is None else check_mpp(mpp)
        slots = slots_of(find_places(source, pattern), "slide", given)
        return add_slide_files(
            self._writing,
            slots,
            root=source,
            pattern=pattern,
            what="slide",
            progress=progress,
            rehash=rehash,
        )

    def add_annotations(
        self,
        source: Table,
        *,
        pattern: str | None = None,
        names: Mapping[str, str | Sequence[str]] | None = None,
        derive: Mapping[str, Any] | bool | None = None,
        ignore: Sequence[str] = (),
        progress: bool = True,
        rehash: bool = False,
    ) -> Report:
        """Add the regions that were drawn on slides.

        The regions themselves are kept, with a hash: a slide whose outlines change is
        encoded again, and no other. A later file for a slide replaces the one before.

        Parameters
        ----------
        source : folder, DataFrame or path of a CSV
            Of Hamamatsu's NDPA, QuPath's GeoJSON or ASAP's XML. A manifest has the
            columns patient, slide and path.
        pattern : str, optional
            How the files of a folder are named, such as
            ``"{patient}/{slide}.geojson"`` or ``"{patient}_{slide}.ndpi.ndpa"``.
        names : mapping of region to spellings, optional
            Such as ``{"C": ["centre", "core"]}``; by default C, P and R in six
            languages (``sarcfeat.io.named_regions``).
        derive : mapping or bool, optional
            Derive centre, periphery and ring from the tumour's outline:
            ``{"periphery": 10, "ring": 10}`` in mm (True for these), and ``outline``,
            the tumour's name (``sarcfeat.io.derive_regions``).
        ignore : sequence of str
            Names that mark something else, such as ``["scale bar"]``.
        progress : bool
            Show a bar on a terminal.
        rehash : bool
            Compare the bytes of every file, whatever its size and time.

        Returns
        -------
        Report
        """
        rule = write_rule(names, derive, ignore)
        places = find_places(source, pattern, example="'{patient}/{slide}.geojson'")
        return add_slide_files(
            self._writing,
            slots_of(places, "annotation", rule),
            root=source,
            pattern=pattern,
            what="annotation",
            progress=progress,
            rehash=rehash,
        )


class SlidesOut(Handle):
    """List slides and count their tiles."""

    def slides(self, cohort: str | None = None) -> pd.DataFrame:
        """Return every slide, one row each.

        Parameters
        ----------
        cohort : str, optional
            Only its patients.

        Returns
        -------
        DataFrame
            Columns patient, slide, file, reader, width, height (pixels), mpp (µm),
            magnification, regions (names with an outline, joined by a space), slide_id.
        """
        chosen = cohorts.members(self._open, cohort)
        return slide_table(self._open, chosen.patients)

    def tile_counts(
        self, cohort: str | None = None, *, extractor: str | None = None
    ) -> pd.DataFrame:
        """Return how many tiles each slide has, by region and share of tissue.

        Parameters
        ----------
        cohort : str, optional
            Only its patients.
        extractor : str, optional
            Name or id (or its beginning), where several cut the slides into tiles.

        Returns
        -------
        DataFrame
            Columns patient, slide, region (``""``: in none), group (A, B, C, D by
            share of tissue, or why tiles were left out), tiles.

        Raises
        ------
        StoreError
            Several extractors and none chosen.
        """
        chosen = cohorts.members(self._open, cohort)
        return tile_counts(self._open, chosen.patients, extractor)
