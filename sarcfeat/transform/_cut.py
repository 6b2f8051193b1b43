"""What the cut-offs share: columns of numbers in, low (0) and high (1) out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from sarcfeat.transform.frame import ColumnFilter, aligned, read_features, rebuild

__all__ = ["Cut"]


class Cut(ColumnFilter):
    """Base of the cut-offs; a subclass sets ``cuts_``, ``support_`` and ``dropped_``.

    ``cuts_`` holds one number a column of numbers of X, NaN where it is dropped.
    """

    _allow_nan = True

    def transform(self, X: Any) -> Any:
        """Return 1 where a value is at or above the cut, 0 below, missing as missing.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_columns)
            The columns of the training data.

        Returns
        -------
        DataFrame or ndarray
            The columns that have a cut, under their own names.
        """
        check_is_fitted(self, "support_")
        X = aligned(self, X)
        values, is_feature = read_features(
            self,
            X,
            reset=False,
            passed=getattr(self, "passthrough", ()),
            allow_nan=True,
        )
        kept = self.support_[is_feature]
        cuts = self.cuts_.to_numpy(dtype=float)
        high = np.where(np.isnan(values), np.nan, values >= cuts)[:, kept]
        if isinstance(X, pd.DataFrame):
            return rebuild(X, high, is_feature, self.support_)
        return high


def as_series(cuts: Any, names: Any) -> pd.Series:
    """Return the cuts under the names of their columns."""
    index = pd.Index([str(name) for name in names], name="feature", dtype="str")
    return pd.Series(np.asarray(cuts, dtype=float), index=index, name="cut")
