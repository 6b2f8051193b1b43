"""The concordance index: how often does the patient at higher risk fare worse."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from sarcfeat._validation import pick
from sarcfeat.exceptions import InvalidInput, NoComparablePairs
from sarcfeat.survival import make_y, pairs_at_risk, pairs_of_each

__all__ = ["Concordance", "concordance"]

Floats = npt.NDArray[np.float64]

_TIME_WEIGHTS = ("n", "S", "S/G", "n/G2")


@dataclass(frozen=True)
class Concordance:
    """A concordance index with its interval.

    Attributes
    ----------
    c_index : float
        0.5 is chance, 1 a perfect order; NaN when no pair can be compared.
    se : float
        Standard error by the infinitesimal jackknife.
    ci_low, ci_high : float
        c plus and minus a normal quantile times `se`, cut at 0 and 1.
    n_comparable : float
        Number (or weight) of the pairs that can be compared.
    influence : ndarray of shape (n_patients,)
        How much c moves with each patient's weight; ``se`` is the root of its sum of
        squares, and that of the difference of two models on the same patients is the
        standard error of their difference.
    """

    c_index: float
    se: float
    ci_low: float
    ci_high: float
    n_comparable: float
    influence: Floats = field(repr=False)


def concordance(
    event: npt.ArrayLike,
    time: npt.ArrayLike,
    risk: npt.ArrayLike,
    *,
    level: float = 0.95,
    sample_weight: npt.ArrayLike | None = None,
    strata: npt.ArrayLike | None = None,
    time_weight: str = "n",
    until: float | None = None,
    entry: npt.ArrayLike | None = None,
    cluster: npt.ArrayLike | None = None,
) -> Concordance:
    """Compute the concordance index of a risk with survival, with its interval.

    Parameters
    ----------
    event : array-like of bool or 0/1, shape (n_patients,)
    time : array-like of float, shape (n_patients,)
    risk : array-like of float, shape (n_patients,)
        Higher is worse.
    level : float
        Coverage of the interval.
    sample_weight : array-like of float, shape (n_patients,), optional
        A pair counts with the product of its two weights.
    strata : array-like, shape (n_patients,), optional
        Only patients of one stratum are compared.
    time_weight : {"n", "S", "S/G", "n/G2"}
        ``n`` is Harrell's c; ``n/G2`` is Uno's, where pairs are weighted so that the
        pattern of censoring does not matter (:func:`uno_concordance` names the
        conventions of other packages). A pair tied in risk counts half; two events at
        one time do not compare, an event and a censoring there do. Both curves are
        weighted by `sample_weight`, and are those of each stratum.
    until : float, optional
        Only events up to this time (inclusive) count.
    entry : array-like of float, shape (n_patients,), optional
        Time from which a patient was under observation; with Harrell's weights only.
    cluster : array-like, shape (n_patients,), optional
        Whom each row belongs to, where several rows are one patient's: the error then
        sums over patients.

    Returns
    -------
    Concordance

    Warns
    -----
    NoComparablePairs
        No pair can be compared; the index is NaN.

    References
    ----------
    Harrell et al., Stat Med 1996; Uno et al., Stat Med 2011; the numbers are those of
    R's ``survival::concordance``.

    Examples
    --------
    >>> result = concordance([1, 1, 1, 0], [1, 2, 3, 4], [0.9, 0.8, 0.1, 0.3])
    >>> round(result.c_index, 3), round(result.se, 3)
    (0.833, 0.167)
    """
    pick(time_weight, _TIME_WEIGHTS, "time weight")
    y = make_y(event, time, zero="keep")
    flags, times = y["event"], y["time"]
    risk = np.asarray(risk, dtype=float)
    n = len(flags)
    weight = np.ones(n) if sample_weight is None else np.asarray(sample_weight, float)
    stratum: npt.NDArray[Any] = np.zeros(n) if strata is None else np.asarray(strata)
    if not len(risk) == len(weight) == len(stratum) == n:
        raise InvalidInput(
            f"Expected {n} values each; got {len(risk)} risks, {len(weight)} weights "
            f"and {len(stratum)} strata."
        )
    concordant, discordant, tied = np.zeros(n), np.zeros(n), np.zeros(n)
    started = None if entry is None else np.asarray(entry, dtype=float)
    if started is not None and time_weight != "n":
        raise InvalidInput(f"entry goes with time_weight='n'; got {time_weight!r}.")
    for value in np.unique(stratum):
        rows = stratum == value
        parts = flags[rows], times[rows], risk[rows], weight[rows]
        factor = event_factor(*parts[:2], parts[3], time_weight)
        if until is not None:
            factor = factor * (times[rows] <= until)
        if started is None:
            found = pairs_of_each(*parts, event_weight=factor)
        else:
            begin = started[rows]
            found = pairs_at_risk(*parts[:2], begin, *parts[2:], event_weight=factor)
        concordant[rows], discordant[rows], tied[rows] = found
    comparable = concordant + discordant + tied
    return summarised(concordant + tied / 2, comparable, weight, level, cluster)


def summarised(
    agreeing: Floats,
    comparable: Floats,
    weight: Floats,
    level: float,
    cluster: npt.ArrayLike | None = None,
) -> Concordance:
    total = float(weight @ comparable) / 2
    if not total > 0:
        warnings.warn(
            f"No pair of the {len(weight)} patients can be compared; the c-index is "
            "NaN. It needs an event that is earlier than another patient's time.",
            NoComparablePairs,
            stacklevel=3,
        )
        nan = float("nan")
        return Concordance(nan, nan, nan, nan, 0.0, np.full(len(weight), nan))
    c = float(weight @ agreeing) / 2 / total
    influence = weight * (agreeing - c * comparable) / total
    summed = influence
    if cluster is not None:
        code = np.unique(np.asarray(cluster), return_inverse=True)[1].reshape(-1)
        summed = np.bincount(code, weights=influence)
    se = float(np.sqrt(summed @ summed))
    half = float(norm.ppf((1 + level) / 2)) * se
    return Concordance(c, se, max(c - half, 0.0), min(c + half, 1.0), total, influence)


def event_factor(
    event: npt.NDArray[np.bool_], time: Floats, weight: Floats, time_weight: str
) -> Floats:
    """Weight of the pairs of an event at its time, within one stratum."""
    if time_weight == "n" or event.sum() < 2:
        return np.ones(len(event))
    free, at_risk = _before(event, time, weight, time)
    # Censoring at the time of an event comes after it.
    later = np.where(event, time, np.nextafter(time, np.inf))
    uncensored, _ = _before(~event, later, weight, time)
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = {
            "S": weight.sum() * free / at_risk,
            "S/G": weight.sum() * free / (at_risk * uncensored),
            "n/G2": 1 / uncensored**2,
        }[time_weight]
    return np.asarray(np.where(event & (at_risk > 0) & (uncensored > 0), factor, 0.0))


def _before(
    event: npt.NDArray[np.bool_], time: Floats, weight: Floats, at: Floats
) -> tuple[Floats, Floats]:
    """Weighted Kaplan–Meier estimate and number at risk just before given times."""
    times, place = np.unique(time, return_inverse=True)
    at_risk = np.bincount(place, weight)[::-1].cumsum()[::-1]
    ended = np.bincount(place, weight * event)
    share = np.divide(ended, at_risk, out=np.zeros_like(ended), where=at_risk > 0)
    where = np.searchsorted(times, at, side="left")
    return np.r_[1.0, np.cumprod(1 - share)][where], np.r_[at_risk, 0.0][where]
