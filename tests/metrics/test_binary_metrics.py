import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from statsmodels.api import Logit, add_constant
from statsmodels.nonparametric.smoothers_lowess import lowess as their_lowess
from statsmodels.stats.proportion import proportion_confint

from sarcfeat.exceptions import InvalidInput, NoEvents
from sarcfeat.metrics import (
    calibration,
    delong,
    delong_test,
    delong_unpaired,
    diagnostic_accuracy,
    hosmer_lemeshow,
    idi,
    idi_survival,
    nri,
    nri_survival,
    roc,
    wilson,
)
from sarcfeat.metrics.lowess import lowess


def scored(n=120, seed=0, tied=False):
    rng = np.random.default_rng(seed)
    p = rng.uniform(0.05, 0.95, n)
    y = rng.uniform(size=n) < p
    noisy = np.clip(p + rng.normal(0, 0.2, n), 0.01, 0.99)
    return y, (p.round(1) if tied else p), noisy


@pytest.mark.parametrize("tied", [False, True])
def test_auc_is_that_of_scikit_learn(tied):
    y, p, _ = scored(tied=tied)
    found = delong(y, p)
    assert found.auc == pytest.approx(roc_auc_score(y, p), rel=1e-13)
    curve = roc(y, p)
    area = -np.trapezoid(curve.sensitivity, 1 - curve.specificity)
    assert area == pytest.approx(found.auc)
    assert curve.partial_area(0.0, 1.0) == pytest.approx(found.auc)
    halves = curve.partial_area(0.0, 0.37) + curve.partial_area(0.37, 1.0)
    assert halves == pytest.approx(found.auc)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_a_monotone_transform_leaves_the_auc(seed):
    y, p, _ = scored(40, seed, tied=True)
    if y.all() or not y.any():
        return
    first, second = delong(y, p), delong(y, np.exp(3 * p) - 7)
    assert first.auc == pytest.approx(second.auc)
    assert first.se == pytest.approx(second.se)
    assert delong(y, -p).auc == pytest.approx(1 - first.auc)


@pytest.mark.parametrize("y", [[0, 0, 1, 0, 0], [1, 1, 0, 1, 1]])
def test_one_patient_of_a_class_gives_no_error_of_the_area(y):
    # As pROC's var(), which is NA: the error of the lone patient's part is unknown.
    score = [0.1, 0.4, 0.5, 0.3, 0.8]
    found = delong(y, score)
    assert found.auc in (0.75, 0.25)
    assert np.isnan([found.se, found.ci_low, found.ci_high]).all()
    apart = delong_unpaired(found, delong([0, 0, 1, 1], [1, 3, 2, 4]))
    assert np.isnan([apart.se, apart.ci_low, apart.ci_high, apart.p]).all()


def test_delong_of_one_score_with_itself_is_no_difference():
    y, p, noisy = scored()
    test = delong_test(y, p, p)
    assert (test.delta, test.se) == (0, 0)
    assert np.isnan(test.p)
    back = delong_test(y, noisy, p)
    assert back.delta == pytest.approx(-delong_test(y, p, noisy).delta)
    unpaired = delong_unpaired(delong(y, p), delong(y, noisy))
    assert unpaired.se > back.se


def test_wilson_is_that_of_statsmodels():
    for k, n in ((0, 7), (3, 7), (7, 7), (40, 90)):
        assert wilson(k, n) == pytest.approx(
            proportion_confint(k, n, method="wilson"), abs=1e-12
        )
    assert np.isnan(wilson(0, 0)).all()


def test_accuracy_counts_and_says_nan_of_nobody():
    table = diagnostic_accuracy([1, 1, 0, 0, 0], [0.9, 0.2, 0.8, 0.1, 0.3], 0.5)
    assert table["value"].round(4).to_dict() == {
        "accuracy": 0.6,
        "sensitivity": 0.5,
        "specificity": 0.6667,
        "ppv": 0.5,
        "npv": 0.6667,
    }
    empty = diagnostic_accuracy([0, 0], [0.1, 0.2], 0.5)
    assert np.isnan(empty.loc["sensitivity", "value"])
    assert empty.loc["ppv", "n"] == 0
    with pytest.raises(InvalidInput, match="threshold must be a finite"):
        diagnostic_accuracy([0, 1], [0.1, 0.2], np.nan)


def test_inputs_are_named_when_refused():
    with pytest.raises(InvalidInput, match=r"values \{'dead': 1"):
        delong(["dead", "alive"], [1, 2])
    with pytest.raises(InvalidInput, match=r"1 of 2 scores are NaN \(first: row 1"):
        delong([0, 1], [1, np.nan])
    with pytest.raises(InvalidInput, match="All 2 patients have the outcome 1"):
        delong([1, 1], [1, 2])
    with pytest.raises(InvalidInput, match=r"first: row 1, 1.5"):
        calibration([0, 1, 0], [0.2, 1.5, 0.1])
    with pytest.raises(InvalidInput, match="cuts must rise"):
        nri([0, 1], [0.1, 0.2], [0.2, 0.3], cuts=[0.5, 0.2])
    with pytest.raises(InvalidInput, match="0 groups; at least 3"):
        hosmer_lemeshow([0, 1, 0], [0.2, 0.2, 0.2])


