import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sksurv.metrics import brier_score, cumulative_dynamic_auc, integrated_brier_score

from sarcfeat.exceptions import InvalidInput, PastFollowUp
from sarcfeat.metrics import (
    bootstrap_interval,
    brier,
    brier_competing,
    brier_difference,
    brier_reference,
    delong,
    heagerty_auc,
    integrated_brier,
    time_dependent_auc,
    time_dependent_auc_competing,
    time_dependent_auc_difference,
    time_dependent_roc,
)
from sarcfeat.survival import censoring_curve, make_y
from tests.survival.cohorts import cohort


def scored(n=120, seed=0, tied=True):
    X, event, time = cohort(n, 2, seed=seed, tied=tied)
    risk = X["clinical.x0"].round(1).to_numpy()
    horizons = np.quantile(time, [0.2, 0.45, 0.7]) + 0.1
    return event, time, risk, horizons


def survival_of(risk, horizons):
    return np.exp(-np.exp(0.8 * risk)[:, None] * np.asarray(horizons) / 11)


def test_auc_and_brier_are_those_of_scikit_survival():
    event, time, risk, horizons = scored()
    y = make_y(event, time)
    ours = time_dependent_auc(event, time, risk, horizons, convention="scikit-survival")
    theirs, _ = cumulative_dynamic_auc(y, y, risk, horizons)
    np.testing.assert_allclose(ours.auc, theirs, rtol=1e-12)
    predicted = survival_of(risk, horizons)
    ours = brier(event, time, predicted, horizons, convention="scikit-survival")
    theirs = brier_score(y, y, predicted, horizons)[1]
    np.testing.assert_allclose(ours.brier, theirs, rtol=1e-12)
    whole = integrated_brier_score(y, y, predicted, horizons)
    assert integrated_brier(ours, rule="trapezoid").ibs == pytest.approx(whole)


def test_the_step_rule_is_the_area_under_steps_from_zero():
    event, time, risk, horizons = scored()
    found = brier(event, time, survival_of(risk, horizons), horizons)
    area = horizons[0] * 0 + (horizons[1] - horizons[0]) * found.brier[0]
    area += (horizons[2] - horizons[1]) * found.brier[1]
    whole = integrated_brier(found)
    assert whole.ibs == pytest.approx(area / horizons[2])
    until = integrated_brier(found, until=horizons[1] + 0.5)
    area = (horizons[1] - horizons[0]) * found.brier[0] + 0.5 * found.brier[1]
    assert until.ibs == pytest.approx(area / (horizons[1] + 0.5))


def test_the_error_of_the_integral_is_the_bootstraps():
    event, time, risk, horizons = scored(200)
    predicted = survival_of(risk, horizons)

    def measure(rows):
        scores = brier(event[rows], time[rows], predicted[rows], horizons)
        return {"ibs": integrated_brier(scores, rule="trapezoid").ibs}

    scores = brier(event, time, predicted, horizons)
    ours = integrated_brier(scores, rule="trapezoid")
    boot = bootstrap_interval(measure, 200, n_bootstrap=200, random_state=0)
    assert boot.loc["ibs", "value"] == pytest.approx(ours.ibs)
    assert boot.loc["ibs", "se"] == pytest.approx(ours.se, rel=0.2)
    assert boot.loc["ibs", "ci_low"] == pytest.approx(ours.ci_low, abs=0.02)


def test_without_censoring_it_is_the_plain_auc_with_delongs_error():
    event, time, risk, horizons = scored()
    event = np.ones(len(event), bool)
    found = time_dependent_auc(event, time, risk, [horizons[1]])
    plain = delong(time < horizons[1], risk)
    assert found.auc[0] == pytest.approx(plain.auc)
    assert found.se[0] == pytest.approx(plain.se, rel=0.02)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_a_monotone_transform_leaves_the_auc(seed):
    event, time, risk, horizons = scored(50, seed)
    a = time_dependent_auc(event, time, risk, horizons)
    b = time_dependent_auc(event, time, np.exp(risk) * 4 - 1, horizons)
    np.testing.assert_allclose(a.auc, b.auc, rtol=1e-12)
    np.testing.assert_allclose(a.se, b.se, rtol=1e-9)
    c = time_dependent_auc(event, time, -risk, horizons)
    np.testing.assert_allclose(a.auc + c.auc, 1, rtol=1e-12)


@pytest.mark.parametrize("convention", ["timeROC", "riskRegression"])
def test_influence_is_how_the_auc_moves_when_a_patient_is_left_out(convention):
    event, time, risk, horizons = scored(150, tied=False)
    found = time_dependent_auc(event, time, risk, horizons[1:2], convention=convention)
    jackknife = []
    for i in range(len(event)):
        rest = np.arange(len(event)) != i
        one = time_dependent_auc(
            event[rest], time[rest], risk[rest], horizons[1:2], convention=convention
        )
        jackknife.append((found.auc[0] - one.auc[0]) * (len(event) - 1))
    agreement = np.corrcoef(jackknife, found.influence[0])[0, 1]
    assert agreement > 0.995
    se = np.std(jackknife, ddof=1) / np.sqrt(len(event))
    assert found.se[0] == pytest.approx(se, rel=0.05)


