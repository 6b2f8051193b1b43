"""The models that scikit-survival fits for us, held to this package's habits."""

import numpy as np
import pandas as pd
import pytest
from sksurv import ensemble
from sksurv.svm import FastSurvivalSVM

from sarcfeat import make_y
from sarcfeat.estimators import (
    ExtraSurvivalTrees,
    GradientBoostingCox,
    RandomSurvivalForest,
    SurvivalSVM,
)
from sarcfeat.exceptions import InvalidInput, NothingSelected

MODELS = [
    RandomSurvivalForest(20, random_state=0),
    ExtraSurvivalTrees(20, random_state=0),
    GradientBoostingCox(20, random_state=0),
    SurvivalSVM(random_state=0),
]
WITH_CURVES = MODELS[:3]
TIMES = [0.5, 100.0, 400.0, 1e6]


@pytest.fixture(scope="module")
def cohort():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(90, 4)), columns=list("abcd"))
    time = rng.exponential(300 / np.exp(X["a"])) + 1
    return X, make_y(rng.random(90) < 0.7, time)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (MODELS[0], ensemble.RandomSurvivalForest(20, random_state=0)),
        (MODELS[1], ensemble.ExtraSurvivalTrees(20, random_state=0)),
        (
            MODELS[2],
            ensemble.GradientBoostingSurvivalAnalysis(n_estimators=20, random_state=0),
        ),
        (MODELS[3], FastSurvivalSVM(max_iter=50, random_state=0)),
    ],
)
def test_the_risk_is_that_of_scikit_survival(ours, theirs, cohort):
    X, y = cohort
    found = ours.fit(X, y).predict(X)
    np.testing.assert_array_equal(
        found, theirs.fit(X.to_numpy(), y).predict(X.to_numpy())
    )
    assert ours.score(X, y) > 0.65


@pytest.mark.parametrize("model", WITH_CURVES)
def test_curves_fall_from_one_and_follow_the_engine(model, cohort):
    X, y = cohort
    model.fit(X, y)
    curves = model.predict_survival_function(X, TIMES)
    assert curves.shape == (90, 4)
    assert (curves[:, 0] == 1).all()
    assert ((curves >= 0) & (curves <= 1)).all()
    assert (np.diff(curves, axis=1) <= 0).all()
    function = model.model_.predict_survival_function(X.to_numpy()[:1])[0]
    np.testing.assert_allclose(curves[0, 1:3], function(TIMES[1:3]), rtol=1e-12)


@pytest.mark.parametrize("forest", [RandomSurvivalForest, ExtraSurvivalTrees])
def test_the_same_bits_for_any_number_of_jobs(forest, cohort):
    X, y = cohort
    one, two = (
        forest(30, n_jobs=jobs, random_state=1).fit(X, y).predict(X) for jobs in (1, 2)
    )
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("model", MODELS)
def test_no_column_is_a_constant_model(model, cohort):
    X, y = cohort
    with pytest.warns(NothingSelected, match="the same for every patient"):
        model.fit(X[[]], y)
    assert np.ptp(model.predict(X[[]])) == 0
    if model in WITH_CURVES:
        curves = model.predict_survival_function(X[[]], TIMES)
        assert np.ptp(curves, axis=0).max() == 0


@pytest.mark.parametrize("model", MODELS)
def test_columns_are_found_by_name(model, cohort):
    X, y = cohort
    model.fit(X, y)
    np.testing.assert_array_equal(
        model.predict(X), model.predict(X[["d", "c", "b", "a"]].assign(extra=0.0))
    )
    with pytest.raises(InvalidInput, match="lacks 1 of them: c"):
        model.predict(X.drop(columns="c"))


def test_weights_count_and_are_refused_where_they_cannot(cohort):
    X, y = cohort
    weight = np.where(X["b"] > 0, 3.0, 1.0)
    plain = GradientBoostingCox(5, random_state=0).fit(X, y)
    weighted = GradientBoostingCox(5, random_state=0).fit(X, y, weight)
    assert np.abs(plain.predict(X) - weighted.predict(X)).max() > 1e-3
    with pytest.raises(InvalidInput, match="SurvivalSVM cannot weigh"):
        SurvivalSVM().fit(X, y, weight)
