"""Any model as a nomogram: what its points say is what the model says."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sksurv.linear_model import CoxPHSurvivalAnalysis

from sarcfeat.estimators import (
    CauseSpecificCox,
    CoxPH,
    FineGray,
    LassoCox,
    LassoLogistic,
    Logistic,
    ParametricAFT,
    RandomSurvivalForest,
    RiskScore,
    StepwiseCox,
)
from sarcfeat.exceptions import InvalidInput, SarcfeatWarning
from sarcfeat.nomogram import Nomogram, Variable
from sarcfeat.survival import make_causes
from sarcfeat.transform import Categories, RestrictedCubicSpline, ZScore, columns
from tests.nomogram.cohort import simulated

TIMES = [365, 730]


@pytest.fixture(scope="module")
def data():
    X, y = simulated(n=200)
    rng = np.random.default_rng(1)
    words = rng.choice(["LMS", "UPS", "MRCL"], len(X))
    return X.assign(histology=words), y


def design(X):
    return X.drop(columns="histology")


def from_points(nomogram, X):
    """Return the probability that a reader gets: points added, then looked up."""
    total = np.zeros(len(X))
    for variable in nomogram.variables:
        effects = variable.effect_of(X[variable.name], X.index)
        total += (effects - variable.lowest) * nomogram.points_per_lp
    np.testing.assert_allclose(total, nomogram.points(X), atol=1e-8)
    return nomogram.probability_at(total).to_numpy()


@pytest.mark.parametrize(
    "model",
    [
        CoxPH(ties="breslow"),
        StepwiseCox(),
        LassoCox(cv=3, n_lambda=20, random_state=0),
        LassoCox(l1_ratio=0.5, cv=3, n_lambda=20, random_state=0),
    ],
    ids=["cox", "stepwise", "lasso", "elastic net"],
)
def test_models_of_a_hazard(data, model):
    X, y = data
    model.fit(design(X), y)
    nomogram = Nomogram.from_model(model, times=TIMES, X=design(X))
    expected = 1 - model.predict_survival_function(design(X), TIMES)
    np.testing.assert_allclose(nomogram.predict(X), expected, rtol=1e-9)
    np.testing.assert_allclose(from_points(nomogram, X), expected, rtol=1e-8)
    assert nomogram.lp_range is not None
    last = y["time"].max()
    with pytest.raises(InvalidInput, match="beyond the last observed time"):
        Nomogram.from_model(model, times=[last + 1], X=design(X))


def test_fine_gray(data):
    X, y = data
    cause = np.where(y["event"], np.arange(len(X)) % 3 % 2 + 1, 0)
    model = FineGray().fit(design(X), make_causes(cause, y["time"]))
    nomogram = Nomogram.from_model(model, times=TIMES)
    expected = model.predict_cumulative_incidence(design(X), TIMES)
    np.testing.assert_allclose(from_points(nomogram, X), expected, rtol=1e-9)
    assert nomogram.lp_range == pytest.approx(
        (model.predict(design(X)).min(), model.predict(design(X)).max())
    )


@pytest.mark.parametrize(
    "model",
    [
        Logistic(),
        LogisticRegression(C=0.5, max_iter=5000),
        LassoLogistic(cv=3, n_lambda=20, random_state=0),
    ],
    ids=["logistic", "ridge", "lasso"],
)
def test_models_of_odds(data, model):
    X, y = data
    scaled = ZScore().fit_transform(design(X))
    model.fit(scaled, y["event"].astype(int))
    nomogram = Nomogram.from_model(model, X=scaled, event="relapse")
    expected = model.predict_proba(scaled)[:, 1:]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(nomogram.predict(scaled), expected, rtol=1e-10)
    np.testing.assert_allclose(from_points(nomogram, scaled), expected, rtol=1e-9)
    axis = nomogram.probability_axis(probabilities=[0.3, 0.4])
    read = nomogram.probability_at(axis["total_points"])["probability"]
    np.testing.assert_allclose(read, axis["probability"])


# The column of training is cross-fitted; that of the final model reaches further.
@pytest.mark.filterwarnings("ignore::sarcfeat.exceptions.OutsideRange")
def test_a_rad_score_is_one_axis_among_others(data):
    X, y = data
    rng = np.random.default_rng(2)
    for k in range(5):
        X = X.assign(**{f"radiomics.t1.f{k}": rng.normal(size=len(X))})
    model = make_pipeline(
        ColumnTransformer(
            [
                (
                    "rad",
                    RiskScore(
                        LassoCox(cv=3, n_lambda=20, random_state=0),
                        cv=3,
                        name="rad_score",
                        random_state=0,
                    ),
                    columns("radiomics.t1", "clinical.size"),
                ),
                (
                    "clin",
                    make_pipeline(
                        Categories(reference={"histology": "UPS"}),
                        RestrictedCubicSpline(["clinical.age"], n_knots=3),
                    ),
                    ["clinical.age", "histology"],
                ),
            ]
        ).set_output(transform="pandas"),
        CoxPH(),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y)
    nomogram = Nomogram.from_pipeline(
        model, times=TIMES, units={"age": "years"}, labels={"histology": "Histology"}
    )
    assert [v.title for v in nomogram.variables] == [
        "rad_score",
        "age (years)",
        "Histology",
    ]
    score, age, histology = nomogram.variables
    assert histology.values == ("UPS", "LMS", "MRCL")
    assert age.knots == model[0].named_transformers_["clin"][-1].knots_["clinical.age"]
    final = model[:-1].transform(X)
    expected = 1 - model[-1].predict_survival_function(final, TIMES)
    np.testing.assert_allclose(nomogram.predict(final), expected, rtol=1e-9)
    np.testing.assert_allclose(nomogram.predict(final.to_numpy()), expected, rtol=1e-9)
    own = final[["rad__rad_score", "clin__clinical.age"]].assign(
        clin__histology=X["histology"]
    )
    np.testing.assert_allclose(nomogram.predict(own), expected, rtol=1e-9)
    both = nomogram.predict(own, interval=True)
    pd.testing.assert_frame_equal(both, nomogram.predict(final, interval=True))
    se = model[-1].predict_survival_se(final, TIMES)
    survival = 1 - expected
    reach = 1.959963984540054 * se / np.abs(survival * np.log(survival))
    high = 1 - survival ** np.exp(reach)
    found = both["ci_high"].to_numpy().reshape(-1, 2)
    np.testing.assert_allclose(found, high, rtol=1e-8)
    assert (score.width > 0) == (model[-1].coef_[0] != 0)


def test_two_levels_at_once_are_refused(data):
    X, y = data
    coded = Categories().fit(X[["histology"]])
    model = CoxPH().fit(coded.transform(X), y)
    nomogram = Nomogram.from_model(model, times=TIMES, terms=[coded])
    wrong = coded.transform(X)
    wrong.iloc[3] = 1.0
    with pytest.raises(InvalidInput, match=r"code 'histology' by one 1.*: p003"):
        nomogram.predict(wrong)


def test_columns_that_were_scaled_afterwards_stay_apart(data):
    X, y = data
    chain = make_pipeline(RestrictedCubicSpline(["clinical.age"]), ZScore(), CoxPH())
    chain.fit(design(X), y)
    with pytest.warns(SarcfeatWarning, match=r"ZScore comes after .*clinical\.age"):
        nomogram = Nomogram.from_pipeline(chain, times=TIMES)
    assert [v.knots for v in nomogram.variables] == [()] * 5
    np.testing.assert_allclose(
        nomogram.predict(chain[:-1].transform(design(X))),
        1 - chain[-1].predict_survival_function(chain[:-1].transform(design(X)), TIMES),
    )


def test_known_coefficients():
    nomogram = Nomogram.from_linear_predictor(
        {
            "age": 0.03,
            "deep": 0.7,
            "histology": {"lipo": 0.0, "UPS": 0.5},
            "size": Variable.spline("size", [0.1, -0.05], [2, 5, 12], low=1, high=20),
        },
        ranges={"age": (20, 80), "deep": (0, 1)},
        center=2.0,
        baseline_survival={365: 0.9, 1826: 0.6},
        max_time=3000,
    )
    X = pd.DataFrame(
        {"age": [61.0], "deep": [1], "histology": ["UPS"], "size": [1.5]}, index=["p"]
    )
    lp = 0.03 * 61 + 0.7 + 0.5 + 0.15 - 2
    expected = 1 - np.array([0.9, 0.6]) ** np.exp(lp)
    np.testing.assert_allclose(nomogram.predict(X).loc["p"], expected, rtol=1e-12)
    assert [v.discrete for v in nomogram.variables] == [False, True, True, False]
    with pytest.raises(InvalidInput, match="no intervals"):
        nomogram.predict(X, interval=True)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"coefficients": {"age": 1.0}, "intercept": 0.0}, r"'age' .*no range"),
        (
            {
                "coefficients": {"a": {"x": 0.0}},
                "intercept": 0.0,
                "ranges": {"b": (0, 1)},
            },
            "given for b",
        ),
        ({"coefficients": {"a": {"x": 0.0}}}, "exactly one of the two"),
    ],
)
def test_known_coefficients_that_are_not_enough(given, message):
    with pytest.raises(InvalidInput, match=message):
        Nomogram.from_linear_predictor(**given)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda X, y: Nomogram.from_model(CoxPH().fit(X, y)), "name the horizons"),
        (
            lambda X, y: Nomogram.from_model(Logistic().fit(X, y["event"]), times=[1]),
            "no horizon; leave `times` out",
        ),
        (
            lambda X, y: Nomogram.from_model(
                LassoCox(cv=3, n_lambda=10, random_state=0).fit(X, y), times=[365]
            ),
            "give the training patients, X=",
        ),
        (
            lambda X, y: Nomogram.from_model(
                LogisticRegression().fit(X / 50, np.arange(len(X)) % 3), X=X
            ),
            "fitted on 3: 0, 1, 2",
        ),
    ],
)
def test_what_no_nomogram_can_be_made_of(data, make, message):
    X, y = data
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(InvalidInput, match=message):
            make(design(X), y)


coefficient = st.floats(-2, 2).map(lambda b: round(b, 6))


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(coefficient, min_size=5, max_size=5),
    st.lists(coefficient, min_size=3, max_size=3),
    st.floats(0.05, 0.95),
    st.booleans(),
    st.lists(st.floats(0, 1), min_size=4, max_size=4),
)
def test_points_to_risk_is_the_model(weights, curve, level, odds, where):
    variables = [
        Variable.numeric("age", weights[0] / 30, low=18, high=90),
        Variable.coded("deep", weights[1], levels=(0, 1)),
        Variable.categories("type", {"a": 0.0, "b": weights[2], "c": weights[3]}),
        Variable.spline("size", curve, [2.0, 5.0, 9.0, 17.0], low=1, high=25),
    ]
    parts = (
        {"kind": "logistic"} if odds else {"times": [365], "baseline_survival": [level]}
    )
    nomogram = Nomogram(variables=variables, center=weights[4], **parts)
    X = pd.DataFrame(
        {
            "age": [18 + 72 * where[0]],
            "deep": [float(where[1] > 0.5)],
            "type": ["abc"[min(int(3 * where[2]), 2)]],
            "size": [1 + 24 * where[3]],
        }
    )
    row = X.iloc[0]
    bent = RestrictedCubicSpline(knots={"size": [2, 5, 9, 17]}).fit_transform(
        X[["size"]]
    )
    lp = (
        weights[0] / 30 * row["age"]
        + weights[1] * row["deep"]
        + {"a": 0.0, "b": weights[2], "c": weights[3]}[row["type"]]
        + bent.to_numpy()[0] @ curve
        - weights[4]
    )
    model = 1 / (1 + np.exp(-lp)) if odds else 1 - level ** np.exp(lp)
    total = 0.0
    table = nomogram.points_table()
    for variable in variables:
        effect = variable.effect_of(X[variable.name], X.index)[0]
        mine = (effect - variable.lowest) * nomogram.points_per_lp
        # Off the ends of no axis; the axis of a curve goes through its turns.
        assert -1e-7 <= mine <= 100 + 1e-7
        total += mine
    assert table["points"].min() >= -1e-9
    assert nomogram.predict(X).iloc[0, 0] == pytest.approx(model, rel=1e-9, abs=1e-12)
    if nomogram.points_per_lp:
        read = nomogram.probability_at([total]).iloc[0, 0]
        assert read == pytest.approx(model, rel=1e-7, abs=1e-10)
    back = Nomogram.from_json(nomogram.to_json())
    assert back == nomogram
    assert back.predict(X).equals(nomogram.predict(X))
    assert back.points(X).equals(nomogram.points(X))


def test_a_stratified_model_has_a_nomogram_for_each_stratum(data):
    X, y = data
    stratified = CoxPH(strata="histology").fit(X, y)
    with pytest.raises(InvalidInput, match="each stratum: LMS, MRCL, UPS"):
        Nomogram.from_model(stratified, times=TIMES)
    nomogram = Nomogram.from_model(stratified, times=TIMES, stratum="UPS")
    rows = X[X["histology"] == "UPS"]
    expected = 1 - stratified.predict_survival_function(rows, TIMES)
    found = nomogram.predict(rows, interval=True)
    np.testing.assert_allclose(
        found["probability"].to_numpy().reshape(-1, 2), expected, rtol=1e-10
    )
    assert (found["ci_low"] < found["probability"]).all()
    with pytest.raises(InvalidInput, match="CoxPH has no strata"):
        Nomogram.from_model(CoxPH().fit(design(X), y), times=TIMES, stratum="UPS")


def test_firths_model_has_intervals(data):
    X, y = data
    model = CoxPH(ties="breslow", firth=True).fit(design(X), y)
    found = Nomogram.from_model(model, times=TIMES).predict(X, interval=True)
    expected = 1 - model.predict_survival_function(design(X), TIMES)
    np.testing.assert_allclose(found["probability"], expected.ravel(), rtol=1e-10)
    assert (found["ci_high"] > found["probability"]).all()


def test_a_weibull_model_is_one_of_proportional_hazards(data):
    X, y = data
    model = ParametricAFT().fit(design(X), y)
    nomogram = Nomogram.from_model(model, times=TIMES)
    expected = 1 - model.predict_survival_function(design(X), TIMES)
    np.testing.assert_allclose(nomogram.predict(X), expected, rtol=1e-10)
    np.testing.assert_allclose(from_points(nomogram, X), expected, atol=1e-10)


@pytest.mark.parametrize(
    "model", [ParametricAFT("lognormal"), CauseSpecificCox(), RandomSurvivalForest(5)]
)
def test_points_that_would_not_add_up_to_the_model_are_refused(data, model):
    X, y = data
    status = np.where(np.arange(len(y)) % 3, 1, 2) * y["event"]
    if isinstance(model, CauseSpecificCox):
        y = make_causes(status, y["time"])
    model.fit(design(X), y)
    with pytest.raises(InvalidInput, match=r"not S0\(t\)|lacks coef_"):
        Nomogram.from_model(model, times=TIMES, X=design(X))


def test_a_cox_model_of_scikit_survival_will_do(data):
    X, y = data
    model = CoxPHSurvivalAnalysis().fit(design(X), y)
    nomogram = Nomogram.from_model(model, times=TIMES, X=design(X))
    ours = Nomogram.from_model(CoxPH("breslow").fit(design(X), y), times=TIMES)
    np.testing.assert_allclose(nomogram.predict(X), ours.predict(X), atol=1e-5)
    with pytest.raises(InvalidInput, match="beyond the last observed time"):
        Nomogram.from_model(model, times=[1e6], X=design(X))
