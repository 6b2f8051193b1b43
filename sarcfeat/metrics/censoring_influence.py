"""What one patient's censoring does to an estimate weighted by the censoring.

The martingale representation of Kaplan–Meier of the censoring gives a matrix M with
M[i, k] = how G at the time of patient i moves with patient k. Only weighted sums of
its rows are ever needed, and those are cumulative sums: nothing of size n by n is
built.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["CensoringInfluence"]

Floats = npt.NDArray[np.float64]


class CensoringInfluence:
    """Weighted sums of the influence of each patient on G.

    Parameters
    ----------
    censored : ndarray of bool, shape (n_patients,)
        In the order of time.
    time : ndarray of float, shape (n_patients,)
        Sorted.
    by_row : bool
        Whether patients of one time leave one after the other, in the order given
        (R's ``timeROC``), or at once (``riskRegression``).
    before : bool
        Whether the weights of patients read G just before their time, as G(T-).

    References
    ----------
    Blanche, Dartigues & Jacqmin-Gadda, Stat Med 2013, appendix.

    Examples
    --------
    >>> influence = CensoringInfluence(np.array([True, False]), np.array([1.0, 2.0]))
    >>> influence.weighted(np.array([0.0, 1.0]))
    array([ 0.5, -0.5])
    """

    def __init__(
        self,
        censored: npt.NDArray[np.bool_],
        time: Floats,
        *,
        by_row: bool = True,
        before: bool = False,
    ) -> None:
        n = len(time)
        first = np.searchsorted(time, time, side="left")
        if by_row:
            self._level = np.arange(n)
            self._start = first
        else:
            self._level = np.unique(time, return_inverse=True)[1].reshape(-1)
            self._start = self._level
        self._n_levels = int(self._level.max()) + 1 if n else 0
        lost = np.bincount(self._level, weights=censored, minlength=self._n_levels)
        leaving = np.bincount(self._level, minlength=self._n_levels)
        at_risk = leaving[::-1].cumsum()[::-1]
        self._drift = np.cumsum(lost * n / at_risk**2)
        self._jump = np.where(censored, n / at_risk[self._start], 0.0)
        self._time, self._before = time, before

    def weighted(self, weight: Floats) -> Floats:
        """Return the sum over patients i of weight[i] M[i, k], for each k."""
        at_level = np.bincount(self._level, weights=weight, minlength=self._n_levels)
        if self._before:
            at_level = np.r_[at_level[1:], 0.0]
        return self._summed(at_level)

    def at(self, t: float) -> Floats:
        """Return how G(t), at a time t, moves with each patient."""
        at_level = np.zeros(self._n_levels)
        row = int(np.searchsorted(self._time, t, side="right")) - 1
        if row >= 0:
            at_level[self._level[row]] = 1.0
        return self._summed(at_level)

    def _summed(self, at_level: Floats) -> Floats:
        passed = np.r_[0.0, np.cumsum(at_level)]
        from_start = passed[-1] - passed[self._start]
        until_own = np.cumsum(at_level * self._drift)[self._level]
        after_own = passed[-1] - passed[self._level + 1]
        drift = self._drift[self._level]
        return np.asarray(self._jump * from_start - until_own - drift * after_own)
