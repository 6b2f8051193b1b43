"""Firth's Cox model against a direct maximisation of the penalised likelihood."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

from sarcfeat import CoxPH, make_y
from sarcfeat.estimators import FirthCox
from sarcfeat.exceptions import InvalidInput, NotConverged, SarcfeatWarning
from sarcfeat.nomogram import Nomogram
from sarcfeat.survival import RiskSets, cox_state


@pytest.fixture(scope="module")
def separated():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {"exposed": rng.integers(0, 2, 70).astype(float), "age": rng.normal(60, 9, 70)}
    )
    event = (X["exposed"] == 1) & (rng.random(70) < 0.6)
    return X, make_y(event, rng.exponential(100, 70) + 1)


def penalised(coef, X, y):
    sets = RiskSets(y["event"], y["time"], None, ties="breslow")
    state = cox_state(coef, X, sets)
    return -state.loglik - 0.5 * np.linalg.slogdet(state.information())[1]


def test_it_maximises_the_penalised_likelihood(separated):
    X, y = separated
    centred = (X - X.mean()).to_numpy()
    model = FirthCox().fit(X, y)
    best = minimize(
        penalised, [1.0, 0.0], args=(centred, y), method="Nelder-Mead",
        options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 5000},
    )  # fmt: skip
    np.testing.assert_allclose(model.coef_, best.x, rtol=1e-5)


def test_a_hazard_ratio_without_end_becomes_finite(separated):
    X, y = separated
    with pytest.warns(NotConverged, match="exposed runs to infinity"):
        CoxPH().fit(X, y)
    row = FirthCox().fit(X, y).summary_.loc["exposed"]
    assert 1 < row["ci_low"] < row["hazard_ratio"] < row["ci_high"] < np.inf
    assert row["p"] < 0.001


def test_it_approaches_the_cox_model_with_many_events():
    rng = np.random.default_rng(1)
    X = pd.DataFrame(rng.normal(size=(2000, 2)), columns=["a", "b"])
    y = make_y(np.ones(2000), rng.exponential(1 / np.exp(0.5 * X["a"])))
    np.testing.assert_allclose(
        FirthCox().fit(X, y).coef_, CoxPH("breslow").fit(X, y).coef_, atol=2e-3
    )


def test_a_nomogram_can_be_made_of_it(separated):
    X, y = separated
    model = FirthCox().fit(X, y)
    found = Nomogram.from_model(model, times=[100.0]).predict(X)
    expected = 1 - model.predict_survival_function(X, [100.0])
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_a_constant_column_gets_no_coefficient_and_is_named(separated):
    X, y = separated
    with pytest.warns(SarcfeatWarning, match="same: constant"):
        model = FirthCox().fit(X.assign(same=1.0), y)
    np.testing.assert_allclose(model.coef_[:2], FirthCox().fit(X, y).coef_)
    assert model.coef_[2] == 0
    assert np.isnan(model.summary_.loc["same", "se"])


def test_it_is_the_cox_model_with_its_option(separated):
    X, y = separated
    one, two = FirthCox().fit(X, y), CoxPH("breslow", firth=True).fit(X, y)
    pd.testing.assert_frame_equal(one.summary_, two.summary_)
    assert CoxPH(firth=True).fit(X, y).loglik_ == two.loglik_  # no ties here
    assert one.score_test_ is None


def test_the_likelihood_ratio_is_against_the_penalised_null(separated):
    X, y = separated
    centred = (X - X.mean()).to_numpy()
    model = FirthCox().fit(X, y)
    fallen = penalised([0.0, 0.0], centred, y) - penalised(model.coef_, centred, y)
    assert model.lr_test_[:2] == pytest.approx((2 * fallen, 2), rel=1e-6)
    alone = FirthCox().fit(X[["exposed"]], y)
    assert alone.lr_test_[2] == pytest.approx(alone.summary_["p"].iloc[0], rel=1e-5)


def test_what_it_cannot_be_combined_with_is_said(separated):
    X, y = separated
    with pytest.raises(InvalidInput, match=r"firth=True does not go with sample_weig"):
        CoxPH(firth=True).fit(X, y, sample_weight=np.full(70, 2.0))
    with pytest.raises(InvalidInput, match=r"does not go with strata, robust=True"):
        CoxPH(firth=True, strata="exposed", robust=True).fit(X, y)
    whole = make_y(y["event"], np.ceil(y["time"] / 50))
    with pytest.raises(InvalidInput, match="pass ties='breslow'"):
        CoxPH(firth=True).fit(X, whole)
