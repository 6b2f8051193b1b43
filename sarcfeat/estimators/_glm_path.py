"""Elastic-net paths of a logistic or a least-squares model, by an engine of others.

The problem is glmnet's: a weighted mean of the loss (minus the log-likelihood of the
binomial, half the square for the gaussian family) plus
``lambda * sum_j v_j (alpha |b_j| + (1 - alpha) b_j^2 / 2)``, columns scaled by their
1/n standard deviation, the intercept free.

References
----------
Friedman, Hastie, Tibshirani. J Stat Softw 2010;33(1). python-glmnet (Stanford's
Fortran); scikit-learn's saga (Defazio et al. 2014) and coordinate descent.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, enet_path

from sarcfeat._validation import missing_dependency
from sarcfeat.estimators._elastic_net import standard_deviation
from sarcfeat.exceptions import InvalidInput, NotConverged

__all__ = ["GLMPath", "PenalisedGLM", "deviances"]

Floats = NDArray[np.float64]

# glmnet's rules for ending a path early (binomial and gaussian families).
MIN_GAIN, MAX_RATIO = 1e-5, 0.999
SMALLEST = 1e-5  # cv.glmnet keeps probabilities this far from 0 and 1


@dataclass(frozen=True)
class GLMPath:
    """Solutions along the path; ``coef`` has one column a penalty."""

    lambdas: Floats
    coef: Floats
    intercept: Floats
    deviance_ratio: Floats
    null_deviance: float
    converged: bool

    def at(self, lambdas: Floats) -> tuple[Floats, Floats]:
        """Interpolate coefficients and intercept in lambda, held beyond the ends."""
        last = len(self.lambdas) - 1
        if last == 0:
            n = len(lambdas)
            return np.repeat(self.coef, n, axis=1), np.repeat(self.intercept, n)
        x = np.clip(lambdas, self.lambdas[-1], self.lambdas[0])
        right = np.searchsorted(-self.lambdas, -x).clip(1, last)
        upper, lower = self.lambdas[right - 1], self.lambdas[right]
        share = (x - lower) / (upper - lower)
        both = [
            values[..., right - 1] * share + values[..., right] * (1.0 - share)
            for values in (self.coef, self.intercept)
        ]
        return both[0], both[1]


def deviances(family: str, y: Floats, eta: Floats, *, clip: bool = False) -> Floats:
    """Return what each patient adds to the deviance, for each column of `eta`."""
    if family == "gaussian":
        return np.asarray((y[:, None] - eta) ** 2)
    if not clip:
        return np.asarray(2.0 * (np.logaddexp(0.0, eta) - y[:, None] * eta))
    p = np.clip(expit(eta), SMALLEST, 1.0 - SMALLEST)
    return np.asarray(-2.0 * np.where(y[:, None] == 1, np.log(p), np.log1p(-p)))


@dataclass(frozen=True)
class PenalisedGLM:
    """What to fit: the family, its penalty and path; see :class:`LassoLogistic`."""

    family: str
    engine: str
    l1_ratio: float
    factor: Floats
    standardize: bool
    n_lambda: int
    ratio: float | None
    lambdas: Floats | None
    tol: float
    max_iter: int
    seed: int

    def fit(self, X: Floats, y: Floats, weight: Floats) -> GLMPath:
        """Fit the path; coefficients are for the columns of X.

        A column that is constant in these patients gets no coefficient.
        """
        flat = standard_deviation(X) == 0
        if flat.all():
            return self._null(X, y, weight)
        X = np.where(flat, 0.0, X)
        solve = self._by_glmnet if self.engine == "glmnet" else self._by_scikit_learn
        lambdas, coef, intercept, converged = solve(X, y, weight)
        coef[flat] = 0.0
        ratio, null = self._explained(X, y, weight, coef, intercept)
        if self.engine != "glmnet" and self.lambdas is None:
            end = _end(ratio)
            lambdas, coef, intercept = lambdas[:end], coef[:, :end], intercept[:end]
            ratio = ratio[:end]
        return GLMPath(lambdas, coef, intercept, ratio, null, converged)

    def path_ratio(self, n: int, p: int) -> float:
        """Return the smallest penalty of the path as a share of the largest."""
        return self.ratio or (1e-4 if n >= p else 1e-2)

    def _mean_only(self, y: Floats, weight: Floats) -> float:
        mean = float(np.average(y, weights=weight))
        return mean if self.family == "gaussian" else float(np.log(mean / (1 - mean)))

    def _null(self, X: Floats, y: Floats, weight: Floats) -> GLMPath:
        """Return the path of one point where there is nothing to select from."""
        lambdas = np.zeros(1) if self.lambdas is None else self.lambdas
        coef = np.zeros((X.shape[1], len(lambdas)))
        intercept = np.full(len(lambdas), self._mean_only(y, weight))
        ratio, null = self._explained(X, y, weight, coef, intercept)
        return GLMPath(lambdas, coef, intercept, ratio, null, True)

    def _explained(
        self, X: Floats, y: Floats, weight: Floats, coef: Floats, intercept: Floats
    ) -> tuple[Floats, float]:
        share = weight * (len(y) / weight.sum())
        none = np.full((len(y), 1), self._mean_only(y, weight))
        null = float(share @ deviances(self.family, y, none)[:, 0])
        left = share @ deviances(self.family, y, X @ coef + intercept)
        return 1.0 - left / null, null

    def _by_glmnet(
        self, X: Floats, y: Floats, weight: Floats
    ) -> tuple[Floats, Floats, Floats, bool]:
        try:
            import glmnet
        except ImportError as error:
            raise missing_dependency("glmnet", "glmnet") from error
        kind = glmnet.LogitNet if self.family == "binomial" else glmnet.ElasticNet
        model = kind(
            alpha=self.l1_ratio,
            n_lambda=self.n_lambda,
            min_lambda_ratio=self.path_ratio(*X.shape),
            lambda_path=self.lambdas,
            standardize=self.standardize,
            n_splits=0,
            tol=self.tol,
            max_iter=self.max_iter,
        )
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            try:
                model.fit(X, y, weight, self.factor.copy())
            except (RuntimeError, ValueError) as error:
                raise InvalidInput(
                    f"glmnet could not fit {len(y)} patients and {X.shape[1]} columns: "
                    f"{error} Columns with penalty_factor 0 that separate the classes "
                    "have no finite coefficient: penalise them."
                ) from error
        n = int(model.n_lambda_)
        # python-glmnet "mends" the first penalty of a user's own path, too.
        lambdas = model.lambda_path_ if self.lambdas is None else self.lambdas[:n]
        coef = np.reshape(np.array(model.coef_path_, dtype=float), (X.shape[1], n))
        intercept = np.reshape(np.array(model.intercept_path_, dtype=float), n)
        ended = any(issubclass(one.category, RuntimeWarning) for one in said)
        return np.array(lambdas, dtype=float), coef, intercept, not ended

    def _by_scikit_learn(
        self, X: Floats, y: Floats, weight: Floats
    ) -> tuple[Floats, Floats, Floats, bool]:
        if np.ptp(self.factor) > 0:
            raise InvalidInput(
                "penalty_factor needs engine='glmnet': scikit-learn's solvers penalise "
                "all features alike."
            )
        weight = weight / weight.sum()
        centre = weight @ X
        scale = np.ones(X.shape[1])
        if self.standardize:
            scale = np.sqrt(weight @ (X - centre) ** 2)
            scale[scale == 0] = 1.0
        Z = (X - centre) / scale
        lambdas = self.lambdas
        if lambdas is None:
            slope = np.abs((weight * (y - weight @ y)) @ Z).max() / self.l1_ratio
            steps = np.arange(self.n_lambda) / max(self.n_lambda - 1, 1)
            lambdas = slope * self.path_ratio(*X.shape) ** steps
        solve = self._saga if self.family == "binomial" else self._least_squares
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            coef, intercept = solve(Z, y, weight, lambdas)
        converged = not any(issubclass(w.category, ConvergenceWarning) for w in said)
        if not converged:
            warnings.warn(
                f"scikit-learn's solver did not reach tol={self.tol:g} in "
                f"{self.max_iter} rounds at every penalty. Raise max_rounds or tol, or "
                "use engine='glmnet'.",
                NotConverged,
                stacklevel=2,
            )
        coef = coef / scale[:, None]
        return lambdas, coef, intercept - centre @ coef, True

    def _saga(
        self, Z: Floats, y: Floats, weight: Floats, lambdas: Floats
    ) -> tuple[Floats, Floats]:
        model = LogisticRegression(
            solver="saga",
            l1_ratio=self.l1_ratio,
            tol=self.tol,
            max_iter=self.max_iter,
            warm_start=True,
            random_state=self.seed,
        )
        coef, intercept = np.zeros((Z.shape[1], len(lambdas))), np.zeros(len(lambdas))
        for k, lam in enumerate(lambdas):
            model.set_params(C=1.0 / max(len(y) * lam, 1e-300))
            model.fit(Z, y, sample_weight=weight * len(y))
            coef[:, k], intercept[k] = model.coef_[0], model.intercept_[0]
        return coef, intercept

    def _least_squares(
        self, Z: Floats, y: Floats, weight: Floats, lambdas: Floats
    ) -> tuple[Floats, Floats]:
        mean = weight @ y
        root = np.sqrt(weight * len(y))
        _, coef, _ = enet_path(
            Z * root[:, None],
            (y - mean) * root,
            l1_ratio=self.l1_ratio,
            alphas=lambdas,
            tol=self.tol,
            max_iter=self.max_iter,
        )
        return np.array(coef), np.full(len(lambdas), mean)


def _end(ratio: Floats) -> int:
    """Return where glmnet would end the path: enough explained, or no gain."""
    for k in range(5, len(ratio)):
        if ratio[k] > MAX_RATIO or ratio[k] - ratio[k - 1] < MIN_GAIN * ratio[k]:
            return k + 1
    return len(ratio)
