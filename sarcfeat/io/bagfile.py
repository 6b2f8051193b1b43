"""One safetensors file a bag: tiles' features and coordinates, and what made them.

A bag may hold, beside them, the region of each tile (``region``, a code; 0 is none and
k the k-th of the header's ``region_names``) and its share of tissue (``tissue``).

Written by hand rather than by the library so that the same bag always gives the same
bytes (its checksum then names its content) and so that a bag larger than memory's
half needs no copy. The library reads these files.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sarcfeat._validation import listed
from sarcfeat.exceptions import InputCorrupt, InputMissing, InvalidInput

__all__ = ["FORMAT", "BagFile", "bag_checksum", "open_bag", "write_bag"]

FORMAT = "sarcfeat-bag-1"
DTYPES = {"F16": "<f2", "F32": "<f4", "F64": "<f8", "I64": "<i8", "U8": "|u1"}
EXTRAS = {"tissue": "<f4", "region": "|u1"}
NAMES = "region_names"
# Bytes read at once, and bytes between two tiles that are read over.
BLOCK, GAP = 4 * 1024**2, 16 * 1024
MAX_HEADER = 100_000_000
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class BagFile:
    """Where the features and coordinates lie in a file.

    Attributes
    ----------
    n, dim : int
        Tiles, and numbers a tile.
    features_at, coords_at : int
        Where they begin, in bytes.
    told : dict of str to str
        What the header says of them.
    region_at, tissue_at : int or None
        Where these begin; None where the bag has none.
    region_names : tuple of str
        The region of code 1, 2 and so on.
    """

    path: str
    dtype: np.dtype[Any]
    n: int
    dim: int
    features_at: int
    coords_at: int
    told: dict[str, str]
    region_at: int | None = None
    tissue_at: int | None = None
    region_names: tuple[str, ...] = ()

    def features(self, rows: Array | None, out: Array) -> None:
        """Copy all tiles' features, or those of some rows, into `out`.

        `rows` ascend, so that the file is read from its beginning to its end, in
        blocks of a few megabytes: a mapping would stop at every page and count in the
        memory of the process.
        """
        with open(self.path, "rb", buffering=0) as file:
            if rows is None and out.dtype == self.dtype:
                file.seek(self.features_at)
                _read_into(file, out, self.path)
                return
            rows = np.arange(self.n) if rows is None else rows
            width = self.dim * self.dtype.itemsize
            for first, last in _spans(rows, BLOCK // width, GAP // width):
                low = int(rows[first])
                held = np.empty((int(rows[last - 1]) + 1 - low, self.dim), self.dtype)
                file.seek(self.features_at + low * width)
                _read_into(file, held, self.path)
                whole = len(held) == last - first
                out[first:last] = held if whole else held[rows[first:last] - low]

    def coords(self) -> Array:
        """Return the coordinates of all tiles."""
        return self._array(self.coords_at, "<i8", 2 * self.n).reshape(self.n, 2)

    def region(self) -> Array | None:
        """Return the code of every tile's region, or None."""
        if self.region_at is None:
            return None
        return self._array(self.region_at, EXTRAS["region"], self.n)

    def tissue(self) -> Array | None:
        """Return the share of tissue (0 to 1) of every tile, or None."""
        if self.tissue_at is None:
            return None
        return self._array(self.tissue_at, EXTRAS["tissue"], self.n)

    def _array(self, at: int, dtype: str, count: int) -> Array:
        out = np.empty(count, dtype)
        with open(self.path, "rb", buffering=0) as file:
            file.seek(at)
            _read_into(file, out, self.path)
        return out


