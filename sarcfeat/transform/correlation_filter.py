"""Leave out columns that are nearly the same as one that is kept."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from scipy.stats import rankdata

from sarcfeat._validation import Interval, StrOptions, check_params
from sarcfeat.transform._association import standardised
from sarcfeat.transform.frame import ColumnFilter, input_names, read_features, reasons

__all__ = ["CorrelationFilter"]


class CorrelationFilter(ColumnFilter):
    """Keep features that are correlated with no other kept one beyond a threshold.

    Features are taken from the least to the most redundant (mean absolute correlation
    with all others; by name where equal) and kept unless too close to one already kept:
    the result does not depend on the order of the columns.

    Parameters
    ----------
    threshold : float
        The largest absolute correlation between two kept features.
    method : {"pearson", "spearman"}
    passthrough : sequence of str
        Columns of a frame that pass untouched.

    Attributes
    ----------
    support_ : ndarray of bool, shape (n_columns,)
        Which columns of X are kept.
    dropped_ : DataFrame
        ``feature, reason``; the reason names the kept feature and the correlation.
    n_features_in_ : int
    feature_names_in_ : ndarray of str

    See Also
    --------
    MRMR : Weighs redundancy against relevance.

    Examples
    --------
    >>> import pandas as pd
    >>> X = pd.DataFrame({"volume": [1.0, 2.0, 3.0, 4.0], "area": [1.1, 1.9, 3.2, 3.9],
    ...                   "entropy": [1.0, 3.0, 0.0, 2.0]})
    >>> step = CorrelationFilter(0.9).fit(X)
    >>> step.dropped_.values.tolist()
    [['area', 'correlation 0.993 with volume']]
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "threshold": [Interval(Real, 0, 1, closed="both")],
        "method": [StrOptions({"pearson", "spearman"})],
        "passthrough": ["array-like"],
    }

    def __init__(
        self,
        threshold: float = 0.9,
        *,
        method: str = "pearson",
        passthrough: Sequence[str] = ("site",),
    ) -> None:
        self.threshold = threshold
        self.method = method
        self.passthrough = passthrough

    def fit(self, X: Any, y: Any = None) -> CorrelationFilter:
        """Choose among the columns of these rows.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_columns)
            Without missing values.
        y : ignored
        """
        check_params(self)
        values, is_feature = read_features(self, X, reset=True, passed=self.passthrough)
        names = input_names(self)[is_feature]
        if self.method == "spearman" and values.size:
            values = rankdata(values, axis=0)
        kept, rows = np.zeros(len(names), dtype=bool), []
        if len(names):
            kept, rows = self._choose(values, names)
        self.support_ = ~is_feature
        self.support_[is_feature] = kept
        self.dropped_ = reasons([reason for _, reason in sorted(rows)])
        return self

    def _choose(
        self, values: np.ndarray, names: np.ndarray
    ) -> tuple[np.ndarray, list[tuple[int, tuple[str, str]]]]:
        Z = standardised(values)
        r = np.clip(Z.T @ Z, -1.0, 1.0)
        np.fill_diagonal(r, 0.0)
        # Rounded: the order of the columns changes the last digits of a sum.
        redundancy = np.abs(r).mean(axis=0).round(10)
        order = sorted(range(len(names)), key=lambda j: (redundancy[j], str(names[j])))
        kept = np.zeros(len(names), dtype=bool)
        closest = np.full(len(names), -1)
        rows = []
        for j in order:
            if closest[j] >= 0:
                i = closest[j]
                reason = f"correlation {r[i, j]:.3f} with {names[i]}"
                rows.append((j, (str(names[j]), reason)))
                continue
            kept[j] = True
            near = (np.abs(r[j]) > self.threshold) & (closest < 0) & ~kept
            closest[near] = j
        return kept, rows
