import time as clock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sksurv.metrics import concordance_index_ipcw

from sarcfeat.exceptions import InvalidInput, NoComparablePairs, PastFollowUp
from sarcfeat.metrics import (
    bootstrap_auc_difference,
    bootstrap_concordance_difference,
    concordance,
    concordance_difference,
    delong_test,
    uno_concordance,
)
from sarcfeat.survival import censoring_curve, count_pairs, make_y
from tests.metrics.test_binary_metrics import scored
from tests.survival.cohorts import cohort


def two_risks(n=100, seed=0, tied=True):
    X, event, time = cohort(n, 2, seed=seed, tied=tied)
    a = X["clinical.x0"].round(1).to_numpy()
    return event, time, a, X["clinical.x1"].round(1).to_numpy()


def test_given_resamples_are_the_c_index_of_the_rows():
    event, time, a, b = two_risks(60)
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 60, (5, 60))
    counts = np.array([np.bincount(r, minlength=60) for r in rows])
    found = bootstrap_concordance_difference(event, time, a, b, weights=counts)
    for k, r in enumerate(rows):
        one = concordance(event[r], time[r], a[r]).c_index
        assert found.resampled_a[k] == pytest.approx(one, rel=1e-12)
    assert found.delta == pytest.approx(
        concordance(event, time, a).c_index - concordance(event, time, b).c_index
    )


def test_the_three_tests_of_a_difference_agree():
    event, time, a, b = two_risks(250)
    boot = bootstrap_concordance_difference(event, time, a, b, random_state=0)
    jack = concordance_difference(event, time, a, b)
    kang = concordance_difference(event, time, a, b, method="kang")
    assert boot.se == pytest.approx(jack.se, rel=0.15)
    assert kang.se == pytest.approx(jack.se, rel=0.1)
    assert boot.interval(kind="normal")[0] == pytest.approx(jack.ci_low, abs=0.02)
    y, p, noisy = scored(200)
    boot = bootstrap_auc_difference(y, p, noisy, random_state=0)
    assert boot.se == pytest.approx(delong_test(y, p, noisy).se, rel=0.15)


def test_a_model_against_itself_is_no_difference():
    event, time, a, _ = two_risks()
    for method in ("jackknife", "kang"):
        same = concordance_difference(event, time, a, 2 * a + 1, method=method)
        assert same.delta == 0
        assert same.se == pytest.approx(0, abs=1e-9)
    assert bootstrap_concordance_difference(event, time, a, a, random_state=0).p == 1


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_monotone_transforms_leave_every_c_and_its_error(seed):
    event, time, a, b = two_risks(40, seed)
    if not event.any():
        return
    moved = np.exp(a) * 3 - 2
    for convention in ("survival", "scikit-survival", "survAUC"):
        one = uno_concordance(event, time, a, convention=convention)
        two = uno_concordance(event, time, moved, convention=convention)
        assert one.c_index == pytest.approx(two.c_index, nan_ok=True)
    before = concordance_difference(event, time, a, b, method="kang")
    after = concordance_difference(event, time, moved, b, method="kang")
    assert before.se == pytest.approx(after.se, nan_ok=True)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_weight_two_is_the_patient_twice(seed):
    event, time, a, _ = two_risks(25, seed)
    which = seed % 25
    weight = np.ones(25)
    weight[which] = 2
    twice = np.r_[np.arange(25), which]
    one = count_pairs(event, time, a, weight)
    two = count_pairs(event[twice], time[twice], a[twice])
    assert one.concordant == pytest.approx(two.concordant)
    assert one.comparable == pytest.approx(two.comparable)


