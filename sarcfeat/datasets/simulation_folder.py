"""The folder of something simulated: what made it, and whether it is all there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sarcfeat.exceptions import CohortError, InvalidInput

__all__ = ["check_whole", "is_there", "write_manifest"]

MANIFEST = "simulation.json"


def check_whole(name: str, value: Any, low: int, high: int) -> None:
    """Refuse a parameter that is no whole number within limits."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or not low <= value <= high:
        raise InvalidInput(
            f"{name} must be a whole number from {low} to {high}; got {value!r}."
        )


def is_there(folder: Path, wanted: Mapping[str, Any]) -> bool:
    """Return whether a folder holds this very simulation; refuse one of another.

    Parameters
    ----------
    folder : Path
    wanted : mapping
        Everything that the files depend on.
    """
    manifest = folder / MANIFEST
    if not manifest.exists():
        if folder.is_dir() and any(folder.iterdir()):
            raise CohortError(
                f"{folder} is not empty and holds no simulated cohort ({MANIFEST}). "
                "Give a new folder."
            )
        return False
    found = json.loads(manifest.read_text(encoding="utf-8"))
    complete = found.pop("complete")
    if found != dict(wanted):
        raise CohortError(
            f"{folder} holds a cohort simulated with {found}; asked for "
            f"{dict(wanted)}. Give another folder or delete this one."
        )
    return bool(complete)


def write_manifest(folder: Path, wanted: Mapping[str, Any], *, complete: bool) -> None:
    """Write down what a folder is made of, and whether all of it is there."""
    folder.mkdir(parents=True, exist_ok=True)
    said = {**wanted, "complete": complete}
    (folder / MANIFEST).write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
