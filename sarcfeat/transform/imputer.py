"""Missing values filled in by scikit-learn's imputers, learned on the training fold."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.utils.validation import check_is_fitted

from sarcfeat._validation import Interval, StrOptions, check_params
from sarcfeat.transform.frame import (
    ColumnFilter,
    aligned,
    input_names,
    read_features,
    reasons,
    rebuild,
)

__all__ = ["Imputer"]

SIMPLE = {"mean", "median", "most_frequent", "constant"}


class Imputer(ColumnFilter):
    """Fill in missing feature values with what the training patients say.

    scikit-learn's imputers with frames in and out, a text column passed by, and a count
    of what was filled in. A column that no training patient has is dropped for that
    fold.

    Parameters
    ----------
    strategy : {"median", "mean", "most_frequent", "constant", "knn", "iterative"}
        ``"knn"`` takes the mean of the nearest training patients (standardise first);
        ``"iterative"`` predicts each feature from the others by Bayesian ridge
        regression, in turns.
    fill_value : float
        For ``"constant"``.
    n_neighbors : int
        For ``"knn"``.
    passthrough : sequence of str
        Columns of a frame that pass untouched.
    random_state : int, RandomState or None
        For ``"iterative"``.

    Attributes
    ----------
    imputed_ : DataFrame
        ``feature, missing, share``: what was filled in the training patients.
    dropped_ : DataFrame
        ``feature, reason``.
    support_ : ndarray of bool, shape (n_columns,)
        Which columns of X are kept.
    n_features_in_ : int
    feature_names_in_ : ndarray of str

    See Also
    --------
    MedianImputer : The median only.
    sklearn.impute : does the work.

    Examples
    --------
    >>> X = pd.DataFrame({"t1": [1.0, np.nan, 3.0, 5.0], "pet": [np.nan] * 4})
    >>> step = Imputer("mean").fit(X)
    >>> step.transform(X)["t1"].tolist()
    [1.0, 3.0, 3.0, 5.0]
    >>> step.dropped_.values.tolist()
    [['pet', 'no training patient has a value']]
    """

    _allow_nan = True
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "strategy": [StrOptions({*SIMPLE, "knn", "iterative"})],
        "fill_value": [Real],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "passthrough": ["array-like"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        strategy: str = "median",
        *,
        fill_value: float = 0.0,
        n_neighbors: int = 5,
        passthrough: Sequence[str] = ("site",),
        random_state: Any = None,
    ) -> None:
        self.strategy = strategy
        self.fill_value = fill_value
        self.n_neighbors = n_neighbors
        self.passthrough = passthrough
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Imputer:
        """Learn from these rows what to fill in.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_columns)
        y : ignored
        """
        check_params(self)
        values, is_feature = read_features(
            self, X, reset=True, passed=self.passthrough, allow_nan=True
        )
        names = input_names(self)[is_feature].astype(str)
        missing = np.isnan(values).sum(axis=0)
        empty = missing == len(values)
        self.imputed_ = pd.DataFrame(
            {"feature": names, "missing": missing, "share": missing / len(values)}
        )
        self.dropped_ = reasons(
            [(name, "no training patient has a value") for name in names[empty]]
        )
        self.support_ = ~is_feature
        self.support_[is_feature] = ~empty
        self.imputer_ = None
        if not empty.all():
            self.imputer_ = self._imputer().fit(values[:, ~empty])
        return self

    def _imputer(self) -> Any:
        if self.strategy == "knn":
            return KNNImputer(n_neighbors=self.n_neighbors)
        if self.strategy == "iterative":
            from sklearn.experimental import enable_iterative_imputer  # noqa: F401
            from sklearn.impute import IterativeImputer

            return IterativeImputer(random_state=self.random_state)
        return SimpleImputer(strategy=self.strategy, fill_value=self.fill_value)

    def transform(self, X: Any) -> Any:
        """Return X without missing feature values; frame in, frame out.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_columns)
            The columns of the training data.
        """
        check_is_fitted(self, "imputed_")
        X = aligned(self, X)
        values, is_feature = read_features(
            self, X, reset=False, passed=self.passthrough, allow_nan=True
        )
        values = values[:, self.support_[is_feature]]
        if self.imputer_ is not None and len(values):
            values = self.imputer_.transform(values)
        if not isinstance(X, pd.DataFrame):
            return values
        return rebuild(X, values, is_feature, self.support_)
