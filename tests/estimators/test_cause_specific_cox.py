"""Cause-specific models, and the incidence they make together."""

import numpy as np
import pandas as pd
import pytest

from sarcfeat import CoxPH, make_y
from sarcfeat.estimators import CauseSpecificCox
from sarcfeat.exceptions import InvalidInput, NoEvents, NothingSelected
from sarcfeat.survival import cumulative_incidence, make_causes
from tests.survival.cohorts import cohort

TIMES = [0.0, 2.0, 6.0, 15.0, 1e6]


@pytest.fixture(scope="module")
def study():
    X, event, time = cohort(150, 2)
    rng = np.random.default_rng(1)
    status = np.where(event, rng.integers(1, 3, 150), 0)
    return X, make_causes(status, time)


def test_each_model_is_a_cox_model_with_the_others_censored(study):
    X, y = study
    model = CauseSpecificCox(cause=2).fit(X, y)
    for cause in (1, 2):
        alone = CoxPH().fit(X, make_y(y["event"] == cause, y["time"]))
        pd.testing.assert_frame_equal(model.models_[cause].summary_, alone.summary_)
    np.testing.assert_array_equal(model.predict(X), alone.predict(X))
    assert model.score(X, y) == alone.concordance_.c_index
    assert model.n_events_ == (y["event"] == 2).sum()
    assert model.n_competing_ == (y["event"] == 1).sum()


def test_without_variables_it_is_the_estimate_of_aalen_and_johansen(study):
    X, y = study
    with pytest.warns(NothingSelected):
        model = CauseSpecificCox(ties="breslow").fit(X.iloc[:, :0], y)
    curve = cumulative_incidence(y["event"], y["time"]).at(TIMES)
    for cause in (1, 2):
        found = model.predict_cumulative_incidence(X[:1], TIMES, cause=cause)
        np.testing.assert_allclose(found[0], curve[:, cause - 1], rtol=1e-9)


def test_incidences_and_freedom_share_out_everybody(study):
    X, y = study
    model = CauseSpecificCox().fit(X, y)
    one = model.predict_cumulative_incidence(X, TIMES)
    two = model.predict_cumulative_incidence(X, TIMES, cause=2)
    assert (one[:, 0] == 0).all()
    assert (np.diff(one, axis=1) >= 0).all()
    assert ((one + two) <= 1 + 1e-12).all()
    np.testing.assert_array_equal(model.predict_survival_function(X, TIMES), 1 - one)
    other = CauseSpecificCox(cause=2).fit(X, y)
    np.testing.assert_allclose(other.predict_cumulative_incidence(X, TIMES), two)


def test_with_one_cause_it_is_the_cox_model(study):
    X, y = study
    plain = make_y(y["event"] > 0, y["time"])
    model, cox = CauseSpecificCox().fit(X, plain), CoxPH().fit(X, plain)
    assert list(model.models_) == [1]
    np.testing.assert_array_equal(model.coef_, cox.coef_)
    # A product of 1 minus the steps, not exp of minus their sum.
    survival = cox.predict_survival_function(X, [2.0, 6.0])
    found = model.predict_survival_function(X, [2.0, 6.0])
    np.testing.assert_allclose(found, survival, atol=0.05)
    assert (found <= survival + 1e-12).all()


def test_what_cannot_be_asked_is_said(study):
    X, y = study
    rare = y.copy()
    rare["event"][np.flatnonzero(y["event"] == 2)[1:]] = 0
    model = CauseSpecificCox().fit(X, rare)
    with pytest.raises(InvalidInput, match=r"No model of cause 2.*\[1\]"):
        model.predict_cumulative_incidence(X, TIMES, cause=2)
    with pytest.raises(NoEvents, match="1 event"):
        CauseSpecificCox(cause=2).fit(X, rare)
    with pytest.raises(InvalidInput, match="not negative"):
        model.predict_cumulative_incidence(X, [-1.0])


def test_fault_074_a_cause_that_does_not_occur_is_named(study):
    X, y = study
    with pytest.raises(NoEvents, match=r"cause 4; the causes that occur are \[1, 2\]"):
        CauseSpecificCox(cause=4).fit(X, y)
