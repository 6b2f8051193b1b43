"""Bags into the catalogue: written here, or where TRIDENT and CLAM left them."""

from __future__ import annotations

import json
import os
import platform
import socket
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sarcfeat._validation import pick
from sarcfeat.exceptions import InvalidInput, NonDeterministicExtraction, StoreError
from sarcfeat.io.bagfile import FORMAT, bag_checksum, write_bag
from sarcfeat.store.connection import Connection
from sarcfeat.store.identity import canonical_json, digest, file_sha256, unit_id
from sarcfeat.store.patients import id_text
from sarcfeat.store.units import Encoder, register_extractor

__all__ = [
    "Bag",
    "Named",
    "catalogue",
    "keep_bag",
    "make_bag",
    "named",
    "refuse_other_dim",
    "slide_row",
]

Array = npt.NDArray[Any]
KEPT = ("float16", "float32", "float64")
COORDS = "x, y of the tile's upper left corner in pixels of level 0"
SLIDE = {
    "slide_id": "VARCHAR",
    "patient_id": "VARCHAR",
    "name": "VARCHAR",
    "uri": "VARCHAR",
    "file_sha256": "VARCHAR",
}
UNIT = {
    "unit_id": "VARCHAR",
    "image_id": "VARCHAR",
    "mask_id": "VARCHAR",
    "extractor_id": "VARCHAR",
    "run_id": "VARCHAR",
    "warnings": "JSON",
}
FILE = {
    "unit_id": "VARCHAR",
    "uri": "VARCHAR",
    "n_rows": "BIGINT",
    "dim": "INTEGER",
    "dtype": "VARCHAR",
    "bytes": "BIGINT",
    "checksum": "VARCHAR",
    "layout": "VARCHAR",
    "mtime_ns": "BIGINT",
    "coords_uri": "VARCHAR",
    "coords_checksum": "VARCHAR",
    "tile_px": "DOUBLE",
}
RUN = {
    "run_id": "VARCHAR",
    "status": "VARCHAR",
    "host": "VARCHAR",
    "command": "VARCHAR",
    "env": "JSON",
}


@dataclass
class Named:
    """An extractor that ran elsewhere: its name and what is known of it."""

    name: str
    told: dict[str, Any] = field(default_factory=dict)

    def fingerprint(self) -> dict[str, Any]:
        """Return all that decides the numbers, as far as it is known."""
        empty = dict.fromkeys(("version", "params", "weights_sha256", "code"))
        return {**empty, **self.told, "name": self.name}

    def encode(self, image_path: str, mask_path: str, *, label: int = 1) -> Any:
        """Refuse: the numbers come from elsewhere."""
        raise StoreError(f"{self.name} was run elsewhere; add its bags with add_bags.")

    def describe_feature(self, name: str) -> dict[str, Any]:
        """Return nothing: a tile's numbers have no names."""
        return {}


def named(extractor: Encoder | str | Mapping[str, Any]) -> Encoder:
    """Return an encoder, made of a name or of what is known of it."""
    if isinstance(extractor, str):
        return Named(extractor)
    if isinstance(extractor, Mapping):
        if not extractor.get("name"):
            raise InvalidInput(f"extractor={dict(extractor)!r} has no 'name'.")
        return Named(str(extractor["name"]), dict(extractor))
    return extractor


@dataclass(frozen=True)
class Bag:
    """One slide's tiles, checked, as they are kept."""

    patient: str
    slide: str
    features: Array
    coords: Array


def make_bag(
    patient: object, slide: object, features: Any, coords: Any, dtype: str, nan: str
) -> Bag:
    """Check a bag's arrays and bring them into the form they are kept in.

    Raises
    ------
    InvalidInput
        Shapes that do not fit together, tiles with NaN, numbers that the kept type
        cannot hold.
    """
    pick(dtype, KEPT, "dtype for a bag")
    pick(nan, ("raise", "drop"), "choice for nan")
    who = f"Patient {id_text(patient)}, slide {slide}"
    given, places = np.asarray(features), np.asarray(coords)
    if given.ndim != 2 or given.dtype.kind != "f" or not given.shape[1]:
        raise InvalidInput(
            f"{who}: features have the shape {given.shape} and type {given.dtype}; "
            "expected floating-point numbers (tiles, numbers a tile)."
        )
    if places.ndim != 2 or places.shape[1] != 2 or places.dtype.kind not in "iu":
        raise InvalidInput(
            f"{who}: coords have the shape {places.shape} and type {places.dtype}; "
            f"expected whole numbers (tiles, 2): {COORDS}."
        )
    if len(given) != len(places):
        raise InvalidInput(
            f"{who}: {len(given):,} tiles have features and {len(places):,} have "
            "coordinates. Extract the slide again."
        )
    if given.dtype == np.float64 and dtype == "float32":
        raise InvalidInput(
            f"{who}: features are float64. Say dtype='float64' to keep every bit, or "
            "pass features.astype('float32')."
        )
    good = np.isfinite(given).all(axis=1)
    if nan == "raise" and not good.all():
        raise InvalidInput(
            f"{who}: {(~good).sum():,} of {len(good):,} tiles have NaN or infinite "
            "numbers (often float16 that ran over). Extract them in float32, or leave "
            "these tiles out with nan='drop'."
        )
    if not good.all():
        given, places = given[good], places[good]
    with np.errstate(over="ignore"):
        kept = np.ascontiguousarray(given, dtype=np.dtype(dtype).newbyteorder("<"))
    over = int((~np.isfinite(kept)).any(axis=1).sum())
    if over:
        raise InvalidInput(
            f"{who}: {over:,} tiles have numbers beyond ±65,504, the range of "
            "float16. Keep float32."
        )
    where = np.ascontiguousarray(places, dtype="<i8")
    return Bag(id_text(patient), str(slide), kept, where)


