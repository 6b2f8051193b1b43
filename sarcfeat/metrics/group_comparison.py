"""The right test for a variable in groups of patients, chosen by rule and by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from sarcfeat._validation import listed
from sarcfeat.exceptions import InvalidInput
from sarcfeat.metrics.contingency import chi_squared, fisher_exact, mcnemar
from sarcfeat.metrics.group_tests import (
    GroupTest,
    anova,
    bartlett,
    friedman,
    kruskal_wallis,
    mann_whitney,
    shapiro,
    t_test,
    tukey_hsd,
    wilcoxon,
)
from sarcfeat.metrics.multiple_testing import adjust_p
from sarcfeat.metrics.samples import refuse_unnamed

__all__ = ["GroupComparison", "compare_categories", "compare_groups", "looks_normal"]

Floats = npt.NDArray[np.float64]
Pair = Callable[[Any, Any], GroupTest]

NOT_TESTED = GroupTest("not tested", float("nan"), float("nan"))
_PAIRS = ["a", "b", "test", "p", "p_adjusted"]
# Shapiro and Wilk's p-value is known up to here; above, no sample looks normal.
MOST = 5000
SPARSE, SPARSE_SHARE = 5, 0.2
RANDOM_TABLES, BLOCK = 9999, 909


@dataclass(frozen=True)
class GroupComparison:
    """A test, why it was chosen, and what follows it.

    Attributes
    ----------
    test : GroupTest
        Its name is ``"not tested"`` where there is nothing to compare.
    normal : bool
        Whether means describe the groups (else medians do).
    reason : str
        Why this test, or why none.
    pairs : DataFrame
        With three groups and more: ``a, b, test, p, p_adjusted`` of every two.
    """

    test: GroupTest
    normal: bool
    reason: str
    pairs: pd.DataFrame


def looks_normal(values: npt.ArrayLike, *, alpha: float = 0.05) -> bool:
    """Say whether Shapiro and Wilk's test leaves a sample its normality.

    Fewer than three values, more than 5,000 or all the same never look normal.

    Examples
    --------
    >>> looks_normal([4.0, 5.0, 5.5, 6.0, 7.0]), looks_normal([1.0, 1.1, 1.2, 1.3, 9.0])
    (True, False)
    """
    sample = np.asarray(values, dtype=float)
    sample = sample[~np.isnan(sample)]
    if not 3 <= len(sample) <= MOST or np.ptp(sample) == 0:
        return False
    return bool(shapiro(sample).p >= alpha)


def compare_groups(
    groups: Mapping[Any, npt.ArrayLike],
    *,
    paired: bool = False,
    alpha: float = 0.05,
    adjust: str = "bh",
) -> GroupComparison:
    """Compare a measurement between groups by the test that fits it.

    ==================  ===========================  ====================
    groups              every group looks normal     else
    ==================  ===========================  ====================
    two                 Welch t-test                 Mann-Whitney
    three and more      ANOVA, then Tukey; Welch's   Kruskal-Wallis, then
                        where variances differ       pairs of ranks
    two, paired         paired t-test                Wilcoxon signed-rank
    three, paired       Friedman, then Wilcoxon      Friedman
    ==================  ===========================  ====================

    Parameters
    ----------
    groups : dict of name to array-like
        The measurement in each group, missing values left out; when `paired`, one
        value for each patient, in one order.
    paired : bool
        Whether the groups are measurements of the same patients.
    alpha : float
        Of Shapiro and Wilk's test of normality (paired: of the differences) and of
        Bartlett's of equal variances.
    adjust : str
        Adjustment of the pairs, as for :func:`adjust_p`; Tukey's has its own.

    Returns
    -------
    GroupComparison

    Examples
    --------
    >>> low, high = [4.1, 4.4, 5.0, 3.9], [5.1, 4.9, 6.0, 5.5]
    >>> found = compare_groups({"low": low, "high": high})
    >>> found.test.name, round(found.test.p, 3)
    ('Welch t-test', 0.024)
    """
    refuse_unnamed(groups)
    columns = {name: np.asarray(v, dtype=float) for name, v in groups.items()}
    if paired:
        return _compare_paired(columns, alpha, adjust)
    samples = {k: v[~np.isnan(v)] for k, v in columns.items()}
    samples = {k: v for k, v in samples.items() if len(v)}
    refusal = _nothing_to_compare(samples)
    normal = bool(samples) and all(
        looks_normal(v, alpha=alpha) for v in samples.values()
    )
    if refusal:
        return _none(refusal, normal)
    shape = "normal by Shapiro-Wilk in every group" if normal else "not normal"
    if len(samples) == 2:
        first, second = samples.values()
        found = t_test(first, second) if normal else mann_whitney(first, second)
        return GroupComparison(found, normal, shape, _no_pairs())
    if not normal:
        pairs = _pairs(samples, mann_whitney, adjust)
        return GroupComparison(kruskal_wallis(samples), False, shape, pairs)
    if bartlett(samples).p < alpha:
        pairs = _pairs(samples, t_test, adjust)
        shape += ", variances differ by Bartlett"
        return GroupComparison(anova(samples, equal_variance=False), True, shape, pairs)
    table = tukey_hsd(samples).assign(test="Tukey", p_adjusted=lambda t: t["p"])
    return GroupComparison(anova(samples), True, shape, table[_PAIRS])


def _nothing_to_compare(samples: Mapping[Any, Floats]) -> str:
    if len(samples) < 2:
        return f"values in {len(samples)} group only"
    if len(np.unique(np.concatenate(list(samples.values())))) < 2:
        return "one value throughout"
    return ""


def _none(reason: str, normal: bool = False) -> GroupComparison:
    return GroupComparison(NOT_TESTED, normal, reason, _no_pairs())


def _no_pairs() -> pd.DataFrame:
    return pd.DataFrame(columns=_PAIRS)


def _pairs(samples: Mapping[Any, Any], test: Pair, adjust: str) -> pd.DataFrame:
    """Test every two groups, and adjust for their number."""
    rows = []
    for a, b in combinations(samples, 2):
        found = test(samples[b], samples[a])
        rows.append({"a": b, "b": a, "test": found.name, "p": found.p})
    table = pd.DataFrame(rows)
    table["p_adjusted"] = adjust_p(table["p"].to_numpy(dtype=float), adjust)
    return table


def _compare_paired(
    columns: Mapping[Any, Floats], alpha: float, adjust: str
) -> GroupComparison:
    sizes = {len(v) for v in columns.values()}
    if len(columns) < 2 or len(sizes) != 1:
        raise InvalidInput(
            "Paired groups are two or more measurements of the same patients, each of "
            f"one length; got {listed(f'{k}: {len(v)}' for k, v in columns.items())}."
        )
    values = np.column_stack(list(columns.values()))
    values = values[~np.isnan(values).any(axis=1)]
    if len(values) < 2:
        return _none(f"{len(values)} patients have every measurement")
    whole = dict(zip(columns, values.T, strict=True))
    if len(columns) > 2:
        normal = all(looks_normal(v, alpha=alpha) for v in whole.values())
        if not np.ptp(values, axis=1).any():
            return _none("no patient changes", normal)
        reason = "several measurements of the same patients"
        pairs = _pairs(whole, _signed_ranks, adjust)
        return GroupComparison(friedman(values), normal, reason, pairs)
    change = values[:, 1] - values[:, 0]
    normal = looks_normal(change, alpha=alpha)
    if not change.any():
        return _none("no patient changes", normal)
    if not normal:
        found = wilcoxon(values[:, 1], values[:, 0])
        return GroupComparison(found, False, "differences not normal", _no_pairs())
    found = t_test(values[:, 1], values[:, 0], paired=True)
    return GroupComparison(found, True, "differences normal", _no_pairs())


def _signed_ranks(first: Floats, second: Floats) -> GroupTest:
    return NOT_TESTED if np.array_equal(first, second) else wilcoxon(first, second)


def compare_categories(
    table: pd.DataFrame | npt.ArrayLike, *, adjust: str = "bh", random_state: Any = 0
) -> GroupComparison:
    """Compare a category between groups: chi-squared, or Fisher's where it is sparse.

    Fisher's exact test is taken where a count expected in a 2 x 2 table is below 5; in
    a larger one where more than a fifth of them are, or one is below 1 (Cochran); where
    it is too large for Fisher's, the p of chi-squared is that among 9,999 random tables
    of the same margins. No continuity correction is made.

    Parameters
    ----------
    table : DataFrame or array-like of counts
        A row a category, a column a group.
    adjust : str
        Adjustment of the pairs of groups, as for :func:`adjust_p`.
    random_state : int or Generator
        Of the random tables.

    Returns
    -------
    GroupComparison

    References
    ----------
    Cochran, Biometrics 1954.

    Examples
    --------
    >>> counts = pd.DataFrame({"low": [12, 5], "high": [4, 11]}, index=["I", "II"])
    >>> found = compare_categories(counts)
    >>> found.test.name, round(found.test.p, 3)
    ('Chi-squared', 0.013)
    """
    table = pd.DataFrame(table)
    found, reason = _independence(table.to_numpy(), random_state)
    groups = [name for name in table.columns if table[name].sum()]
    if found is NOT_TESTED or len(groups) < 3:
        return GroupComparison(found, False, reason, _no_pairs())
    rows = []
    for a, b in combinations(groups, 2):
        one, _ = _independence(table[[a, b]].to_numpy(), random_state)
        rows.append({"a": b, "b": a, "test": one.name, "p": one.p})
    pairs = pd.DataFrame(rows)
    pairs["p_adjusted"] = adjust_p(pairs["p"].to_numpy(dtype=float), adjust)
    return GroupComparison(found, False, reason, pairs)


def _independence(counts: npt.NDArray[Any], random_state: Any) -> tuple[GroupTest, str]:
    counts = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    if min(counts.shape) < 2:
        return NOT_TESTED, "one category or one group only"
    expected = stats.contingency.expected_freq(counts)
    if not _sparse(expected):
        found = chi_squared(counts, continuity=False)
        test = GroupTest("Chi-squared", found.statistic, found.p, (float(found.df),))
        return test, f"smallest expected count {expected.min():.1f}"
    reason = f"sparse: smallest expected count {expected.min():.1f}"
    try:
        exact = fisher_exact(counts)
    except InvalidInput as error:
        return _simulated(counts, expected, random_state), f"{reason}; {error}"
    return GroupTest("Fisher exact", exact.odds_ratio, exact.p), reason


def _simulated(
    counts: npt.NDArray[Any], expected: Floats, random_state: Any
) -> GroupTest:
    """Return chi-squared with its p among random tables of the same margins."""
    rng = np.random.default_rng(random_state)
    margins = stats.random_table(counts.sum(axis=1), counts.sum(axis=0))
    observed = float(((counts - expected) ** 2 / expected).sum())
    as_large = 0
    for _ in range(RANDOM_TABLES // BLOCK):
        tables = margins.rvs(BLOCK, random_state=rng)
        drawn = ((tables - expected) ** 2 / expected).sum(axis=(1, 2))
        as_large += int((drawn >= observed * (1 - 1e-9)).sum())
    p = (1 + as_large) / (1 + RANDOM_TABLES)
    return GroupTest("Chi-squared, simulated p", observed, p)


def _sparse(expected: Floats) -> bool:
    if expected.shape == (2, 2):
        return bool(expected.min() < SPARSE)
    few = float((expected < SPARSE).mean())
    return few > SPARSE_SHARE or bool(expected.min() < 1)


def compare_paired_categories(occasions: Sequence[pd.Series[Any]]) -> GroupComparison:
    """Compare a yes-or-no judgement of the same patients on two occasions (McNemar)."""
    if len(occasions) != 2:
        return _none(f"{len(occasions)} occasions; McNemar's test needs two")
    whole = np.all([one.notna().to_numpy() for one in occasions], axis=0)
    a, b = (one.to_numpy()[whole] for one in occasions)
    levels = pd.unique(np.concatenate([a, b]))
    if len(levels) != 2:
        return _none(f"{len(levels)} categories; McNemar's test needs two")
    found = mcnemar(a == levels[0], b == levels[0])
    test = GroupTest("McNemar", found.statistic, found.p, (float(found.df),))
    return GroupComparison(test, False, "two categories, same patients", _no_pairs())
