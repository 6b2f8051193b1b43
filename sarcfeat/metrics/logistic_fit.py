"""Unpenalised logistic regression by Newton's method: the one fit that all share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import linalg
from scipy.special import expit, logit

__all__ = ["LogisticFit", "fit_logistic"]

Floats = npt.NDArray[np.float64]

_MAX_HALVINGS = 30
_STEP_DONE = 1e-10
_FLAT = 1e-13  # relative gain in log-likelihood under which it no longer rises


@dataclass(frozen=True)
class LogisticFit:
    """A fitted logistic regression.

    Attributes
    ----------
    coef : ndarray of shape (n_columns,)
        Log odds ratios of the columns of X, in its order.
    vcov : ndarray of shape (n_columns, n_columns)
        Their covariance, the inverse of the information.
    loglik : float
    eta : ndarray of shape (n_patients,)
        Log odds of each patient.
    converged : bool
    n_iter : int
    """

    coef: Floats
    vcov: Floats
    loglik: float
    eta: Floats
    converged: bool
    n_iter: int


def _loglik(y: Floats, eta: Floats, weight: Floats) -> float:
    return float(weight @ (y * eta - np.logaddexp(0, eta)))


def _information(X: Floats, eta: Floats, weight: Floats) -> Floats:
    mu = expit(eta)
    return np.asarray(X.T @ ((weight * mu * (1 - mu))[:, None] * X))


def fit_logistic(
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    sample_weight: npt.ArrayLike | None = None,
    offset: npt.ArrayLike | float = 0.0,
    start: npt.ArrayLike | None = None,
    max_iter: int = 100,
) -> LogisticFit:
    """Fit a logistic regression without a penalty.

    Parameters
    ----------
    X : array-like of shape (n_patients, n_columns)
        Including the column of ones, where an intercept is wanted.
    y : array-like of 0 and 1, shape (n_patients,)
    sample_weight : array-like of shape (n_patients,), optional
        Case weights.
    offset : array-like of shape (n_patients,) or float
        Log odds that are given.
    start : array-like of shape (n_columns,), optional
        Where to start; by default at 0, the first column at the mean log odds.
    max_iter : int
        Newton steps, each halved until the likelihood does not fall.

    Returns
    -------
    LogisticFit
        Where the columns separate the outcomes, the coefficients stop where the
        likelihood no longer rises, with standard errors beyond any real one.

    References
    ----------
    McCullagh & Nelder, Generalized Linear Models, 1989; the numbers of R's ``glm``.

    Examples
    --------
    >>> fit = fit_logistic(np.ones((4, 1)), [0, 0, 0, 1])
    >>> fit.coef.round(4)  # log(1/3)
    array([-1.0986])
    """
    X, y = np.asarray(X, dtype=float), np.asarray(y, dtype=float)
    weight = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight)
    given = np.broadcast_to(np.asarray(offset, dtype=float), y.shape)
    # Columns of about 1: grams beside micrograms would make the information singular.
    size = np.sqrt((X**2).mean(axis=0))
    size = np.where(size > 0, size, 1.0)
    X = X / size
    b = np.zeros(X.shape[1])
    if start is not None:
        b = np.asarray(start, dtype=float) * size
    elif len(b):
        share = np.clip(np.average(y, weights=weight), 1e-6, 1 - 1e-6)
        b[0] = (logit(share) - np.average(given, weights=weight)) * size[0]
    eta = X @ b + given
    value = _loglik(y, eta, weight)
    converged, n_iter = not len(b), 0
    while not converged and n_iter < max_iter:
        n_iter += 1
        score = X.T @ (weight * (y - expit(eta)))
        step = np.linalg.lstsq(_information(X, eta, weight), score, rcond=None)[0]
        for _ in range(_MAX_HALVINGS):
            new = _loglik(y, X @ (b + step) + given, weight)
            if new >= value - 1e-12 * (1 + abs(value)):
                break
            step = step / 2
        b, gain, value = b + step, new - value, new
        eta = X @ b + given
        converged = bool(np.abs(step).max() <= _STEP_DONE * (1 + np.abs(b).max()))
        converged = converged or gain <= _FLAT * (1 + abs(value))
    vcov = linalg.pinvh(_information(X, eta, weight)) if len(b) else np.empty((0, 0))
    vcov = np.asarray(vcov) / np.outer(size, size)
    return LogisticFit(b / size, vcov, value, eta, converged, n_iter)
