"""One logistic regression a feature, all features at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit
from scipy.stats import chi2, norm

from sarcfeat.exceptions import InvalidInput

__all__ = ["LogisticEach", "fit_logistic_each"]

MAX_STEPS = 50
# A log odds ratio of 30 a standard deviation is no estimate: the classes are separate.
SEPARATE = 30.0


@dataclass(frozen=True)
class LogisticEach:
    """What each regression found; arrays over features, coefficients a unit of it.

    Attributes
    ----------
    coef, se, p_wald, p_lr : ndarray of shape (n_features,)
    constant : ndarray of bool
        One value: nothing to estimate; p-values are 1.
    separated : ndarray of bool
        The feature tells the classes apart without error: the coefficient is infinite
        (signed), its Wald test is void (1), the likelihood-ratio test is not.
    """

    coef: np.ndarray
    se: np.ndarray
    p_wald: np.ndarray
    p_lr: np.ndarray
    constant: np.ndarray
    separated: np.ndarray


def _likelihood(eta: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (y[:, None] * eta - np.logaddexp(0.0, eta)).sum(axis=0)


def _newton(Z: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return intercepts and slopes (2, n_features) and the variances of the slopes."""
    theta = np.zeros((2, Z.shape[1]))
    theta[0] = np.log(y.mean() / (1 - y.mean()))
    value = _likelihood(theta[0] + theta[1] * Z, y)
    variance = np.full(Z.shape[1], np.inf)
    for _ in range(MAX_STEPS):
        chance = expit(theta[0] + theta[1] * Z)
        weight = chance * (1 - chance)
        residual = y[:, None] - chance
        g0, g1 = residual.sum(axis=0), (residual * Z).sum(axis=0)
        h0, h1 = weight.sum(axis=0), (weight * Z).sum(axis=0)
        h2 = (weight * Z * Z).sum(axis=0)
        det = np.maximum(h0 * h2 - h1 * h1, 1e-290)
        variance = h0 / det
        step = np.stack([h2 * g0 - h1 * g1, h0 * g1 - h1 * g0]) / det
        step = np.clip(step, -5, 5)
        new_value = _likelihood((theta[0] + step[0]) + (theta[1] + step[1]) * Z, y)
        for _ in range(10):
            worse = new_value < value - 1e-12 * np.abs(value)
            if not worse.any():
                break
            step[:, worse] /= 2
            new_value = _likelihood((theta[0] + step[0]) + (theta[1] + step[1]) * Z, y)
        theta = np.clip(theta + step, -2 * SEPARATE, 2 * SEPARATE)
        value = _likelihood(theta[0] + theta[1] * Z, y)
        if np.abs(step).max(initial=0.0) < 1e-10:
            break
    return theta, variance


def _separated(X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return which columns lie wholly on one side of each other, class by class."""
    positive, negative = X[y == 1], X[y == 0]
    above = positive.min(axis=0) >= negative.max(axis=0)
    below = positive.max(axis=0) <= negative.min(axis=0)
    return above | below


def fit_logistic_each(X: np.ndarray, y: np.ndarray) -> LogisticEach:
    """Fit the regression of y on each column of X with an intercept.

    Parameters
    ----------
    X : ndarray of shape (n_patients, n_features)
        Without missing values.
    y : ndarray of 0 and 1

    Raises
    ------
    InvalidInput
        y has one class only.

    Examples
    --------
    >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]])
    >>> each = fit_logistic_each(X, np.array([0, 0, 1, 0, 1, 1]))
    >>> each.coef.round(3), each.p_lr.round(3)
    (array([1.214]), array([0.067]))
    """
    y = np.asarray(y, dtype=float)
    if y.min() == y.max():
        raise InvalidInput(
            f"All {len(y)} patients are of one class ({y[0]:g}); a logistic regression "
            "needs both."
        )
    constant = X.max(axis=0, initial=-np.inf) <= X.min(axis=0, initial=np.inf)
    Z = X - X.mean(axis=0)
    largest = np.abs(Z).max(axis=0, initial=0.0)
    scale = np.where(largest > 0, largest, 1.0)
    Z = Z / scale
    spread = np.sqrt((Z * Z).mean(axis=0))
    constant |= spread <= 1e-13
    spread = np.where(constant, 1.0, spread)
    Z = np.where(constant, 0.0, Z / spread)
    scale = scale * spread
    separated = _separated(X, y) & ~constant
    theta, variance = _newton(Z, y)
    null = _likelihood(np.full((len(y), 1), np.log(y.mean() / (1 - y.mean()))), y)
    gain = 2 * (_likelihood(theta[0] + theta[1] * Z, y) - null)
    p_lr = chi2.sf(np.maximum(gain, 0.0), 1)
    se = np.sqrt(variance)
    coef = np.where(
        separated, np.where(theta[1] > 0, np.inf, -np.inf), theta[1] / scale
    )
    p_wald = 2 * norm.sf(np.abs(theta[1]) / np.where(se > 0, se, 1.0))
    return LogisticEach(
        coef=np.where(constant, 0.0, coef),
        se=np.where(constant, 0.0, np.where(separated, np.inf, se / scale)),
        p_wald=np.where(constant | separated, 1.0, p_wald),
        p_lr=np.where(constant, 1.0, p_lr),
        constant=constant,
        separated=separated,
    )
