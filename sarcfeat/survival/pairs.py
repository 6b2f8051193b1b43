"""Comparable pairs of patients, counted in O(n log n): what a c-index is made of.

Two patients can be compared when the one with the shorter time had the event; a
patient censored at the time of an event is taken to have lived longer. Two events at
one time cannot be compared. This is the convention of R's ``survival::concordance``.

How the count stays fast: number the distinct (time, censored) classes in time order.
Class a comes before class b exactly when, at the highest bit where the two numbers
differ, a has 0 and b has 1. So for each of the log2(n) bits, patients are grouped by
the bits above it, sorted by risk within the group, and a cumulative sum over the
patients of the other half counts the pairs of all patients of the group at once.
Patients are sorted by risk once; going from the highest bit down, each group is only
split in two, which keeps that order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sarcfeat.exceptions import InvalidInput

__all__ = ["Pairs", "count_pairs", "pairs_of_each"]

Ints = npt.NDArray[np.intp]
Numbers = npt.NDArray[Any]


@dataclass(frozen=True)
class Pairs:
    """Pairs of patients by how their risks and times compare.

    Attributes
    ----------
    concordant : float
        The patient with the earlier event had the higher risk.
    discordant : float
        The patient with the earlier event had the lower risk.
    tied_risk : float
        Comparable, with one and the same risk (counted as half concordant).
    tied_time : float
        Not comparable: both had the event at one time; the risks differ.
    tied_both : float
        Not comparable: both had the event at one time, with one and the same risk.
    """

    concordant: float
    discordant: float
    tied_risk: float
    tied_time: float
    tied_both: float

    @property
    def comparable(self) -> float:
        """The number (with weights: the weight) of pairs that can be compared."""
        return self.concordant + self.discordant + self.tied_risk

    @property
    def c_index(self) -> float:
        """Harrell's c: concordant pairs plus half the ties, over comparable pairs."""
        if not self.comparable > 0:
            return float("nan")
        return (self.concordant + self.tied_risk / 2) / self.comparable


def count_pairs(
    event: npt.ArrayLike,
    time: npt.ArrayLike,
    risk: npt.ArrayLike,
    sample_weight: npt.ArrayLike | None = None,
    *,
    event_weight: npt.ArrayLike | None = None,
) -> Pairs:
    """Count the pairs of patients whose order in time agrees with their risk.

    Parameters
    ----------
    event : array-like of bool, shape (n_patients,)
        True where the event was observed.
    time : array-like of float, shape (n_patients,)
        Time to the event or to the end of follow-up.
    risk : array-like of float, shape (n_patients,)
        A higher value means an earlier event is expected.
    sample_weight : array-like of float, shape (n_patients,), optional
        A pair counts with the product of its two weights.
    event_weight : array-like of float, shape (n_patients,), optional
        A pair counts besides with this value of its earlier event; a function of
        time, such as the 1/G(t-)^2 of Uno's c.

    Returns
    -------
    Pairs
        With ``c_index``, NaN when no pair can be compared.

    Raises
    ------
    InvalidInput
        Lengths that differ, a risk that is NaN, or a weight that is negative.

    References
    ----------
    Harrell et al., Stat Med 1996; ties as in R's ``survival::concordance``.

    Examples
    --------
    >>> pairs = count_pairs([True, True, False], [1.0, 2.0, 3.0], [0.9, 0.1, 0.5])
    >>> pairs.concordant, pairs.discordant, round(pairs.c_index, 3)
    (2.0, 1.0, 0.667)
    """
    columns = _checked(event, time, risk, sample_weight, event_weight)
    flags, times, risks, weights, factors = columns
    concordant, discordant, tied = _by_patient(*columns)
    time_class = _dense_rank(times[flags])
    both_class = _dense_rank(time_class * (len(risks) + 1) + _dense_rank(risks)[flags])
    same_time = _pairs_within(time_class, weights[flags], factors[flags])
    same_both = _pairs_within(both_class, weights[flags], factors[flags])
    # Each comparable pair was seen from both of its patients.
    return Pairs(
        concordant=float((weights * concordant).sum()) / 2,
        discordant=float((weights * discordant).sum()) / 2,
        tied_risk=float((weights * tied).sum()) / 2,
        tied_time=same_time - same_both,
        tied_both=same_both,
    )


def pairs_of_each(
    event: npt.ArrayLike,
    time: npt.ArrayLike,
    risk: npt.ArrayLike,
    sample_weight: npt.ArrayLike | None = None,
    *,
    event_weight: npt.ArrayLike | None = None,
) -> tuple[Numbers, Numbers, Numbers]:
    """Return each patient's weight of concordant, discordant and tied pairs.

    Parameters
    ----------
    event, time, risk, sample_weight, event_weight
        As in :func:`count_pairs`.

    Returns
    -------
    tuple of three arrays of shape (n_patients,)
        The sum of the other patient's weight over the pairs a patient is part of.

    Examples
    --------
    >>> concordant, _, _ = pairs_of_each([1, 1, 0], [1.0, 2.0, 3.0], [0.9, 0.1, 0.5])
    >>> concordant
    array([2, 1, 1])
    """
    return _by_patient(*_checked(event, time, risk, sample_weight, event_weight))


