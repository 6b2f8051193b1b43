"""Survival at given times from any fitted model, also at the end of a pipeline."""

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.svm import FastSurvivalSVM

from sarcfeat import CoxPH, ZScore, make_y
from sarcfeat.exceptions import InvalidInput
from sarcfeat.survival import gives_survival, survival_curves

TIMES = np.array([0.05, 0.4, 1.0, 50.0])


@pytest.fixture
def patients():
    rng = np.random.default_rng(2)
    X = pd.DataFrame(rng.normal(size=(50, 2)), columns=["age", "size"])
    y = make_y(rng.random(50) < 0.7, rng.exponential(np.exp(-X["size"])))
    return X, y


def test_a_pipeline_gives_what_its_last_step_gives(patients):
    X, y = patients
    for chain in (
        make_pipeline(ZScore(), CoxPH()),
        make_pipeline(make_pipeline(ZScore()), make_pipeline(CoxPH())),
    ):
        chain.fit(X, y)
        assert gives_survival(chain)
        scaled = ZScore().fit(X).transform(X)
        direct = CoxPH().fit(scaled, y).predict_survival_function(scaled, TIMES)
        assert np.allclose(survival_curves(chain, X, TIMES), direct, atol=1e-12)


def test_models_of_scikit_survival_are_read_at_the_times(patients):
    X, y = patients
    model = CoxPHSurvivalAnalysis(ties="efron").fit(X.to_numpy(), y)
    found = survival_curves(model, X.to_numpy(), TIMES)
    functions = model.predict_survival_function(X.to_numpy())
    inside = TIMES[1:3]
    known = np.array([f(inside) for f in functions])
    assert np.allclose(found[:, 1:3], known)
    # Before the first follow-up nobody is dead, and after the last it is flat.
    assert (found[:, 0] >= found[:, 1]).all()
    last = np.array([f(y["time"].max()) for f in functions])
    assert np.allclose(found[:, 3], last)


def test_a_risk_alone_is_refused_by_name(patients):
    X, _ = patients
    model = make_pipeline(ZScore(), FastSurvivalSVM(max_iter=50, tol=1e-3))
    assert not gives_survival(model)
    with pytest.raises(InvalidInput, match="FastSurvivalSVM predicts no survival"):
        survival_curves(model, X, TIMES)


def test_a_published_horizon_is_no_chosen_time():
    class Published:
        def predict_survival_function(self, X):
            return np.full((len(X), 1), 0.5)

    assert not gives_survival(Published())
