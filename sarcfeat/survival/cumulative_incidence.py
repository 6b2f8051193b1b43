"""Cumulative incidence: the share with an event of each cause, over time.

With several causes, one minus Kaplan–Meier for one cause takes patients who died of
another for censored and says too much. Aalen and Johansen's estimate does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from sarcfeat._validation import pick
from sarcfeat.exceptions import InvalidInput
from sarcfeat.survival.causes import check_causes

__all__ = ["CumulativeIncidence", "cumulative_incidence"]

Floats = npt.NDArray[np.float64]

_VARIANCES = ("aalen", "jackknife")
_CONF_TYPES = ("log-log", "plain")
_ROUNDING = 1e-12


@dataclass(frozen=True)
class CumulativeIncidence:
    """Cumulative incidence of each cause; one row for each distinct time.

    Attributes
    ----------
    time : ndarray of shape (n_times,)
    causes : tuple of int
        The codes, in the order of the columns below.
    incidence, std_err, lower, upper : ndarray of shape (n_times, n_causes)
        The share that had an event of the cause by `time`, its standard error and
        pointwise confidence limits (NaN where the incidence is 0 or 1).
    event_free, event_free_std_err : ndarray of shape (n_times,)
        The share without any event; its error with ``variance="jackknife"`` (else
        NaN).
    n_risk : ndarray of int, shape (n_times,)
        Patients at risk just before `time`.
    n_event : ndarray of int, shape (n_times, n_causes)
    """

    time: Floats
    causes: tuple[int, ...]
    incidence: Floats
    std_err: Floats
    lower: Floats
    upper: Floats
    event_free: Floats
    event_free_std_err: Floats
    n_risk: npt.NDArray[np.int64]
    n_event: npt.NDArray[np.int64]

    def at(self, times: npt.ArrayLike) -> Floats:
        """Return the incidence at given times, shape (n, n_causes).

        NaN after the last follow-up, unless everybody had an event by then.
        """
        return self._read(self.incidence, times)

    def std_err_at(self, times: npt.ArrayLike) -> Floats:
        """Return the standard error at given times, shape (n, n_causes)."""
        return self._read(self.std_err, times)

    def interval_at(self, times: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Return the lower and upper confidence limits at given times."""
        return self._read(self.lower, times), self._read(self.upper, times)

    def event_free_at(self, times: npt.ArrayLike) -> Floats:
        """Return the share without any event at given times."""
        whole = self._read(np.c_[1 - self.event_free], times)
        return np.asarray(1 - whole[:, 0])

    def _read(self, values: Floats, times: npt.ArrayLike) -> Floats:
        times = np.atleast_1d(np.asarray(times, dtype=float))
        where = np.searchsorted(self.time, times, side="right")
        table = np.vstack([np.zeros(values.shape[1]), values])[where]
        table[(times > self.time[-1]) & (self.event_free[-1] > 1e-12)] = np.nan
        return np.asarray(table)


def cumulative_incidence(
    status: npt.ArrayLike,
    time: npt.ArrayLike,
    *,
    variance: str = "aalen",
    conf_type: str = "log-log",
    level: float = 0.95,
) -> CumulativeIncidence:
    """Estimate the share of patients with an event of each cause over time.

    Parameters
    ----------
    status : array-like of int, shape (n_patients,)
        0 censored, else the code of the cause.
    time : array-like of float, shape (n_patients,)
        Time to the first event of any cause or to the end of follow-up.
    variance : {"aalen", "jackknife"}
        ``aalen`` is that of R's ``cmprsk::cuminc``; ``jackknife``, the infinitesimal
        jackknife, that of ``survival::survfit``. They differ by a few per cent.
    conf_type : {"log-log", "plain"}
        The scale on which the confidence interval is symmetric.
    level : float
        Coverage of the pointwise interval.

    Returns
    -------
    CumulativeIncidence

    Raises
    ------
    InvalidInput
        No patient, or a status or time that :func:`check_causes` refuses.

    References
    ----------
    Aalen & Johansen, Scand J Stat 1978; R's ``cmprsk`` and ``survival`` (golden cases
    ``competing_risks``).

    Examples
    --------
    >>> curve = cumulative_incidence([1, 2, 0, 1], [1.0, 2.0, 3.0, 4.0])
    >>> curve.at([2.0, 4.0])
    array([[0.25, 0.25],
           [0.75, 0.25]])
    """
    pick(variance, _VARIANCES, "variance")
    pick(conf_type, _CONF_TYPES, "interval type")
    codes, times = check_causes(status, time)
    if not len(codes):
        raise InvalidInput("A cumulative incidence needs at least one patient.")
    causes = sorted(set(codes.tolist()) - {0})
    distinct, which = np.unique(times, return_inverse=True)
    leaving = np.bincount(which, minlength=len(distinct))
    n_risk = leaving[::-1].cumsum()[::-1]
    n_event = np.zeros((len(distinct), len(causes)), dtype=np.int64)
    for column, cause in enumerate(causes):
        n_event[:, column] = np.bincount(which[codes == cause], minlength=len(distinct))
    died = n_event.sum(axis=1)
    after = np.cumprod(1 - died / n_risk)
    before = np.r_[1.0, after[:-1]]
    steps = before[:, None] * n_event / n_risk[:, None]
    incidence = np.cumsum(steps, axis=0)
    free_error = np.full(len(distinct), np.nan)
    error = np.zeros_like(incidence)
    for column in range(len(causes)):
        d1, f = n_event[:, column], incidence[:, column]
        if variance == "aalen":
            error[:, column] = _aalen_error(n_risk, d1, died - d1, before, after, f)
    if variance == "jackknife":
        error, free_error = _jackknife_error(n_risk, leaving, n_event, before, after)
    z = float(norm.ppf((1 + level) / 2))
    lower, upper = _limits(incidence, error, z, conf_type)
    return CumulativeIncidence(
        distinct,
        tuple(causes),
        incidence,
        error,
        lower,
        upper,
        after,
        free_error,
        n_risk.astype(np.int64),
        n_event,
    )


