"""What is asked of a fitted Cox model and the data it was fitted on."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sarcfeat.estimators._cox_curves import CoxCurves
from sarcfeat.estimators._cox_outcome import cox_rows
from sarcfeat.estimators._matrix import feature_names
from sarcfeat.metrics import concordance
from sarcfeat.survival import cox_state, cox_zph, fit_cox

__all__ = ["CoxChecks"]

Floats = npt.NDArray[np.float64]


class CoxChecks(CoxCurves):
    """Residuals, concordance and the test of proportional hazards."""

    ties: str

    def martingale_residuals(self, X: Any, y: Any, sample_weight: Any = None) -> Floats:
        """Return events seen minus events expected, patient by patient.

        Parameters
        ----------
        X, y, sample_weight
            The training data; the model keeps no patient.

        Returns
        -------
        ndarray of shape (n_patients,)
            At most 1; a large negative value is a patient who outlived the model's
            expectation. They sum to 0.
        """
        centred = self._centred(X)
        rows = cox_rows(self, centred, X, y, sample_weight, drop=False)
        return cox_state(self.coef_, rows.values, rows.sets(self.ties)).martingale

    def proportional_hazards_test(
        self, X: Any, y: Any, *, transform: str = "km", sample_weight: Any = None
    ) -> pd.DataFrame:
        """Test whether each hazard ratio is constant over time (``cox.zph``).

        Parameters
        ----------
        X, y, sample_weight
            The training data; the model keeps no patient.
        transform : {"km", "rank", "identity", "log"}
            The scale of time.

        Returns
        -------
        DataFrame
            Index: the columns and ``GLOBAL``; ``chisq, df, p``.

        References
        ----------
        R's ``survival::cox.zph``, version 3 and later.
        """
        rows = cox_rows(self, self._centred(X), X, y, sample_weight)
        names = [str(name) for name in feature_names(self)]
        fit = fit_cox(rows.values, rows.sets(self.ties), names=names)
        return cox_zph(fit, names, transform=transform)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return Harrell's concordance index of ``predict(X)`` with `y`.

        Parameters
        ----------
        X : array-like of shape (n_patients, n_features)
            With the columns of strata and entry times, where the model has them: only
            patients of one stratum, under observation at one time, are compared.
        y : structured array (event, time)
        sample_weight : array-like of shape (n_patients,), optional
            A pair counts with the product of its two weights.

        Returns
        -------
        float
            Between 0 and 1; 0.5 is chance; NaN when no pair can be compared.
        """
        if not self._special() and getattr(self, "cause", None) is None:
            return super().score(X, y, sample_weight)  # type: ignore[misc]
        risk = self.predict(X)
        rows = cox_rows(self, risk[:, None], X, y, sample_weight, scored=True)
        return concordance(
            rows.event,
            rows.time,
            rows.values[:, 0],
            sample_weight=rows.weight,
            strata=rows.stratum,
            entry=rows.entry,
        ).c_index
