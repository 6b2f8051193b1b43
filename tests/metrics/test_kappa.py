import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import cohens_kappa

from sarcfeat.exceptions import InvalidInput, UnknownName
from sarcfeat.metrics.kappa import agreement_table, kappa


@pytest.fixture
def readers():
    rng = np.random.default_rng(0)
    first = rng.integers(0, 4, 60)
    return first, np.clip(first + rng.integers(-1, 2, 60), 0, 3)


@pytest.mark.parametrize("weights", ["none", "linear", "quadratic"])
def test_equals_scikit_learn_and_statsmodels(readers, weights):
    a, b = readers
    wt = None if weights == "none" else weights
    found = kappa(a, b, weights=weights)
    assert found.value == pytest.approx(cohen_kappa_score(a, b, weights=wt), rel=1e-12)
    counts = agreement_table(a.astype(object), b.astype(object), [0, 1, 2, 3])
    theirs = cohens_kappa(counts, wt=wt)
    assert found.se == pytest.approx(theirs.std_kappa, rel=1e-10)
    assert found.lower == pytest.approx(theirs.kappa_low, rel=1e-10)
    assert found.upper == pytest.approx(theirs.kappa_upp, rel=1e-10)
    assert found.p == pytest.approx(theirs.pvalue_two_sided, rel=1e-8)
    assert found.n == 60
    assert found.agreement == pytest.approx((a == b).mean())


def test_published_example():
    # Cohen's own 1960 table: 25 agreed, and chance taken off.
    first = ["a"] * 105 + ["b"] * 95
    second = ["a"] * 88 + ["b"] * 17 + ["a"] * 18 + ["b"] * 77
    observed, chance = 165 / 200, (105 * 106 + 95 * 94) / 200**2
    found = kappa(first, second)
    assert found.value == pytest.approx((observed - chance) / (1 - chance))


def test_missing_negative_and_constant():
    found = kappa(["a", "b", None, "a"], ["b", "a", "a", np.nan])
    assert found.n == 2
    assert found.value == pytest.approx(-1)
    flat = kappa(["a"] * 5, ["a"] * 5)
    assert np.isnan(flat.value)
    assert flat.agreement == 1
    assert kappa([None], ["a"]).n == 0


def test_a_category_nobody_used_lies_between():
    a, b = [1, 1, 3, 3, 1], [1, 3, 3, 3, 1]
    near = kappa(a, b, weights="linear").value
    far = kappa(a, b, weights="linear", categories=[1, 2, 3]).value
    assert near == pytest.approx(far)  # two categories used: the same credit either way
    c, d = [1, 1, 4, 2, 1], [1, 4, 4, 2, 1]
    assert kappa(c, d, weights="linear").value != pytest.approx(
        kappa(c, d, weights="linear", categories=[1, 2, 3, 4]).value
    )


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_the_order_of_patients_and_of_readers_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 3, (2, 30))
    order = rng.permutation(30)
    ours = kappa(a, b, weights="quadratic")
    assert kappa(b[order], a[order], weights="quadratic").value == pytest.approx(
        ours.value, nan_ok=True
    )


def test_argument_errors():
    with pytest.raises(UnknownName, match="linear"):
        kappa([1], [1], weights="linaer")
    with pytest.raises(InvalidInput, match=r"shapes \(2,\) and \(1,\)"):
        kappa([1, 2], [1])
    with pytest.raises(InvalidInput, match="hold 5, which"):
        kappa([1, 5], [1, 2], categories=[1, 2])
    with pytest.raises(InvalidInput, match="level must lie"):
        kappa([1], [1], level=95)