def _spans(rows: Array, block: int, gap: int) -> list[tuple[int, int]]:
    """Cut ascending rows into runs that are worth one read each."""
    if not len(rows):
        return []
    new = (np.diff(rows) > max(gap, 1)) | (np.diff(rows // max(block, 1)) > 0)
    cuts = [0, *(np.flatnonzero(new) + 1).tolist(), len(rows)]
    return list(itertools.pairwise(cuts))


def _read_into(file: Any, out: Array, path: str) -> None:
    view = out.reshape(-1).view(np.uint8).data
    done = 0
    while done < len(view):
        got = file.readinto(view[done:])
        if not got:
            raise InputCorrupt(f"{path} ends after {file.tell():,} bytes.")
        done += got


def _header(arrays: Mapping[str, Array], told: Mapping[str, str]) -> bytes:
    names = {dtype: name for name, dtype in DTYPES.items()}
    header: dict[str, Any] = {"__metadata__": dict(sorted(told.items()))}
    at = 0
    for name, array in arrays.items():
        header[name] = {
            "dtype": names[array.dtype.str],
            "shape": list(array.shape),
            "data_offsets": [at, at + array.nbytes],
        }
        at += array.nbytes
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=True).encode()
    # Spaces up to a whole page line, so that the numbers lie aligned.
    text += b" " * (-(len(text) + 8) % 64)
    return len(text).to_bytes(8, "little") + text


def _parts(
    features: Array,
    coords: Array,
    told: Mapping[str, str],
    region: Array | None,
    region_names: Sequence[str],
    tissue: Array | None,
) -> list[Any]:
    arrays = {"features": features, "coords": coords}
    for name, given in (("tissue", tissue), ("region", region)):
        if given is not None:
            arrays[name] = np.ascontiguousarray(given, dtype=EXTRAS[name])
    short = [name for name, array in arrays.items() if len(array) != len(features)]
    if short:
        raise InvalidInput(
            f"{short[0]} has {len(arrays[short[0]]):,} entries for {len(features):,} "
            "tiles; expected one each."
        )
    if region is not None:
        top = int(arrays["region"].max(initial=0))
        if top > len(region_names):
            raise InvalidInput(
                f"A tile has the region {top} of {len(region_names)}: "
                f"{listed(region_names) or 'none is named'}. Give region_names one "
                "name for each code from 1."
            )
        told = {**told, NAMES: json.dumps(list(region_names))}
    head = _header(arrays, told)
    return [head, *(a.reshape(-1).view(np.uint8).data for a in arrays.values())]


def bag_checksum(
    features: Array,
    coords: Array,
    told: Mapping[str, str],
    *,
    region: Array | None = None,
    region_names: Sequence[str] = (),
    tissue: Array | None = None,
) -> str:
    """Return the SHA-256 that the file of a bag has, without writing it."""
    state = hashlib.sha256()
    for part in _parts(features, coords, told, region, region_names, tissue):
        state.update(part)
    return state.hexdigest()


def write_bag(
    path: Path,
    features: Array,
    coords: Array,
    told: Mapping[str, str],
    *,
    region: Array | None = None,
    region_names: Sequence[str] = (),
    tissue: Array | None = None,
) -> int:
    """Write a bag (temporary name, fsync, rename) and return its size in bytes.

    Parameters
    ----------
    path : Path
        The file; it is there whole or not at all.
    features : ndarray of shape (tiles, numbers a tile)
        Little-endian float16, float32 or float64.
    coords : ndarray of int64, shape (tiles, 2)
        Upper left corner of each tile in pixels of level 0.
    told : mapping of str to str
        What the header shall say.
    region : ndarray of uint8, shape (tiles,), optional
        0 for none, k for the k-th of `region_names`.
    region_names : sequence of str
    tissue : ndarray of float32, shape (tiles,), optional
        Share of tissue, 0 to 1.

    Raises
    ------
    InvalidInput
        An array of another length, or a region without a name.
    """
    parts = _parts(features, coords, told, region, region_names, tissue)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        # The rename itself must outlive a power cut before it is catalogued.
        os.fsync(folder)
    finally:
        os.close(folder)
    return size


def open_bag(path: str) -> BagFile:
    """Read the header of a bag and check that the file is whole.

    Raises
    ------
    InputMissing
        There is no such file.
    InputCorrupt
        The header cannot be read, or the file is shorter or longer than it says.
    """
    try:
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            text = file.read(length) if length <= MAX_HEADER else b""
            size = file.seek(0, os.SEEK_END)
    except FileNotFoundError as error:
        raise InputMissing(
            f"{path} is gone. If it was moved, tell the store with "
            "store.relocate(old, new)."
        ) from error
    try:
        header = json.loads(text)
        features, coords = header["features"], header["coords"]
        n, dim = features["shape"]
        dtype = np.dtype(DTYPES[features["dtype"]])
        starts = [part["data_offsets"][0] for part in (features, coords)]
        told = header.get("__metadata__", {})
        begins = _extras(header, n)
        names = tuple(json.loads(told.get(NAMES, "[]")))
        ends = (v["data_offsets"][1] for k, v in header.items() if k != "__metadata__")
        whole = 8 + length + max(ends)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputCorrupt(f"{path} does not begin as a bag: {error!r}.") from error
    if size != whole:
        raise InputCorrupt(f"{path} has {size:,} bytes; its header says {whole:,}.")
    return BagFile(
        path=path,
        dtype=dtype,
        n=int(n),
        dim=int(dim),
        features_at=8 + length + starts[0],
        coords_at=8 + length + starts[1],
        told=told,
        region_at=None if "region" not in begins else 8 + length + begins["region"],
        tissue_at=None if "tissue" not in begins else 8 + length + begins["tissue"],
        region_names=names,
    )


def _extras(header: Mapping[str, Any], n: int) -> dict[str, int]:
    """Return where the optional arrays begin, after a look at what they are."""
    begins = {}
    for name, dtype in EXTRAS.items():
        if name not in header:
            continue
        part = header[name]
        if (DTYPES[part["dtype"]], part["shape"]) != (dtype, [n]):
            raise ValueError(f"{name} is {part['dtype']} of the shape {part['shape']}")
        begins[name] = int(part["data_offsets"][0])
    return begins
