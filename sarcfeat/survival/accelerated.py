"""Accelerated failure times: log T is a linear predictor plus noise of a known shape.

With z = (log t - x'b) / s the log-likelihood of a patient is, for an event,
``f(z) - log s - log t``, else ``S(z)``, where f and S are the log density and log
survival of the noise: of the smallest extreme value for the Weibull, of the normal for
the log-normal. Both and their derivatives are written out; Newton's method does the
rest.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import log_ndtr, ndtr, ndtri

from sarcfeat._validation import pick
from sarcfeat.exceptions import InvalidInput, NoEvents, NotConverged

__all__ = ["AFTFit", "aft_quantile", "aft_survival", "fit_aft"]

Floats = npt.NDArray[np.float64]
Derivatives = tuple[Floats, Floats, Floats]

_MAX_HALVINGS = 40
_STEP_DONE = 1e-9


@dataclass(frozen=True)
class AFTFit:
    """A fitted accelerated-failure-time model.

    Attributes
    ----------
    coef : ndarray of shape (n_columns,)
        Of the columns of X, on log time: above 0 is longer.
    log_scale : float
        Logarithm of s; Weibull's shape is 1/s.
    vcov : ndarray of shape (n_columns + 1, n_columns + 1)
        Covariance of the coefficients and, last, the log scale.
    loglik : float
        Of the times themselves, as R and lifelines count it.
    converged : bool
    n_iter : int
    """

    coef: Floats
    log_scale: float
    vcov: Floats
    loglik: float
    converged: bool
    n_iter: int


def _weibull(z: Floats, event: npt.NDArray[np.bool_]) -> Derivatives:
    hazard = np.exp(np.minimum(z, 500))
    return np.where(event, z, 0.0) - hazard, event - hazard, -hazard


def _normal(z: Floats, event: npt.NDArray[np.bool_]) -> Derivatives:
    survived = log_ndtr(-z)
    # The hazard of the normal, phi(z) / Phi(-z), without leaving the logarithms.
    ratio = np.exp(-(z**2) / 2 - 0.5 * np.log(2 * np.pi) - survived)
    value = np.where(event, -(z**2) / 2 - 0.5 * np.log(2 * np.pi), survived)
    first = np.where(event, -z, -ratio)
    second = np.where(event, -1.0, -ratio * (ratio - z))
    return value, first, second


_SHAPES: dict[str, Callable[[Floats, npt.NDArray[np.bool_]], Derivatives]] = {
    "weibull": _weibull,
    "lognormal": _normal,
}


@dataclass(frozen=True)
class _Data:
    X: Floats
    event: npt.NDArray[np.bool_]
    log_time: Floats
    weight: Floats
    shape: str

    def at(self, theta: Floats) -> tuple[float, Floats, Floats]:
        """Return the log-likelihood, its gradient and its Hessian.

        A step too far gives NaN, which no step search accepts.
        """
        with np.errstate(all="ignore"):
            return self._at(theta)

    def _at(self, theta: Floats) -> tuple[float, Floats, Floats]:
        scale = np.exp(theta[-1])
        z = (self.log_time - self.X @ theta[:-1]) / scale
        value, u, v = _SHAPES[self.shape](z, self.event)
        w, X = self.weight, self.X
        loglik = w @ (value - self.event * (theta[-1] + self.log_time))
        gradient = np.r_[-(X.T @ (w * u)) / scale, -(w @ (u * z + self.event))]
        p = X.shape[1]
        hessian = np.empty((p + 1, p + 1))
        hessian[:p, :p] = X.T @ ((w * v / scale**2)[:, None] * X)
        hessian[:p, p] = hessian[p, :p] = X.T @ (w * (v * z + u) / scale)
        hessian[p, p] = w @ (v * z**2 + u * z)
        return float(loglik), gradient, hessian


def fit_aft(
    X: npt.ArrayLike,
    event: npt.ArrayLike,
    time: npt.ArrayLike,
    *,
    shape: str = "weibull",
    sample_weight: npt.ArrayLike | None = None,
    max_iter: int = 200,
) -> AFTFit:
    """Fit a Weibull or log-normal accelerated-failure-time model.

    Parameters
    ----------
    X : array-like of shape (n_patients, n_columns)
        Including the column of ones, best centred and scaled.
    event : array-like of bool, shape (n_patients,)
    time : array-like of float, shape (n_patients,)
        Above 0.
    shape : {"weibull", "lognormal"}
    sample_weight : array-like of shape (n_patients,), optional
    max_iter : int

    Returns
    -------
    AFTFit

    Raises
    ------
    InvalidInput
        A time of 0, which has no logarithm; or all events at one time, the last.
    NoEvents
        Nobody had the event.

    Warns
    -----
    NotConverged

    References
    ----------
    Kalbfleisch & Prentice, The Statistical Analysis of Failure Time Data, ch. 3; the
    numbers of R's ``survreg`` and of lifelines' ``WeibullAFTFitter``.

    Examples
    --------
    >>> fit = fit_aft(np.ones((3, 1)), [1, 1, 1], [1.0, 2.0, 4.0], shape="lognormal")
    >>> np.exp(fit.coef).round(6)  # the geometric mean
    array([2.])
    """
    pick(shape, _SHAPES, "shape of survival times")
    X, flags = np.asarray(X, dtype=float), np.asarray(event, dtype=bool)
    times = np.asarray(time, dtype=float)
    if (times <= 0).any():
        first = int(np.flatnonzero(times <= 0)[0])
        raise InvalidInput(
            f"{int((times <= 0).sum())} times are 0 (first: row {first}); an "
            "accelerated-failure-time model works on their logarithm. Correct the "
            "dates, or count from half a day."
        )
    if not flags.any():
        raise NoEvents(f"None of the {len(flags)} patients had the event.")
    if np.ptp(times[flags]) == 0 and times.max() == times[flags][0]:
        raise InvalidInput(
            f"All {int(flags.sum())} events are at the time {times.max():g}, where "
            "follow-up ends: such times have no spread to learn a distribution from."
        )
    weight = np.ones(len(flags)) if sample_weight is None else np.asarray(sample_weight)
    data = _Data(X, flags, np.log(times), weight, shape)
    theta = np.zeros(X.shape[1] + 1)
    theta[0] = np.log((weight @ times) / (weight @ flags))
    value, gradient, hessian = data.at(theta)
    converged, n_iter = False, 0
    while not converged and n_iter < max_iter:
        n_iter += 1
        step = _uphill(hessian, gradient)
        for _ in range(_MAX_HALVINGS):
            new = data.at(theta + step)
            if new[0] >= value - 1e-13 * (1 + abs(value)):
                break
            step = step / 2
        if not np.isfinite(new[0]):
            break
        theta = theta + step
        value, gradient, hessian = new
        converged = float(np.abs(step).max()) <= _STEP_DONE * (1 + np.abs(theta).max())
    if not converged:
        warnings.warn(
            f"The {shape} model did not converge in {max_iter} steps. A column may "
            "separate the events: leave it out or merge its categories.",
            NotConverged,
            stacklevel=3,
        )
    vcov = np.asarray(np.linalg.pinv(-hessian, hermitian=True))
    return AFTFit(theta[:-1], float(theta[-1]), vcov, value, converged, n_iter)


def _uphill(hessian: Floats, gradient: Floats) -> Floats:
    """Return Newton's step, turned uphill where the likelihood is not concave."""
    values, vectors = np.linalg.eigh(-hessian)
    curve = np.maximum(np.abs(values), 1e-10 * max(1.0, np.abs(values).max()))
    return np.asarray(vectors @ ((vectors.T @ gradient) / curve))


def aft_survival(z: npt.ArrayLike, shape: str) -> Floats:
    """Return the chance of the noise to lie above z.

    Examples
    --------
    >>> aft_survival([0.0], "lognormal")
    array([0.5])
    """
    z = np.asarray(z, dtype=float)
    if shape == "lognormal":
        return np.asarray(ndtr(-z))
    return np.asarray(np.exp(-np.exp(np.minimum(z, 500))))


def aft_quantile(p: float, shape: str) -> float:
    """Return the z above which the noise lies with chance 1 - p.

    Examples
    --------
    >>> aft_quantile(0.5, "lognormal")
    0.0
    """
    return float(ndtri(p)) if shape == "lognormal" else float(np.log(-np.log1p(-p)))
