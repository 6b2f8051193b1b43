"""Missing values filled in from the training fold, and counted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.impute import SimpleImputer
from sklearn.utils.validation import check_is_fitted, validate_data

from sarcfeat._validation import select_columns

__all__ = ["MedianImputer"]


class MedianImputer(TransformerMixin, BaseEstimator):
    """Fill missing feature values with the median of the training patients.

    For a modality that some patients lack (an MR that was not done): its columns are
    NaN in X on purpose, and a patient without it gets the training median, which the
    report counts. A column that no training patient has is dropped for that fold.

    Attributes
    ----------
    imputed_ : DataFrame
        ``feature, missing, share``: what was filled in the training patients.
    dropped_ : DataFrame
        ``feature, reason``.
    n_features_in_ : int

    See Also
    --------
    sklearn.impute.SimpleImputer : does the work.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> X = pd.DataFrame({"mr.mean": [1.0, np.nan, 3.0], "pet.mean": [1.0, 2.0, 3.0]})
    >>> imputer = MedianImputer().fit(X)
    >>> imputer.transform(X)["mr.mean"].tolist()
    [1.0, 2.0, 3.0]
    >>> imputer.imputed_["missing"].tolist()
    [1, 0]
    """

    def fit(self, X: Any, y: Any = None) -> MedianImputer:
        """Learn the median of each column from these rows."""
        values, names = self._values(X, reset=True)
        missing = np.isnan(values).sum(axis=0)
        self._kept = missing < len(values)
        self.imputed_ = pd.DataFrame(
            {"feature": names, "missing": missing, "share": missing / len(values)}
        )
        self.dropped_ = pd.DataFrame(
            {
                "feature": names[~self._kept],
                "reason": "no training patient has a value",
            }
        )
        self._imputer = None
        if self._kept.any():
            self._imputer = SimpleImputer(strategy="median").fit(values[:, self._kept])
        return self

    def transform(self, X: Any) -> Any:
        """Return X without missing values; frame in, frame out."""
        check_is_fitted(self, "imputed_")
        values, _ = self._values(X, reset=False)
        values = values[:, self._kept]
        if self._imputer is not None:
            values = self._imputer.transform(values)
        if isinstance(X, pd.DataFrame):
            return pd.DataFrame(
                values, index=X.index, columns=self.get_feature_names_out()
            )
        return values

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the columns kept."""
        check_is_fitted(self, "imputed_")
        return np.asarray(self.imputed_["feature"], dtype=object)[self._kept]

    def _values(self, X: Any, *, reset: bool) -> tuple[np.ndarray, np.ndarray]:
        frame = isinstance(X, pd.DataFrame)
        if frame and not reset and hasattr(self, "feature_names_in_"):
            X = select_columns(X, list(self.feature_names_in_), "MedianImputer")
        if frame and not X.shape[1]:  # a filter before has kept nothing
            if reset:
                self.n_features_in_ = 0
                self.feature_names_in_ = np.empty(0, dtype=object)
            return np.empty((len(X), 0)), np.empty(0, dtype=object)
        values = validate_data(
            self,
            X,
            reset=reset,
            dtype=np.float64,
            ensure_all_finite="allow-nan",
        )
        names = getattr(self, "feature_names_in_", None)
        if names is None:
            names = [f"x{i}" for i in range(values.shape[1])]
        return values, np.asarray(names, dtype=object)

    def __sklearn_tags__(self) -> Any:
        """Say that missing values are what this is for."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags
