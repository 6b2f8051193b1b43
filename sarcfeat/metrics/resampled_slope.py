"""The calibration slope under many resamples at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sarcfeat.exceptions import InvalidInput
from sarcfeat.metrics.binary import check_probability
from sarcfeat.survival import make_y

__all__ = ["resampled_slope"]

Floats = npt.NDArray[np.float64]

_EDGES = (1e-300, 1 - 1e-12)  # between which log(-log(S)) is taken
_STEPS = 40


def resampled_slope(
    event: npt.ArrayLike,
    time: npt.ArrayLike,
    survival: npt.ArrayLike,
    weights: npt.ArrayLike,
    *,
    tol: float = 1e-9,
) -> Floats:
    """Return the calibration slope of predicted survival under each row of weights.

    The slope is the coefficient of ``log(-log(S))`` in a Cox model (Breslow's ties),
    found by Newton's method for all rows at once.

    Parameters
    ----------
    event : array-like of bool or 0/1, shape (n_patients,)
    time : array-like of float, shape (n_patients,)
    survival : array-like of float, shape (n_patients,)
        Predicted probability of being free of the event at one time.
    weights : array-like of float, shape (n_rows, n_patients)
        How often each patient counts; a row of ones for the patients as they are.
    tol : float
        Of the slope.

    Returns
    -------
    ndarray of shape (n_rows,)
        NaN where there is no event, the predictions do not vary, or the slope runs off
        (every patient with the event had the highest prediction).

    References
    ----------
    Crowson et al., Stat Methods Med Res 2016; as :func:`survival_calibration`, whose
    ties are Efron's.

    Examples
    --------
    >>> event, time = [1, 1, 0, 1, 1], [1.0, 2.0, 3.0, 4.0, 5.0]
    >>> S = [0.2, 0.7, 0.5, 0.4, 0.9]
    >>> resampled_slope(event, time, S, np.ones((1, 5))).round(3)
    array([1.172])
    """
    y = make_y(event, time, zero="keep")
    predicted = check_probability(survival, "The predicted survival").reshape(-1)
    rows = np.atleast_2d(np.asarray(weights, dtype=float))
    if len(predicted) != len(y) or rows.shape[1] != len(y):
        raise InvalidInput(
            f"Expected {len(y)} predicted survivals and columns of weights; got "
            f"{len(predicted)} and {rows.shape[1]}."
        )
    order = np.argsort(-y["time"], kind="stable")  # the risk sets grow along it
    x = np.log(-np.log(np.clip(predicted, *_EDGES)))[order]
    x = x - x.mean()
    falling = -y["time"][order]
    last = np.searchsorted(falling, falling, side="right") - 1
    dying = rows[:, order] * y["event"][order]
    return _newton(x, rows[:, order], dying, last, tol)


def _newton(
    x: Floats, weight: Floats, dying: Floats, last: npt.NDArray[np.intp], tol: float
) -> Floats:
    slope = np.zeros(len(weight))
    left = np.flatnonzero(dying.any(axis=1))
    known = np.zeros(len(weight), dtype=bool)
    for _ in range(_STEPS):
        if not len(left):
            break
        gradient, curvature = _derivatives(
            x, weight[left], dying[left], last, slope[left]
        )
        # Without spread among those at risk, or once it has run off, there is no slope.
        alive = curvature > 1e-10
        step = np.divide(gradient, curvature, where=alive, out=np.zeros(len(left)))
        # A long step may overshoot: the likelihood is concave, so shorter ones arrive.
        step = np.clip(step, -2.0, 2.0)
        slope[left] += step
        done = alive & (np.abs(step) < tol * (1 + np.abs(slope[left])))
        known[left[done]] = True
        left = left[alive & ~done & (np.abs(slope[left]) < 1e3)]
    return np.where(known, slope, np.nan)


def _derivatives(
    x: Floats,
    weight: Floats,
    dying: Floats,
    last: npt.NDArray[np.intp],
    slope: Floats,
) -> tuple[Floats, Floats]:
    """First derivative of the partial likelihood, and the second with its sign off."""
    eta = slope[:, None] * x
    hazard = weight * np.exp(eta - eta.max(axis=1, keepdims=True))
    s0, s1, s2 = (
        np.cumsum(hazard * x**power, axis=1)[:, last] for power in (0.0, 1.0, 2.0)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(s0 > 0, s1 / s0, 0.0)
        spread = np.where(s0 > 0, s2 / s0 - mean**2, 0.0)
    gradient = (dying * (x - mean)).sum(axis=1)
    return gradient, (dying * np.maximum(spread, 0.0)).sum(axis=1)
