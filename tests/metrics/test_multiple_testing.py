import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from sarcfeat.exceptions import InvalidInput, UnknownName
from sarcfeat.metrics import adjust_p


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_adjustments_are_those_of_scipy_and_in_order(p):
    np.testing.assert_allclose(adjust_p(p, "bh"), false_discovery_control(p))
    np.testing.assert_array_equal(adjust_p(p, "none"), p)
    none, bh, holm, bonferroni = (
        adjust_p(p, method) for method in ("none", "bh", "holm", "bonferroni")
    )
    np.testing.assert_allclose(bonferroni, np.minimum(np.array(p) * len(p), 1))
    for smaller, larger in ((none, bh), (bh, holm), (holm, bonferroni)):
        assert (smaller <= larger * (1 + 1e-12)).all()


def test_holm_by_hand():
    np.testing.assert_allclose(adjust_p([0.04, 0.01, 0.03], "holm"), [0.06, 0.03, 0.06])


def test_a_test_not_done_is_not_counted():
    adjusted = adjust_p([0.01, np.nan, 0.04], "bonferroni")
    np.testing.assert_allclose(adjusted, [0.02, np.nan, 0.08])


def test_refuses():
    with pytest.raises(InvalidInput, match=r"between 0 and 1; got -0\.1"):
        adjust_p([-0.1, 0.2])
    with pytest.raises(UnknownName, match="Did you mean 'bh'"):
        adjust_p([0.1], "bhh")


def test_by_and_hochberg_are_statsmodels():
    from statsmodels.stats.multitest import multipletests

    p = np.array([0.001, 0.04, 0.03, 0.5, 0.012])
    for ours, theirs in [("by", "fdr_by"), ("hochberg", "simes-hochberg")]:
        np.testing.assert_allclose(
            adjust_p(p, ours), multipletests(p, method=theirs)[1]
        )
