"""What published nomograms share: named inputs, levels, and a formula nobody refits."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from sarcfeat._validation import check_params, did_you_mean, is_frame, listed
from sarcfeat.exceptions import InvalidInput, OutsideRange
from sarcfeat.survival import SurvivalMixin

__all__ = ["PublishedNomogram", "cubic_above"]

# Of each number: what few patients exceed, and what none does.
REACH = {"age": (120.0, 120.0), "size": (50.0, 100.0)}

Floats = npt.NDArray[np.float64]


def cubic_above(values: Floats, knot: float) -> Floats:
    """Return ``max(value - knot, 0) ** 3``: one term of a restricted cubic spline.

    Examples
    --------
    >>> cubic_above(np.array([1.0, 4.0]), 2.0)
    array([0., 8.])
    """
    return np.clip(values - knot, 0.0, None) ** 3


class PublishedNomogram(SurvivalMixin, BaseEstimator):
    """Base of the published nomograms: it finds the inputs and refuses the unknown.

    A subclass names its numeric inputs (with units) and the levels of the others, and
    gives ``_linear_predictor`` and ``_survival``.

    Parameters
    ----------
    columns : mapping, optional
        Input of the nomogram → column of X. Without it, the column of the input's
        own name, or ``clinical.<name>``.
    levels : mapping, optional
        Input → mapping from the words of X to the nomogram's levels, as in
        ``{"depth": {1: "deep", 0: "superficial"}}``.

    Attributes
    ----------
    columns_ : dict
        Input → the column of X that holds it.
    feature_names_in_ : ndarray of str
    """

    # Input → unit, and input → levels with what each adds to the linear predictor.
    numbers: ClassVar[Mapping[str, str]] = {}
    effects: ClassVar[Mapping[str, Mapping[str, float]]] = {}
    times_: ClassVar[tuple[float, ...]] = ()
    source: ClassVar[str] = ""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "columns": [None, dict],
        "levels": [None, dict],
    }

    def __init__(
        self,
        *,
        columns: Mapping[str, str] | None = None,
        levels: Mapping[str, Mapping[Any, str]] | None = None,
    ) -> None:
        self.columns = columns
        self.levels = levels

    @property
    def inputs(self) -> tuple[str, ...]:
        """Return the names of the inputs."""
        return (*self.numbers, *self.effects)

    def fit(self, X: pd.DataFrame, y: Any = None) -> PublishedNomogram:
        """Find the columns; nothing else is learned, whatever `y` says.

        Raises
        ------
        InvalidInput
            X is no DataFrame, or lacks a column of the nomogram.
        """
        check_params(self)
        self._refuse_unknown_inputs()
        if not is_frame(X):
            raise InvalidInput(
                f"{type(self).__name__} reads its inputs by name from a DataFrame; "
                f"got {type(X).__name__}. It needs {listed(self.inputs, 12)}."
            )
        self.columns_ = {name: self._column(name, X) for name in self.inputs}
        self.feature_names_in_ = np.array(list(self.columns_.values()), dtype=object)
        self.n_features_in_ = X.shape[1]
        return self

    def _refuse_unknown_inputs(self) -> None:
        for mapping in (self.columns or {}, self.levels or {}):
            for name in mapping:
                if name not in self.inputs:
                    raise InvalidInput(
                        f"{type(self).__name__} has no input {name!r}."
                        f"{did_you_mean(name, self.inputs)} It has "
                        f"{listed(self.inputs, 12)}."
                    )

    def _column(self, name: str, X: pd.DataFrame) -> str:
        asked = (self.columns or {}).get(name)
        tried = [asked] if asked is not None else [name, f"clinical.{name}"]
        for column in tried:
            if column in X.columns:
                return column
        raise InvalidInput(
            f"{type(self).__name__} needs {name!r} and X has no column "
            f"{listed(map(repr, tried))}.{did_you_mean(tried[0], X.columns)} Say which "
            f"column holds it: columns={{{name!r}: ...}}."
        )

    def _number(self, name: str, X: pd.DataFrame) -> Floats:
        column = X[self.columns_[name]]
        try:
            values = column.to_numpy(dtype=float)
        except (TypeError, ValueError) as error:
            raise InvalidInput(
                f"Column {column.name!r} is not numeric ({error}); "
                f"{type(self).__name__} takes {name!r} in {self.numbers[name]}."
            ) from error
        self._refuse(column, ~np.isfinite(values), "a finite number")
        self._refuse(column, values < 0, f"{self.numbers[name]}, 0 or more")
        usual, possible = REACH[name]
        unit = f"{self.numbers[name]}, {possible:g} at most"
        self._refuse(column, values > possible, unit)
        rare = values > usual
        if rare.any():
            warnings.warn(
                f"{type(self).__name__}: column {column.name!r} is above {usual:g} for "
                f"{int(rare.sum())} of {len(values)} patients: "
                f"{listed(column.index[rare])}. It takes {name!r} in "
                f"{self.numbers[name]}: are these millimetres?",
                OutsideRange,
                stacklevel=4,
            )
        return values

    def _level(self, name: str, X: pd.DataFrame) -> npt.NDArray[np.object_]:
        column = X[self.columns_[name]]
        renamed = (self.levels or {}).get(name, {})
        known = self.effects[name]
        words = [renamed.get(word, word) for word in column.tolist()]
        strange = np.array([word not in known for word in words], dtype=bool)
        self._refuse(
            column,
            strange,
            f"one of {listed(map(repr, known), 12)}; other words are renamed by "
            f"levels={{{name!r}: ...}}",
        )
        return np.array(words, dtype=object)

    def _refuse(
        self, column: pd.Series[Any], where: npt.NDArray[np.bool_], expected: str
    ) -> None:
        if where.any():
            first = column[where]
            value = first.tolist()[0]
            raise InvalidInput(
                f"{type(self).__name__}: column {column.name!r} is {value!r} "
                f"for patient {first.index[0]} ({int(where.sum())} patients in all: "
                f"{listed(first.index)}); expected {expected}. Impute or leave out "
                "these patients: a nomogram needs every input."
            )

    def _effect(self, name: str, X: pd.DataFrame) -> Floats:
        known = self.effects[name]
        return np.array([known[word] for word in self._level(name, X)], dtype=float)

    def _checked(self, X: Any) -> pd.DataFrame:
        check_is_fitted(self, "columns_")
        if not is_frame(X):
            raise InvalidInput(
                f"{type(self).__name__} reads its inputs by name from a DataFrame; "
                f"got {type(X).__name__}."
            )
        absent = [c for c in self.columns_.values() if c not in X.columns]
        if absent:
            raise InvalidInput(
                f"{type(self).__name__} needs the columns {listed(absent, 12)}, which "
                f"X lacks.{did_you_mean(absent[0], X.columns)}"
            )
        return X

    def linear_predictor(self, X: pd.DataFrame) -> Floats:
        """Return the published linear predictor of each patient."""
        return self._linear_predictor(self._checked(X))

    def predict_survival_function(self, X: pd.DataFrame) -> Floats:
        """Return the published probability of no event by each of ``times_``.

        Returns
        -------
        ndarray of shape (n_patients, n_times)
        """
        X = self._checked(X)
        hazard_ratio = np.exp(self._linear_predictor(X))[:, None]
        return self._baseline(X) ** hazard_ratio

    def predict_probability(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return the published probability of the event by each of ``times_``.

        Returns
        -------
        DataFrame indexed by patient, one column a time (years)
        """
        columns = pd.Index(self.times_, name="years")
        return pd.DataFrame(
            1 - self.predict_survival_function(X), index=X.index, columns=columns
        )

    def predict(self, X: pd.DataFrame) -> Floats:
        """Return the risk: the published probability at the last of ``times_``."""
        return 1 - self.predict_survival_function(X)[:, -1]

    def _linear_predictor(self, X: pd.DataFrame) -> Floats:
        raise TypeError(f"{type(self).__name__} gives no formula.")

    def _baseline(self, X: pd.DataFrame) -> Floats:
        raise TypeError(f"{type(self).__name__} gives no baseline survival.")
