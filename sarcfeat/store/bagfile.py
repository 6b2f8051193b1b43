"""One safetensors file a bag: tiles' features and coordinates, and what made them.

Written by hand rather than by the library so that the same bag always gives the same
bytes (its checksum then names its content) and so that a bag larger than memory's
half needs no copy. The library reads these files.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sarcfeat.exceptions import InputCorrupt, InputMissing

__all__ = ["FORMAT", "BagFile", "bag_checksum", "open_bag", "write_bag"]

FORMAT = "sarcfeat-bag-1"
DTYPES = {"F16": "<f2", "F32": "<f4", "F64": "<f8", "I64": "<i8"}
MAX_HEADER = 100_000_000
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class BagFile:
    """Where the features and coordinates lie in a file."""

    path: str
    dtype: np.dtype[Any]
    n: int
    dim: int
    features_at: int
    coords_at: int
    told: dict[str, str]

    def features(self, rows: Array | None, out: Array) -> None:
        """Copy all tiles' features, or those of some rows, into `out`."""
        if rows is None and out.dtype == self.dtype:
            # One read into place; a mapping would stop at every page.
            with open(self.path, "rb", buffering=0) as file:
                file.seek(self.features_at)
                _read_into(file, out, self.path)
            return
        held = self.mapped()
        if rows is not None and out.dtype == self.dtype:
            np.take(held, rows, axis=0, out=out, mode="clip")
        else:
            out[:] = held if rows is None else held[rows]

    def mapped(self) -> Array:
        """Return the features as a read-only memory map."""
        if not self.n:
            return np.empty((0, self.dim), self.dtype)
        shape = (self.n, self.dim)
        return np.memmap(self.path, self.dtype, "r", self.features_at, shape)

    def coords(self) -> Array:
        """Return the coordinates of all tiles."""
        with open(self.path, "rb") as file:
            file.seek(self.coords_at)
            held = file.read(self.n * 16)
        return np.frombuffer(held, "<i8").reshape(self.n, 2)


def _read_into(file: Any, out: Array, path: str) -> None:
    view = out.reshape(-1).view(np.uint8).data
    done = 0
    while done < len(view):
        got = file.readinto(view[done:])
        if not got:
            raise InputCorrupt(f"{path} ends after {file.tell():,} bytes.")
        done += got


def _header(features: Array, coords: Array, told: Mapping[str, str]) -> bytes:
    split = features.nbytes
    names = {dtype: name for name, dtype in DTYPES.items()}
    header = {
        "__metadata__": dict(sorted(told.items())),
        "features": {
            "dtype": names[features.dtype.str],
            "shape": list(features.shape),
            "data_offsets": [0, split],
        },
        "coords": {
            "dtype": "I64",
            "shape": list(coords.shape),
            "data_offsets": [split, split + coords.nbytes],
        },
    }
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=True).encode()
    # Spaces up to a whole page line, so that the numbers lie aligned.
    text += b" " * (-(len(text) + 8) % 64)
    return len(text).to_bytes(8, "little") + text


def _parts(features: Array, coords: Array, told: Mapping[str, str]) -> list[Any]:
    head = _header(features, coords, told)
    return [
        head,
        *(a.reshape(-1).view(np.uint8).data for a in (features, coords)),
    ]


def bag_checksum(features: Array, coords: Array, told: Mapping[str, str]) -> str:
    """Return the SHA-256 that the file of a bag has, without writing it."""
    state = hashlib.sha256()
    for part in _parts(features, coords, told):
        state.update(part)
    return state.hexdigest()


def write_bag(
    path: Path, features: Array, coords: Array, told: Mapping[str, str]
) -> int:
    """Write a bag (temporary name, fsync, rename) and return its size in bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            for part in _parts(features, coords, told):
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
        whole = 8 + length + coords["data_offsets"][1]
    except (ValueError, KeyError, TypeError) as error:
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
        told=header.get("__metadata__", {}),
    )
