"""Laws of every survival estimator, on data that hypothesis draws.

A monotone change of the risk leaves c as it was; a weight of two is a patient twice;
survival curves lie between 0 and 1 and fall. A class of the package that is new comes
in by itself, from its line in tests/steps.py.
"""

import inspect
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sarcfeat.estimators
from sarcfeat.survival import SurvivalMixin, count_pairs, gives_survival, make_y
from tests import steps

MODELS = [
    name
    for name in steps.NAMES
    if steps.SETTINGS[name][1] == "survival"
    and issubclass(getattr(sarcfeat.estimators, name, object), SurvivalMixin)
    and name not in getattr(steps, "BAGS", ())
]
# Bootstraps, folds and random columns are drawn over rows: two rows are not one.
DRAWN = ("ExtraSurvivalTrees", "GradientBoostingCox", "RandomSurvivalForest")
WEIGHED = [
    name
    for name in MODELS
    if "sample_weight"
    in inspect.signature(getattr(sarcfeat.estimators, name).fit).parameters
    and name not in (*DRAWN, "FirthCox", "SurvivalSVM")
]
SEEDS = st.integers(0, 2**16)
FEW = settings(
    max_examples=3, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


def drawn(seed, n=45):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 3)), columns=[f"clinical.c{i}" for i in "123"])
    time = rng.exponential(500 * np.exp(-0.7 * X.iloc[:, 0])) + 1
    event = rng.random(n) < 0.75
    event[:3] = True
    rounded = np.ceil(time / 30) * 30 if seed % 2 else time
    return X, make_y(event, rounded)


def fitted(name, X, y, weight=None, **params):
    model, _ = steps.make(name, X.assign(site="Lyon", **{"r.t1.copy": 0.0}))
    known = {k: v for k, v in params.items() if k in model.get_params(deep=False)}
    model.set_params(**known)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(X, y) if weight is None else model.fit(X, y, weight)


def test_there_are_models_and_none_is_left_out():
    assert {"CoxPH", "FineGray", "LandmarkCox", "ParametricAFT"} <= set(MODELS)
    weighed = {"CoxPH", "StepwiseCox", "CauseSpecificCox", "ParametricAFT"}
    assert weighed <= set(WEIGHED)
    assert len(MODELS) >= 14


@pytest.mark.parametrize("name", MODELS)
@FEW
@given(seed=SEEDS)
def test_a_monotone_change_of_the_risk_leaves_c_as_it_was(name, seed):
    X, y = drawn(seed)
    model = fitted(name, X, y)
    risk = model.predict(X)
    assert np.isfinite(risk).all()
    expected = count_pairs(y["event"], y["time"], risk)
    # Ranks are the purest monotone change: no two risks round to one.
    ranks = np.unique(risk, return_inverse=True)[1]
    for changed in (ranks, 3.0 * ranks - 7, np.exp(ranks / 10.0), ranks**3):
        assert count_pairs(y["event"], y["time"], changed) == expected
    turned = count_pairs(y["event"], y["time"], -ranks)
    assert turned.concordant == expected.discordant


@pytest.mark.parametrize("name", MODELS)
@FEW
@given(seed=SEEDS, times=st.lists(st.floats(0, 5000), min_size=2, max_size=8))
def test_curves_lie_between_0_and_1_and_fall(name, seed, times):
    X, y = drawn(seed)
    model = fitted(name, X, y)
    if not gives_survival(model):
        return
    at = np.sort([0.0, *times, 1e9])
    curves = model.predict_survival_function(X, at)
    assert curves.shape == (len(X), len(at))
    assert (curves >= 0).all()
    assert (curves <= 1).all()
    assert (np.diff(curves, axis=1) <= 1e-12).all()
    assert (curves[:, 0] == 1).all()


@pytest.mark.parametrize("name", WEIGHED)
@FEW
@given(seed=SEEDS)
def test_a_weight_of_two_is_a_patient_twice(name, seed):
    X, y = drawn(seed)
    weight = np.random.default_rng(seed).integers(0, 4, len(X))
    weight[:3] = 2
    rows = np.repeat(np.arange(len(X)), weight)
    # Efron's ties tell two deaths at one time from one of weight two, as R's do; folds
    # are drawn over rows, so a penalty is given.
    plain = {"ties": "breslow", "cv": None, "lambdas": [0.05]}
    one = fitted(name, X, y, weight.astype(float), **plain)
    two = fitted(name, X.iloc[rows], y[rows], **plain)
    np.testing.assert_allclose(one.coef_, two.coef_, rtol=1e-6, atol=1e-8)
    if gives_survival(one):
        at = [100.0, 400.0, 2000.0]
        ours = one.predict_survival_function(X, at)
        theirs = two.predict_survival_function(X, at)
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-9)
