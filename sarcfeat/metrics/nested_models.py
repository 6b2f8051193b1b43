"""Does a Cox model gain by more columns: the likelihood-ratio test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2

from sarcfeat.exceptions import InvalidInput
from sarcfeat.survival import RiskSets, fit_cox, make_y

__all__ = ["LikelihoodRatio", "likelihood_ratio", "nested_cox_test"]


@dataclass(frozen=True)
class LikelihoodRatio:
    """Result of a likelihood-ratio test of two nested models.

    Attributes
    ----------
    statistic, df, p : float, int, float
        p is NaN where the larger model has no more parameters.
    aic_gain : float
        AIC of the smaller model minus that of the larger: above 0 favours the larger.
    """

    statistic: float
    df: int
    p: float
    aic_gain: float


def likelihood_ratio(
    loglik_small: float, n_small: int, loglik_large: float, n_large: int
) -> LikelihoodRatio:
    """Test a model against a larger one that holds it, from their likelihoods.

    Parameters
    ----------
    loglik_small, loglik_large : float
        Maximised log likelihoods on the same patients.
    n_small, n_large : int
        Their numbers of parameters.

    Returns
    -------
    LikelihoodRatio

    Raises
    ------
    InvalidInput
        A larger model with fewer parameters or a lower likelihood: they are not
        nested, or not of the same patients.

    Examples
    --------
    >>> likelihood_ratio(-100.0, 1, -97.0, 2).statistic
    6.0
    """
    statistic, df = 2 * (loglik_large - loglik_small), n_large - n_small
    if df < 0 or statistic < -1e-6 * (1 + abs(loglik_small)):
        raise InvalidInput(
            f"The larger model has {n_large} parameters and log likelihood "
            f"{loglik_large:g}, the smaller {n_small} and {loglik_small:g}; they are "
            "not nested, or not of the same patients."
        )
    statistic = max(statistic, 0.0)
    p = float(chi2.sf(statistic, df)) if df else float("nan")
    return LikelihoodRatio(statistic, df, p, statistic - 2 * df)


def nested_cox_test(
    event: npt.ArrayLike,
    time: npt.ArrayLike,
    X_small: npt.ArrayLike,
    X_extra: npt.ArrayLike,
    *,
    ties: str = "efron",
    strata: npt.ArrayLike | None = None,
) -> LikelihoodRatio:
    """Test whether columns add to a Cox model that holds others.

    Parameters
    ----------
    event : array-like of bool or 0/1, shape (n_patients,)
    time : array-like of float, shape (n_patients,)
    X_small : array-like of shape (n_patients, n_columns)
        Columns of the smaller model; may have none.
    X_extra : array-like of shape (n_patients, n_more)
        Columns that the larger model has besides.
    ties : {"efron", "breslow"}
    strata : array-like, shape (n_patients,), optional

    Returns
    -------
    LikelihoodRatio
        A column given by the others counts as no parameter.

    Raises
    ------
    InvalidInput
        Values that are missing, or other numbers of patients.

    References
    ----------
    As R's ``anova`` of two ``coxph`` fits. It is meant for columns chosen beforehand:
    after selection on the same patients its p-value is too small.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 2))
    >>> time = rng.exponential(np.exp(-X[:, 1]))
    >>> nested_cox_test(np.ones(100), time, X[:, :1], X[:, 1:]).p < 0.001
    True
    """
    y = make_y(event, time, zero="keep")
    small, extra = (np.asarray(x, dtype=float) for x in (X_small, X_extra))
    for name, values in (("X_small", small), ("X_extra", extra)):
        if values.ndim != 2 or len(values) != len(y) or not np.isfinite(values).all():
            raise InvalidInput(
                f"{name} has shape {values.shape} for {len(y)} patients; expected as "
                "many rows of finite numbers. Leave patients with missing values out "
                "of both models."
            )
    sets = RiskSets(y["event"], y["time"], ties=ties, strata=strata)
    first = fit_cox(small, sets)
    second = fit_cox(np.hstack([small, extra]), sets)
    return likelihood_ratio(
        first.loglik,
        int((~first.aliased).sum()),
        second.loglik,
        int((~second.aliased).sum()),
    )
