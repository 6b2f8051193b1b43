"""The values of one group of patients or of several, as a test takes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sarcfeat._validation import listed
from sarcfeat.exceptions import InvalidInput

__all__ = ["named_samples", "refuse_unnamed", "sample_of"]


def sample_of(values: Any, least: int = 2, name: str = "a group") -> np.ndarray:
    """Return the values that are there.

    Raises
    ------
    InvalidInput
        Fewer than `least`, or not one row of numbers.
    """
    values = np.asarray(values, dtype=float)
    if values.ndim != 1:
        raise InvalidInput(f"{name} is one row of numbers; got shape {values.shape}.")
    values = values[~np.isnan(values)]
    if len(values) < least:
        raise InvalidInput(
            f"{name} has {len(values)} values; the test needs at least {least}."
        )
    return values


def named_samples(groups: Mapping[Any, Any], least: int = 2) -> list[np.ndarray]:
    """Return the values of each group that are there.

    Raises
    ------
    InvalidInput
        Groups without names, one group only, or fewer than `least` values in one.
    """
    refuse_unnamed(groups)
    if len(groups) < 2:
        raise InvalidInput(
            f"A comparison needs two groups; got {listed(groups) or 'none'}."
        )
    return [sample_of(v, least, f"the group {name}") for name, v in groups.items()]


def refuse_unnamed(groups: Any) -> None:
    """Refuse groups that do not come by name.

    Raises
    ------
    InvalidInput
    """
    if not hasattr(groups, "items"):
        raise InvalidInput(
            "Groups come by name, as {'low': [...], 'high': [...]}; got "
            f"{type(groups).__name__}."
        )
