"""Leave out columns that repeat another one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from sarcfeat._validation import check_params
from sarcfeat.transform.frame import ColumnFilter, input_names, read_features, reasons

__all__ = ["DropDuplicates"]

# Correlations above this are 1 but for rounding.
SAME = 1 - 1e-9
BLOCK = 512


class DropDuplicates(ColumnFilter):
    """Leave out each feature that repeats an earlier one, earlier by name.

    A feature repeats another when one is a straight line of the other in the training
    patients (correlation 1 or -1) and both are missing in the same patients. Of such
    features the first by name is kept, whatever the order of the columns.

    Parameters
    ----------
    passthrough : sequence of str
        Columns of a frame that pass untouched.

    Attributes
    ----------
    support_ : ndarray of bool, shape (n_columns,)
        Which columns of X are kept.
    dropped_ : DataFrame
        ``feature, reason``; the reason names the feature that is kept in its place.
    n_features_in_ : int
    feature_names_in_ : ndarray of str

    See Also
    --------
    CorrelationFilter : For features that are close without being the same.

    Examples
    --------
    >>> import pandas as pd
    >>> X = pd.DataFrame({"mm": [10.0, 25.0, 70.0], "cm": [1.0, 2.5, 7.0]})
    >>> step = DropDuplicates().fit(X)
    >>> list(step.get_feature_names_out()), step.dropped_["reason"].tolist()
    (['cm'], ['repeats cm (correlation 1)'])
    """

    _allow_nan = True
    _parameter_constraints: ClassVar[dict] = {"passthrough": ["array-like"]}

    def __init__(self, *, passthrough: Sequence[str] = ("site",)) -> None:
        self.passthrough = passthrough

    def fit(self, X: Any, y: Any = None) -> DropDuplicates:
        """Find the columns that repeat another one in these rows.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_columns)
            Values may be missing.
        y : ignored
        """
        check_params(self)
        values, is_feature = read_features(
            self, X, reset=True, passed=self.passthrough, allow_nan=True
        )
        names = input_names(self)[is_feature]
        # Python's own order of text; x2 comes before x10 for features without a name.
        numbered = not hasattr(self, "feature_names_in_")
        order = np.arange(len(names))
        if not numbered:
            order = np.array(sorted(order, key=lambda j: str(names[j])), dtype=np.intp)
        first, r = _first_alike(values[:, order])
        dropped = {
            order[j]: (order[first[j]], r[j]) for j in range(len(order)) if first[j] < j
        }
        self.support_ = np.ones(len(is_feature), dtype=bool)
        self.support_[np.flatnonzero(is_feature)[sorted(dropped)]] = False
        self.dropped_ = reasons(
            [
                (names[j], f"repeats {names[kept]} (correlation {sign:.0f})")
                for j, (kept, sign) in sorted(dropped.items())
            ]
        )
        return self


def _first_alike(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first column that each column repeats (itself if none), and r."""
    p = values.shape[1]
    there = ~np.isnan(values)
    count = np.maximum(there.sum(axis=0), 1)
    Z = np.where(there, values, 0.0)
    Z = np.where(there, Z - Z.sum(axis=0) / count, 0.0)
    # In units of the largest, no square overflows or vanishes.
    largest = np.abs(Z).max(axis=0, initial=0.0)
    Z = Z / np.where(largest > 0, largest, 1.0)
    length = np.sqrt(np.einsum("ij,ij->j", Z, Z))
    centre = np.abs(np.where(there, values, 0.0)).max(axis=0, initial=0.0)
    flat = (largest <= 1e-13 * centre) | (length == 0)
    Z = np.where(flat, 0.0, Z / np.where(length > 0, length, 1.0))
    _, pattern = np.unique(there, axis=1, return_inverse=True)
    pattern = pattern.ravel()
    first, sign = np.arange(p), np.ones(p)
    for start in range(0, p, BLOCK):
        stop = min(start + BLOCK, p)
        r = Z[:, :stop].T @ Z[:, start:stop]
        alike = (np.abs(r) >= SAME) & (pattern[:stop, None] == pattern[start:stop])
        alike &= np.arange(stop)[:, None] < np.arange(start, stop)
        found = alike.any(axis=0)
        which = alike.argmax(axis=0)
        first[start:stop][found] = which[found]
        sign[start:stop] = np.sign(r[which, np.arange(stop - start)])
    return first, sign
