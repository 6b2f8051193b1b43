"""Gray's test: do groups differ in the cumulative incidence of a cause."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import linalg
from scipy.stats import chi2

from sarcfeat.survival.causes import check_causes
from sarcfeat.survival.logrank import group_codes

__all__ = ["GrayTest", "gray_test"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class GrayTest:
    """Result of Gray's test.

    Attributes
    ----------
    statistic, df, p_value : float, int, float
        Chi-squared statistic, its degrees of freedom and its p-value (NaN where there
        is nothing to compare).
    groups : tuple
        The group labels, sorted.
    score : ndarray of shape (n_groups - 1,)
        Weighted events seen minus expected, of all groups but the last.
    """

    statistic: float
    df: int
    p_value: float
    groups: tuple[Any, ...]
    score: Floats


def gray_test(
    status: npt.ArrayLike,
    time: npt.ArrayLike,
    group: npt.ArrayLike,
    *,
    cause: int = 1,
    rho: float = 0.0,
    strata: npt.ArrayLike | None = None,
) -> GrayTest:
    """Test whether groups have one cumulative incidence of a cause.

    Parameters
    ----------
    status : array-like of int, shape (n_patients,)
        0 censored, else the code of the cause.
    time : array-like of float, shape (n_patients,)
    group : array-like, shape (n_patients,)
        Label of each patient's group; two or more groups.
    cause : int
        The cause whose incidence is compared.
    rho : float
        Events are weighted by (1 - F(t-))^rho.
    strata : array-like, shape (n_patients,), optional
        Groups are compared within strata, and the differences added.

    Returns
    -------
    GrayTest

    Raises
    ------
    NoEvents
        Nobody had an event of `cause`.

    References
    ----------
    Gray, Ann Stat 1988; equal to R's ``cmprsk::cuminc``.

    Examples
    --------
    >>> status = [1, 1, 2, 0, 2, 1, 0, 0]
    >>> group = ["a"] * 4 + ["b"] * 4
    >>> test = gray_test(status, [1.0, 2, 3, 4, 5, 6, 7, 8], group)
    >>> round(test.statistic, 3), test.df
    (2.302, 1)
    """
    codes, times = check_causes(status, time, cause=cause)
    labels, code = group_codes(group, len(codes), "group")
    stratum = (
        np.zeros(len(codes), dtype=np.intp)
        if strata is None
        else group_codes(strata, len(codes), "strata")[1]
    )
    k = len(labels)
    score, variance = np.zeros(k), np.zeros((k, k))
    for level in np.unique(stratum):
        rows = stratum == level
        s, v = _within(codes[rows], times[rows], code[rows], k, cause, rho)
        score, variance = score + s, variance + v
    score, variance = score[:-1], variance[:-1, :-1]
    df = k - 1
    rank = np.linalg.matrix_rank(variance) if df else 0
    if df < 1 or rank < df:
        return GrayTest(float("nan"), df, float("nan"), labels, score)
    statistic = float(score @ linalg.solve(variance, score, assume_a="sym"))
    return GrayTest(statistic, df, float(chi2.sf(statistic, df)), labels, score)


def _divided(top: npt.ArrayLike, bottom: npt.ArrayLike) -> Floats:
    """Divide where the lower term is above 0; 0 elsewhere."""
    top, bottom = np.broadcast_arrays(
        np.asarray(top, dtype=float), np.asarray(bottom, dtype=float)
    )
    return np.divide(top, bottom, out=np.zeros(top.shape), where=bottom > 0)


def _thinned(count: Floats, at_risk: Floats) -> Floats:
    """One, less what tied events take from the variance."""
    return np.asarray(
        np.where(count > 1, 1 - _divided(count - 1, at_risk - 1), 1.0), dtype=float
    )


def _within(
    status: npt.NDArray[np.int64],
    time: Floats,
    code: npt.NDArray[np.intp],
    k: int,
    cause: int,
    rho: float,
) -> tuple[Floats, Floats]:
    """Score and variance in one stratum; the arrays are times by groups."""
    times, which = np.unique(time, return_inverse=True)
    member = np.eye(k)[code]

    def counted(rows: npt.NDArray[np.bool_]) -> Floats:
        table = np.zeros((len(times), k))
        np.add.at(table, which[rows], member[rows])
        return table

    risk = counted(np.ones(len(status), dtype=bool))[::-1].cumsum(axis=0)[::-1]
    d1, d2 = counted(status == cause), counted((status != cause) & (status > 0))
    kept = (d1 + d2).sum(axis=1) > 0
    risk, d1, d2 = risk[kept], d1[kept], d2[kept]
    there = risk > 0
    after = np.cumprod(1 - _divided(d1 + d2, risk), axis=0)
    before = np.vstack([np.ones(k), after[:-1]])
    own = np.cumsum(_divided(before * d1, risk), axis=0)
    own_before = np.vstack([np.zeros(k), own[:-1]])
    n1, n2 = d1.sum(axis=1), d2.sum(axis=1)
    size = np.where(there, _divided(risk, before), 0.0)
    total = size.sum(axis=1)
    total_free = (size * (1 - own_before)).sum(axis=1)
    pooled = np.cumsum(_divided(n1, total))
    pooled_before = np.r_[0.0, pooled[:-1]]
    weight = (1 - pooled_before) ** rho
    expected = _divided(n1, total_free)[:, None] * size * (1 - own_before)
    score = weight @ (d1 - np.where(there, expected, 0.0))
    share = _divided(size, total[:, None])
    a = -size[:, :, None] * share[:, None, :]
    a[:, np.arange(k), np.arange(k)] += size
    a *= weight[:, None, None]
    c = np.cumsum(a * _divided(n1, total * (1 - pooled_before))[:, None, None], axis=0)
    free = 1 - pooled[:, None]
    ratio = _divided(free, after)
    t4 = np.where(after > 0, 1 - ratio, 1.0)
    thin = _thinned(np.repeat(n1[:, None], k, axis=1), total[:, None] * before)
    t3 = np.where(
        there, thin * _divided(before * n1[:, None], total[:, None] * risk), 0
    )
    v, cross, square = _terms(a - t4[:, None, :] * c, t4, t3)
    used = (after > 0) & (d2 > 0) & (n2[:, None] > 0)
    t3 = np.where(used, _thinned(d2, risk) * _divided(before**2 * d2, risk**2), 0.0)
    v2, cross2, square2 = _terms(-ratio[:, None, :] * c, ratio, t3)
    v, cross, square = v + v2, cross + cross2, square + square2
    last = c[-1]
    mixed = last @ cross.T
    return score, v + last @ (square[:, None] * last.T) + mixed + mixed.T


def _terms(
    change: Floats, slope: Floats, spread: Floats
) -> tuple[Floats, Floats, Floats]:
    """Sum the squares, products with the slope and squared slopes over the times."""
    v = np.einsum("tik,tjk,tk->ij", change, change, spread, optimize=True)
    cross = np.einsum("tik,tk,tk->ik", change, slope, spread)
    return v, cross, np.einsum("tk,tk,tk->k", slope, slope, spread)
