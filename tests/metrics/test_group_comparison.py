import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sarcfeat.exceptions import InvalidInput
from sarcfeat.metrics import (
    compare_categories,
    compare_groups,
    looks_normal,
    t_test,
    tukey_hsd,
)
from sarcfeat.metrics.studentized_range import studentized_range_sf

RNG = np.random.default_rng(0)
NORMAL = {"a": stats.norm.ppf(np.arange(1, 30) / 30)}
NORMAL |= {"b": NORMAL["a"] + 1, "c": NORMAL["a"] * 1.1}
SKEWED = {name: np.exp(2 * values) for name, values in NORMAL.items()}


def first(groups, n):
    return dict(list(groups.items())[:n])


def test_the_rule_picks_the_test():
    wide = NORMAL | {"c": NORMAL["a"] * 4}
    for groups, name in [
        (first(NORMAL, 2), "Welch t-test"),
        (first(SKEWED, 2), "Mann-Whitney"),
        (NORMAL, "ANOVA"),
        (wide, "Welch ANOVA"),
        (SKEWED, "Kruskal-Wallis"),
    ]:
        found = compare_groups(groups)
        assert found.test.name == name
        assert found.normal == (groups is not SKEWED and "Mann" not in name)
        assert len(found.pairs) == (3 if len(groups) == 3 else 0)
    assert compare_groups(wide).pairs["test"].tolist() == ["Welch t-test"] * 3
    assert compare_groups(NORMAL).pairs["test"].tolist() == ["Tukey"] * 3


def test_the_paired_rule_picks_the_test():
    change = {"before": SKEWED["a"], "after": SKEWED["a"] + NORMAL["b"]}
    found = compare_groups(change, paired=True)
    assert found.test.name == "Paired t-test"
    p = stats.ttest_rel(change["after"], change["before"]).pvalue
    assert found.test.p == pytest.approx(p)
    skewed = {"before": NORMAL["a"], "after": NORMAL["a"] + SKEWED["a"]}
    assert compare_groups(skewed, paired=True).test.name == "Wilcoxon signed-rank"
    third = {**change, "late": SKEWED["b"]}
    found = compare_groups(third, paired=True)
    assert found.test.name == "Friedman"
    assert set(found.pairs["test"]) == {"Wilcoxon signed-rank"}
    holes = {name: np.r_[values, np.nan] for name, values in change.items()}
    assert compare_groups(holes, paired=True).test.p == pytest.approx(p)


def test_nothing_to_compare_is_no_error():
    same = {"a": [1.0, 1.0], "b": [1.0, 1.0, 1.0]}
    for groups, reason in [
        (same, "one value throughout"),
        ({"a": [1.0, 2.0], "b": [np.nan]}, "values in 1 group only"),
        ({}, "values in 0 group only"),
    ]:
        found = compare_groups(groups)
        assert (found.test.name, found.reason) == ("not tested", reason)
        assert np.isnan(found.test.p)
    still = compare_groups({"a": [1.0, 2, 3], "b": [1.0, 2, 3]}, paired=True)
    assert still.reason == "no patient changes"
    with pytest.raises(InvalidInput, match="a: 2, b: 3"):
        compare_groups(same, paired=True)


def test_expected_counts_choose_between_chi_squared_and_fisher():
    dense = pd.DataFrame({"x": [20, 30], "y": [25, 18]})
    found = compare_categories(dense)
    assert found.test.name == "Chi-squared"
    p = stats.chi2_contingency(dense, correction=False).pvalue
    assert found.test.p == pytest.approx(p)
    sparse = pd.DataFrame({"x": [1, 9], "y": [7, 30]})
    found = compare_categories(sparse)
    assert found.test.name == "Fisher exact"
    assert found.test.p == pytest.approx(stats.fisher_exact(sparse).pvalue)
    # One cell of nine below 5 is Cochran's fifth; two are not.
    few = pd.DataFrame({"x": [20, 20, 4], "y": [20, 20, 30], "z": [20, 20, 30]})
    assert compare_categories(few).test.name == "Chi-squared"
    assert len(compare_categories(few).pairs) == 3
    alone = compare_categories(pd.DataFrame({"x": [5, 5], "y": [0, 0]}))
    assert alone.test.name == "not tested"


def test_a_table_too_large_for_fisher_says_what_was_done():
    counts = pd.DataFrame(RNG.integers(1, 8, (20, 2)))
    found = compare_categories(counts)
    assert found.test.name == "Chi-squared, simulated p"
    assert "too many to enumerate" in found.reason
    again = compare_categories(counts)
    assert found.test.p == again.test.p
    # Not so sparse that the approximation would be far off.
    chi = stats.chi2_contingency(counts, correction=False)
    assert found.test.statistic == pytest.approx(chi.statistic)
    assert found.test.p == pytest.approx(chi.pvalue, abs=0.05)


def test_no_constant_or_tiny_sample_looks_normal():
    assert not looks_normal([1.0, 2.0])
    assert not looks_normal([3.0] * 20)
    assert not looks_normal(np.linspace(0, 1, 5001))
    assert looks_normal(np.r_[NORMAL["a"], np.nan])


def test_tukey_is_scipys():
    rng = np.random.default_rng(4)
    groups = {name: rng.normal(loc, 2, 8 + loc) for loc, name in enumerate("wxyz")}
    found = tukey_hsd(groups, level=0.9)
    oracle = stats.tukey_hsd(*groups.values())
    ci = oracle.confidence_interval(0.9)
    i, j = np.triu_indices(4, 1)
    np.testing.assert_allclose(found["difference"], oracle.statistic[j, i])
    np.testing.assert_allclose(found["p"], oracle.pvalue[j, i], rtol=1e-7)
    np.testing.assert_allclose(found["ci_low"], ci.low[j, i], rtol=1e-6)
    np.testing.assert_allclose(found["ci_high"], ci.high[j, i], rtol=1e-6)
    for k, df in ((2, 6), (3, 1), (6, 4000), (30, 12)):
        q = np.array([0.0, 0.5, 3.5, 8.0, np.inf])
        exact = stats.studentized_range.sf(q[:-1], k, df)
        tail = studentized_range_sf(q, k, df)
        np.testing.assert_allclose(tail, np.r_[exact, 0.0], atol=1e-8)


def test_the_paired_t_leaves_out_who_lacks_one():
    a, b = np.array([1.0, 2, 3, np.nan, 5]), np.array([2.0, 2, 5, 4, 7])
    there = ~np.isnan(a)
    found = t_test(a, b, paired=True)
    oracle = stats.ttest_rel(a[there], b[there])
    assert found.p == pytest.approx(oracle.pvalue)
    assert found.ci == pytest.approx(tuple(oracle.confidence_interval()))


def test_groups_without_names_are_refused_and_plain_tables_taken():
    with pytest.raises(InvalidInput, match=r"Groups come by name.*got list"):
        compare_groups([[1.0, 2.0], [3.0, 4.0]])
    with pytest.raises(InvalidInput, match=r"Groups come by name.*got ndarray"):
        tukey_hsd(np.ones((3, 4)))
    counts = [[20, 22], [33, 9]]
    named = pd.DataFrame(counts, columns=["low", "high"])
    assert compare_categories(counts).test == compare_categories(named).test
