"""What every survival estimator does with data that cannot be fitted.

Faults 62, 63, 67–70, 74 and 78 of the catalogue, one test over all classes each: the
model says what is wrong, how much of it there is, and what to do next.
"""

import re
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV

import sarcfeat.estimators
from sarcfeat.estimators import CoxPH, FirthCox, LassoCox
from sarcfeat.exceptions import (
    InvalidInput,
    NoEvents,
    NotConverged,
    SarcfeatError,
    SarcfeatWarning,
)
from sarcfeat.survival import check_y, kaplan_meier, make_y
from tests import steps
from tests.steps import NAMES, SETTINGS, make

N = 30
MODELS = [
    name
    for name in NAMES
    if SETTINGS[name][1] == "survival"
    and hasattr(getattr(sarcfeat.estimators, name, None), "predict")
    # What takes bags of tiles in place of numbers has tests of its own.
    and name not in getattr(steps, "BAGS", ())
]
# What takes several causes and asks about the first.
OF_CAUSES = ("CauseSpecificCox", "FineGray")
# What estimates one coefficient a column without holding it back.
UNPENALISED = ("CoxPH", "FineGray", "FirthCox")


def cohort(n=N, p=3):
    rng = np.random.default_rng(0)
    names = [f"clinical.c{i}" for i in range(p)]
    patients = [f"P{i:03}" for i in range(n)]
    X = pd.DataFrame(rng.normal(size=(n, p)), index=patients, columns=names)
    time = rng.exponential(900 * np.exp(-X.iloc[:, 0])) if p and n else np.ones(n)
    return X, make_y(np.arange(n) % 3 != 2, time)


def unfitted(name):
    return make(name, cohort()[0].assign(site="Lyon", **{"r.t1.copy": 0.0}))[0]


def fit(name, X, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SarcfeatWarning)
        return unfitted(name).fit(X, y)


@pytest.mark.parametrize("name", MODELS)
def test_fault_062_more_columns_than_patients(name):
    X, y = cohort(20, 40)
    if name in UNPENALISED:
        with pytest.raises(InvalidInput, match=r"40 columns.*20 patients"):
            fit(name, X, y)
        return
    said = None
    try:
        risk = fit(name, X, y).predict(X)
    except InvalidInput as error:
        said = str(error)
    if said is not None:
        assert re.search("40 columns.*20 patients", said)
        return
    assert np.isfinite(risk).all()
    assert risk.shape == (20,)


@pytest.mark.parametrize("n", [0, 1])
@pytest.mark.parametrize("name", MODELS)
def test_fault_063_a_cohort_of_nobody_or_of_one(name, n):
    X, y = cohort()
    with pytest.raises(ValueError, match=r"minimum of [12]|[01] (events|patients)"):
        fit(name, X.iloc[:n], y[:n])


@pytest.mark.parametrize("name", MODELS)
def test_fault_067_no_events(name):
    X, y = cohort()
    y["event"] = False
    with pytest.raises(
        NoEvents,
        match=rf"0 events.*{N} patients|None of the {N} patients.*another endpoint",
    ):
        fit(name, X, y)


