"""What a file holds, found out in a worker process: it may hang or die there."""

from __future__ import annotations

import hashlib
import os
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from sarcfeat.exceptions import InputCorrupt, InputRepaired, SarcfeatError
from sarcfeat.io import Geometry, Volume, pixel_hash, read_volume
from sarcfeat.io.mask import region_of
from sarcfeat.store.identity import file_sha256

__all__ = ["Seen", "inspect_image", "inspect_mask", "mean_inside"]

# A file written this lately may change again without its time of change saying so.
LATELY = 2.0  # seconds
# Hounsfield units outside this range are no tissue, metal or air: a sign or an offset
# was lost.
CT_RANGE = (-2000.0, 32_000.0)
AIR = -500.0  # HU


@dataclass(frozen=True)
class Seen:
    """The content of an image or mask file.

    Attributes
    ----------
    sha256 : str
        Of the bytes that were read.
    content : str
        Hash of the voxels: of an image with its grid, of a mask of its region.
    n_voxels : int
        Of a mask's region.
    flaw : SarcfeatError or None
        Why a mask's region cannot be used, whatever image it lies on.
    notes : tuple of str
        What is allowed and worth knowing.
    """

    sha256: str
    geometry: Geometry
    content: str = ""
    n_voxels: int = 0
    flaw: SarcfeatError | None = None
    notes: tuple[str, ...] = ()


def inspect_image(path: str, sha256: str, kind: str) -> Seen:
    """Read an image; its bytes must not change meanwhile."""

    def look(volume: Volume) -> Seen:
        notes = _odd_units(volume) if kind == "CT" else ()
        n_bad = int((~np.isfinite(volume.array)).sum())
        if n_bad:
            notes = (*notes, f"{n_bad} voxels are NaN or infinite")
        return Seen("", volume.geometry, pixel_hash(volume), notes=notes)

    return _steady(path, sha256, look)


def inspect_mask(path: str, sha256: str, label: int) -> Seen:
    """Read a mask; its bytes must not change meanwhile."""

    def look(volume: Volume) -> Seen:
        try:
            region = region_of(volume, label, path)
        except SarcfeatError as error:
            return Seen("", volume.geometry, flaw=error)
        return Seen("", volume.geometry, _hash(region), int(region.sum()))

    return _steady(path, sha256, look)


def mean_inside(image: str, mask: str, label: int) -> float:
    """Return the mean of an image in a region."""
    values = read_volume(image).array[read_volume(mask).array == label]
    return float(values.mean())


def _hash(region: npt.NDArray[np.bool_]) -> str:
    return hashlib.blake2b(np.packbits(region).data, digest_size=16).hexdigest()


def _odd_units(volume: Volume) -> tuple[str, ...]:
    low, high = float(np.nanmin(volume.array)), float(np.nanmax(volume.array))
    if low >= CT_RANGE[0] and high <= CT_RANGE[1]:
        return ()
    ends = np.nanpercentile(volume.array, [1, 99])
    return (
        f"CT values go from {low:g} to {high:g} (1 % below {ends[0]:g}, 1 % above "
        f"{ends[1]:g}): no Hounsfield units, a sign or an offset may be lost",
    )


def _steady(path: str, sha256: str, look: Callable[[Volume], Seen]) -> Seen:
    """Read a file that stays the same; once more if it changed, and then no more."""
    for _ in range(2):
        before = _mark(path)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", InputRepaired)
            seen = look(read_volume(path))
        if _unchanged(path, sha256, before):
            said = [str(w.message) for w in caught if w.category is InputRepaired]
            return replace(seen, sha256=sha256, notes=(*seen.notes, *said))
        sha256 = file_sha256(path)
    raise InputCorrupt(
        f"{path} changed while it was read, twice. Wait until it is written, and add "
        "it again."
    )


def _mark(path: str) -> tuple[int, int]:
    found = os.stat(path)
    return found.st_size, found.st_mtime_ns


def _unchanged(path: str, sha256: str, before: tuple[int, int]) -> bool:
    after = _mark(path)
    if after == before and time.time() - after[1] / 1e9 > LATELY:
        return True
    return file_sha256(path) == sha256
