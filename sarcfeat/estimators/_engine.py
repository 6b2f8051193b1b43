"""What the models that scikit-survival fits for us have in common."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from sarcfeat._validation import check_params, listed
from sarcfeat.estimators._matrix import feature_names, fit_matrix, predict_matrix
from sarcfeat.exceptions import InvalidInput, NothingSelected, SarcfeatWarning
from sarcfeat.survival import SurvivalMixin, check_y, kaplan_meier, make_y

__all__ = ["EngineModel", "EngineWithCurves"]

Floats = npt.NDArray[np.float64]


class EngineModel(SurvivalMixin, BaseEstimator):
    """A survival model whose arithmetic is another package's.

    It adds what the rest of this package relies on: ``score`` with weights, columns
    found by name, a constant prediction for a frame without columns, and curves as
    arrays.
    """

    _takes_weights = True
    _unseen = 0.0  # the largest difference between patients that it cannot see

    @abstractmethod
    def _engine(self) -> Any:
        """Return the unfitted model of the other package."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Fit the model.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_features)
            Numbers, none missing. A frame without any column gives a constant model.
        y : structured array (event, time)
        sample_weight : array-like of shape (n_patients,), optional

        Raises
        ------
        InvalidInput
            Text columns, missing values, one time for all patients, or weights the
            model cannot use.
        NoEvents
            Fewer than two patients had the event.

        Warns
        -----
        NothingSelected
            X has no column; predictions are constant.
        SarcfeatWarning
            A column of values so near each other that trees take them for equal.
        """
        check_params(self)
        values = fit_matrix(self, X)
        event, time = check_y(y, n=len(values), min_events=2)
        self.max_time_ = float(time.max())
        self.model_ = None
        if not values.shape[1]:
            curve = kaplan_meier(event, time)
            self._everybody = (curve.time, curve.survival)
            warnings.warn(
                f"X has no column; {type(self).__name__} predicts the same for every "
                "patient.",
                NothingSelected,
                stacklevel=2,
            )
            return self
        if np.ptp(time) == 0:
            raise InvalidInput(
                f"All {len(time)} patients have the time {time[0]:g}; there is no "
                f"order for {type(self).__name__} to learn. Check the column of times."
            )
        self._warn_unseen(values)
        extra = {}
        if sample_weight is not None:
            if not self._takes_weights:
                raise InvalidInput(
                    f"{type(self).__name__} cannot weigh patients; fit it without "
                    "sample_weight."
                )
            extra["sample_weight"] = np.asarray(sample_weight, dtype=float)
        target = make_y(event, time, zero="keep")
        self.model_ = self._engine().fit(values, target, **extra)
        if hasattr(self.model_, "n_jobs"):
            # Threads add the trees up in any order: the last bits would differ.
            self.model_.set_params(n_jobs=1)
        return self

    def _warn_unseen(self, values: Floats) -> None:
        spread = np.ptp(values, axis=0)
        unseen = (spread > 0) & (spread <= self._unseen)
        if unseen.any():
            names = feature_names(self)[unseen]
            warnings.warn(
                f"{listed(names)}: all values lie within {self._unseen:g} of each "
                f"other, which the trees of {type(self).__name__} take for equal. "
                "Scale the columns first, as ZScore does.",
                SarcfeatWarning,
                stacklevel=3,
            )

    def predict(self, X: Any) -> Floats:
        """Return the risk of each patient; higher is worse."""
        check_is_fitted(self)
        values = predict_matrix(self, X)
        if self.model_ is None:
            return np.zeros(len(values))
        return np.asarray(self.model_.predict(values), dtype=float)


class EngineWithCurves(EngineModel):
    """One that also predicts survival curves."""

    def predict_survival_function(self, X: Any, times: npt.ArrayLike) -> Floats:
        """Return each patient's chance of being free of the event at given times.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_features)
        times : array-like of shape (n_times,)
            In the unit of the training times; flat after the last of them.

        Returns
        -------
        ndarray of shape (n_patients, n_times)
        """
        check_is_fitted(self)
        values = predict_matrix(self, X)
        wanted = np.asarray(times, dtype=float)
        if self.model_ is None:
            known, survival = self._everybody
            curves = np.tile(survival, (len(values), 1))
        else:
            known = np.asarray(self.model_.unique_times_, dtype=float)
            curves = self.model_.predict_survival_function(values, return_array=True)
        position = np.searchsorted(known, wanted, side="right")
        start = np.ones((len(values), 1))
        return np.hstack([start, np.asarray(curves, dtype=float)])[:, position]
