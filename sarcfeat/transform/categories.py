"""Categories as 0/1 columns with a named reference level, and interactions."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from sarcfeat._validation import StrOptions, check_params, did_you_mean, listed
from sarcfeat.exceptions import InvalidInput, SarcfeatWarning
from sarcfeat.transform.frame import aligned, checked_names, reasons

__all__ = ["Categories"]

MISSING = "missing"


class Categories(TransformerMixin, BaseEstimator):
    """Turn categories into 0/1 columns against a named reference, and add products.

    A column of text or of dtype ``category`` becomes one column for each level but
    the reference, named ``histology=LMS``; numbers pass as they are. Levels are those
    of the training patients, so a fold that lacks a rare level has no column for it.

    Parameters
    ----------
    reference : mapping of str to str, optional
        Column → its reference level; elsewhere the first level (of a ``category``
        dtype in its own order, else in alphabetical order).
    interactions : sequence of (str, str), optional
        Pairs of columns whose products are added, as ``rna=B:hrf=C``.
    unseen : {"raise", "reference"}
        What to do with a level that no training patient had: refuse it, or count it
        to the reference, with a warning.
    missing : {"raise", "level"}
        Refuse a missing category, or make it a level of its own, ``missing``.
    passed : sequence of str
        Text columns to leave alone; ``site`` is consumed by ComBat.

    Attributes
    ----------
    levels_ : dict
        Column → its levels, the reference first.
    terms_ : dict
        Column (or ``a:b``) → the columns made of it; for ``StepwiseCox(terms=...)``.
    dropped_ : DataFrame
        ``feature, reason``: categories with a single level.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    References
    ----------
    Treatment contrasts, as R's ``contr.treatment``.

    Examples
    --------
    >>> X = pd.DataFrame({"age": [50.0, 61, 70], "histology": ["LMS", "UPS", "M/RC"]})
    >>> Categories(reference={"histology": "M/RC"}).fit_transform(X)
        age  histology=LMS  histology=UPS
    0  50.0            1.0            0.0
    1  61.0            0.0            1.0
    2  70.0            0.0            0.0
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "reference": [None, dict],
        "interactions": [None, list, tuple],
        "unseen": [StrOptions({"raise", "reference"})],
        "missing": [StrOptions({"raise", "level"})],
        "passed": [list, tuple],
    }

    def __init__(
        self,
        reference: Mapping[str, str] | None = None,
        *,
        interactions: Sequence[tuple[str, str]] | None = None,
        unseen: str = "raise",
        missing: str = "raise",
        passed: Sequence[str] = ("site",),
    ) -> None:
        self.reference = reference
        self.interactions = interactions
        self.unseen = unseen
        self.missing = missing
        self.passed = passed

    def fit(self, X: Any, y: Any = None) -> Categories:
        """Learn the levels from these patients.

        Raises
        ------
        InvalidInput
            A reference level that no patient has, a missing category, or an
            interaction of an unknown column.
        """
        check_params(self)
        self.levels_: dict[str, list[str]] = {}
        dropped: list[tuple[str, str]] = []
        if not isinstance(X, pd.DataFrame):
            if self.reference or self.interactions:
                raise InvalidInput(
                    "Categories: reference and interactions name columns, and X is an "
                    f"array without names ({type(X).__name__}). Give a DataFrame."
                )
            validate_data(self, X, dtype=np.float64)
            self.terms_ = {f"x{i}": [f"x{i}"] for i in range(self.n_features_in_)}
            self.dropped_ = reasons(dropped)
            return self
        validate_data(self, X, skip_check_array=True)
        for name in self._check_names(X):
            levels = self._levels(X[name])
            if len(levels) == 1:
                dropped.append((name, f"every patient is {levels[0]!r}"))
            self.levels_[name] = levels
        self.terms_ = {str(name): self._columns_of(str(name)) for name in X.columns}
        for a, b in self.interactions or ():
            self.terms_[f"{a}:{b}"] = [
                f"{left}:{right}" for left in self.terms_[a] for right in self.terms_[b]
            ]
        self.dropped_ = reasons(dropped)
        return self

    def _check_names(self, X: pd.DataFrame) -> list[str]:
        asked = dict(self.reference or {})
        known = [str(name) for name in X.columns]
        for name in [*asked, *(n for pair in self.interactions or () for n in pair)]:
            if name not in known:
                raise InvalidInput(
                    f"Categories names the column {name!r}, which X lacks."
                    f"{did_you_mean(name, known)}"
                )
        return [
            str(name)
            for name, kind in X.dtypes.items()
            if name in asked or (_is_category(kind) and name not in self.passed)
        ]

    def words(self, column: pd.Series[Any]) -> pd.Series[Any]:
        """Return the levels of a column as text, before any coding.

        Raises
        ------
        InvalidInput
            A missing category, unless ``missing="level"``.
        """
        absent = column.isna()
        if absent.any() and self.missing == "raise":
            raise InvalidInput(
                f"Column {column.name!r} has no category for {int(absent.sum())} "
                f"patients: {listed(column.index[absent])}. Impute it in the pipeline, "
                "or make it a level: Categories(missing='level')."
            )
        return column.astype(object).where(~absent, MISSING).map(_word)

    def _levels(self, column: pd.Series[Any]) -> list[str]:
        words = self.words(column)
        present = set(words)
        if isinstance(column.dtype, pd.CategoricalDtype):
            order = [_word(level) for level in column.cat.categories]
            levels = [level for level in order if level in present]
            levels += sorted(present - set(levels))
        else:
            levels = sorted(present)
        first = (self.reference or {}).get(str(column.name))
        if first is None:
            return levels
        if _word(first) not in present:
            raise InvalidInput(
                f"Column {column.name!r} has no patient of the reference level "
                f"{first!r}; its levels are {listed(levels, 12)}."
                f"{did_you_mean(str(first), levels)}"
            )
        return [_word(first), *(level for level in levels if level != _word(first))]

    def _columns_of(self, name: str) -> list[str]:
        if name not in self.levels_:
            return [name]
        return [f"{name}={level}" for level in self.levels_[name][1:]]

    def transform(self, X: Any) -> Any:
        """Return X with 0/1 columns for its categories; frame in, frame out.

        Raises
        ------
        InvalidInput
            A missing column or category, or (``unseen="raise"``) an unknown level.
        """
        check_is_fitted(self, "terms_")
        if not isinstance(X, pd.DataFrame):
            return validate_data(self, X, reset=False, dtype=np.float64)
        X = aligned(self, X)
        parts: dict[str, Any] = {}
        for name in X.columns:
            if name in self.levels_:
                parts.update(self._indicators(X[name]))
            else:
                parts[name] = X[name]
        for a, b in self.interactions or ():
            for left in self.terms_[a]:
                for right in self.terms_[b]:
                    product = np.asarray(parts[left]) * np.asarray(parts[right])
                    parts[f"{left}:{right}"] = product
        return pd.DataFrame(parts, index=X.index)

    def _indicators(self, column: pd.Series[Any]) -> dict[str, Any]:
        words, levels = self.words(column), self.levels_[str(column.name)]
        strange = ~words.isin(levels)
        if strange.any():
            text = (
                f"Column {column.name!r} is {words[strange].iloc[0]!r} for patient "
                f"{words.index[strange][0]} ({int(strange.sum())} in all), a level "
                f"that no training patient had; known: {listed(levels, 12)}."
            )
            if self.unseen == "raise":
                raise InvalidInput(
                    f"{text} Group rare levels first, or pass unseen='reference'."
                )
            warnings.warn(
                f"{text} Counted to the reference {levels[0]!r}.",
                SarcfeatWarning,
                stacklevel=4,
            )
        return {
            f"{column.name}={level}": (words == level).to_numpy(dtype=float)
            for level in levels[1:]
        }

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the columns that `transform` gives."""
        check_is_fitted(self, "terms_")
        checked_names(self, input_features)
        names = [name for columns in self.terms_.values() for name in columns]
        return np.array(names, dtype=object)


def _is_category(dtype: Any) -> bool:
    return isinstance(dtype, pd.CategoricalDtype) or (
        not pd.api.types.is_numeric_dtype(dtype)
    )


def _word(value: Any) -> str:
    """Write a level as text: ``1.0`` of a number that was read with gaps is ``1``."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
