"""A survival model as a transformer: one cross-fitted column of risk."""

from __future__ import annotations

import warnings
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin, clone, is_classifier
from sklearn.utils import get_tags
from sklearn.utils.validation import (
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from sarcfeat._validation import (
    HasMethods,
    Interval,
    StrOptions,
    check_params,
    is_frame,
    listed,
    select_columns,
)
from sarcfeat.estimators._event_folds import Fold, event_folds, refuse_partial
from sarcfeat.estimators._glm_curve import class_folds
from sarcfeat.exceptions import InvalidInput, NoEvents, NothingSelected
from sarcfeat.survival import check_y, make_y

__all__ = ["RiskScore"]


class RiskScore(TransformerMixin, BaseEstimator):
    """Turn a model into one column of risk, such as a rad-score.

    What a model says of its own training patients is too good: a later step that is
    fitted on it trusts the column too much. So ``fit_transform(X, y)`` gives every
    training patient the prediction of a model fitted without that patient's fold,
    while ``transform`` uses the model fitted on all of them.

    .. note:: ``fit(X, y).transform(X)`` does not equal ``fit_transform(X, y)``: the
       training column is cross-fitted, as in scikit-learn's ``TargetEncoder``. A
       pipeline calls ``fit_transform`` in ``fit`` and ``transform`` in ``predict``,
       which is what is wanted.

    The folds' models are different models: their columns are put together as they
    are, so a strongly penalised fold contributes a narrower range, and a fold that
    selected nothing contributes a constant (counted in ``constant_folds_``).

    Parameters
    ----------
    estimator : survival estimator, classifier or pipeline of one
        The ``predict`` of a survival estimator is a risk, higher is worse; of a binary
        classifier the column is the probability of the class that sorts last.
    cv : int, array-like of fold labels, splitter or None
        Folds of the cross-fitting; a number makes folds stratified by event or class.
        Every patient must be held out once. None gives the training patients the
        prediction of the model that has seen them (optimistic; for comparison only).
    random_state : int, RandomState or None
        For the shuffling of the folds when `cv` is a number.
    name : str
        Name of the column.
    method : {"auto", "predict", "predict_proba", "decision_function"}
        What to ask of the estimator. ``"auto"``: ``predict_proba`` of a classifier,
        ``predict`` of any other; ``"decision_function"`` gives the linear score of a
        logistic model, which is not squeezed into 0 to 1.

    Attributes
    ----------
    estimator_ : estimator
        Fitted on all training patients; what ``transform`` uses.
    constant_folds_ : int
        Folds whose model gives all its training patients one risk (0 after ``fit``
        without ``fit_transform``, which fits no folds).
    is_constant_ : bool
        Whether ``estimator_`` gives all training patients one risk.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Raises
    ------
    InvalidInput
        The folds of `cv` do not hold out every patient once.
    NoEvents
        Fewer than 2 events.

    References
    ----------
    Cross-fitting: Wolpert. Neural Networks 1992;5:241 (stacked generalisation).

    Examples
    --------
    >>> from sarcfeat.estimators import LassoCox
    >>> from sarcfeat.survival import make_y
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.normal(size=(80, 5)), columns=list("abcde"))
    >>> y = make_y(np.ones(80), rng.exponential(np.exp(-X["a"])))
    >>> score = RiskScore(LassoCox(cv=5, random_state=0), random_state=0, name="rad")
    >>> score.fit_transform(X, y).shape
    (80, 1)
    >>> score.get_feature_names_out()
    array(['rad'], dtype=object)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "estimator": [HasMethods(["fit", "predict"])],
        "cv": [
            Interval(Integral, 2, None, closed="left"),
            HasMethods(["split"]),
            "array-like",
            None,
        ],
        "random_state": ["random_state"],
        "name": [str],
        "method": [
            StrOptions({"auto", "predict", "predict_proba", "decision_function"})
        ],
    }

    def __init__(
        self,
        estimator: Any,
        *,
        cv: Any = 5,
        random_state: Any = None,
        name: str = "risk_score",
        method: str = "auto",
    ) -> None:
        self.estimator = estimator
        self.cv = cv
        self.random_state = random_state
        self.name = name
        self.method = method

    def fit(self, X: Any, y: Any) -> RiskScore:
        """Fit the model on all patients.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_patients, n_features)
            Whatever the estimator takes.
        y : structured array (event, time), or two labels for a classifier

        Returns
        -------
        RiskScore
            Itself.
        """
        check_params(self)
        X = self._checked(X, reset=True)
        self._fit_final(X, self._target(y, len(X), min_events=2))
        self.constant_folds_ = 0
        return self

    def fit_transform(self, X: Any, y: Any) -> Any:
        """Fit, and return the cross-fitted risk of the training patients.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_patients, n_features)
        y : structured array (event, time), or two labels for a classifier

        Returns
        -------
        DataFrame or ndarray of shape (n_patients, 1)
        """
        check_params(self)
        X = self._checked(X, reset=True)
        # With 3 events a fold still leaves 2 to learn from.
        y = self._target(y, len(X), min_events=2 if self.cv is None else 3)
        folds: list[Fold] = []
        if self.cv is not None:
            folds = self._folds(X, y)
            refuse_partial(folds, len(X), "RiskScore")
        self._fit_final(X, y)
        self.constant_folds_ = 0
        risk = self._cross_fit(X, y, folds) if folds else self._ask(self.estimator_, X)
        return self._column(X, risk)

    def transform(self, X: Any) -> Any:
        """Return the risk by the model fitted on all training patients.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_patients, n_features)

        Returns
        -------
        DataFrame or ndarray of shape (n_patients, 1)
        """
        check_is_fitted(self)
        X = self._checked(X, reset=False)
        return self._column(X, self._ask(self.estimator_, X))

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return the name of the column.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        ndarray of one str
        """
        check_is_fitted(self)
        return np.array([self.name], dtype=object)

    def __sklearn_tags__(self) -> Any:
        """Declare that `y` is needed, and take missing values if the estimator does."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.allow_nan = get_tags(self.estimator).input_tags.allow_nan
        return tags

    def _checked(self, X: Any, *, reset: bool) -> Any:
        """Remember or compare the columns; the values are for the estimator."""
        if is_frame(X) and not reset and hasattr(self, "feature_names_in_"):
            return select_columns(X, list(self.feature_names_in_), "RiskScore")
        if is_frame(X) and X.shape[1] == 0:
            self.n_features_in_ = 0
            self.feature_names_in_ = np.array([], dtype=object)
            return X
        if is_frame(X):
            return validate_data(self, X, skip_check_array=True, reset=reset)
        return validate_data(
            self,
            X,
            reset=reset,
            dtype=None,
            ensure_all_finite=False,
            ensure_min_samples=2 if reset else 1,
        )

    def _target(self, y: Any, n: int, *, min_events: int) -> Any:
        if not is_classifier(self.estimator):
            event, time = check_y(y, n=n, min_events=min_events)
            return make_y(event, time, zero="keep")
        y = column_or_1d(y, warn=True)
        check_consistent_length(np.empty((n, 0)), y)
        classes = np.unique(y)
        if len(classes) != 2:
            raise InvalidInput(
                "RiskScore makes one column of a classifier with two classes; y has "
                f"{len(classes)}: {listed(classes)}."
            )
        return y

    def _folds(self, X: Any, y: Any) -> list[Fold]:
        if is_classifier(self.estimator):
            codes = np.unique(y, return_inverse=True)[1].ravel()
            return class_folds(self.cv, X, codes, self.random_state, "RiskScore")
        event, time = check_y(y)
        return event_folds(self.cv, X, event, time, self.random_state, "RiskScore")

    def _ask(self, model: Any, X: Any) -> NDArray[np.float64]:
        method = self.method
        if method == "auto":
            method = "predict_proba" if is_classifier(model) else "predict"
        found = np.asarray(getattr(model, method)(X), dtype=float)
        return found[:, 1] if method == "predict_proba" else found

    def _fit_final(self, X: Any, y: Any) -> None:
        self.estimator_ = clone(self.estimator).fit(X, y)
        self.is_constant_ = _constant(self._ask(self.estimator_, X))

    def _cross_fit(self, X: Any, y: Any, folds: list[Fold]) -> NDArray[np.float64]:
        risk = np.empty(len(y))
        for number, (train, test) in enumerate(folds, start=1):
            model = clone(self.estimator)
            with warnings.catch_warnings():
                # Counted, and said once for all folds.
                warnings.simplefilter("ignore", NothingSelected)
                try:
                    model.fit(_rows(X, train), y[train])
                except NoEvents as error:
                    error.add_note(f"In fold {number} of {len(folds)} of RiskScore.")
                    raise
                risk[test] = self._ask(model, _rows(X, test))
                self.constant_folds_ += _constant(self._ask(model, _rows(X, train)))
        if self.constant_folds_:
            warnings.warn(
                f"RiskScore: the model of {self.constant_folds_} of {len(folds)} folds "
                "selected nothing; the patients held out there share one risk.",
                NothingSelected,
                stacklevel=3,
            )
        return risk

    def _column(self, X: Any, risk: Any) -> Any:
        values = np.asarray(risk, dtype=float).reshape(-1, 1)
        if is_frame(X):
            return pd.DataFrame(values, index=X.index, columns=[self.name])
        return values


def _rows(X: Any, rows: NDArray[np.intp]) -> Any:
    return X.iloc[rows] if is_frame(X) else X[rows]


def _constant(risk: Any) -> bool:
    return bool(np.ptp(risk) == 0)
