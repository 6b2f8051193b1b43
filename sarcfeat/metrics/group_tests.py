"""Do groups of patients differ in a measurement? The usual tests, as R does them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from sarcfeat.exceptions import InvalidInput
from sarcfeat.metrics.multiple_testing import adjust_p
from sarcfeat.metrics.samples import named_samples, sample_of
from sarcfeat.metrics.studentized_range import (
    studentized_range_quantile,
    studentized_range_sf,
)

__all__ = [
    "GroupTest",
    "anova",
    "bartlett",
    "friedman",
    "kolmogorov_smirnov",
    "kruskal_wallis",
    "mann_whitney",
    "pairwise_mann_whitney",
    "shapiro",
    "t_test",
    "tukey_hsd",
    "wilcoxon",
]

# Below this many values R computes the exact distribution of a rank test.
EXACT = 50


@dataclass(frozen=True)
class GroupTest:
    """The result of one test.

    Attributes
    ----------
    name : str
        What was computed, as a report writes it.
    statistic, p : float
    df : tuple of float
        Degrees of freedom; empty where the test has none.
    ci : tuple of two floats, or None
        Interval of the difference in means, for a t-test.
    """

    name: str
    statistic: float
    p: float
    df: tuple[float, ...] = ()
    ci: tuple[float, float] | None = None


def t_test(
    first: Any,
    second: Any,
    *,
    equal_variance: bool = False,
    paired: bool = False,
    level: float = 0.95,
) -> GroupTest:
    """Compare two means: Welch's t-test, or Student's where variances are equal.

    Parameters
    ----------
    first, second : array-like
        The measurement in each group; missing values are left out.
    equal_variance : bool
    paired : bool
        Whether both are measurements of the same patients, in one order; a patient
        missing for one is left out.
    level : float
        Level of the interval of the difference, first minus second.

    Examples
    --------
    >>> found = t_test([5.1, 4.9, 6.0, 5.5], [4.1, 4.4, 5.0, 3.9])
    >>> f"{found.name}: t = {found.statistic:.2f}, p = {found.p:.3f}"
    'Welch t-test: t = 3.00, p = 0.024'
    """
    if paired:
        change = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
        found, name = stats.ttest_1samp(sample_of(change), 0.0), "Paired t-test"
    else:
        a, b = sample_of(first), sample_of(second)
        found = stats.ttest_ind(a, b, equal_var=equal_variance)
        name = "Student t-test" if equal_variance else "Welch t-test"
    ci = found.confidence_interval(level)
    return GroupTest(
        name,
        float(found.statistic),
        float(found.pvalue),
        (float(found.df),),
        (float(ci.low), float(ci.high)),
    )


def anova(groups: Mapping[Any, Any], *, equal_variance: bool = True) -> GroupTest:
    """Compare the means of several groups by Fisher's F, or by Welch's.

    Parameters
    ----------
    groups : dict of name to array-like
    equal_variance : bool

    Examples
    --------
    >>> found = anova({"I": [1, 2, 3], "II": [2, 3, 4], "III": [5, 6, 7]})
    >>> round(found.statistic, 1), found.df
    (13.0, (2.0, 6.0))
    """
    samples = named_samples(groups)
    n = np.array([len(v) for v in samples], dtype=float)
    k = len(n)
    if equal_variance:
        found = stats.f_oneway(*samples)
        df = (float(k - 1), float(n.sum() - k))
        return GroupTest("ANOVA", float(found.statistic), float(found.pvalue), df)
    means = np.array([v.mean() for v in samples])
    w = n / np.array([v.var(ddof=1) for v in samples])
    centre = (w * means).sum() / w.sum()
    spread = ((1 - w / w.sum()) ** 2 / (n - 1)).sum() / (k**2 - 1)
    f = (w * (means - centre) ** 2).sum() / (k - 1) / (1 + 2 * (k - 2) * spread)
    df = (float(k - 1), float(1 / (3 * spread)))
    return GroupTest("Welch ANOVA", float(f), float(stats.f.sf(f, *df)), df)


def tukey_hsd(groups: Mapping[Any, Any], *, level: float = 0.95) -> pd.DataFrame:
    """Compare all pairs of means after an ANOVA (Tukey and Kramer).

    Returns
    -------
    DataFrame
        ``a, b, difference, ci_low, ci_high, p``; the difference is a minus b.

    Examples
    --------
    >>> table = tukey_hsd({"I": [1, 2, 3], "II": [2, 3, 4], "III": [5, 6, 7]})
    >>> table["difference"].tolist()
    [1.0, 4.0, 3.0]
    """
    samples = named_samples(groups)
    k, n = len(samples), np.array([len(v) for v in samples], dtype=float)
    df = float(n.sum() - k)
    within = sum(float(((v - v.mean()) ** 2).sum()) for v in samples) / df
    means = np.array([v.mean() for v in samples])
    first, second = np.triu_indices(k, 1)
    difference = means[second] - means[first]
    # Half the variance of the difference, as the studentized range takes it.
    error = np.sqrt(within / 2 * (1 / n[first] + 1 / n[second]))
    with np.errstate(divide="ignore", invalid="ignore"):
        p = studentized_range_sf(np.abs(difference) / error, k, df)
    half = studentized_range_quantile(level, k, df) * error
    names = list(groups)
    return pd.DataFrame(
        {
            "a": [names[j] for j in second],
            "b": [names[i] for i in first],
            "difference": difference,
            "ci_low": difference - half,
            "ci_high": difference + half,
            "p": p,
        }
    )


def kruskal_wallis(groups: Mapping[Any, Any]) -> GroupTest:
    """Compare several groups by ranks.

    Examples
    --------
    >>> round(kruskal_wallis({"A": [1, 2, 3], "B": [4, 5, 6]}).p, 3)
    0.05
    """
    samples = named_samples(groups, least=1)
    found = stats.kruskal(*samples)
    df = (float(len(samples) - 1),)
    return GroupTest("Kruskal-Wallis", float(found.statistic), float(found.pvalue), df)


def mann_whitney(
    first: Any, second: Any, *, exact: bool | None = None, continuity: bool = True
) -> GroupTest:
    """Compare two groups by ranks (Wilcoxon's rank-sum test).

    Parameters
    ----------
    first, second : array-like
        Missing values are left out.
    exact : bool, optional
        By default exact below 50 patients a group without ties, as in R; else the
        normal approximation.
    continuity : bool
        Correct the approximation for continuity.

    Returns
    -------
    GroupTest
        The statistic counts the pairs in which the first is higher (ties one half).

    Examples
    --------
    >>> found = mann_whitney([1.0, 2.0, 3.0], [2.5, 4.0, 5.0])
    >>> found.statistic, round(found.p, 2)
    (1.0, 0.2)
    """
    a, b = sample_of(first, 1), sample_of(second, 1)
    both = np.concatenate([a, b])
    if exact is None:
        exact = max(len(a), len(b)) < EXACT and len(np.unique(both)) == len(both)
    found = stats.mannwhitneyu(
        a, b, method="exact" if exact else "asymptotic", use_continuity=continuity
    )
    return GroupTest("Mann-Whitney", float(found.statistic), float(found.pvalue))


def pairwise_mann_whitney(
    groups: Mapping[Any, Any], *, adjust: str = "bh", exact: bool | None = None
) -> pd.DataFrame:
    """Compare each pair of groups by ranks, adjusted for their number.

    Parameters
    ----------
    groups : dict of name to array-like
    adjust : str
        As for ``adjust_p``.
    exact : bool, optional
        As for ``mann_whitney``.

    Returns
    -------
    DataFrame
        ``a, b, statistic, p, p_adjusted``.

    Examples
    --------
    >>> groups = {"I": [1, 2, 3], "II": [4, 5, 6], "III": [0, 8, 9]}
    >>> table = pairwise_mann_whitney(groups)
    >>> table["p_adjusted"].round(2).tolist()
    [0.3, 0.7, 0.7]
    """
    rows = []
    for a, b in combinations(groups, 2):
        found = mann_whitney(groups[b], groups[a], exact=exact)
        rows.append((b, a, found.statistic, found.p))
    table = pd.DataFrame(rows, columns=["a", "b", "statistic", "p"])
    table["p_adjusted"] = adjust_p(table["p"].to_numpy(dtype=float), adjust)
    return table


def wilcoxon(first: Any, second: Any) -> GroupTest:
    """Compare two measurements of the same patients by signed ranks.

    Parameters
    ----------
    first, second : array-like of shape (n_patients,)
        A patient missing for one, or without a difference, is left out.

    Returns
    -------
    GroupTest
        The statistic is the sum of the ranks of positive differences; exact below 50
        differences without ties or zeros, else normal with continuity correction.

    Examples
    --------
    >>> wilcoxon([5.0, 6.0, 7.0, 9.0], [4.0, 4.0, 4.0, 4.5]).p
    0.125
    """
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if a.shape != b.shape:
        raise InvalidInput(
            f"Paired measurements are of the same patients; got shapes {a.shape} and "
            f"{b.shape}."
        )
    difference = sample_of(a - b, 1, "the pairs")
    changed = difference[difference != 0]
    if not len(changed):
        raise InvalidInput("No patient differs between the two measurements.")
    ranks = stats.rankdata(np.abs(changed))
    ties = len(np.unique(np.abs(changed))) < len(changed)
    exact = len(difference) < EXACT and not ties and len(changed) == len(difference)
    found = stats.wilcoxon(
        changed, correction=True, method="exact" if exact else "approx"
    )
    total = float(ranks[changed > 0].sum())
    return GroupTest("Wilcoxon signed-rank", total, float(found.pvalue))


def friedman(measurements: Any) -> GroupTest:
    """Compare several measurements of the same patients by ranks.

    Parameters
    ----------
    measurements : array-like of shape (n_patients, n_measurements)
        Patients with a missing value are left out.

    Raises
    ------
    InvalidInput
        Fewer than three measurements, or no patient differs between them.

    Examples
    --------
    >>> friedman([[1, 2, 3], [1, 3, 2], [1, 2, 3], [1, 2, 3]]).df
    (2.0,)
    """
    values = np.asarray(measurements, dtype=float)
    if values.ndim != 2 or values.shape[1] < 3:
        raise InvalidInput(
            f"friedman compares three or more measurements; got shape {values.shape}."
        )
    values = values[~np.isnan(values).any(axis=1)]
    if (values == values[:, :1]).all():
        raise InvalidInput("No patient differs between the measurements.")
    found = stats.friedmanchisquare(*values.T)
    df = (float(values.shape[1] - 1),)
    return GroupTest("Friedman", float(found.statistic), float(found.pvalue), df)


def bartlett(groups: Mapping[Any, Any]) -> GroupTest:
    """Compare the variances of several groups.

    Examples
    --------
    >>> bartlett({"A": [1, 2, 3], "B": [10, 20, 30]}).p < 0.05
    True
    """
    samples = named_samples(groups)
    found = stats.bartlett(*samples)
    df = (float(len(samples) - 1),)
    return GroupTest("Bartlett", float(found.statistic), float(found.pvalue), df)


def shapiro(values: Any) -> GroupTest:
    """Test whether values come from a normal distribution (Shapiro and Wilk).

    Examples
    --------
    >>> round(shapiro([1.0, 1.1, 1.2, 1.3, 9.0]).p, 4)
    0.0004
    """
    found = stats.shapiro(sample_of(values, 3, "the sample"))
    return GroupTest("Shapiro-Wilk", float(found.statistic), float(found.pvalue))


def kolmogorov_smirnov(first: Any, second: Any) -> GroupTest:
    """Compare two distributions by their largest distance, with Smirnov's limit.

    Examples
    --------
    >>> kolmogorov_smirnov([1, 2, 3, 4], [3, 4, 5, 6]).statistic
    0.5
    """
    a, b = sample_of(first, 1), sample_of(second, 1)
    distance = float(stats.ks_2samp(a, b, method="asymp").statistic)
    scale = np.sqrt(len(a) * len(b) / (len(a) + len(b)))
    p = float(stats.kstwobign.sf(scale * distance))
    return GroupTest("Kolmogorov-Smirnov", distance, p)
