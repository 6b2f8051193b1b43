"""Is a NIfTI file whole? The reader fills what is cut off with zeros, silently."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from os import PathLike, fspath
from pathlib import Path
from typing import Protocol

import numpy as np

from sarcfeat.exceptions import InputCorrupt

__all__ = ["check_complete"]

HEADER = 348
CHUNK = 1 << 20


def check_complete(path: str | PathLike[str]) -> bool:
    """Raise if a NIfTI file is shorter than its own header says.

    ITK reads a truncated NIfTI file without a word and leaves zeros where the bytes
    are missing, so half a tumour would be encoded as air. Other formats are left to
    their readers, which do complain.

    Parameters
    ----------
    path : str or path
        The file; anything that does not end in ``.nii`` or ``.nii.gz`` passes.

    Returns
    -------
    bool
        Whether some voxel of a floating-point file may be NaN or infinite: ITK's reader
        of NIfTI would write zero there, without a word.

    Raises
    ------
    InputCorrupt
        The file is cut off or its compression is damaged; the message has the bytes
        expected and the bytes there.

    Examples
    --------
    >>> check_complete("scan.nrrd")
    False
    """
    name = fspath(path).lower()
    if not name.endswith((".nii", ".nii.gz")):
        return False
    with Path(path).open("rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
    try:
        with gzip.open(path) if zipped else Path(path).open("rb") as stream:
            header = stream.read(HEADER)
            rest, odd = _count(stream, _float_type(header))
            found = len(header) + rest
    except (EOFError, OSError, zlib.error) as error:
        raise InputCorrupt(
            f"{fspath(path)} is cut off or damaged: {error}. "
            "Copy it again from its source."
        ) from error
    expected = expected_bytes(header)
    if found < expected:
        raise InputCorrupt(
            f"{fspath(path)} is cut off: its header promises {expected} bytes "
            f"(uncompressed), {found} are there. Copy it again from its source."
        )
    return odd


def expected_bytes(header: bytes) -> int:
    """Return the length that a NIfTI header promises; 0 when it is no such header."""
    if len(header) < HEADER:
        return 0
    for order in "<>":
        kind = struct.unpack_from(f"{order}i", header, 0)[0]
        if kind == 348 and header[344:347] == b"n+1":
            dim = struct.unpack_from(f"{order}8h", header, 40)
            bits = struct.unpack_from(f"{order}h", header, 72)[0]
            offset = int(struct.unpack_from(f"{order}f", header, 108)[0])
        elif kind == 540:  # NIfTI-2; what is needed lies in its first 348 bytes
            dim = struct.unpack_from(f"{order}8q", header, 16)
            bits = struct.unpack_from(f"{order}h", header, 14)[0]
            offset = struct.unpack_from(f"{order}q", header, 168)[0]
        else:
            continue
        if 1 <= dim[0] <= 7:
            return offset + math.prod(max(n, 1) for n in dim[1 : dim[0] + 1]) * (
                bits // 8
            )
    return 0


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def _float_type(header: bytes) -> str | None:
    """Return the type of the voxels, if they can be other than finite."""
    for order in "<>":
        if len(header) < HEADER:
            return None
        kind = struct.unpack_from(f"{order}i", header, 0)[0]
        at = {348: 70, 540: 12}.get(kind)
        if at is not None:
            code = struct.unpack_from(f"{order}h", header, at)[0]
            return {16: f"{order}f4", 64: f"{order}f8"}.get(code)
    return None


def _count(stream: _Readable, kind: str | None) -> tuple[int, bool]:
    """Read to the end, which also checks the compression's own checksum.

    Voxels begin at a multiple of four bytes, as the header and the chunks do; of eight
    only the upper half counts, so that both halves are looked at as such.
    """
    total, odd = 0, False
    step = 4 if kind is None else int(kind[2])
    while chunk := stream.read(CHUNK):
        total += len(chunk)
        if kind is not None and not odd:
            # The header has 348 bytes, which leave four of every eight.
            skip = (-(HEADER + total - len(chunk))) % step
            values = np.frombuffer(chunk, kind, (len(chunk) - skip) // step, skip)
            odd = not bool(np.isfinite(values).all())
    return total, odd
