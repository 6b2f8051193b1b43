"""Agreement beyond chance of readers who put patients into categories."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from sarcfeat._validation import listed, pick
from sarcfeat.exceptions import InvalidInput

__all__ = ["Kappa", "kappa"]

WEIGHTS = ("none", "linear", "quadratic")


@dataclass(frozen=True)
class Kappa:
    """Cohen's kappa with its interval.

    Attributes
    ----------
    value, lower, upper : float
        The coefficient and its confidence limits; not clipped, and NaN where both
        readers use one and the same category throughout.
    se : float
        Large-sample standard error.
    agreement : float
        Share of patients put into the same category.
    n : int
        Patients whom both readers have judged.
    p : float
        Test of the hypothesis that the coefficient is 0.
    """

    value: float
    lower: float
    upper: float
    se: float
    agreement: float
    n: int
    p: float


def agreement_table(first: Any, second: Any, categories: Any) -> np.ndarray:
    """Return how often each pair of categories was given, leaving out missing ones."""
    there = ~(pd.isna(first) | pd.isna(second))
    index = pd.Index(categories)
    rows, columns = (index.get_indexer(values[there]) for values in (first, second))
    if (rows < 0).any() or (columns < 0).any():
        missed = pd.Index(
            np.concatenate([first[there][rows < 0], second[there][columns < 0]])
        )
        raise InvalidInput(
            f"The readings hold {listed(missed.unique())}, which is not among the "
            f"categories {listed(categories)}."
        )
    k = len(index)
    return np.bincount(rows * k + columns, minlength=k * k).reshape(k, k)


def credit(k: int, weights: str) -> np.ndarray:
    """Return the credit of each pair of k categories: 1 for the same, 0 at worst."""
    apart = np.abs(np.subtract.outer(np.arange(k), np.arange(k))) / max(k - 1, 1)
    if weights == "none":
        return np.eye(k)
    return 1.0 - (apart if weights == "linear" else apart**2)


def kappa(
    first: Any,
    second: Any,
    *,
    weights: str = "none",
    categories: Any = None,
    level: float = 0.95,
) -> Kappa:
    """Say how far two readers agree on a category, beyond what chance would give.

    Parameters
    ----------
    first, second : array-like of shape (n_patients,)
        The category each reader gave; a patient missing for one is left out.
    weights : {"none", "linear", "quadratic"}
        Cohen's kappa; or weighted kappa for ordered categories (grade), in which near
        misses get partial credit.
    categories : sequence, optional
        All categories, in order. Default: those seen, sorted. A category that was
        never used matters to weighted kappa: it lies between others.
    level : float
        Level of the confidence interval.

    Returns
    -------
    Kappa

    Raises
    ------
    InvalidInput
        Readers of different length, or a reading that is none of the categories.
    UnknownName
        `weights` is none of the three.

    References
    ----------
    Cohen. Psychol Bull 1968;70:213. Fleiss, Cohen, Everitt. Psychol Bull 1969;72:323
    (the standard errors, under kappa for the interval and under 0 for the test).

    Examples
    --------
    >>> a = ["low", "low", "high", "high", "low", "high"]
    >>> b = ["low", "low", "high", "low", "low", "high"]
    >>> found = kappa(a, b)
    >>> f"{found.value:.2f} ({found.lower:.2f} to {found.upper:.2f}), n = {found.n}"
    '0.67 (0.10 to 1.23), n = 6'
    """
    pick(weights, WEIGHTS, "weights of kappa")
    first, second = (np.asarray(v, dtype=object) for v in (first, second))
    if first.ndim != 1 or first.shape != second.shape:
        raise InvalidInput(
            "kappa compares two readings of the same patients; got shapes "
            f"{first.shape} and {second.shape}."
        )
    if not 0 < level < 1:
        raise InvalidInput(f"level must lie between 0 and 1; got {level}.")
    if categories is None:
        seen = pd.unique(np.concatenate([first, second]))
        categories = sorted(seen[~pd.isna(seen)])
    table = agreement_table(first, second, categories)
    return _of_table(table, credit(len(table), weights), level)


def _of_table(table: np.ndarray, w: np.ndarray, level: float) -> Kappa:
    n = int(table.sum())
    nothing = float("nan")
    if not n:
        return Kappa(nothing, nothing, nothing, nothing, nothing, 0, nothing)
    p = table / n
    rows, columns = p.sum(axis=1), p.sum(axis=0)
    expected = np.outer(rows, columns)
    observed, chance = float((w * p).sum()), float((w * expected).sum())
    same = float(np.trace(p))
    if chance >= 1 - 1e-15:
        return Kappa(nothing, nothing, nothing, nothing, same, n, nothing)
    value = (observed - chance) / (1 - chance)
    # Mean credit of a category of one reader over the categories of the other.
    mean = (w @ columns)[:, None] + (rows @ w)[None, :]
    spread = (p * (w - mean * (1 - value)) ** 2).sum()
    under = (expected * (w - mean) ** 2).sum() - chance**2
    se = np.sqrt(max(spread - (value - chance * (1 - value)) ** 2, 0.0) / n)
    se_null = np.sqrt(max(under, 0.0) / n)
    se, se_null = se / (1 - chance), se_null / (1 - chance)
    half = float(norm.ppf((1 + level) / 2) * se)
    test = 2 * norm.sf(abs(value) / se_null) if se_null else nothing
    return Kappa(value, value - half, value + half, float(se), same, n, float(test))
