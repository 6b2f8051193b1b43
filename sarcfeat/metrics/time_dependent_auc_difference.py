"""Difference of two models' time-dependent areas on the same patients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from sarcfeat.exceptions import InvalidInput
from sarcfeat.metrics.case_weights import influence_error
from sarcfeat.metrics.time_dependent_auc import TimeDependentAUC

__all__ = ["TimeDependentAUCDifference", "time_dependent_auc_difference"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class TimeDependentAUCDifference:
    """Difference of two models' areas at several times; first minus second.

    Attributes
    ----------
    times, delta, se, ci_low, ci_high, p : ndarray of shape (n_times,)
    """

    times: Floats
    delta: Floats
    se: Floats
    ci_low: Floats
    ci_high: Floats
    p: Floats


def time_dependent_auc_difference(
    a: TimeDependentAUC, b: TimeDependentAUC, *, level: float = 0.95
) -> TimeDependentAUCDifference:
    """Compare two models' areas on the same patients and times.

    Parameters
    ----------
    a, b : TimeDependentAUC
        Computed from the same patients, in one order, at the same times.
    level : float

    Returns
    -------
    TimeDependentAUCDifference

    Raises
    ------
    InvalidInput
        Other patients or times.

    References
    ----------
    Blanche et al., Stat Med 2013; R's ``timeROC::compare``.

    Examples
    --------
    >>> from sarcfeat.metrics import time_dependent_auc
    >>> event, time = [1, 1, 0, 1, 0], [1.0, 2.0, 3.0, 4.0, 5.0]
    >>> a = time_dependent_auc(event, time, [5, 4, 2, 4, 3], [2.5])
    >>> b = time_dependent_auc(event, time, [5, 1, 2, 4, 3], [2.5])
    >>> time_dependent_auc_difference(a, b).delta.round(2)
    array([0.42])
    """
    if a.influence.shape != b.influence.shape or (a.times != b.times).any():
        raise InvalidInput(
            f"The two areas are of {a.influence.shape[1]} and {b.influence.shape[1]} "
            f"patients at the times {a.times} and {b.times}; expected the same."
        )
    delta, se = a.auc - b.auc, influence_error(a.influence - b.influence)
    half = float(norm.ppf((1 + level) / 2)) * se
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2 * norm.sf(np.abs(delta / se))
    return TimeDependentAUCDifference(a.times, delta, se, delta - half, delta + half, p)
