"""Which batch (site, scanner) each patient belongs to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_consistent_length

from sarcfeat._validation import did_you_mean, listed
from sarcfeat.exceptions import InvalidInput, UnknownName

__all__ = ["batch_labels", "require_column"]


def batch_labels(X: Any, batch: str, site: Any = None) -> pd.Series:
    """Return the batch of each patient, from `site` or else from a column of X.

    Parameters
    ----------
    X : DataFrame or array of shape (n_patients, n_columns)
    batch : str
        The column that names the batch.
    site : array-like of shape (n_patients,), optional

    Raises
    ------
    InvalidInput
        A patient has no batch, `site` is of other patients, or X has no names.
    UnknownName
        X has no such column.
    """
    labels = _given(X, site) if site is not None else _column(X, batch)
    if labels.isna().any():
        raise InvalidInput(
            f"{int(labels.isna().sum())} patients have no {batch}: "
            f"{listed(labels.index[labels.isna()])}. Fill it in or leave them out."
        )
    return labels


def _given(X: Any, site: Any) -> pd.Series:
    check_consistent_length(X, site)
    if not isinstance(X, pd.DataFrame):
        return pd.Series(np.asarray(site, dtype=object))
    if isinstance(site, pd.Series) and not site.index.equals(X.index):
        raise InvalidInput(
            "site is a Series of other patients, or in another order, than X. Give it "
            "the index of X: site.loc[X.index]."
        )
    return pd.Series(np.asarray(site, dtype=object), index=X.index)


def _column(X: Any, batch: str) -> pd.Series:
    if not isinstance(X, pd.DataFrame):
        raise InvalidInput(
            f"X is an array without column names, so the batch {batch!r} cannot be "
            "found: pass site=..., a DataFrame, or batch=None."
        )
    require_column(X, batch)
    return X[batch].astype(object)


def require_column(X: pd.DataFrame, batch: str) -> None:
    """Refuse a frame without the batch column, with the near miss.

    Raises
    ------
    UnknownName
    """
    if batch not in X.columns:
        raise UnknownName(
            f"X has no column {batch!r}.{did_you_mean(batch, X.columns)} Name the "
            "batch column, pass site=..., or batch=None for none."
        )
