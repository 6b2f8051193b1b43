import time as clock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sksurv.nonparametric import cumulative_incidence_competing_risks

from sarcfeat.exceptions import InvalidInput, NoEvents, NotConverged
from sarcfeat.survival import (
    RiskSets,
    censoring_curve,
    check_causes,
    cumulative_incidence,
    fit_cox,
    fit_fine_gray,
    gray_test,
    kaplan_meier,
)


def competing(n, seed=0, tied=False):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    rate = np.exp(X @ [0.6, -0.3, 0.0])
    first, second = rng.exponential(10 / rate), rng.exponential(15, n)
    end = rng.uniform(2, 20, n)
    times = np.minimum(np.minimum(first, second), end)
    status = np.where(times == first, 1, np.where(times == second, 2, 0))
    if tied:
        times = np.ceil(times)
    return X, status, times


def test_incidence_is_that_of_scikit_survival():
    _, status, time = competing(150, tied=True)
    ours = cumulative_incidence(status, time)
    at, theirs = cumulative_incidence_competing_risks(status, time)
    np.testing.assert_allclose(ours.at(at).T, theirs[1:], rtol=1e-12)


def test_incidences_and_the_event_free_share_make_one():
    _, status, time = competing(80, tied=True)
    curve = cumulative_incidence(status, time)
    whole = curve.incidence.sum(axis=1) + curve.event_free
    np.testing.assert_allclose(whole, 1)
    assert (np.diff(curve.incidence, axis=0) >= 0).all()
    known = ~np.isnan(curve.lower)
    assert (curve.lower[known] <= curve.incidence[known]).all()
    assert (curve.upper[known] >= curve.incidence[known]).all()


@pytest.mark.parametrize("variance", ["aalen", "jackknife"])
def test_one_cause_is_one_minus_kaplan_meier(variance):
    _, status, time = competing(60, seed=2)
    event = status > 0
    curve = cumulative_incidence(event.astype(int), time, variance=variance)
    km = kaplan_meier(event, time)
    np.testing.assert_allclose(curve.incidence[:, 0], 1 - km.survival, atol=1e-12)
    late = km.survival > 0.05
    np.testing.assert_allclose(
        curve.std_err[late, 0], km.std_err[late], rtol=0.08 if late.any() else 0
    )


def test_jackknife_error_is_the_influence_of_each_patient():
    _, status, time = competing(25, seed=3, tied=True)
    at = np.unique(time)[:-2]
    curve = cumulative_incidence(status, time, variance="jackknife")
    codes = np.array(curve.causes)

    def incidence(weight):
        states = np.zeros((len(at), len(codes)))
        free, total = 1.0, np.zeros(len(codes))
        for row, t in enumerate(np.unique(time)[: len(at)]):
            n = weight[time >= t].sum()
            d = np.array([weight[(time == t) & (status == c)].sum() for c in codes])
            total = total + free * d / n
            free *= 1 - d.sum() / n
            states[row] = total
        return states

    step, square = 1e-6, 0.0
    for i in range(25):
        up, down = np.ones(25), np.ones(25)
        up[i] += step
        down[i] -= step
        square = square + ((incidence(up) - incidence(down)) / (2 * step)) ** 2
    np.testing.assert_allclose(curve.std_err_at(at), np.sqrt(square), rtol=1e-5)


def test_after_the_last_follow_up_nothing_is_said():
    curve = cumulative_incidence([1, 0, 2, 0], [1.0, 2.0, 3.0, 4.0])
    assert np.isnan(curve.at(9.0)).all()
    assert not np.isnan(curve.at(4.0)).any()


def test_censoring_takes_the_event_first_or_together():
    event, time = [1, 0, 0], [1.0, 1.0, 2.0]
    assert censoring_curve(event, time).at(1.0) == pytest.approx(1 / 2)
    together = censoring_curve(event, time, ties="together")
    assert together.at(1.0) == pytest.approx(2 / 3)
    assert together.before(1.0) == 1


def test_gray_of_one_cause_without_ties_is_near_the_logrank_and_of_order():
    _, status, time = competing(90, seed=4)
    group = np.arange(90) % 3
    test = gray_test(status, time, group)
    assert test.df == 2
    shuffled = np.random.default_rng(0).permutation(90)
    again = gray_test(status[shuffled], time[shuffled], group[shuffled])
    assert again.statistic == pytest.approx(test.statistic)
    renamed = gray_test(status, time, np.array(["c", "a", "b"])[group])
    assert renamed.statistic == pytest.approx(test.statistic)


