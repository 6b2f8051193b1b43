"""How much memory a volume needs, and whether there is that much."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

from sarcfeat.exceptions import InputTooLarge, InvalidInput

__all__ = ["available_memory", "check_room"]

MEMINFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")
SETTING = "SARCFEAT_MEMORY"
GB = 1e9
# A voxel is held as it is in the file, and as a float64 while it is looked at.
WORKING = 8
# Never more: no scanner of sarcomas writes 65,536 slices or columns.
LONGEST = 65_535


def available_memory() -> float:
    """Return the bytes that this process may still use, as far as the system tells.

    The least of what the system has free, what the container's limit leaves, and the
    ceiling in the environment variable ``SARCFEAT_MEMORY`` (gigabytes).

    Raises
    ------
    InvalidInput
        ``SARCFEAT_MEMORY`` is no number of gigabytes.

    Examples
    --------
    >>> available_memory() > 0
    True
    """
    return min(_asked_for(), _system(), _container())


def check_room(
    what: str, size: Sequence[int], bytes_per_voxel: int, *, held: int | None = None
) -> None:
    """Refuse a volume that cannot be, before a byte is allocated for it.

    Parameters
    ----------
    what : str
        The file, for the message.
    size : sequence of int
        Number of voxels along each axis, as the header says.
    bytes_per_voxel : int
        In the file.
    held : int, optional
        Most bytes of voxels that the file can hold; a header that promises more is
        refused whatever the memory.

    Raises
    ------
    InputTooLarge
        With what it would take and what there is.
    """
    told = " × ".join(f"{n:,}" for n in size)
    if max(size, default=0) > LONGEST:
        raise InputTooLarge(
            f"{what} says it has {told} voxels; no side can be longer than "
            f"{LONGEST:,}. The header is damaged: copy the file again."
        )
    in_file = math.prod(size) * bytes_per_voxel
    if held is not None and in_file > held:
        raise InputTooLarge(
            f"{what} says it has {told} voxels, {in_file:,} bytes, and can hold "
            f"{held:,} at most. The header is damaged: copy the file again."
        )
    needed = math.prod(size) * (bytes_per_voxel + WORKING)
    there = available_memory()
    if needed > there:
        raise InputTooLarge(
            f"{what} has {told} voxels and needs {needed / GB:.3g} GB of memory; "
            f"{there / GB:.3g} GB are available. Crop or resample the image, use fewer "
            f"n_jobs, or raise {SETTING}."
        )


def _asked_for() -> float:
    text = os.environ.get(SETTING, "").strip()
    if not text:
        return math.inf
    try:
        ceiling = float(text)
    except ValueError:
        ceiling = math.nan
    if not ceiling > 0:
        raise InvalidInput(f"{SETTING}={text!r}; expected gigabytes, such as 8.")
    return ceiling * GB


def _system() -> float:
    try:
        lines = MEMINFO.read_text(encoding="ascii").splitlines()
    except OSError:
        return _physical()
    for line in lines:
        if line.startswith("MemAvailable:"):
            return float(line.split()[1]) * 1024
    return _physical()


def _physical() -> float:
    """Return all memory of the machine where the system does not say what is free."""
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, OSError, ValueError):
        return math.inf


def _container() -> float:
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        try:
            most = (CGROUP / limit).read_text(encoding="ascii").strip()
            now = (CGROUP / used).read_text(encoding="ascii").strip()
        except OSError:
            continue
        # What the container has read from disk counts as used and can be let go.
        return math.inf if most == "max" else max(float(most) - _held(float(now)), 0.0)
    return math.inf


def _held(used: float) -> float:
    for name in ("memory.stat", "memory/memory.stat"):
        try:
            lines = (CGROUP / name).read_text(encoding="ascii").splitlines()
        except OSError:
            continue
        told = dict(line.split()[:2] for line in lines if " " in line)
        cached = told.get("file", told.get("cache", "0"))
        return max(used - float(cached), 0.0)
    return used
