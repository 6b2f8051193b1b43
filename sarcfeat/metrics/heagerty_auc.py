"""Heagerty's time-dependent area: Kaplan–Meier among those above each cut."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sarcfeat.metrics.case_weights import check_marker
from sarcfeat.metrics.horizons import check_horizons
from sarcfeat.survival import make_y

__all__ = ["heagerty_auc"]

Floats = npt.NDArray[np.float64]


def heagerty_auc(
    event: npt.ArrayLike, time: npt.ArrayLike, risk: npt.ArrayLike, at: float
) -> float:
    """Compute Heagerty's Kaplan–Meier area at a time, to compare with older papers.

    The IPCW area of :func:`time_dependent_auc` has an error and a curve that always
    rises; this one has neither.

    Parameters
    ----------
    event : array-like of bool or 0/1, shape (n_patients,)
    time : array-like of float, shape (n_patients,)
    risk : array-like of float, shape (n_patients,)
        Higher is worse.
    at : float
        The horizon, in the unit of `time`.

    Returns
    -------
    float
        NaN where nobody, or everybody, has the event by `at`, and past the follow-up.

    Raises
    ------
    InvalidInput
        A risk that is NaN, lengths that differ, or a horizon that is not above 0.

    Warns
    -----
    PastFollowUp
        Nobody is followed beyond `at`.

    References
    ----------
    Heagerty, Lumley & Pepe, Biometrics 2000; R's ``survivalROC(method = "KM")``.

    Examples
    --------
    >>> event, time = [1, 1, 1, 0, 1, 0], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    >>> heagerty_auc(event, time, [6, 5, 4, 3, 2, 1], 3.5)
    1.0
    """
    y = make_y(event, time, zero="keep")
    marker = check_marker(risk, len(y))
    if not check_horizons(at, float(y["time"].max(initial=0.0)))[1].all():
        return float("nan")
    above = marker > np.unique(marker)[:, None]
    found = _survival(y, np.vstack([above, np.ones(len(y), dtype=bool)]), at)
    share, overall = above.mean(axis=1), float(found[-1])
    if not 0 < overall < 1:
        return float("nan")
    survivors = found[:-1] * share
    sensitivity = np.r_[1.0, (share - survivors) / (1 - overall)]
    false_positive = np.r_[1.0, survivors / overall]
    return float(-np.trapezoid(sensitivity, false_positive))


def _survival(
    y: npt.NDArray[np.void], member: npt.NDArray[np.bool_], at: float
) -> Floats:
    """Kaplan–Meier at one time in several groups, one a row."""
    weight, result = member.astype(float), np.ones(len(member))
    for t in np.unique(y["time"][y["event"] & (y["time"] <= at)]):
        at_risk = weight @ (y["time"] >= t)
        died = weight @ (y["event"] & (y["time"] == t))
        share = np.divide(died, at_risk, out=np.zeros(len(result)), where=at_risk > 0)
        result *= 1 - share
    return result
