"""Weibull and log-normal survival against lifelines, and by their own laws."""

import numpy as np
import pandas as pd
import pytest
from lifelines import LogNormalAFTFitter, WeibullAFTFitter

from sarcfeat import CoxPH, make_y
from sarcfeat.estimators import ParametricAFT
from sarcfeat.exceptions import InvalidInput, NothingSelected, SarcfeatWarning
from sarcfeat.survival import fit_aft
from sarcfeat.survival.accelerated import _Data
from tests.survival.cohorts import cohort

THEIRS = {
    "weibull": (WeibullAFTFitter, "lambda_", "rho_", -1),
    "lognormal": (LogNormalAFTFitter, "mu_", "sigma_", 1),
}
KINDS = sorted(THEIRS)


@pytest.fixture(scope="module")
def study():
    X, event, time = cohort(200, 3)
    return X.add([5.0, 0.0, -2.0]), make_y(event, time)


# lifelines calls pandas by an argument that pandas 4 takes by name only.
@pytest.mark.filterwarnings("ignore:Starting with pandas version 4")
@pytest.mark.parametrize("kind", KINDS)
def test_every_number_is_that_of_lifelines(study, kind):
    X, y = study
    cls, location, shape, sign = THEIRS[kind]
    ours = ParametricAFT(kind).fit(X, y)
    theirs = cls().fit(X.assign(time=y["time"], event=y["event"]), "time", "event")
    table = theirs.summary.loc[location]
    np.testing.assert_allclose(ours.coef_, table.loc[list(X), "coef"], atol=2e-5)
    np.testing.assert_allclose(ours.se_, table.loc[list(X), "se(coef)"], rtol=1e-3)
    assert ours.intercept_ == pytest.approx(table.loc["Intercept", "coef"], abs=1e-4)
    error = np.sqrt(ours.covariance_[0, 0])
    assert error == pytest.approx(table.loc["Intercept", "se(coef)"], rel=1e-3)
    log_scale = sign * theirs.summary.loc[(shape, "Intercept"), "coef"]
    assert np.log(ours.scale_) == pytest.approx(log_scale, abs=1e-4)
    assert ours.loglik_ == pytest.approx(theirs.log_likelihood_, rel=1e-8)
    assert ours.loglik_ >= theirs.log_likelihood_ - 1e-9
    ratio = theirs.log_likelihood_ratio_test()
    assert ours.lr_test_[0] == pytest.approx(ratio.test_statistic, rel=1e-5)
    times = [2.0, 12.0, 60.0]
    curves = theirs.predict_survival_function(X[:20], times=times).T
    found = ours.predict_survival_function(X[:20], times)
    np.testing.assert_allclose(found, curves, atol=2e-5)
    medians = ours.predict_quantile(X[:20])
    np.testing.assert_allclose(medians, theirs.predict_median(X[:20]), rtol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_the_derivatives_are_those_of_the_likelihood(study, kind):
    X, y = study
    design = np.column_stack([np.ones(200), X])
    data = _Data(design, y["event"], np.log(y["time"]), np.linspace(0, 2, 200), kind)
    theta = np.array([3.0, -0.4, 0.1, 0.2, -0.3])
    _, gradient, hessian = data.at(theta)
    step = 1e-5
    for j, unit in enumerate(np.eye(5) * step):
        up, down = data.at(theta + unit), data.at(theta - unit)
        assert (up[0] - down[0]) / (2 * step) == pytest.approx(gradient[j], rel=1e-6)
        slope = (up[1] - down[1]) / (2 * step)
        np.testing.assert_allclose(slope, hessian[j], rtol=1e-5, atol=1e-5)


def test_of_weibull_the_risk_is_a_log_hazard_ratio():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"size": rng.normal(size=3000)})
    y = make_y(np.ones(3000), rng.weibull(2, 3000) * np.exp(-0.3 * X["size"]) * 900)
    model = ParametricAFT().fit(X, y)
    assert model.coef_[0] == pytest.approx(-0.3, abs=0.03)
    assert 1 / model.scale_ == pytest.approx(2, abs=0.1)
    cox = CoxPH().fit(X, y)
    np.testing.assert_allclose(model.predict(X), cox.predict(X), rtol=0.05, atol=0.02)
    assert model.predict(pd.DataFrame({"size": model.means_}))[0] == pytest.approx(0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_weight_of_two_is_a_patient_twice_and_of_none_absence(study, kind):
    X, y = study
    weight = np.arange(200) % 3
    rows = np.repeat(np.arange(200), weight)
    one = ParametricAFT(kind).fit(X, y, sample_weight=weight)
    two = ParametricAFT(kind).fit(X.iloc[rows], y[rows])
    np.testing.assert_allclose(one.coef_, two.coef_, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(one.covariance_, two.covariance_, rtol=1e-6, atol=1e-9)
    assert one.loglik_ == pytest.approx(two.loglik_)


@pytest.mark.parametrize("kind", KINDS)
def test_curves_start_at_one_and_quantiles_invert_them(study, kind):
    X, y = study
    model = ParametricAFT(kind).fit(X, y)
    curves = model.predict_survival_function(X, [0.0, 1.0, 10.0, 1e9])
    assert (curves[:, 0] == 1).all()
    assert (np.diff(curves, axis=1) <= 0).all()
    for p in (0.1, 0.5, 0.9):
        at = model.predict_quantile(X[:1], p)
        assert model.predict_survival_function(X[:1], at)[0, 0] == pytest.approx(1 - p)
    with pytest.raises(InvalidInput, match=r"between 0 and 1; got 1\.5"):
        model.predict_quantile(X, 1.5)
    with pytest.raises(InvalidInput, match="not negative"):
        model.predict_survival_function(X, [-1.0])


def test_scale_and_unit_change_nothing_but_the_unit(study):
    X, y = study
    model = ParametricAFT().fit(X, y)
    other = ParametricAFT().fit(X * 1000, make_y(y["event"], y["time"] * 30.4))
    np.testing.assert_allclose(other.coef_ * 1000, model.coef_, rtol=1e-6)
    np.testing.assert_allclose(other.predict(X * 1000), model.predict(X), atol=1e-6)
    at = model.predict_quantile(X[:3]) * 30.4
    np.testing.assert_allclose(other.predict_quantile(X[:3] * 1000), at, rtol=1e-6)


def test_what_cannot_be_fitted_is_said(study):
    X, y = study
    zero = y.copy()
    zero["time"][7] = 0
    with pytest.raises(InvalidInput, match=r"1 times are 0 \(first: row 7\)"):
        ParametricAFT().fit(X, zero)
    with pytest.raises(InvalidInput, match=r"sample_weight must be 200 numbers"):
        ParametricAFT().fit(X, y, sample_weight=[1.0])
    with pytest.warns(SarcfeatWarning, match="twice: constant, or given"):
        model = ParametricAFT().fit(X.assign(twice=2 * X.iloc[:, 0]), y)
    np.testing.assert_allclose(model.coef_[:3], ParametricAFT().fit(X, y).coef_)
    assert np.isnan(model.summary_.loc["twice", "se"])
    with pytest.warns(NothingSelected, match="X has no column"):
        empty = ParametricAFT().fit(X.iloc[:, :0], y)
    assert (empty.predict(X) == 0).all()
    assert empty.lr_test_ == (0.0, 0, 1.0)
    with pytest.raises(KeyError, match=r"No shape of survival times 'gamma'"):
        fit_aft(np.ones((3, 1)), [1, 1, 1], [1.0, 2.0, 3.0], shape="gamma")


def test_few_events_are_said_in_its_table(study):
    X, y = study
    few = y.copy()
    few["event"] &= np.cumsum(y["event"]) <= 12
    told = ParametricAFT().fit(X, few).summary_.attrs["notes"]
    assert told[0].startswith("4.0 events per variable")
    assert ParametricAFT().fit(X, y).summary_.attrs["notes"] == []