def _aalen_error(
    n_risk: npt.NDArray[np.int64],
    d1: npt.NDArray[np.int64],
    d2: npt.NDArray[np.int64],
    before: Floats,
    after: Floats,
    f: Floats,
) -> Floats:
    """Aalen-type error as of cmprsk; it changes at the events of the cause only."""
    n = n_risk.astype(float)
    inverse = np.divide(1.0, after, out=np.zeros_like(after), where=after > 0)

    def spread(d: npt.NDArray[np.int64]) -> Floats:
        ties = np.where(d > 1, 1 - (d - 1) / np.maximum(n - 1, 1), 1.0)
        return np.asarray(before**2 * ties * d / n**2)

    own, other = spread(d1), np.where(after > 0, spread(d2), 0.0)
    slope = 1 + inverse * f
    v1 = np.cumsum(slope**2 * own + (f * inverse) ** 2 * other)
    v2 = np.cumsum(inverse * slope * own + inverse * (f * inverse) * other)
    v3 = np.cumsum(inverse**2 * (own + other))
    variance = v1 + f * f * v3 - 2 * f * v2
    last = np.maximum.accumulate(np.where(d1 > 0, np.arange(len(n)), -1))
    held = np.where(last >= 0, variance[np.maximum(last, 0)], 0.0)
    return np.sqrt(np.maximum(held, 0.0))


def _jackknife_error(
    n_risk: npt.NDArray[np.int64],
    leaving: npt.NDArray[np.int64],
    n_event: npt.NDArray[np.int64],
    before: Floats,
    after: Floats,
) -> tuple[Floats, Floats]:
    """Root of the sum of the squared influences of the patients.

    The influence of a patient still at risk at t is one and the same function of t;
    once he has left at T it is a + c F(t), where a and c depend on T and on how he
    left. So sums of a^2, a c and c^2 over those who left give every time at once.
    """
    n = n_risk.astype(float)
    died = n_event.sum(axis=1)
    left = 1 - died / n
    inverse = np.divide(1.0, left, out=np.zeros_like(left), where=left > 0)
    drift = np.cumsum(died / n / n * inverse)  # of -log S while at risk
    drift_before = np.r_[0.0, drift[:-1]]
    still = n_risk - leaving
    n_censored = leaving - died
    jump = inverse / n
    incidence = np.cumsum(before[:, None] * n_event / n[:, None], axis=0)
    # What a patient who left adds to S(t), in units of S(t), ever after.
    after_event, after_censoring = drift - jump, drift
    free = np.cumsum(died * after_event**2 + n_censored * after_censoring**2)
    free_error = after * np.sqrt(free + still * drift**2)
    error = np.zeros_like(incidence)
    for k in range(n_event.shape[1]):
        f = incidence[:, k]
        step = n_event[:, k] / n
        at_risk = np.cumsum(before * (drift_before - 1 / n) * step)
        total = still * at_risk**2
        a2 = np.zeros_like(f)
        ac = np.zeros_like(f)
        c2 = np.zeros_like(f)
        own = before / n
        for count, jumped, c in (
            (n_event[:, k], own, after_event),
            (died - n_event[:, k], 0.0, after_event),
            (n_censored, 0.0, after_censoring),
        ):
            a = at_risk + jumped - c * f
            a2 += np.cumsum(count * a * a)
            ac += np.cumsum(count * a * c)
            c2 += np.cumsum(count * c * c)
        error[:, k] = np.sqrt(np.maximum(total + a2 + 2 * f * ac + f * f * c2, 0))
    return error, free_error


def _limits(
    f: Floats, error: Floats, z: float, conf_type: str
) -> tuple[Floats, Floats]:
    # What rounding leaves below 1 is 1, and has no interval.
    inside = (f > 0) & (f < 1 - _ROUNDING)
    f = np.where(inside, f, np.nan)
    if conf_type == "plain":
        return np.maximum(f - z * error, 0), np.minimum(f + z * error, 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        survivors = 1 - f
        width = z * error / (survivors * np.log(survivors))
        low = 1 - survivors ** np.exp(width)
        high = 1 - survivors ** np.exp(-width)
    return np.fmin(low, high), np.fmax(low, high)
