"""Standardised features: mean 0 and standard deviation 1 in the training patients."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from sarcfeat._validation import check_params, listed
from sarcfeat.exceptions import NothingSelected
from sarcfeat.transform.frame import (
    ColumnFilter,
    aligned,
    input_names,
    read_features,
    reasons,
    rebuild,
)

__all__ = ["ZScore"]


def constant_columns(values: np.ndarray) -> np.ndarray:
    """Return which columns hold one value only (or none), missing values aside.

    Examples
    --------
    >>> constant_columns(np.array([[1.0, 0.1, np.nan], [2.0, 0.1, np.nan]]))
    array([False,  True,  True])
    """
    highest = np.max(values, axis=0, where=~np.isnan(values), initial=-np.inf)
    lowest = np.min(values, axis=0, where=~np.isnan(values), initial=np.inf)
    return highest <= lowest


class ZScore(ColumnFilter):
    """Express each feature in standard deviations from the training mean.

    scikit-learn's ``StandardScaler`` that leaves the column ``site`` alone, accepts a
    frame without features and drops what is constant in the training patients: such
    a feature tells nothing and has no standard deviation to divide by. A feature that
    is constant only in later patients is kept.

    Parameters
    ----------
    passthrough : sequence of str
        Columns of a frame that pass untouched.

    Attributes
    ----------
    mean_, scale_ : ndarray of shape (n_kept,)
        Mean and standard deviation (dividing by n) of the features kept.
    support_ : ndarray of bool, shape (n_columns,)
        Which columns of X are kept.
    dropped_ : DataFrame
        ``feature, reason``.
    n_features_in_ : int
    feature_names_in_ : ndarray of str

    See Also
    --------
    sklearn.preprocessing.StandardScaler : does the work.

    Examples
    --------
    >>> X = pd.DataFrame({"age": [50.0, 70.0], "grade": [2.0, 2.0], "site": ["A", "B"]})
    >>> scaler = ZScore().fit(X)
    >>> scaler.transform(X)
       age site
    0 -1.0    A
    1  1.0    B
    >>> scaler.dropped_
      feature                              reason
    0   grade  one value in the training patients
    """

    _allow_nan = True
    _parameter_constraints: ClassVar[dict] = {"passthrough": ["array-like"]}

    def __init__(self, *, passthrough: Sequence[str] = ("site",)) -> None:
        self.passthrough = passthrough

    def fit(self, X: Any, y: Any = None) -> ZScore:
        """Learn mean and standard deviation of each feature from these rows.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_columns)
            Missing values are left out of the sums.
        y : ignored
        """
        check_params(self)
        values, is_feature = read_features(
            self, X, reset=True, passed=self.passthrough, allow_nan=True
        )
        constant = constant_columns(values)
        names = input_names(self)
        self.support_ = ~is_feature
        self.support_[is_feature] = ~constant
        self.dropped_ = reasons(
            [
                (name, "one value in the training patients")
                for name in names[is_feature][constant]
            ]
        )
        self.mean_ = self.scale_ = np.empty(0)
        if not constant.all():
            scaler = StandardScaler().fit(values[:, ~constant])
            self.mean_, self.scale_ = scaler.mean_, scaler.scale_
        elif constant.size:
            warnings.warn(
                f"All {constant.size} features have one value in the training "
                f"patients and are dropped: {listed(names[is_feature])}.",
                NothingSelected,
                stacklevel=2,
            )
        return self

    def transform(self, X: Any) -> Any:
        """Return the standardised features; frame in, frame out.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_columns)
            The columns of the training data.
        """
        check_is_fitted(self, "support_")
        X = aligned(self, X)
        values, is_feature = read_features(
            self, X, reset=False, passed=self.passthrough, allow_nan=True
        )
        scaled = (values[:, self.support_[is_feature]] - self.mean_) / self.scale_
        if not isinstance(X, pd.DataFrame):
            return scaled
        return rebuild(X, scaled, is_feature, self.support_)
