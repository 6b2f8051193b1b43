"""The area under the ROC curve with DeLong's variance, and tests of two of them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.stats import norm, rankdata
from scipy.stats import t as student

from sarcfeat.exceptions import InvalidInput
from sarcfeat.metrics.binary import check_binary

__all__ = ["AUC", "AUCDifference", "delong", "delong_test", "delong_unpaired"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class AUC:
    """Area under a ROC curve with DeLong's interval.

    Attributes
    ----------
    auc : float
        0.5 is chance; ties count half.
    se, ci_low, ci_high : float
        DeLong's standard error; the interval is cut at 0 and 1. NaN where one patient
        alone has, or has not, the outcome.
    n_positive, n_negative : int
        Patients with and without the outcome.
    influence : ndarray of shape (n_patients,)
        Each patient's part of the error: covariances of two models on the same
        patients are sums of products of it.
    """

    auc: float
    se: float
    ci_low: float
    ci_high: float
    n_positive: int
    n_negative: int
    influence: Floats = field(repr=False)


@dataclass(frozen=True)
class AUCDifference:
    """Difference of two areas with its interval and test.

    Attributes
    ----------
    delta : float
        The area of the first score minus that of the second.
    se, ci_low, ci_high : float
    statistic, p : float
        z (paired) or t (unpaired), and its two-sided p-value; NaN where the error is
        0, as for one and the same score.
    df : float
        Degrees of freedom of t; infinite where the test is paired.
    """

    delta: float
    se: float
    ci_low: float
    ci_high: float
    statistic: float
    p: float
    df: float


def delong(y: npt.ArrayLike, score: npt.ArrayLike, *, level: float = 0.95) -> AUC:
    """Compute the area under the ROC curve with DeLong's interval.

    Parameters
    ----------
    y : array-like of bool or 0/1, shape (n_patients,)
    score : array-like of float, shape (n_patients,)
        Higher means the outcome is more likely.
    level : float
        Coverage of the interval.

    Returns
    -------
    AUC

    Raises
    ------
    InvalidInput
        See :func:`check_binary`.

    References
    ----------
    DeLong et al., Biometrics 1988; by midranks, Sun & Xu 2014; equal to R's
    ``pROC::ci.auc``.

    Examples
    --------
    >>> result = delong([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    >>> result.auc, round(result.se, 3)
    (0.75, 0.354)
    """
    flags, scores = check_binary(y, score)
    auc, influence = _influence(flags, scores)
    se = float(np.sqrt(influence @ influence))
    half = float(norm.ppf((1 + level) / 2)) * se
    return AUC(
        auc,
        se,
        max(auc - half, 0.0),
        min(auc + half, 1.0),
        int(flags.sum()),
        int((~flags).sum()),
        influence,
    )


def delong_test(
    y: npt.ArrayLike,
    score_a: npt.ArrayLike,
    score_b: npt.ArrayLike,
    *,
    level: float = 0.95,
) -> AUCDifference:
    """Test whether two scores of the same patients have one area.

    Parameters
    ----------
    y : array-like of bool or 0/1, shape (n_patients,)
    score_a, score_b : array-like of float, shape (n_patients,)
    level : float

    Returns
    -------
    AUCDifference

    References
    ----------
    DeLong et al., Biometrics 1988; equal to R's ``pROC::roc.test(paired=TRUE)``.

    Examples
    --------
    >>> y = [0, 0, 0, 1, 1, 1]
    >>> test = delong_test(y, [1, 2, 3, 4, 5, 6], [1, 5, 3, 4, 2, 6])
    >>> round(test.delta, 3), round(test.p, 3)
    (0.333, 0.221)
    """
    a, b = delong(y, score_a), delong(y, score_b)
    gap = a.influence - b.influence
    se = float(np.sqrt(gap @ gap))
    delta = a.auc - b.auc
    half = float(norm.ppf((1 + level) / 2)) * se
    z = delta / se if se > 0 else float("nan")
    p = float(2 * norm.sf(abs(z)))
    return AUCDifference(delta, se, delta - half, delta + half, z, p, float("inf"))


def delong_unpaired(a: AUC, b: AUC, *, level: float = 0.95) -> AUCDifference:
    """Test whether the areas of two different groups of patients are one.

    Parameters
    ----------
    a, b : AUC
        Of :func:`delong`, each on its own patients.
    level : float

    Returns
    -------
    AUCDifference

    References
    ----------
    Welch's approximation as in R's ``pROC::roc.test(paired=FALSE)``.

    Examples
    --------
    >>> a = delong([0, 0, 1, 1], [1, 3, 2, 4])
    >>> delong_unpaired(a, a).p
    1.0
    """
    va, vb = a.se**2, b.se**2
    na, nb = a.n_positive + a.n_negative, b.n_positive + b.n_negative
    se = float(np.sqrt(va + vb))
    delta = a.auc - b.auc
    if not se > 0:
        nan = float("nan")
        return AUCDifference(delta, se, delta - se, delta + se, nan, nan, nan)
    df = (va + vb) ** 2 / (va**2 / (na - 1) + vb**2 / (nb - 1))
    half = float(student.ppf((1 + level) / 2, df)) * se
    statistic = delta / se
    p = float(2 * student.sf(abs(statistic), df))
    return AUCDifference(delta, se, delta - half, delta + half, statistic, p, df)


def _influence(y: npt.NDArray[np.bool_], score: Floats) -> tuple[float, Floats]:
    """Area, and each patient's centred placement over root n (n - 1)."""
    if score.ndim != 1:
        raise InvalidInput(f"Expected one score a patient; got shape {score.shape}.")
    m, n = int(y.sum()), int((~y).sum())
    overall = rankdata(score)
    placement = np.empty(len(y))
    placement[y] = (overall[y] - rankdata(score[y])) / n
    placement[~y] = 1 - (overall[~y] - rankdata(score[~y])) / m
    auc = float(placement[y].mean())
    influence = placement - auc
    for rows, size in ((y, m), (~y, n)):
        # Of one patient nobody knows how far another would lie.
        spread = np.sqrt(size * (size - 1)) if size > 1 else np.nan
        influence[rows] = influence[rows] / spread
    return auc, np.asarray(influence)
