"""The univariable and multivariable table against the models it is made of."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import ConvergenceWarning

from sarcfeat import CoxPH, make_y
from sarcfeat.estimators import FirthCox
from sarcfeat.evaluate import cox_table
from sarcfeat.exceptions import InvalidInput, UnknownName


@pytest.fixture(scope="module")
def cohort():
    rng = np.random.default_rng(0)
    n = 160
    X = pd.DataFrame(
        {
            "age": rng.normal(60, 12, n),
            "grade": rng.choice(["I", "II", "III"], n),
            "chemo": rng.integers(0, 2, n).astype(float),
        },
        index=[f"P{i}" for i in range(n)],
    )
    hazard = np.exp(0.03 * X["age"] + 1.0 * (X["grade"] == "III"))
    return X, make_y(rng.random(n) < 0.7, rng.exponential(1000 / hazard) + 1)


def test_every_ratio_is_that_of_its_cox_model(cohort):
    X, y = cohort
    found = cox_table(X, y, reference={"grade": "II"}, multivariable=["age", "grade"])
    table = found.table.set_index(["variable", "level"])
    alone = CoxPH().fit(X[["age"]], y).summary_.loc["age"]
    row = table.loc[("age", "")]
    assert row["hr"] == pytest.approx(alone["hazard_ratio"])
    assert row["p"] == pytest.approx(alone["p"])
    dummies = pd.DataFrame({g: (X["grade"] == g).astype(float) for g in ("I", "III")})
    grade = CoxPH().fit(dummies, y).summary_
    assert table.loc[("grade", "III"), "hr"] == pytest.approx(
        grade.loc["III", "hazard_ratio"]
    )
    both = CoxPH().fit(X[["age"]].join(dummies), y).summary_
    np.testing.assert_allclose(
        table.loc[[("age", ""), ("grade", "I"), ("grade", "III")], "multi_hr"],
        both["hazard_ratio"],
    )
    assert table.loc[("grade", "II"), ["hr", "multi_hr"]].tolist() == [1, 1]
    assert np.isnan(table.loc[("chemo", ""), "multi_hr"])
    assert table.loc["grade", "n"].sum() == 160
    assert table.loc["grade", "events"].sum() == y["event"].sum()


def test_the_printed_table_says_reference_and_p(cohort):
    X, y = cohort
    found = cox_table(X, y)
    text = found.formatted()
    assert "1 (reference)" in text["HR (95% CI)"].tolist()
    assert (text["p"] == "<0.001").any()
    assert "by univariable p < 0.05 on the same" in str(found)
    assert "<table" in found.to_html()
    assert r"95\% CI" in found.to_latex()


def test_an_infinite_ratio_is_flagged_and_firth_stands_beside_it(cohort):
    X, y = cohort
    margin = np.where(y["event"], "R1", "R0")
    margin[:10] = "R1"
    found = cox_table(X.assign(margin=margin), y, multivariable=["age", "margin"])
    row = found.table.query("level == 'R1'").iloc[0]
    assert np.isinf(row["hr"])
    assert np.isinf(row["multi_hr"])
    assert np.isnan(row["p"])
    assert 1 < row["firth_ci_low"] < row["firth_hr"] < row["firth_ci_high"]
    assert any("complete separation" in note for note in found.notes)
    assert "infinite" in str(found)


def test_patients_left_out_and_few_events_are_said(cohort):
    X, y = cohort
    X, y = X[:24].copy(), y[:24]
    X.loc[["P0", "P1"], "age"] = np.nan
    found = cox_table(X, y, multivariable=["age", "grade", "chemo"])
    assert "age: 2 of 24 patients lack it and are left out." in found.notes
    said = [note for note in found.notes if "fewer than 10" in note]
    assert said[0].startswith("Alone")
    assert "grade" in said[0]
    assert "of the multivariable model" in said[1]
    assert found.table.attrs["notes"] == found.notes
    assert found.table.set_index("variable").loc["age", "n"] == 22
    assert found.events_per_variable < 10


def test_what_cannot_be_is_refused(cohort):
    X, y = cohort
    with pytest.raises(UnknownName, match=r"No variable 'ages'.*'age'"):
        cox_table(X, y, multivariable=["ages"])
    holes = X.copy()
    holes.loc[:"P79", "age"] = np.nan
    holes.loc["P80":, "chemo"] = np.nan
    with pytest.raises(InvalidInput, match="No patient has all of age, chemo"):
        cox_table(holes, y, multivariable=["age", "chemo"])


def test_a_firth_ratio_without_an_interval_is_no_reference(cohort):
    X, y = cohort
    found = cox_table(X[["age"]].assign(sex=["m", "f"] * (len(X) // 2)), y)
    found.table[["firth_hr", "firth_ci_low", "firth_ci_high"]] = np.nan
    found.table.loc[0, "firth_hr"] = 2.5
    text = found.formatted()
    assert text.loc[0, "Firth HR (95% CI)"] == "2.50"
    assert text["HR (95% CI)"].tolist()[1] == "1 (reference)"


def test_what_firth_warns_of_is_a_note(cohort, monkeypatch):
    def fit(self, X, y):
        warnings.warn("Maximum number of iterations.", ConvergenceWarning, stacklevel=2)
        return real(self, X, y)

    real = FirthCox.fit
    monkeypatch.setattr(FirthCox, "fit", fit)
    X, y = cohort
    margin = np.where(y["event"], "R1", "R0")
    margin[:10] = "R1"
    found = cox_table(X[[]].assign(margin=margin), y, multivariable=None)
    assert "margin: Maximum number of iterations." in found.notes
