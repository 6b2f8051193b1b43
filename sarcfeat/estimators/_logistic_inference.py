"""Tests and intervals of a logistic regression, plain or with Firth's penalty.

The columns come centred, scaled and independent; an intercept is put before them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import linalg
from scipy.optimize import brentq
from scipy.special import expit
from scipy.stats import chi2, norm

from sarcfeat.metrics import LogisticFit, fit_logistic
from sarcfeat.survival import wald_test

__all__ = ["LogisticResult", "firth", "odds_table", "plain"]

Floats = npt.NDArray[np.float64]
Test = tuple[float, int, float]

# Log odds this far from 0 are no estimate: the columns may separate the classes.
SUSPECT = 15.0
MOST_STEPS_OUT = 60


@dataclass(frozen=True)
class LogisticResult:
    """A fit and what is said about it; the intercept is the first coefficient.

    ``low, high, p, p_lr, endless`` are of the columns, without the intercept.
    """

    coef: Floats
    vcov: Floats
    loglik: float
    loglik_null: float
    low: Floats
    high: Floats
    p: Floats
    p_lr: Floats
    lr_test: Test
    wald_test: Test
    score_test: Test | None
    endless: npt.NDArray[np.bool_]
    separated: bool
    converged: bool
    n_iter: int


def plain(
    Z: Floats,
    y: Floats,
    weight: Floats,
    *,
    level: float,
    profile: bool,
    max_iter: int,
) -> LogisticResult:
    """Fit by maximum likelihood."""
    n, p = Z.shape
    design = np.column_stack([np.ones(n), Z])
    fit = fit_logistic(design, y, sample_weight=weight, max_iter=max_iter)
    null = fit_logistic(design[:, :1], y, sample_weight=weight)
    endless, separated = _separation(Z, y, fit)
    without = np.array(
        [
            fit_logistic(np.delete(design, j, 1), y, sample_weight=weight).loglik
            for j in range(1, p + 1)
        ]
    )
    se = np.sqrt(np.diag(fit.vcov))[1:]
    half = float(norm.ppf((1 + level) / 2)) * se
    low, high = fit.coef[1:] - half, fit.coef[1:] + half
    if profile and not separated:
        low, high = _profile(design, y, weight, fit, se, level)
    slopes, vcov = fit.coef[1:], fit.vcov[1:, 1:]
    return LogisticResult(
        coef=fit.coef,
        vcov=fit.vcov,
        loglik=fit.loglik,
        loglik_null=null.loglik,
        low=low,
        high=high,
        p=2 * norm.sf(np.abs(slopes / se)),
        p_lr=chi2.sf((2 * (fit.loglik - without)).clip(0), 1),
        lr_test=_chi2(2 * (fit.loglik - null.loglik), p),
        wald_test=wald_test(slopes, vcov),
        score_test=_score_test(Z, y, weight),
        endless=endless,
        separated=separated,
        converged=fit.converged,
        n_iter=fit.n_iter,
    )


def firth(
    Z: Floats, y: Floats, weight: Floats, *, level: float, max_iter: int
) -> LogisticResult:
    """Fit with Firth's penalty; intervals and p-values of the penalised profile."""
    from firthmodels import FirthLogisticRegression

    n, p = Z.shape
    engine = FirthLogisticRegression(
        backend="numpy", max_iter=max_iter, gtol=1e-6, xtol=1e-8
    )
    engine.fit(Z, y, sample_weight=weight)
    columns = list(range(p))
    engine.lrt(columns)
    bounds = engine.conf_int(
        1 - level, method="pl", features=columns, max_iter=100, tol=1e-7
    )[:p]
    coef = np.r_[engine.intercept_, engine.coef_]
    design = np.column_stack([np.ones(n), Z])
    mu = expit(design @ coef)
    vcov = linalg.pinvh(design.T @ ((weight * mu * (1 - mu))[:, None] * design))
    null = _firth_null(design, y, weight)
    loglik = float(engine.loglik_)
    p_lr = np.asarray(engine.lrt_pvalues_[:p])
    return LogisticResult(
        coef=coef,
        vcov=vcov,
        loglik=loglik,
        loglik_null=null,
        low=bounds[:, 0],
        high=bounds[:, 1],
        p=p_lr,
        p_lr=p_lr,
        lr_test=_chi2(2 * (loglik - null), p),
        wald_test=wald_test(coef[1:], vcov[1:, 1:]),
        score_test=None,
        endless=np.zeros(p, dtype=bool),
        separated=False,
        converged=bool(engine.converged_),
        n_iter=int(engine.n_iter_),
    )


