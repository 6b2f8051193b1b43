"""Bags that TRIDENT, CLAM or STAMP wrote, read where they lie."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sarcfeat._validation import missing_dependency
from sarcfeat.exceptions import (
    InputCorrupt,
    InputMissing,
    InvalidInput,
    UntrustedFile,
)

__all__ = ["LAYOUTS", "HDF5Bag", "count_bad_rows", "open_hdf5"]

LAYOUTS = ("trident", "clam", "stamp")
CHUNK = 8192
# Of STAMP before it wrote units: tiles of 224 pixels, which were 256 µm.
LEGACY_PX, LEGACY_UM = 224, 256.0
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class HDF5Bag:
    """What an HDF5 file with features and ``coords`` holds.

    Attributes
    ----------
    told : dict of str to str
        Attributes of the file and of its coordinates.
    name : str
        The dataset of features: ``feats`` where STAMP wrote it.
    um : float or None
        Micrometres per unit of the coordinates; None where these are pixels.
    """

    path: str
    dtype: np.dtype[Any]
    n: int
    dim: int
    lead: int
    told: dict[str, str]
    name: str = "features"
    um: float | None = None

    def features(self, rows: Array | None, out: Array) -> None:
        """Copy all tiles' features, or those of some rows, into `out`."""
        with _opened(self.path) as file:
            held = file[self.name]
            # Rows one by one cost more than the whole from about a tenth on.
            if rows is None or 10 * len(rows) > self.n:
                whole = held[0] if self.lead else held[()]
                out[:] = whole if rows is None else whole[rows]
            else:
                out[:] = held[0, rows] if self.lead else held[rows]

    def coords(self) -> Array:
        """Return the coordinates of all tiles: pixels of level 0, of STAMP whole µm."""
        return np.rint(self.corners()).astype(np.int64)

    def corners(self) -> Array:
        """Return the coordinates of all tiles, in pixels or (STAMP) in micrometres."""
        with _opened(self.path) as file:
            held = file["coords"]
            found = held[0] if held.ndim == 3 else held[()]
        return np.asarray(found, np.float64)[:, :2] * (self.um or 1.0)

    def side(self) -> float | None:
        """Return the side of a tile, in the unit of :meth:`corners`.

        As the file says or, where it does not, the usual step between neighbours.
        """
        if self.um is None:
            return self._told_side() or _usual_step(self.corners())
        if self.um != 1.0:
            return LEGACY_UM
        told = _number(self.told, "tile_size_um") or _number(self.told, "tile_size")
        return told or _usual_step(self.corners())

    def _told_side(self) -> float | None:
        """Return the side in pixels of level 0 as TRIDENT or CLAM wrote it."""
        side = _number(self.told, "patch_size_level0")
        size = _number(self.told, "patch_size")
        coarser = _number(self.told, "downsample")
        if side is not None or size is None or coarser is None:
            return side
        # Pixels of the level that CLAM read, and how much coarser that level is.
        return size * coarser * (_number(self.told, "custom_downsample") or 1.0)


def _number(told: dict[str, str], key: str) -> float | None:
    """Return an attribute's number, or the first of several; None where it is none."""
    words = told.get(key, "").strip("[]()").replace(",", " ").split()
    try:
        number = float(words[0])
    except (IndexError, ValueError):
        return None
    return number if np.isfinite(number) and number > 0 else None


def _usual_step(places: Array) -> float | None:
    """Return the commonest step between tiles of one row or one column.

    Not the least: CLAM lays a grid of its own over each piece of tissue.
    """
    steps = []
    for axis in (0, 1):
        ordered = places[np.lexsort((places[:, axis], places[:, 1 - axis]))]
        step = np.diff(ordered, axis=0)
        steps.append(step[step[:, 1 - axis] == 0, axis])
    along = np.concatenate(steps)
    values, counts = np.unique(np.round(along[along > 0], 3), return_counts=True)
    return float(values[counts.argmax()]) if len(values) else None


