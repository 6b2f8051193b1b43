"""Bring outlying values to the edge of what the training patients show."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from scipy.stats import norm
from sklearn.utils.validation import check_is_fitted

from sarcfeat._validation import Interval, check_params
from sarcfeat.transform.frame import (
    ColumnFilter,
    aligned,
    input_names,
    read_features,
    reasons,
    rebuild,
)

__all__ = ["RobustClip"]


class RobustClip(ColumnFilter):
    """Clip each feature at so many robust standard deviations from its median.

    The median and the spread are those of the training patients and hardly move with
    an outlier. The spread is the median absolute deviation (times 1.48), or where more
    than half the patients share a value the interquartile range (over 1.35); a feature
    without either is left alone.

    Parameters
    ----------
    width : float
        How many robust standard deviations either way.
    passthrough : sequence of str
        Columns of a frame that pass untouched.

    Attributes
    ----------
    limits_ : DataFrame
        ``feature, low, high, clipped``: the limits, and how many training values lay
        beyond them.
    dropped_ : DataFrame
        ``feature, reason``; empty, for this step drops nothing.
    support_ : ndarray of bool, shape (n_columns,)
        All true.
    n_features_in_ : int
    feature_names_in_ : ndarray of str

    Examples
    --------
    >>> X = pd.DataFrame({"suv": [1.0, 2.0, 3.0, 4.0, 900.0]})
    >>> step = RobustClip(width=3).fit(X)
    >>> step.transform(X)["suv"].round(2).tolist()
    [1.0, 2.0, 3.0, 4.0, 7.45]
    >>> step.limits_["clipped"].tolist()
    [1]
    """

    _allow_nan = True
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "width": [Interval(Real, 0, None, closed="neither")],
        "passthrough": ["array-like"],
    }

    def __init__(
        self, width: float = 5.0, *, passthrough: Sequence[str] = ("site",)
    ) -> None:
        self.width = width
        self.passthrough = passthrough

    def fit(self, X: Any, y: Any = None) -> RobustClip:
        """Learn the limits of each feature from these rows.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_columns)
            Missing values are left out.
        y : ignored
        """
        check_params(self)
        values, is_feature = read_features(
            self, X, reset=True, passed=self.passthrough, allow_nan=True
        )
        limits = [_limits(column, self.width) for column in values.T]
        low, high = np.array(limits, dtype=float).reshape(-1, 2).T
        beyond = (values < low) | (values > high)
        self.limits_ = pd.DataFrame(
            {
                "feature": input_names(self)[is_feature].astype(str),
                "low": low,
                "high": high,
                "clipped": beyond.sum(axis=0),
            }
        )
        self.support_ = np.ones(len(is_feature), dtype=bool)
        self.dropped_ = reasons([])
        return self

    def transform(self, X: Any) -> Any:
        """Return X with no feature value beyond its limits; frame in, frame out.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_columns)
            The columns of the training data. Missing values stay missing.
        """
        check_is_fitted(self, "limits_")
        X = aligned(self, X)
        values, is_feature = read_features(
            self, X, reset=False, passed=self.passthrough, allow_nan=True
        )
        low, high = (self.limits_[edge].to_numpy() for edge in ("low", "high"))
        clipped = np.clip(values, low, high)
        if not isinstance(X, pd.DataFrame):
            return clipped
        return rebuild(X, clipped, is_feature, self.support_)


def _limits(column: np.ndarray, width: float) -> tuple[float, float]:
    """Return the lowest and highest value to leave alone; infinite without spread."""
    there = column[~np.isnan(column)]
    if not there.size:
        return -np.inf, np.inf
    middle = np.median(there)
    spread = np.median(np.abs(there - middle)) / norm.ppf(0.75)
    if spread == 0:
        low, high = np.quantile(there, [0.25, 0.75])
        spread = (high - low) / (2 * norm.ppf(0.75))
    if not spread > 0:
        return -np.inf, np.inf
    return float(middle - width * spread), float(middle + width * spread)
