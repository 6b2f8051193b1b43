"""From what a user passes as X to the numbers a linear model works with."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted, validate_data

from sarcfeat._validation import is_frame, listed, refuse_twins, select_columns
from sarcfeat.exceptions import InvalidInput

__all__ = ["feature_names", "fit_matrix", "independent_columns", "predict_matrix"]


def fit_matrix(estimator: Any, X: Any) -> NDArray[np.float64]:
    """Check X at fit and remember its columns; a frame may have no column at all."""
    if is_frame(X):
        refuse_twins(X, type(estimator).__name__)
        _refuse_text(estimator, X)
        if X.shape[1] == 0:
            estimator.n_features_in_ = 0
            estimator.feature_names_in_ = np.array([], dtype=object)
            return np.empty((len(X), 0))
        _refuse_missing(estimator, X)
    return np.asarray(
        validate_data(estimator, X, dtype=np.float64, ensure_min_samples=2)
    )


def predict_matrix(estimator: Any, X: Any) -> NDArray[np.float64]:
    """Check X at predict; a frame is aligned by name with the columns of the fit."""
    check_is_fitted(estimator)
    if is_frame(X) and hasattr(estimator, "feature_names_in_"):
        names = list(estimator.feature_names_in_)
        X = select_columns(X, names, type(estimator).__name__)
        if not names:
            return np.empty((len(X), 0))
        _refuse_text(estimator, X)
        _refuse_missing(estimator, X)
    return np.asarray(validate_data(estimator, X, reset=False, dtype=np.float64))


def feature_names(estimator: Any) -> NDArray[np.object_]:
    """Return the column names of the fit, ``x0, x1, ...`` for an array."""
    if hasattr(estimator, "feature_names_in_"):
        return np.asarray(estimator.feature_names_in_, dtype=object)
    return np.array([f"x{j}" for j in range(estimator.n_features_in_)], dtype=object)


def independent_columns(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark the columns that vary and are not given by the columns before them."""
    if not values.shape[1]:
        return np.zeros(0, dtype=bool)
    centred = values - values.mean(axis=0)
    length = np.linalg.norm(centred, axis=0)
    flat = length <= 1e-12 * np.abs(values).max(axis=0) * np.sqrt(len(values))
    Z = centred / np.where(flat, 1.0, length)
    left = np.abs(np.diag(np.linalg.qr(Z, mode="r")))
    return np.asarray(~flat & (left > 1e-7))


def _refuse_missing(estimator: Any, X: pd.DataFrame) -> None:
    """Refuse missing and infinite values: which columns, and whose."""
    numbers = X.select_dtypes("number")
    values = numbers.to_numpy(dtype=np.float64, na_value=np.nan)
    infinite = pd.DataFrame(np.isinf(values), numbers.index, numbers.columns)
    for word, absent in (("NaN", X.isna()), ("infinity", infinite)):
        counts = absent.sum()
        counts = counts[counts > 0]
        if len(counts):
            where = listed(f"{name} ({n} patients)" for name, n in counts.items())
            patients = listed(X.index[absent.any(axis=1)], limit=3)
            raise InvalidInput(
                f"Input X contains {word} in {len(counts)} columns: {where}; first "
                f"patients: {patients}. {type(estimator).__name__} does not guess: "
                "fill them inside the fold (MedianImputer), or leave the columns or "
                "patients out."
            )


def _refuse_text(estimator: Any, X: pd.DataFrame) -> None:
    text = [
        str(name)
        for name, dtype in X.dtypes.items()
        if isinstance(dtype, pd.CategoricalDtype) or pd.api.types.is_string_dtype(dtype)
    ]
    if text:
        raise InvalidInput(
            f"{type(estimator).__name__} works with numbers, and {listed(text)} hold "
            "text or categories. ComBat(batch='site') consumes the site column; encode "
            "other categories, or choose the numeric columns, in an earlier step."
        )
