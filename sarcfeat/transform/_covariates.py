"""Columns of X whose effect a harmonisation preserves, as numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sarcfeat._validation import listed, pick
from sarcfeat.exceptions import InvalidInput

__all__ = ["Covariates"]


@dataclass(frozen=True)
class Covariates:
    """The covariates of a fit: a column and, where it is text, its levels.

    Attributes
    ----------
    levels : dict
        Column to the levels that have an indicator (all but the first), or None for
        a numeric column.
    """

    levels: dict[str, tuple | None]

    @classmethod
    def learn(cls, X: Any, names: list[str]) -> Covariates:
        """Find the levels of the covariates in the training patients.

        Raises
        ------
        InvalidInput
            X is no DataFrame.
        UnknownName
            X has no such column.
        """
        if names and not isinstance(X, pd.DataFrame):
            raise InvalidInput(
                f"The covariates {listed(names)} are columns of a DataFrame; X is "
                f"{type(X).__name__}."
            )
        levels: dict[str, tuple | None] = {}
        for name in names:
            column = X[pick(name, X.columns, "column")]
            numeric = pd.api.types.is_numeric_dtype(column.dtype)
            levels[name] = (
                None if numeric else tuple(sorted(column.dropna().unique(), key=str))
            )
        return cls(levels)

    def encode(self, X: Any, n: int) -> np.ndarray:
        """Return the covariates as an array (n_patients, n_columns).

        Parameters
        ----------
        X : DataFrame, or anything where there are no covariates
        n : int
            The number of patients.

        Raises
        ------
        InvalidInput
            A value is missing, or a level was not there at the fit.
        """
        parts = [np.empty((n, 0))]
        for name, levels in self.levels.items():
            column = X[name]
            if column.isna().any():
                raise InvalidInput(
                    f"{int(column.isna().sum())} patients have no {name}: "
                    f"{listed(column.index[column.isna()])}. Impute it first or leave "
                    "it out of the covariates."
                )
            if levels is None:
                parts.append(column.to_numpy(dtype=float)[:, None])
                continue
            new = ~column.isin(levels)
            if new.any():
                raise InvalidInput(
                    f"{name} has values that were not there at the fit: "
                    f"{listed(column[new].unique())} (patients "
                    f"{listed(column.index[new])}). Known: {listed(levels)}."
                )
            indicators = [np.asarray(column == level) for level in levels[1:]]
            parts.extend(i.astype(float)[:, None] for i in indicators)
        return np.hstack(parts)
