"""The ROC curve of a score: what each cut finds and what it spares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sarcfeat.exceptions import InvalidInput
from sarcfeat.metrics.binary import check_binary

__all__ = ["ROC", "roc"]

Floats = npt.NDArray[np.float64]

_TIED = 1e-12  # sums of two shares that are one number but for the last digits


@dataclass(frozen=True)
class ROC:
    """A ROC curve; thresholds rise, so sensitivity falls and specificity rises.

    Attributes
    ----------
    threshold : ndarray of shape (n_thresholds,)
        Midway between neighbouring scores, from minus to plus infinity; a patient is
        called positive when the score is at or above it.
    sensitivity, specificity : ndarray of shape (n_thresholds,)
    """

    threshold: Floats
    sensitivity: Floats
    specificity: Floats

    def youden(self) -> float:
        """Return the lowest threshold of largest sensitivity plus specificity."""
        return float(self.best_thresholds()[0])

    def best_thresholds(self) -> Floats:
        """Return every threshold of largest sensitivity plus specificity."""
        index = self.sensitivity + self.specificity
        return np.asarray(self.threshold[index >= index.max() - _TIED])

    def partial_area(self, low: float, high: float = 1.0) -> float:
        """Return the area between two specificities, not rescaled."""
        if not 0 <= low < high <= 1:
            raise InvalidInput(
                f"Expected 0 <= low < high <= 1 for the specificities; got {low:g} and "
                f"{high:g}."
            )
        # Where specificity stays, the curve is upright: from below, its lower end.
        order = np.lexsort((-self.sensitivity, self.specificity))
        x, y = self.specificity[order], self.sensitivity[order]
        inside = (x > low) & (x < high)
        at_low = _level(x, y, low, first=False)
        at_high = _level(x, y, high, first=True)
        xs = np.r_[low, x[inside], high]
        ys = np.r_[at_low, y[inside], at_high]
        return float(np.trapezoid(ys, xs))


def _level(x: Floats, y: Floats, at: float, *, first: bool) -> float:
    here = np.flatnonzero(x == at)
    if len(here):
        return float(y[here[0] if first else here[-1]])
    right = int(np.searchsorted(x, at))
    share = (at - x[right - 1]) / (x[right] - x[right - 1])
    return float(y[right - 1] + share * (y[right] - y[right - 1]))


def roc(y: npt.ArrayLike, score: npt.ArrayLike) -> ROC:
    """Compute the ROC curve of a score.

    Parameters
    ----------
    y : array-like of bool or 0/1, shape (n_patients,)
    score : array-like of float, shape (n_patients,)
        Higher means the outcome is more likely.

    Returns
    -------
    ROC

    References
    ----------
    Thresholds, best threshold and partial area as in R's ``pROC``.

    Examples
    --------
    >>> curve = roc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    >>> curve.sensitivity
    array([1. , 1. , 0.5, 0.5, 0. ])
    >>> curve.best_thresholds(), round(curve.youden(), 3)
    (array([0.225, 0.6  ]), 0.225)
    """
    flags, scores = check_binary(y, score)
    values = np.unique(scores)
    threshold = np.r_[-np.inf, (values[:-1] + values[1:]) / 2, np.inf]
    edges = np.r_[values, np.inf]  # the lowest score called positive
    ill, well = np.sort(scores[flags]), np.sort(scores[~flags])
    below_ill = np.searchsorted(ill, edges, side="left")
    below_well = np.searchsorted(well, edges, side="left")
    return ROC(threshold, 1 - below_ill / len(ill), below_well / len(well))
