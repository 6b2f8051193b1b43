"""Categories with named references, and their interactions."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from sarcfeat import CoxPH, make_y
from sarcfeat.estimators import StepwiseCox
from sarcfeat.exceptions import InvalidInput, SarcfeatWarning
from sarcfeat.transform import Categories

HISTOLOGY = {"histology": "M/RC-LPS"}


@pytest.fixture
def X():
    return pd.DataFrame(
        {
            "age": [50.0, 61.0, 70.0, 44.0],
            "histology": ["LMS", "UPS", "M/RC-LPS", "LMS"],
            "grade": pd.Categorical(
                ["II", "III", "I", "I"], categories=["I", "II", "III"]
            ),
            "site": ["A", "B", "A", "B"],
        },
        index=["P1", "P2", "P3", "P4"],
    )


def test_levels_stand_against_the_named_reference(X):
    coder = Categories(HISTOLOGY).fit(X)
    out = coder.transform(X)
    assert list(out) == [
        "age",
        "histology=LMS",
        "histology=UPS",
        "grade=II",
        "grade=III",
        "site",
    ]
    assert list(coder.get_feature_names_out()) == list(out)
    assert out["histology=LMS"].tolist() == [1, 0, 0, 1]
    assert out["grade=III"].tolist() == [0, 1, 0, 0]
    assert out["site"].tolist() == ["A", "B", "A", "B"]
    assert coder.levels_["histology"] == ["M/RC-LPS", "LMS", "UPS"]


def test_a_product_of_two_categories_is_that_of_their_columns(X):
    coder = Categories(
        HISTOLOGY, interactions=[("histology", "grade"), ("age", "grade")]
    )
    out = coder.fit_transform(X)
    assert out["histology=UPS:grade=III"].tolist() == [0, 1, 0, 0]
    assert out["age:grade=II"].tolist() == [50, 0, 0, 0]
    assert len(coder.terms_["histology:grade"]) == 4
    assert list(coder.get_feature_names_out()) == list(out)


def test_the_model_equals_one_with_dummies_made_by_hand():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"grade": rng.choice(["I", "II", "III"], 90)})
    scale = 100 * np.exp(-1.5 * (X["grade"] == "III"))
    y = make_y(rng.random(90) < 0.8, rng.exponential(scale))
    model = make_pipeline(Categories(), CoxPH()).fit(X, y)
    dummies = pd.get_dummies(X["grade"], drop_first=True).astype(float)
    np.testing.assert_allclose(
        model.predict(X), CoxPH().fit(dummies, y).predict(dummies), rtol=1e-10
    )
    coder = Categories().fit(X)
    stepwise = StepwiseCox(terms=coder.terms_).fit(coder.transform(X), y)
    assert stepwise.selected_ == ["grade"]


def test_fault_085_a_level_that_training_did_not_have(X):
    coder = Categories(HISTOLOGY).fit(X.iloc[[0, 2, 3]])
    with pytest.raises(
        InvalidInput, match=r"'histology' is 'UPS' for patient P2.*known"
    ):
        coder.transform(X)
    lenient = clone(coder).set_params(unseen="reference").fit(X.iloc[[0, 2, 3]])
    with pytest.warns(SarcfeatWarning, match="Counted to the reference 'M/RC-LPS'"):
        out = lenient.transform(X.assign(grade="I"))
    assert "histology=UPS" not in out
    assert out.loc["P2", "histology=LMS"] == 0


def test_missing_categories_are_refused_by_patient_or_made_a_level(X):
    X.loc["P3", "histology"] = None
    with pytest.raises(InvalidInput, match=r"'histology' has no category.*P3"):
        Categories().fit(X)
    out = Categories(missing="level").fit_transform(X)
    assert out.loc["P3", "histology=missing"] == 1


def test_a_category_of_one_level_is_dropped_and_said(X):
    coder = Categories().fit(X.assign(histology="UPS"))
    assert coder.dropped_.to_dict("records") == [
        {"feature": "histology", "reason": "every patient is 'UPS'"}
    ]
    assert coder.terms_["histology"] == []


def test_numbers_become_categories_where_a_reference_is_named(X):
    X["phase"] = [1.0, 2.0, 3.0, 1.0]
    out = Categories({"phase": "2", **HISTOLOGY}).fit_transform(X)
    assert {"phase=1", "phase=3"} <= set(out)


def test_names_that_are_not_there_are_refused(X):
    with pytest.raises(InvalidInput, match=r"'histolgy', which X lacks.*'histology'"):
        Categories({"histolgy": "LMS"}).fit(X)
    with pytest.raises(InvalidInput, match=r"no patient of the reference level 'lms'"):
        Categories({"histology": "lms"}).fit(X)


def test_names_are_refused_where_columns_have_none():
    with pytest.raises(InvalidInput, match=r"name columns.*array without names"):
        Categories(interactions=[("age", "grade")]).fit(np.ones((3, 2)))


def test_an_interaction_bends_the_hazard_ratio_of_one_by_the_other():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {"age": rng.normal(size=600), "grade": rng.choice(["low", "high"], 600)}
    )
    slope = np.where(X["grade"] == "high", 1.0, 0.0)
    y = make_y(np.ones(600), rng.exponential(np.exp(-slope * X["age"])) + 1e-6)
    coder = Categories({"grade": "low"}, interactions=[("age", "grade")])
    table = make_pipeline(coder, CoxPH()).fit(X, y)[-1].summary_
    assert list(table.index) == ["age", "grade=high", "age:grade=high"]
    assert table.loc["age:grade=high", "coef"] == pytest.approx(1, abs=0.2)
    assert abs(table.loc["age", "coef"]) < 0.2