def slide_row(patient: str, slide: str | os.PathLike[str]) -> list[Any]:
    """Return the row of a slide: named by the bytes of its file where it is one."""
    path = os.path.abspath(slide)
    if os.path.isfile(path):
        sha256, name = file_sha256(path), Path(path).stem
        key = digest("slide", patient, name, sha256)
        return [key, patient, name, path, sha256]
    name = str(slide)
    return [digest("slide", patient, name, None), patient, name, None, None]


def keep_bag(
    db: Connection,
    store: Path,
    bag: Bag,
    slide: list[Any],
    encoder: Encoder,
    left_out: int,
) -> str:
    """Write a bag's file, then its row; return the unit's id."""
    extractor = register_extractor(db, encoder)
    who = f"Patient {bag.patient}, slide {bag.slide}"
    refuse_other_dim(db, extractor, bag.features.shape[1], who)
    unit = unit_id(slide[0], None, extractor)
    told = {
        "format": FORMAT,
        "patient": bag.patient,
        "slide": bag.slide,
        "slide_sha256": str(slide[4]),
        "unit_id": unit,
        "extractor_id": extractor,
        "extractor": canonical_json(encoder.fingerprint()),
        "coords": COORDS,
        "tiles_left_out": str(left_out),
    }
    checksum = bag_checksum(bag.features, bag.coords, told)
    inside = f"arrays/{extractor}/{slide[0]}.safetensors"
    path = store / inside
    held = db.rows(
        "SELECT checksum, dtype FROM embedding_file WHERE unit_id = ?", [unit]
    )
    if held and held[0][0] == checksum:
        if not path.exists() or file_sha256(str(path)) != checksum:
            write_bag(path, bag.features, bag.coords, told)
        return unit
    if held:
        _set_aside(store, bag, told, held[0][1], checksum)
    size = write_bag(path, bag.features, bag.coords, told)
    dtype = bag.features.dtype.name
    n, dim = bag.features.shape
    row = [unit, inside, n, dim, dtype, size, checksum, "safetensors", None]
    row += [None, None, None]
    with db.commit(f"bag of {encoder.name}"):
        catalogue(db, slide, extractor, row, f"add_bag {encoder.name}")
    return unit


def _set_aside(
    store: Path, bag: Bag, told: dict[str, str], dtype: str, checksum: str
) -> None:
    """Keep other numbers of one unit apart; the first are served."""
    who = f"Patient {bag.patient}, slide {bag.slide}"
    if bag.features.dtype.name != dtype:
        raise InvalidInput(
            f"{who}: this bag is kept as {dtype} already and was given as "
            f"{bag.features.dtype.name}. One of the two is enough."
        )
    aside = store / "quarantine" / f"{told['unit_id']}-{checksum[:12]}.safetensors"
    write_bag(aside, bag.features, bag.coords, told)
    raise NonDeterministicExtraction(
        f"{who}: {json.loads(told['extractor'])['name']} gave other numbers than "
        f"before for the same slide. The first are served, these are kept in {aside}. "
        "Fix the encoder's seed, or give another setting a name of its own."
    )


def refuse_other_dim(db: Connection, extractor: str, dim: int, who: str) -> None:
    """Refuse tiles of another length than an extractor's other slides have."""
    known = db.rows(
        "SELECT e.dim, e2.name FROM embedding_file e JOIN unit u USING (unit_id) "
        "JOIN extractor e2 USING (extractor_id) WHERE u.extractor_id = ? AND "
        "u.retired_no IS NULL AND e.dim <> ? LIMIT 1",
        [extractor, dim],
    )
    if known:
        raise InvalidInput(
            f"{who}: {dim:,} numbers a tile; {known[0][1]} gave {known[0][0]:,} for "
            "the slides before. Is it another encoder? Give it a name of its own."
        )


def catalogue(
    db: Connection,
    slide: list[Any],
    extractor: str,
    row: list[Any],
    command: str,
    annotation: str | None = None,
) -> None:
    """Write the rows of a bag whose file is in its place."""
    if not db.rows("SELECT 1 FROM patient WHERE patient_id = ?", [slide[1]]):
        db.insert("patient", {"patient_id": "VARCHAR"}, [[slide[1]]])
    if not db.rows("SELECT 1 FROM slide WHERE slide_id = ?", [slide[0]]):
        db.insert("slide", SLIDE, [slide])
    run = uuid.uuid4().hex
    env = {"python": platform.python_version(), "numpy": np.__version__}
    db.insert(
        "run", RUN, [[run, "finished", socket.gethostname(), command, json.dumps(env)]]
    )
    unit = [row[0], slide[0], annotation, extractor, run, "[]"]
    db.insert("unit", UNIT, [unit])
    db.insert("embedding_file", FILE, [row])
