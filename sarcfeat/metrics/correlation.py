"""How two measurements go together, with an interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from sarcfeat._validation import pick
from sarcfeat.exceptions import InvalidInput

__all__ = ["Correlation", "correlation"]


@dataclass(frozen=True)
class Correlation:
    """A correlation coefficient.

    Attributes
    ----------
    value, ci_low, ci_high, p : float
        The interval is NaN for Kendall's tau.
    n : int
        Patients with both measurements.
    statistic : float
        t for Pearson and Spearman, z for Kendall.
    """

    value: float
    ci_low: float
    ci_high: float
    p: float
    n: int
    statistic: float


def correlation(
    x: Any,
    y: Any,
    *,
    method: str = "pearson",
    interval: str = "fisher",
    level: float = 0.95,
) -> Correlation:
    """Correlate two measurements of the same patients.

    Parameters
    ----------
    x, y : array-like of shape (n_patients,)
        A patient without one of them is left out.
    method : {"pearson", "spearman", "kendall"}
        Kendall's is tau-b with the normal approximation.
    interval : {"fisher", "bonett-wright"}
        Of the transformed coefficient; the second is wider and suits Spearman's.
    level : float

    Raises
    ------
    InvalidInput
        Measurements of other shapes, or fewer than four patients.

    References
    ----------
    Fisher 1921; Bonett & Wright, Psychometrika 2000; equal to R's ``cor.test``.

    Examples
    --------
    >>> found = correlation([1, 2, 3, 4, 5], [1, 3, 2, 5, 4], method="spearman")
    >>> round(found.value, 2), round(found.p, 3)
    (0.8, 0.104)
    """
    pick(method, ("pearson", "spearman", "kendall"), "correlation")
    pick(interval, ("fisher", "bonett-wright"), "interval")
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if x.ndim != 1 or x.shape != y.shape:
        raise InvalidInput(
            "correlation takes two measurements of the same patients; got shapes "
            f"{x.shape} and {y.shape}."
        )
    both = ~(np.isnan(x) | np.isnan(y))
    x, y, n = x[both], y[both], int(both.sum())
    if n < 4:
        raise InvalidInput(
            f"{n} patients have both measurements; a correlation needs at least 4."
        )
    if method == "kendall":
        found = stats.kendalltau(x, y, method="asymptotic")
        z = np.sign(found.statistic) * stats.norm.isf(found.pvalue / 2)
        nothing = float("nan")
        value, p = float(found.statistic), float(found.pvalue)
        return Correlation(value, nothing, nothing, p, n, float(z))
    if method == "spearman":
        x, y = stats.rankdata(x), stats.rankdata(y)
    r = float(stats.pearsonr(x, y).statistic)
    with np.errstate(divide="ignore"):
        t = float(np.divide(r * np.sqrt(n - 2), np.sqrt(max(1 - r * r, 0.0))))
        middle = np.arctanh(r)
    spread = 1 + r * r / 2 if interval == "bonett-wright" else 1.0
    half = stats.norm.ppf((1 + level) / 2) * np.sqrt(spread / (n - 3))
    low, high = np.tanh(middle - half), np.tanh(middle + half)
    p = float(2 * stats.t.sf(abs(t), n - 2))
    return Correlation(r, float(low), float(high), p, n, t)
