"""Hosmer and Lemeshow's test, given because papers ask for it.

It says nothing of how far predictions are off, and its p-value depends on the number
of groups; the calibration slope, intercept and curve say more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2

from sarcfeat.exceptions import InvalidInput
from sarcfeat.metrics.binary import check_binary, check_probability

__all__ = ["HosmerLemeshow", "hosmer_lemeshow"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class HosmerLemeshow:
    """Result of a Hosmer–Lemeshow test.

    Attributes
    ----------
    statistic, df, p_value : float, int, float
    observed, expected : ndarray of shape (n_groups, 2)
        Patients without and with the outcome in each group of risk.
    cuts : ndarray of shape (n_groups + 1,)
        Borders of the groups; each is open to the left, but the first.
    """

    statistic: float
    df: int
    p_value: float
    observed: Floats
    expected: Floats
    cuts: Floats


def hosmer_lemeshow(
    y: npt.ArrayLike, p: npt.ArrayLike, *, groups: int = 10
) -> HosmerLemeshow:
    """Test whether predicted risks agree with outcomes in groups of risk.

    Parameters
    ----------
    y : array-like of bool or 0/1, shape (n_patients,)
    p : array-like of float, shape (n_patients,)
        Predicted probabilities.
    groups : int
        Groups by quantiles of `p`; equal quantiles make fewer.

    Returns
    -------
    HosmerLemeshow

    Raises
    ------
    InvalidInput
        Fewer than three distinct groups, or a `p` that is no probability.

    References
    ----------
    Hosmer & Lemeshow, Commun Stat 1980; equal to R's
    ``ResourceSelection::hoslem.test``.

    Examples
    --------
    >>> y = [0, 0, 0, 1, 0, 1, 1, 1, 0, 1]
    >>> p = [0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    >>> round(hosmer_lemeshow(y, p, groups=5).statistic, 3)
    3.879
    """
    flags, _ = check_binary(y, p, both=False)
    risk = check_probability(p)
    cuts = np.unique(np.quantile(risk, np.linspace(0, 1, groups + 1)))
    if len(cuts) < 4:
        raise InvalidInput(
            f"The {len(risk)} predicted risks fall into {max(len(cuts) - 1, 0)} "
            "groups; at least 3 are needed. Ask for more groups, or use the "
            "calibration slope."
        )
    group = np.clip(np.searchsorted(cuts, risk, side="left") - 1, 0, None)
    k = len(cuts) - 1
    ill = np.bincount(group, weights=flags, minlength=k)
    size = np.bincount(group, minlength=k)
    expected_ill = np.bincount(group, weights=risk, minlength=k)
    observed = np.c_[size - ill, ill]
    expected = np.c_[size - expected_ill, expected_ill]
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(
            observed == expected, 0.0, (observed - expected) ** 2 / expected
        )
    statistic = float(terms.sum())
    df = groups - 2
    return HosmerLemeshow(
        statistic, df, float(chi2.sf(statistic, df)), observed, expected, cuts
    )
