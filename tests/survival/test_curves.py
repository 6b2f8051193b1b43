import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sksurv.compare import compare_survival
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.nonparametric import kaplan_meier_estimator, nelson_aalen_estimator
from sksurv.util import Surv

from sarcfeat.exceptions import InvalidInput, UnknownName
from sarcfeat.survival import (
    RiskSets,
    baseline_hazard,
    fit_cox,
    kaplan_meier,
    logrank,
    nelson_aalen,
)
from tests.survival.cohorts import cohort


def test_curve_is_that_of_scikit_survival():
    _, event, time = cohort(70, tied=True)
    curve = kaplan_meier(event, time)
    times, survival, limits = kaplan_meier_estimator(
        event, time, conf_type="log-log", conf_level=0.95
    )
    np.testing.assert_array_equal(curve.time, times)
    np.testing.assert_allclose(curve.survival, survival, rtol=1e-12)
    inside = (survival > 0) & (survival < 1)
    np.testing.assert_allclose(curve.lower[inside], limits[0][inside], rtol=1e-9)
    np.testing.assert_allclose(curve.upper[inside], limits[1][inside], rtol=1e-9)
    hazard = nelson_aalen(event, time)[1]
    np.testing.assert_allclose(hazard, nelson_aalen_estimator(event, time)[1])


@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 8)), min_size=1, max_size=20),
    st.sampled_from(["log-log", "log", "plain", "logit", "arcsin"]),
)
@settings(max_examples=80, deadline=None)
def test_a_curve_falls_from_one_and_stays_in_its_band(rows, conf_type):
    event, time = (np.array(c) for c in zip(*rows, strict=True))
    curve = kaplan_meier(event, time, conf_type)
    assert ((curve.survival >= 0) & (curve.survival <= 1)).all()
    assert (np.diff(curve.survival) <= 0).all()
    known = ~np.isnan(curve.lower)
    assert (curve.lower[known] <= curve.survival[known] + 1e-12).all()
    assert (curve.upper[known] >= curve.survival[known] - 1e-12).all()
    assert curve.n_event.sum() == event.sum()
    assert curve.n_risk[0] == len(event)


def test_values_at_times():
    curve = kaplan_meier([1, 1, 0], [2.0, 4.0, 6.0])
    np.testing.assert_allclose(curve.at([0, 2, 3, 6]), [1, 2 / 3, 2 / 3, 1 / 3])
    assert np.isnan(curve.at([7]))[0]  # nobody was followed that long
    assert curve.at([7], extend=True)[0] == curve.at([6])[0]
    assert kaplan_meier([1], [2.0]).at([9])[0] == 0  # nobody was left
    assert curve.n_risk_at([2, 3, 7]).tolist() == [3, 2, 0]
    assert curve.interval_at([1])[0][0] == 1


def test_median_and_its_absence():
    assert kaplan_meier([1, 1, 1], [2.0, 4.0, 6.0]).median() == 4
    assert kaplan_meier([1, 1, 1, 1], [2.0, 4.0, 6.0, 8.0]).median() == 5  # flat at 1/2
    assert np.isnan(kaplan_meier([1, 0, 0], [2.0, 4.0, 6.0]).median())


def test_restricted_mean_is_the_area():
    mean, error = kaplan_meier([1, 1, 0], [2.0, 4.0, 6.0]).restricted_mean(5)
    assert mean == pytest.approx(2 + 2 * 2 / 3 + 1 / 3)
    assert error > 0
    # All had the event before: R's survfit(...), rmean=6.
    mean, error = kaplan_meier([1, 1, 1], [2.0, 4.0, 5.0]).restricted_mean(6)
    assert (mean, error) == (pytest.approx(11 / 3), pytest.approx(0.7200823))


def test_curve_refuses():
    with pytest.raises(InvalidInput, match="at least one patient"):
        kaplan_meier([], [])
    with pytest.raises(UnknownName, match="Did you mean 'log-log'"):
        kaplan_meier([1], [1.0], "loglog")


def test_logrank_is_that_of_scikit_survival():
    _, event, time = cohort(90, tied=True)
    group = np.array(["a", "b", "c"])[np.arange(90) % 3]
    test = logrank(event, time, group)
    chisq, p = compare_survival(Surv.from_arrays(event, time), group)
    assert test.statistic == pytest.approx(chisq, rel=1e-9)
    assert test.p_value == pytest.approx(p, rel=1e-9)
    assert test.observed.sum() == event.sum()
    assert test.expected.sum() == pytest.approx(event.sum())
    assert test.groups == ("a", "b", "c")


def test_logrank_with_one_group_is_no_test():
    test = logrank([1, 1], [1.0, 2.0], ["a", "a"])
    assert np.isnan(test.p_value)
    assert test.df == 0


def test_logrank_refuses_a_patient_without_group():
    with pytest.raises(InvalidInput, match="1 patients have no group"):
        logrank([1, 1], [1.0, 2.0], np.array(["a", None], dtype=object))
    with pytest.raises(InvalidInput, match="expected 2 labels"):
        logrank([1, 1], [1.0, 2.0], ["a"])


def test_survival_under_a_model_is_that_of_scikit_survival():
    X, event, time = cohort(60, 2, seed=5)
    theirs = CoxPHSurvivalAnalysis(ties="breslow", tol=1e-12, n_iter=200)
    theirs.fit(X, Surv.from_arrays(event, time))
    fit = fit_cox(X, RiskSets(event, time, ties="breslow"))
    baseline = baseline_hazard(fit.state)
    times = np.quantile(time[event], [0.2, 0.5, 0.8])
    ours = baseline.survival(times, X.to_numpy()[:4] @ fit.coef)
    for row, curve in zip(ours, theirs.predict_survival_function(X[:4]), strict=True):
        np.testing.assert_allclose(row, curve(times), rtol=1e-7)


def test_baseline_refuses_bad_times():
    X, event, time = cohort(20, 1)
    baseline = baseline_hazard(fit_cox(X, RiskSets(event, time)).state)
    with pytest.raises(InvalidInput, match="not negative"):
        baseline.at([-1.0])
    assert baseline.at([0.0])[0] == 0
