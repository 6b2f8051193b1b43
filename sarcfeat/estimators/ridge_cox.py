"""Ridge Cox regression: every feature, in small parts."""

from __future__ import annotations

from typing import Any, ClassVar

from numpy.typing import ArrayLike

from sarcfeat.estimators.lasso_cox import LassoCox

__all__ = ["RidgeCox"]


class RidgeCox(LassoCox):
    """Cox regression with a ridge penalty that is chosen by cross-validation.

    It selects nothing: all features are in, shrunk, and correlated ones share their
    weight. It is ``LassoCox(0)`` by its own name; with more features than patients it
    is solved in as many numbers as there are patients.

    Parameters
    ----------
    cv, rule, measure, n_lambda, lambda_min_ratio, lambdas, penalty_factor
        As of :class:`LassoCox`.
    standardize, tol, max_iter, random_state, n_jobs
        As of :class:`LassoCox`.

    Attributes
    ----------
    coef_, lambda_, lambdas_, coef_path_, cvm_, cvsd_, baseline_, ...
        As of :class:`LassoCox`.

    References
    ----------
    Verweij & van Houwelingen, Stat Med 1994; R's ``glmnet`` with ``alpha = 0``, whose
    definitions and penalties it shares.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sarcfeat import make_y
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.normal(size=(60, 4)), columns=list("abcd"))
    >>> y = make_y(np.ones(60), rng.exponential(np.exp(-X["a"])))
    >>> model = RidgeCox(cv=5, random_state=0).fit(X, y)
    >>> model.coef_table_["feature"].iloc[0], len(model.selected_)
    ('a', 4)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        name: rule
        for name, rule in LassoCox._parameter_constraints.items()
        if name != "l1_ratio"
    }

    l1_ratio = 0.0

    def __init__(
        self,
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
        self.cv = cv
        self.rule = rule
        self.measure = measure
        self.n_lambda = n_lambda
        self.lambda_min_ratio = lambda_min_ratio
        self.lambdas = lambdas
        self.penalty_factor = penalty_factor
        self.standardize = standardize
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state
        self.n_jobs = n_jobs
