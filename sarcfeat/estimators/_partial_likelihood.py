r"""Breslow's partial likelihood of the Cox model, for penalised fits.

With the deaths grouped by their time :math:`t_k` (:math:`d_k` deaths), a linear
predictor :math:`\eta` and the sum over those at risk
:math:`S_k = \sum_{i: t_i \ge t_k} e^{\eta_i}`,

.. math:: \ell(\eta) = \sum_{i: dead} \eta_i - \sum_k d_k \log S_k .

Rows are kept latest first, so that every sum over a risk set is one cumulative sum.
The kernel of :mod:`sarcfeat.survival.cox` also knows Efron's ties, weights, strata and
entry times; this one takes the thousands of small steps of a cross-validated path, for
all folds at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["BreslowLikelihood", "Stacked", "State"]

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

SMALLEST = 1e-280  # hazards so many orders apart cannot be summed any more


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
    weight : how many patients a row stands for, in that order; None: one each.
        `event` and `deaths` are counted by it.
    """

    order: Ints
    event: Floats
    last: Ints
    deaths: Floats
    later: Ints
    weight: Floats | None = None

    @classmethod
    def of(
        cls, event: NDArray[np.bool_], time: Floats, weight: Floats | None = None
    ) -> BreslowLikelihood:
        """Sort the patients and find the risk set of each time of death.

        A patient censored at the time of a death was at risk of it.
        """
        order = np.lexsort((event, -time))
        event, time = event[order], time[order]
        weight = None if weight is None else weight[order]
        if weight is not None:
            event = event & (weight > 0)
        times, at = np.unique(time[event], return_inverse=True)
        counted = None if weight is None else weight[event]
        deaths = np.bincount(at, counted, minlength=len(times))[::-1].astype(float)
        last = np.searchsorted(-time, -times[::-1], side="right") - 1
        later = len(times) - np.searchsorted(times, time, side="right")
        share = event.astype(float) if weight is None else event * weight
        return cls(order, share, last, deaths, later, weight)

    @property
    def size(self) -> float:
        """How many patients the rows stand for."""
        return float(len(self.event) if self.weight is None else self.weight.sum())

    @property
    def saturated(self) -> float:
        """The log-likelihood of the saturated model, ``-sum(d log d)``."""
        return -float(self.deaths @ np.log(self.deaths))

    def deviances(self, eta: Floats) -> Floats:
        """Return ``2 (saturated - log-likelihood)`` of each column of `eta`."""
        shift = eta.max(axis=0)
        risk = np.exp(eta - shift)
        if self.weight is not None:
            risk *= self.weight[:, None]
        at_risk = risk.cumsum(axis=0)[self.last]
        log_likelihood = self.event @ eta - self.deaths @ (np.log(at_risk) + shift)
        result: Floats = 2.0 * (self.saturated - log_likelihood)
        return result


@dataclass(frozen=True)
class State:
    """The likelihoods at one linear predictor each, and what derivatives need."""

    log_likelihood: Floats  # (K,)
    risk: Floats  # weight * exp(eta), up to a common factor
    at_risk: Floats  # its sum over each risk set, up to the same factor
    hazard: Floats  # risk * cumulative baseline hazard, one per row
    residual: Floats  # martingale residual = derivative by eta

    def take(self, which: NDArray[np.bool_] | slice) -> State:
        """Return the state of some of the data sets."""
        return State(*(getattr(self, name)[which] for name in self.__annotations__))


@dataclass(frozen=True)
class Stacked:
    """K data sets side by side, the shorter ones filled up with rows never at risk.

    `rows` numbers the data sets, for indexing; the other fields are those of
    :class:`BreslowLikelihood` with K in front.
    """

    rows: Ints
    event: Floats
    last: Ints
    deaths: Floats
    later: Ints
    weight: Floats | None = None

    @classmethod
    def of(cls, parts: Sequence[BreslowLikelihood]) -> Stacked:
        """Stack data sets; what is filled in counts for nothing.

        A row added at the end is in no risk set and has no hazard; a time of death
        added has no deaths, and everyone at risk.
        """
        n = max(len(part.event) for part in parts)
        d = max(len(part.deaths) for part in parts)
        event, later = np.zeros((len(parts), n)), np.full((len(parts), n), d)
        last = np.empty((len(parts), d), dtype=np.intp)
        deaths = np.zeros((len(parts), d))
        weighted = any(part.weight is not None for part in parts)
        weight = np.ones((len(parts), n)) if weighted else None
        for k, part in enumerate(parts):
            event[k, : len(part.event)] = part.event
            later[k, : len(part.later)] = part.later
            last[k] = len(part.event) - 1
            last[k, : len(part.last)] = part.last
            deaths[k, : len(part.deaths)] = part.deaths
            if weight is not None and part.weight is not None:
                weight[k, : len(part.weight)] = part.weight
        return cls(np.arange(len(parts))[:, None], event, last, deaths, later, weight)

    def take(self, which: NDArray[np.bool_] | slice) -> Stacked:
        """Return some of the data sets."""
        event = self.event[which]
        rows = np.arange(len(event))[:, None]
        kept = (self.last[which], self.deaths[which], self.later[which])
        weight = None if self.weight is None else self.weight[which]
        return Stacked(rows, event, *kept, weight)

    def state(self, eta: Floats) -> State:
        """Evaluate the likelihoods at linear predictors given in ``order``, (K, n).

        A predictor far out of any range gives NaN, which no line search accepts.
        """
        shift = eta.max(axis=1, keepdims=True)
        risk = np.exp(eta - shift)
        if self.weight is not None:
            risk *= self.weight
        at_risk = risk.cumsum(axis=1)[self.rows, self.last]
        cumulative = np.zeros((len(eta), at_risk.shape[1] + 1))
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            cumulative[:, -2::-1] = (self.deaths / at_risk)[:, ::-1].cumsum(axis=1)
            hazard = risk * cumulative[self.rows, self.later]
            value = (self.event * eta).sum(axis=1)
            value -= (self.deaths * (np.log(at_risk) + shift)).sum(axis=1)
        value[at_risk.min(axis=1) < SMALLEST] = np.nan
        return State(value, risk, at_risk, hazard, self.event - hazard)

    def information(self, state: State, Z: Floats) -> Floats:
        """Return minus the second derivatives by the coefficients of `Z`, (K, n, p)."""
        sums = (state.risk[:, :, None] * Z).cumsum(axis=1)[self.rows, self.last]
        means = sums * (np.sqrt(self.deaths) / state.at_risk)[:, :, None]
        within = Z * np.sqrt(state.hazard)[:, :, None]
        # A matrix times its own transpose is half the work, one data set at a time.
        spread = np.empty((len(Z), Z.shape[2], Z.shape[2]))
        for k, (inside, between) in enumerate(zip(within, means, strict=True)):
            np.subtract(inside.T @ inside, between.T @ between, out=spread[k])
        return spread
