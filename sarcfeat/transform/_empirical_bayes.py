"""ComBat's location and scale of each batch, shrunk across features.

The model (Johnson, Li and Rabinovic): a value is a grand mean, plus the effect of
covariates, plus the batch's shift ``gamma`` and noise of its variance ``delta``, both
in units of the pooled standard deviation. The shifts and variances of one batch are
drawn towards their common distribution over all features. Every rule, the one that
stops the iteration included, is that of R's sva 3.46, so that the numbers are equal.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from sarcfeat.exceptions import NotConverged

__all__ = [
    "LocationScale",
    "adjust",
    "batch_design",
    "count_mean_square",
    "fit_location_scale",
    "posterior",
    "unadjustable",
]

# The largest relative step at which sva stops; iterating further moves values by 3e-5.
STEP = 1e-4
MAX_ITERATIONS = 1000
# Likelihoods held in memory at once by the non-parametric prior (features x features).
CELLS = 4_000_000


@dataclass(frozen=True)
class LocationScale:
    """What ComBat learns; arrays over features, or batches x features.

    Attributes
    ----------
    grand_mean, scale : ndarray of shape (n_features,)
    beta : ndarray of shape (n_covariates, n_features)
    gamma, delta : ndarray of shape (n_batches, n_features)
        Shift and variance of each batch after shrinkage, in units of `scale`.
    """

    grand_mean: np.ndarray
    scale: np.ndarray
    beta: np.ndarray
    gamma: np.ndarray
    delta: np.ndarray


def least_squares(design: np.ndarray, X: np.ndarray) -> np.ndarray:
    """Return the coefficients of each column of X, missing values left out.

    Columns that miss the same patients are solved together. A column whose remaining
    patients do not determine the coefficients gets NaN.
    """
    missing = np.isnan(X)
    if not missing.any():
        return np.linalg.lstsq(design, X, rcond=None)[0]
    found = np.full((design.shape[1], X.shape[1]), np.nan)
    patterns, group = np.unique(missing, axis=1, return_inverse=True)
    for number in range(patterns.shape[1]):
        there = ~patterns[:, number]
        columns = group.ravel() == number
        if np.linalg.matrix_rank(design[there]) == design.shape[1]:
            part = X[np.ix_(there, columns)]
            found[:, columns] = np.linalg.lstsq(design[there], part, rcond=None)[0]
    return found


def fit_location_scale(
    X: np.ndarray,
    batch: np.ndarray,
    covariates: np.ndarray,
    *,
    reference: int | None = None,
    parametric: bool = True,
    mean_only: bool = False,
) -> LocationScale:
    """Learn the batch effects of training patients.

    Parameters
    ----------
    X : ndarray of shape (n_patients, n_features)
        NaN where a value is missing.
    batch : ndarray of int, shape (n_patients,)
        Numbers 0, 1, … of the batches.
    covariates : ndarray of shape (n_patients, n_covariates)
    reference : int, optional
        The batch that the others are brought to.
    parametric : bool
        Normal and inverse-gamma priors; else the features themselves are the prior.
    mean_only : bool
        Leave the variances alone.

    Returns
    -------
    LocationScale
        NaN in a feature that cannot be standardised.
    """
    batches = batch_design(batch, reference)
    n_batches = batches.shape[1]
    beta = least_squares(np.hstack([batches, covariates]), X)
    grand_mean = _grand_mean(beta, batch, n_batches, reference)
    mean = grand_mean + covariates @ beta[n_batches:]
    residual = X - batches @ beta[:n_batches] - covariates @ beta[n_batches:]
    if reference is not None:
        residual = residual[batch == reference]
    scale = np.sqrt(_pooled_variance(residual, bool(np.isnan(X).any())))
    # A residual of the size of rounding is no variance.
    scale[scale <= 1e-13 * np.nanmax(np.abs(X), axis=0, initial=0.0)] = np.nan
    Z = (X - mean) / scale
    gamma, delta = _shrink(Z, batch, batches, parametric, mean_only)
    if reference is not None:
        gamma[reference], delta[reference] = 0.0, 1.0
    return LocationScale(grand_mean, scale, beta[n_batches:], gamma, delta)


def batch_design(batch: np.ndarray, reference: int | None) -> np.ndarray:
    """Return one indicator column a batch; the reference batch is the intercept."""
    design = np.eye(int(batch.max()) + 1)[batch]
    if reference is not None:
        design[:, reference] = 1.0
    return design


def _grand_mean(
    beta: np.ndarray, batch: np.ndarray, n_batches: int, reference: int | None
) -> np.ndarray:
    if reference is not None:
        return beta[reference]
    return np.bincount(batch, minlength=n_batches) / len(batch) @ beta[:n_batches]


def _pooled_variance(residual: np.ndarray, any_missing: bool) -> np.ndarray:
    """Return the variance left; sva divides by n, by n - 1 if a value is missing."""
    if not any_missing:
        return (residual**2).mean(axis=0)
    return _variance(residual)


def count_mean_square(Z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return n, mean and sum of squares about it, of each column without its NaN."""
    there = ~np.isnan(Z)
    n = there.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(there, Z, 0.0).sum(axis=0) / n
    return n, mean, (np.where(there, Z - mean, 0.0) ** 2).sum(axis=0)


def _variance(Z: np.ndarray) -> np.ndarray:
    n, _, square = count_mean_square(Z)
    with np.errstate(invalid="ignore", divide="ignore"):
        return square / (n - 1)


