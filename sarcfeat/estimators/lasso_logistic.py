"""LASSO and elastic-net logistic regression with a cross-validated penalty."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight

from sarcfeat._validation import Interval, StrOptions, check_params
from sarcfeat.estimators._classes import two_classes
from sarcfeat.estimators._elastic_net import (
    decreasing,
    rescaled_factor,
    standard_deviation,
)
from sarcfeat.estimators._glm_curve import class_folds, cross_validate_glm
from sarcfeat.estimators._glm_path import GLMPath, PenalisedGLM
from sarcfeat.estimators._matrix import feature_names, fit_matrix, predict_matrix
from sarcfeat.estimators._penalty_choice import PATH_CONSTRAINTS, PenaltyChoice
from sarcfeat.exceptions import InvalidInput, NotConverged

__all__ = ["LassoLogistic"]

Floats = NDArray[np.float64]

# How exactly an engine solves, and its most rounds, where the user does not say.
EXACTNESS = {"glmnet": (1e-12, 1_000_000), "saga": (1e-6, 10_000)}


class LassoLogistic(PenaltyChoice, ClassifierMixin, BaseEstimator):
    """Logistic regression that keeps few features, for a yes-or-no endpoint.

    The penalty is chosen by cross-validation along a path, with the definitions of R's
    glmnet and cv.glmnet (columns scaled by their 1/n standard deviation, each fold on
    its own path, interpolated in lambda).

    Parameters
    ----------
    l1_ratio : float in (0, 1]
        1 is the LASSO; smaller values mix in a ridge penalty (glmnet's ``alpha``).
    family : {"binomial", "gaussian"}
        ``"binomial"`` is logistic regression. ``"gaussian"`` is the *compatibility
        option*: a least-squares LASSO on the outcome coded 0 and 1, which published
        "LASSO logistic" scores sometimes are. One tells it from the intercept: on
        z-scored columns that of the least-squares LASSO is the share of patients with
        the event (48/121 = 0.3967 in a published score), that of a logistic model is
        about its logit (-0.42).
    engine : {"glmnet", "saga"}
        Stanford's Fortran by python-glmnet, equal to R's; or scikit-learn's solvers
        (saga; for the gaussian family, coordinate descent), without `penalty_factor`.
    cv : int, array-like of fold labels, splitter or None
        Number of folds, stratified by class (as many as the rarer class at most); or
        one fold label a patient (glmnet's ``foldid``); or an object with ``split``.
        None fits the one penalty given in `lambdas`, without cross-validation.
    rule : {"min", "1se"}
        The penalty with the best curve, or the largest within one standard error of it.
    measure : {"deviance", "auc", "class"}
        What the curve measures on the patients held out: the deviance (gaussian: the
        squared error), the area under the ROC curve within the fold, or the share that
        is misclassified at 0.5.
    n_lambda, lambda_min_ratio, lambdas, penalty_factor, standardize
        As in :class:`LassoCox`.
    tol : float, optional
        Where the engine stops (glmnet's ``thresh``). Default 1e-12, or 1e-6 for saga.
    max_rounds : int, optional
        The most rounds of the engine. Default 1,000,000, or 10,000 for saga.
    random_state : int, RandomState or None
        For the shuffling of the folds when `cv` is a number, and for saga.

    Attributes
    ----------
    classes_ : ndarray of 2 labels
        The second is the event.
    coef_ : ndarray of shape (1, n_features)
    intercept_ : ndarray of shape (1,)
    lambdas_, nonzero_, deviance_ratio_ : ndarray of shape (n_lambda,)
        Penalties of the path, features in the model, share of the deviance explained.
    coef_path_ : ndarray of shape (n_features, n_lambda)
    intercept_path_ : ndarray of shape (n_lambda,)
    nulldev_ : float
        Deviance of the intercept alone.
    cvm_, cvsd_ : ndarray of shape (n_lambda,)
        Cross-validation curve and its standard error (NaN without `cv`).
    lambda_min_, lambda_1se_, lambda_ : float
        Penalty chosen by either rule, and the one in use.
    selected_ : list of str
    coef_table_ : DataFrame
        ``feature``, ``coef``, ``coef_standardised`` of the selected features, the
        largest effect per standard deviation first.
    dropped_ : DataFrame
        ``feature``, ``reason`` of the features left out for being constant.
    is_constant_ : bool
        Whether nothing was selected; everyone then gets the share with the event.
    n_folds_ : int
        Folds that the curve is made of.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Raises
    ------
    InvalidInput
        Not two classes, text columns, missing values, or parameters that do not fit.

    Warns
    -----
    NothingSelected
        No feature is in the model.
    NotConverged
        The engine ended the path at a penalty that it could not solve.
    FewEvents
        Fewer folds than asked for could be used.

    References
    ----------
    Friedman, Hastie, Tibshirani. J Stat Softw 2010;33(1). Equal to R's glmnet 4.1
    (golden cases ``glmnet_logistic``).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.normal(size=(80, 5)), columns=list("abcde"))
    >>> y = (X["a"] + 0.3 * rng.normal(size=80) > 0).astype(int)
    >>> model = LassoLogistic(cv=5, rule="1se", random_state=0).fit(X, y)
    >>> model.selected_
    ['a']
    >>> model.predict_proba(X.iloc[:2])[:, 1].round(2)
    array([0.61, 0.72])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "l1_ratio": [Interval(Real, 0, 1, closed="right")],
        "family": [StrOptions({"binomial", "gaussian"})],
        "engine": [StrOptions({"glmnet", "saga"})],
        "measure": [StrOptions({"deviance", "auc", "class"})],
        "tol": [Interval(Real, 0, None, closed="neither"), None],
        "max_rounds": [Interval(Integral, 1, None, closed="left"), None],
        **PATH_CONSTRAINTS,
    }

    _constant_prediction = "everyone gets the same probability"

    def __init__(
        self,
        l1_ratio: float = 1.0,
        *,
        family: str = "binomial",
        engine: str = "glmnet",
        cv: Any = 10,
        rule: str = "min",
        measure: str = "deviance",
        n_lambda: int = 100,
        lambda_min_ratio: float | None = None,
        lambdas: ArrayLike | None = None,
        penalty_factor: ArrayLike | None = None,
        standardize: bool = True,
        tol: float | None = None,
        max_rounds: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.l1_ratio = l1_ratio
        self.family = family
        self.engine = engine
        self.cv = cv
        self.rule = rule
        self.measure = measure
        self.n_lambda = n_lambda
        self.lambda_min_ratio = lambda_min_ratio
        self.lambdas = lambdas
        self.penalty_factor = penalty_factor
        self.standardize = standardize
        self.tol = tol
        self.max_rounds = max_rounds
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> LassoLogistic:
        """Fit the path, choose the penalty and keep its coefficients.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_patients, n_features)
            Numbers without missing values. A frame without columns is a model that
            predicts the share with the event.
        y : array-like of two labels, shape (n_patients,)
            The label that sorts last (1, True, "yes") is the event.
        sample_weight : array-like of shape (n_patients,), optional
            How much each patient counts, in the fit and in the curve.

        Returns
        -------
        LassoLogistic
            Itself.
        """
        check_params(self)
        matrix = fit_matrix(self, X)
        codes = two_classes(self, y, len(matrix))
        weight = _check_sample_weight(
            sample_weight, matrix, dtype=np.float64, ensure_non_negative=True
        )
        there = weight > 0
        matrix, codes, weight = matrix[there], codes[there], weight[there]
        if len(np.unique(codes)) < 2:
            raise InvalidInput(
                "LassoLogistic: the patients with a weight are all of one class."
            )
        names, spread = feature_names(self), standard_deviation(matrix)
        self.dropped_ = pd.DataFrame(
            {"feature": names[spread == 0], "reason": "constant"}, dtype=object
        )
        path, curve = cross_validate_glm(
            self._net(matrix.shape[1]),
            matrix,
            codes.astype(float),
            weight,
            self._folds(matrix, codes, there),
            self.measure,
        )
        self._warn_ended(path)
        used = self._choose(path, curve)
        self.intercept_path_ = path.intercept
        self.coef_ = path.coef[:, used][None, :].copy()
        self.intercept_ = path.intercept[used : used + 1].copy()
        self._describe(names, self.coef_[0], spread, codes)
        return self

    def linear_predictor(self, X: Any) -> Floats:
        """Return the score ``intercept + X @ coef`` of each patient.

        The log odds of the event; for the gaussian family the published linear score.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_patients, n_features)
            A frame is aligned by column name with the training data.
        """
        matrix = predict_matrix(self, X)
        return np.asarray(matrix @ self.coef_[0] + self.intercept_[0])

    def decision_function(self, X: Any) -> Floats:
        """Return the score less the value at which the predicted class changes.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_patients, n_features)
        """
        cut = 0.5 if self.family == "gaussian" else 0.0
        return self.linear_predictor(X) - cut

    def predict_proba(self, X: Any) -> Floats:
        """Return the probability of each class.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_patients, n_features)

        Returns
        -------
        ndarray of shape (n_patients, 2)
            For the gaussian family the linear score, cut off at 0 and 1.
        """
        score = self.linear_predictor(X)
        event = score.clip(0.0, 1.0) if self.family == "gaussian" else expit(score)
        return np.column_stack([1.0 - event, event])

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the class whose probability is above one half.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_patients, n_features)
        """
        above = (self.decision_function(X) > 0).astype(int)
        return np.asarray(self.classes_[above])

    def __sklearn_tags__(self) -> Any:
        """Declare that there are two classes."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

    def _net(self, p: int) -> PenalisedGLM:
        tol, most = EXACTNESS[self.engine]
        return PenalisedGLM(
            family=self.family,
            engine=self.engine,
            l1_ratio=float(self.l1_ratio),
            factor=rescaled_factor(self.penalty_factor, p),
            standardize=self.standardize,
            n_lambda=self.n_lambda,
            ratio=self.lambda_min_ratio,
            lambdas=decreasing(self.lambdas),
            tol=self.tol or tol,
            max_iter=self.max_rounds or most,
            seed=int(check_random_state(self.random_state).randint(2**31 - 1)),
        )

    def _folds(self, X: Floats, codes: NDArray[np.intp], there: Any) -> list[Any]:
        if self._without_folds():
            return []
        cv = self.cv
        if np.ndim(cv) == 1 and len(cv) == len(there):
            cv = np.asarray(cv)[there]
        return class_folds(cv, X, codes, self.random_state, "LassoLogistic")

    def _warn_ended(self, path: GLMPath) -> None:
        if not path.converged:
            warnings.warn(
                f"LassoLogistic: glmnet ended the path at lambda {path.lambdas[-1]:.3g}"
                ", the next penalty was not solved. Raise max_rounds, or "
                "lambda_min_ratio to end the path before.",
                NotConverged,
                stacklevel=3,
            )
