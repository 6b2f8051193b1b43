"""What the transformers share: frames in, frames out, text columns passed by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from sarcfeat._validation import listed, select_columns
from sarcfeat.exceptions import InvalidInput

__all__ = [
    "ColumnFilter",
    "aligned",
    "checked_names",
    "input_names",
    "read_features",
    "reasons",
    "rebuild",
]


def reasons(rows: Sequence[tuple[str, str]]) -> pd.DataFrame:
    """Return the table ``feature, reason`` of every ``dropped_`` attribute."""
    # Plain text: names read from an array are of NumPy's own kind of str.
    plain = [(str(feature), reason) for feature, reason in rows]
    return pd.DataFrame(plain, columns=["feature", "reason"], dtype="str")


def input_names(estimator: Any) -> np.ndarray:
    """Return the names of the columns an estimator was fitted on (``x0`` … without)."""
    names = getattr(estimator, "feature_names_in_", None)
    if names is None:
        names = [f"x{i}" for i in range(estimator.n_features_in_)]
    return np.asarray(names, dtype=object)


def aligned(estimator: Any, X: Any) -> Any:
    """Return the columns of the fit, in its order, of a frame; an array as it is.

    Columns that the fit did not see are left out.

    Raises
    ------
    InvalidInput
        The frame lacks a column of the fit; or has one twice.
    """
    names = getattr(estimator, "feature_names_in_", None)
    if not isinstance(X, pd.DataFrame) or names is None:
        return X
    if len(names) == X.shape[1] and np.array_equal(names, X.columns):
        return X
    if X.columns.has_duplicates:
        twice = X.columns[X.columns.duplicated()].unique()
        raise InvalidInput(f"X holds these columns more than once: {listed(twice)}.")
    return select_columns(X, list(names), type(estimator).__name__)


def read_features(
    estimator: Any,
    X: Any,
    *,
    reset: bool,
    passed: Sequence[str] = (),
    allow_nan: bool = False,
    min_samples: int = 1,
) -> tuple[np.ndarray, np.ndarray]:
    """Check X and return its feature values and which columns of X they are.

    Parameters
    ----------
    estimator : estimator
        Learns ``n_features_in_`` and ``feature_names_in_`` when `reset` is true and is
        compared with them otherwise.
    X : DataFrame or array of shape (n_patients, n_columns)
    passed : sequence of str
        Columns of a frame that are no features, whatever they hold.
    allow_nan : bool
        Whether a value may be missing.
    min_samples : int
        The fewest patients to go on with.

    Returns
    -------
    values : ndarray of float64, shape (n_patients, n_features)
    is_feature : ndarray of bool, shape (n_columns,)

    Raises
    ------
    InvalidInput
        A frame has a column twice, or a feature column that holds no numbers.
    """
    rules: dict[str, Any] = {
        "dtype": np.float64,
        "ensure_all_finite": "allow-nan" if allow_nan else True,
        "ensure_min_samples": min_samples,
    }
    if not isinstance(X, pd.DataFrame):
        values = validate_data(estimator, X, reset=reset, **rules)
        return values, np.ones(values.shape[1], dtype=bool)
    others = set(passed)
    if X.columns.has_duplicates:
        twice = X.columns[X.columns.duplicated()].unique()
        raise InvalidInput(f"X holds these columns more than once: {listed(twice)}.")
    validate_data(estimator, X, reset=reset, skip_check_array=True)
    is_feature = np.array([name not in others for name in X.columns], dtype=bool)
    features = X.loc[:, is_feature]
    _refuse_text(features, passed)
    if not features.shape[1]:
        return np.empty((len(X), 0)), is_feature
    _refuse_infinite(features)
    values = check_array(features, estimator=estimator, input_name="X", **rules)
    return values, is_feature


def _refuse_infinite(features: pd.DataFrame) -> None:
    counts = np.isinf(features.to_numpy(dtype=float)).sum(axis=0)
    where = np.flatnonzero(counts)
    if len(where):
        found = listed(f"{features.columns[j]} ({counts[j]} patients)" for j in where)
        raise InvalidInput(
            f"Input X contains infinity in {len(where)} columns: {found}. Make such a "
            "value missing and fill it inside the fold, or leave the column out."
        )


def _holds_numbers(column: pd.Series) -> bool:
    try:
        column.astype(float)
    except (TypeError, ValueError):
        return False
    return True


def _refuse_text(features: pd.DataFrame, passed: Sequence[str]) -> None:
    # By dtype first: taking thousands of columns out one by one costs more than the
    # mathematics of a filter.
    doubtful = [
        name
        for name, dtype in zip(features.columns, features.dtypes, strict=True)
        if not pd.api.types.is_numeric_dtype(dtype)
    ]
    text = [
        name
        for name in doubtful
        if features[name].dtype != object or not _holds_numbers(features[name])
    ]
    if text:
        raise InvalidInput(
            f"{len(text)} columns of X hold no numbers: {listed(text)} (dtype "
            f"{features[text[0]].dtype}). Encode them first, leave them out, or name "
            f"them where columns are passed by (now: {listed(passed) or 'none'})."
        )


def checked_names(estimator: Any, input_features: Any) -> np.ndarray:
    """Return the input names, after comparing them with those of the fit."""
    names = input_names(estimator)
    if input_features is None:
        return names
    given = np.asarray(input_features, dtype=object)
    if hasattr(estimator, "feature_names_in_") and not np.array_equal(given, names):
        raise InvalidInput("input_features is not equal to feature_names_in_")
    if len(given) != len(names):
        raise InvalidInput(
            "input_features should have length equal to number of features "
            f"({len(names)}), got {len(given)}"
        )
    return given


def rebuild(
    X: pd.DataFrame, values: np.ndarray, is_feature: np.ndarray, support: np.ndarray
) -> pd.DataFrame:
    """Return X with new feature values, reduced to the columns of `support`.

    Parameters
    ----------
    X : DataFrame
    values : ndarray of shape (n_patients, n_features_kept)
        One column for each true entry of ``is_feature & support``.
    is_feature, support : ndarray of bool, shape (n_columns,)
    """
    features = pd.DataFrame(
        values, index=X.index, columns=X.columns[is_feature & support]
    )
    passed = X.loc[:, support & ~is_feature]
    if not passed.shape[1]:
        return features
    return pd.concat([features, passed], axis=1)[list(X.columns[support])]


class ColumnFilter(TransformerMixin, BaseEstimator):
    """Base of the transformers that keep some of the columns of X.

    A subclass reads X with :func:`read_features`, sets ``support_`` (one boolean a
    column of X) and ``dropped_`` in ``fit``, and inherits the rest.
    """

    _allow_nan = False

    def get_support(self, indices: bool = False) -> np.ndarray:
        """Return which columns of X are kept, as a mask or as column numbers.

        Parameters
        ----------
        indices : bool
            Return column numbers in place of a mask.
        """
        check_is_fitted(self, "support_")
        return np.flatnonzero(self.support_) if indices else self.support_.copy()

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the columns kept, in the order of X.

        Parameters
        ----------
        input_features : array-like of str, optional
            The columns of X; only needed for an estimator fitted on an array.
        """
        check_is_fitted(self, "support_")
        return checked_names(self, input_features)[self.support_]

    def transform(self, X: Any) -> Any:
        """Return the kept columns of X; frame in, frame out.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_columns)
            The columns of the training data.
        """
        check_is_fitted(self, "support_")
        X = aligned(self, X)
        values, _ = read_features(
            self,
            X,
            reset=False,
            passed=getattr(self, "passthrough", ()),
            allow_nan=self._allow_nan,
        )
        if isinstance(X, pd.DataFrame):
            return X.loc[:, self.support_].copy()
        return values[:, self.support_]

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn whether missing values may pass."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self._allow_nan
        return tags