def _shrink(
    Z: np.ndarray,
    batch: np.ndarray,
    design: np.ndarray,
    parametric: bool,
    mean_only: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Return shift and variance of each batch, drawn towards those of all features."""
    gamma = least_squares(design, Z)
    delta = np.ones_like(gamma)
    solved = np.isfinite(gamma).all(axis=0)
    for number in range(len(gamma)):
        rows = Z[batch == number][:, solved]
        shift = gamma[number, solved]
        spread = np.ones_like(shift) if mean_only else _variance(rows)
        if solved.sum() > 1:  # one feature alone has nothing to be drawn towards
            shift, spread = posterior(rows, shift, spread, parametric, mean_only)
        gamma[number, solved], delta[number, solved] = shift, spread
    return gamma, delta


def posterior(
    Z: np.ndarray,
    gamma: np.ndarray,
    delta: np.ndarray,
    parametric: bool,
    mean_only: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the shrunken shift and variance of one batch."""
    n, mean, square = count_mean_square(Z)
    if not parametric:
        return _posterior_empirical(n, mean, square, gamma, delta)
    centre, spread = gamma.mean(), gamma.var(ddof=1)
    if mean_only:
        # sva shrinks with a batch size of 1 here, whatever the batch's size.
        return _posterior_mean(gamma, centre, 1.0, delta, spread), delta
    return _posterior_normal(n, mean, square, gamma, delta)


def _posterior_mean(
    gamma: np.ndarray,
    centre: float,
    n: np.ndarray | float,
    delta: np.ndarray,
    spread: float,
) -> np.ndarray:
    return (spread * n * gamma + delta * centre) / (spread * n + delta)


def _posterior_normal(
    n: np.ndarray,
    mean: np.ndarray,
    square: np.ndarray,
    gamma: np.ndarray,
    delta: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Alternate between shift and variance until both hardly move."""
    centre, spread = gamma.mean(), gamma.var(ddof=1)
    m, s2 = delta.mean(), delta.var(ddof=1)
    if s2 <= 0:  # every variance is alike: the prior allows no other
        return _posterior_mean(gamma, centre, n, delta, spread), delta
    a, b = (2 * s2 + m**2) / s2, (m * s2 + m**3) / s2
    old_gamma, old_delta = gamma, delta
    for _ in range(MAX_ITERATIONS):
        new_gamma = _posterior_mean(gamma, centre, n, old_delta, spread)
        total = square + n * (mean - new_gamma) ** 2
        new_delta = (0.5 * total + b) / (n / 2 + a - 1)
        step = max(_step(new_gamma, old_gamma), _step(new_delta, old_delta))
        old_gamma, old_delta = new_gamma, new_delta
        if step <= STEP:
            return new_gamma, new_delta
    warnings.warn(
        f"ComBat's batch effects still move by {step:.2g} (relative) after "
        f"{MAX_ITERATIONS} rounds.",
        NotConverged,
        stacklevel=2,
    )
    return old_gamma, old_delta


def _step(new: np.ndarray, old: np.ndarray) -> float:
    """Return the largest relative step; sva keeps the sign of what it divides by."""
    moved = new != old
    with np.errstate(divide="ignore"):
        return float(np.max(np.abs(new - old)[moved] / old[moved], initial=0.0))


def _posterior_empirical(
    n: np.ndarray,
    mean: np.ndarray,
    square: np.ndarray,
    gamma: np.ndarray,
    delta: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Average over the other features, weighted by how well each explains this one."""
    p = len(gamma)
    new_gamma, new_delta = np.empty(p), np.empty(p)
    width = max(1, CELLS // p)
    for start in range(0, p, width):
        part = np.arange(start, min(start + width, p))
        total = square[part, None] + n[part, None] * (mean[part, None] - gamma) ** 2
        log_weight = -0.5 * (n[part, None] * np.log(2 * np.pi * delta) + total / delta)
        log_weight[np.arange(len(part)), part] = -np.inf
        weight = np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
        weight /= weight.sum(axis=1, keepdims=True)
        new_gamma[part], new_delta[part] = weight @ gamma, weight @ delta
    return new_gamma, new_delta


def adjust(
    X: np.ndarray, batch: np.ndarray, covariates: np.ndarray, model: LocationScale
) -> np.ndarray:
    """Take the batch effects out of any patients' values.

    Parameters
    ----------
    X : ndarray of shape (n_patients, n_features)
    batch : ndarray of int, shape (n_patients,)
        Numbers of the batches of the fit.
    covariates : ndarray of shape (n_patients, n_covariates)
    model : LocationScale
    """
    mean = model.grand_mean + covariates @ model.beta
    Z = (X - mean) / model.scale
    Z = (Z - model.gamma[batch]) / np.sqrt(model.delta[batch])
    return Z * model.scale + mean


def unadjustable(values: np.ndarray, codes: np.ndarray, mean_only: bool) -> np.ndarray:
    """Return why a feature has to pass unchanged; an empty text where it has not."""
    why = np.full(values.shape[1], "", dtype=object)
    for code in range(codes.max() + 1):
        rows = values[codes == code]
        there = (~np.isnan(rows)).sum(axis=0)
        high = np.max(rows, axis=0, where=~np.isnan(rows), initial=-np.inf)
        low = np.min(rows, axis=0, where=~np.isnan(rows), initial=np.inf)
        few = there < (1 if mean_only else 2)
        # As in sva: one patient alone is no constant.
        constant = (high == low) & (len(rows) > 1) & ~few
        why[constant & (why == "")] = "constant within a batch"
        why[few & (why == "")] = "missing in a batch"
    return why
