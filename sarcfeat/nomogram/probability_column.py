"""The probabilities of another program, such as Sarculator's app, as a comparator."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from sarcfeat._validation import (
    Interval,
    StrOptions,
    check_params,
    did_you_mean,
    is_frame,
    listed,
)
from sarcfeat.exceptions import InvalidInput
from sarcfeat.survival import SurvivalMixin

__all__ = ["ProbabilityColumn"]

Floats = npt.NDArray[np.float64]


class ProbabilityColumn(SurvivalMixin, BaseEstimator):
    """A column of probabilities that somebody else computed, as a risk.

    It lets the output of Sarculator's or PERSARC's app stand beside models fitted here,
    in the same folds. Nothing is learned.

    Parameters
    ----------
    column : str or int
        The column of X (its position, of an array).
    horizon : float
        The time by which the probability is meant, in the unit of the survival times.
    of : {"survival", "event"}
        What the column is the probability of: being free of the event at the horizon,
        or having had it. There is no default: a wrong guess turns the risk around.

    Attributes
    ----------
    column_ : str or int
        The column read.
    times_ : tuple of one float
        The horizon.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    See Also
    --------
    sarculator_groups : Sarculator's three risk groups of such a column.

    Examples
    --------
    >>> X = pd.DataFrame({"app_os_5y": [0.9, 0.4]}, index=["p1", "p2"])
    >>> model = ProbabilityColumn("app_os_5y", 1826, of="survival").fit(X)
    >>> model.predict(X)
    array([0.1, 0.6])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "column": [str, Interval(Integral, 0, None, closed="left")],
        "horizon": [Interval(Real, 0, None, closed="neither")],
        "of": [StrOptions({"survival", "event"})],
    }

    def __init__(self, column: str | int, horizon: float, *, of: str) -> None:
        self.column = column
        self.horizon = horizon
        self.of = of

    def fit(self, X: Any, y: Any = None) -> ProbabilityColumn:
        """Find the column; nothing is learned, whatever `y` says.

        Raises
        ------
        InvalidInput
            X lacks the column.
        """
        check_params(self)
        if is_frame(X):
            validate_data(self, X, skip_check_array=True)
            if self.column not in X.columns:
                raise InvalidInput(
                    f"ProbabilityColumn reads {self.column!r}, which X lacks."
                    f"{did_you_mean(str(self.column), X.columns)}"
                )
        else:
            values = validate_data(self, X, dtype=np.float64)
            if isinstance(self.column, str) or self.column >= values.shape[1]:
                raise InvalidInput(
                    f"ProbabilityColumn reads column {self.column!r}; X is an array of "
                    f"{values.shape[1]} columns. Give its position, or a DataFrame."
                )
        self.column_ = self.column
        self.times_ = (float(self.horizon),)
        return self

    def _event(self, X: Any) -> Floats:
        """Return the probability of the event, refusing what is none."""
        check_is_fitted(self, "column_")
        if is_frame(X):
            if self.column_ not in X.columns:
                raise InvalidInput(
                    f"ProbabilityColumn reads {self.column_!r}, which X lacks."
                    f"{did_you_mean(str(self.column_), X.columns)}"
                )
            column = pd.Series(X[self.column_])
        else:
            values = validate_data(self, X, reset=False, dtype=np.float64)
            column = pd.Series(values[:, int(self.column_)])
        given = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float)
        bad = ~((given >= 0) & (given <= 1))
        if bad.any():
            raise InvalidInput(
                f"Column {self.column_!r} is {column[bad].tolist()[0]!r} for patient "
                f"{column.index[bad][0]} ({int(bad.sum())} patients in all: "
                f"{listed(column.index[bad])}); expected a probability from 0 to 1, "
                "not percent. Leave out patients without one."
            )
        return 1.0 - given if self.of == "survival" else given

    def predict(self, X: Any) -> Floats:
        """Return the probability of the event by the horizon; higher is worse."""
        return self._event(X)

    def predict_survival_function(
        self, X: Any, times: npt.ArrayLike | None = None
    ) -> Floats:
        """Return the probability of no event by the horizon, of shape (n, 1).

        Parameters
        ----------
        X : DataFrame or array
        times : array-like of one float, optional
            The horizon and no other.

        Raises
        ------
        InvalidInput
            A time of which the column says nothing.
        """
        event = self._event(X)
        asked = self.times_ if times is None else np.asarray(times, dtype=float)
        if np.size(asked) != 1 or not np.isclose(asked, self.times_, rtol=1e-9).all():
            raise InvalidInput(
                f"Column {self.column_!r} is a probability by {self.times_[0]:g}; it "
                f"says nothing of {listed(f'{t:g}' for t in np.ravel(asked))}."
            )
        return 1.0 - event[:, None]
