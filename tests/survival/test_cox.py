import warnings

import numpy as np
import pytest
from lifelines import CoxPHFitter
from scipy.optimize import check_grad
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.util import Surv

from sarcfeat.exceptions import InvalidInput, NoEvents, NotConverged
from sarcfeat.survival import RiskSets, cox_state, cox_zph, fit_cox, fit_cox_each
from tests.survival.cohorts import cohort

OPTIONS = {
    "plain": lambda n, rng: {},
    "weights": lambda n, rng: {"sample_weight": rng.uniform(0.5, 2, n)},
    "strata": lambda n, rng: {"strata": rng.integers(0, 3, n)},
    "entry": lambda n, rng: {"entry": rng.uniform(0, 1, n)},
}


def risk_sets(event, time, ties, option):
    options = OPTIONS[option](len(event), np.random.default_rng(1))
    return RiskSets(event, time, ties=ties, **options)


def by_definition(coef, X, event, time, ties, *, weight=None, strata=None, entry=None):
    """Log partial likelihood, written out group by group."""
    n = len(event)
    weight = np.ones(n) if weight is None else weight
    strata = np.zeros(n) if strata is None else strata
    entry = np.full(n, -np.inf) if entry is None else entry
    eta, total = X @ coef, 0.0
    v = weight * np.exp(eta)
    for s in np.unique(strata):
        for t in np.unique(time[event & (strata == s)]):
            at_risk = (strata == s) & (time >= t) & (entry < t)
            dead = event & (strata == s) & (time == t)
            d = dead.sum()
            total += (weight * eta)[dead].sum()
            for r in range(d):
                less = r / d if ties == "efron" else 0.0
                total -= weight[dead].mean() * np.log(
                    v[at_risk].sum() - less * v[dead].sum()
                )
    return total


@pytest.mark.parametrize("option", list(OPTIONS))
@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_likelihood_is_the_definition(ties, option):
    X, event, time = cohort(25, 2, tied=True)
    options = OPTIONS[option](25, np.random.default_rng(1))
    state = cox_state([0.5, -0.3], X.to_numpy(), risk_sets(event, time, ties, option))
    weight = options.pop("sample_weight", None)
    expected = by_definition(
        np.array([0.5, -0.3]), X.to_numpy(), event, time, ties, weight=weight, **options
    )
    assert state.loglik == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("option", list(OPTIONS))
@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_gradient_and_hessian_are_those_of_the_likelihood(ties, option):
    X, event, time = cohort(40, 3, tied=True)
    X = X.to_numpy()
    sets = risk_sets(event, time, ties, option)
    coef = np.array([0.4, -0.2, 0.1])

    def value(b):
        return cox_state(b, X, sets).loglik

    def gradient(b):
        return cox_state(b, X, sets).score()

    assert check_grad(value, gradient, coef) < 1e-4
    for j in range(3):
        error = check_grad(
            lambda b, j=j: gradient(b)[j],
            lambda b, j=j: -cox_state(b, X, sets).information()[j],
            coef,
        )
        assert error < 1e-4


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_coefficients_are_those_of_scikit_survival(ties):
    X, event, time = cohort(80, 4, seed=2, tied=True)
    theirs = CoxPHSurvivalAnalysis(ties=ties, n_iter=200, tol=1e-12)
    theirs.fit(X, Surv.from_arrays(event, time))
    ours = fit_cox(X, RiskSets(event, time, ties=ties))
    np.testing.assert_allclose(ours.coef, theirs.coef_, rtol=1e-7)
    assert ours.converged


def test_errors_and_tests_are_those_of_lifelines():
    X, event, time = cohort(80, 3, seed=4)
    frame = X.assign(event=event, time=time)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lifelines' own deprecations
        theirs = CoxPHFitter().fit(
            frame, "time", "event", fit_options={"precision": 1e-12}
        )
    ours = fit_cox(X, RiskSets(event, time))
    np.testing.assert_allclose(ours.se, theirs.standard_errors_, rtol=1e-5)
    assert ours.loglik == pytest.approx(theirs.log_likelihood_, rel=1e-9)
    statistic = theirs.log_likelihood_ratio_test().test_statistic
    assert ours.lr_test[0] == pytest.approx(statistic, rel=1e-7)


