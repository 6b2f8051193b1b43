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

__all__ = ["designs", "read_patients", "sum_of_effects"]

Floats = npt.NDArray[np.float64]


def _columns(variable: Variable) -> tuple[str, ...]:
    return variable.columns or (variable.name,)


def _level_of(variable: Variable, frame: pd.DataFrame) -> pd.Series[Any]:
    """Return the level of each patient from the 0/1 columns of the design."""
    codes = frame[list(variable.columns)].to_numpy(dtype=float)
    strange = ~np.isin(codes, (0.0, 1.0)).all(axis=1) | (codes.sum(axis=1) > 1)
    if strange.any():
        raise InvalidInput(
            f"The columns {listed(variable.columns)} code {variable.name!r} by one 1 "
            f"at most, else 0; not so for {int(strange.sum())} patients: "
            f"{listed(frame.index[strange])}."
        )
    # The reference comes first and has no column of its own.
    place = np.where(codes.any(axis=1), codes.argmax(axis=1) + 1, 0)
    levels = np.array(variable.values, dtype=object)[place]
    return pd.Series(levels, index=frame.index, name=variable.name, dtype=object)


def read_patients(variables: Sequence[Variable], X: Any) -> pd.DataFrame:
    """Return a column a variable: by name from a frame, in order from an array.

    A variable is found by its own name, or by the columns of the model's design that
    it stands for (the 0/1 columns of its levels).

    Raises
    ------
    InvalidInput
        A column that X lacks, an array of another width, 0/1 columns that say two
        levels at once.
    """
    names = [variable.name for variable in variables]
    design = [column for variable in variables for column in _columns(variable)]
    if not isinstance(X, pd.DataFrame):
        array = np.asarray(X)
        widths = [names, design]
        found = [n for n in widths if array.ndim == 2 and len(n) == array.shape[1]]
        if not found:
            raise InvalidInput(
                f"The nomogram has {len(names)} variables ({listed(names)}); X has the "
                f"shape {array.shape}. X is the model's final design: for a pipeline, "
                "pipeline[:-1].transform(X)."
            )
        X = pd.DataFrame(array, columns=found[0])
    coded = {
        v.name: _level_of(v, X)
        for v in variables
        if v.named and v.name not in X.columns and set(v.columns) <= set(X.columns)
        if v.columns
    }
    rest = select_columns(
        X, [name for name in names if name not in coded], "The nomogram"
    )
    parts: dict[str, Any] = {name: rest[name] for name in rest.columns}
    return pd.DataFrame({**parts, **coded}, index=X.index)[names]


def _warn_off_axis(variable: Variable, column: pd.Series[Any]) -> None:
    off = variable.outside(column)
    if off.any():
        low, high = variable.reach
        warnings.warn(
            f"{variable.name!r} of {int(off.sum())} patients is outside the range of "
            f"the model's patients ({low:g} to {high:g}): {listed(column.index[off])}. "
            "The model saw no such patient; the value is used as it is, not clipped.",
            OutsideRange,
            stacklevel=5,
        )


def sum_of_effects(variables: Sequence[Variable], patients: pd.DataFrame) -> Floats:
    """Return ``sum(x * beta)`` of each patient, not centred.

    Parameters
    ----------
    variables : sequence of Variable
    patients : DataFrame
        As :func:`read_patients` gives it.

    Raises
    ------
    InvalidInput
        A missing value or an unknown level; the patients are named.

    Warns
    -----
    OutsideRange
        A value that no patient of the model had.
    """
    total = np.zeros(len(patients))
    for variable in variables:
        column = patients[variable.name]
        total += variable.effect_of(column, patients.index)
        _warn_off_axis(variable, column)
    return total


def designs(variables: Sequence[Variable], patients: pd.DataFrame) -> Floats:
    """Return the columns that the variables' coefficients multiply, side by side."""
    parts = [v.design(patients[v.name], patients.index) for v in variables]
    return np.hstack([np.empty((len(patients), 0)), *parts])
