r"""Breslow's partial likelihood of the Cox model, for penalised fits.

With the deaths grouped by their time :math:`t_k` (:math:`d_k` deaths), a linear
predictor :math:`\eta` and the sum over those at risk
:math:`S_k = \sum_{i: t_i \ge t_k} e^{\eta_i}`,

.. math:: \ell(\eta) = \sum_{i: dead} \eta_i - \sum_k d_k \log S_k .

Rows are kept latest first, so that every sum over a risk set is one cumulative sum.
The kernel of :mod:`sarcfeat.survival.cox` also knows Efron's ties, weights, strata and
entry times; this one is for the thousands of small steps of a cross-validated path.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["BreslowLikelihood", "State"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class State:
    """The likelihood at one linear predictor, and what its derivatives need."""

    log_likelihood: float
    risk: Floats  # exp(eta), up to a common factor
    at_risk: Floats  # its sum over each risk set, up to the same factor
    hazard: Floats  # exp(eta) * cumulative baseline hazard, one per row
    residual: Floats  # martingale residual = derivative by eta


@dataclass(frozen=True)
class BreslowLikelihood:
    """The partial likelihood of one data set: who was at risk at each death.

    Parameters
    ----------
    order : rows of the data, latest time first
    event : 1 for a death, in that order
    last : for each distinct time of death, the last row (in that order) at risk
    deaths : deaths at that time
    later : for each row, how many distinct times of death come after its own time
    """

    order: NDArray[np.intp]
    event: Floats
    last: NDArray[np.intp]
    deaths: Floats
    later: NDArray[np.intp]

    @classmethod
    def of(cls, event: NDArray[np.bool_], time: Floats) -> BreslowLikelihood:
        """Sort the patients and find the risk set of each time of death.

        A patient censored at the time of a death was at risk of it.
        """
        order = np.lexsort((event, -time))
        event, time = event[order], time[order]
        times, deaths = np.unique(time[event], return_counts=True)
        last = np.searchsorted(-time, -times[::-1], side="right") - 1
        later = len(times) - np.searchsorted(times, time, side="right")
        return cls(order, event.astype(float), last, deaths[::-1].astype(float), later)

    def state(self, eta: Floats) -> State:
        """Evaluate the likelihood at a linear predictor given in ``order``."""
        shift = eta.max()
        risk = np.exp(eta - shift)
        at_risk = risk.cumsum()[self.last]
        cumulative = np.zeros(len(at_risk) + 1)
        cumulative[-2::-1] = (self.deaths / at_risk)[::-1].cumsum()
        hazard = risk * cumulative[self.later]
        value = self.event @ eta - self.deaths @ (np.log(at_risk) + shift)
        return State(float(value), risk, at_risk, hazard, self.event - hazard)

    def information(self, state: State, Z: Floats) -> Floats:
        """Return minus the second derivative by the coefficients of `Z`."""
        sums = (state.risk[:, None] * Z).cumsum(axis=0)[self.last]
        means = sums / state.at_risk[:, None]
        spread: Floats = (Z.T * state.hazard) @ Z - (means.T * self.deaths) @ means
        return spread

    @property
    def saturated(self) -> float:
        """The log-likelihood of the saturated model, ``-sum(d log d)``."""
        return -float(self.deaths @ np.log(self.deaths))

    @property
    def null_deviance(self) -> float:
        """The deviance when all coefficients are zero."""
        return self.deviance(self.state(np.zeros(len(self.event))))

    def deviance(self, state: State) -> float:
        """Return ``2 (saturated - log-likelihood)``."""
        return 2.0 * (self.saturated - state.log_likelihood)

    def deviances(self, eta: Floats) -> Floats:
        """Return the deviance of each column of `eta`."""
        shift = eta.max(axis=0)
        at_risk = np.exp(eta - shift).cumsum(axis=0)[self.last]
        log_likelihood = self.event @ eta - self.deaths @ (np.log(at_risk) + shift)
        result: Floats = 2.0 * (self.saturated - log_likelihood)
        return result
