"""What the filters that test one feature at a time share."""

from __future__ import annotations

import warnings
from numbers import Real
from typing import Any, ClassVar

import numpy as np

from sarcfeat._validation import Interval, StrOptions, check_params, listed
from sarcfeat.exceptions import InvalidInput, NothingSelected
from sarcfeat.transform.frame import ColumnFilter, input_names, read_features, reasons

__all__ = ["UnivariateFilter"]


class UnivariateFilter(ColumnFilter):
    """Base of the filters that keep features by their own p-value.

    A subclass makes ``table_`` (``feature, p_adjusted, kept`` and what else there is to
    say of a feature) between `_read` and `_keep`.
    """

    # Why a feature without variance cannot be tested.
    _constant_reason: ClassVar[str]

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "alpha": [Interval(Real, 0, 1, closed="both")],
        "adjust": [StrOptions({"bh", "bonferroni", "holm", "none"})],
        "passthrough": ["array-like"],
    }

    def _read(self, X: Any, y: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the features' values and names, and which columns they are.

        Raises
        ------
        InvalidInput
            No y, or missing values.
        """
        check_params(self)
        if y is None:
            raise InvalidInput(
                f"{type(self).__name__} requires y to be passed, but the target y is "
                "None."
            )
        values, is_feature = read_features(
            self, X, reset=True, passed=self.passthrough, allow_nan=True
        )
        names = input_names(self)[is_feature]
        _refuse_missing(values, names)
        return values, names, is_feature

    def _keep(self, constant: np.ndarray, is_feature: np.ndarray) -> None:
        """Keep what ``table_`` keeps, say why the rest goes, warn where all does."""
        kept = self.table_["kept"].to_numpy(dtype=bool)
        self.support_ = ~is_feature
        self.support_[is_feature] = kept
        adjusted = self.table_["p_adjusted"].to_numpy()
        columns = zip(self.table_["feature"], constant, adjusted, kept, strict=True)
        self.dropped_ = reasons(
            [
                (name, self._constant_reason)
                if is_constant
                else (name, f"adjusted p = {p:.3g} > {self.alpha:g}")
                for name, is_constant, p, keep in columns
                if not keep
            ]
        )
        if not kept.any():
            least = f" (smallest adjusted p {adjusted.min():.3g})" if len(kept) else ""
            warnings.warn(
                f"None of {len(kept)} features has an adjusted p <= {self.alpha:g}"
                f"{least}; the step passes no feature on.",
                NothingSelected,
                stacklevel=3,
            )

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn that the filter needs an outcome."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


def _refuse_missing(values: np.ndarray, names: np.ndarray) -> None:
    missing = np.isnan(values).sum(axis=0)
    if missing.any():
        where = np.flatnonzero(missing)
        found = listed(f"{names[j]} ({missing[j]} patients)" for j in where)
        raise InvalidInput(
            f"Input X contains NaN in {len(where)} columns: {found}. Fill them inside "
            "the fold (MedianImputer) or leave the columns out."
        )
