"""The arithmetic of a nomogram: from effects to points to probabilities, and back.

With e_v the effect of variable v at the patient's value, min_v the lowest effect on
its axis, and W the widest axis:

    points            = 100 / W * sum over v of (e_v - min_v)
    linear predictor  = sum over v of e_v - center
    P(event by t)     = 1 - S0(t) ** exp(linear predictor)      (a hazard)
    P(event)          = 1 / (1 + exp(-linear predictor))        (log odds)
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from sarcfeat.nomogram.pretty import pretty
from sarcfeat.nomogram.variable import Variable

__all__ = ["event_probability", "lp_at_probability", "points_at", "points_per_lp"]

Floats = npt.NDArray[np.float64]


def points_per_lp(variables: Sequence[Variable]) -> float:
    """Return the points of one unit of linear predictor: 100 for the widest axis."""
    widest = max((variable.width for variable in variables), default=0.0)
    return 100.0 / widest if widest > 0 else 0.0


def lp_at_zero_points(variables: Sequence[Variable], center: float) -> float:
    """Return the centred linear predictor at the low end of every axis."""
    return sum(variable.lowest for variable in variables) - center


def points_at(lp: Sequence[float] | Floats, lp_at_zero: float, per_lp: float) -> Floats:
    """Return the total points at centred linear predictors."""
    return (np.asarray(lp, dtype=float) - lp_at_zero) * per_lp


def event_probability(
    lp: Sequence[float] | Floats, baseline_survival: Sequence[float]
) -> Floats:
    """Return the probability of the event, one row a patient, one column a horizon.

    Parameters
    ----------
    lp : array-like of shape (n,) or (n, n_horizons)
        Centred linear predictors.
    baseline_survival : sequence of float
        At each horizon; empty where `lp` are log odds.

    Examples
    --------
    >>> event_probability([0.0], [0.8]).round(3)
    array([[0.2]])
    >>> event_probability([0.0], [])
    array([[0.5]])
    """
    eta = np.asarray(lp, dtype=float)
    eta = eta[:, None] if eta.ndim == 1 else eta
    if not len(baseline_survival):
        return np.asarray(expit(eta))
    with np.errstate(over="ignore"):
        hazard_ratio = np.exp(eta)
    return 1 - np.asarray(baseline_survival, dtype=float)[None, :] ** hazard_ratio


def lp_at_probability(probability: Floats, baseline_survival: float | None) -> Floats:
    """Return the centred linear predictor at which the event has a probability."""
    if baseline_survival is None:
        return np.asarray(logit(probability))
    return np.log(np.log1p(-probability) / math.log(baseline_survival))


def total_ticks(
    lp_ticks: Sequence[float], lp_at_zero: float, per_lp: float, n_variables: int
) -> list[float]:
    """Return the ticks of total points: to 100, or to the end of the lp axis."""
    highest = float(points_at([lp_ticks[-1]], lp_at_zero, per_lp)[0])
    return pretty(0, 100.0 if n_variables == 1 else max(100.0, highest))
