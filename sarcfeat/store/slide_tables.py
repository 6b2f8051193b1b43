"""Slides and their tiles as tables."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pandas as pd

from sarcfeat._validation import listed, pick
from sarcfeat.exceptions import StoreError
from sarcfeat.store.connection import Connection

__all__ = [
    "COUNT_COLUMNS",
    "LIVE_BAGS",
    "SLIDE_COLUMNS",
    "slide_table",
    "tile_counts",
]

SLIDE_COLUMNS = [
    "patient",
    "slide",
    "file",
    "reader",
    "width",
    "height",
    "mpp",
    "magnification",
    "regions",
    "slide_id",
]
COUNT_COLUMNS = ["patient", "slide", "region", "group", "tiles"]
# The outlines as they are now, and no bag of outlines that were there before.
LIVE_BAGS = (
    "FROM slide s JOIN unit u ON u.image_id = s.slide_id AND u.retired_no IS NULL "
    "JOIN embedding_file e USING (unit_id) LEFT JOIN annotation a "
    "ON a.slide_id = s.slide_id AND a.retired_no IS NULL "
    "WHERE s.retired_no IS NULL AND (e.tile_px IS NULL OR e.layout <> 'safetensors' "
    "OR u.mask_id IS NOT DISTINCT FROM a.annotation_id)"
)


def slide_table(db: Connection, patients: Sequence[str]) -> pd.DataFrame:
    """Return the current slides of some patients."""
    asked = set(patients)
    rows = []
    for patient, name, path, text, regions, key in db.rows(
        "SELECT s.patient_id, s.name, s.uri, s.told, a.regions, s.slide_id "
        "FROM slide s LEFT JOIN annotation a "
        "ON a.slide_id = s.slide_id AND a.retired_no IS NULL "
        "WHERE s.retired_no IS NULL AND s.told IS NOT NULL "
        "ORDER BY s.patient_id, s.name"
    ):
        if patient in asked:
            told = json.loads(text)
            size = (told["width"], told["height"], told["mpp"], told["magnification"])
            row = [patient, name, path, told["reader"], *size, _drawn(regions), key]
            rows.append(row)
    return pd.DataFrame(rows, columns=SLIDE_COLUMNS)


def _drawn(regions: str | None) -> str:
    """Return the names of the regions that have an outline."""
    told = {"names": [], "polygons": []} if regions is None else json.loads(regions)
    pairs = zip(told["names"], told["polygons"], strict=True)
    return " ".join(name for name, shape in pairs if shape.get("coordinates"))


def tile_counts(
    db: Connection, patients: Sequence[str], extractor: str | None
) -> pd.DataFrame:
    """Count the tiles of some patients' slides."""
    chosen = _one(db, extractor)
    asked = set(patients)
    counts = "JOIN tile_count c ON c.unit_id = u.unit_id WHERE"
    rows = db.rows(
        "SELECT s.patient_id, s.name, c.region, c.tile_group, c.tiles, c.rowid "
        + LIVE_BAGS.replace("WHERE", counts)
        + " AND u.extractor_id = ? ORDER BY 1, 2, 6",
        [chosen],
    )
    kept = [row[:5] for row in rows if row[0] in asked]
    return pd.DataFrame(kept, columns=COUNT_COLUMNS)


def _one(db: Connection, extractor: str | None) -> str | None:
    """Return the extractor whose tiles are counted."""
    known: dict[str, str] = dict(
        db.rows(
            "SELECT DISTINCT x.extractor_id, x.name FROM extractor x JOIN attempt t "
            "USING (extractor_id) JOIN slide s ON s.slide_id = t.image_id "
            "WHERE t.step = 'encode' ORDER BY ALL"
        )
    )
    mine = known
    if extractor is not None:
        mine = {
            key: name
            for key, name in known.items()
            if name == extractor or key.startswith(extractor)
        }
        if not mine:
            pick(extractor, sorted(set(known.values())), "extractor of slides")
    if len(mine) > 1:
        ids = listed([f"{key} ({name})" for key, name in mine.items()], 12)
        raise StoreError(
            f"{len(mine)} extractors cut slides into tiles: {ids}. Choose one with "
            f"extractor={next(iter(mine))[:8]!r}; counts are never added up."
        )
    return next(iter(mine), None)
