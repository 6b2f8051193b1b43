"""Columns of X that say how a row enters the likelihood, and are no variables.

A stratum, the start of an interval, the patient whom several rows belong to: they
stand in X, where resampling and cross-validation keep them with their rows, and are
taken out of the design before a model is fitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sarcfeat._validation import did_you_mean, is_frame, listed
from sarcfeat.exceptions import InvalidInput

__all__ = ["Column", "design_of", "label_column", "labels_of", "number_column"]

Column = str | int


def design_of(X: Any, columns: Sequence[Column], what: str, *, fit: bool) -> Any:
    """Return X without the columns that are no variables.

    Raises
    ------
    InvalidInput
        At fit, X lacks one of them; or a name is given and X has none.
    """
    if not columns:
        return X
    if is_frame(X):
        if fit:
            for name in columns:
                _require(X, name, what)
        return X.drop(columns=[name for name in columns if name in X.columns])
    values = np.asarray(X)
    numbers = [_position(values, name, what) for name in columns]
    return np.delete(values, numbers, axis=1)


def label_column(X: Any, names: Sequence[Column], what: str) -> npt.NDArray[np.object_]:
    """Return the level of each row, as text; several columns make one level.

    Raises
    ------
    InvalidInput
        X lacks a column, or a row has no level.
    """
    parts = []
    for name in names:
        column = _taken(X, name, what)
        absent = column.isna()
        if absent.any():
            raise InvalidInput(
                f"Column {name!r} of {what} is missing for {int(absent.sum())} "
                f"patients: {listed(column.index[absent])}. Fill it in, or leave them "
                "out."
            )
        parts.append([_word(value) for value in column.tolist()])
    words = [" / ".join(row) for row in zip(*parts, strict=True)]
    labels = np.empty(len(words), dtype=object)
    labels[:] = words
    return labels


def number_column(X: Any, name: Column, what: str) -> npt.NDArray[np.float64]:
    """Return a column of numbers.

    Raises
    ------
    InvalidInput
        X lacks it, or it holds anything but finite numbers.
    """
    column = _taken(X, name, what)
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float)
    bad = ~np.isfinite(values)
    if bad.any():
        raise InvalidInput(
            f"Column {name!r} of {what} is no finite number for {int(bad.sum())} "
            f"patients: {listed(column.index[bad])} (first value "
            f"{column[bad].iloc[0]!r})."
        )
    return values


def labels_of(
    labels: npt.NDArray[np.object_], known: Sequence[str], rows: Any, what: str
) -> npt.NDArray[np.intp]:
    """Return which of the known levels each row has.

    Raises
    ------
    InvalidInput
        A level that no training patient had.
    """
    place = {label: i for i, label in enumerate(known)}
    strange = np.array([label not in place for label in labels], dtype=bool)
    if strange.any():
        index = rows.index if is_frame(rows) else pd.RangeIndex(len(labels))
        raise InvalidInput(
            f"{what}: {labels[strange][0]!r} of patient {index[strange][0]} "
            f"({int(strange.sum())} in all) had no training patient, so there is no "
            f"baseline hazard for it; known: {listed(known, 12)}."
        )
    return np.array([place[label] for label in labels], dtype=np.intp)


def _taken(X: Any, name: Column, what: str) -> pd.Series:
    if is_frame(X):
        _require(X, name, what)
        return X[name]
    values = np.asarray(X)
    return pd.Series(values[:, _position(values, name, what)])


def _require(X: pd.DataFrame, name: Column, what: str) -> None:
    if name not in X.columns:
        raise InvalidInput(
            f"{what} names the column {name!r}, which X lacks."
            f"{did_you_mean(str(name), [str(c) for c in X.columns])}"
        )


def _position(values: npt.NDArray[Any], name: Column, what: str) -> int:
    if isinstance(name, str):
        raise InvalidInput(
            f"{what} names the column {name!r}, and X is an array without names. Give "
            "a DataFrame, or the number of the column."
        )
    if values.ndim != 2 or not 0 <= name < values.shape[1]:
        raise InvalidInput(f"{what} names the column {name}; X has {values.shape}.")
    return int(name)


def _word(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
