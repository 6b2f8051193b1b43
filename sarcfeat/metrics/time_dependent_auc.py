"""Time-dependent areas under the ROC curve, weighted for censoring.

Cases at t are patients with the event by t, controls those still free of it
(cumulative/dynamic). Packages differ in whether an event exactly at t makes a case,
and in where they read the censoring curve; the conventions are named after them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from sarcfeat._validation import pick
from sarcfeat.metrics.case_weights import CaseWeights, check_marker, influence_error
from sarcfeat.metrics.censoring_influence import CensoringInfluence
from sarcfeat.metrics.horizons import check_horizons
from sarcfeat.survival import CensoringCurve, check_causes, make_y

__all__ = [
    "TimeDependentAUC",
    "time_dependent_auc",
    "time_dependent_auc_competing",
]

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

_CONTROLS = ("event_free", "all")


@dataclass(frozen=True)
class TimeDependentAUC:
    """Areas under the ROC curve at several times.

    Attributes
    ----------
    times, auc, se, ci_low, ci_high : ndarray of shape (n_times,)
        NaN where there is no case or no control; the interval is cut at 0 and 1.
    n_cases, n_controls, n_censored : ndarray of int, shape (n_times,)
        With the event by then, followed beyond, and lost before.
    incidence, event_free : ndarray of shape (n_times,)
        The share with the event by then and the share without any, by the weights.
    influence : ndarray of shape (n_times, n_patients)
        ``se`` is its standard deviation over root n; of two models on the same
        patients, the difference's error is that of the difference of influences.
    """

    times: Floats
    auc: Floats
    se: Floats
    ci_low: Floats
    ci_high: Floats
    n_cases: Ints
    n_controls: Ints
    n_censored: Ints
    incidence: Floats
    event_free: Floats
    influence: Floats = field(repr=False)


def time_dependent_auc(
    event: npt.ArrayLike,
    time: npt.ArrayLike,
    risk: npt.ArrayLike,
    times: npt.ArrayLike,
    *,
    convention: str = "timeROC",
    censoring: CensoringCurve | None = None,
    level: float = 0.95,
) -> TimeDependentAUC:
    """Compute cumulative/dynamic areas under the ROC curve with their errors.

    Parameters
    ----------
    event : array-like of bool or 0/1, shape (n_patients,)
    time : array-like of float, shape (n_patients,)
    risk : array-like of float, shape (n_patients,)
        Higher is worse; ties count half.
    times : array-like of float, shape (n_times,)
        The horizons, in the unit of `time`.
    convention : {"timeROC", "riskRegression", "scikit-survival"}
        Which events make a case of t and where the censoring curve G is read:

        =================  =========  ==========================================
        convention         case if    weight of a case
        =================  =========  ==========================================
        timeROC (R)        T < t      1/G(T-), events first at ties
        riskRegression     T <= t     1/G(T-), events first at ties
        scikit-survival    T <= t     1/G(T), events first at ties
        =================  =========  ==========================================

        R's ``survAUC::AUC.uno`` is scikit-survival's, but for its Kaplan–Meier of the
        censoring, which goes wrong where times are tied.
    censoring : CensoringCurve, optional
        Of other patients (the training ones, say); then taken as known in the error.
    level : float
        Coverage of the intervals.

    Returns
    -------
    TimeDependentAUC

    Raises
    ------
    InvalidInput
        Lengths that differ, a risk that is NaN, a time not above 0.

    Warns
    -----
    PastFollowUp
        A horizon after the last follow-up; NaN there.

    References
    ----------
    Uno et al., JASA 2007; errors by the iid representation of Blanche et al., Stat
    Med 2013, as R's ``timeROC(iid = TRUE)``.

    Examples
    --------
    >>> event, time = [1, 1, 0, 1, 0], [1.0, 2.0, 3.0, 4.0, 5.0]
    >>> time_dependent_auc(event, time, [5, 1, 2, 4, 3], [2.5]).auc
    array([0.5])
    """
    y = make_y(event, time, zero="keep")
    codes = y["event"].astype(np.int64)
    return _areas(
        codes, y["time"], risk, times, 1, "event_free", convention, censoring, level
    )


def time_dependent_auc_competing(
    status: npt.ArrayLike,
    time: npt.ArrayLike,
    risk: npt.ArrayLike,
    times: npt.ArrayLike,
    *,
    cause: int = 1,
    controls: str = "event_free",
    convention: str = "timeROC",
    censoring: CensoringCurve | None = None,
    level: float = 0.95,
) -> TimeDependentAUC:
    """Compute time-dependent areas for one cause among several.

    Parameters
    ----------
    status : array-like of int, shape (n_patients,)
        0 censored, else the code of the cause.
    time, risk, times, convention, censoring, level
        As in :func:`time_dependent_auc`; `risk` is of the event of `cause`.
    cause : int
    controls : {"event_free", "all"}
        Who is compared with the cases: patients without any event yet (``AUC_1`` of
        timeROC), or also those with an event of another cause (``AUC_2``).

    Returns
    -------
    TimeDependentAUC
        With ``controls="all"`` and no other event before t, as for one cause.

    References
    ----------
    Blanche et al., Stat Med 2013; as R's ``timeROC``.

    Examples
    --------
    >>> status, time = [1, 2, 0, 1, 0], [1.0, 2.0, 3.0, 4.0, 5.0]
    >>> time_dependent_auc_competing(status, time, [5, 1, 2, 4, 3], [2.5]).auc
    array([1.])
    """
    pick(controls, _CONTROLS, "kind of controls")
    codes, numbers = check_causes(status, time, cause=cause)
    return _areas(
        codes, numbers, risk, times, cause, controls, convention, censoring, level
    )


def _areas(
    status: Ints,
    time: Floats,
    risk: npt.ArrayLike,
    times: npt.ArrayLike,
    cause: int,
    controls: str,
    convention: str,
    censoring: CensoringCurve | None,
    level: float,
) -> TimeDependentAUC:
    n = len(status)
    marker = check_marker(risk, n)
    last = float(time.max()) if n else 0.0
    whose = "the patients"
    if censoring is not None and censoring.time[-1] < last:
        last, whose = float(censoring.time[-1]), "the training patients"
    horizons, inside = check_horizons(times, last, whose=whose)
    order = np.argsort(time, kind="stable")
    status, time, marker = status[order], time[order], marker[order]
    weights = CaseWeights(status, time, cause, convention, censoring)
    known = None
    if censoring is None:
        known = CensoringInfluence(
            status == 0, time, by_row=weights.strict, before=not weights.after
        )
    pieces = _Ranked(marker)
    found = np.full((3, len(horizons)), np.nan)
    counts = np.zeros((3, len(horizons)), dtype=np.int64)
    influence = np.full((len(horizons), n), np.nan)
    for k in np.flatnonzero(inside):
        case, beyond, other = weights.at(horizons[k])
        counts[0, k], counts[1, k] = (case > 0).sum(), (beyond > 0).sum()
        counts[2, k] = n - counts[:2, k].sum() - (other > 0).sum()
        found[1, k], found[2, k] = case.sum() / n, beyond.sum() / n
        all_controls = controls == "all" and other.any()
        if not (case.any() and (beyond.any() or all_controls)):
            continue
        if all_controls:
            t = float(horizons[k])
            found[0, k], row = _against_all(case, beyond, other, pieces, known, t)
        else:
            found[0, k], row = _against_free(case, beyond, pieces, known)
        influence[k, order] = row
    se = influence_error(influence)
    half = float(norm.ppf((1 + level) / 2)) * se
    auc = found[0]
    return TimeDependentAUC(
        horizons,
        auc,
        se,
        np.maximum(auc - half, 0.0),
        np.minimum(auc + half, 1.0),
        *counts,
        found[1],
        found[2],
        influence,
    )


class _Ranked:
    """Sums of weights over the patients with a lower, or a higher, marker."""

    def __init__(self, marker: Floats) -> None:
        self.order = np.argsort(marker, kind="stable")
        ranked = marker[self.order]
        self.low = np.searchsorted(ranked, marker, side="left")
        self.high = np.searchsorted(ranked, marker, side="right")

    def below(self, weight: Floats) -> Floats:
        """Weight below each patient's marker, ties counting half."""
        total = np.r_[0.0, np.cumsum(weight[self.order])]
        return np.asarray((total[self.low] + total[self.high]) / 2)

    def above(self, weight: Floats) -> Floats:
        return np.asarray(weight.sum() - self.below(weight))


