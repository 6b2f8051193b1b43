"""Who is at risk when: the one index that every Cox computation here shares.

Patients are kept in the order given. Distinct (stratum, event time) pairs are the
*groups* g = 0, 1, ...; patient j is at risk in the groups ``first[j] <= g < last[j]``.
Sums over risk sets are then differences of cumulative sums.

Ties are written as *terms*: Breslow's likelihood has one term a group; Efron's has one
for each of the d tied deaths, the r-th with the risk-set sum minus r/d of the sum over
the dead. A term m carries its group, that fraction and a weight a_m, and the log
partial likelihood is, for both, the sum over events of w x'b minus the sum over terms
of a_m log(S0[g] - f_m D0[g]).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sarcfeat.exceptions import InvalidInput, NoEvents

__all__ = ["RiskSets"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]


class RiskSets:
    """Index of the risk sets of one data set.

    Parameters
    ----------
    event : array-like of bool, shape (n_patients,)
        True where the event was observed.
    time : array-like of float, shape (n_patients,)
        Time to the event or to the end of follow-up.
    sample_weight : array-like of float, shape (n_patients,), optional
        Case weights.
    ties : {"efron", "breslow"}
        How tied events enter the likelihood.
    strata : array-like, shape (n_patients,), optional
        Patients of different strata are never in one risk set.
    entry : array-like of float, shape (n_patients,), optional
        Time from which a patient is under observation (left truncation); a patient is
        at risk at t when entry < t <= time.

    Attributes
    ----------
    group_time, group_stratum : ndarray of shape (n_groups,)
        The distinct event times, within strata.
    term_group, term_fraction, term_weight : ndarray of shape (n_terms,)
        The terms of the likelihood, as the head of this file explains.

    Examples
    --------
    >>> sets = RiskSets([True, True, False], [1.0, 2.0, 3.0])
    >>> sets.sums(np.ones(3))
    array([3., 2.])
    """

    def __init__(
        self,
        event: npt.ArrayLike,
        time: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        *,
        ties: str = "efron",
        strata: npt.ArrayLike | None = None,
        entry: npt.ArrayLike | None = None,
    ) -> None:
        self.event = np.asarray(event, dtype=bool)
        self.time = np.asarray(time, dtype=float)
        n = len(self.event)
        self.weight = _weights(sample_weight, n)
        self.ties = ties
        if not self.event.any():
            raise NoEvents(
                f"None of the {n} patients had the event. Choose an endpoint with "
                "events, or a larger training set."
            )
        self.entry = None if entry is None else np.asarray(entry, dtype=float)
        stratum = _codes(strata, n)
        self._number_groups(stratum)
        self._place(stratum)
        self._write_terms()

    def _number_groups(self, stratum: Ints) -> None:
        rows = np.flatnonzero(self.event)
        rows = rows[np.lexsort((self.time[rows], stratum[rows]))]
        new = np.ones(len(rows), dtype=bool)
        new[1:] = (np.diff(self.time[rows]) != 0) | (np.diff(stratum[rows]) != 0)
        self._event_rows = rows
        self._group_start = np.flatnonzero(new)
        self.group_time = self.time[rows[new]]
        self.group_stratum = stratum[rows[new]]
        self.group_of_row = np.full(len(self.event), -1, dtype=np.intp)
        self.group_of_row[rows] = np.cumsum(new) - 1
        self.n_deaths = np.diff(np.r_[self._group_start, len(rows)])

    def _place(self, stratum: Ints) -> None:
        self.first = np.zeros(len(self.event), dtype=np.intp)
        self.last = np.zeros(len(self.event), dtype=np.intp)
        started = self.entry
        if started is not None and (started >= self.time).any():
            late = np.flatnonzero(started >= self.time)
            raise InvalidInput(
                f"entry is not before time in {len(late)} rows (first: row {late[0]}, "
                f"entry {started[late[0]]:g}, time {self.time[late[0]]:g})."
            )
        for code in np.unique(stratum):
            rows = np.flatnonzero(stratum == code)
            low, high = np.searchsorted(self.group_stratum, [code, code + 1])
            times = self.group_time[low:high]
            after = np.searchsorted(times, self.time[rows], side="right")
            self.last[rows] = low + after
            self.first[rows] = low
            if started is not None:
                before = np.searchsorted(times, started[rows], side="right")
                self.first[rows] = low + before
        groups = np.arange(len(self.group_time))
        self._by_last = np.argsort(-self.last, kind="stable")
        self._n_last = _count_above(self.last, groups)
        late_rows = np.flatnonzero(self.first > 0)
        order = np.argsort(-self.first[late_rows], kind="stable")
        self._by_first = late_rows[order]
        self._n_first = _count_above(self.first, groups)

    def _write_terms(self) -> None:
        deaths = self.n_deaths
        weight = self.tied_sums(self.weight)
        groups = np.arange(len(deaths))
        if self.ties == "breslow":
            self.term_group = groups
            self.term_fraction = np.zeros(len(groups))
            self.term_weight = weight
            return
        self.term_group = np.repeat(groups, deaths)
        rank = np.arange(len(self.term_group)) - self._group_start[self.term_group]
        self.term_fraction = rank / deaths[self.term_group]
        self.term_weight = (weight / deaths)[self.term_group]

    @property
    def n_events(self) -> int:
        """The number of events."""
        return len(self._event_rows)

    def sums(self, values: npt.NDArray[Any]) -> Floats:
        """Sum the rows of `values` over the risk set of each group."""
        # Those who die in a group are at risk in it: no sum is empty.
        total = np.cumsum(values[self._by_last], axis=0)[self._n_last - 1]
        if len(self._by_first):
            total = total - _cumulative(values[self._by_first])[self._n_first]
        return total

    def tied_sums(self, values: npt.NDArray[Any]) -> Floats:
        """Sum the rows of `values` over the patients who died in each group."""
        rows = values[self._event_rows]
        return np.asarray(np.add.reduceat(rows, self._group_start, axis=0), dtype=float)

    def term_sums(self, values: npt.NDArray[Any]) -> Floats:
        """Sum over the risk set of each term: S[g] - f D[g]."""
        total = self.sums(values)[self.term_group]
        if self.term_fraction.any():
            fraction = self.term_fraction.reshape(-1, *[1] * (values.ndim - 1))
            total = total - fraction * self.tied_sums(values)[self.term_group]
        return total

    def spread(self, values: npt.NDArray[Any]) -> Floats:
        """Sum a value of each term over the terms a patient is at risk in.

        The transpose of :meth:`term_sums`: a tied death counts 1 - f of a term of its
        own group.
        """
        shape = (len(self.group_time), *values.shape[1:])
        by_group = np.zeros(shape)
        np.add.at(by_group, self.term_group, values)
        running = _cumulative(by_group)
        spread = running[self.last] - running[self.first]
        if self.term_fraction.any():
            fraction = self.term_fraction.reshape(-1, *[1] * (values.ndim - 1))
            tied = np.zeros(shape)
            np.add.at(tied, self.term_group, fraction * values)
            rows = self._event_rows
            spread[rows] -= tied[self.group_of_row[rows]]
        return np.asarray(spread, dtype=float)


def _weights(sample_weight: npt.ArrayLike | None, n: int) -> Floats:
    if sample_weight is None:
        return np.ones(n)
    weight = np.asarray(sample_weight, dtype=float)
    if weight.shape != (n,) or not np.isfinite(weight).all() or (weight < 0).any():
        raise InvalidInput(
            f"sample_weight must be {n} finite numbers that are not negative; got "
            f"the shape {weight.shape}."
        )
    return weight


def _codes(strata: npt.ArrayLike | None, n: int) -> Ints:
    if strata is None:
        return np.zeros(n, dtype=np.intp)
    return np.unique(np.asarray(strata), return_inverse=True)[1].reshape(-1)


def _count_above(values: Ints, groups: Ints) -> Ints:
    """Count, for each group g, the patients with a value above g."""
    ordered = np.sort(values)
    return len(values) - np.searchsorted(ordered, groups, side="right")


def _cumulative(values: npt.NDArray[Any]) -> Floats:
    zero = np.zeros((1, *values.shape[1:]))
    return np.concatenate([zero, np.cumsum(values, axis=0)])
