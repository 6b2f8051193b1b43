"""Low and high by the median of the training patients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from sarcfeat._validation import check_params
from sarcfeat.transform._cut import Cut, as_series
from sarcfeat.transform.frame import input_names, read_features, reasons

__all__ = ["MedianCut"]


class MedianCut(Cut):
    """Part patients into low and high at the median of the training patients.

    Parameters
    ----------
    passthrough : sequence of str
        Columns of a frame that pass untouched.

    Attributes
    ----------
    cuts_ : Series
        The median of each column; high is at or above it.
    support_ : ndarray of bool, shape (n_columns,)
        Which columns of X come out.
    dropped_ : DataFrame
        ``feature, reason``: columns without a value.
    n_features_in_ : int
    feature_names_in_ : ndarray of str

    See Also
    --------
    OptimalCut : The cut that parts survival best.

    Notes
    -----
    A median needs no outcome, so its log-rank p needs no correction; but it belongs to
    the training patients: those of another hospital are cut where these were.

    Examples
    --------
    >>> import pandas as pd
    >>> train = pd.DataFrame({"score": [0.1, 0.2, 0.4, 0.9]})
    >>> cut = MedianCut().fit(train)
    >>> round(float(cut.cuts_["score"]), 2)
    0.3
    >>> cut.transform(pd.DataFrame({"score": [0.25, 0.8]}))["score"].tolist()
    [0.0, 1.0]
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "passthrough": ["array-like"],
    }

    def __init__(self, *, passthrough: Sequence[str] = ("site",)) -> None:
        self.passthrough = passthrough

    def fit(self, X: Any, y: Any = None) -> MedianCut:
        """Learn the medians of these patients.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_columns)
            Missing values are left out, column by column.
        y : ignored

        Returns
        -------
        MedianCut
            The fitted transformer itself.
        """
        check_params(self)
        values, is_feature = read_features(
            self, X, reset=True, passed=self.passthrough, allow_nan=True
        )
        names = input_names(self)[is_feature]
        there = ~np.isnan(values).all(axis=0)
        cuts = np.full(values.shape[1], np.nan)
        cuts[there] = np.nanmedian(values[:, there], axis=0)
        self.cuts_ = as_series(cuts, names)
        self.support_ = ~is_feature
        self.support_[is_feature] = there
        empty = [(str(n), "no value") for n in names[~there]]
        self.dropped_ = reasons(empty)
        return self
