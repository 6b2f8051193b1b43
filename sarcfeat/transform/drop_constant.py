"""Leave out columns that tell nothing: one value, or none, in the training patients."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from sarcfeat._validation import check_params, listed
from sarcfeat.exceptions import NothingSelected
from sarcfeat.transform.frame import ColumnFilter, input_names, read_features, reasons
from sarcfeat.transform.z_score import constant_columns

__all__ = ["DropConstant"]


class DropConstant(ColumnFilter):
    """Leave out features with one value, or no value at all, in the training patients.

    A feature that is constant only in later patients is kept.

    Parameters
    ----------
    passthrough : sequence of str
        Columns of a frame that pass untouched.

    Attributes
    ----------
    support_ : ndarray of bool, shape (n_columns,)
        Which columns of X are kept.
    dropped_ : DataFrame
        ``feature, reason``.
    n_features_in_ : int
    feature_names_in_ : ndarray of str

    See Also
    --------
    ZScore : Drops constant columns as well.

    Examples
    --------
    >>> import pandas as pd
    >>> X = pd.DataFrame({"age": [50.0, 70.0], "grade": [2, 2], "pet": [np.nan] * 2})
    >>> step = DropConstant().fit(X)
    >>> step.dropped_["reason"].tolist()
    ['one value (2) in the training patients', 'no training patient has a value']
    """

    _allow_nan = True
    _parameter_constraints: ClassVar[dict] = {"passthrough": ["array-like"]}

    def __init__(self, *, passthrough: Sequence[str] = ("site",)) -> None:
        self.passthrough = passthrough

    def fit(self, X: Any, y: Any = None) -> DropConstant:
        """Find the columns that vary in these rows.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_columns)
            Values may be missing.
        y : ignored

        Warns
        -----
        NothingSelected
            Every feature is constant.
        """
        check_params(self)
        values, is_feature = read_features(
            self, X, reset=True, passed=self.passthrough, allow_nan=True
        )
        constant = constant_columns(values)
        names = input_names(self)[is_feature]
        self.support_ = ~is_feature
        self.support_[is_feature] = ~constant
        self.dropped_ = reasons(
            [(names[j], _reason(values[:, j])) for j in np.flatnonzero(constant)]
        )
        if constant.size and constant.all():
            warnings.warn(
                f"All {constant.size} features have one value in the training "
                f"patients and are dropped: {listed(names)}.",
                NothingSelected,
                stacklevel=2,
            )
        return self


def _reason(column: np.ndarray) -> str:
    there = column[~np.isnan(column)]
    if not there.size:
        return "no training patient has a value"
    return f"one value ({there[0]:g}) in the training patients"
