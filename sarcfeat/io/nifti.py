"""What a NIfTI header says, before a reader makes the best of it in silence."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sarcfeat.exceptions import InputCorrupt, InvalidInput
from sarcfeat.io.memory import check_room

__all__ = ["NiftiHeader", "check_nifti", "nifti_header", "stored_voxels"]

HEADER = 540
# Deflate makes nothing more than about a thousand times smaller.
MOST_PACKED = 1100
# Of the smallest voxel side: how far two transforms may put a corner apart.
APART = 0.1


@dataclass(frozen=True)
class NiftiHeader:
    """The part of a header that says where the voxels lie.

    Attributes
    ----------
    size : tuple of int
        Voxels along each axis.
    bytes_per_voxel : int
        Width of one value.
    pixdim : tuple of float
        Side of a voxel along each axis, in millimetres.
    qform, sform : ndarray of shape (3, 4), or None
        The two transforms to patient coordinates (right, anterior, superior).
    """

    size: tuple[int, ...]
    bytes_per_voxel: int
    pixdim: tuple[float, ...]
    qform: npt.NDArray[np.float64] | None
    sform: npt.NDArray[np.float64] | None


def nifti_header(path: str | PathLike[str]) -> NiftiHeader | None:
    """Read the header of a NIfTI-1 or -2 file; None where it is neither."""
    with Path(path).open("rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
    try:
        with gzip.open(path) if zipped else Path(path).open("rb") as stream:
            data = stream.read(HEADER)
    except (EOFError, OSError, zlib.error):
        return None  # said by whoever reads the whole
    for order in "<>":
        if len(data) >= 348 and struct.unpack_from(f"{order}i", data)[0] == 348:
            return _first(data, order)
        if len(data) >= HEADER and struct.unpack_from(f"{order}i", data)[0] == 540:
            return _second(data, order)
    return None


def _first(data: bytes, order: str) -> NiftiHeader:
    dim = struct.unpack_from(f"{order}8h", data, 40)
    bits = struct.unpack_from(f"{order}h", data, 72)[0]
    pixdim = struct.unpack_from(f"{order}8f", data, 76)
    codes = struct.unpack_from(f"{order}2h", data, 252)
    quaternion = struct.unpack_from(f"{order}6f", data, 256)
    rows = struct.unpack_from(f"{order}12f", data, 280)
    return _header(dim, bits, pixdim, codes, quaternion, rows)


def _second(data: bytes, order: str) -> NiftiHeader:
    bits = struct.unpack_from(f"{order}h", data, 14)[0]
    dim = struct.unpack_from(f"{order}8q", data, 16)
    pixdim = struct.unpack_from(f"{order}8d", data, 104)
    codes = struct.unpack_from(f"{order}2i", data, 344)
    quaternion = struct.unpack_from(f"{order}6d", data, 352)
    rows = struct.unpack_from(f"{order}12d", data, 400)
    return _header(dim, bits, pixdim, codes, quaternion, rows)


def _header(
    dim: tuple[int, ...],
    bits: int,
    pixdim: tuple[float, ...],
    codes: tuple[int, int],
    quaternion: tuple[float, ...],
    rows: tuple[float, ...],
) -> NiftiHeader:
    n = dim[0] if 1 <= dim[0] <= 7 else 0
    return NiftiHeader(
        size=tuple(dim[1 : n + 1]),
        bytes_per_voxel=max(1, bits // 8),
        pixdim=tuple(pixdim[1 : n + 1]),
        qform=_qform(quaternion, pixdim) if codes[0] > 0 else None,
        sform=np.array(rows).reshape(3, 4) if codes[1] > 0 else None,
    )


def _qform(
    quaternion: tuple[float, ...], pixdim: tuple[float, ...]
) -> npt.NDArray[np.float64]:
    """Return the transform that the quaternion stands for (NIfTI-1, method 2)."""
    b, c, d = quaternion[:3]
    a = math.sqrt(max(0.0, 1.0 - (b * b + c * c + d * d)))
    turn = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    sides = np.array(pixdim[1:4])
    sides[2] *= -1.0 if pixdim[0] == -1.0 else 1.0
    return np.column_stack([turn * sides, np.array(quaternion[3:])])


def stored_voxels(path: str | PathLike[str]) -> npt.NDArray[Any] | None:
    """Return the voxels of a floating-point file as they are stored, in one row."""
    with Path(path).open("rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
    with gzip.open(path) if zipped else Path(path).open("rb") as stream:
        data = stream.read()
    for order in "<>":
        kind = struct.unpack_from(f"{order}i", data)[0]
        if kind not in (348, 540):
            continue
        at, where, form = (70, 108, "f") if kind == 348 else (12, 168, "q")
        code = struct.unpack_from(f"{order}h", data, at)[0]
        offset = int(struct.unpack_from(f"{order}{form}", data, where)[0])
        width = {16: 4, 64: 8}.get(code)
        n = (len(data) - offset) // width if width and offset > 0 else 0
        if n > 0:
            return np.frombuffer(data, f"{order}f{width}", n, offset)
    return None


def check_nifti(path: str | PathLike[str]) -> None:
    """Raise on a NIfTI header that a reader would repair in silence.

    Parameters
    ----------
    path : str or path
        The file; anything that does not end in ``.nii`` or ``.nii.gz`` passes.

    Raises
    ------
    InputTooLarge
        The header promises more voxels than the file can hold, or memory.
    InvalidInput
        A voxel side that is zero, negative or no number; or two transforms (qform and
        sform) that put the image in different places.
    """
    name = fspath(path)
    if not name.lower().endswith((".nii", ".nii.gz")):
        return
    head = nifti_header(path)
    if head is None or len(head.size) < 3:
        return
    n_bytes = Path(path).stat().st_size
    packed = name.lower().endswith(".gz")
    held = n_bytes * MOST_PACKED if packed else None
    if min(head.size) < 1:
        raise InputCorrupt(
            f"{name} has {head.size} voxels; expected one or more along each side. "
            "Copy it again from its source."
        )
    check_room(name, head.size, head.bytes_per_voxel, held=held)
    sides = head.pixdim[:3]
    if not all(math.isfinite(side) and side > 0 for side in sides):
        raise InvalidInput(
            f"{name} has a voxel spacing of {_told(sides)} mm; expected lengths "
            "greater than 0. Convert the image again from its source."
        )
    _refuse_two_places(head, name)


def _refuse_two_places(head: NiftiHeader, name: str) -> None:
    q, s = head.qform, head.sform
    if q is None or s is None:
        return
    size = np.array([*head.size[:3]]) - 1
    corners = np.array(np.meshgrid(*([0, 1],) * 3)).reshape(3, -1) * size[:, None]
    corners = np.vstack([corners, np.ones(8)])
    apart = float(np.abs(q @ corners - s @ corners).max())
    if not apart <= APART * min(head.pixdim[:3]):
        raise InvalidInput(
            f"{name} says in two ways where it lies, {apart:.3g} mm apart: qform "
            f"{_matrix(q)}, sform {_matrix(s)}. Keep the right one in the header."
        )


def _matrix(transform: npt.NDArray[np.float64]) -> str:
    return "[" + "; ".join(_told(tuple(row)) for row in transform) + "]"


def _told(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:.6g}" for value in values)
