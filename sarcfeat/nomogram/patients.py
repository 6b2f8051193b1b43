"""What the patients' values add to the linear predictor of a nomogram."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sarcfeat._validation import listed, select_columns
from sarcfeat.exceptions import InvalidInput, OutsideRange
from sarcfeat.nomogram.variable import Variable

__all__ = ["sum_of_effects"]


def _design(X: Any, names: Sequence[str]) -> pd.DataFrame:
    """Return the variables' columns: by name from a frame, in order from an array."""
    if isinstance(X, pd.DataFrame):
        return select_columns(X, names, "The nomogram")
    array = np.asarray(X)
    if array.ndim != 2 or array.shape[1] != len(names):
        raise InvalidInput(
            f"The nomogram has {len(names)} variables ({listed(names)}); X has the "
            f"shape {array.shape}. X is the model's final design: for a pipeline, "
            "pipeline[:-1].transform(X)."
        )
    return pd.DataFrame(array, columns=list(names))


def _warn_off_axis(variable: Variable, column: pd.Series) -> None:
    off = variable.outside(column)
    if off.any():
        warnings.warn(
            f"{variable.name!r} of {int(off.sum())} patients is off the axis "
            f"({variable.values[0]:g} to {variable.values[-1]:g}): "
            f"{listed(column.index[off])}. The model saw no such patient; the value is "
            "used as it is, not clipped.",
            OutsideRange,
            stacklevel=5,
        )


def sum_of_effects(
    variables: Sequence[Variable], X: Any
) -> tuple[npt.NDArray[np.float64], pd.Index]:
    """Return ``sum(x * beta)`` of each patient, not centred, and the patients.

    Parameters
    ----------
    variables : sequence of Variable
    X : DataFrame or array of shape (n_patients, n_variables)
        The model's final design.

    Returns
    -------
    ndarray of float
    Index

    Raises
    ------
    InvalidInput
        A missing column or value, or an unknown level; the patients are named.

    Warns
    -----
    OutsideRange
        A value lies off its axis.
    """
    design = _design(X, [variable.name for variable in variables])
    total = np.zeros(len(design))
    for variable in variables:
        column = design[variable.name]
        total += variable.effect_of(column, design.index)
        _warn_off_axis(variable, column)
    return total, design.index