def test_two_halves_of_a_patient_are_one_patient():
    # Efron's average over tied deaths sees two deaths; Breslow's sum does not.
    X, event, time = cohort(40, 2)
    one = fit_cox(X, RiskSets(event, time, ties="breslow"))
    twice = RiskSets(
        np.tile(event, 2), np.tile(time, 2), np.full(80, 0.5), ties="breslow"
    )
    two = fit_cox(np.tile(X, (2, 1)), twice)
    np.testing.assert_allclose(two.coef, one.coef, rtol=1e-9)
    np.testing.assert_allclose(two.se, one.se, rtol=1e-9)


def test_scale_and_centre_of_a_column_change_nothing_else():
    X, event, time = cohort(50, 2)
    sets = RiskSets(event, time)
    plain = fit_cox(X, sets)
    moved = fit_cox(X.to_numpy() * [1e4, 1e-4] + [3e5, 7], sets)
    np.testing.assert_allclose(moved.coef * [1e4, 1e-4], plain.coef, rtol=1e-7)
    assert moved.loglik == pytest.approx(plain.loglik, rel=1e-12)


def test_strata_of_copies_add_up():
    X, event, time = cohort(40, 2)
    one = fit_cox(X, RiskSets(event, time))
    sets = RiskSets(np.tile(event, 2), np.tile(time, 2), strata=np.repeat([0, 1], 40))
    two = fit_cox(np.tile(X, (2, 1)), sets)
    np.testing.assert_allclose(two.coef, one.coef, rtol=1e-9)
    assert two.loglik == pytest.approx(2 * one.loglik, rel=1e-12)


def test_martingale_residuals_sum_to_zero_and_stay_under_one():
    X, event, time = cohort(50, 2, tied=True)
    residuals = fit_cox(X, RiskSets(event, time)).state.martingale
    assert residuals.sum() == pytest.approx(0, abs=1e-9)
    assert residuals.max() < 1


def test_constant_and_repeated_columns_are_aliased_in_order():
    X, event, time = cohort(50, 2)
    X = X.assign(one=1.0, again=X["clinical.x0"] * 2 - 1)
    fit = fit_cox(X, RiskSets(event, time))
    assert fit.aliased.tolist() == [False, False, True, True]
    assert fit.coef[2:].tolist() == [0, 0]
    assert np.isnan(fit.se[2:]).all()
    alone = fit_cox(X.iloc[:, :2], RiskSets(event, time))
    np.testing.assert_allclose(fit.coef[:2], alone.coef, rtol=1e-9)
    assert fit.lr_test[1] == 2


def test_separation_is_named():
    event, time = np.array([1, 1, 1, 0, 0, 0], bool), np.arange(1.0, 7)
    X = np.column_stack([event.astype(float), [1.0, 0, 1, 1, 0, 0]])
    with pytest.warns(NotConverged, match="coefficient of metastatic runs to infinity"):
        fit = fit_cox(X, RiskSets(event, time), names=["metastatic", "male"])
    assert fit.diverging.tolist() == [True, False]
    assert not fit.converged


def test_too_few_steps_are_named():
    X, event, time = cohort(50, 2)
    with pytest.warns(NotConverged, match="did not converge in 1 steps"):
        fit_cox(X, RiskSets(event, time), max_iter=1)


