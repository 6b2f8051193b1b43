"""Agreement of more than two readers: Fleiss' kappa and Kendall's W."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from sarcfeat.exceptions import InvalidInput

__all__ = ["Agreement", "fleiss_kappa", "kendall_w"]


@dataclass(frozen=True)
class Agreement:
    """An agreement coefficient of several readers.

    Attributes
    ----------
    value : float
        NaN where all readings are one category, or none ranks the patients.
    statistic : float
        z for Fleiss' kappa, chi-squared for Kendall's W.
    p : float
    n, readers : int
        Patients judged by all, and readers.
    """

    value: float
    statistic: float
    p: float
    n: int
    readers: int


def _complete(readings: Any) -> np.ndarray:
    frame = pd.DataFrame(np.asarray(readings, dtype=object))
    if frame.shape[1] < 2:
        raise InvalidInput(
            f"Agreement needs readings (n_patients, n_readers); got {frame.shape[1]} "
            "reader."
        )
    frame = frame.dropna()
    if len(frame) < 2:
        raise InvalidInput(
            f"{len(frame)} patients were judged by all readers; at least 2 are needed."
        )
    return frame.to_numpy()


def fleiss_kappa(readings: Any) -> Agreement:
    """Say how far several readers agree on a category, beyond chance.

    Parameters
    ----------
    readings : array-like of shape (n_patients, n_readers)
        Categories; a patient whom one reader did not judge is left out.

    References
    ----------
    Fleiss, Psychol Bull 1971; equal to R's ``irr::kappam.fleiss``.

    Examples
    --------
    >>> found = fleiss_kappa([["a", "a", "a"], ["b", "b", "a"], ["b", "b", "b"]])
    >>> round(found.value, 3)
    0.55
    """
    values = _complete(readings)
    n, m = values.shape
    codes = pd.factorize(values.ravel())[0].reshape(n, m)
    counts = (codes[:, :, None] == np.arange(codes.max() + 1)).sum(axis=1)
    share = counts.sum(axis=0) / (n * m)
    agreed = ((counts**2).sum(axis=1) - m) / (m * (m - 1))
    chance = (share**2).sum()
    if chance >= 1 - 1e-15:
        return Agreement(float("nan"), float("nan"), float("nan"), n, m)
    value = float((agreed.mean() - chance) / (1 - chance))
    q = share * (1 - share)
    variance = q.sum() ** 2 - (q * (1 - 2 * share)).sum()
    variance *= 2 / (q.sum() ** 2 * n * m * (m - 1))
    z = value / np.sqrt(variance)
    return Agreement(value, float(z), float(2 * stats.norm.sf(abs(z))), n, m)


def kendall_w(readings: Any) -> Agreement:
    """Say how far several readers rank the patients alike; 1 is the same order.

    Parameters
    ----------
    readings : array-like of float, shape (n_patients, n_readers)
        A patient whom one reader did not judge is left out. Corrected for ties.

    References
    ----------
    Equal to R's ``irr::kendall(correct = TRUE)``.

    Examples
    --------
    >>> kendall_w([[1, 1, 2], [2, 2, 3], [3, 4, 4]]).value
    1.0
    """
    values = _complete(readings).astype(float)
    n, m = values.shape
    ranks = stats.rankdata(values, axis=0)
    total = ranks.sum(axis=1)
    ties = 0.0
    for column in ranks.T:
        size = np.unique(column, return_counts=True)[1].astype(float)
        ties += (size**3 - size).sum()
    possible = m**2 * (n**3 - n) - m * ties
    if possible <= 0:
        return Agreement(float("nan"), float("nan"), float("nan"), n, m)
    value = float(12 * ((total - total.mean()) ** 2).sum() / possible)
    statistic = m * (n - 1) * value
    return Agreement(value, statistic, float(stats.chi2.sf(statistic, n - 1)), n, m)
