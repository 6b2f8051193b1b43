"""Bags that TRIDENT or CLAM wrote, read where they lie."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sarcfeat._validation import missing_dependency
from sarcfeat.exceptions import InputCorrupt, InputMissing, InvalidInput

__all__ = ["LAYOUTS", "HDF5Bag", "count_bad_rows", "open_hdf5"]

LAYOUTS = ("trident", "clam")
CHUNK = 8192
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class HDF5Bag:
    """What an HDF5 file with ``features`` and ``coords`` holds."""

    path: str
    dtype: np.dtype[Any]
    n: int
    dim: int
    lead: int
    told: dict[str, str]

    def features(self, rows: Array | None, out: Array) -> None:
        """Copy all tiles' features, or those of some rows, into `out`."""
        with _opened(self.path) as file:
            held = file["features"]
            # Rows one by one cost more than the whole from about a tenth on.
            if rows is None or 10 * len(rows) > self.n:
                whole = held[0] if self.lead else held[()]
                out[:] = whole if rows is None else whole[rows]
            else:
                out[:] = held[0, rows] if self.lead else held[rows]

    def coords(self) -> Array:
        """Return the coordinates of all tiles."""
        with _opened(self.path) as file:
            held = file["coords"]
            found = held[0] if held.ndim == 3 else held[()]
        return np.asarray(found, dtype=np.int64)[:, :2]


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
    InvalidInput
        Features and coordinates differ in length.
    """
    with _opened(path) as file:
        lacking = [name for name in ("features", "coords") if name not in file]
        if lacking:
            raise InputCorrupt(
                f"{path} has no dataset {lacking[0]!r}; it has {sorted(file)}. A bag "
                "of TRIDENT or CLAM has 'features' and 'coords'."
            )
        features, coords = file["features"], file["coords"]
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
        told = {str(key): str(value) for key, value in coords.attrs.items()}
        return HDF5Bag(path, np.dtype(features.dtype), int(n), int(dim), lead, told)


def count_bad_rows(bag: HDF5Bag) -> int:
    """Count the tiles with NaN or infinite numbers, reading the file once."""
    bad = 0
    with _opened(bag.path) as file:
        held = file["features"]
        for start in range(0, bag.n, CHUNK):
            rows = slice(start, start + CHUNK)
            part = held[0, rows] if bag.lead else held[rows]
            bad += int((~np.isfinite(part).all(axis=1)).sum())
    return bad
