"""Do predicted risks of a yes-or-no outcome mean what they say."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.special import logit
from scipy.stats import chi2, norm

from sarcfeat.metrics.binary import check_binary, check_probability
from sarcfeat.metrics.bootstrap_interval import percentile_of
from sarcfeat.metrics.logistic_fit import LogisticFit, fit_logistic
from sarcfeat.metrics.lowess import lowess

__all__ = ["Calibration", "calibration"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """Calibration of predicted probabilities.

    Attributes
    ----------
    slope, slope_low, slope_high : float
        Of a logistic regression on the logit of the risk; below 1: too extreme.
    intercept, intercept_low, intercept_high : float
        Of the same regression.
    in_the_large, in_the_large_low, in_the_large_high : float
        Intercept with the slope held at 1; above 0: risks too low on the whole.
    ici, e50, e90, e_max : float
        Mean, median, ninth decile and largest distance between risk and the smooth
        curve (the integrated calibration index and its kin).
    ici_low, ici_high : float
        Bootstrap interval of the index; NaN without resamples.
    brier, spiegelhalter_z, spiegelhalter_p : float
        Brier's score, and Spiegelhalter's test of calibration on it.
    discrimination, unreliability, quality : float
        Harrell's D (of the risks as they are), U and Q = D - U.
    u_statistic, u_p : float
        Likelihood-ratio test, on two degrees of freedom, of intercept 0 and slope 1.
    r2 : float
        Nagelkerke's, of the risks as they are: below 0 where they tell less than one
        risk for all.
    model_lr : float
        Likelihood ratio of the risks as they are against one risk for all.
    curve : ndarray of shape (n_patients,)
        The smooth observed risk at each patient's predicted one.
    """

    slope: float
    slope_low: float
    slope_high: float
    intercept: float
    intercept_low: float
    intercept_high: float
    in_the_large: float
    in_the_large_low: float
    in_the_large_high: float
    ici: float
    ici_low: float
    ici_high: float
    e50: float
    e90: float
    e_max: float
    brier: float
    spiegelhalter_z: float
    spiegelhalter_p: float
    discrimination: float
    unreliability: float
    quality: float
    u_statistic: float
    u_p: float
    r2: float
    model_lr: float
    curve: Floats = field(repr=False)


def calibration(
    y: npt.ArrayLike,
    p: npt.ArrayLike,
    *,
    n_bootstrap: int = 0,
    level: float = 0.95,
    random_state: int | np.random.Generator | None = None,
) -> Calibration:
    """Say how predicted probabilities of an outcome agree with it.

    Parameters
    ----------
    y : array-like of bool or 0/1, shape (n_patients,)
    p : array-like of float, shape (n_patients,)
        Predicted probabilities; exactly 0 and 1 are left out of the regressions.
    n_bootstrap : int
        Resamples of patients for the interval of the calibration index; 0 for none.
    level : float
        Coverage of the intervals.
    random_state : int, Generator or None

    Returns
    -------
    Calibration

    Raises
    ------
    InvalidInput
        A `p` that is no probability, or one outcome only.

    References
    ----------
    Cox 1958; Van Calster et al., J Clin Epidemiol 2016; Austin & Steyerberg, Stat Med
    2019 (ICI); the numbers are those of R's ``rms::val.prob``.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> p = rng.uniform(0.05, 0.95, 2000)
    >>> result = calibration(rng.uniform(size=2000) < p, p)
    >>> abs(result.slope - 1) < 0.1, abs(result.in_the_large) < 0.15
    (True, True)
    """
    flags, _ = check_binary(y, p)
    risk = check_probability(p)
    inside = (risk > 0) & (risk < 1)
    outcome, eta = flags[inside].astype(float), logit(risk[inside])
    n, z = len(outcome), float(norm.ppf((1 + level) / 2))
    line = fit_logistic(np.c_[np.ones(n), eta], outcome)
    large = fit_logistic(np.ones((n, 1)), outcome, offset=eta)
    intercept, slope = _limits(line, z)
    (in_the_large,) = _limits(large, z)
    plain = -2 * _loglik(outcome, eta)
    null = -2 * _loglik(outcome, np.full(n, logit(outcome.mean())))
    lr, u = null - plain, plain + 2 * line.loglik
    discrimination, unreliability = (lr - 1) / n, (u - 2) / n
    curve = lowess(risk, flags.astype(float))
    gap = np.abs(risk - curve)
    ici_low, ici_high = percentile_of(
        lambda rows: _index(flags[rows], risk[rows]),
        len(risk),
        n_bootstrap,
        level,
        random_state,
    )
    spiegelhalter = _spiegelhalter(flags, risk)
    return Calibration(
        *slope,
        *intercept,
        *in_the_large,
        ici=float(gap.mean()),
        ici_low=ici_low,
        ici_high=ici_high,
        e50=float(np.quantile(gap, 0.5)),
        e90=float(np.quantile(gap, 0.9)),
        e_max=float(gap.max()),
        brier=float(np.mean((risk - flags) ** 2)),
        spiegelhalter_z=spiegelhalter,
        spiegelhalter_p=float(2 * norm.sf(abs(spiegelhalter))),
        discrimination=discrimination,
        unreliability=unreliability,
        quality=discrimination - unreliability,
        u_statistic=u,
        u_p=float(chi2.sf(max(u, 0.0), 2)),
        r2=float(-np.expm1(-lr / n) / -np.expm1(-null / n)),
        model_lr=lr,
        curve=curve,
    )


def _limits(fit: LogisticFit, z: float) -> list[tuple[float, float, float]]:
    """Return each coefficient with Wald's interval."""
    half = z * np.sqrt(np.diag(fit.vcov))
    return [
        (float(b), float(b - h), float(b + h))
        for b, h in zip(fit.coef, half, strict=True)
    ]


def _spiegelhalter(flags: npt.NDArray[np.bool_], risk: Floats) -> float:
    """Return his z: how far Brier's score is from what calibrated risks give."""
    spread = float(np.sum((1 - 2 * risk) ** 2 * risk * (1 - risk)))
    excess = float(np.sum((flags - risk) * (1 - 2 * risk)))
    return float(excess / np.sqrt(spread)) if spread > 0 else float("nan")


def _index(flags: npt.NDArray[np.bool_], risk: Floats) -> float:
    """Return the integrated calibration index of some patients."""
    return float(np.abs(risk - lowess(risk, flags.astype(float))).mean())


def _loglik(y: Floats, eta: Floats) -> float:
    return float(y @ eta - np.logaddexp(0, eta).sum())
