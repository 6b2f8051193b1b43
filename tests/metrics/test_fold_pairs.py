"""Pairs within folds, slopes and net benefits under rows of weights."""

import numpy as np
import pytest

from sarcfeat.exceptions import InvalidInput
from sarcfeat.metrics import (
    FoldPairs,
    concordance,
    decision_curve_survival,
    net_benefit_survival,
    resampled_slope,
    survival_calibration,
    time_dependent_auc,
    uno_concordance,
)
from sarcfeat.survival import RiskSets, censoring_curve, fit_cox


@pytest.fixture(scope="module")
def sample():
    rng = np.random.default_rng(8)
    risk = rng.normal(size=90).round(1)
    time = rng.exponential(np.exp(-risk)).round(2) + 0.01
    stop = rng.exponential(1.5, size=90).round(2) + 0.01
    return time <= stop, np.minimum(time, stop), risk


def test_one_fold_is_the_measure_of_one_sample_and_so_is_its_error(sample):
    event, time, risk = sample
    pairs = FoldPairs(event, time, [risk], np.zeros(90, dtype=int))
    known = concordance(event, time, risk)
    assert pairs.statistic(np.ones((1, 90)))[0, 0] == pytest.approx(known.c_index)
    assert np.allclose(pairs.influence()[0], known.influence, atol=1e-14)
    assert pairs.by_fold().tolist() == [[pytest.approx(known.c_index)]]


def test_weights_make_uno_of_harrell_and_a_horizon_the_auc(sample):
    event, time, risk = sample
    inverse = 1 / censoring_curve(event, time).before(time)
    fold, ones = np.zeros(90, dtype=int), np.ones((1, 90))
    uno = FoldPairs(event, time, [risk], fold, event_weight=inverse**2)
    known = uno_concordance(event, time, risk)
    assert uno.statistic(ones)[0, 0] == pytest.approx(known.c_index)
    assert np.allclose(uno.influence()[0], known.influence, atol=1e-14)
    area = FoldPairs(event, time, [risk], fold, event_weight=inverse, at=0.8)
    known = time_dependent_auc(event, time, risk, [0.8], convention="riskRegression")
    assert area.statistic(ones)[0, 0] == pytest.approx(known.auc[0])


def test_the_error_over_folds_is_that_of_leaving_each_patient_out_a_little(sample):
    """The influence is the derivative by a patient's weight, over repeats and folds."""
    event, time, risk = sample
    rng = np.random.default_rng(0)
    fold = np.array([rng.permutation(90) % 3, rng.permutation(90) % 3])
    fold[1, :4] = -1
    pairs = FoldPairs(event, time, [[risk, risk[::-1]]], fold)
    step = 1e-6
    shifted = np.ones((90, 90)) + step * np.eye(90)
    slope = pairs.statistic(shifted)[0] - pairs.statistic(np.ones((1, 90)))[0, 0]
    assert np.allclose(pairs.influence()[0], slope / step, atol=1e-6)


def test_slopes_of_resamples_are_those_of_the_patients_written_out(sample):
    event, time, risk = sample
    survival = np.exp(-0.5 * np.exp(0.6 * risk))
    rng = np.random.default_rng(1)
    weights = rng.multinomial(90, np.full(90, 1 / 90), size=5).astype(float)
    found = resampled_slope(event, time, survival, weights)
    lp = np.log(-np.log(survival))[:, None]
    for row, value in zip(weights.astype(int), found, strict=True):
        who = np.repeat(np.arange(90), row)
        sets = RiskSets(event[who], time[who], ties="breslow")
        assert value == pytest.approx(fit_cox(lp[who], sets).coef[0], rel=1e-8)
    distinct = time + np.arange(90) * 1e-7
    one = resampled_slope(event, distinct, survival, np.ones((1, 90)))[0]
    known = survival_calibration(event, distinct, survival, 0.5)
    assert one == pytest.approx(known.slope, rel=1e-8)


def test_a_slope_that_is_not_there_is_nan():
    event, time = np.array([1, 1, 0, 0]), np.array([1.0, 2.0, 3.0, 4.0])
    apart, same = [0.1, 0.2, 0.8, 0.9], [0.5] * 4
    none = np.array([[0.0, 0.0, 1.0, 1.0]])
    assert np.isnan(resampled_slope(event, time, apart, np.ones((1, 4))))
    assert np.isnan(resampled_slope(event, time, same, np.ones((1, 4))))
    assert np.isnan(resampled_slope(event, time, apart, none))
    with pytest.raises(InvalidInput, match="4 predicted survivals"):
        resampled_slope(event, time, [0.5, 0.5], np.ones((1, 4)))


def test_net_benefits_of_resamples_are_those_of_the_patients_written_out(sample):
    event, time, risk = sample
    probability = 1 - np.exp(-0.5 * np.exp(0.6 * risk))
    rng = np.random.default_rng(1)
    drawn = rng.multinomial(90, np.full(90, 1 / 90), size=5)
    found = net_benefit_survival(event, time, probability, 0.7, 0.35, drawn)
    for row, value in zip(drawn, found, strict=True):
        who = np.repeat(np.arange(90), row)
        table = decision_curve_survival(
            event[who], time[who], {"m": probability[who]}, 0.7, [0.35]
        )
        known = table.set_index("model").loc["m", "net_benefit"]
        assert value == pytest.approx(known, rel=1e-10)
