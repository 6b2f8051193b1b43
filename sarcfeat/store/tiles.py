"""Tiles of a patient: read from the bags in place, sampled the same way each time."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sarcfeat._validation import listed, pick
from sarcfeat.exceptions import InputCorrupt, InputMissing, InvalidInput, StoreError
from sarcfeat.io.bagfile import BagFile, open_bag
from sarcfeat.io.hdf5 import HDF5Bag, open_hdf5
from sarcfeat.store.connection import Connection
from sarcfeat.store.slide_tables import LIVE_BAGS

__all__ = ["BAG_COLUMNS", "Tiles", "bag_path", "bag_table", "open_held", "read_tiles"]

Array = npt.NDArray[Any]
BAG_COLUMNS = [
    "patient",
    "slide",
    "extractor",
    "extractor_id",
    "tiles",
    "dim",
    "dtype",
    "layout",
    "file",
    "unit_id",
]


@dataclass(frozen=True, eq=False)
class Tiles:
    """Some or all tiles of a patient.

    Attributes
    ----------
    patient : str
        Whose.
    features : ndarray of shape (tiles, numbers a tile)
        In the type they are kept in.
    coords : ndarray of shape (tiles, 2)
        x and y of the upper left corner, in pixels of level 0.
    slide : ndarray of shape (tiles,)
        Position of each tile's slide in `slides`.
    slides : tuple of str
        The slides' names.
    asked, available : int or None, int
        Tiles asked for (None for all), and tiles there are.
    extractor_id : str
        Who computed them.
    """

    patient: str
    features: Array
    coords: Array
    slide: Array
    slides: tuple[str, ...]
    asked: int | None
    available: int
    extractor_id: str

    @property
    def fewer(self) -> bool:
        """Whether there are fewer tiles than were asked for."""
        return self.asked is not None and self.available < self.asked

    def __repr__(self) -> str:
        n, dim = self.features.shape
        note = f", fewer than the {self.asked:,} asked for" if self.fewer else ""
        return (
            f"<Tiles of {self.patient}: {n:,} of {self.available:,} × {dim:,} from "
            f"{len(self.slides)} slides{note}>"
        )


@dataclass(frozen=True)
class Held:
    """A bag as the catalogue knows it."""

    patient: str
    slide: str
    name: str
    extractor_id: str
    n: int
    dim: int
    dtype: str
    layout: str
    uri: str
    bytes: int
    unit_id: str
    labels: str | None


def held_bags(db: Connection, patients: list[str]) -> list[Held]:
    """Return the current bags of some patients, by patient and slide."""
    # Two small questions: one join of everything costs more than reading a bag.
    names: dict[str, str] = dict(db.rows("SELECT extractor_id, name FROM extractor"))
    one = len(patients) == 1
    rows = db.rows(
        "SELECT s.patient_id, s.name, u.extractor_id, e.n_rows, e.dim, e.dtype, "
        f"e.layout, e.uri, e.bytes, u.unit_id, e.coords_uri {LIVE_BAGS} AND "
        + ("s.patient_id = ?" if one else "list_contains(?::VARCHAR[], s.patient_id)")
        + " ORDER BY s.patient_id, s.name, s.slide_id, u.extractor_id",
        [patients[0] if one else patients],
    )
    found: list[tuple[Any, ...]] = [(*r[:2], names[r[2]], *r[2:]) for r in rows]
    return [Held(*row) for row in found]


def bag_table(db: Connection, store: Path, patients: list[str]) -> pd.DataFrame:
    """Return the current bags, one row a slide and extractor."""
    rows = [
        [
            *(b.patient, b.slide, b.name, b.extractor_id, b.n, b.dim, b.dtype),
            *(b.layout, str(bag_path(store, b.uri)), b.unit_id),
        ]
        for b in held_bags(db, patients)
    ]
    return pd.DataFrame(rows, columns=BAG_COLUMNS)


def bag_path(store: Path, uri: str) -> Path:
    """Return where a bag lies: inside the store, or where its writer left it."""
    return store / uri


def open_held(path: Path, layout: str, size: int) -> BagFile | HDF5Bag:
    """Open a bag and check that it is still the size it was."""
    if not path.exists():
        raise InputMissing(
            f"missing_file: {path} is gone. If it was moved, tell the store with "
            "store.relocate(old, new)."
        )
    found = os.path.getsize(path)
    if found != size:
        raise InputCorrupt(
            f"{path} has {found:,} bytes; it had {size:,} when it was catalogued. "
            "Extract the slide again, then add it again."
        )
    return open_bag(str(path)) if layout == "safetensors" else open_hdf5(str(path))


def read_tiles(
    db: Connection,
    store: Path,
    patient: str,
    *,
    extractor: str | None,
    slide: str | None,
    n: int | None,
    seed: int,
) -> Tiles:
    """Sample tiles over all slides of a patient."""
    if n is not None and n < 1:
        raise InvalidInput(f"n={n}; expected a number of tiles, or None for all.")
    bags = db.remembered(("bags", patient), lambda: held_bags(db, [patient]))
    if not bags:
        known = db.rows("SELECT patient_id FROM patient ORDER BY patient_id")
        pick(patient, [row[0] for row in known], "patient")
        raise StoreError(
            f"Patient {patient} has no bag of tiles. Add one with store.add_bag or "
            "store.add_bags."
        )
    bags = _of_one_extractor(bags, patient, extractor)
    if slide is not None:
        pick(slide, [bag.slide for bag in bags], f"slide of patient {patient}")
        bags = [bag for bag in bags if bag.slide == slide]
    counts = [bag.n for bag in bags]
    total = sum(counts)
    rows = None
    if n is not None and n < total:
        rng = np.random.default_rng([seed, *patient.encode()])
        rows = np.sort(rng.choice(total, n, replace=False))
    size = total if rows is None else len(rows)
    dtype = np.result_type(*(np.dtype(bag.dtype) for bag in bags))
    features = np.empty((size, bags[0].dim), dtype)
    coords = np.empty((size, 2), np.int64)
    which = np.empty(size, np.int32)
    done = start = 0
    for i, bag in enumerate(bags):
        mine = None
        if rows is not None:
            first, last = np.searchsorted(rows, (start, start + bag.n))
            mine = rows[first:last] - start
        stop = done + (bag.n if mine is None else len(mine))
        part = slice(done, stop)
        _read(store, bag, mine, features[part], coords[part])
        which[part] = i
        done, start = stop, start + bag.n
    return Tiles(
        patient=patient,
        features=features,
        coords=coords,
        slide=which,
        slides=tuple(bag.slide for bag in bags),
        asked=n,
        available=total,
        extractor_id=bags[0].extractor_id,
    )


def _read(
    store: Path, bag: Held, rows: Array | None, features: Array, coords: Array
) -> None:
    try:
        opened = open_held(bag_path(store, bag.uri), bag.layout, bag.bytes)
        if (opened.n, opened.dim) != (bag.n, bag.dim):
            raise InputCorrupt(
                f"{opened.path} holds {opened.n:,} × {opened.dim:,} numbers; the "
                f"catalogue says {bag.n:,} × {bag.dim:,}."
            )
        opened.features(rows, features)
        labels = None if bag.labels is None else open_bag(str(store / bag.labels))
        places = (labels or opened).coords()
    except (InputMissing, InputCorrupt) as error:
        raise type(error)(
            f"Patient {bag.patient}, slide {bag.slide}: {error}"
        ) from error
    coords[:] = places if rows is None else places[rows]


def _of_one_extractor(
    bags: list[Held], patient: str, extractor: str | None
) -> list[Held]:
    """Return the bags of one extractor; two are never mixed."""
    known = {bag.extractor_id: bag.name for bag in bags}
    mine = known
    if extractor is not None:
        mine = {
            key: name
            for key, name in known.items()
            if name == extractor or key.startswith(extractor)
        }
        if not mine:
            pick(extractor, known.values(), f"extractor of patient {patient}'s tiles")
    if len(mine) > 1:
        ids = listed([f"{key} ({name})" for key, name in mine.items()], 12)
        raise StoreError(
            f"{len(mine)} extractors gave tiles of patient {patient}: {ids}. They are "
            f"never mixed. Choose one with extractor={next(iter(mine))[:8]!r}, or give "
            "other parameters a name (tag) of their own."
        )
    return [bag for bag in bags if bag.extractor_id in mine]
