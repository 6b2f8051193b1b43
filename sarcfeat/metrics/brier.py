"""Brier's score of predicted survival, weighted for censoring."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from sarcfeat._validation import pick
from sarcfeat.exceptions import InvalidInput
from sarcfeat.metrics.binary import check_probability
from sarcfeat.metrics.case_weights import influence_error
from sarcfeat.metrics.censoring_influence import CensoringInfluence
from sarcfeat.metrics.horizons import check_horizons
from sarcfeat.survival import (
    CensoringCurve,
    censoring_curve,
    check_causes,
    cumulative_incidence,
    kaplan_meier,
    make_y,
)

__all__ = [
    "Brier",
    "BrierDifference",
    "brier",
    "brier_competing",
    "brier_difference",
    "brier_reference",
]

Floats = npt.NDArray[np.float64]

_CONVENTIONS = ("pec", "scikit-survival")


@dataclass(frozen=True)
class Brier:
    """Brier's score at several times; 0 is perfect, 0.25 a coin.

    Attributes
    ----------
    times, brier, se, ci_low, ci_high : ndarray of shape (n_times,)
        NaN past the follow-up.
    influence : ndarray of shape (n_times, n_patients)
        ``se`` is its standard deviation over root n.
    """

    times: Floats
    brier: Floats
    se: Floats
    ci_low: Floats
    ci_high: Floats
    influence: Floats = field(repr=False)


@dataclass(frozen=True)
class BrierDifference:
    """Difference of two models' scores at several times; first minus second.

    Attributes
    ----------
    times, delta, se, ci_low, ci_high, p : ndarray of shape (n_times,)
        A `delta` below 0 favours the first.
    """

    times: Floats
    delta: Floats
    se: Floats
    ci_low: Floats
    ci_high: Floats
    p: Floats


def brier(
    event: npt.ArrayLike,
    time: npt.ArrayLike,
    survival: npt.ArrayLike,
    times: npt.ArrayLike,
    *,
    convention: str = "pec",
    censoring: CensoringCurve | None = None,
    level: float = 0.95,
) -> Brier:
    """Compute Brier's score of predicted survival at several times.

    Parameters
    ----------
    event : array-like of bool or 0/1, shape (n_patients,)
    time : array-like of float, shape (n_patients,)
    survival : array-like of float, shape (n_patients, n_times)
        Predicted probability of being free of the event at each of `times`.
    times : array-like of float, shape (n_times,)
    convention : {"pec", "scikit-survival"}
        Where the censoring curve G is read for a patient with the event: G(T-) (R's
        ``pec`` and ``riskRegression``) or G(T) (scikit-survival). They differ where
        events and censorings share times.
    censoring : CensoringCurve, optional
        Of other patients (the training ones, say); then taken as known in the error.
    level : float

    Returns
    -------
    Brier

    Raises
    ------
    InvalidInput
        A survival outside 0 and 1 or of another shape.

    Warns
    -----
    PastFollowUp
        A time after the last follow-up; NaN there.

    References
    ----------
    Graf et al., Stat Med 1999; Gerds & Schumacher, Biom J 2006; errors as R's
    ``riskRegression::Score``.

    Examples
    --------
    >>> event, time = [1, 1, 0, 0], [1.0, 2.0, 3.0, 4.0]
    >>> brier(event, time, [[0.5], [0.5], [0.9], [0.9]], [2.5]).brier.round(3)
    array([0.13])
    """
    y = make_y(event, time, zero="keep")
    values, _ = _predicted(survival, times, len(y), "The predicted survival")
    codes = y["event"].astype(np.int64)
    return _scores(codes, y["time"], 1 - values, times, 1, convention, censoring, level)


def brier_competing(
    status: npt.ArrayLike,
    time: npt.ArrayLike,
    incidence: npt.ArrayLike,
    times: npt.ArrayLike,
    *,
    cause: int = 1,
    convention: str = "pec",
    censoring: CensoringCurve | None = None,
    level: float = 0.95,
) -> Brier:
    """Compute Brier's score of a predicted cumulative incidence.

    Parameters
    ----------
    status : array-like of int, shape (n_patients,)
        0 censored, else the code of the cause.
    incidence : array-like of float, shape (n_patients, n_times)
        Predicted probability of an event of `cause` by each of `times`.
    time, times, convention, censoring, level
        As in :func:`brier`.
    cause : int

    Returns
    -------
    Brier

    References
    ----------
    Schoop et al., Biom J 2011; R's ``riskRegression::Score``.

    Examples
    --------
    >>> status, time = [1, 2, 0, 0], [1.0, 2.0, 3.0, 4.0]
    >>> found = brier_competing(status, time, [[0.5], [0.5], [0.1], [0.1]], [2.5])
    >>> found.brier.round(3)
    array([0.13])
    """
    codes, numbers = check_causes(status, time, cause=cause)
    values, _ = _predicted(incidence, times, len(codes), "The predicted incidence")
    return _scores(codes, numbers, values, times, cause, convention, censoring, level)


def brier_reference(
    event: npt.ArrayLike, time: npt.ArrayLike, times: npt.ArrayLike
) -> Floats:
    """Return what a model without covariates predicts: Kaplan–Meier for everybody.

    Parameters
    ----------
    event, time, times
        As in :func:`brier`; with codes above 1 in `event`, one minus the cumulative
        incidence of cause 1 is meant.

    Returns
    -------
    ndarray of shape (n_patients, n_times)

    Examples
    --------
    >>> brier_reference([1, 0], [1.0, 2.0], [1.5])
    array([[0.5],
           [0.5]])
    """
    horizons = np.atleast_1d(np.asarray(times, dtype=float))
    codes = np.asarray(event)
    if codes.dtype != bool and codes.size and codes.max() > 1:
        curve = cumulative_incidence(codes, time)
        level = 1 - curve.at(horizons)[:, curve.causes.index(1)]
    else:
        level = kaplan_meier(event, time).at(horizons, extend=True)
    return np.repeat(level[None, :], len(codes), axis=0)


def brier_difference(a: Brier, b: Brier, *, level: float = 0.95) -> BrierDifference:
    """Compare two models' scores on the same patients and times.

    Parameters
    ----------
    a, b : Brier
        Computed from the same patients, in one order, at the same times.
    level : float

    Returns
    -------
    BrierDifference

    Examples
    --------
    >>> event, time = [1, 1, 0, 0], [1.0, 2.0, 3.0, 4.0]
    >>> a = brier(event, time, [[0.1], [0.3], [0.9], [0.8]], [2.5])
    >>> b = brier(event, time, [[0.5], [0.5], [0.5], [0.5]], [2.5])
    >>> brier_difference(a, b).delta.round(3)
    array([-0.212])
    """
    if a.influence.shape != b.influence.shape or (a.times != b.times).any():
        raise InvalidInput(
            f"The two scores are of {a.influence.shape[1]} and {b.influence.shape[1]} "
            f"patients at the times {a.times} and {b.times}; expected the same."
        )
    delta, se = a.brier - b.brier, influence_error(a.influence - b.influence)
    half = float(norm.ppf((1 + level) / 2)) * se
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2 * norm.sf(np.abs(delta / se))
    return BrierDifference(a.times, delta, se, delta - half, delta + half, p)


def _predicted(
    values: npt.ArrayLike, times: npt.ArrayLike, n: int, what: str
) -> tuple[Floats, int]:
    table = np.asarray(values, dtype=float)
    count = np.atleast_1d(np.asarray(times)).shape[0]
    if table.ndim == 1 and count == 1:
        table = table[:, None]
    if table.shape != (n, count):
        raise InvalidInput(
            f"{what} has shape {table.shape}; expected {(n, count)}: a row a patient, "
            "a column a time."
        )
    return check_probability(table, what), count


def _scores(
    status: npt.NDArray[np.int64],
    time: Floats,
    risk: Floats,
    times: npt.ArrayLike,
    cause: int,
    convention: str,
    censoring: CensoringCurve | None,
    level: float,
) -> Brier:
    pick(convention, _CONVENTIONS, "convention")
    n = len(status)
    last, whose = (float(time.max()) if n else 0.0), "the patients"
    if censoring is not None and censoring.time[-1] < last:
        last, whose = float(censoring.time[-1]), "the training patients"
    horizons, inside = check_horizons(times, np.nextafter(last, np.inf), whose=whose)
    order = np.argsort(time, kind="stable")
    status, time, risk = status[order], time[order], risk[order]
    curve = censoring or censoring_curve(status > 0, time)
    own = curve.before(time) if convention == "pec" else curve.at(time)
    weight = np.divide(1.0, own, out=np.zeros(n), where=own > 0)
    known = None
    if censoring is None:
        known = CensoringInfluence(
            status == 0, time, by_row=False, before=convention == "pec"
        )
    influence = np.full((len(horizons), n), np.nan)
    score = np.full(len(horizons), np.nan)
    for k in np.flatnonzero(inside):
        t = horizons[k]
        gone = (time <= t) & (status > 0)
        g = float(curve.at(t))
        beyond = (time > t) * (1 / g if g > 0 else 0.0) * risk[:, k] ** 2
        target = (status == cause).astype(float)
        past = np.where(gone, weight, 0.0) * (target - risk[:, k]) ** 2
        score[k] = (beyond + past).mean()
        row = beyond + past - score[k]
        if known is not None:
            row = row + beyond.mean() * known.at(t) + known.weighted(past / n)
        influence[k, order] = row
    se = influence_error(influence)
    half = float(norm.ppf((1 + level) / 2)) * se
    return Brier(
        horizons, score, se, np.maximum(score - half, 0.0), score + half, influence
    )
