"""Table 2 of the papers, and models judged on cohorts they never saw."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline

from sarcfeat import CoxPH, make_y
from sarcfeat.estimators import SurvivalSVM
from sarcfeat.evaluate import cox_table, external_validation, prognostic_table
from sarcfeat.exceptions import InvalidInput, NoComparablePairs, UnknownName
from sarcfeat.metrics import bootstrap_concordance_difference, concordance
from sarcfeat.survival import gray_test, kaplan_meier, logrank


@pytest.fixture(scope="module")
def study():
    rng = np.random.default_rng(3)
    n = 240
    names = [f"P{i:03}" for i in range(n)]
    X = pd.DataFrame(
        {
            "score": pd.Categorical(np.where(rng.random(n) < 0.5, "low", "high")),
            "size_mm": rng.gamma(4, 20, n),
            "histology": rng.choice(["LMS", "UPS", "other"], n),
        },
        index=names,
    )
    X["score"] = X["score"].cat.set_categories(["low", "high"])
    rate = np.exp(0.9 * (X["score"] == "high").to_numpy() + 0.01 * X["size_mm"])
    first, death = rng.exponential(3000 / rate), rng.exponential(4000, n)
    end = np.full(n, 1500.0)
    time = np.minimum(np.minimum(first, death), end)
    event = np.select([first == time, death == time], [1, 2], 0)
    mfs = pd.DataFrame({"time": time, "event": event}, index=names)
    os = pd.DataFrame({"time": np.minimum(death, end), "event": death < end}, names)
    cohort = pd.Series(np.repeat(["training", "here", "there"], 80), index=names)
    return X, {"mfs": mfs, "os": os.astype({"event": int})}, cohort


def test_the_numbers_are_those_of_each_method_on_its_own(study):
    X, outcomes, cohort = study
    found = prognostic_table(
        X, outcomes, time=730, cohort=cohort, reference={"histology": "other"}
    )
    table = found.table
    assert set(table["cohort"]) == {"training", "here", "there"}
    here = (cohort == "here").to_numpy()
    mfs, high = outcomes["mfs"][here], (X["score"] == "high").to_numpy()[here]
    row = table.query(
        "cohort == 'here' and endpoint == 'mfs' and variable == 'score'"
    ).set_index("level")
    y = make_y(mfs["event"] == 1, mfs["time"])
    curve = kaplan_meier(y["event"][high], y["time"][high], "log-log")
    assert row.loc["high", "survival"] == curve.at([730])[0]
    assert row["logrank_p"].iloc[0] == pytest.approx(
        logrank(y["event"], y["time"], high).p_value, rel=1e-9
    )
    alone = cox_table(X.loc[here, ["score"]], y, multivariable=None).table
    assert row.loc["high", "hr"] == alone.set_index("level").loc["high", "hr"]
    gray = gray_test(mfs["event"], mfs["time"], high)
    assert row["gray_p"].iloc[0] == pytest.approx(gray.p_value, rel=1e-9)
    # Nothing competes with death, and a measurement has no levels.
    assert table.query("endpoint == 'os'")["incidence"].isna().all()
    assert table.query("variable == 'size_mm'")["survival"].isna().all()
    assert (table.query("level == 'other'")["hr"] == 1).all()


def test_an_infinite_ratio_is_flagged_and_firths_is_beside_it(study):
    X, outcomes, _ = study
    mfs = outcomes["mfs"].copy()
    mfs.loc[(X["score"] == "low").to_numpy(), "event"] = 0
    found = prognostic_table(X[["score"]], {"mfs": mfs}, time=730)
    high = found.table.set_index("level").loc["high"]
    assert np.isinf(high["hr"])
    assert 1 < high["firth_hr"] < 1e4
    assert any("no finite estimate" in note for note in found.notes)
    text = found.formatted()
    assert "infinite" in text.loc[1, "HR (95% CI)"]
    assert "Firth HR (95% CI)" in text.columns


def test_a_cohort_in_which_nothing_competes_has_an_incidence_too(study):
    X, outcomes, cohort = study
    mfs = outcomes["mfs"].copy()
    away = (cohort == "there").to_numpy()
    mfs.loc[away & (mfs["event"] == 2).to_numpy(), "event"] = 0
    found = prognostic_table(X[["score"]], {"mfs": mfs}, time=730, cohort=cohort)
    rows = found.table.query("cohort == 'there'")
    assert rows["gray_p"].notna().all()
    np.testing.assert_allclose(rows["incidence"], 1 - rows["survival"])
    text = found.formatted()
    assert text.loc[text["level"] == "low", "HR (95% CI)"].eq("1 (reference)").all()


def test_what_holds_for_several_variables_is_said_once(study):
    X, outcomes, _ = study
    mfs = outcomes["mfs"].copy()
    mfs.loc[(X["score"] == "low").to_numpy(), "event"] = 0
    data = X[["score"]].assign(again=X["score"], one="a", same="b")
    notes = prognostic_table(data, {"mfs": mfs}, time=730).notes
    assert [note for note in notes if "no finite estimate" in note] == [
        "all patients, mfs: score, again: a hazard ratio has no finite estimate "
        "(complete separation); Firth's is given beside it."
    ]
    assert sum(note.startswith("all patients, mfs: one, same: ") for note in notes) == 1


def test_few_events_are_said_with_their_cohort_and_endpoint(study):
    X, outcomes, cohort = study
    mfs = outcomes["mfs"].copy()
    mfs.loc[(cohort == "here").to_numpy(), "event"] = 0
    there = np.flatnonzero(cohort == "there")
    mfs.iloc[there, 1] = 0
    mfs.iloc[there[::8], 1] = 1
    mfs.iloc[there[3], 0] = np.nan
    found = prognostic_table(X, {"mfs": mfs}, time=730, cohort=cohort)
    assert "here, mfs: 0 events; nothing is tested." in found.notes
    assert any(
        note.startswith("there, mfs: Alone, fewer than 10 events per coefficient")
        for note in found.notes
    )
    assert "there, mfs: 1 of 80 patients have no outcome." in found.notes
    found = prognostic_table(
        X[X["histology"] != "LMS"],
        {"mfs": mfs},
        time=730,
        reference={"histology": "LMS"},
    )
    assert any("histology: nobody is LMS" in note for note in found.notes)
    with pytest.raises(InvalidInput, match=r"'mfs' lacks the columns event"):
        prognostic_table(X, {"mfs": mfs[["time"]]}, time=730)


def chain(*names):
    return make_pipeline(
        ColumnTransformer([("kept", "passthrough", list(names))]), CoxPH()
    )


def test_cohorts_are_told_in_their_own_order(study):
    X, outcomes, cohort = study
    mfs = outcomes["mfs"]
    y = make_y(mfs["event"] == 1, mfs["time"])
    names = sorted(set(cohort), reverse=True)
    where = pd.Series(pd.Categorical(cohort, names), cohort.index)
    found = external_validation(
        {"size": chain("size_mm")}, X, y, where, train="training", n_bootstrap=2
    )
    told = ["training", *(name for name in names if name != "training")]
    assert list(found.formatted().columns[1:]) == told


def test_models_are_fitted_on_the_training_patients_alone(study):
    X, outcomes, cohort = study
    data = X.assign(high=(X["score"] == "high").astype(float)).drop(columns="score")
    mfs = outcomes["mfs"]
    y = make_y(mfs["event"] == 1, mfs["time"])
    models = {"size": chain("size_mm"), "both": chain("size_mm", "high")}
    args = {"train": "training", "at": 730, "n_bootstrap": 100}
    found = external_validation(models, data, y, cohort, **args)
    poisoned, other = y.copy(), data.copy()
    away = (cohort != "training").to_numpy()
    poisoned["event"][away] = ~poisoned["event"][away]
    other.loc[away, "size_mm"] = 900.0
    again = external_validation(models, other, poisoned, cohort, **args)
    coef = [f.fitted["both"].steps[-1][1].coef_ for f in (found, again)]
    assert coef[0].tobytes() == coef[1].tobytes()

    here = (cohort == "here").to_numpy()
    row = found.table.set_index(["model", "cohort"]).loc[("both", "here")]
    event, time = y["event"][here], y["time"][here]
    c = concordance(event, time, found.risk.loc[here, "both"])
    assert (row["c_index"], row["ci_low"]) == (c.c_index, c.ci_low)
    assert row["how"] == "external"
    assert 0 < row["observed"] < 1
    pair = found.differences.set_index("cohort").loc["here"]
    same = bootstrap_concordance_difference(
        event,
        time,
        found.risk.loc[here, "size"],
        found.risk.loc[here, "both"],
        n_bootstrap=100,
        random_state=0,
    )
    assert (pair["delta"], pair["p"]) == (same.delta, same.p)
    assert found.formatted().columns.tolist() == ["model", "training", "here", "there"]


def test_a_calibration_that_cannot_be_told_says_why():
    rng = np.random.default_rng(5)
    X = pd.DataFrame({"size": rng.normal(size=90)})
    cohort = pd.Series(np.repeat(["training", "short", "silent"], 30))
    y = make_y(np.ones(90), rng.exponential(500 * np.exp(-X["size"])).clip(1, 900))
    y["time"][30:60] = np.minimum(y["time"][30:60], 50)
    y["event"][60:] = False
    models = {"cox": CoxPH(), "svm": SurvivalSVM(random_state=0)}
    with pytest.warns(NoComparablePairs):
        found = external_validation(
            models, X, y, cohort, train="training", at=100, n_bootstrap=2
        )
    why = found.table.set_index(["model", "cohort"])["why"]
    known = found.table.set_index(["model", "cohort"])["calibration_slope"].notna()
    assert known[known].index.tolist() == [("cox", "training")]
    assert why["cox", "training"] == ""
    assert why["cox", "short"] == "follow-up ends at 50, before 100"
    assert why["cox", "silent"] == "there are fewer than 2 events (0)"
    assert "predicts a risk and no survival" in why["svm", "training"]
    assert "'cox' in 'short': no calibration, for follow-up ends" in str(found.notes)
    assert "'silent' (30 patients, 0 events): no c-index" in str(found.notes)


def test_a_cohort_that_is_none_is_named(study):
    X, outcomes, cohort = study
    y = make_y(outcomes["os"]["event"], outcomes["os"]["time"])
    with pytest.raises(UnknownName, match="trainning"):
        external_validation({"m": CoxPH()}, X, y, cohort, train="trainning")


@pytest.mark.parametrize("seed", [50, 51])
def test_too_few_events_even_for_firth_cost_their_own_row_only(seed):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"histology": rng.choice(list("abcdefg"), 20)})
    time, event = rng.exponential(900, 20), np.zeros(20, int)
    event[rng.choice(20, 4, replace=False)] = 1
    mfs = pd.DataFrame({"time": time, "event": event})
    found = prognostic_table(X.assign(age=time), {"mfs": mfs}, time=365)
    said = {50: "cannot be followed", 51: "cannot be fitted on 20 patients"}[seed]
    assert any("histology" in note and said in note for note in found.notes)
    assert np.isfinite(found.table.set_index("variable").loc["age", "hr"])


def test_a_level_that_was_not_followed_so_long_is_said(study):
    X, outcomes, _ = study
    mfs = outcomes["mfs"].copy()
    low = (X["score"] == "low").to_numpy()
    mfs.loc[low, "time"] = mfs.loc[low, "time"].clip(upper=300)
    mfs.loc[low & (mfs["time"] == 300).to_numpy(), "event"] = 0
    found = prognostic_table(X[["score", "size_mm"]], {"mfs": mfs}, time=730)
    assert found.table.query("level == 'low'")["survival"].isna().all()
    assert (
        "all patients, mfs: score: where survival is blank, nobody of the level was "
        "followed that long."
    ) in found.notes
    before = prognostic_table(X[["score", "size_mm"]], {"mfs": mfs}, time=200)
    assert not [note for note in before.notes if "blank" in note]
