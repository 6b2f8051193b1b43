"""Kaplan–Meier: the share of patients still free of the event, with its interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from sarcfeat._validation import pick
from sarcfeat.exceptions import InvalidInput
from sarcfeat.survival.target import make_y

__all__ = ["KaplanMeier", "Quantile", "kaplan_meier", "nelson_aalen"]

Floats = npt.NDArray[np.float64]

_TOLERANCE = np.sqrt(np.finfo(float).eps)
_CONF_TYPES = ("log-log", "log", "plain", "logit", "arcsin")


class Quantile(NamedTuple):
    """A time by which a share of the patients had the event, with its interval."""

    time: float
    lower: float
    upper: float


@dataclass(frozen=True)
class KaplanMeier:
    """A Kaplan–Meier curve; one entry for each distinct time.

    Attributes
    ----------
    time : ndarray of shape (n_times,)
        Distinct times, of events and of censoring.
    survival, std_err : ndarray of shape (n_times,)
        Share free of the event after `time`, and its Greenwood standard error (NaN
        where the curve has reached 0).
    lower, upper : ndarray of shape (n_times,)
        Pointwise confidence limits; NaN where the interval has none (at survival 0,
        and for ``log-log`` also at survival 1, as in R).
    n_risk, n_event : ndarray of int, shape (n_times,)
        Patients at risk just before `time`, and events at it.
    """

    time: Floats
    survival: Floats
    std_err: Floats
    lower: Floats
    upper: Floats
    n_risk: npt.NDArray[np.int64]
    n_event: npt.NDArray[np.int64]

    def at(self, times: npt.ArrayLike, *, extend: bool = False) -> Floats:
        """Return the survival at given times; NaN after the last follow-up.

        A curve that reached 0 stays 0; with `extend`, any curve stays where it ended.
        """
        return self._step(self.survival, times, before=1.0, extend=extend)

    def std_err_at(self, times: npt.ArrayLike, *, extend: bool = False) -> Floats:
        """Return the standard error of the survival at given times."""
        return self._step(self.std_err, times, before=0.0, extend=extend)

    def interval_at(
        self, times: npt.ArrayLike, *, extend: bool = False
    ) -> tuple[Floats, Floats]:
        """Return the lower and upper confidence limits at given times."""
        return (
            self._step(self.lower, times, before=1.0, extend=extend),
            self._step(self.upper, times, before=1.0, extend=extend),
        )

    def n_risk_at(self, times: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Return how many patients were at risk just before given times."""
        where = np.searchsorted(self.time, np.asarray(times, dtype=float), side="left")
        return np.append(self.n_risk, 0)[where]

    def quantile(self, share: float) -> Quantile:
        """Return the time by which `share` of the patients had the event.

        NaN where the curve, or a confidence limit, never comes down that far. Where
        the curve is flat at exactly that height: the middle of the flat part.
        """
        return Quantile(
            self._crossing(self.survival, share),
            self._crossing(self.lower, share),
            self._crossing(self.upper, share),
        )

    def median(self) -> float:
        """Return the median time to the event; NaN where it is not reached."""
        return self.quantile(0.5).time

    def restricted_mean(self, until: float) -> tuple[float, float]:
        """Return the mean time free of the event up to `until`, and its error."""
        inside = self.time < until
        edges = np.r_[0.0, self.time[inside], until]
        height = np.r_[1.0, self.survival[inside]]
        areas = height * np.diff(edges)
        after = np.cumsum(areas[::-1])[::-1][1:]
        there = after > 0  # nothing is left once everybody had the event
        spread = _greenwood(self.n_risk, self.n_event)[inside][there]
        return float(areas.sum()), float(np.sqrt(after[there] ** 2 @ spread))

    def _step(
        self, values: Floats, times: npt.ArrayLike, before: float, extend: bool
    ) -> Floats:
        times = np.asarray(times, dtype=float)
        where = np.searchsorted(self.time, times, side="right")
        result = np.r_[before, values][where]
        ended = (times > self.time[-1]) & (self.survival[-1] > 0) & (not extend)
        return np.asarray(np.where(ended, np.nan, result))

    def _crossing(self, curve: Floats, share: float) -> float:
        known = ~np.isnan(curve)
        fallen = np.r_[0.0, 1 - curve[known]]
        times = np.r_[0.0, self.time[known]]
        new = np.r_[True, np.diff(fallen) != 0]
        last = times[-1]
        fallen, times = fallen[new], times[new]
        reached = np.flatnonzero(fallen >= share - _TOLERANCE)
        if not len(reached):
            return float("nan")
        passed = np.flatnonzero(fallen > share + _TOLERANCE)
        end = times[passed[0]] if len(passed) else last
        return float(times[reached[0]] + end) / 2


