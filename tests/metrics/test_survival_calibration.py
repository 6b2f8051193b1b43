import numpy as np
import pytest

from sarcfeat.exceptions import InvalidInput, NoEvents
from sarcfeat.metrics import (
    bootstrap_interval,
    bootstrap_optimism,
    calibration_groups,
    calibration_groups_competing,
    cox_indices,
    survival_calibration,
)
from sarcfeat.survival import RiskSets, fit_cox, fit_fine_gray
from tests.survival.cohorts import cohort
from tests.survival.test_competing import competing


def known(n=3000, seed=0):
    """Return outcomes of a known survival curve, with censoring."""
    rng = np.random.default_rng(seed)
    lp = rng.normal(size=n)
    event_time = rng.exponential(10 / np.exp(lp))
    end = rng.uniform(2, 30, n)
    time = np.minimum(event_time, end)
    return event_time <= end, time, np.exp(-0.5 * np.exp(lp)), lp


def test_a_true_curve_is_found_calibrated():
    event, time, survival, _ = known()
    found = survival_calibration(event, time, survival, 5.0)
    assert found.slope_low < 1 < found.slope_high
    assert found.ratio_low < 1 < found.ratio_high
    assert found.ici < 0.02
    assert found.ici <= found.e90 <= found.e_max
    table = calibration_groups(event, time, survival, 5.0, groups=10)
    gap = (table["observed"] - table["predicted"]).abs()
    assert gap.max() < 0.1
    assert table["n"].sum() == 3000
    assert (table["ci_low"] < table["ci_high"]).all()


def test_too_extreme_a_curve_has_a_slope_below_one_and_a_larger_ici():
    event, time, survival, lp = known()
    extreme = np.exp(-0.5 * np.exp(2 * lp))
    found = survival_calibration(event, time, extreme, 5.0, knots=4)
    true = survival_calibration(event, time, survival, 5.0)
    assert found.slope == pytest.approx(true.slope / 2, rel=1e-3)
    assert found.ici > 3 * true.ici
    low = survival_calibration(event, time, survival**0.5, 5.0)
    assert low.ratio > 1.2


def test_the_calibration_index_has_an_interval_where_resamples_are_asked():
    event, time, survival, _ = known(150)
    found = survival_calibration(
        event, time, survival**0.6, 5.0, n_bootstrap=40, random_state=0
    )
    assert 0 < found.ici_low < found.ici < found.ici_high < 1
    plain = survival_calibration(event, time, survival**0.6, 5.0)
    assert plain.ici == found.ici
    assert np.isnan([plain.ici_low, plain.ici_high]).all()


def test_groups_hold_ties_together_and_follow_cuts():
    event, time, survival, _ = known(60)
    rounded = survival.round(1)
    table = calibration_groups(event, time, rounded, 5.0, groups=4)
    assert len(table) <= 4
    cut = calibration_groups(event, time, rounded, 5.0, cuts=[0, 0.5, 1])
    assert cut["n"].tolist() == [(rounded < 0.5).sum(), (rounded >= 0.5).sum()]


def test_optimism_of_noise_is_found():
    X, event, time = cohort(80, 1, tied=True)
    noise = np.random.default_rng(0).normal(size=(80, 8))

    def measure(rows):
        fit = fit_cox(noise[rows], RiskSets(event[rows], time[rows]))
        lp = noise @ fit.coef
        return (
            cox_indices(event[rows], time[rows], lp[rows], fitted=True),
            cox_indices(event, time, lp),
        )

    table = bootstrap_optimism(measure, 80, n_bootstrap=30, random_state=0)
    assert table.loc["Dxy", "optimism"] > 0.05
    assert table.loc["slope", "apparent"] == 1
    assert table.loc["slope", "corrected"] < 0.8
    again = bootstrap_optimism(measure, 80, n_bootstrap=30, random_state=0)
    assert again.equals(table)
    del X


def test_a_constant_predictor_has_no_index():
    found = cox_indices([1, 1, 0], [1, 2, 3], [0.5, 0.5, 0.5])
    assert found["Dxy"] == found["g"] == 0


def test_bad_inputs_are_named():
    event, time, survival, _ = known(50)
    with pytest.raises(InvalidInput, match="within the follow-up; the last one is"):
        survival_calibration(event, time, survival, 500.0)
    with pytest.raises(InvalidInput, match="Expected 50 predicted survivals; got 49"):
        calibration_groups(event, time, survival[1:], 5.0)
    with pytest.raises(NoEvents, match="calibration cannot be judged"):
        survival_calibration(np.zeros(50), time, survival, 1.0)
    with pytest.raises(InvalidInput, match="knots must be 3 or 4"):
        survival_calibration(event, time, survival, 5.0, knots=7)


def test_a_bootstrap_interval_counts_the_resamples_it_could_not_measure():
    event, time = np.r_[True, np.zeros(9, bool)], np.arange(1.0, 11.0)

    def measure(rows):
        if not event[rows].any():
            raise NoEvents("none here")
        return {"events": event[rows].sum()}

    table = bootstrap_interval(measure, 10, n_bootstrap=100, random_state=0)
    assert 30 < table.loc["events", "n"] < 95
    assert table.loc["events", "value"] == 1
    del time
    with pytest.raises(InvalidInput, match="n_bootstrap = 0"):
        bootstrap_interval(measure, 10, n_bootstrap=0)


def test_one_cause_in_groups_is_the_survival_turned_over():
    event, time, survival, _ = known(200)
    plain = calibration_groups(event, time, survival, 5.0, cuts=[0, 0.4, 0.8, 1])
    turned = calibration_groups_competing(
        event.astype(int), time, 1 - survival, 5.0, cuts=[0, 0.2, 0.6, 1]
    )
    np.testing.assert_allclose(1 - turned["predicted"][::-1], plain["predicted"])
    np.testing.assert_allclose(1 - turned["observed"][::-1], plain["observed"])


def test_a_fitted_fine_gray_model_is_calibrated_on_its_own_patients():
    X, status, time = competing(600, seed=1)
    incidence = fit_fine_gray(X, status, time).incidence(X, [6.0])[:, 0]
    table = calibration_groups_competing(status, time, incidence, 6.0, groups=4)
    assert (table["observed"] - table["predicted"]).abs().max() < 0.1
    assert (table["ci_low"] < table["observed"]).all()
    assert table["predicted"].is_monotonic_increasing
    with pytest.raises(InvalidInput, match="must hold every prediction"):
        calibration_groups_competing(status, time, incidence, 6.0, cuts=[0.4, 0.5])
