"""One Cox model for each column, all of them at once.

Newton's method for thousands of one-column models takes the same few steps for each,
so the columns move together: a step costs a few passes over X, however many columns.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2

from sarcfeat._validation import listed
from sarcfeat.exceptions import NotConverged
from sarcfeat.survival.risk_sets import RiskSets

__all__ = ["CoxEach", "fit_cox_each"]

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_STEP_DONE = 1e-6  # Newton's error after such a step is of the order of 1e-12
_FLAT = 1e-12
_STEP_OPEN = 1e-3
_MAX_STEPS = 50
_CELLS = 100_000  # patients times columns worked on at once: stays in the cache


@dataclass(frozen=True)
class CoxEach:
    """A Cox model for each column on its own.

    Attributes
    ----------
    coef, se : ndarray of shape (n_features,)
        Log hazard ratio a unit of the column, and its standard error; 0 and NaN for a
        column that is constant where it matters.
    p_wald, p_lr, p_score : ndarray of shape (n_features,)
        P-values of the three tests of no effect; 1 for a constant column.
    loglik : ndarray of shape (n_features,)
    loglik_null : float
    constant : ndarray of bool, shape (n_features,)
    diverging : ndarray of bool, shape (n_features,)
        The coefficient runs to infinity: the column separates the events.
    """

    coef: Floats
    se: Floats
    p_wald: Floats
    p_lr: Floats
    p_score: Floats
    loglik: Floats
    loglik_null: float
    constant: Flags
    diverging: Flags


class _At(NamedTuple):
    """Log-likelihood and derivatives at one coefficient a column."""

    loglik: Floats
    score: Floats
    information: Floats


def fit_cox_each(
    X: npt.ArrayLike, sets: RiskSets, *, names: Sequence[str] | None = None
) -> CoxEach:
    """Fit a Cox model on each column of X on its own.

    Parameters
    ----------
    X : array-like of shape (n_patients, n_features)
    sets : RiskSets
        The target, with its ties, weights, strata and entry times.
    names : sequence of str, optional
        Column names for the warning.

    Returns
    -------
    CoxEach

    Warns
    -----
    NotConverged
        Coefficients that run to infinity; the columns are named. Their likelihood-ratio
        and score tests still hold, the Wald test does not.

    References
    ----------
    Numbers agree with R's ``survival::coxph`` column by column (golden case
    ``cox_univariate``).

    Examples
    --------
    >>> sets = RiskSets([1, 1, 1, 0], [1.0, 2.0, 3.0, 4.0])
    >>> X = np.array([[1.0, 5.0], [0.0, 5.0], [1.0, 5.0], [0.0, 5.0]])
    >>> each = fit_cox_each(X, sets)
    >>> each.coef.round(3), each.constant
    (array([0.941, 0.   ]), array([False,  True]))
    """
    X = np.asarray(X, dtype=float)
    n, p = X.shape
    width = max(1, _CELLS // max(n, 1))
    parts = [_fit_block(X[:, at : at + width], sets) for at in range(0, p, width)]
    if not parts:
        parts = [_fit_block(X, sets)]
    each = _joined(parts)
    if each.diverging.any():
        known = names or [f"x{j}" for j in range(p)]
        runs = [name for name, d in zip(known, each.diverging, strict=True) if d]
        warnings.warn(
            f"The coefficient of {listed(runs)} runs to infinity: the column separates "
            "the events. Its Wald test does not hold; use test='lr' or test='score'.",
            NotConverged,
            stacklevel=2,
        )
    return each


def _joined(parts: list[CoxEach]) -> CoxEach:
    together = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in CoxEach.__dataclass_fields__
        if name != "loglik_null"
    }
    return CoxEach(loglik_null=parts[0].loglik_null, **together)


def _fit_block(X: Floats, sets: RiskSets) -> CoxEach:
    centre, scale = X.mean(axis=0), X.std(axis=0)
    flat = scale <= 1e-12 * np.abs(centre)
    scale = np.where(flat, 1.0, scale)
    Z = (X - centre) / scale
    null = _evaluate(np.zeros(X.shape[1]), Z, sets)
    loglik_null = _null_loglik(sets)
    constant = flat | ~(null.information > 1e-12)
    coef, found, diverging = _newton(Z, sets, null, ~constant)
    with np.errstate(divide="ignore", invalid="ignore"):
        se = np.where(constant, np.nan, 1 / np.sqrt(found.information))
        wald = (coef / se) ** 2
        score = null.score**2 / null.information
    lr = np.maximum(2 * (found.loglik - loglik_null), 0)

    def p_of(statistic: Floats) -> Floats:
        return np.where(constant, 1.0, chi2.sf(statistic, 1))

    return CoxEach(
        coef=coef / scale,
        se=se / scale,
        p_wald=p_of(wald),
        p_lr=p_of(lr),
        p_score=p_of(score),
        loglik=np.where(constant, loglik_null, found.loglik),
        loglik_null=loglik_null,
        constant=constant,
        diverging=diverging,
    )


def _newton(
    Z: Floats, sets: RiskSets, null: _At, active: Flags
) -> tuple[Floats, _At, Flags]:
    coef = np.zeros(Z.shape[1])
    found = _At(*(values.copy() for values in null))
    diverging = np.zeros(Z.shape[1], dtype=bool)
    moving = np.flatnonzero(active)
    for _ in range(_MAX_STEPS):
        if not len(moving):
            break
        step = found.score[moving] / found.information[moving]
        before = found.loglik[moving]
        taken, there = _halved(coef[moving], step, before, Z[:, moving], sets)
        coef[moving] += taken
        for values, new in zip(found, there, strict=True):
            values[moving] = new
        size = np.abs(taken)
        done = size <= _STEP_DONE * (1 + np.abs(coef[moving]))
        level = there.loglik - before <= _FLAT * (1 + np.abs(there.loglik))
        endless = level & (size > _STEP_OPEN)
        diverging[moving[endless]] = True
        moving = moving[~done & ~endless]
    diverging[moving] = True
    return coef, found, diverging


def _halved(
    coef: Floats, step: Floats, loglik: Floats, Z: Floats, sets: RiskSets
) -> tuple[Floats, _At]:
    """Halve the step of each column until its likelihood does not fall."""
    there = _evaluate(coef + step, Z, sets)
    slack = 1e-13 * (1 + np.abs(loglik))
    for _ in range(30):
        fell = ~(there.loglik >= loglik - slack) | ~(there.information > 0)
        if not fell.any():
            break
        step = np.where(fell, step / 2, step)
        again = _evaluate(coef[fell] + step[fell], Z[:, fell], sets)
        for values, new in zip(there, again, strict=True):
            values[fell] = new
    return step, there


def _evaluate(coef: Floats, Z: Floats, sets: RiskSets) -> _At:
    factor = sets.term_weight[:, None]
    dying = np.where(sets.event, sets.weight, 0.0)
    eta = Z * coef
    if len(eta):
        eta -= eta.max(axis=0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        v = sets.weight[:, None] * (np.exp(eta) if coef.any() else 1.0 + eta)
        total = sets.term_sums(v)
        v *= Z
        mean = sets.term_sums(v) / total
        v *= Z
        square = sets.term_sums(v) / total
        logs = np.where(factor > 0, np.log(total), 0.0)
        loglik = dying @ eta - (factor * logs).sum(axis=0)
    score = dying @ Z - (factor * mean).sum(axis=0)
    information = (factor * (square - mean**2)).sum(axis=0)
    return _At(loglik, score, information)


def _null_loglik(sets: RiskSets) -> float:
    return float(_evaluate(np.zeros(1), np.zeros((len(sets.time), 1)), sets).loglik[0])
