"""LASSO and elastic-net Cox regression with a cross-validated penalty."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator

from sarcfeat._validation import Interval, StrOptions, check_params
from sarcfeat.estimators._cox_path import CoxPath
from sarcfeat.estimators._elastic_net import (
    ElasticNet,
    cross_validate,
    decreasing,
    rescaled_factor,
    standard_deviation,
)
from sarcfeat.estimators._event_folds import Fold, event_folds
from sarcfeat.estimators._matrix import feature_names, fit_matrix, predict_matrix
from sarcfeat.estimators._penalty_choice import PATH_CONSTRAINTS, PenaltyChoice
from sarcfeat.exceptions import FewEvents, InvalidInput, NoEvents, NotConverged
from sarcfeat.survival import (
    RiskSets,
    SurvivalMixin,
    baseline_hazard,
    check_y,
    cox_state,
    make_y,
)

__all__ = ["LassoCox"]

Floats = NDArray[np.float64]


class LassoCox(PenaltyChoice, SurvivalMixin, BaseEstimator):
    """Cox regression that keeps few features; its prediction is the rad-score.

    The penalty is chosen by cross-validation along a path, with the definitions of R's
    glmnet and cv.glmnet (Breslow ties, columns scaled by their 1/n standard deviation,
    each fold on its own path). Every penalty is solved to its optimality conditions,
    so coefficients do not depend on a stopping threshold.

    Parameters
    ----------
    l1_ratio : float in [0, 1]
        1 is the LASSO; smaller values mix in a ridge penalty, which keeps correlated
        features together (glmnet's ``alpha``); 0 is the ridge (:class:`RidgeCox`),
        whose path starts where that of 0.001 would, as glmnet's does.
    cv : int, array-like of fold labels, splitter or None
        Number of folds, stratified by event (as many as there are events at most);
        or one fold label a patient (glmnet's ``foldid``); or an object with ``split``.
        None fits the one penalty given in `lambdas`, without cross-validation.
    rule : {"min", "1se"}
        The penalty with the best curve, or the largest within one standard error of it.
    measure : {"deviance", "c_index"}
        What the curve measures: the partial-likelihood deviance a fold adds, or
        Harrell's c within the fold (cv.glmnet's ``type.measure="C"``).
    n_lambda : int
        Penalties on the path, which ends earlier once little more is explained.
    lambda_min_ratio : float, optional
        The smallest penalty as a share of the largest. Default 1e-4, or 1e-2 with
        fewer patients than features.
    lambdas : array-like of float, optional
        The penalties themselves; folds then use them too.
    penalty_factor : array-like of shape (n_features,), optional
        How much each feature is penalised; 0 keeps it in always. Rescaled to sum to
        the number of features.
    standardize : bool
        Penalise coefficients per standard deviation of their feature. Coefficients
        are reported for the features as given, either way.
    tol : float
        The largest violation of an optimality condition, as a share of lambda.
    max_iter : int
        The most Newton steps for one penalty.
    random_state : int, RandomState or None
        For the shuffling of the folds when `cv` is a number.
    n_jobs : int, optional
        Joblib workers for the folds of wide data; the model does not depend on it.

    Attributes
    ----------
    lambdas_ : ndarray of shape (n_lambda,)
        Penalties of the path, largest first.
    coef_path_ : ndarray of shape (n_features, n_lambda)
        Coefficients (log hazard ratio per unit of the feature) along the path.
    nonzero_ : ndarray of shape (n_lambda,)
        Features in the model along the path.
    deviance_ratio_ : ndarray of shape (n_lambda,)
        Share of the null deviance that is explained, on the training patients.
    nulldev_ : float
        Deviance without any feature.
    cvm_, cvsd_ : ndarray of shape (n_lambda,)
        Cross-validation curve and its standard error (NaN without `cv`).
    lambda_min_, lambda_1se_, lambda_ : float
        Penalty chosen by either rule, and the one in use.
    coef_ : ndarray of shape (n_features,)
        Coefficients in use.
    selected_ : list of str
        Features with a coefficient that is not zero.
    coef_table_ : DataFrame
        ``feature``, ``coef``, ``coef_standardised`` of the selected features, the
        largest effect per standard deviation first.
    dropped_ : DataFrame
        ``feature``, ``reason`` of the features left out for being constant.
    is_constant_ : bool
        Whether nothing was selected; the prediction is then 0 for everyone.
    n_folds_ : int
        Folds that the curve is made of.
    baseline_ : BaselineHazard
        Breslow's cumulative hazard at the mean linear predictor.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Raises
    ------
    NoEvents
        Fewer than 2 events.
    InvalidInput
        Text columns, missing values, or parameters that do not fit the data.

    Warns
    -----
    NothingSelected
        No feature is in the model.
    NotConverged
        The path ended at a penalty that could not be solved.
    FewEvents
        Fewer folds than asked for could be used.

    References
    ----------
    Tibshirani. Stat Med 1997;16:385. Simon et al. J Stat Softw 2011;39(5). Equal to
    R's glmnet 4.1 to the accuracy of glmnet (golden cases ``glmnet_cox``).

    Examples
    --------
    >>> from sarcfeat.survival import make_y
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.normal(size=(80, 5)), columns=list("abcde"))
    >>> y = make_y(np.ones(80), rng.exponential(np.exp(-X["a"])))
    >>> model = LassoCox(cv=5, rule="1se", random_state=0).fit(X, y)
    >>> model.selected_
    ['a']
    >>> model.predict(X.iloc[:2]).round(2)
    array([0.08, 0.23])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
        "measure": [StrOptions({"deviance", "c_index"})],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [Integral, None],
        **PATH_CONSTRAINTS,
    }

    _constant_prediction = "it predicts 0 for everyone"

    def __init__(
        self,
        l1_ratio: float = 1.0,
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
        self.l1_ratio = l1_ratio
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

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> LassoCox:
        """Fit the path, choose the penalty and keep its coefficients.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_patients, n_features)
            Numbers without missing values. A frame without columns is a model that
            predicts a constant.
        y : structured array (event, time)
        sample_weight : array-like of shape (n_patients,), optional
            How many patients each counts for (glmnet's ``weights``), in the curve, too;
            folds are drawn over rows.

        Returns
        -------
        LassoCox
            Itself.
        """
        check_params(self)
        matrix = fit_matrix(self, X)
        event, time = check_y(y, n=len(matrix), min_events=2)
        weight = _weights(sample_weight, len(matrix))
        if weight is not None:
            event = event & (weight > 0)
            check_y(make_y(event, time, zero="keep"), min_events=2)
        names = feature_names(self)
        spread = standard_deviation(matrix, weight)
        self.dropped_ = pd.DataFrame(
            {"feature": names[spread == 0], "reason": "constant"}, dtype=object
        )
        net = self._net(matrix.shape[1])
        folds = self._folds(matrix, event, time)
        path, curve = cross_validate(
            net, matrix, event, time, folds, self.measure, weight
        )
        self._check_path(path)
        used = self._choose(path, curve)
        self.coef_ = path.coef[:, used].copy()
        self._describe(names, self.coef_, spread, event)
        linear = matrix @ self.coef_
        self._centre = float(np.average(linear, weights=weight))
        sets = RiskSets(event, time, weight, ties="breslow")
        state = cox_state([1.0], (linear - self._centre)[:, None], sets)
        self.baseline_ = baseline_hazard(state)
        return self

    def predict(self, X: Any) -> Floats:
        """Return the rad-score ``X @ coef_`` of each patient; higher is worse.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_patients, n_features)
            A frame is aligned by column name with the training data.

        Returns
        -------
        ndarray of shape (n_patients,)
        """
        matrix = predict_matrix(self, X)
        return np.asarray(matrix @ self.coef_)

    def predict_survival_function(self, X: Any, times: ArrayLike) -> Floats:
        """Return the probability of being free of the event at given times.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_patients, n_features)
        times : array-like of shape (n_times,)
            In the unit of `y`; flat after the last event.

        Returns
        -------
        ndarray of shape (n_patients, n_times)
        """
        return self.baseline_.survival(times, self.predict(X) - self._centre)

    def __sklearn_tags__(self) -> Any:
        """Declare that `y` is needed."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags

    def _net(self, p: int) -> ElasticNet:
        return ElasticNet(
            l1_ratio=float(self.l1_ratio),
            factor=rescaled_factor(self.penalty_factor, p),
            standardize=self.standardize,
            n_lambda=self.n_lambda,
            ratio=self.lambda_min_ratio,
            lambdas=decreasing(self.lambdas),
            tol=self.tol,
            max_iter=self.max_iter,
            n_jobs=self.n_jobs,
        )

    def _folds(self, X: Floats, event: NDArray[np.bool_], time: Floats) -> list[Fold]:
        """Return the folds that have an event to learn from and one to measure by."""
        if self._without_folds():
            return []
        folds = event_folds(self.cv, X, event, time, self.random_state, "LassoCox")
        good = [
            (train, test)
            for train, test in folds
            if event[train].any() and event[test].any()
        ]
        if len(good) < 2:
            raise NoEvents(
                f"LassoCox: {len(good)} of {len(folds)} folds have an event on both "
                "sides; at least 2 are needed. Pass fewer folds, or cv=10 for folds "
                "stratified by event."
            )
        if len(good) < len(folds):
            warnings.warn(
                f"LassoCox: {len(folds) - len(good)} of {len(folds)} folds have no "
                "event to learn from or to measure by and are left out.",
                FewEvents,
                stacklevel=3,
            )
        return good

    def _check_path(self, path: CoxPath) -> None:
        if not len(path.lambdas):
            raise InvalidInput(
                f"LassoCox could not solve its first penalty in {self.max_iter} steps. "
                "Columns with penalty_factor 0 that separate the events have no finite "
                "coefficient: penalise them, or raise max_iter."
            )
        if not path.converged:
            warnings.warn(
                f"LassoCox: the path ended at lambda {path.lambdas[-1]:.3g}, the next "
                f"penalty was not solved in {self.max_iter} steps. Raise max_iter, or "
                "lambda_min_ratio to end the path before.",
                NotConverged,
                stacklevel=3,
            )


def _weights(given: Any, n: int) -> Floats | None:
    if given is None:
        return None
    weight = np.asarray(given, dtype=float)
    if weight.shape != (n,) or not np.isfinite(weight).all() or (weight < 0).any():
        raise InvalidInput(
            f"sample_weight must be {n} finite numbers that are not negative; got the "
            f"shape {weight.shape}."
        )
    return weight
