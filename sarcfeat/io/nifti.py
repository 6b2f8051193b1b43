"""Is a NIfTI file whole? ITK reads a truncated one without a word, as zeros."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from os import PathLike, fspath

from sarcfeat.exceptions import InputCorrupt

__all__ = ["check_nifti_length"]

HEADER = 348
CHUNK = 1 << 20


def check_nifti_length(path: str | PathLike[str]) -> None:
    """Raise :class:`InputCorrupt` when a NIfTI file holds fewer bytes than it says.

    A compressed file is decompressed to its end, which also checks its CRC. Files of
    other formats pass.

    Parameters
    ----------
    path : str or path
        The file; it exists.
    """
    name = fspath(path)
    if not name.lower().endswith((".nii", ".nii.gz")):
        return
    try:
        header, actual = _header_and_length(name)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputCorrupt(
            f"{name} is not a whole gzip file: {error}. Copy it again from its source."
        ) from error
    expected = _expected_length(header)
    if expected is None:
        raise InputCorrupt(
            f"{name} does not begin with a NIfTI header, though its name says so. "
            "Correct the name or copy the file again."
        )
    if actual < expected:
        raise InputCorrupt(
            f"{name} is truncated: its header announces {expected} bytes, it holds "
            f"{actual}. Copy it again from its source."
        )


def _header_and_length(name: str) -> tuple[bytes, int]:
    read = gzip.open if name.lower().endswith(".gz") else open
    with read(name, "rb") as file:
        header = file.read(HEADER)
        length = len(header)
        while block := file.read(CHUNK):
            length += len(block)
    return header, length


def _expected_length(header: bytes) -> int | None:
    """Return offset + voxels of a NIfTI-1 header; None when it is not one."""
    if len(header) < HEADER:
        return None
    for order in "<>":
        if struct.unpack_from(f"{order}i", header, 0)[0] == HEADER:
            dim = struct.unpack_from(f"{order}8h", header, 40)
            bits = struct.unpack_from(f"{order}h", header, 72)[0]
            offset = struct.unpack_from(f"{order}f", header, 108)[0]
            return int(offset) + math.prod(dim[1 : dim[0] + 1]) * bits // 8
        if struct.unpack_from(f"{order}i", header, 0)[0] == 540:
            # NIfTI-2 has a longer header; its first 348 bytes hold what is needed.
            dim2 = struct.unpack_from(f"{order}8q", header, 16)
            bits2 = struct.unpack_from(f"{order}h", header, 14)[0]
            offset2 = struct.unpack_from(f"{order}q", header, 168)[0]
            return int(offset2) + math.prod(dim2[1 : dim2[0] + 1]) * bits2 // 8
    return None
