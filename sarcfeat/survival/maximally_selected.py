"""The cut of a score that parts survival best, with a p-value that knows of the search.

Of all cuts the best one is taken, so its own log-rank p is far too small: 40 % of
useless scores have a "significant" best cut. The p-values here are those of the search.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import kolmogorov
from scipy.stats import norm

from sarcfeat._validation import pick
from sarcfeat.exceptions import InvalidInput, NoEvents
from sarcfeat.survival.logrank import logrank
from sarcfeat.survival.target import make_y

__all__ = ["MaximallySelected", "maximally_selected_logrank"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

METHODS = ("contal-oquigley", "lausen-1994", "lausen-schumacher", "permutation")
_TIES = ("logrank", "maxstat")
_BLOCK = 2_000_000  # scores permuted at a time


@dataclass(frozen=True)
class MaximallySelected:
    """The best cut of a score and how surprising it is.

    Attributes
    ----------
    cut : float
        Midway between two patients' scores; high is at or above it.
    statistic : float
        The largest standardised difference over the cuts (Contal's Q with
        ``"contal-oquigley"``).
    p_value : float
        Corrected for the search.
    p_naive : float
        The log-rank test of the two groups as if the cut had been given: not to be
        reported.
    method : str
    higher_is_worse : bool
        Whether the high group has more events than expected.
    search : DataFrame
        Every cut that was tried: ``cut, n_low, n_high, statistic``.
    """

    cut: float
    statistic: float
    p_value: float
    p_naive: float
    method: str
    higher_is_worse: bool
    search: pd.DataFrame = field(repr=False)


def maximally_selected_logrank(
    event: npt.ArrayLike,
    time: npt.ArrayLike,
    score: npt.ArrayLike,
    *,
    method: str = "lausen-schumacher",
    min_share: float = 0.1,
    ties: str = "maxstat",
    n_permutations: int = 1000,
    random_state: Any = None,
) -> MaximallySelected:
    """Find the cut of a score that parts survival best, and test the search.

    Parameters
    ----------
    event : array-like of bool or 0/1, shape (n_patients,)
    time : array-like of float, shape (n_patients,)
    score : array-like of float, shape (n_patients,)
        Without missing values.
    method : {"lausen-schumacher", "lausen-1994", "permutation", "contal-oquigley"}
        Where the p-value comes from: the Brownian bridge of Lausen and Schumacher; the
        improved Bonferroni bound of Lausen, Sauerbrei and Schumacher, better with few
        cuts; permutations of the patients, right at any size; or the test of Contal
        and O'Quigley, which has a statistic of its own.
    min_share : float
        The least share of patients on either side of a cut.
    ties : {"maxstat", "logrank"}
        Scores at tied times as in R's ``maxstat``, or as in the log-rank test. Contal
        and O'Quigley's are always the latter.
    n_permutations : int
    random_state : int, Generator or None

    Returns
    -------
    MaximallySelected

    Raises
    ------
    InvalidInput
        A score that is missing, or no cut that leaves enough patients on either side.
    NoEvents
        Nobody had the event.

    References
    ----------
    Lausen & Schumacher, Biometrics 1992; Lausen, Sauerbrei & Schumacher 1994; Hothorn &
    Lausen, Comput Stat Data Anal 2003 (R's ``maxstat``); Contal & O'Quigley, Comput
    Stat Data Anal 1999; Altman et al., JNCI 1994, on why.

    Examples
    --------
    >>> size = np.arange(20.0)
    >>> time = np.where(size < 12, 30.0, 5.0) + size / 100
    >>> found = maximally_selected_logrank(np.ones(20), time, size)
    >>> found.cut, found.higher_is_worse, found.p_value > found.p_naive
    (11.5, True, True)
    """
    pick(method, METHODS, "method")
    pick(ties, _TIES, "way with ties")
    y = make_y(event, time, zero="keep")
    values = _checked(score, len(y), min_share)
    if not y["event"].any():
        raise NoEvents(
            f"None of the {len(y)} patients had the event; no cut parts them."
        )
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    below = candidate_cuts(ordered, min_share)
    contal = method == "contal-oquigley"
    marks = logrank_scores(
        y["event"], y["time"], "logrank" if contal else ties, order=order
    )
    difference, error = _process(marks, below)
    if contal:
        error = np.full(len(below), _contal_scale(y["event"], y["time"]))
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.where(error > 0, np.abs(difference) / error, 0.0)
    best = int(np.argmax(statistic))
    m, top = int(below[best]), float(statistic[best])
    cuts = (ordered[below - 1] + ordered[below]) / 2
    n = len(values)
    shares = (min_share, 1 - min_share)
    if method == "permutation":
        p = _permuted(marks, below, top, n_permutations, random_state)
    elif contal:
        p = float(kolmogorov(top))
    elif method == "lausen-1994":
        p = lausen_1994(top, n, below)
    else:
        p = lausen_schumacher(top, *shares)
    search = pd.DataFrame(
        {"cut": cuts, "n_low": below, "n_high": n - below, "statistic": statistic}
    )
    naive = logrank(y["event"], y["time"], values >= cuts[best]).p_value
    worse = bool(marks[m:].sum() > marks.mean() * (n - m))
    return MaximallySelected(float(cuts[best]), top, p, naive, method, worse, search)


def _checked(score: npt.ArrayLike, n: int, min_share: float) -> Floats:
    values = np.asarray(score, dtype=float)
    if values.shape != (n,):
        raise InvalidInput(f"The score has shape {values.shape}; expected {n} values.")
    if not np.isfinite(values).all():
        raise InvalidInput(
            f"{int((~np.isfinite(values)).sum())} of {n} patients have no finite score "
            "(first: row "
            f"{int(np.flatnonzero(~np.isfinite(values))[0])}). Leave them out."
        )
    if not 0 < min_share < 0.5:
        raise InvalidInput(f"min_share must lie between 0 and 0.5; got {min_share}.")
    return values


def candidate_cuts(ordered: Floats, min_share: float) -> Ints:
    """Return how many patients each cut that may be tried leaves below it.

    Raises
    ------
    InvalidInput
        There is none.
    """
    n = len(ordered)
    below = np.flatnonzero(np.diff(ordered) > 0) + 1
    # As in maxstat: the share is rounded down to a number of patients.
    least, most = np.floor(n * min_share), np.floor(n * (1 - min_share))
    below = below[(below >= least) & (below <= most)]
    if not len(below):
        raise InvalidInput(
            f"No cut leaves {min_share:.0%} of the {n} patients on either side: the "
            f"score has {len(np.unique(ordered))} distinct values. Take it as it is, "
            "or allow a smaller min_share."
        )
    return below


def logrank_scores(
    event: npt.NDArray[np.bool_],
    time: Floats,
    ties: str = "maxstat",
    *,
    order: npt.NDArray[np.intp] | None = None,
) -> Floats:
    """Return each patient's log-rank score: events seen minus hazard lived through.

    Examples
    --------
    >>> logrank_scores(np.array([True, True]), np.array([1.0, 2.0]))
    array([ 0.5, -0.5])
    """
    by_time = np.sort(time)
    reached = np.searchsorted(by_time, time, side="right")
    n = len(time)
    if ties == "maxstat":
        at_risk = n - reached + 1
    else:
        at_risk = n - np.searchsorted(by_time, time, side="left")
    hazard = np.cumsum((event / at_risk)[np.argsort(time, kind="stable")])
    marks: Floats = event - hazard[reached - 1]
    return marks if order is None else marks[order]


def _process(marks: Floats, below: Ints) -> tuple[Floats, Floats]:
    """Return the sums of scores below each cut less the expected, and their errors."""
    n, total = len(marks), marks.sum()
    difference = np.cumsum(marks)[below - 1] - below / n * total
    spread = n * (marks**2).sum() - total**2
    variance = below * (n - below) / (n**2 * (n - 1)) * spread
    return difference, np.sqrt(np.maximum(variance, 0.0))


def lausen_schumacher(b: float, low: float = 0.1, high: float = 0.9) -> float:
    """Return the chance that a search between two shares of patients exceeds `b`.

    Examples
    --------
    >>> round(lausen_schumacher(3.054), 3)
    0.05
    """
    if b < 1:
        return 1.0  # The formula falls again below 1 (Schell's correction in maxstat).
    density = norm.pdf(b)
    width = np.log(high * (1 - low) / ((1 - high) * low))
    return float(np.clip(4 * density / b + density * (b - 1 / b) * width, 0, 1))


def lausen_1994(b: float, n: int, below: Ints) -> float:
    """Return an upper bound of the chance that a search over these cuts exceeds `b`.

    Examples
    --------
    >>> round(lausen_1994(2.5, 20, np.arange(5, 16)), 3)
    0.073
    """
    here, then = below[:-1].astype(float), below[1:].astype(float)
    apart = np.sqrt(1 - here * (n - then) / ((n - here) * then))
    steps = np.exp(-(b**2) / 2) / np.pi * (apart - (b**2 / 4 - 1) * apart**3 / 6)
    return float(np.clip(2 * norm.sf(b) + steps.sum(), 0, 1))


def _contal_scale(event: npt.NDArray[np.bool_], time: Floats) -> float:
    """Return the error that makes the log-rank process a Brownian bridge."""
    k = len(np.unique(time[event]))
    if k < 2:
        raise NoEvents(
            f"Contal and O'Quigley's test needs events at two times; got {k}. Use "
            "method='permutation'."
        )
    left = 1 - np.cumsum(1 / (k + 1 - np.arange(1, k + 1)))
    return float(np.sqrt((left**2).sum()))


def _permuted(
    marks: Floats, below: Ints, top: float, n_permutations: int, random_state: Any
) -> float:
    """Return the share of permutations with a statistic as large, itself counted."""
    rng = np.random.default_rng(random_state)
    n, total = len(marks), marks.sum()
    _, error = _process(marks, below)
    expected = below / n * total
    above, left = 0, n_permutations
    while left:
        rows = min(left, max(1, _BLOCK // n))
        shuffled = rng.permuted(np.tile(marks, (rows, 1)), axis=1)
        sums = np.cumsum(shuffled, axis=1)[:, below - 1]
        with np.errstate(divide="ignore", invalid="ignore"):
            found = np.where(error > 0, np.abs(sums - expected) / error, 0.0)
        above += int((found.max(axis=1) >= top * (1 - 1e-12)).sum())
        left -= rows
    return (1 + above) / (1 + n_permutations)
