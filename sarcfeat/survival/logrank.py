"""The log-rank test of groups of patients having the event at one rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import linalg
from scipy.stats import chi2

from sarcfeat.exceptions import InvalidInput
from sarcfeat.survival.target import make_y

__all__ = ["LogRank", "logrank"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LogRank:
    """Result of a log-rank test.

    Attributes
    ----------
    statistic, df, p_value : float, int, float
        Chi-squared statistic, its degrees of freedom and its p-value (NaN when one
        group is all there is).
    groups : tuple
        The group labels, sorted.
    observed, expected : ndarray of shape (n_groups,)
        Events seen and events expected if the groups were alike (both weighted when
        `rho` is not 0).
    """

    statistic: float
    df: int
    p_value: float
    groups: tuple[Any, ...]
    observed: Floats
    expected: Floats


def logrank(
    event: npt.ArrayLike,
    time: npt.ArrayLike,
    group: npt.ArrayLike,
    *,
    rho: float = 0.0,
    strata: npt.ArrayLike | None = None,
) -> LogRank:
    """Test whether groups of patients have the event at the same rate.

    Parameters
    ----------
    event : array-like of bool or 0/1, shape (n_patients,)
    time : array-like of float, shape (n_patients,)
    group : array-like, shape (n_patients,)
        Label of each patient's group; two or more groups.
    rho : float
        Events are weighted by S(t-)^rho: 0 is the log-rank test, 1 the Peto–Peto
        test, which stresses early events.
    strata : array-like, shape (n_patients,), optional
        Groups are compared within strata, and the differences added.

    Returns
    -------
    LogRank

    Raises
    ------
    InvalidInput
        Columns of different lengths, or a missing group.

    References
    ----------
    Harrington & Fleming, Biometrika 1982; as R's ``survival::survdiff``.

    Examples
    --------
    >>> group = ["high", "high", "low", "low"]
    >>> test = logrank([1, 1, 1, 1], [1.0, 2.0, 3.0, 4.0], group)
    >>> test.groups, test.expected.round(3), round(test.p_value, 3)
    (('high', 'low'), array([0.833, 3.167]), 0.09)
    """
    y = make_y(event, time, zero="keep")
    labels, code = group_codes(group, len(y), "group")
    stratum = (
        np.zeros(len(y)) if strata is None else group_codes(strata, len(y), "strata")[1]
    )
    k = len(labels)
    observed, expected, variance = np.zeros(k), np.zeros(k), np.zeros((k, k))
    for level in np.unique(stratum):
        rows = stratum == level
        o, e, v = seen_and_expected(
            y["event"][rows], y["time"][rows], code[rows], k, rho
        )
        observed, expected, variance = observed + o, expected + e, variance + v
    tested = expected > 0
    df = int(tested.sum()) - 1
    difference = (observed - expected)[tested][1:]
    inner = variance[np.ix_(tested, tested)][1:, 1:]
    if df < 1 or not inner.any():
        return LogRank(
            float("nan"), max(df, 0), float("nan"), labels, observed, expected
        )
    statistic = float(difference @ linalg.pinvh(inner) @ difference)
    p_value = float(chi2.sf(statistic, df))
    return LogRank(statistic, df, p_value, labels, observed, expected)


def group_codes(
    values: npt.ArrayLike, n: int, what: str
) -> tuple[tuple[Any, ...], npt.NDArray[np.intp]]:
    array = np.asarray(values)
    if array.shape != (n,):
        raise InvalidInput(f"{what} has shape {array.shape}; expected {n} labels.")
    missing = np.array([v is None or v != v for v in array.tolist()], dtype=bool)
    if missing.any():
        raise InvalidInput(
            f"{int(missing.sum())} patients have no {what} (first: row "
            f"{int(np.flatnonzero(missing)[0])}). Leave them out or name their {what}."
        )
    labels, code = np.unique(array, return_inverse=True)
    return tuple(labels.tolist()), code.reshape(-1)


def seen_and_expected(
    event: npt.NDArray[np.bool_],
    time: Floats,
    code: npt.NDArray[np.intp],
    k: int,
    rho: float,
) -> tuple[Floats, Floats, Floats]:
    """Observed, expected and variance of the difference, in one stratum."""
    times, which = np.unique(time, return_inverse=True)
    member = np.eye(k)[code]
    leaving, dying = np.zeros((len(times), k)), np.zeros((len(times), k))
    np.add.at(leaving, which, member)
    np.add.at(dying, which[event], member[event])
    at_risk = leaving[::-1].cumsum(axis=0)[::-1]
    n, d = at_risk.sum(axis=1), dying.sum(axis=1)
    before = np.r_[1.0, np.cumprod(1 - d / n)[:-1]]
    weight = before**rho
    share = at_risk / n[:, None]
    # Hypergeometric: one patient left at risk leaves nothing to vary.
    spread = np.where(n > 1, weight**2 * d * (n - d) / np.maximum(n - 1, 1), 0.0)
    variance = np.diag(spread @ share) - share.T @ (spread[:, None] * share)
    return weight @ dying, weight @ (d[:, None] * share), variance
