"""Pairs of patients within folds: what every rank measure of kept predictions needs.

Out-of-fold risks of different folds come from different models and are never compared
with one another. Within a repeat a measure is all agreeing pairs over all comparable
pairs of its folds, which is the mean over folds weighted by comparable pairs; the
estimate is the mean over repeats. A resample of patients is a row of weights: a
patient drawn k times counts k times in every fold and repeat.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sarcfeat.exceptions import InvalidInput
from sarcfeat.survival import make_y

__all__ = ["FoldPairs"]

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]


@dataclass(frozen=True)
class _Fold:
    """The comparable pairs of one fold: its events (rows) against its patients."""

    repeat: int
    events: Rows
    patients: Rows
    comparable: Floats
    agreeing: list[Floats]


class FoldPairs:
    """The comparable pairs of patients within each fold, for one or more models.

    Parameters
    ----------
    event : array-like of bool or 0/1, shape (n_patients,)
    time : array-like of float, shape (n_patients,)
    risks : sequence of array-like of float, each (n_repeats, n_patients)
        Out-of-fold risks of each model; higher is worse.
    fold : array-like of int, shape (n_repeats, n_patients)
        The fold a patient was predicted in; -1 where there was no prediction.
    event_weight : array-like of float, shape (n_patients,), optional
        What a pair counts, by the patient with the event: ``1 / G(T-)**2`` makes
        Uno's c of Harrell's.
    at : float, optional
        Compare patients with the event by `at` with those free of it at `at`, as the
        cumulative/dynamic area under the ROC curve does, in place of all pairs.

    Attributes
    ----------
    n_patients, n_models, n_repeats : int
    n_empty : int
        Folds without a comparable pair.
    n_constant : int
        Folds whose patients were all given one risk by some model.
    predicted : ndarray of bool, shape (n_patients,)

    Raises
    ------
    InvalidInput
        Shapes that do not fit, or a NaN risk where a fold is given.

    Examples
    --------
    >>> pairs = FoldPairs([1, 1, 0, 1], [1, 2, 3, 4], [[0.9, 0.3, 0.1, 0.5]],
    ...                   [0, 1, 1, 0])
    >>> pairs.statistic(np.ones((1, 4))).tolist()
    [[1.0]]
    """

    def __init__(
        self,
        event: npt.ArrayLike,
        time: npt.ArrayLike,
        risks: Sequence[npt.ArrayLike],
        fold: npt.ArrayLike,
        *,
        event_weight: npt.ArrayLike | None = None,
        at: float | None = None,
    ) -> None:
        y = make_y(event, time, zero="keep")
        folds = np.atleast_2d(np.asarray(fold))
        tables = [np.atleast_2d(np.asarray(risk, dtype=float)) for risk in risks]
        for table in tables:
            _check(table, folds, len(y))
        weight = np.ones(len(y))
        if event_weight is not None:
            weight = np.asarray(event_weight, dtype=float)
        self.n_patients, self.n_models = len(y), len(tables)
        self.n_repeats = len(folds)
        self.n_empty = self.n_constant = 0
        self.predicted: Flags = (folds >= 0).any(axis=0)
        self._folds: list[_Fold] = []
        for repeat, row in enumerate(folds):
            for number in np.unique(row[row >= 0]):
                patients = np.flatnonzero(row == number)
                values = [table[repeat, patients] for table in tables]
                block = _pair_block(repeat, patients, y, values, weight, at)
                self.n_empty += not block.comparable.any()
                self.n_constant += any(np.ptp(value) == 0 for value in values)
                self._folds.append(block)

    def statistic(self, weights: Floats) -> Floats:
        """Return the measure of each model under each row of weights.

        Parameters
        ----------
        weights : ndarray of shape (n_rows, n_patients)
            How often each patient counts; a row of ones for the estimate itself.

        Returns
        -------
        ndarray of shape (n_models, n_rows)
            NaN where no pair can be compared.
        """
        shape = (self.n_models, self.n_repeats, len(weights))
        agreeing, comparable = np.zeros(shape), np.zeros(shape[1:])
        for fold in self._folds:
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

    def influence(self) -> Floats:
        """Return each patient's part of the measure: the infinitesimal jackknife.

        The error is the root of the sum of squares, as in R's
        ``survival::concordance`` with the folds as strata, here of the mean over
        repeats. Of two models on the same patients, the difference's error is that of
        the difference of influences. `event_weight` is taken as known.

        Returns
        -------
        ndarray of shape (n_models, n_patients)
        """
        shape = (self.n_models + 1, self.n_repeats, self.n_patients)
        touched, total = np.zeros(shape), np.zeros(shape[:2])
        for fold in self._folds:
            for k, matrix in enumerate([fold.comparable, *fold.agreeing]):
                total[k, fold.repeat] += matrix.sum()
                touched[k, fold.repeat, fold.events] += matrix.sum(axis=1)
                touched[k, fold.repeat, fold.patients] += matrix.sum(axis=0)
        known = total[0] > 0
        comparable = np.where(known, total[0], 1.0)[:, None]
        found = np.zeros((self.n_models, self.n_patients))
        for model in range(self.n_models):
            c = total[model + 1][:, None] / comparable
            parts = (touched[model + 1] - c * touched[0]) / comparable
            found[model] = parts[known].sum(axis=0)
        return np.asarray(found / known.sum()) if known.any() else found * np.nan

    def by_fold(self) -> Floats:
        """Return the measure of each model in each fold; NaN without a pair.

        Returns
        -------
        ndarray of shape (n_models, n_folds over all repeats)
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.array(
                [
                    [
                        fold.agreeing[model].sum() / fold.comparable.sum()
                        for fold in self._folds
                    ]
                    for model in range(self.n_models)
                ]
            )


def _check(table: Floats, folds: Rows, n: int) -> None:
    if table.shape != folds.shape or folds.shape[1] != n:
        raise InvalidInput(
            f"risk has shape {table.shape} and fold {folds.shape}; expected "
            f"(n_repeats, {n}) for both."
        )
    bad = np.isnan(table) & (folds >= 0)
    if bad.any():
        repeat, patient = np.argwhere(bad)[0]
        raise InvalidInput(
            f"{int(bad.sum())} out-of-fold risks are NaN (first: repeat {repeat}, "
            f"fold {folds[repeat, patient]}, patient in row {patient}). Put -1 in "
            "fold where there is no prediction."
        )


def _pair_block(
    repeat: int,
    patients: Rows,
    y: npt.NDArray[np.void],
    risks: list[Floats],
    weight: Floats,
    at: float | None,
) -> _Fold:
    event, time = y["event"][patients], y["time"][patients]
    if at is None:
        rows = np.flatnonzero(event)
        later = time[rows, None] < time
        later |= (time[rows, None] == time) & ~event
    else:
        rows = np.flatnonzero(event & (time <= at))
        later = np.tile(time > at, (len(rows), 1))
    comparable = later * weight[patients[rows], None]
    agreeing = []
    for risk in risks:
        sign = np.sign(risk[rows, None] - risk)
        agreeing.append(comparable * ((1 + sign) / 2))
    return _Fold(repeat, patients[rows], patients, comparable, agreeing)
