"""How long patients stay uncensored: the weights behind every IPCW estimate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sarcfeat._validation import pick
from sarcfeat.exceptions import InvalidInput

__all__ = ["CensoringCurve", "censoring_curve"]

Floats = npt.NDArray[np.float64]

_TIES = ("event_first", "together")


@dataclass(frozen=True)
class CensoringCurve:
    """The share of patients still uncensored over time.

    Attributes
    ----------
    time : ndarray of shape (n_times,)
        The distinct times.
    survival : ndarray of shape (n_times,)
        The share uncensored just after `time`.
    """

    time: Floats
    survival: Floats

    def at(self, times: npt.ArrayLike) -> Floats:
        """Return G(t), the share uncensored just after given times."""
        return self._read(times, "right")

    def before(self, times: npt.ArrayLike) -> Floats:
        """Return G(t-), the share uncensored just before given times."""
        return self._read(times, "left")

    def _read(self, times: npt.ArrayLike, side: str) -> Floats:
        times = np.asarray(times, dtype=float)
        where = np.searchsorted(self.time, times, side=side)  # type: ignore[call-overload]
        return np.asarray(np.r_[1.0, self.survival][where])


def censoring_curve(
    event: npt.ArrayLike, time: npt.ArrayLike, *, ties: str = "event_first"
) -> CensoringCurve:
    """Estimate how long patients stay uncensored (Kaplan–Meier, reversed).

    Parameters
    ----------
    event : array-like of bool, shape (n_patients,)
        True where an event, of any cause, was observed.
    time : array-like of float, shape (n_patients,)
    ties : {"event_first", "together"}
        Where an event and a censoring share a time: with ``event_first`` the patient
        with the event is no longer at risk of censoring (``prodlim``, ``pec``,
        scikit-survival); with ``together`` he still is (R's
        ``survfit(Surv(time, 1 - event))``, ``cmprsk``).

    Returns
    -------
    CensoringCurve

    Raises
    ------
    InvalidInput
        Columns of different lengths.

    References
    ----------
    Robins & Rotnitzky, 1992; Gerds & Schumacher, Biom J 2006.

    Examples
    --------
    >>> curve = censoring_curve([1, 0, 1], [1.0, 2.0, 3.0])
    >>> curve.before([2.0, 3.0]), curve.at(2.0)
    (array([1. , 0.5]), array(0.5))
    """
    pick(ties, _TIES, "tie rule")
    flags, times = np.asarray(event, dtype=bool), np.asarray(time, dtype=float)
    if flags.shape != times.shape or flags.ndim != 1:
        raise InvalidInput(
            f"event has shape {flags.shape} and time {times.shape}; expected two "
            "columns of the same length."
        )
    distinct, which = np.unique(times, return_inverse=True)
    leaving = np.bincount(which, minlength=len(distinct))
    n_event = np.bincount(which[flags], minlength=len(distinct))
    at_risk = leaving[::-1].cumsum()[::-1]
    if ties == "event_first":
        at_risk = at_risk - n_event
    share = (leaving - n_event) / np.maximum(at_risk, 1)
    return CensoringCurve(distinct, np.cumprod(1 - share))
