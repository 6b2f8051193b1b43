"""Higher risk is worse: one test over every survival estimator of the package."""

import importlib
import pkgutil
import warnings

import numpy as np
import pytest
from sklearn.base import clone

import tests.common
from sarcfeat.exceptions import InvalidInput
from sarcfeat.survival import SurvivalMixin, make_y

MODELS = [
    model
    for module in pkgutil.iter_modules(tests.common.__path__)
    for model, _ in importlib.import_module(f"tests.common.{module.name}").ESTIMATORS
    if isinstance(model, SurvivalMixin)
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_whoever_fails_early_gets_the_higher_risk(model):
    rng = np.random.default_rng(0)
    # The first column is the hazard; the second means nothing. Of the published
    # nomograms it is the age, over 50, and its half the size: the risk only rises.
    hazard = rng.uniform(30, 80, 120)
    X = np.column_stack([hazard, rng.uniform(1, 2, 120)])
    time = rng.exponential(2000 / np.exp(hazard / 10)) + 1
    y = make_y(rng.random(120) < 0.85, time)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = clone(model).fit(X, y)
    risk = fitted.predict(X)
    assert np.corrcoef(risk, hazard)[0, 1] > 0.3
    assert fitted.score(X, y) > 0.7
    if hasattr(fitted, "predict_survival_function"):
        try:
            survival = fitted.predict_survival_function(X, [np.median(time)])[:, 0]
        except (TypeError, InvalidInput):  # a published one knows its own times only
            return
        assert np.corrcoef(survival, hazard)[0, 1] < -0.3