def kaplan_meier(
    event: npt.ArrayLike,
    time: npt.ArrayLike,
    conf_type: str = "log-log",
    level: float = 0.95,
) -> KaplanMeier:
    """Estimate the share of patients still free of the event over time.

    Parameters
    ----------
    event : array-like of bool or 0/1, shape (n_patients,)
        True where the event was observed.
    time : array-like of float, shape (n_patients,)
        Time to the event or to the end of follow-up.
    conf_type : {"log-log", "log", "plain", "logit", "arcsin"}
        The scale on which the confidence interval is symmetric.
    level : float
        Coverage of the pointwise interval.

    Returns
    -------
    KaplanMeier

    Raises
    ------
    InvalidInput
        No patient, or an event or time that :func:`make_y` refuses.

    References
    ----------
    Kaplan & Meier, JASA 1958; intervals as in R's ``survival::survfit``.

    Examples
    --------
    >>> curve = kaplan_meier([1, 0, 1, 1], [2.0, 3.0, 5.0, 8.0])
    >>> curve.survival
    array([0.75 , 0.75 , 0.375, 0.   ])
    >>> curve.median()
    5.0
    """
    pick(conf_type, _CONF_TYPES, "interval type")
    y = make_y(event, time, zero="keep")
    if not len(y):
        raise InvalidInput("A Kaplan–Meier curve needs at least one patient; got none.")
    times, n_risk, n_event = _counts(y["event"], y["time"])
    survival: Floats = np.cumprod(1 - n_event / n_risk, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_error = np.sqrt(np.cumsum(_greenwood(n_risk, n_event)))
        std_err: Floats = np.asarray(survival * log_error)
        half = norm.ppf((1 + level) / 2) * log_error
        lower, upper = _limits(survival, half, conf_type)
    return KaplanMeier(times, survival, std_err, lower, upper, n_risk, n_event)


def nelson_aalen(
    event: npt.ArrayLike, time: npt.ArrayLike
) -> tuple[Floats, Floats, Floats]:
    """Estimate the cumulative hazard of the event over time.

    Parameters
    ----------
    event : array-like of bool or 0/1, shape (n_patients,)
    time : array-like of float, shape (n_patients,)

    Returns
    -------
    time, cumulative_hazard, std_err : ndarray of shape (n_times,)
        At each distinct time.

    References
    ----------
    Aalen, Ann Stat 1978; as R's ``survfit(...)$cumhaz``.

    Examples
    --------
    >>> nelson_aalen([1, 0, 1], [2.0, 3.0, 5.0])[1].round(3)
    array([0.333, 0.333, 1.333])
    """
    y = make_y(event, time, zero="keep")
    times, n_risk, n_event = _counts(y["event"], y["time"])
    hazard = np.cumsum(n_event / n_risk)
    return times, hazard, np.sqrt(np.cumsum(n_event / n_risk**2))


def _counts(
    event: npt.NDArray[np.bool_], time: Floats
) -> tuple[Floats, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    times, which = np.unique(time, return_inverse=True)
    leaving = np.bincount(which, minlength=len(times))
    n_risk = leaving[::-1].cumsum()[::-1]
    n_event = np.bincount(which[event], minlength=len(times))
    return times, n_risk.astype(np.int64), n_event.astype(np.int64)


def _greenwood(n_risk: npt.ArrayLike, n_event: npt.ArrayLike) -> Floats:
    n, d = np.asarray(n_risk, dtype=float), np.asarray(n_event, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(d > 0, d / (n * (n - d)), 0.0))


def _limits(
    s: npt.NDArray[Any], half: npt.NDArray[Any], conf_type: str
) -> tuple[Floats, Floats]:
    """Confidence limits; `half` is z times the standard error of log s."""
    s = np.where(s > 0, s, np.nan)
    if conf_type == "plain":
        # R clips here, so a curve at 0 keeps limits; its error is NaN all the same.
        return np.maximum(s - half * s, 0), np.minimum(s + half * s, 1)
    if conf_type == "log":
        return np.exp(np.log(s) - half), np.minimum(np.exp(np.log(s) + half), 1)
    if conf_type == "log-log":
        s = np.where(s < 1, s, np.nan)
        centre, width = np.log(-np.log(s)), half / np.log(s)
        return np.exp(-np.exp(centre - width)), np.exp(-np.exp(centre + width))
    if conf_type == "logit":
        centre, width = np.log(s / (1 - s)), half / (1 - s)
        return 1 / (1 + np.exp(width - centre)), 1 / (1 + np.exp(-width - centre))
    angle, width = np.arcsin(np.sqrt(s)), half / 2 * np.sqrt(s / (1 - s))
    lower, upper = np.maximum(angle - width, 0), np.minimum(angle + width, np.pi / 2)
    return np.sin(lower) ** 2, np.sin(upper) ** 2
