"""Probabilities with intervals, against survival 3.5 and rms 6.5 of R 4.2."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api
from sklearn.pipeline import make_pipeline

import tests.golden
from sarcfeat import make_y
from sarcfeat.estimators import CoxPH, FineGray, LassoCox, Logistic
from sarcfeat.exceptions import InvalidInput
from sarcfeat.nomogram import Nomogram, Uncertainty, Variable
from sarcfeat.survival import make_causes
from sarcfeat.transform import RestrictedCubicSpline

GOLDEN = Path(tests.golden.__file__).parent / "cases"
PATIENTS = pd.DataFrame(
    {"age": [40.0, 69], "karno": [90.0, 30], "trt": [0.0, 1], "prior": [1.0, 0]},
    index=["good", "bad"],
)


@pytest.fixture(scope="module")
def veterans():
    data = pd.read_csv(GOLDEN / "nomogram" / "veterans" / "input.csv")
    return data[list(PATIENTS.columns)].astype(float), make_y(
        data["event"], data["time"]
    )


def test_cox_intervals_are_those_of_survfit(veterans):
    # d <- read.csv("input.csv")
    # f <- coxph(Surv(time, event) ~ age + karno + trt + prior, d)
    # s <- summary(survfit(f, newdata, conf.type = "log-log"), times = c(90, 180))
    # 1 - s$surv; 1 - s$upper; 1 - s$lower
    expected = {
        ("good", 90): (0.229853536000360, 0.135173103220687, 0.374808244274520),
        ("good", 180): (0.431183369197598, 0.279187174989431, 0.621800521004473),
        ("bad", 90): (0.903882410653582, 0.783576182433234, 0.972243729326499),
        ("bad", 180): (0.993652245016601, 0.960032625691711, 0.999647726412958),
    }
    nomogram = Nomogram.from_model(CoxPH().fit(*veterans), times=[90, 180])
    found = nomogram.predict(PATIENTS, interval=True)
    assert found.index.names == [None, "time"]
    assert found.columns.tolist() == ["probability", "ci_low", "ci_high"]
    for key, values in expected.items():
        np.testing.assert_allclose(found.loc[key], values, rtol=1e-9)
    plain = nomogram.predict(PATIENTS)
    assert found["probability"].tolist() == plain.to_numpy().ravel().tolist()
    wide = nomogram.predict(PATIENTS, interval=True, level=0.99)
    assert (wide["ci_low"] < found["ci_low"]).all()


def test_splines_and_their_intervals_are_those_of_rms(veterans):
    # dd <- datadist(d); options(datadist = "dd")
    # g <- cph(Surv(time, event) ~ rcs(age, 4) + rcs(karno, 3) + trt, d, eps = 1e-12)
    # n <- nomogram(g, maxscale = 100); n$age$points; n$age$Xbeta; n$karno$points
    # f <- coxph(Surv(time, event) ~ rcs(age, 4) + rcs(karno, 3) + trt, d,
    #            control = coxph.control(eps = 1e-13))
    # summary(survfit(f, newdata, conf.type = "log-log"), times = c(90, 180))
    X, y = veterans
    X = X.drop(columns="prior")
    spline = RestrictedCubicSpline(["age"], n_knots=4)
    bent = RestrictedCubicSpline(["karno"], n_knots=3)
    model = make_pipeline(spline, bent, CoxPH()).fit(X, y)
    assert spline.knots_["age"] == pytest.approx((38, 56.6, 64, 70.2))
    assert bent.knots_["karno"] == (30, 60, 80)
    np.testing.assert_allclose(
        model[-1].coef_,
        [
            -0.0804835546787490,
            0.1246216657453827,
            -0.9184259868523335,
            -0.0478621202555790,
            0.0149287082569641,
            0.2278811529604034,
        ],
        rtol=1e-9,
    )
    nomogram = Nomogram.from_pipeline(model, times=[90, 180])
    terms = [spline, bent]
    assert nomogram == Nomogram.from_model(model[-1], times=[90, 180], terms=terms)
    age, karno, _ = nomogram.variables
    assert [v.name for v in nomogram.variables] == ["age", "karno", "trt"]
    assert age.values == tuple(range(30, 86, 5))
    np.testing.assert_allclose(
        nomogram.points_of(age),
        [
            57.83799467831412,
            45.03499223682716,
            32.26258169668706,
            20.74061512410047,
            13.23383560329116,
            12.61023388552862,
            20.63014742166852,
            26.82308195652450,
            21.97321082800710,
            14.64890108607459,
            7.32445054303722,
            0,
        ],
        rtol=1e-9,
        atol=1e-9,
    )
    np.testing.assert_allclose(
        nomogram.points_of(karno)[:4],
        [100, 84.77257012484517, 69.54514024969033, 54.50769431749137],
        rtol=1e-9,
    )
    assert len(age.turns) == 2  # falls, rises, falls
    found = nomogram.predict(PATIENTS, interval=True)
    expected = [
        (0.328252300119988, 0.183363809648382, 0.542282469645835),
        (0.587111483992970, 0.367126842633058, 0.819204502643088),
        (0.934716978846239, 0.828926273395469, 0.985272024103410),
        (0.997682703323445, 0.977476126594813, 0.999939021797087),
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    # The model's final design and the patients' own values say the same.
    final = model[:-1].transform(PATIENTS)
    assert nomogram.predict(final, interval=True).equals(found)
    assert (
        Nomogram.from_json(nomogram.to_json())
        .predict(PATIENTS, interval=True)
        .equals(found)
    )


def test_the_errors_are_those_of_the_model_itself(veterans):
    X, y = veterans
    cox = CoxPH(ties="breslow", robust=True).fit(X, y)
    times = [30, 90, 500]
    found = Nomogram.from_model(cox, times=times).predict(X, interval=True)
    risk = found["probability"].to_numpy().reshape(-1, 3)
    high = found["ci_high"].to_numpy().reshape(-1, 3)
    se = cox.predict_survival_se(X, times)
    # The delta method: the error of log(-log S) is that of S over |S log S|.
    scale = np.log(-np.log(1 - risk))
    spread = se / np.abs((1 - risk) * np.log(1 - risk))
    np.testing.assert_allclose(
        high, 1 - np.exp(-np.exp(scale + 1.959963984540054 * spread)), rtol=1e-8
    )


def test_fine_gray_intervals_are_those_of_finegray_and_survfit():
    # fg <- finegray(Surv(time, factor(status, 0:2)) ~ ., d, etype = 1)
    # f <- coxph(Surv(fgstart, fgstop, fgstatus) ~ age + ulcer + thickness +
    #            cluster(rowid), fg, weights = fgwt, ties = "breslow")
    # summary(survfit(f, newdata, conf.type = "log-log"), times = c(1000, 2500)); f$var
    data = pd.read_csv(GOLDEN / "competing_risks" / "melanoma" / "input.csv")
    names = ["age", "ulcer", "thickness"]
    model = FineGray(ties="event_first").fit(
        data[names].astype(float), make_causes(data["status"], data["time"])
    )
    coef = [0.00680467328058145, 1.16303321818769234, 0.09445384470132778]
    np.testing.assert_allclose(model.coef_, coef, rtol=1e-8)
    new = pd.DataFrame([[40.0, 0, 1.5], [75, 1, 6]], columns=names)
    ours = Nomogram.from_model(model, times=[1000, 2500])
    assert ours.kind == "incidence"
    np.testing.assert_allclose(
        ours.predict(new), model.predict_cumulative_incidence(new, [1000, 2500])
    )
    # R's covariance does not count that the censoring was estimated; ours does.
    model.vcov_ = np.array(
        [
            [8.87770763006096e-05, -0.00026538492379619, -8.36028886616844e-05],
            [-0.00026538492379619, 0.09194025888388577, -2.90627881827975e-03],
            [-8.36028886616844e-05, -2.90627881827975e-03, 1.30421947507191e-03],
        ]
    )
    found = Nomogram.from_model(model, times=[1000, 2500])
    expected = [
        (0.0504823997933143, 0.0277229526934845, 0.0910309485149088),
        (0.1272888064400129, 0.0766213768837303, 0.2074804169335918),
        (0.275092112065709, 0.175029300864882, 0.416032208826493),
        (0.570683696392753, 0.412361143566371, 0.739418394990849),
    ]
    np.testing.assert_allclose(found.predict(new, interval=True), expected, rtol=1e-8)
    theirs, mine = (n.predict(new, interval=True) for n in (found, ours))
    np.testing.assert_allclose(mine, theirs, atol=0.01)


def test_logistic_intervals_are_those_of_statsmodels():
    rng = np.random.default_rng(3)
    X = pd.DataFrame(
        {
            "age": rng.normal(60, 12, 300),
            "size": rng.gamma(4, 2, 300),
            "deep": rng.integers(0, 2, 300).astype(float),
        }
    )
    odds = 0.03 * X["age"] + 0.2 * X["size"] + 0.7 * X["deep"] - 4
    y = (rng.random(300) < 1 / (1 + np.exp(-odds))).astype(int)
    theirs = statsmodels.api.Logit(y, statsmodels.api.add_constant(X)).fit(
        disp=0, method="newton", tol=1e-14
    )
    new = X.iloc[:7]
    wanted = theirs.get_prediction(statsmodels.api.add_constant(new)).summary_frame()
    nomogram = Nomogram.from_model(Logistic().fit(X, y), units={"age": "years"})
    found = nomogram.predict(new, interval=True)
    columns = ["predicted", "ci_lower", "ci_upper"]
    np.testing.assert_allclose(found, wanted[columns], rtol=1e-7)
    assert nomogram.predict(new)["probability"].equals(found["probability"])
    assert nomogram.kind == "logistic"
    assert nomogram.times == ()
    assert (
        Nomogram.from_json(nomogram.to_json()).predict(new, interval=True).equals(found)
    )


def test_before_the_first_event_nothing_is_known_to_happen(veterans):
    nomogram = Nomogram.from_model(CoxPH().fit(*veterans), times=[0.5])
    found = nomogram.predict(PATIENTS, interval=True)
    assert (found == 0).all(axis=None)


def test_a_penalised_model_has_no_interval(veterans):
    X, y = veterans
    lasso = LassoCox(cv=3, n_lambda=20, random_state=0).fit(X, y)
    nomogram = Nomogram.from_model(lasso, times=[90], X=X)
    with pytest.raises(InvalidInput, match=r"no intervals.*penalised.*bootstrap"):
        nomogram.predict(X, interval=True)
    np.testing.assert_allclose(
        nomogram.predict(X),
        1 - lasso.predict_survival_function(X, [90]),
        rtol=1e-10,
    )


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (([[1.0, 0.0]], [[0.0]], [0.1]), "square covariance"),
        (([[np.nan]], [[0.0]], [0.1]), "finite"),
        (([[1.0]], [[0.0]], [-0.1]), "0 or more"),
    ],
)
def test_an_uncertainty_that_cannot_be_is_refused(parts, message):
    with pytest.raises(InvalidInput, match=message):
        Uncertainty(*parts)


def test_an_uncertainty_of_other_variables_is_refused():
    age = Variable.numeric("age", 0.1, low=0, high=1)
    with pytest.raises(InvalidInput, match=r"2 coefficients at 1 .* has 1 and 1"):
        Nomogram(
            variables=[age],
            center=0.0,
            kind="logistic",
            uncertainty=Uncertainty(np.eye(2), [[0, 0]], [0.1]),
        )
    with pytest.raises(InvalidInput, match=r"lies in \(0, 1\); got 95"):
        Nomogram(
            variables=[age],
            center=0.0,
            kind="logistic",
            uncertainty=Uncertainty([[1.0]], [[0.0]], [0.1]),
        ).predict(np.ones((1, 1)), interval=True, level=95)