def test_fault_067_a_fold_without_events_scores_nan_and_the_search_goes_on():
    X, y = cohort()
    y["event"] = np.arange(N) < 10  # the last folds to be trained on hold none
    folds = [
        (np.arange(0, 20), np.arange(20, 30)),
        (np.arange(15, 30), np.arange(0, 15)),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search = GridSearchCV(
            CoxPH(), {"ties": ["efron", "breslow"]}, cv=folds, error_score=np.nan
        ).fit(X, y)
    assert np.isnan(search.cv_results_["split1_test_score"]).all()
    assert hasattr(search, "best_estimator_")


@pytest.mark.parametrize("name", MODELS)
def test_fault_068_one_event_is_refused_by_models(name):
    X, y = cohort()
    y["event"] = np.arange(N) == 4
    with pytest.raises(NoEvents, match="1 event"):
        fit(name, X, y)


def test_fault_068_one_event_makes_a_curve():
    curve = kaplan_meier([1, 0, 0], [2.0, 3.0, 4.0])
    assert curve.at([2.5])[0] == pytest.approx(2 / 3)


@pytest.mark.parametrize("name", MODELS)
def test_fault_069_negative_times_are_refused(name):
    X, y = cohort()
    y["time"][7] = -3.0
    with pytest.raises(InvalidInput, match="negative"):
        fit(name, X, y)


def test_fault_069_negative_times_name_the_patients():
    time = pd.Series([10.0, -3.0, 0.0], index=["A1", "B2", "C3"])
    with pytest.raises(InvalidInput, match=r"negative: B2 \(smallest -3\)"):
        make_y([1, 1, 0], time)
    with pytest.raises(InvalidInput, match=r"are 0: C3.*zero='keep'"):
        make_y([1, 1, 0], time.abs())
    assert make_y([1, 1, 0], time.abs(), zero="keep")["time"][2] == 0


@pytest.mark.parametrize(
    ("coded", "shown"),
    [
        ([1, 2, 1], "{1: 2, 2: 1}"),
        (["yes", "no", "yes"], "yes"),
        (["dead"] * 3, "dead"),
    ],
)
def test_fault_070_event_codes_are_shown_and_not_guessed(coded, shown):
    with pytest.raises(InvalidInput, match="not guessed") as caught:
        make_y(coded, [1.0, 2.0, 3.0])
    assert shown in str(caught.value)


@pytest.mark.parametrize("name", [m for m in MODELS if m not in OF_CAUSES])
def test_fault_074_a_competing_event_needs_a_cause(name):
    X, y = cohort()
    codes = np.empty(N, dtype=[("event", int), ("time", float)])
    codes["event"], codes["time"] = np.arange(N) % 3, y["time"]
    with pytest.raises(SarcfeatError, match=r"(?s)2: 10.*(one cause|cause=)"):
        fit(name, X, codes)


def test_fault_074_the_message_counts_the_codes():
    codes = np.array([(0, 1.0), (1, 2.0), (2, 3.0)], dtype=[("e", int), ("t", float)])
    with pytest.raises(InvalidInput, match="choose one cause"):
        check_y(codes)


def separated():
    """Return a cohort in which whoever has the mark has the event before all others."""
    X, y = cohort(40, 2)
    X["clinical.mark"] = (np.arange(40) < 8).astype(float)
    y["event"][:8] = True
    y["time"][:8] = np.linspace(0.1, 0.2, 8)
    y["event"][8:] &= np.arange(32) % 4 == 0
    y["time"][8:] += 1000
    y["event"][8:] = False
    return X, y


@pytest.mark.parametrize("name", ["CoxPH", "FineGray", "StepwiseCox"])
def test_fault_078_separation_names_the_column(name):
    X, y = separated()
    with pytest.warns(NotConverged, match=r"clinical\.mark"):
        unfitted(name).fit(X, y)


def test_fault_078_what_is_penalised_stays_finite():
    X, y = separated()
    firth = FirthCox().fit(X, y)
    assert 0 < firth.coef_[2] < 10
    lasso = LassoCox(cv=3, n_lambda=20, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SarcfeatWarning)
        assert np.abs(lasso.fit(X, y).coef_).max() < 50


@pytest.mark.parametrize("name", MODELS)
def test_fault_052_two_columns_of_one_name(name):
    X, y = cohort()
    X.columns = ["clinical.age", "clinical.size", "clinical.age"]
    with pytest.raises(InvalidInput, match=r"2 columns named 'clinical\.age' \(.*0, 2"):
        fit(name, X, y)


@pytest.mark.parametrize("name", MODELS)
def test_fault_055_an_infinite_value_is_placed(name):
    X, y = cohort()
    X.iloc[4, 1] = np.inf
    with pytest.raises(InvalidInput, match=r"infinity.*clinical\.c1 \(1 pat.*P004"):
        fit(name, X, y)


@pytest.mark.parametrize("name", ["CoxPH", "FineGray", "FirthCox", "ParametricAFT"])
def test_a_column_of_tiny_numbers_counts_as_any_other(name):
    X, y = cohort()
    fits = [fit(name, X * scale, y) for scale in (1.0, 1e-15)]
    wanted, found = (
        model.predict(X * s) for model, s in zip(fits, (1, 1e-15), strict=True)
    )
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_trees_say_which_column_they_cannot_see():
    X, y = cohort()
    X["clinical.c1"] *= 1e-9
    forest = unfitted("RandomSurvivalForest")
    with pytest.warns(SarcfeatWarning, match=r"clinical\.c1: all values lie within"):
        forest.fit(X, y)


@pytest.mark.parametrize("name", ["ParametricAFT", "RandomSurvivalForest"])
def test_one_time_for_everybody_is_refused(name):
    X, _ = cohort()
    with pytest.raises(InvalidInput, match="time 10"):
        fit(name, X, make_y(np.ones(N), np.full(N, 10.0)))
