"""The verbs of bags: a slide's tiles in, sampled tiles out."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any

import numpy as np
import pandas as pd

from sarcfeat.store import cohorts
from sarcfeat.store.bag_intake import (
    keep_bag,
    make_bag,
    named,
    slide_row,
)
from sarcfeat.store.bag_sources import SUFFIXES, add_places
from sarcfeat.store.consent import refuse_erased
from sarcfeat.store.files import Report
from sarcfeat.store.handle import Handle, Table
from sarcfeat.store.patients import id_text
from sarcfeat.store.slide_sources import find_places
from sarcfeat.store.tiles import Tiles, bag_table, read_tiles
from sarcfeat.store.units import Encoder

__all__ = ["BagsIn", "BagsOut"]


class BagsIn(Handle):
    """Add bags of tiles."""

    def add_bag(
        self,
        patient: str,
        slide: str | PathLike[str],
        features: Any,
        coords: Any,
        *,
        extractor: Encoder | str | Mapping[str, Any],
        dtype: str = "float32",
        nan: str = "raise",
    ) -> str:
        """Keep one slide's tiles in the store, as one safetensors file.

        The same bag again changes nothing, and mends its file if that is damaged.

        Parameters
        ----------
        patient : str
            Id.
        slide : str or path
            The slide's name; or its file, whose bytes then name it.
        features : array of shape (tiles, numbers a tile)
            Floating point.
        coords : array of shape (tiles, 2)
            Upper left corner (x, y) of each tile in pixels of level 0.
        extractor : encoder, str or dict
            What computed them: an encoder, or the name (and version, params,
            weights_sha256, code) of one that ran elsewhere.
        dtype : {"float32", "float16", "float64"}
            What they are kept in. float16 halves the file and drops digits.
        nan : {"raise", "drop"}
            Refuse tiles with NaN, or leave them out (the file says how many).

        Returns
        -------
        str
            Id of the unit of work.

        Raises
        ------
        InvalidInput
            Features and coordinates that do not fit together, another number of
            features than this extractor's other slides have, tiles with NaN.
        NonDeterministicExtraction
            The same slide and extractor gave other numbers before: the first are
            served, these are set aside in ``quarantine``.
        """
        row = slide_row(id_text(patient), slide)
        bag = make_bag(patient, row[2], features, coords, dtype, nan)
        refuse_erased(self._writing, {bag.patient})
        left_out = len(np.asarray(features)) - len(bag.features)
        return keep_bag(self._writing, self.path, bag, row, named(extractor), left_out)

    def add_bags(
        self,
        source: Table,
        *,
        format: str,
        extractor: Encoder | str | Mapping[str, Any],
        pattern: str | None = None,
        progress: bool = True,
    ) -> Report:
        """Catalogue HDF5 bags of TRIDENT, CLAM or STAMP where they lie.

        No feature is copied. A file that is truncated or has NaN stops no other and is
        listed; one that has not changed since (size and time) is not read again. Where
        the store has a slide of the same name with outlines (``add_annotations``), each
        tile gets the region that holds its centre, in a small file of the store's;
        after outlines have changed, the same call labels the tiles anew.
        STAMP's micrometres become pixels where the slide, or a column mpp of the
        manifest, says how large these are.

        Parameters
        ----------
        source : folder, DataFrame or path of a CSV
            A manifest has the columns patient and path and, if known, slide and mpp.
        format : {"trident", "clam", "stamp"}
            Who wrote them.
        extractor : encoder, str or dict
            What computed them, such as ``"uni_v1"`` or
            ``{"name": "uni_v1", "params": {"mag": 20, "patch_size": 256}}``.
        pattern : str, optional
            Where the patient stands in the names of a folder's files:
            ``"{patient}.h5"``, ``"{patient}-{slide}.h5"``.
        progress : bool
            Show a bar on a terminal.

        Returns
        -------
        Report
        """
        return add_places(
            self._writing,
            self.path,
            find_places(
                source, pattern, suffixes=SUFFIXES, example="'{patient}-{slide}.h5'"
            ),
            format,
            named(extractor),
            progress=progress,
        )


class BagsOut(Handle):
    """List bags and read tiles."""

    def bags(self, cohort: str | None = None) -> pd.DataFrame:
        """Return every bag, one row a slide and extractor.

        Parameters
        ----------
        cohort : str, optional
            Only its patients.
        """
        chosen = cohorts.members(self._open, cohort)
        return bag_table(self._open, self.path, chosen.patients)

    def tiles(
        self,
        patient: str,
        extractor: str | None = None,
        *,
        slide: str | None = None,
        n: int | None = 10_000,
        seed: int = 0,
    ) -> Tiles:
        """Return tiles of a patient: a random sample without replacement.

        Parameters
        ----------
        patient : str
            Id.
        extractor : str, optional
            Name or id (or its beginning), where there are several.
        slide : str, optional
            Only this slide; by default the tiles of all slides are one pool, and each
            tile says which slide it is from.
        n : int or None
            How many; all of them when there are fewer (``tiles.fewer`` says so), or
            for None.
        seed : int
            The same seed gives the same tiles.

        Returns
        -------
        Tiles

        Raises
        ------
        StoreError
            No bag of this patient, or several extractors.
        InputMissing, InputCorrupt
            The bag's file is gone, or is no longer as it was.
        """
        return read_tiles(
            self._open,
            self.path,
            patient,
            extractor=extractor,
            slide=slide,
            n=n,
            seed=seed,
        )
