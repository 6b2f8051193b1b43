"""The elastic-net Cox path on a user's columns, and its cross-validation curve.

Definitions are glmnet's and cv.glmnet's: columns are centred and (when asked) divided
by their 1/n standard deviation; every fold fits its own path with its own penalties,
and its coefficients are interpolated in lambda to the penalties of the whole data.

References
----------
Friedman, Hastie, Tibshirani. J Stat Softw 2010;33(1). Simon et al. J Stat Softw
2011;39(5). Verweij, van Houwelingen. Stat Med 1993;12:2305 (the deviance of a fold).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from sarcfeat._validation import listed
from sarcfeat.estimators._cox_path import CoxPath, PathProblem, cox_paths
from sarcfeat.estimators._partial_likelihood import BreslowLikelihood, Floats
from sarcfeat.exceptions import InvalidInput

__all__ = [
    "Curve",
    "ElasticNet",
    "coefficient_table",
    "cross_validate",
    "decreasing",
    "rescaled_factor",
    "standard_deviation",
    "summarise",
]

HIGHER_IS_BETTER = ("c_index", "auc")

Bools = NDArray[np.bool_]
Rows = NDArray[np.intp]
Fold = tuple[Rows, Rows]


def _mean(X: Floats, weight: Floats | None) -> Floats:
    return X.mean(axis=0) if weight is None else weight @ X / weight.sum()


def standard_deviation(X: Floats, weight: Floats | None = None) -> Floats:
    """Return the 1/n standard deviation of each column, exactly 0 where constant.

    With weights that of the patients for whom the rows stand.

    Examples
    --------
    >>> standard_deviation(np.array([[0.1, 1.0], [0.1, 3.0]]))
    array([0., 1.])
    """
    if weight is None:
        spread = X.std(axis=0)
    else:
        X = X[weight > 0]
        weight = weight[weight > 0]
        spread = np.sqrt(_mean((X - _mean(X, weight)) ** 2, weight))
    spread[spread <= 1e-12 * np.abs(X).max(axis=0, initial=0.0)] = 0.0
    return spread


def rescaled_factor(penalty_factor: ArrayLike | None, p: int) -> Floats:
    """Return the penalty factors, summing to the number of features."""
    if penalty_factor is None:
        return np.ones(p)
    factor = np.asarray(penalty_factor, dtype=float)
    if factor.shape != (p,):
        raise InvalidInput(
            f"penalty_factor must have one number a feature, shape ({p},); got shape "
            f"{factor.shape}."
        )
    if not np.isfinite(factor).all() or (factor < 0).any() or not factor.sum() > 0:
        raise InvalidInput(
            "penalty_factor must hold finite numbers, none below 0 and one above 0 at "
            f"least; got {listed(factor)}. Use CoxPH for a model without a penalty."
        )
    return np.asarray(factor * p / factor.sum())


def decreasing(lambdas: ArrayLike | None) -> Floats | None:
    """Return the penalties given by the user, largest first."""
    if lambdas is None:
        return None
    values = np.atleast_1d(np.asarray(lambdas, dtype=float))
    if values.ndim != 1 or not len(values) or not (values >= 0).all():
        raise InvalidInput(
            f"lambdas must be a list of numbers that are not negative; got {lambdas!r}."
        )
    return np.unique(values)[::-1]


def coefficient_table(names: ArrayLike, coef: Floats, spread: Floats) -> pd.DataFrame:
    """Return ``feature, coef, coef_standardised`` of those not 0, largest first."""
    chosen = np.flatnonzero(coef)
    table = pd.DataFrame(
        {
            "feature": [str(name) for name in np.asarray(names, dtype=object)[chosen]],
            "coef": coef[chosen],
            "coef_standardised": (coef * spread)[chosen],
        }
    )
    order = np.argsort(-table["coef_standardised"].abs().to_numpy(), kind="stable")
    return table.iloc[order].reset_index(drop=True)


@dataclass(frozen=True)
class ElasticNet:
    """What to fit: the penalty, its path and how exactly; see :class:`LassoCox`."""

    l1_ratio: float
    factor: Floats  # one a column, summing to the number of columns
    standardize: bool
    n_lambda: int
    ratio: float | None
    lambdas: Floats | None
    tol: float
    max_iter: int
    n_jobs: int | None = None

    def fit(
        self,
        X: Floats,
        event: Bools,
        time: Floats,
        training: Sequence[Rows],
        weight: Floats | None = None,
    ) -> list[CoxPath]:
        """Fit a path on each training set; coefficients are for the columns of X."""
        problems, scales = [], []
        for rows in training:
            own = None if weight is None else weight[rows]
            problem, scale = self._problem(X[rows], event[rows], time[rows], own)
            problems.append(problem)
            scales.append(scale)
        paths = cox_paths(
            problems,
            self.l1_ratio,
            tol=self.tol,
            max_iter=self.max_iter,
            n_jobs=self.n_jobs,
        )
        return [
            replace(path, coef=path.coef / scale[:, None])
            for path, scale in zip(paths, scales, strict=True)
        ]

    def _problem(
        self, X: Floats, event: Bools, time: Floats, weight: Floats | None
    ) -> tuple[PathProblem, Floats]:
        """Centre and scale; a constant column is all zero, and penalised."""
        spread = standard_deviation(X, weight)
        flat = spread == 0
        scale = np.where(flat | (not self.standardize), 1.0, spread)
        Z = (X - _mean(X, weight)) / scale
        Z[:, flat] = 0.0
        likelihood = BreslowLikelihood.of(event, time, weight)
        n, p = X.shape
        problem = PathProblem(
            Z[likelihood.order],
            likelihood,
            np.where(flat, 1.0, self.factor),
            self.lambdas,
            self.n_lambda,
            self.ratio or (1e-4 if n >= p else 1e-2),
        )
        return problem, scale


@dataclass(frozen=True)
class Curve:
    """The cross-validation curve over the penalties."""

    mean: Floats
    sd: Floats
    n_folds: int

    def choose(self, rule: str, measure: str) -> int:
        """Return the index of the best penalty, or of the largest within one error."""
        loss = -self.mean if measure in HIGHER_IS_BETTER else self.mean
        best = int(np.nanargmin(loss))
        if rule == "min":
            return best
        return int(np.flatnonzero(loss <= loss[best] + self.sd[best])[0])


def _mean_one(weight: Floats | None, rows: Rows) -> Floats | None:
    """Return the weights of some rows as cv.glmnet does: with a mean of 1."""
    return None if weight is None else weight[rows] / weight[rows].mean()


def _deviance_of_fold(
    eta: Floats,
    event: Bools,
    time: Floats,
    train: NDArray[np.intp],
    test: NDArray[np.intp],
    weight: Floats | None,
) -> tuple[Floats, float]:
    """Return what the fold adds to the deviance, per event, and its events."""
    both = np.concatenate([train, test])
    whole, part = (
        BreslowLikelihood.of(event[rows], time[rows], _mean_one(weight, rows))
        for rows in (both, train)
    )
    added = whole.deviances(eta[both][whole.order])
    added = added - part.deviances(eta[train][part.order])
    events = float(event[test].sum() if weight is None else weight[test] @ event[test])
    return added / events, events


def _concordance_of_fold(
    eta: Floats,
    event: Bools,
    time: Floats,
    train: NDArray[np.intp],
    test: NDArray[np.intp],
    weight: Floats | None,
) -> tuple[Floats, float]:
    """Return Harrell's c within the fold (NaN without a pair) and its patients."""
    eta, event, time = eta[test], event[test], time[test]
    w = np.ones(len(test)) if weight is None else weight[test]
    total, concordant = 0.0, np.zeros(eta.shape[1])
    for i in np.flatnonzero(event & (w > 0)):
        after = (time > time[i]) | ((time == time[i]) & ~event)
        later, pair = eta[after], w[i] * w[after]
        total += pair.sum()
        concordant += pair @ ((later < eta[i]) + 0.5 * (later == eta[i]))
    if not total:
        return np.full(eta.shape[1], np.nan), 0.0
    return concordant / total, float(w.sum())