def test_no_event_and_bad_entry_are_refused():
    with pytest.raises(NoEvents, match="None of the 2 patients had the event"):
        RiskSets([False, False], [1, 2])
    with pytest.raises(InvalidInput, match="row 1, entry 5, time 2"):
        RiskSets([True, True], [1, 2], entry=[0, 5])
    with pytest.raises(InvalidInput, match="sample_weight must be 2 finite"):
        RiskSets([True, True], [1, 2], [1.0])


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_each_column_is_its_own_model(ties):
    X, event, time = cohort(60, 12, seed=7, tied=True)
    sets = RiskSets(event, time, np.linspace(0.5, 2, 60), ties=ties)
    each = fit_cox_each(X, sets)
    for j in range(12):
        alone = fit_cox(X.iloc[:, [j]], sets)
        assert each.coef[j] == pytest.approx(alone.coef[0], rel=1e-8)
        assert each.se[j] == pytest.approx(alone.se[0], rel=1e-8)
        assert each.p_lr[j] == pytest.approx(alone.lr_test[2], rel=1e-6)
        assert each.p_wald[j] == pytest.approx(alone.wald_test[2], rel=1e-6)
        assert each.p_score[j] == pytest.approx(alone.score_test[2], rel=1e-6)


def test_each_column_in_blocks_is_the_same(monkeypatch):
    X, event, time = cohort(30, 7)
    sets = RiskSets(event, time)
    whole = fit_cox_each(X, sets)
    monkeypatch.setattr("sarcfeat.survival.cox_each._CELLS", 60)
    np.testing.assert_allclose(fit_cox_each(X, sets).coef, whole.coef, rtol=1e-12)
    assert len(fit_cox_each(X.iloc[:, :0], sets).coef) == 0


def test_each_column_that_separates_or_is_constant():
    event, time = np.array([1, 1, 1, 0, 0, 0], bool), np.arange(1.0, 7)
    X = np.column_stack([event, np.ones(6), [1.0, 0, 1, 1, 0, 0]]).astype(float)
    with pytest.warns(NotConverged, match="coefficient of a runs"):
        each = fit_cox_each(X, RiskSets(event, time), names=["a", "b", "c"])
    assert each.diverging.tolist() == [True, False, False]
    assert each.constant.tolist() == [False, True, False]
    assert each.p_wald[1] == each.p_lr[1] == each.p_score[1] == 1
    assert each.p_lr[0] < 0.1  # the likelihood-ratio test holds all the same


def test_zph_sees_a_hazard_ratio_that_turns():
    rng = np.random.default_rng(0)
    n = 400
    x = rng.integers(0, 2, n).astype(float)
    # Harmful at first, protective later; and a column that does nothing.
    time = np.where(x == 1, rng.weibull(0.5, n), rng.weibull(3, n)) + 1e-6
    X = np.column_stack([x, rng.normal(size=n)])
    fit = fit_cox(X, RiskSets(np.ones(n, bool), time))
    for transform in ("km", "rank", "identity", "log"):
        table = cox_zph(fit, ["turns", "noise"], transform=transform)
        assert table.loc["turns", "p"] < 1e-6
        assert table.loc["noise", "p"] > 0.01
        assert table.loc["GLOBAL", "df"] == 2


def test_zph_does_not_depend_on_units():
    rng = np.random.default_rng(4)
    n, p = 200, 8
    X = rng.normal(size=(n, p))
    time = rng.exponential(np.exp(-X[:, 0] / 2)) + 0.01
    event = rng.uniform(size=n) < 0.6
    names = [f"x{j}" for j in range(p)]
    of_years = cox_zph(fit_cox(X, RiskSets(event, time)), names, transform="identity")
    units = 10.0 ** np.linspace(-5, 5, p)
    of_hours = fit_cox(X * units, RiskSets(event, time * 8766))
    table = cox_zph(of_hours, names, transform="identity")
    np.testing.assert_allclose(table["chisq"], of_years["chisq"], rtol=1e-6)


def test_zph_refuses_the_logarithm_of_an_event_at_time_0():
    fit = fit_cox(
        np.array([[1.0], [0], [0], [1]]), RiskSets([1, 1, 1, 0], [0, 1, 2, 3])
    )
    assert np.isfinite(cox_zph(fit, ["grade"], transform="rank")).all(axis=None)
    with pytest.raises(InvalidInput, match=r"event at time 0.*transform='km'"):
        cox_zph(fit, ["grade"], transform="log")
