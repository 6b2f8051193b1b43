"""One interval for a cross-validated c-index, and one for the difference of two.

Out-of-fold risks of different folds come from different models and are never compared
with one another. Within a repeat the c-index is the mean over folds, weighted by the
comparable pairs of the fold, which is all agreeing pairs over all comparable pairs;
the estimate is the mean over repeats. The bootstrap draws patients: a patient drawn k
times counts k times in every fold and repeat, which makes each resample a row of
weights and the whole bootstrap a few matrix products.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from sarcfeat.exceptions import InvalidInput, NoComparablePairs
from sarcfeat.survival import make_y

__all__ = [
    "CrossValidatedConcordance",
    "PairedDifference",
    "cross_validated_concordance",
    "paired_difference",
]

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


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
    blocks = _blocks(event, time, [risk], fold)
    weights = _resamples(blocks, n_bootstrap, random_state)
    point = _statistic(blocks, np.ones((1, blocks.n_patients)))[0, 0]
    bootstrap = _statistic(blocks, weights)[0]
    if np.isnan(point):
        warnings.warn(
            f"No fold of the {blocks.n_patients} patients holds a comparable pair; the "
            "c-index is NaN. Use fewer folds or an endpoint with more events.",
            NoComparablePairs,
            stacklevel=2,
        )
    low, high = _interval(bootstrap, level)
    return CrossValidatedConcordance(
        float(point), low, high, blocks.n_empty, blocks.n_constant, bootstrap
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
    blocks = _blocks(event, time, [risk_a, risk_b], fold)
    weights = _resamples(blocks, n_bootstrap, random_state)
    point = _statistic(blocks, np.ones((1, blocks.n_patients)))[:, 0]
    resampled = _statistic(blocks, weights)
    bootstrap = resampled[0] - resampled[1]
    known = bootstrap[~np.isnan(bootstrap)]
    low, high = _interval(bootstrap, level)
    tail = 1 + min(int((known <= 0).sum()), int((known >= 0).sum()))
    p = min(1.0, 2 * tail / (len(known) + 1)) if len(known) else float("nan")
    return PairedDifference(float(point[0] - point[1]), low, high, p, bootstrap)


@dataclass(frozen=True)
class _Fold:
    """The comparable pairs of one fold: its events (rows) against its patients."""

    repeat: int
    events: npt.NDArray[np.intp]
    patients: npt.NDArray[np.intp]
    comparable: Floats
    agreeing: list[Floats]


@dataclass(frozen=True)
class _Blocks:
    folds: list[_Fold]
    n_patients: int
    n_models: int
    n_repeats: int
    n_empty: int
    n_constant: int
    predicted: Flags


def _blocks(
    event: npt.ArrayLike,
    time: npt.ArrayLike,
    risks: list[npt.ArrayLike],
    fold: npt.ArrayLike,
) -> _Blocks:
    y = make_y(event, time, zero="keep")
    folds = np.atleast_2d(np.asarray(fold))
    tables = [np.atleast_2d(np.asarray(risk, dtype=float)) for risk in risks]
    for table in tables:
        if table.shape != folds.shape or folds.shape[1] != len(y):
            raise InvalidInput(
                f"risk has shape {table.shape} and fold {folds.shape}; expected "
                f"(n_repeats, {len(y)}) for both."
            )
        bad = np.isnan(table) & (folds >= 0)
        if bad.any():
            repeat, patient = np.argwhere(bad)[0]
            raise InvalidInput(
                f"{int(bad.sum())} out-of-fold risks are NaN (first: repeat {repeat}, "
                f"fold {folds[repeat, patient]}, patient in row {patient}). Put -1 in "
                "fold where there is no prediction."
            )
    found, n_empty, n_constant = [], 0, 0
    for repeat, row in enumerate(folds):
        for number in np.unique(row[row >= 0]):
            patients = np.flatnonzero(row == number)
            values = [table[repeat, patients] for table in tables]
            block = _pair_block(repeat, patients, y, values)
            n_empty += not block.comparable.any()
            n_constant += any(np.ptp(value) == 0 for value in values)
            found.append(block)
    predicted = (folds >= 0).any(axis=0)
    return _Blocks(
        found, len(y), len(tables), len(folds), n_empty, n_constant, predicted
    )


def _pair_block(
    repeat: int,
    patients: npt.NDArray[np.intp],
    y: np.ndarray,
    risks: list[Floats],
) -> _Fold:
    event, time = y["event"][patients], y["time"][patients]
    rows = np.flatnonzero(event)
    later = time[rows, None] < time
    later |= (time[rows, None] == time) & ~event
    agreeing = []
    for risk in risks:
        sign = np.sign(risk[rows, None] - risk)
        agreeing.append(np.where(later, (1 + sign) / 2, 0.0))
    return _Fold(repeat, patients[rows], patients, later.astype(float), agreeing)


def _resamples(
    blocks: _Blocks,
    n_bootstrap: int,
    random_state: int | np.random.RandomState | np.random.Generator | None,
) -> Floats:
    """Draw, for each resample, how often each predicted patient is in it."""
    if isinstance(random_state, np.random.RandomState):
        random_state = np.random.default_rng(random_state.randint(2**31))
    rng = np.random.default_rng(random_state)
    weights = np.zeros((n_bootstrap, blocks.n_patients))
    n = int(blocks.predicted.sum())
    if n:
        drawn = rng.multinomial(n, np.full(n, 1 / n), size=n_bootstrap)
        weights[:, blocks.predicted] = drawn
    return weights


def _statistic(blocks: _Blocks, weights: Floats) -> Floats:
    """Return the c-index of each model under each row of weights."""
    shape = (blocks.n_models, blocks.n_repeats, len(weights))
    agreeing, comparable = np.zeros(shape), np.zeros(shape[1:])
    for fold in blocks.folds:
        first, second = weights[:, fold.events], weights[:, fold.patients]
        pairs = second @ fold.comparable.T
        comparable[fold.repeat] += np.einsum("be,be->b", first, pairs)
        for model, matrix in enumerate(fold.agreeing):
            pairs = second @ matrix.T
            agreeing[model, fold.repeat] += np.einsum("be,be->b", first, pairs)
    counted = comparable > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        by_repeat = np.where(counted, agreeing / comparable, 0.0)
        # A repeat without a comparable pair is left out of the mean.
        return np.asarray(by_repeat.sum(axis=1) / counted.sum(axis=0))


def _interval(bootstrap: Floats, level: float) -> tuple[float, float]:
    known = bootstrap[~np.isnan(bootstrap)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
