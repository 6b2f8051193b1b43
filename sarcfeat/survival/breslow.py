"""The baseline hazard under a Cox model, and the survival curves that follow from it.

The curve of a patient is exp(-H(t) exp(eta)). The hazard follows the model's way with
ties: Breslow's estimate, or its Efron variant, as R's ``survfit.coxph`` does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sarcfeat.exceptions import InvalidInput
from sarcfeat.survival.cox import CoxState

__all__ = ["BaselineHazard", "baseline_hazard"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class BaselineHazard:
    """Cumulative hazard of a patient whose linear predictor is 0.

    Attributes
    ----------
    time : ndarray of shape (n_times,)
        Distinct event times.
    cumulative : ndarray of shape (n_times,)
        Cumulative hazard just after each of them.
    variance : ndarray of shape (n_times,)
        Its variance were the coefficients known.
    drift : ndarray of shape (n_times, n_features)
        The hazard-weighted sum of the mean of X at risk, from which the error of the
        coefficients is carried on.
    """

    time: Floats
    cumulative: Floats
    variance: Floats
    drift: Floats

    def at(self, times: npt.ArrayLike) -> Floats:
        """Return the cumulative hazard at given times; flat after the last event."""
        return np.r_[0.0, self.cumulative][self._where(times)]

    def survival(self, times: npt.ArrayLike, eta: npt.ArrayLike) -> Floats:
        """Return survival, of shape (n_patients, n_times), for linear predictors."""
        risk = np.exp(np.asarray(eta, dtype=float))
        return np.asarray(np.exp(-np.outer(risk, self.at(times))))

    def std_err(
        self, times: npt.ArrayLike, X: Floats, coef: Floats, vcov: Floats
    ) -> Floats:
        """Return the standard error of the survival, shape (n_patients, n_times).

        `X` is centred as it was when the baseline was estimated. A column without a
        standard error (an aliased one) adds none.
        """
        where = self._where(times)
        hazard = np.r_[0.0, self.cumulative][where]
        variance = np.r_[0.0, self.variance][where]
        drift = np.vstack([np.zeros(len(coef)), self.drift])[where]
        known = np.nan_to_num(vcov)
        # How far the cumulative hazard of patient i moves with each coefficient.
        lever = hazard[None, :, None] * X[:, None, :] - drift[None]
        of_coef = np.einsum("itp,pq,itq->it", lever, known, lever)
        risk = np.exp(X @ coef)[:, None]
        error = risk * np.sqrt(variance + of_coef)
        return np.asarray(np.exp(-risk * hazard) * error)

    def _where(self, times: npt.ArrayLike) -> npt.NDArray[np.intp]:
        times = np.asarray(times, dtype=float)
        if times.ndim != 1 or np.isnan(times).any() or (times < 0).any():
            raise InvalidInput(
                f"times must be a list of numbers that are not negative; got {times!r}."
            )
        return np.asarray(np.searchsorted(self.time, times, side="right"))


def baseline_hazard(state: CoxState, stratum: int = 0) -> BaselineHazard:
    """Estimate the baseline cumulative hazard under a fitted Cox model.

    Parameters
    ----------
    state : CoxState
        The likelihood at the fitted coefficients (``fit_cox(...).state``). Its X
        decides whose hazard this is: centre X first for that of an average patient.
    stratum : int
        Which stratum, in sorted order, where the model has strata.

    Returns
    -------
    BaselineHazard

    References
    ----------
    Breslow, J R Stat Soc B 1972 (discussion); Tsiatis, Ann Stat 1981 (variance).

    Examples
    --------
    >>> from sarcfeat.survival import RiskSets, cox_state
    >>> sets = RiskSets([1, 1, 0], [1.0, 2.0, 3.0])
    >>> baseline_hazard(cox_state([0.0], np.zeros((3, 1)), sets)).cumulative
    array([0.33333333, 0.83333333])
    """
    sets = state.sets
    step = state.hazard * np.exp(-state.shift)
    counted = sets.term_weight > 0
    square = np.zeros_like(step)
    square[counted] = step[counted] ** 2 / sets.term_weight[counted]
    inside = np.flatnonzero(sets.group_stratum == stratum)

    def per_group(values: Floats) -> Floats:
        total = np.zeros((len(sets.group_time), *values.shape[1:]))
        np.add.at(total, sets.term_group, values)
        return np.asarray(np.cumsum(total[inside], axis=0))

    return BaselineHazard(
        time=sets.group_time[inside],
        cumulative=per_group(step),
        variance=per_group(square),
        drift=per_group(step[:, None] * state.mean),
    )
