"""The ROC curve of a risk at one time, weighted for censoring."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sarcfeat.exceptions import InvalidInput
from sarcfeat.metrics.case_weights import CaseWeights, check_marker
from sarcfeat.survival import make_y

__all__ = ["TimeDependentROC", "time_dependent_roc"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class TimeDependentROC:
    """A ROC curve at one time; thresholds fall, so both rates rise.

    Attributes
    ----------
    threshold : ndarray of shape (n_thresholds,)
        A patient is called positive at or above it; the first is infinite.
    true_positive, false_positive : ndarray of shape (n_thresholds,)
    """

    threshold: Floats
    true_positive: Floats
    false_positive: Floats


def time_dependent_roc(
    event: npt.ArrayLike,
    time: npt.ArrayLike,
    risk: npt.ArrayLike,
    at: float,
    *,
    convention: str = "timeROC",
) -> TimeDependentROC:
    """Compute the cumulative/dynamic ROC curve at one time.

    Parameters
    ----------
    event, time, risk, convention
        As in :func:`time_dependent_auc`.
    at : float
        The horizon.

    Returns
    -------
    TimeDependentROC

    Raises
    ------
    InvalidInput
        Nobody had the event by then, or nobody is followed beyond.

    Examples
    --------
    >>> event, time = [1, 1, 0, 1, 0], [1.0, 2.0, 3.0, 4.0, 5.0]
    >>> time_dependent_roc(event, time, [5, 1, 2, 4, 3], 2.5).true_positive
    array([0. , 0.5, 0.5, 0.5, 0.5, 1. ])
    """
    y = make_y(event, time, zero="keep")
    marker = check_marker(risk, len(y))
    weights = CaseWeights(y["event"].astype(np.int64), y["time"], 1, convention, None)
    case, control, _ = weights.at(at)
    if not (case.sum() > 0 and control.sum() > 0):
        by_then = int((y["event"] & (y["time"] <= at)).sum())
        raise InvalidInput(
            f"A ROC curve at {at:g} needs patients with the event by then and patients "
            f"followed beyond; there are {by_then} and {int((y['time'] > at).sum())}. "
            "Choose another time."
        )
    order = np.argsort(-marker, kind="stable")
    falling = marker[order]
    last = np.r_[falling[1:] != falling[:-1], True]
    rates = [np.cumsum(w[order])[last] / w.sum() for w in (case, control)]
    return TimeDependentROC(
        np.r_[np.inf, falling[last]], np.r_[0.0, rates[0]], np.r_[0.0, rates[1]]
    )
