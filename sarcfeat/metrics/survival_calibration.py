"""Do predicted survival probabilities at a time mean what they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import norm

from sarcfeat.exceptions import InvalidInput, NoEvents
from sarcfeat.metrics.binary import check_probability
from sarcfeat.metrics.bootstrap_interval import percentile_of
from sarcfeat.survival import (
    RiskSets,
    baseline_hazard,
    fit_cox,
    kaplan_meier,
    make_y,
)

__all__ = ["SurvivalCalibration", "calibration_groups", "survival_calibration"]

Floats = npt.NDArray[np.float64]

_EDGES = (1e-300, 1 - 1e-12)  # between which log(-log(S)) is taken
_KNOTS = {3: (0.1, 0.5, 0.9), 4: (0.05, 0.35, 0.65, 0.95)}


@dataclass(frozen=True)
class SurvivalCalibration:
    """Calibration of predicted survival at one time.

    Attributes
    ----------
    slope, slope_low, slope_high : float
        Of a Cox model on log(-log(S)); below 1: predictions too extreme.
    observed, expected : float
        Share with the event by the time: one minus Kaplan–Meier, and predicted.
    ratio, ratio_low, ratio_high : float
        Observed over expected; above 1: risks too low on the whole.
    ici, e50, e90, e_max : float
        Mean, median, ninth decile and largest distance between predicted and smooth
        observed survival.
    ici_low, ici_high : float
        Bootstrap interval of that mean, the integrated calibration index; NaN without
        resamples.
    curve : ndarray of shape (n_patients,)
        The smooth observed survival at each patient's predicted one.
    """

    slope: float
    slope_low: float
    slope_high: float
    observed: float
    expected: float
    ratio: float
    ratio_low: float
    ratio_high: float
    ici: float
    ici_low: float
    ici_high: float
    e50: float
    e90: float
    e_max: float
    curve: Floats = field(repr=False)


def survival_calibration(
    event: npt.ArrayLike,
    time: npt.ArrayLike,
    survival: npt.ArrayLike,
    at: float,
    *,
    knots: int = 3,
    n_bootstrap: int = 0,
    level: float = 0.95,
    random_state: int | np.random.Generator | None = None,
) -> SurvivalCalibration:
    """Say how predicted survival at a time agrees with what was observed.

    Parameters
    ----------
    event : array-like of bool or 0/1, shape (n_patients,)
    time : array-like of float, shape (n_patients,)
    survival : array-like of float, shape (n_patients,)
        Predicted probability of being free of the event at `at`.
    at : float
        The horizon, in the unit of `time`.
    knots : {3, 4}
        Of the restricted cubic spline of the smooth curve.
    n_bootstrap : int
        Resamples of patients for the interval of the calibration index; 0 for none.
    level : float
    random_state : int, Generator or None

    Returns
    -------
    SurvivalCalibration

    Raises
    ------
    InvalidInput
        A survival outside 0 and 1, or a horizon beyond the follow-up.
    NoEvents
        No event.

    References
    ----------
    Austin, Harrell & van Klaveren, Stat Med 2020; Crowson et al., Stat Methods Med Res
    2016.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=800)
    >>> time = rng.exponential(10 / np.exp(x))
    >>> found = survival_calibration(np.ones(800), time, np.exp(-0.5 * np.exp(x)), 5)
    >>> abs(found.slope - 1) < 0.1, found.ici < 0.03
    (True, True)
    """
    y, predicted = _checked(event, time, survival, at)
    if not y["event"].any():
        raise NoEvents("No patient had the event; calibration cannot be judged.")
    if knots not in _KNOTS:
        raise InvalidInput(f"knots must be 3 or 4; got {knots}.")
    z = float(norm.ppf((1 + level) / 2))
    lp = np.log(-np.log(np.clip(predicted, *_EDGES)))
    sets = RiskSets(y["event"], y["time"])
    slope = fit_cox(lp[:, None], sets, names=["log(-log(survival))"])
    km = kaplan_meier(y["event"], y["time"], "plain", level)
    low, high = (float(limit[0]) for limit in km.interval_at([at], extend=True))
    observed = 1 - float(km.at([at], extend=True)[0])
    expected = float(1 - predicted.mean())
    curve = _smooth(lp, sets, at, _KNOTS[knots])
    gap = np.abs(curve - predicted)

    def index(rows: npt.NDArray[np.intp]) -> float:
        some = RiskSets(y["event"][rows], y["time"][rows])
        smooth = _smooth(lp[rows], some, at, _KNOTS[knots])
        return float(np.abs(smooth - predicted[rows]).mean())

    ici_low, ici_high = percentile_of(index, len(y), n_bootstrap, level, random_state)

    def over(value: float) -> float:
        return value / expected if expected > 0 else float("nan")

    return SurvivalCalibration(
        slope=float(slope.coef[0]),
        slope_low=float(slope.coef[0] - z * slope.se[0]),
        slope_high=float(slope.coef[0] + z * slope.se[0]),
        observed=observed,
        expected=expected,
        ratio=over(observed),
        ratio_low=over(1 - high),
        ratio_high=over(1 - low),
        ici=float(gap.mean()),
        ici_low=ici_low,
        ici_high=ici_high,
        e50=float(np.quantile(gap, 0.5)),
        e90=float(np.quantile(gap, 0.9)),
        e_max=float(gap.max()),
        curve=curve,
    )


def calibration_groups(
    event: npt.ArrayLike,
    time: npt.ArrayLike,
    survival: npt.ArrayLike,
    at: float,
    *,
    groups: int = 5,
    cuts: Sequence[float] | npt.NDArray[np.float64] | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Compare predicted survival at a time with Kaplan–Meier, in groups of patients.

    Parameters
    ----------
    event, time, survival, at, level
        As in :func:`survival_calibration`.
    groups : int
        Groups of about one size, by predicted survival.
    cuts : sequence of float, optional
        Borders of the groups in place of `groups`; each group holds its lower border,
        the last also its upper.

    Returns
    -------
    DataFrame
        One row a group, the lowest survival first: ``predicted`` (mean), ``n``,
        ``events``, ``observed``, ``std_err`` (of the log of the survival), ``ci_low``,
        ``ci_high``. NaN where a group has fewer than two patients or is not followed to
        `at`.

    References
    ----------
    Harrell, Regression Modeling Strategies; equal to R's ``rms::groupkm``.

    Examples
    --------
    >>> event, time = [1, 1, 0, 1, 0, 0], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    >>> S = [0.1, 0.2, 0.3, 0.6, 0.7, 0.8]
    >>> calibration_groups(event, time, S, 2.5, groups=2)["observed"].round(3).tolist()
    [0.333, 1.0]
    """
    y, predicted = _checked(event, time, survival, at)
    group, count = grouped(predicted, groups, cuts)
    rows = [
        _group(y[group == k], predicted[group == k], at, level) for k in range(count)
    ]
    return pd.DataFrame(rows)