def _checked(
    event: npt.ArrayLike,
    time: npt.ArrayLike,
    risk: npt.ArrayLike,
    sample_weight: npt.ArrayLike | None,
    event_weight: npt.ArrayLike | None,
) -> tuple[npt.NDArray[np.bool_], Numbers, Numbers, Numbers, Numbers]:
    flags = np.asarray(event, dtype=bool)
    times = np.asarray(time, dtype=float)
    risks = np.asarray(risk, dtype=float)
    weights = _or_ones(sample_weight, len(flags))
    factors = _or_ones(event_weight, len(flags))
    shapes = {
        "event": flags.shape,
        "time": times.shape,
        "risk": risks.shape,
        "sample_weight": weights.shape,
        "event_weight": factors.shape,
    }
    if len(set(shapes.values())) > 1 or flags.ndim != 1:
        raise InvalidInput(f"Expected columns of one length; got the shapes {shapes}.")
    if np.isnan(risks).any():
        raise InvalidInput(
            f"{int(np.isnan(risks).sum())} of {len(risks)} risks are NaN. Leave these "
            "patients out, or find out why the model has no prediction for them."
        )
    for name, values in (("sample_weight", weights), ("event_weight", factors)):
        if not np.isfinite(values).all() or (values < 0).any():
            raise InvalidInput(f"{name} must be finite and not negative.")
    return flags, times, risks, weights, factors


def _or_ones(values: npt.ArrayLike | None, n: int) -> Numbers:
    if values is None:
        return np.ones(n, dtype=np.int64)  # whole numbers, so that counts are exact
    return np.asarray(values, dtype=float)


def _dense_rank(values: Numbers) -> Ints:
    return np.unique(values, return_inverse=True)[1].reshape(-1)


def _pairs_within(group: Ints, weights: Numbers, factors: Numbers) -> float:
    """Weight of the unordered pairs of two different patients of one group."""
    if not len(group):
        return 0.0
    total = np.bincount(group, weights=weights)
    square = np.bincount(group, weights=weights * weights)
    factor = np.zeros(len(total))
    factor[group] = factors  # one value a group, as it depends on the time alone
    return float((factor * (total * total - square)).sum()) / 2


def _by_patient(
    event: npt.NDArray[np.bool_],
    time: Numbers,
    risk: Numbers,
    weights: Numbers,
    factors: Numbers,
) -> tuple[Numbers, Numbers, Numbers]:
    weight_of_event = weights * factors * event
    factor_of_event = factors * event
    concordant = np.zeros_like(weight_of_event)
    discordant = np.zeros_like(weight_of_event)
    tied = np.zeros_like(weight_of_event)
    if not len(event):
        return concordant, discordant, tied
    # At one time the events come first: who is censored there lived longer.
    place = _dense_rank(2 * _dense_rank(time) + ~event)
    risk_rank = _dense_rank(risk)
    order = np.argsort(risk_rank, kind="stable")
    new_block = np.zeros(len(event), dtype=bool)
    new_block[0] = True
    for bit in reversed(range(int(place.max()).bit_length())):
        later = (place[order] >> bit & 1).astype(bool)
        runs = _Runs(new_block, risk_rank[order])
        lower, equal, higher = runs.sums(np.where(later, weights[order], 0))
        below, level, above = runs.sums(np.where(later, 0, weight_of_event[order]))
        # An event counts the later patients of its block, they the events before.
        factor = factor_of_event[order]
        concordant[order] += np.where(later, above, factor * lower)
        tied[order] += np.where(later, level, factor * equal)
        discordant[order] += np.where(later, below, factor * higher)
        order, new_block = runs.split(order, later)
    return concordant, discordant, tied


class _Runs:
    """Blocks of patients sorted by risk, cut into runs of one risk."""

    def __init__(self, new_block: npt.NDArray[np.bool_], rank: Ints) -> None:
        new_run = new_block.copy()
        new_run[1:] |= rank[1:] != rank[:-1]
        self.block_start, self.block_end = _bounds(new_block)
        self.run_start, self.run_end = _bounds(new_run)

    def sums(self, values: Numbers) -> tuple[Numbers, Numbers, Numbers]:
        """Sum `values` below, at and above each one's risk, within its block."""
        total = np.concatenate([np.zeros(1, dtype=values.dtype), np.cumsum(values)])
        first, last = total[self.run_start], total[self.run_end]
        lower = first - total[self.block_start]
        return lower, last - first, total[self.block_end] - last

    def split(
        self, order: Ints, later: npt.NDArray[np.bool_]
    ) -> tuple[Ints, npt.NDArray[np.bool_]]:
        """Halve each block into its earlier and its later patients, risks in order."""
        passed = np.concatenate([np.zeros(1, dtype=np.intp), np.cumsum(later)])
        before = passed[:-1] - passed[self.block_start]  # later ones before, in block
        n_later = passed[self.block_end] - passed[self.block_start]
        middle = self.block_end - n_later
        here = np.arange(len(order))
        target = np.where(later, middle + before, here - before)
        halved = np.empty_like(order)
        halved[target] = order
        new_block = np.zeros(len(order), dtype=bool)
        new_block[self.block_start] = True
        new_block[middle[middle < self.block_end]] = True
        return halved, new_block


def _bounds(new: npt.NDArray[np.bool_]) -> tuple[Ints, Ints]:
    starts = np.flatnonzero(new)
    ends = np.r_[starts[1:], len(new)]
    which = np.cumsum(new) - 1
    return starts[which], ends[which]
