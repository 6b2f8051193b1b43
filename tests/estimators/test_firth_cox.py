"""Firth's Cox model against a direct maximisation of the penalised likelihood."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

from sarcfeat import CoxPH, make_y
from sarcfeat.estimators import FirthCox
from sarcfeat.exceptions import InvalidInput, NotConverged
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


def test_a_constant_column_is_refused_by_name(separated):
    X, y = separated
    with pytest.raises(InvalidInput, match=r"'same'.*Leave constant"):
        FirthCox().fit(X.assign(same=1.0), y)
