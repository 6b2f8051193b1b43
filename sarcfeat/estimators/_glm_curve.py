"""The cross-validation curve of a logistic or linear path, as cv.glmnet draws it.

Each fold fits its own path; its coefficients are interpolated in lambda to the
penalties of the whole data. A fold's measure is the (weighted) mean over its patients,
or its AUC; the curve is the mean over folds, weighted by their patients.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import rankdata
from sklearn.model_selection import StratifiedKFold

from sarcfeat.estimators._elastic_net import Curve, summarise
from sarcfeat.estimators._event_folds import Fold
from sarcfeat.estimators._glm_path import GLMPath, PenalisedGLM, deviances
from sarcfeat.exceptions import FewEvents, InvalidInput

__all__ = ["class_folds", "cross_validate_glm"]

Floats = NDArray[np.float64]


def _auc(y: Floats, eta: Floats, weight: Floats) -> Floats:
    """Return the area under the ROC curve of each column; ties count one half."""
    cases, controls = y == 1, y == 0
    if not cases.any() or not controls.any():
        return np.full(eta.shape[1], np.nan)
    if np.ptp(weight) == 0:
        rank = rankdata(eta, axis=0)
        n1, n0 = cases.sum(), controls.sum()
        return np.asarray((rank[cases].sum(axis=0) - n1 * (n1 + 1) / 2) / (n1 * n0))
    higher = np.sign(eta[cases][:, None, :] - eta[controls][None, :, :]) / 2 + 0.5
    pairs = weight[cases][:, None] * weight[controls][None, :]
    return np.asarray(np.tensordot(pairs, higher, 2) / pairs.sum())


def _of_fold(
    measure: str, family: str, y: Floats, eta: Floats, weight: Floats
) -> Floats:
    if measure == "auc":
        return _auc(y, eta, weight)
    if measure == "class":
        p = eta if family == "gaussian" else expit(eta)
        losses = (y[:, None] == 1) != (p > 0.5)
    else:
        losses = deviances(family, y, eta, clip=True)
    return np.asarray(np.average(losses, axis=0, weights=weight))


def cross_validate_glm(
    net: PenalisedGLM,
    X: Floats,
    y: Floats,
    weight: Floats,
    folds: Sequence[Fold],
    measure: str,
) -> tuple[GLMPath, Curve]:
    """Fit the path on all patients and on each fold's, and measure the folds' paths."""
    path = net.fit(X, y, weight)
    raw, share = [], []
    for train, test in folds:
        part = net.fit(X[train], y[train], weight[train])
        coef, intercept = part.at(path.lambdas)
        eta = X[test] @ coef + intercept
        found = _of_fold(measure, net.family, y[test], eta, weight[test])
        if np.isfinite(found).all():
            raw.append(found)
            share.append(weight[test].sum())
    return path, summarise(np.array(raw), np.array(share), len(path.lambdas))


def class_folds(
    cv: Any, X: Any, y: NDArray[np.intp], random_state: Any, who: str
) -> list[Fold]:
    """Return the (train, test) rows of each fold with both classes to learn from.

    Parameters
    ----------
    cv : int, array-like of fold labels or splitter
        A number makes folds stratified by class, as many as the rarer class at most.
    X : array-like
        Handed to the splitter.
    y : ndarray of 0 and 1

    Warns
    -----
    FewEvents
        Fewer folds than asked for could be used.
    """
    folds = list(_drawn(cv, X, y, random_state, who))
    good = [fold for fold in folds if len(np.unique(y[fold[0]])) == 2 and len(fold[1])]
    if len(good) < 2:
        raise InvalidInput(
            f"{who}: {len(good)} of {len(folds)} folds have both classes to learn "
            "from; at least 2 are needed. Pass fewer folds, or cv=10 for folds "
            "stratified by class."
        )
    if len(good) < len(folds):
        warnings.warn(
            f"{who}: {len(folds) - len(good)} of {len(folds)} folds have one class "
            "only to learn from and are left out.",
            FewEvents,
            stacklevel=4,
        )
    return good


def _drawn(cv: Any, X: Any, y: NDArray[np.intp], random_state: Any, who: str) -> Any:
    if hasattr(cv, "split"):
        return cv.split(X, y)
    if np.ndim(cv):
        label = np.asarray(cv)
        if label.shape != y.shape:
            raise InvalidInput(
                f"{who}: cv given as fold labels must have one label a patient, shape "
                f"{y.shape}; got shape {label.shape}."
            )
        return [
            (np.flatnonzero(label != k), np.flatnonzero(label == k))
            for k in np.unique(label)
        ]
    rarer = int(min(y.sum(), len(y) - y.sum()))
    if rarer < 2:
        raise InvalidInput(
            f"{who}: the rarer class has {rarer} of {len(y)} patients and cannot be "
            "spread over cross-validation folds; at least 2 are needed."
        )
    if rarer < cv:
        warnings.warn(
            f"{who}: {cv} folds were asked for and the rarer class has {rarer} of "
            f"{len(y)} patients; {rarer} folds are used, one of it in each.",
            FewEvents,
            stacklevel=5,
        )
    splitter = StratifiedKFold(
        min(int(cv), rarer), shuffle=True, random_state=random_state
    )
    return splitter.split(np.empty((len(y), 0)), y)