_MEASURES = {"deviance": _deviance_of_fold, "c_index": _concordance_of_fold}


def cross_validate(
    net: ElasticNet,
    X: Floats,
    event: Bools,
    time: Floats,
    folds: Sequence[Fold],
    measure: str,
    weight: Floats | None = None,
) -> tuple[CoxPath, Curve]:
    """Fit the path on all patients and on each fold's, and measure the folds' paths.

    Returns
    -------
    CoxPath
        Of all patients.
    Curve
        Over its penalties.
    """
    centred = X - X.mean(axis=0)
    everyone = np.arange(len(X))
    training = [everyone, *(train for train, _ in folds)]
    path, *parts = net.fit(centred, event, time, training, weight)
    raw, shares = [], []
    for part, (train, test) in zip(parts, folds, strict=True):
        if not len(part.lambdas) or not len(path.lambdas):
            continue
        eta = centred @ part.at(path.lambdas)
        values, share = _MEASURES[measure](eta, event, time, train, test, weight)
        if share:
            raw.append(values)
            shares.append(share)
    return path, summarise(np.array(raw), np.array(shares), len(path.lambdas))


def summarise(raw: Floats, weight: Floats, n_lambda: int) -> Curve:
    """Weighted mean over folds, and the standard error of that mean."""
    if len(raw) < 2:
        nothing = np.full(n_lambda, np.nan)
        return Curve(nothing, nothing, len(raw))
    share = weight / weight.sum()
    mean = share @ raw
    variance = share @ (raw - mean) ** 2
    return Curve(mean, np.sqrt(variance / (len(raw) - 1)), len(raw))