def test_uno_is_that_of_survival_and_of_scikit_survival():
    event, time, a, _ = two_risks(150)
    y, tau = make_y(event, time), float(np.quantile(time, 0.8))
    ours = uno_concordance(event, time, a, convention="scikit-survival", until=tau)
    assert ours.c_index == pytest.approx(concordance_index_ipcw(y, y, a, tau)[0])
    ours = uno_concordance(event, time, a, until=tau)
    general = concordance(event, time, a, time_weight="n/G2", until=tau)
    assert ours.c_index == pytest.approx(general.c_index, rel=1e-12)
    assert ours.se == pytest.approx(general.se, rel=1e-12)


def test_uno_takes_the_censoring_of_the_training_patients():
    event, time, a, _ = two_risks(150, tied=False)
    half = np.arange(150) < 75
    training = censoring_curve(event[half], time[half])
    inside = ~half & (time < time[half].max())
    found = uno_concordance(
        event[inside],
        time[inside],
        a[inside],
        censoring=training,
        convention="scikit-survival",
    )
    y = make_y(event, time)
    theirs = concordance_index_ipcw(y[half], y[inside], a[inside])[0]
    assert found.c_index == pytest.approx(theirs)


def test_no_credit_for_ties_puts_a_constant_risk_at_zero():
    event, time, _, _ = two_risks()
    constant = np.zeros(100)
    assert uno_concordance(event, time, constant).c_index == pytest.approx(0.5)
    none = uno_concordance(event, time, constant, convention="survAUC")
    assert none.c_index == 0


def test_fault_071_ties_follow_r_and_are_counted_apart():
    # Two events at 5 do not compare; the patient censored at 5 outlived both.
    event, time, risk = [1, 1, 0, 1], [5, 5, 5, 2], [3, 1, 2, 3]
    pairs = count_pairs(event, time, risk)
    assert (pairs.tied_time, pairs.tied_risk, pairs.comparable) == (1, 1, 5)
    assert concordance(event, time, risk).c_index == pytest.approx((3 + 0.5) / 5)


@pytest.mark.parametrize(
    ("event", "time"), [([0, 0, 0], [1, 2, 3]), ([1, 1, 1], [4, 4, 4])]
)
def test_fault_072_no_pair_to_compare_is_nan_and_said(event, time):
    with pytest.warns(NoComparablePairs, match="No pair of the 3 patients"):
        assert np.isnan(concordance(event, time, [1, 2, 3]).c_index)
    with pytest.warns(NoComparablePairs, match="No pair of the 3 patients"):
        assert np.isnan(uno_concordance(event, time, [1, 2, 3]).c_index)
    boot = bootstrap_concordance_difference(event, time, [1, 2, 3], [3, 2, 1])
    assert np.isnan(boot.delta)
    assert np.isnan(boot.ci_low)


def test_fault_073_events_past_the_training_follow_up_are_left_out_and_said():
    event, time, a, _ = two_risks(tied=False)
    last = float(np.quantile(time, 0.6))
    early = time <= last
    training = censoring_curve(event[early], time[early])
    n_late = int((event & (time > training.time[-1])).sum())
    with pytest.warns(PastFollowUp, match=f"{n_late} events lie beyond"):
        found = uno_concordance(event, time, a, censoring=training)
    assert 0 <= found.c_index <= 1


def test_bad_inputs_are_named():
    event, time, a, b = two_risks()
    bad = b.copy()
    bad[3] = np.nan
    with pytest.raises(InvalidInput, match="Model b has 1 NaN"):
        bootstrap_concordance_difference(event, time, a, bad)
    with pytest.raises(InvalidInput, match="Kang's test is of Harrell's c"):
        concordance_difference(event, time, a, b, method="kang", time_weight="n/G2")
    with pytest.raises(InvalidInput, match=r"expected 100 columns"):
        bootstrap_concordance_difference(event, time, a, b, weights=np.ones((2, 7)))


def test_a_thousand_resamples_are_fast():
    event, time, a, b = two_risks(300, tied=False)
    bootstrap_concordance_difference(event, time, a, b, n_bootstrap=10)
    start = clock.process_time()
    bootstrap_concordance_difference(event, time, a, b, random_state=0)
    assert clock.process_time() - start < 1.5
