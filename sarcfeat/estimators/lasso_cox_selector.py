"""The LASSO as a step: keep the columns that it selects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.base import clone

from sarcfeat._validation import HasMethods, check_params
from sarcfeat.estimators.lasso_cox import LassoCox
from sarcfeat.transform.frame import ColumnFilter, input_names, read_features, reasons

__all__ = ["LassoCoxSelector"]


class LassoCoxSelector(ColumnFilter):
    """Keep the columns to which a LASSO gives a coefficient.

    For a model that is to weigh the chosen features anew (a Cox model, a forest). The
    coefficients of that model are too large, as the same patients chose the features;
    the LASSO's own prediction (:class:`LassoCox`, :class:`RiskScore`) is not.

    Parameters
    ----------
    estimator : LassoCox or LassoLogistic, optional
        Any model with ``coef_``. Default ``LassoCox()``, ten folds.
    passthrough : sequence of str
        Columns of a frame that pass untouched and count for nothing.

    Attributes
    ----------
    estimator_ : LassoCox or LassoLogistic
        Fitted.
    selected_ : list of str
        Names of the features kept.
    support_ : ndarray of bool, shape (n_columns,)
        Which columns of X are kept.
    dropped_ : DataFrame
        ``feature, reason``.
    n_features_in_ : int
    feature_names_in_ : ndarray of str

    See Also
    --------
    sklearn.feature_selection.SelectFromModel : does the same, without `passthrough`,
        and refuses a frame without columns.

    References
    ----------
    Belloni, Chernozhukov. Bernoulli 2013;19:521 (a model refitted after the LASSO).

    Examples
    --------
    >>> from sarcfeat.survival import make_y
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.normal(size=(80, 5)), columns=list("abcde"))
    >>> y = make_y(np.ones(80), rng.exponential(np.exp(-X["a"])))
    >>> lasso = LassoCox(cv=5, rule="1se", random_state=0)
    >>> LassoCoxSelector(lasso).fit_transform(X, y).columns.tolist()
    ['a']
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "estimator": [HasMethods(["fit", "predict"]), None],
        "passthrough": ["array-like"],
    }

    def __init__(
        self, estimator: Any = None, *, passthrough: Sequence[str] = ("site",)
    ) -> None:
        self.estimator = estimator
        self.passthrough = passthrough

    def fit(self, X: Any, y: Any = None) -> LassoCoxSelector:
        """Fit the LASSO on these patients.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_columns)
            Without missing values.
        y : structured array (event, time), or two labels for a LassoLogistic

        Warns
        -----
        NothingSelected
            No feature is kept.
        """
        check_params(self)
        values, is_feature = read_features(
            self, X, reset=True, passed=self.passthrough, min_samples=2
        )
        names = input_names(self)[is_feature]
        estimator = LassoCox() if self.estimator is None else clone(self.estimator)
        features = pd.DataFrame(values, columns=names.astype(str))
        self.estimator_ = estimator.fit(features, y)
        kept = np.ravel(self.estimator_.coef_) != 0
        self.support_ = ~is_feature
        self.support_[is_feature] = kept
        self.selected_ = [str(name) for name in names[kept]]
        constant = set(self.estimator_.dropped_["feature"])
        self.dropped_ = reasons(
            [
                (str(name), "constant" if str(name) in constant else "coefficient 0")
                for name in names[~kept]
            ]
        )
        return self

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn that selection needs an outcome."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags
