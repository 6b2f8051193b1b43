"""Where the tiles of another tool's bag lie: in pixels, and in which region."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sarcfeat.io import Regions
from sarcfeat.io.bagfile import FORMAT, bag_checksum, write_bag
from sarcfeat.io.hdf5 import HDF5Bag
from sarcfeat.store.annotations import regions_of
from sarcfeat.store.connection import Connection
from sarcfeat.store.slide_sources import Place
from sarcfeat.store.slides import Slides

__all__ = ["Knowledge", "Labels", "knowledge_of", "write_labels"]

TURNED = (
    "STAMP before version 2 wrote x and y, or y and x, from version to version; x is "
    "taken to come first. Look at the tiles on the slide before you trust their regions"
)


@dataclass(frozen=True)
class Knowledge:
    """What the store knows of a bag's slide: resolution and outlines."""

    mpp: float | None = None
    annotation: str | None = None
    regions: dict[str, Any] | None = None


@dataclass(frozen=True)
class Labels:
    """The file that places a bag's tiles, if one is needed."""

    uri: str | None = None
    checksum: str | None = None
    tile_px: float | None = None
    notes: tuple[str, ...] = ()


def knowledge_of(db: Connection, slides: Slides, place: Place) -> Knowledge:
    """Return what is known of the slide that a bag was made of."""
    slide = slides.find(place.patient, place.slide)
    if slide is None:
        return Knowledge(place.mpp)
    rows = db.rows(
        "SELECT annotation_id FROM annotation WHERE slide_id = ? "
        "AND retired_no IS NULL",
        [slide.slide_id],
    )
    annotation = rows[0][0] if rows else None
    regions = regions_of(db, annotation)
    return Knowledge(place.mpp or slide.mpp, annotation, regions)


def write_labels(
    store: Path,
    extractor: str,
    unit: str,
    place: Place,
    bag: HDF5Bag,
    known: Knowledge,
) -> Labels:
    """Write each tile's place and region beside a bag that lacks them."""
    scale = 1.0 if bag.um is None else known.mpp
    if scale is None:
        note = (
            "STAMP's coordinates stay in µm: the slide's resolution is not known. Add "
            "the slide with add_slides, or give the manifest a column mpp"
        )
        return Labels(notes=(note,))
    side = bag.side()
    tile_px = None if side is None else side / scale
    if known.regions is None and bag.um is None:
        return Labels(tile_px=tile_px)
    corners = bag.corners() / scale
    extras: dict[str, Any] = {}
    if known.regions is not None:
        regions = Regions.from_dict(known.regions)
        codes = regions.label(corners + (tile_px or 0.0) / 2)
        extras = {"region": codes, "region_names": regions.names}
    coords = np.ascontiguousarray(np.rint(corners), dtype="<i8")
    nothing = np.empty((bag.n, 0), dtype="<f4")
    told = {
        "format": FORMAT,
        "patient": place.patient,
        "slide": place.slide,
        "unit_id": unit,
        "annotation_id": str(known.annotation),
        "tile_px": repr(tile_px),
    }
    checksum = bag_checksum(nothing, coords, told, **extras)
    inside = f"arrays/{extractor}/{unit}-{checksum[:12]}.labels.safetensors"
    write_bag(store / inside, nothing, coords, told, **extras)
    notes = (TURNED,) if bag.um not in (None, 1.0) else ()
    return Labels(inside, checksum, tile_px, notes)
