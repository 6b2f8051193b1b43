"""One interval for a cross-validated c-index, and one for the difference of two.

:class:`FoldPairs` says which pairs count. The bootstrap draws patients: each resample
is a row of weights, and the whole bootstrap a few matrix products.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from sarcfeat.exceptions import NoComparablePairs
from sarcfeat.metrics.fold_pairs import FoldPairs
from sarcfeat.metrics.resampling import resample_weights

__all__ = [
    "CrossValidatedConcordance",
    "PairedDifference",
    "cross_validated_concordance",
    "paired_difference",
]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class CrossValidatedConcordance:
    """A cross-validated c-index with its percentile bootstrap interval.

    Attributes
    ----------
    c_index : float
        Mean over repeats of the mean over folds; NaN when no pair can be compared.
    ci_low, ci_high : float
        Percentile interval over resamples of patients. It says nothing of refitting.
    n_empty_folds : int
        Folds without a comparable pair; they carry no weight.
    n_constant_folds : int
        Folds whose patients were all given one risk (c = 0.5 there).
    bootstrap : ndarray of shape (n_bootstrap,)
        The resampled c-indices.
    """

    c_index: float
    ci_low: float
    ci_high: float
    n_empty_folds: int
    n_constant_folds: int
    bootstrap: Floats = field(repr=False)


@dataclass(frozen=True)
class PairedDifference:
    """Difference of two cross-validated c-indices on the same patients and folds.

    Attributes
    ----------
    delta : float
        c of the first model minus c of the second.
    ci_low, ci_high : float
        Percentile interval; both models see the same resamples.
    p : float
        Two-sided bootstrap p-value.
    bootstrap : ndarray of shape (n_bootstrap,)
        The resampled differences.
    """

    delta: float
    ci_low: float
    ci_high: float
    p: float
    bootstrap: Floats = field(repr=False)


def cross_validated_concordance(
    event: npt.ArrayLike,
    time: npt.ArrayLike,
    risk: npt.ArrayLike,
    fold: npt.ArrayLike,
    *,
    n_bootstrap: int = 1000,
    level: float = 0.95,
    random_state: int | np.random.RandomState | np.random.Generator | None = None,
) -> CrossValidatedConcordance:
    """Summarise out-of-fold risks by one c-index with an interval over patients.

    Parameters
    ----------
    event : array-like of bool or 0/1, shape (n_patients,)
    time : array-like of float, shape (n_patients,)
    risk : array-like of float, shape (n_repeats, n_patients) or (n_patients,)
        Out-of-fold risk; higher is worse. What stands at patients without a
        prediction is not looked at.
    fold : array-like of int, shape of `risk`
        The fold a patient was predicted in; -1 where there was no prediction.
    n_bootstrap : int
        Number of resamples of patients.
    level : float
        Coverage of the interval.
    random_state : int, RandomState, Generator or None
        Seed of the resamples.

    Returns
    -------
    CrossValidatedConcordance

    Raises
    ------
    InvalidInput
        Shapes that do not fit, or a NaN risk where a fold is given.

    Warns
    -----
    NoComparablePairs
        No fold has a comparable pair.

    References
    ----------
    Efron & Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.

    Examples
    --------
    >>> result = cross_validated_concordance(
    ...     [1, 1, 0, 1], [1, 2, 3, 4], [0.9, 0.3, 0.1, 0.5], [0, 1, 1, 0],
    ...     random_state=0)
    >>> result.c_index, result.n_empty_folds
    (1.0, 0)
    """
    pairs = FoldPairs(event, time, [risk], fold)
    weights = _resamples(pairs, n_bootstrap, random_state)
    point = pairs.statistic(np.ones((1, pairs.n_patients)))[0, 0]
    bootstrap = pairs.statistic(weights)[0]
    if np.isnan(point):
        warnings.warn(
            f"No fold of the {pairs.n_patients} patients holds a comparable pair; the "
            "c-index is NaN. Use fewer folds or an endpoint with more events.",
            NoComparablePairs,
            stacklevel=2,
        )
    low, high = _interval(bootstrap, level)
    return CrossValidatedConcordance(
        float(point), low, high, pairs.n_empty, pairs.n_constant, bootstrap
    )


def paired_difference(
    event: npt.ArrayLike,
    time: npt.ArrayLike,
    risk_a: npt.ArrayLike,
    risk_b: npt.ArrayLike,
    fold: npt.ArrayLike,
    *,
    n_bootstrap: int = 1000,
    level: float = 0.95,
    random_state: int | np.random.RandomState | np.random.Generator | None = None,
) -> PairedDifference:
    """Compare two models' out-of-fold risks on the same patients and folds.

    Parameters
    ----------
    event, time, fold, n_bootstrap, level, random_state
        As in :func:`cross_validated_concordance`.
    risk_a, risk_b : array-like of float, shape (n_repeats, n_patients)
        Out-of-fold risks of the two models, predicted in the same folds.

    Returns
    -------
    PairedDifference
        ``delta`` is c of `risk_a` minus c of `risk_b`. ``p`` is two-sided: twice the
        smaller of the shares of resamples in which the difference is <= 0 and >= 0,
        each with one added above and below (so that it is never 0), at most 1.

    References
    ----------
    Davison & Hinkley, Bootstrap Methods and their Application, 1997, section 4.4.

    Examples
    --------
    >>> result = paired_difference([1, 1, 1, 0], [1, 2, 3, 4], [4, 3, 2, 1],
    ...                            [4, 3, 2, 1], [0, 0, 0, 0], random_state=0)
    >>> result.delta, result.p
    (0.0, 1.0)
    """
    pairs = FoldPairs(event, time, [risk_a, risk_b], fold)
    weights = _resamples(pairs, n_bootstrap, random_state)
    point = pairs.statistic(np.ones((1, pairs.n_patients)))[:, 0]
    resampled = pairs.statistic(weights)
    bootstrap = resampled[0] - resampled[1]
    known = bootstrap[~np.isnan(bootstrap)]
    low, high = _interval(bootstrap, level)
    tail = 1 + min(int((known <= 0).sum()), int((known >= 0).sum()))
    p = min(1.0, 2 * tail / (len(known) + 1)) if len(known) else float("nan")
    return PairedDifference(float(point[0] - point[1]), low, high, p, bootstrap)


def _resamples(
    pairs: FoldPairs,
    n_bootstrap: int,
    random_state: int | np.random.RandomState | np.random.Generator | None,
) -> Floats:
    """Draw, for each resample, how often each predicted patient is in it."""
    weights = np.zeros((n_bootstrap, pairs.n_patients))
    n = int(pairs.predicted.sum())
    weights[:, pairs.predicted] = resample_weights(n, n_bootstrap, random_state)
    return weights


def _interval(bootstrap: Floats, level: float) -> tuple[float, float]:
    known = bootstrap[~np.isnan(bootstrap)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