def test_gray_of_one_group_is_nothing():
    test = gray_test([1, 2, 0], [1.0, 2.0, 3.0], ["a", "a", "a"])
    assert np.isnan(test.p_value)


def test_gray_is_uniform_under_no_difference():
    p = []
    for seed in range(120):
        _, status, time = competing(60, seed=seed)
        group = np.random.default_rng(seed + 999).integers(0, 2, 60)
        p.append(gray_test(status, time, group).p_value)
    assert 0.01 < np.mean(np.array(p) < 0.1) < 0.2


def test_fine_gray_of_one_cause_is_cox():
    X, status, time = competing(120, seed=5)
    event = status > 0
    fit = fit_fine_gray(X, event.astype(int), time)
    cox = fit_cox(X, RiskSets(event, time, ties="breslow"))
    np.testing.assert_allclose(fit.coef, cox.coef, rtol=1e-8)
    assert fit.loglik == pytest.approx(cox.loglik)
    # Nobody left by another cause: the sandwich of Lin and Wei.
    np.testing.assert_allclose(fit.vcov, cox.robust_vcov(), rtol=1e-6)


def test_fine_gray_does_not_move_with_the_scale_or_the_order():
    X, status, time = competing(80, seed=6, tied=True)
    fit = fit_fine_gray(X, status, time)
    other = fit_fine_gray(X * [1, 10, 100] + 5, status, time)
    np.testing.assert_allclose(other.coef * [1, 10, 100], fit.coef, rtol=1e-7)
    np.testing.assert_allclose(other.se * [1, 10, 100], fit.se, rtol=1e-6)
    order = np.random.default_rng(0).permutation(80)
    again = fit_fine_gray(X[order], status[order], time[order])
    np.testing.assert_allclose(again.se, fit.se, rtol=1e-9)
    rows = X[:2]
    shifted = rows * [1, 10, 100] + 5
    np.testing.assert_allclose(
        fit.incidence(rows, [3.0, 8.0]), other.incidence(shifted, [3.0, 8.0]), rtol=1e-7
    )


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_fine_gray_incidence_is_a_probability_that_rises(seed):
    X, status, time = competing(50, seed=seed, tied=True)
    if (status == 1).sum() < 5:
        return
    found = fit_fine_gray(X[:, :1], status, time).incidence(X[:, :1], np.arange(1, 20))
    assert ((found >= 0) & (found <= 1)).all()
    assert (np.diff(found, axis=1) >= 0).all()


def test_a_separating_column_warns():
    status = np.array([1, 1, 1, 0, 0, 2])
    X = np.array([[1.0], [1], [1], [0], [0], [0]])
    with pytest.warns(NotConverged, match="may separate"):
        fit_fine_gray(X, status, np.arange(1.0, 7.0))


def test_fine_gray_is_fast():
    X, status, time = competing(2000, seed=1)
    fit_fine_gray(X, status, time)
    start = clock.process_time()
    fit_fine_gray(X, status, time)
    assert clock.process_time() - start < 0.5


def test_fault_074_a_cause_that_does_not_occur_names_those_that_do():
    with pytest.raises(NoEvents, match=r"cause 3; the causes that occur are \[1, 2\]"):
        check_causes([0, 1, 2], [1, 2, 3], cause=3)
    with pytest.raises(InvalidInput, match="'dead': 1"):
        check_causes(["dead", "0", "1"], [1, 2, 3])
    with pytest.raises(InvalidInput, match="competing risks choose one cause"):
        kaplan_meier([0, 1, 2], [1.0, 2.0, 3.0])


def test_what_rounding_leaves_below_one_has_no_interval():
    # One event a day: the sum of the steps ends at 1, or a rounding below it.
    for n in range(3, 60):
        found = cumulative_incidence(np.ones(n, int), np.arange(1.0, n + 1))
        assert found.incidence[-1, 0] == pytest.approx(1)
        assert np.isnan([found.lower[-1, 0], found.upper[-1, 0]]).all()