def _opened(path: str) -> Any:
    try:
        import h5py
    except ImportError as error:
        raise missing_dependency("h5py", "wsi") from error
    try:
        return h5py.File(path, "r")
    except FileNotFoundError as error:
        raise InputMissing(
            f"{path} is gone. If it was moved, tell the store with "
            "store.relocate(old, new)."
        ) from error
    except OSError as error:
        if path.endswith((".pt", ".pth")):
            raise UntrustedFile(
                f"{path} holds a pickle, which is code, and no coordinates. Give the "
                "HDF5 file that the same run wrote (of CLAM in h5_files)."
            ) from error
        size = os.path.getsize(path)
        raise InputCorrupt(
            f"{path} ({size:,} bytes) is not a whole HDF5 file: {error}. Extract the "
            "slide again."
        ) from error


def open_hdf5(path: str) -> HDF5Bag:
    """Look into a file and check that features and coordinates fit together.

    Raises
    ------
    InputMissing, InputCorrupt
        There is no such file; it is truncated, or lacks one of the two datasets.
    UntrustedFile
        It is a ``.pt`` of torch.
    InvalidInput
        Features and coordinates differ in length, or the unit of STAMP's coordinates
        is not known.

    References
    ----------
    KatherLab/STAMP, ``modeling/data.py``: ``feats``, ``coords`` in µm, and the
    attributes ``unit``, ``tile_size_um`` (before: ``tile_size``).
    """
    with _opened(path) as file:
        name = "feats" if "feats" in file and "features" not in file else "features"
        lacking = [part for part in (name, "coords") if part not in file]
        if lacking:
            raise InputCorrupt(
                f"{path} has no dataset {lacking[0]!r}; it has {sorted(file)}. A bag "
                "of TRIDENT or CLAM has 'features' and 'coords', one of STAMP 'feats' "
                "and 'coords'."
            )
        features, coords = file[name], file["coords"]
        lead = int(features.ndim == 3 and features.shape[0] == 1)
        if features.ndim - lead != 2:
            raise InvalidInput(
                f"{path}: features have the shape {features.shape}; expected (tiles, "
                "numbers a tile)."
            )
        n, dim = features.shape[lead:]
        n_coords = coords.shape[1] if coords.ndim == 3 else coords.shape[0]
        if n != n_coords:
            raise InvalidInput(
                f"{path}: {n:,} tiles have features and {n_coords:,} have "
                "coordinates. Extract the slide again."
            )
        attributes = [*file.attrs.items(), *coords.attrs.items()]
        told = {str(key): str(value) for key, value in attributes}
        dtype = np.dtype(features.dtype)
        bag = HDF5Bag(path, dtype, int(n), int(dim), lead, told, name)
    return bag if name == "features" else replace(bag, um=_unit(bag))


def _unit(bag: HDF5Bag) -> float:
    """Return the micrometres per unit of STAMP's coordinates."""
    unit = bag.told.get("unit")
    if unit == "um":
        return 1.0
    step = _number(bag.told, "tile_size") or _usual_step(bag.corners())
    if unit is None and step is not None and round(step) == LEGACY_PX:
        return LEGACY_UM / LEGACY_PX
    raise InvalidInput(
        f"{bag.path}: the unit of its coordinates is {unit!r} and their step {step}; "
        "expected STAMP's 'um', or steps of 224. Extract the slide again with a newer "
        "STAMP."
    )


def count_bad_rows(bag: HDF5Bag) -> int:
    """Count the tiles with NaN or infinite numbers, reading the file once."""
    bad = 0
    with _opened(bag.path) as file:
        held = file[bag.name]
        for start in range(0, bag.n, CHUNK):
            rows = slice(start, start + CHUNK)
            part = held[0, rows] if bag.lead else held[rows]
            bad += int((~np.isfinite(part).all(axis=1)).sum())
    return bad
