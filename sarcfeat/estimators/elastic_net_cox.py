"""Elastic-net Cox regression: a LASSO that keeps correlated features together."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike

from sarcfeat.estimators.lasso_cox import LassoCox

__all__ = ["ElasticNetCox"]


class ElasticNetCox(LassoCox):
    """Cox regression with half a LASSO's and half a ridge's penalty, cross-validated.

    It is ``LassoCox(0.5)`` by its own name. Choose `l1_ratio` by a search around it
    (:func:`sarcfeat.evaluate.tune`), not by trying a few on the whole cohort.

    Parameters
    ----------
    l1_ratio : float in [0, 1]
        Share of the LASSO's penalty; nearer 0, more features in smaller parts.
    cv, rule, measure, n_lambda, lambda_min_ratio, lambdas, penalty_factor
        As of :class:`LassoCox`.
    standardize, tol, max_iter, random_state, n_jobs
        As of :class:`LassoCox`.

    Attributes
    ----------
    coef_, selected_, lambda_, lambdas_, coef_path_, cvm_, cvsd_, baseline_, ...
        As of :class:`LassoCox`.

    References
    ----------
    Zou & Hastie, J R Stat Soc B 2005; R's ``glmnet``, whose definitions it shares.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sarcfeat import make_y
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.normal(size=(60, 4)), columns=list("abcd"))
    >>> y = make_y(np.ones(60), rng.exponential(np.exp(-X["a"])))
    >>> "a" in ElasticNetCox(cv=5, random_state=0).fit(X, y).selected_
    True
    """

    def __init__(
        self,
        l1_ratio: float = 0.5,
        *,
        cv: Any = 10,
        rule: str = "min",
        measure: str = "deviance",
        n_lambda: int = 100,
        lambda_min_ratio: float | None = None,
        lambdas: ArrayLike | None = None,
        penalty_factor: ArrayLike | None = None,
        standardize: bool = True,
        tol: float = 1e-7,
        max_iter: int = 1000,
        random_state: Any = None,
        n_jobs: int | None = None,
    ) -> None:
        super().__init__(
            l1_ratio,
            cv=cv,
            rule=rule,
            measure=measure,
            n_lambda=n_lambda,
            lambda_min_ratio=lambda_min_ratio,
            lambdas=lambdas,
            penalty_factor=penalty_factor,
            standardize=standardize,
            tol=tol,
            max_iter=max_iter,
            random_state=random_state,
            n_jobs=n_jobs,
        )
