import numpy as np
import pandas as pd
import pingouin
import pytest
from scipy import stats

from sarcfeat.exceptions import InvalidInput
from sarcfeat.metrics.agreement import fleiss_kappa, kendall_w
from sarcfeat.metrics.contingency import chi_squared, fisher_exact, mcnemar
from sarcfeat.metrics.correlation import correlation
from sarcfeat.metrics.group_tests import (
    anova,
    friedman,
    kruskal_wallis,
    mann_whitney,
    t_test,
    tukey_hsd,
    wilcoxon,
)


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    group = np.repeat(["A", "B", "C"], [12, 15, 9])
    value = rng.normal(size=36) + np.repeat([0, 1, 0.3], [12, 15, 9])
    return pd.DataFrame({"group": group, "value": value})


@pytest.fixture
def groups(frame):
    return {name: part["value"] for name, part in frame.groupby("group")}


def test_welch_anova_is_pingouins(frame, groups):
    ours = anova(groups, equal_variance=False)
    theirs = pingouin.welch_anova(frame, dv="value", between="group").iloc[0]
    assert ours.statistic == pytest.approx(theirs["F"], rel=1e-6)
    assert ours.df == pytest.approx((theirs["ddof1"], theirs["ddof2"]), rel=1e-6)


def test_two_groups_by_anova_are_the_t_test(groups):
    two = {name: groups[name] for name in "AB"}
    for equal in (True, False):
        t = t_test(groups["A"], groups["B"], equal_variance=equal)
        f = anova(two, equal_variance=equal)
        assert f.statistic == pytest.approx(t.statistic**2)
        assert f.p == pytest.approx(t.p)
        assert t.ci[0] < groups["A"].mean() - groups["B"].mean() < t.ci[1]


def test_tukey_names_its_pairs(groups):
    table = tukey_hsd(groups)
    assert (table["a"] + table["b"]).tolist() == ["BA", "CA", "CB"]
    gap = groups["B"].mean() - groups["A"].mean()
    assert table["difference"][0] == pytest.approx(gap)


def test_missing_values_are_left_out(groups):
    more = {name: np.append(values, np.nan) for name, values in groups.items()}
    assert kruskal_wallis(more).p == kruskal_wallis(groups).p
    assert (
        mann_whitney(more["A"], more["B"]).p
        == mann_whitney(*list(groups.values())[:2]).p
    )


def test_exact_until_there_are_ties():
    a, b = [1.0, 2.0, 3.0], [4.0, 5.0, 6.0]
    assert mann_whitney(a, b).p == pytest.approx(0.1)
    tied = mann_whitney([1.0, 2.0, 4.0], b)
    normal = stats.mannwhitneyu([1.0, 2.0, 4.0], b, method="asymptotic").pvalue
    assert tied.p == pytest.approx(normal)


def test_paired_ranks_are_antisymmetric():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 20))
    there, back = wilcoxon(a, b), wilcoxon(b, a)
    assert there.p == pytest.approx(back.p)
    assert there.statistic + back.statistic == 20 * 21 / 2
    with pytest.raises(InvalidInput, match="No patient differs"):
        wilcoxon(a, a)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: t_test([1.0], [1.0, 2.0]), "a group has 1 values"),
        (lambda: anova({"I": [1, 2]}), "needs two groups; got I"),
        (lambda: kruskal_wallis({"I": [1.0], "II": [np.nan]}), "the group II has 0"),
        (lambda: friedman([[1, 2], [2, 3]]), "three or more"),
        (lambda: friedman([[1, 1, 1], [2, 2, 2]]), "No patient differs"),
        (lambda: correlation([1, 2, 3], [1, 2, 3]), "3 patients have both"),
        (lambda: chi_squared([[3, 0], [4, 0]]), "one row or one column"),
        (lambda: fisher_exact([[1.5, 2], [1, 1]]), "counts of patients"),
        (lambda: fleiss_kappa([["a"], ["b"]]), "1 reader"),
        (lambda: fisher_exact(np.full((6, 6), 30)), "too many to enumerate"),
    ],
)
def test_what_cannot_be_tested_is_said(call, match):
    with pytest.raises(InvalidInput, match=match):
        call()


def test_fisher_on_larger_tables_adds_up():
    rng = np.random.default_rng(2)
    for shape in [(2, 3), (3, 3), (4, 2)]:
        table = rng.integers(0, 6, shape) + 1
        found = fisher_exact(table)
        assert found.p == pytest.approx(fisher_exact(table.T).p, rel=1e-9)
        drawn = stats.random_table(table.sum(axis=1), table.sum(axis=0))
        sample = drawn.rvs(20_000, random_state=0)
        chance = np.array([drawn.logpmf(x) for x in sample[:4000]])
        share = (chance <= drawn.logpmf(table) + 1e-7).mean()
        assert found.p == pytest.approx(share, abs=0.035)


def test_fisher_of_two_by_two_is_scipys():
    table = [[3, 9], [8, 2]]
    found = fisher_exact(table)
    assert found.p == pytest.approx(stats.fisher_exact(table).pvalue)
    assert found.ci_low < found.odds_ratio < found.ci_high


def test_mcnemar_without_disagreement():
    assert mcnemar([1, 0, 1], [1, 0, 1]).p == 1


def test_perfect_correlation():
    found = correlation([1, 2, 3, 4, 5.0], [2, 4, 6, 8, 10.0])
    assert (found.value, found.p) == pytest.approx((1, 0))


def test_readers_who_agree_wholly():
    same = np.repeat([["low"], ["high"], ["mid"]], 3, axis=1)
    assert fleiss_kappa(same).value == pytest.approx(1)
    assert kendall_w([[1, 1], [2, 2], [3, 3]]).value == pytest.approx(1)
    assert np.isnan(fleiss_kappa([["a", "a"], ["a", "a"]]).value)
    assert np.isnan(kendall_w([[1, 1], [1, 1]]).value)


def test_fleiss_of_two_readers_is_scotts_pi():
    a, b = np.array([[0, 1, 1, 0, 1, 0, 1], [0, 1, 0, 0, 1, 1, 1]])
    observed = (a == b).mean()
    share = np.bincount(np.r_[a, b]) / 14
    expected = (observed - (share**2).sum()) / (1 - (share**2).sum())
    assert fleiss_kappa(np.c_[a, b]).value == pytest.approx(expected)