def odds_table(
    coef: Floats, se: Floats, low: Floats, high: Floats, p: Floats, p_lr: Floats
) -> pd.DataFrame:
    """Return ``coef, odds_ratio, ci_low, ci_high, se, z, p, p_lr`` of each column."""
    with np.errstate(over="ignore"):
        return pd.DataFrame(
            {
                "coef": coef,
                "odds_ratio": np.exp(coef),
                "ci_low": np.exp(low),
                "ci_high": np.exp(high),
                "se": se,
                "z": coef / se,
                "p": p,
                "p_lr": p_lr,
            }
        )


def _chi2(statistic: float, df: int) -> Test:
    return statistic, df, float(chi2.sf(max(statistic, 0.0), df)) if df else 1.0


def _score_test(Z: Floats, y: Floats, weight: Floats) -> Test:
    share = float(np.average(y, weights=weight))
    centred = Z - np.average(Z, axis=0, weights=weight)
    score = centred.T @ (weight * (y - share))
    information = share * (1 - share) * centred.T @ (weight[:, None] * centred)
    if not len(score):
        return 0.0, 0, 1.0
    statistic = float(score @ linalg.lstsq(information, score)[0])
    return _chi2(statistic, len(score))


def _separation(
    Z: Floats, y: Floats, fit: LogisticFit
) -> tuple[npt.NDArray[np.bool_], bool]:
    """Return which columns have no finite coefficient, and whether any has none."""
    none = np.zeros(Z.shape[1], dtype=bool)
    if not Z.shape[1] or (fit.converged and np.abs(fit.eta).max() < SUSPECT):
        return none, False
    from firthmodels import detect_separation

    found = detect_separation(Z, y)
    return ~np.asarray(found.is_finite[: Z.shape[1]]), bool(found.separation)


def _firth_null(design: Floats, y: Floats, weight: Floats) -> float:
    """Return the largest penalised likelihood with every slope at 0.

    The penalty of the whole design is then k/2 log(mu (1 - mu)) and a constant: as if
    k/2 patients were added to either class.
    """
    events, n, k = float(weight @ y), float(weight.sum()), design.shape[1]
    mu = (events + k / 2) / (n + k)
    _, inside = np.linalg.slogdet(design.T @ (weight[:, None] * design))
    likelihood = events * np.log(mu) + (n - events) * np.log1p(-mu)
    return float(likelihood + (k * np.log(mu * (1 - mu)) + inside) / 2)


def _profile(
    design: Floats,
    y: Floats,
    weight: Floats,
    fit: LogisticFit,
    se: Floats,
    level: float,
) -> tuple[Floats, Floats]:
    """Return where the profile likelihood of each column has fallen far enough."""
    far = float(chi2.ppf(level, 1)) / 2
    bounds = np.empty((2, len(se)))
    for j in range(1, design.shape[1]):
        others, column = np.delete(design, j, 1), design[:, j]
        start = np.delete(fit.coef, j)

        def excess(
            value: float,
            others: Floats = others,
            column: Floats = column,
            start: Floats = start,
        ) -> float:
            held = fit_logistic(
                others, y, sample_weight=weight, offset=value * column, start=start
            )
            return fit.loglik - held.loglik - far

        for side, sign in enumerate((-1.0, 1.0)):
            bounds[side, j - 1] = _crossing(excess, fit.coef[j], sign * se[j - 1])
    return bounds[0], bounds[1]


def _crossing(excess: Callable[[float], float], centre: float, step: float) -> float:
    """Return where a function that is negative at the centre crosses 0; else inf."""
    end = centre + 2 * step
    for _ in range(MOST_STEPS_OUT):
        if excess(end) > 0:
            return float(brentq(excess, centre, end, xtol=1e-10, rtol=1e-12))
        end += step
    return float(np.copysign(np.inf, step))
