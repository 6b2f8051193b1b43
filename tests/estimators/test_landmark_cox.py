"""What was known at a landmark, and what followed; never what was known later."""

import numpy as np
import pandas as pd
import pytest

from sarcfeat import CoxPH, make_y
from sarcfeat.estimators import LandmarkCox
from sarcfeat.exceptions import InvalidInput, NoEvents
from tests.survival.cohorts import cohort


@pytest.fixture(scope="module")
def visits():
    """Patients described at the start and at 100 days; who dies before is not."""
    rng = np.random.default_rng(3)
    n = 160
    first = rng.normal(size=n)
    time = np.ceil(rng.exponential(300 * np.exp(-0.6 * first))) + 1
    event = rng.random(n) < 0.8
    start = pd.DataFrame({"patient": np.arange(n), "measured": 0.0, "size": first})
    later = start.assign(measured=100.0, size=first + rng.normal(size=n))[time > 100]
    X = pd.concat([start, later], ignore_index=True)
    return X, make_y(event[X["patient"]], time[X["patient"]])


NAMES = {"patient": "patient", "measured": "measured"}


def test_one_landmark_at_the_start_is_the_cox_model(visits):
    X, event, time = cohort(90, 2)
    y = make_y(event, time)
    model, cox = LandmarkCox().fit(X, y), CoxPH(robust=True).fit(X, y)
    np.testing.assert_allclose(model.coef_, cox.coef_, rtol=1e-10)
    np.testing.assert_allclose(model.se_, cox.se_, rtol=1e-8)
    np.testing.assert_allclose(model.predict(X), cox.predict(X))
    times = [2.0, 9.0]
    np.testing.assert_allclose(
        model.predict_survival_function(X, times),
        cox.predict_survival_function(X, times),
    )
    assert model.score(X, y) == pytest.approx(cox.concordance_.c_index)


def test_a_landmark_uses_the_last_row_by_then_of_those_still_at_risk(visits):
    X, y = visits
    model = LandmarkCox([100.0], **NAMES).fit(X, y)
    late = ((X["measured"] == 100) & (y["time"] > 100)).to_numpy()
    by_hand = CoxPH(robust=True).fit(X.loc[late, ["size"]], y[late])
    np.testing.assert_allclose(model.coef_, by_hand.coef_, rtol=1e-9)
    np.testing.assert_allclose(model.se_, by_hand.se_, rtol=1e-7)
    early = LandmarkCox([99.0], **NAMES).fit(X, y)
    known = ((X["measured"] == 0) & (y["time"] > 99)).to_numpy()
    by_hand = CoxPH().fit(X.loc[known, ["size"]], y[known])
    np.testing.assert_allclose(early.coef_, by_hand.coef_, rtol=1e-9)
    shuffled = np.random.default_rng(0).permutation(len(X))
    again = LandmarkCox([100.0], **NAMES).fit(X.iloc[shuffled], y[shuffled])
    np.testing.assert_allclose(again.coef_, model.coef_, rtol=1e-9)


def test_several_landmarks_are_strata_and_patients_clusters(visits):
    X, y = visits
    model = LandmarkCox([0.0, 100.0], horizon=200.0, **NAMES).fit(X, y)
    rows = []
    for landmark in (0.0, 100.0):
        at = ((X["measured"] == landmark) & (y["time"] > landmark)).to_numpy()
        end = landmark + 200
        rows.append(
            X[at].assign(
                landmark=landmark,
                time=np.minimum(y["time"][at], end),
                event=y["event"][at] & (y["time"][at] <= end),
            )
        )
    stacked = pd.concat(rows)
    by_hand = CoxPH(strata="landmark", cluster="patient").fit(
        stacked[["size", "landmark", "patient"]],
        make_y(stacked["event"], stacked["time"]),
    )
    np.testing.assert_allclose(model.coef_, by_hand.coef_, rtol=1e-9)
    np.testing.assert_allclose(model.se_, by_hand.se_, rtol=1e-8)
    counts = stacked.groupby("landmark")["event"].agg(["size", "sum"])
    assert model.at_risk_["patients"].tolist() == counts["size"].tolist()
    assert model.at_risk_["events"].tolist() == counts["sum"].tolist()
    assert model.n_events_ == stacked.loc[stacked["event"], "patient"].nunique()
    assert model.score(X, y) == pytest.approx(by_hand.concordance_.c_index)


def test_what_happens_beyond_the_horizon_does_not_count(visits):
    X, y = visits
    model = LandmarkCox([0.0], horizon=150.0, **NAMES).fit(X, y)
    moved = y.copy()
    beyond = y["time"] > 150
    moved["time"][beyond], moved["event"][beyond] = 9000.0, False
    again = LandmarkCox([0.0], horizon=150.0, **NAMES).fit(X, moved)
    np.testing.assert_array_equal(model.coef_, again.coef_)


def test_curves_are_given_freedom_at_the_landmark(visits):
    X, y = visits
    model = LandmarkCox([0.0, 100.0], **NAMES).fit(X, y)
    patients = X[:4].drop(columns=["patient", "measured"])
    curves = model.predict_survival_function(patients, [50.0, 100, 300], landmark=100)
    assert (curves[:, :2] == 1).all()
    assert ((curves[:, 2] > 0) & (curves[:, 2] < 1)).all()
    start = model.predict_survival_function(patients, [50.0, 100, 300])
    # From the start: through the first hundred days first.
    assert (start[:, 2] < curves[:, 2]).all()
    with pytest.raises(InvalidInput, match=r"no landmark 50 with .* it has 0, 100"):
        model.predict_survival_function(patients, [300.0], landmark=50)


def test_a_value_that_only_survivors_have_means_nothing_at_a_landmark():
    """Immortal time: a response can be seen in those only who live to see it."""
    rng = np.random.default_rng(0)
    n = 400
    time = np.ceil(rng.exponential(200, n)) + 1
    seen = rng.uniform(0, 400, n)
    responded = (seen < time) * 1.0
    y = make_y(np.ones(n), time)
    naive = CoxPH().fit(pd.DataFrame({"response": responded}), y)
    assert naive.summary_.loc["response", "hazard_ratio"] < 0.6
    start = pd.DataFrame({"patient": range(n), "measured": 0.0, "response": 0.0})
    later = start.assign(measured=seen, response=1.0)[responded == 1]
    X = pd.concat([start, later], ignore_index=True)
    honest = LandmarkCox([100.0, 200.0], **NAMES).fit(X, y[X["patient"]])
    low, high = honest.summary_.loc["response", ["ci_low", "ci_high"]]
    assert low < 1 < high


def test_what_cannot_be_used_is_named(visits):
    X, y = visits
    with pytest.raises(InvalidInput, match=r"rising times of 0 or more; got \[5, 1\]"):
        LandmarkCox([5, 1], **NAMES).fit(X, y)
    with pytest.raises(NoEvents, match=r"No patient is at risk .* 1000000"):
        LandmarkCox([1e6], **NAMES).fit(X, y)
    torn = y.copy()
    torn["time"][-1] += 1  # the second row of the last who has one
    name = X["patient"].iloc[-1]
    with pytest.raises(InvalidInput, match=f"rows of patient {name} end at different"):
        LandmarkCox([0.0], **NAMES).fit(X, torn)
    with pytest.raises(InvalidInput, match="'visit', which X lacks"):
        LandmarkCox([0.0], patient="visit").fit(X, y)
