"""What a fitted Cox model says of a patient: his risk, and his survival curve."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from sarcfeat.estimators._matrix import predict_matrix
from sarcfeat.estimators._row_columns import design_of, label_column, labels_of
from sarcfeat.survival import BaselineHazard

__all__ = ["CoxCurves"]

Floats = npt.NDArray[np.float64]


class CoxCurves:
    """The predictions of a Cox model, with one baseline hazard or one a stratum."""

    coef_: Floats
    vcov_: Floats
    means_: Floats

    def predict(self, X: Any) -> Floats:
        """Return the linear predictor: log hazard ratio to the reference patient.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_features)
            Columns of a frame are found by name.

        Returns
        -------
        ndarray of shape (n_patients,)
            Higher is worse; with strata, among the patients of one stratum.
        """
        return np.asarray(self._centred(X) @ self.coef_)

    def predict_cumulative_hazard(self, X: Any, times: npt.ArrayLike) -> Floats:
        """Return the cumulative hazard of each patient at given times.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_features)
        times : array-like of shape (n_times,)
            In the unit of the training times. Flat after the last event.

        Returns
        -------
        ndarray of shape (n_patients, n_times)
        """
        risk = np.exp(self.predict(X))
        hazard = np.empty((len(risk), np.size(times)))
        for rows, baseline in self._baselines_of(X, len(risk)):
            hazard[rows] = np.outer(risk[rows], baseline.at(times))
        return hazard

    def predict_survival_function(self, X: Any, times: npt.ArrayLike) -> Floats:
        """Return each patient's chance of being free of the event at given times.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_features)
            With the columns of the strata, where there are any.
        times : array-like of shape (n_times,)
            In the unit of the training times. Flat after the last event.

        Returns
        -------
        ndarray of shape (n_patients, n_times)
        """
        risk = self.predict(X)
        survival = np.empty((len(risk), np.size(times)))
        for rows, baseline in self._baselines_of(X, len(risk)):
            survival[rows] = baseline.survival(times, risk[rows])
        return survival

    def predict_survival_se(self, X: Any, times: npt.ArrayLike) -> Floats:
        """Return the standard error of :meth:`predict_survival_function`.

        Parameters
        ----------
        X : DataFrame or array of shape (n_patients, n_features)
        times : array-like of shape (n_times,)

        Returns
        -------
        ndarray of shape (n_patients, n_times)
        """
        centred = self._centred(X)
        error = np.empty((len(centred), np.size(times)))
        for rows, baseline in self._baselines_of(X, len(centred)):
            error[rows] = baseline.std_err(times, centred[rows], self.coef_, self.vcov_)
        return error

    def _special(self) -> list[Any]:
        """Return the columns of X that are no variables."""
        return []

    def _strata(self) -> list[Any]:
        return []

    def _centred(self, X: Any) -> Floats:
        check_is_fitted(self, "coef_")
        design = design_of(X, self._special(), type(self).__name__, fit=False)
        return np.asarray(predict_matrix(self, design) - self.means_)

    def _baselines_of(
        self, X: Any, n: int
    ) -> list[tuple[npt.NDArray[np.intp], BaselineHazard]]:
        """Return the baseline hazards and the rows of X that have each."""
        names = self._strata()
        if not names:
            return [(np.arange(n), self.baseline_)]  # type: ignore[attr-defined]
        what, hazards = type(self).__name__, self.baselines_  # type: ignore[attr-defined]
        known = list(hazards)
        code = labels_of(label_column(X, names, what), known, X, what)
        found = [(np.flatnonzero(code == i), hazards[k]) for i, k in enumerate(known)]
        return [(rows, hazard) for rows, hazard in found if len(rows)]