def test_brier_influence_is_how_it_moves_when_a_patient_is_left_out():
    event, time, risk, horizons = scored(150)
    predicted = survival_of(risk, horizons)[:, 1:2]
    found = brier(event, time, predicted, horizons[1:2])
    jackknife = []
    for i in range(len(event)):
        rest = np.arange(len(event)) != i
        one = brier(event[rest], time[rest], predicted[rest], horizons[1:2])
        jackknife.append((found.brier[0] - one.brier[0]) * (len(event) - 1))
    assert np.corrcoef(jackknife, found.influence[0])[0, 1] > 0.995


def test_roc_area_is_the_auc():
    event, time, risk, horizons = scored()
    curve = time_dependent_roc(event, time, risk, horizons[1])
    area = np.trapezoid(curve.true_positive, curve.false_positive)
    found = time_dependent_auc(event, time, risk, horizons[1])
    assert area == pytest.approx(found.auc[0])


def test_one_cause_is_the_plain_auc_and_brier():
    event, time, risk, horizons = scored()
    plain = time_dependent_auc(event, time, risk, horizons)
    for controls in ("event_free", "all"):
        one = time_dependent_auc_competing(
            event.astype(int), time, risk, horizons, controls=controls
        )
        np.testing.assert_allclose(one.auc, plain.auc)
        np.testing.assert_allclose(one.se, plain.se)
    predicted = survival_of(risk, horizons)
    np.testing.assert_allclose(
        brier_competing(event.astype(int), time, 1 - predicted, horizons).brier,
        brier(event, time, predicted, horizons).brier,
    )


def test_differences_turn_with_their_order_and_are_zero_with_themselves():
    event, time, risk, horizons = scored()
    a = time_dependent_auc(event, time, risk, horizons)
    b = time_dependent_auc(event, time, risk**2, horizons)
    there, back = (
        time_dependent_auc_difference(a, b),
        time_dependent_auc_difference(b, a),
    )
    np.testing.assert_allclose(there.delta, -back.delta)
    np.testing.assert_allclose(there.p, back.p)
    assert np.isnan(time_dependent_auc_difference(a, a).p).all()
    good = brier(event, time, survival_of(risk, horizons), horizons)
    null = brier(event, time, brier_reference(event, time, horizons), horizons)
    assert (brier_difference(good, null).delta < 0).all()
    other = time_dependent_auc(event[:50], time[:50], risk[:50], [6.0])
    with pytest.raises(InvalidInput, match="expected the same"):
        time_dependent_auc_difference(a, other)


def test_fault_073_times_past_the_training_follow_up_are_nan_and_said():
    event, time, risk, horizons = scored()
    short = np.minimum(time, horizons[1])
    training = censoring_curve(event & (time <= horizons[1]), short)
    with pytest.warns(PastFollowUp, match="last follow-up of the training patients"):
        found = time_dependent_auc(event, time, risk, horizons, censoring=training)
    assert np.isnan(found.auc).tolist() == [False, True, True]
    with pytest.warns(PastFollowUp, match="beyond the last follow-up of the patients"):
        far = brier(event, time, np.full((len(time), 1), 0.5), [time.max() + 1])
    assert np.isnan(far.brier).all()
    with pytest.raises(InvalidInput, match="within the follow-up"):
        integrated_brier(far)


def test_bad_inputs_are_named():
    event, time, risk, horizons = scored()
    with pytest.raises(InvalidInput, match="above 0; got -1"):
        time_dependent_auc(event, time, risk, [-1])
    with pytest.raises(InvalidInput, match="risks are NaN"):
        time_dependent_auc(event, time, np.where(risk > 1, np.nan, risk), horizons)
    with pytest.raises(InvalidInput, match=r"expected \(120, 3\)"):
        brier(event, time, np.ones((120, 2)), horizons)
    with pytest.raises(InvalidInput, match="must be a probability"):
        brier(event, time, np.full((120, 3), 1.2), horizons)


def test_heagertys_area_without_censoring_is_the_plain_auc():
    event, time, risk, horizons = scored()
    event = np.ones(len(event), bool)
    found = heagerty_auc(event, time, risk, horizons[1])
    assert found == pytest.approx(delong(time <= horizons[1], risk).auc)
    assert np.isnan(heagerty_auc(event, time, risk, 0.01))


def test_fault_073_a_curve_past_the_follow_up_says_so():
    event, time, risk = [1, 1, 0, 1, 0], [1.0, 2.0, 3.0, 4.0, 5.0], [5, 1, 2, 4, 3]
    with pytest.warns(PastFollowUp, match="beyond the last follow-up"):
        assert np.isnan(heagerty_auc(event, time, risk, 9.0))
    with pytest.raises(InvalidInput, match=r"at 9 needs .*there are 3 and 0"):
        time_dependent_roc(event, time, risk, 9.0)
    with pytest.raises(InvalidInput, match=r"at 0\.5 needs .*there are 0 and 5"):
        time_dependent_roc(event, time, risk, 0.5)
