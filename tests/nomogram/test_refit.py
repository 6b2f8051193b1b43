"""Comparators without public coefficients: refitted, or a column of somebody's app."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from sarcfeat import make_y
from sarcfeat.estimators import CoxPH
from sarcfeat.exceptions import InvalidInput
from sarcfeat.io import load_model, save_model
from sarcfeat.nomogram import (
    Nomogram,
    ProbabilityColumn,
    RefitPersarc,
    RefitSarculator,
    sarculator_groups,
)
from sarcfeat.survival import make_causes
from sarcfeat.transform import RestrictedCubicSpline


@pytest.fixture(scope="module")
def cohort():
    rng = np.random.default_rng(4)
    n = 240
    X = pd.DataFrame(
        {
            "clinical.age": rng.uniform(18, 88, n),
            "clinical.size": rng.gamma(4, 2.2, n),
            "grade": rng.choice([1.0, 2.0, 3.0], n, p=[0.2, 0.4, 0.4]),
            "histology": rng.choice(
                ["LMS", "UPS", "MRCL", "ASPS"], n, p=[0.3, 0.4, 0.28, 0.02]
            ),
            "depth": rng.choice(["deep", "superficial"], n),
            "margin": rng.choice(["R0", "R1"], n),
            "radiotherapy": rng.choice(["no", "yes"], n),
            "radiomics.t1.noise": rng.normal(size=n),
        },
        index=[f"p{i:03d}" for i in range(n)],
    )
    lp = 0.03 * X["clinical.age"] + 0.08 * X["clinical.size"] + 0.5 * X["grade"]
    time = rng.exponential(30000 / np.exp(lp)) + 1
    follow_up = rng.uniform(300, 3000, n)
    return X, make_y(time <= follow_up, np.minimum(time, follow_up)), rng


def test_it_is_a_cox_model_of_the_published_variables(cohort):
    X, y, _ = cohort
    model = RefitSarculator().fit(X, y)
    assert list(model.columns_) == ["age", "size", "grade", "histology"]
    bent = RestrictedCubicSpline(n_knots=3).fit_transform(
        X[["clinical.age", "clinical.size"]]
    )
    for level in ("2", "3"):
        bent[f"grade={level}"] = (X["grade"] == float(level)).astype(float)
    words = X["histology"].replace("ASPS", "other")
    for level in ("MRCL", "UPS", "other"):
        bent[f"histology={level}"] = (words == level).astype(float)
    by_hand = CoxPH().fit(bent, y)
    np.testing.assert_allclose(model.predict(X), by_hand.predict(bent), atol=1e-8)
    np.testing.assert_allclose(
        model.predict_survival_function(X, [365, 1000]),
        by_hand.predict_survival_function(bent, [365, 1000]),
        atol=1e-10,
    )
    assert model.score(X, y) > 0.6


def test_it_is_called_a_refit_everywhere(cohort, tmp_path):
    X, y, _ = cohort
    model = RefitSarculator(without=["size"]).fit(X, y)
    label = "Sarculator (refit, without size)"
    assert model.label == label
    assert "Refit" in repr(model)
    assert (model.summary_["model"] == label).all()
    nomogram = model.nomogram([365, 1000], event="death", labels={"age": "Age"})
    assert (nomogram.points_table()["note"] == label).all()
    assert json.loads(nomogram.to_json())["note"] == label
    page = nomogram.to_html(tmp_path / "c.html").read_text("utf-8")
    assert f'<p class="note" id="about">{label}</p>' in page
    assert [v.title for v in nomogram.variables] == [
        "Age (years)",
        "grade",
        "histology",
    ]
    np.testing.assert_allclose(
        nomogram.predict(model.inputs_of(X)),
        1 - model.predict_survival_function(X, [365, 1000]),
        rtol=1e-9,
    )
    assert Nomogram.from_json(nomogram.to_json()) == nomogram


def test_a_new_or_rare_histology_is_another_one(cohort):
    X, y, _ = cohort
    model = RefitSarculator().fit(X, y)
    assert model.levels_["histology"] == ["LMS", "MRCL", "UPS", "other"]
    new = X.iloc[:2].assign(histology=["ASPS", "never seen"])
    same = X.iloc[:2].assign(histology=["ASPS", "ASPS"])
    np.testing.assert_array_equal(model.predict(new), model.predict(same))
    every = RefitSarculator(min_patients=1).fit(X, y)
    with pytest.raises(InvalidInput, match="'never seen' for patient p001"):
        every.predict(new)


def test_the_retroperitoneal_one_has_two_inputs_more(cohort):
    X, y, _ = cohort
    model = RefitSarculator(tumour="retroperitoneal")
    with pytest.raises(InvalidInput, match=r"needs 'multifocal'.*without="):
        model.fit(X, y)
    more = X.assign(multifocal="no", resection="complete")
    more.loc[more.index[::5], "multifocal"] = "yes"
    more.loc[more.index[::7], "resection"] = "incomplete"
    names = clone(model).fit(more, y).summary_.index.tolist()
    assert names[-2:] == ["multifocal=yes", "resection=incomplete"]


def test_persarc_with_competing_causes(cohort):
    X, y, rng = cohort
    cause = np.where(y["event"], rng.integers(1, 3, len(X)), 0)
    causes = make_causes(cause, y["time"])
    model = RefitPersarc(outcome="incidence").fit(X, causes)
    nomogram = model.nomogram([365])
    assert nomogram.kind == "incidence"
    assert nomogram.predict(model.inputs_of(X), interval=True).notna().all(axis=None)
    assert len(nomogram.variables) == 7
    assert model.label == "PERSARC (refit)"


def test_a_missing_margin_is_named_or_left_out(cohort):
    X, y, _ = cohort
    gaps = X.copy()
    gaps.loc["p007", "margin"] = None
    with pytest.raises(InvalidInput, match=r"'margin' is missing for 1 .*p007.*Impute"):
        RefitPersarc().fit(gaps, y)
    fitted = RefitPersarc(without=["margin"]).fit(gaps.drop(columns="margin"), y)
    assert fitted.label == "PERSARC (refit, without margin)"
    with pytest.raises(InvalidInput, match=r"no input 'margins'.*'margin'"):
        RefitPersarc(without=["margins"]).fit(X, y)
    with pytest.raises(InvalidInput, match="DataFrame; got ndarray"):
        RefitPersarc().fit(X.to_numpy(), y)


@pytest.mark.parametrize("which", ["sarculator", "column"])
def test_goes_to_a_file_and_comes_back(cohort, tmp_path, which):
    X, y, _ = cohort
    X = X.assign(app=np.linspace(0.1, 0.9, len(X)))
    model = {
        "sarculator": RefitSarculator(),
        "column": ProbabilityColumn("app", 1826, of="survival"),
    }[which].fit(X, y)
    path = save_model(model, tmp_path / "m.skops", patients=X.index)
    np.testing.assert_array_equal(load_model(path).predict(X), model.predict(X))


def test_a_column_of_probabilities_says_which_way_it_runs():
    X = pd.DataFrame({"app": [0.9, 0.55, 0.2]}, index=["a", "b", "c"])
    y = make_y([0, 1, 1], [2000, 900, 300])
    alive = ProbabilityColumn("app", 1826, of="survival").fit(X, y)
    dead = ProbabilityColumn("app", 1826, of="event").fit(X, y)
    np.testing.assert_allclose(alive.predict(X), [0.1, 0.45, 0.8])
    np.testing.assert_allclose(dead.predict(X), [0.9, 0.55, 0.2])
    assert (alive.score(X, y), dead.score(X, y)) == (1.0, 0.0)
    np.testing.assert_allclose(
        alive.predict_survival_function(X, [1826]), X[["app"]].to_numpy()
    )
    assert sarculator_groups(X["app"]).tolist() == [
        "low risk",
        "intermediate risk",
        "high risk",
    ]
    with pytest.raises(InvalidInput, match="probability by 1826; it says nothing of 9"):
        alive.predict_survival_function(X, [900])
    by_place = ProbabilityColumn(0, 1826, of="survival").fit(X.to_numpy(), y)
    np.testing.assert_array_equal(by_place.predict(X.to_numpy()), alive.predict(X))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([0.5, 55], r"55.* for patient b .*not percent"),
        ([None, 0.5], r"for patient a .*Leave out"),
        (["high", 0.2], r"'high' for patient a"),
    ],
)
def test_what_is_no_probability_is_refused_by_patient(values, message):
    X = pd.DataFrame({"app": values}, index=["a", "b"])
    model = ProbabilityColumn("app", 365, of="event").fit(X)
    with pytest.raises(InvalidInput, match=message):
        model.predict(X)
    with pytest.raises(InvalidInput, match=r"reads 'apps', which X lacks.*'app'"):
        ProbabilityColumn("apps", 365, of="event").fit(X)
    with pytest.raises(TypeError, match="of"):
        ProbabilityColumn("app", 365)