def _checked(
    event: npt.ArrayLike, time: npt.ArrayLike, survival: npt.ArrayLike, at: float
) -> tuple[npt.NDArray[np.void], Floats]:
    y = make_y(event, time, zero="keep")
    predicted = check_probability(survival, "The predicted survival").reshape(-1)
    if len(predicted) != len(y):
        raise InvalidInput(
            f"Expected {len(y)} predicted survivals; got {len(predicted)}."
        )
    if not len(y) or not 0 < at <= y["time"].max():
        last = f"{y['time'].max():g}" if len(y) else "none"
        raise InvalidInput(
            f"The horizon {at:g} must be above 0 and within the follow-up; the last "
            f"one is {last}. Choose an earlier time."
        )
    return y, predicted


def grouped(
    values: Floats,
    groups: int,
    cuts: Sequence[float] | npt.NDArray[np.float64] | None,
) -> tuple[npt.NDArray[np.intp], int]:
    """Return the group of each value, and how many groups there are."""
    if cuts is None:
        borders = _borders(values, groups)
        return np.searchsorted(borders, values, side="left"), len(borders)
    edges = np.unique(np.asarray(cuts, dtype=float))
    if len(edges) < 2 or values.min() < edges[0] or values.max() > edges[-1]:
        raise InvalidInput(
            f"The cuts {edges} must hold every prediction, {values.min():g} to "
            f"{values.max():g}. Begin them with 0 and end them with 1."
        )
    group = np.searchsorted(edges, values, side="right") - 1
    group[values == edges[-1]] = len(edges) - 2
    return group, len(edges) - 1


def _borders(values: Floats, groups: int) -> Floats:
    """Upper borders of groups of one size, ties kept together (Hmisc's cut2)."""
    distinct, counts = np.unique(values, return_counts=True)
    passed = np.cumsum(counts)
    aims = np.arange(1, groups + 1) * len(values) / groups
    where = np.searchsorted(passed, aims - 1e-9, side="left")
    borders = distinct[np.minimum(where, len(distinct) - 1)]
    borders[-1] = distinct[-1]
    return np.asarray(np.unique(borders))


def _group(
    y: npt.NDArray[np.void], predicted: Floats, at: float, level: float
) -> dict[str, float]:
    nan = float("nan")
    row: dict[str, float] = {
        "predicted": float(predicted.mean()) if len(y) else nan,
        "n": len(y),
        "events": int(y["event"].sum()),
    }
    blank = dict.fromkeys(("observed", "std_err", "ci_low", "ci_high"), nan)
    if len(y) < 2:
        return {**row, **blank}
    curve = kaplan_meier(y["event"], y["time"], "log", level)
    observed = float(curve.at([at])[0])
    if np.isnan(observed):
        return {**row, **blank}
    low, high = (float(limit[0]) for limit in curve.interval_at([at]))
    error = float(curve.std_err_at([at])[0])
    return {
        **row,
        "observed": observed,
        "std_err": error / observed if observed > 0 else nan,
        "ci_low": low,
        "ci_high": high,
    }


def _smooth(lp: Floats, sets: RiskSets, at: float, shares: tuple[float, ...]) -> Floats:
    """Observed survival as a smooth function of the predicted, by a Cox model."""
    knots = np.unique(np.quantile(lp, shares))
    X = _spline(lp, knots) if len(knots) >= 3 else lp[:, None]
    X = X - X.mean(axis=0)
    fit = fit_cox(X, sets, names=[f"spline {j}" for j in range(X.shape[1])])
    baseline = baseline_hazard(fit.state)
    return baseline.survival([at], X @ fit.coef)[:, 0]


def _spline(x: Floats, knots: Floats) -> Floats:
    """Restricted cubic spline, linear beyond the outer knots."""
    last, before = knots[-1], knots[-2]
    scale = (last - knots[0]) ** 2

    def cubed(knot: float) -> Floats:
        return np.asarray(np.maximum(x - knot, 0.0) ** 3)

    columns = [x]
    for knot in knots[:-2]:
        tail = cubed(before) * (last - knot) - cubed(last) * (before - knot)
        columns.append((cubed(knot) - tail / (last - before)) / scale)
    return np.column_stack(columns)
