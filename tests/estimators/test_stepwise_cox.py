"""Stepwise Cox regression beyond its golden values."""

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV

from sarcfeat import CoxPH, make_y
from sarcfeat.estimators import StepwiseCox
from sarcfeat.exceptions import InvalidInput, NothingSelected


@pytest.fixture(scope="module")
def cohort():
    rng = np.random.default_rng(0)
    n = 150
    histology = rng.integers(0, 3, n)
    X = pd.DataFrame(
        {
            "size": rng.gamma(4, 2, n),
            "lms": (histology == 1).astype(float),
            "ups": (histology == 2).astype(float),
            "noise": rng.normal(size=n),
        }
    )
    lp = 0.2 * X["size"] + 1.2 * X["ups"]
    time = rng.exponential(1000 / np.exp(lp)) + 1
    return X, make_y(rng.random(n) < 0.7, time)


def test_the_columns_of_a_category_enter_and_leave_together(cohort):
    X, y = cohort
    model = StepwiseCox(terms={"histology": ["lms", "ups"]}).fit(X, y)
    assert model.selected_ == ["size", "histology"]
    assert list(model.model_.ranges_.index) == ["size", "lms", "ups"]
    assert model.dropped_.to_dict("records") == [
        {"feature": "noise", "reason": "does not lower the AIC"}
    ]
    assert model.coef_[3] == 0
    reference = CoxPH().fit(X[["size", "lms", "ups"]], y)
    np.testing.assert_allclose(model.predict(X), reference.predict(X), rtol=1e-10)
    assert model.trace_["criterion"].iloc[-1] == pytest.approx(reference.aic_)


def test_every_step_lowers_the_criterion_and_no_other_step_would(cohort):
    X, y = cohort
    model = StepwiseCox("both", criterion="bic").fit(X, y)
    assert (np.diff(model.trace_["criterion"]) < 0).all()
    best = model.model_.bic_
    for name in X:
        chosen = set(model.selected_) ^ {name}
        if chosen:
            assert CoxPH().fit(X[sorted(chosen)], y).bic_ > best


def test_nothing_selected_is_a_constant_model_with_a_warning(cohort):
    X, y = cohort
    shuffled = np.random.default_rng(3).permutation(y)
    with pytest.warns(NothingSelected, match="none of the 1 variables"):
        model = StepwiseCox("forward", criterion="bic").fit(X[["noise"]], shuffled)
    assert model.selected_ == []
    assert np.ptp(model.predict(X[["noise"]])) == 0
    assert model.predict_survival_function(X[["noise"]], [100]).shape == (150, 1)


def test_what_cannot_be_is_refused(cohort):
    X, y = cohort
    with pytest.raises(InvalidInput, match=r"Term 'histology' names mpnst.*lms"):
        StepwiseCox(terms={"histology": ["mpnst"]}).fit(X, y)
    few = make_y([1, 1, 0, 1], [1.0, 2.0, 3.0, 4.0])
    with pytest.raises(InvalidInput, match="4 columns and 4 patients"):
        StepwiseCox().fit(X[:4], few)


def test_it_is_searched_over_inside_cross_validation(cohort):
    X, y = cohort
    search = GridSearchCV(
        StepwiseCox(), {"criterion": ["aic", "bic"]}, cv=3, error_score="raise"
    ).fit(X, y)
    assert search.best_score_ > 0.6
