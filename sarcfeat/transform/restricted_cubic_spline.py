"""Restricted cubic splines: a measured quantity whose effect need not be a line."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from sarcfeat._validation import Interval, check_params, did_you_mean, listed
from sarcfeat.exceptions import InvalidInput, SarcfeatWarning
from sarcfeat.transform.frame import aligned, checked_names, input_names
from sarcfeat.transform.spline_basis import (
    default_knots,
    spline_basis,
    spline_names,
)

__all__ = ["RestrictedCubicSpline"]


class RestrictedCubicSpline(TransformerMixin, BaseEstimator):
    """Let the effect of age, size or a score bend: columns of a natural cubic spline.

    A column ``age`` becomes ``age``, ``age'``, ``age''`` ...: one for each knot but
    one. A model on them is a smooth curve of age, straight beyond the outer knots;
    :class:`sarcfeat.nomogram.Nomogram` draws it as one axis. A column with too few
    distinct values for three knots stays as it is.

    Parameters
    ----------
    columns : sequence of str, optional
        The columns to bend (positions, of an array); every column of numbers where not
        given.
    n_knots : int
        3 to 7 are usual: 3 under 30 patients, 4 is a good choice, 5 from 100 on.
    knots : mapping of str to sequence of float, optional
        Column → its knots, where they are known beforehand.
    passed : sequence of str
        Text columns to leave alone; ``site`` is consumed by ComBat.

    Attributes
    ----------
    knots_ : dict
        Column → its knots; a column that stays as it is is not in it.
    terms_ : dict
        Column → the columns made of it; for ``StepwiseCox(terms=...)``.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Raises
    ------
    InvalidInput
        A column that X lacks or that is not numeric, or knots that do not ascend.

    Warns
    -----
    SarcfeatWarning
        A column named in `columns` cannot be bent.

    References
    ----------
    Harrell FE. Regression Modeling Strategies, 2.4.5-6; the columns and the knots are
    those of R's ``rms::rcs`` (``Hmisc::rcspline.eval``).

    Examples
    --------
    >>> X = pd.DataFrame({"age": np.arange(20.0, 90.0), "male": [0.0, 1.0] * 35})
    >>> spline = RestrictedCubicSpline(n_knots=3).fit(X)
    >>> spline.knots_
    {'age': (24.0, 54.5, 85.0)}
    >>> spline.get_feature_names_out().tolist()
    ['age', "age'", 'male']
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "columns": [None, list, tuple],
        "n_knots": [Interval(Integral, 3, None, closed="left")],
        "knots": [None, dict],
        "passed": [list, tuple],
    }

    def __init__(
        self,
        columns: Sequence[Any] | None = None,
        *,
        n_knots: int = 4,
        knots: Mapping[Any, Sequence[float]] | None = None,
        passed: Sequence[str] = ("site",),
    ) -> None:
        self.columns = columns
        self.n_knots = n_knots
        self.knots = knots
        self.passed = passed

    def fit(self, X: Any, y: Any = None) -> RestrictedCubicSpline:
        """Place the knots by these patients.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_features)
        y : ignored

        Returns
        -------
        RestrictedCubicSpline
            Itself.
        """
        check_params(self)
        frame = self._checked(X, reset=True)
        self.knots_: dict[str, tuple[float, ...]] = {}
        asked = self._asked(frame)
        given = {str(self._name(key)): self._given(key) for key in self.knots or {}}
        for name in asked:
            values = self._numbers(frame[name])
            knots = given.get(name) or default_knots(values, self.n_knots)
            if len(knots) >= 3:
                self.knots_[name] = knots
            elif self.columns is not None:
                warnings.warn(
                    f"Column {name!r} has {len(np.unique(values))} distinct values, "
                    "too few for three knots; it stays as it is.",
                    SarcfeatWarning,
                    stacklevel=2,
                )
        self.terms_ = {
            str(name): spline_names(str(name), len(self.knots_.get(str(name), (0, 0))))
            for name in frame.columns
        }
        return self

    def _name(self, key: Any) -> Any:
        names = input_names(self)
        return names[key] if isinstance(key, Integral) else key

    def _given(self, key: Any) -> tuple[float, ...]:
        knots = tuple(float(knot) for knot in (self.knots or {})[key])
        if len(knots) < 3 or not np.all(np.diff(knots) > 0):
            raise InvalidInput(
                f"The knots of {key!r} are {list(knots)}; a restricted cubic spline "
                "needs 3 or more, ascending."
            )
        return knots

    def _asked(self, frame: pd.DataFrame) -> list[str]:
        """Return the columns to bend, in the order of X."""
        known = [str(name) for name in frame.columns]
        wanted = [self._name(key) for key in self.columns or ()]
        for name in [*wanted, *map(self._name, self.knots or ())]:
            if name not in known:
                raise InvalidInput(
                    f"RestrictedCubicSpline names the column {name!r}, which X lacks."
                    f"{did_you_mean(str(name), known)}"
                )
        if self.columns is not None:
            return [name for name in known if name in wanted]
        return [
            str(name)
            for name, kind in frame.dtypes.items()
            if name not in self.passed and pd.api.types.is_numeric_dtype(kind)
        ]

    def _checked(self, X: Any, *, reset: bool) -> pd.DataFrame:
        if isinstance(X, pd.DataFrame):
            if reset:
                validate_data(self, X, skip_check_array=True)
            return X if reset else aligned(self, X)
        values = validate_data(self, X, reset=reset, dtype=np.float64)
        return pd.DataFrame(values, columns=input_names(self))

    def _numbers(self, column: pd.Series) -> np.ndarray:
        try:
            values = column.to_numpy(dtype=float)
        except (TypeError, ValueError) as error:
            raise InvalidInput(
                f"Column {column.name!r} holds no numbers ({error}); a spline bends "
                "measured quantities. Categories codes levels."
            ) from error
        bad = ~np.isfinite(values)
        if bad.any():
            raise InvalidInput(
                f"Input X contains NaN or infinity: column {column.name!r}, "
                f"{int(bad.sum())} patients, the first {listed(column.index[bad], 3)}. "
                "Fill it before the spline (MedianImputer), not after."
            )
        return values

    def transform(self, X: Any) -> Any:
        """Return X with the columns of its splines; frame in, frame out.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_features)

        Raises
        ------
        InvalidInput
            A column that is missing, or a value of a spline that is.
        """
        check_is_fitted(self, "terms_")
        frame = self._checked(X, reset=False)
        parts: dict[str, Any] = {}
        for name in frame.columns:
            if name not in self.knots_:
                parts[name] = frame[name]
                continue
            basis = spline_basis(self._numbers(frame[name]), self.knots_[name])
            parts.update(zip(self.terms_[name], basis.T, strict=True))
        made = pd.DataFrame(parts, index=frame.index)
        return made if isinstance(X, pd.DataFrame) else made.to_numpy(dtype=float)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the columns that `transform` gives."""
        check_is_fitted(self, "terms_")
        checked_names(self, input_features)
        names = [name for columns in self.terms_.values() for name in columns]
        return np.array(names, dtype=object)
