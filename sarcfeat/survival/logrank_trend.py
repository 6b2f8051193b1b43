"""The log-rank test for trend: does the rate rise or fall along ordered groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import chi2

from sarcfeat._validation import listed
from sarcfeat.exceptions import InvalidInput
from sarcfeat.survival.logrank import group_codes, seen_and_expected
from sarcfeat.survival.target import make_y

__all__ = ["TrendTest", "logrank_trend"]


@dataclass(frozen=True)
class TrendTest:
    """Result of a log-rank test for trend.

    Attributes
    ----------
    statistic, p_value : float
        Chi-squared statistic on one degree of freedom, and its p-value (NaN where
        nothing can vary).
    direction : float
        Above 0 where the event rate rises with the scores.
    """

    statistic: float
    p_value: float
    direction: float


def logrank_trend(
    event: npt.ArrayLike,
    time: npt.ArrayLike,
    score: npt.ArrayLike,
    *,
    strata: npt.ArrayLike | None = None,
) -> TrendTest:
    """Test whether the event rate rises or falls along ordered groups.

    Parameters
    ----------
    event : array-like of bool or 0/1, shape (n_patients,)
    time : array-like of float, shape (n_patients,)
    score : array-like of float, or an ordered category, shape (n_patients,)
        The group of each patient as a number, such as the grade 1, 2, 3; equal steps
        weigh equally. An ordered category counts its levels 0, 1, 2.
    strata : array-like, shape (n_patients,), optional
        Groups are compared within strata.

    Returns
    -------
    TrendTest

    Raises
    ------
    InvalidInput
        A score that is missing or is a text without order, or columns of different
        lengths.

    References
    ----------
    Tarone, Biometrika 1975. Without ties it is the score test of Cox's model on the
    score.

    Examples
    --------
    >>> grade = [3, 3, 2, 2, 1, 1]
    >>> test = logrank_trend([1, 1, 1, 1, 1, 1], [1.0, 2, 3, 4, 5, 6], grade)
    >>> round(test.p_value, 3), test.direction > 0
    (0.01, True)
    """
    y = make_y(event, time, zero="keep")
    values = _steps(score)
    if values.shape == (len(y),) and not np.isfinite(values).all():
        raise InvalidInput(
            f"{int((~np.isfinite(values)).sum())} patients have no score. Leave them "
            "out, or give them one."
        )
    labels, code = group_codes(values, len(y), "score")
    stratum = (
        np.zeros(len(y), dtype=np.intp)
        if strata is None
        else group_codes(strata, len(y), "strata")[1]
    )
    steps = np.asarray(labels, dtype=float)
    direction = variance = 0.0
    for level in np.unique(stratum):
        rows = stratum == level
        o, e, v = seen_and_expected(
            y["event"][rows], y["time"][rows], code[rows], len(labels), 0.0
        )
        direction += float(steps @ (o - e))
        variance += float(steps @ v @ steps)
    if not variance > 0:
        return TrendTest(float("nan"), float("nan"), direction)
    statistic = direction**2 / variance
    return TrendTest(statistic, float(chi2.sf(statistic, 1)), direction)


def _steps(score: Any) -> npt.NDArray[np.float64]:
    """Return scores as numbers."""
    dtype = getattr(score, "dtype", None)
    if isinstance(dtype, pd.CategoricalDtype) and dtype.ordered:
        codes = np.asarray(pd.Categorical(score).codes, dtype=float)
        return np.where(codes < 0, np.nan, codes)
    try:
        return np.asarray(score, dtype=float)
    except ValueError:
        shown = listed(dict.fromkeys(np.asarray(score).tolist()))
        raise InvalidInput(
            f"A trend needs an order, and the groups are {shown}. Give numbers, or an "
            "ordered category (pd.Categorical(..., categories=[...], ordered=True))."
        ) from None