def _against_free(
    case: Floats, control: Floats, ranked: _Ranked, known: CensoringInfluence | None
) -> tuple[float, Floats]:
    """Area against the event-free, and the influence of each patient on it."""
    n = len(case)
    f, s = case.sum() / n, control.sum() / n
    wins = case * ranked.below(control) / n
    losses = control * ranked.above(case) / n
    h = wins.sum() / n
    free = (control > 0) / np.mean(control > 0)
    own = wins - h * (free + case / f - 1) + losses - h
    if known is not None:
        own = own + known.weighted((wins - h * case / f) / n)
    return float(h / (f * s)), np.asarray(own / (f * s))


def _against_all(
    case: Floats,
    free: Floats,
    other: Floats,
    ranked: _Ranked,
    known: CensoringInfluence | None,
    at: float,
) -> tuple[float, Floats]:
    """Area against everybody who is no case, and the influence of each patient."""
    n = len(case)
    f = case.sum() / n
    control = free + other
    wins = case * ranked.below(control) / n
    above = ranked.above(case) / n
    h = wins.sum() / n
    scale = f * (1 - f)
    slope = h * (1 - 2 * f) / scale
    own = wins - h - slope * (case - f) + control * above - h
    if known is not None:
        own = own + known.weighted((wins - slope * case + other * above) / n)
        own = own + known.at(at) * float(free @ above) / n
    area = h / (f * control.sum() / n)
    return float(area), np.asarray(own / scale)
