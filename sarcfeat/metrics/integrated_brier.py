"""Brier's score averaged over time."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from sarcfeat._validation import pick
from sarcfeat.exceptions import InvalidInput
from sarcfeat.metrics.brier import Brier
from sarcfeat.metrics.case_weights import influence_error

__all__ = ["IntegratedBrier", "integrated_brier"]

Floats = npt.NDArray[np.float64]

_RULES = ("step", "trapezoid")


@dataclass(frozen=True)
class IntegratedBrier:
    """Brier's score averaged over time.

    Attributes
    ----------
    ibs, se, ci_low, ci_high : float
    influence : ndarray of shape (n_patients,)
        ``se`` is its standard deviation over root n; of two models on the same
        patients, the difference's error is that of the difference of influences.
    """

    ibs: float
    se: float
    ci_low: float
    ci_high: float
    influence: Floats = field(repr=False)


def integrated_brier(
    scores: Brier,
    *,
    rule: str = "step",
    until: float | None = None,
    level: float = 0.95,
) -> IntegratedBrier:
    """Average Brier's score over time.

    Parameters
    ----------
    scores : Brier
        On a grid of times.
    rule : {"step", "trapezoid"}
        ``step`` is R's ``pec::crps``: from time 0, where the score is 0, each score
        holds until the next time, divided by `until`. ``trapezoid`` is
        scikit-survival's: over the grid alone. They differ by 3 to 10 per cent.
    until : float, optional
        The last time of the average; the last of the grid by default.
    level : float
        Coverage of the interval.

    Returns
    -------
    IntegratedBrier

    Raises
    ------
    InvalidInput
        A grid that does not rise, or an `until` beyond it.

    References
    ----------
    Graf et al., Stat Med 1999.

    Examples
    --------
    >>> from sarcfeat.metrics import brier
    >>> event, time = [1, 1, 0, 0], [1.0, 2.0, 3.0, 4.0]
    >>> scores = brier(event, time, np.full((4, 2), 0.5), [1.5, 2.5])
    >>> round(integrated_brier(scores).ibs, 3)
    0.1
    >>> integrated_brier(scores, rule="trapezoid").ibs
    0.25
    """
    pick(rule, _RULES, "rule")
    known = ~np.isnan(scores.brier)
    times = scores.times[known]
    if not len(times) or (np.diff(times) <= 0).any():
        raise InvalidInput(
            f"Brier's score is known at the times {times}; an average needs times that "
            "rise and lie within the follow-up."
        )
    end = float(times[-1]) if until is None else float(until)
    if not 0 < end <= times[-1]:
        raise InvalidInput(
            f"until = {end:g} lies outside the known times, 0 to {times[-1]:g}."
        )
    weight = _step(times, end) if rule == "step" else _trapezoid(times, end)
    ibs = float(weight @ scores.brier[known])
    influence = weight @ scores.influence[known]
    se = float(influence_error(influence[None, :])[0])
    half = float(norm.ppf((1 + level) / 2)) * se
    return IntegratedBrier(ibs, se, max(ibs - half, 0.0), ibs + half, influence)


def _step(times: Floats, end: float) -> Floats:
    """Weights by which each score holds until the next time, or the end."""
    return np.asarray(np.diff(np.minimum(np.r_[times, end], end)) / end)


def _trapezoid(times: Floats, end: float) -> Floats:
    inside = times[times <= end]
    if len(inside) < 2:
        raise InvalidInput(f"The trapezoid needs two times up to {end:g}.")
    halves = np.diff(inside) / 2
    weight = np.zeros(len(times))
    weight[: len(inside)] = np.r_[halves, 0.0] + np.r_[0.0, halves]
    return np.asarray(weight / (inside[-1] - inside[0]))