@pytest.mark.parametrize("n", [30, 200])
def test_lowess_is_that_of_statsmodels(n):
    y, p, _ = scored(n)
    delta = 0.01 * np.ptp(p)
    theirs = their_lowess(y.astype(float), p, it=0, delta=delta, return_sorted=False)
    np.testing.assert_allclose(lowess(p, y), theirs, atol=1e-10)


def test_calibrated_risks_are_found_calibrated_and_extreme_ones_not():
    y, p, _ = scored(4000, seed=1)
    good = calibration(y, p)
    assert good.slope_low < 1 < good.slope_high
    assert abs(good.in_the_large) < 3 * (good.in_the_large_high - good.in_the_large) / 2
    assert good.ici < 0.03
    assert good.spiegelhalter_p > 0.01
    logit = np.log(p / (1 - p))
    extreme = calibration(y, 1 / (1 + np.exp(-2 * logit)))
    assert extreme.slope == pytest.approx(good.slope / 2, rel=1e-6)
    assert extreme.ici > 2 * good.ici
    assert good.e50 <= good.e90 <= good.e_max


def test_intercept_and_calibration_index_have_intervals():
    y, p, _ = scored(150, seed=1)
    line = Logit(y.astype(float), add_constant(np.log(p / (1 - p)))).fit(disp=0)
    found = calibration(y, p, n_bootstrap=60, random_state=0)
    low, high = line.conf_int()[0]
    assert (found.intercept_low, found.intercept_high) == pytest.approx((low, high))
    assert 0 < found.ici_low < found.ici < found.ici_high
    plain = calibration(y, p)
    assert plain.ici == found.ici
    assert np.isnan([plain.ici_low, plain.ici_high]).all()


def test_the_parts_of_a_reclassification_have_intervals():
    y, p, noisy = scored(150)
    found = nri(y, noisy, p)
    up = (p > noisy)[y]
    share = up.mean()
    half = 1.959964 * np.sqrt((1 - (2 * share - 1) ** 2) / len(up))
    assert found.events == pytest.approx(2 * share - 1)
    assert found.events_high - found.events == pytest.approx(half)
    assert found.nonevents_low < found.nonevents < found.nonevents_high
    event, time = np.ones(150, bool), np.where(y, 3.0, 7.0)
    resampled = nri_survival(event, time, noisy, p, 5.5, random_state=0)
    assert resampled.events_low == pytest.approx(found.events_low, abs=0.1)
    assert resampled.nonevents_high == pytest.approx(found.nonevents_high, abs=0.1)


def test_reclassification_of_one_model_by_itself_is_nothing():
    y, p, noisy = scored()
    assert nri(y, p, p).nri == 0
    assert idi(y, p, p).idi == 0
    forth, back = nri(y, noisy, p), nri(y, p, noisy)
    assert forth.nri == pytest.approx(-back.nri)
    assert nri(y, noisy, p, cuts=[0.5]).nri != forth.nri


def test_survival_forms_without_censoring_are_the_binary_ones():
    rng = np.random.default_rng(0)
    y, p, noisy = scored(150)
    time = np.where(y, rng.uniform(1, 5, 150), rng.uniform(6, 9, 150))
    event = np.ones(150, bool)
    ours = nri_survival(event, time, noisy, p, 5.5, random_state=0)
    theirs = nri(y, noisy, p)
    assert ours.nri == pytest.approx(theirs.nri)
    assert ours.se == pytest.approx(theirs.se, rel=0.15)
    ours = idi_survival(event, time, noisy, p, 5.5, random_state=0)
    theirs = idi(y, noisy, p)
    assert ours.idi == pytest.approx(theirs.idi)
    assert ours.se == pytest.approx(theirs.se, rel=0.15)
    again = idi_survival(event, time, noisy, p, 5.5, random_state=0)
    assert (again.ci_low, again.ci_high) == (ours.ci_low, ours.ci_high)


def test_fault_073_a_horizon_past_the_follow_up_names_the_last_one():
    with pytest.raises(InvalidInput, match="beyond 9; the last follow-up is 2"):
        nri_survival([1, 0], [1, 2], [0.1, 0.2], [0.1, 0.3], 9)
    with pytest.raises(NoEvents, match=r"event by 0\.5"):
        idi_survival([1, 0], [1, 2], [0.1, 0.2], [0.1, 0.3], 0.5)
