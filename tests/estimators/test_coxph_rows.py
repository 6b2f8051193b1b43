"""Strata, intervals, clusters and causes of the Cox model."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from lifelines import CoxTimeVaryingFitter

from sarcfeat import CoxPH, make_y
from sarcfeat.exceptions import InvalidInput, NoEvents, SarcfeatWarning
from sarcfeat.io import load_model, save_model
from sarcfeat.survival import kaplan_meier, make_causes, pairs_at_risk, pairs_of_each
from tests.survival.cohorts import cohort


@pytest.fixture(scope="module")
def study():
    X, event, time = cohort(120, 2)
    X["site"] = np.where(np.arange(120) % 3, "Lyon", "Bordeaux")
    time = time * np.where(X["site"] == "Lyon", 3, 1)
    return X, make_y(event, time)


@pytest.fixture(scope="module")
def intervals():
    """Patients whose treatment changes once, at a time of their own."""
    rng = np.random.default_rng(2)
    n = 90
    size, change = rng.normal(size=n), rng.uniform(50, 600, n)
    time = np.ceil(rng.exponential(700 * np.exp(-0.5 * size)) + 1)
    event = rng.random(n) < 0.7
    rows = []
    for i in range(n):
        if change[i] < time[i]:
            cut = np.ceil(change[i]) - 0.5
            rows.append((i, 0.0, cut, False, size[i], 0.0))
            rows.append((i, cut, time[i], event[i], size[i], 1.0))
        else:
            rows.append((i, 0.0, time[i], event[i], size[i], 0.0))
    names = ["patient", "start", "stop", "event", "size", "treated"]
    return pd.DataFrame(rows, columns=names)


# lifelines calls pandas by an argument that pandas 4 takes by name only.
@pytest.mark.filterwarnings("ignore:Starting with pandas version 4")
def test_start_stop_rows_are_those_of_lifelines_and_statsmodels(intervals):
    X = intervals[["size", "treated", "start"]]
    y = make_y(intervals["event"], intervals["stop"])
    model = CoxPH(entry="start").fit(X, y)
    assert list(model.summary_.index) == ["size", "treated"]
    theirs = CoxTimeVaryingFitter()
    theirs.fit(
        intervals.astype({"event": int}), event_col="event", id_col="patient",
        start_col="start", stop_col="stop", fit_options={"precision": 1e-12},
    )  # fmt: skip
    np.testing.assert_allclose(model.coef_, theirs.params_, rtol=1e-6)
    np.testing.assert_allclose(model.se_, theirs.standard_errors_, rtol=1e-6)
    assert model.loglik_ == pytest.approx(theirs.log_likelihood_, rel=1e-9)
    again = sm.PHReg(
        intervals["stop"], X[["size", "treated"]], status=intervals["event"],
        entry=intervals["start"], ties="efron",
    ).fit()  # fmt: skip
    np.testing.assert_allclose(model.coef_, again.params, rtol=1e-5)
    np.testing.assert_allclose(model.se_, again.bse, rtol=1e-5)


def test_a_patient_cut_into_rows_is_the_same_patient(study):
    X, y = study
    X = X[["clinical.x0", "clinical.x1"]].assign(start=0.0)
    whole = CoxPH(entry="start").fit(X, y)
    middle = np.median(y["time"])
    long = y["time"] > middle
    late = X[long].assign(start=middle)
    early = make_y(np.where(long, False, y["event"]), np.minimum(y["time"], middle))
    both = pd.concat([X, late]), np.concatenate([early, y[long]])
    cut = CoxPH(entry="start").fit(*both)
    np.testing.assert_allclose(cut.coef_, whole.coef_, rtol=1e-8)
    np.testing.assert_allclose(cut.vcov_, whole.vcov_, rtol=1e-8)
    times = [3.0, 9.0, 30.0]
    np.testing.assert_allclose(
        cut.predict_survival_function(X[:3], times),
        whole.predict_survival_function(X[:3], times),
        rtol=1e-8,
    )
    plain = CoxPH().fit(X[["clinical.x0", "clinical.x1"]], y)
    np.testing.assert_allclose(plain.coef_, whole.coef_, rtol=1e-9)
    assert plain.concordance_.c_index == whole.concordance_.c_index
    test = whole.proportional_hazards_test(X, y)
    expected = plain.proportional_hazards_test(X[["clinical.x0", "clinical.x1"]], y)
    pd.testing.assert_frame_equal(test, expected)


def test_clusters_of_rows_give_the_errors_of_patients(intervals):
    y = make_y(intervals["event"], intervals["stop"])
    X = intervals[["size", "start", "patient"]]
    model = CoxPH(entry="start", cluster="patient").fit(X, y)
    last = intervals.groupby("patient").tail(1)
    whole = make_y(last["event"], last["stop"])
    patients = CoxPH(robust=True).fit(last[["size"]], whole)
    np.testing.assert_allclose(model.coef_, patients.coef_, rtol=1e-8)
    np.testing.assert_allclose(model.se_, patients.se_, rtol=1e-7)


def test_a_weight_of_two_is_a_row_twice_and_a_cluster_its_jackknife(study):
    X, y = study
    X = X.assign(id=np.arange(120))
    twice = np.repeat(np.arange(120), 2)
    # After Breslow; Efron's ties make two rows at one time of one weight of two.
    one = CoxPH("breslow").fit(X[["clinical.x0"]], y, np.full(120, 2.0))
    two = CoxPH("breslow").fit(X.iloc[twice][["clinical.x0"]], y[twice])
    np.testing.assert_allclose(one.coef_, two.coef_, rtol=1e-9)
    np.testing.assert_allclose(one.vcov_, two.vcov_, rtol=1e-9)
    once = CoxPH("breslow", robust=True).fit(X[["clinical.x0"]], y)
    rows = CoxPH("breslow", cluster="id").fit(
        X.iloc[twice][["clinical.x0", "id"]], y[twice]
    )
    np.testing.assert_allclose(rows.se_, once.se_, rtol=1e-8)
    assert rows.concordance_.se == pytest.approx(once.concordance_.se, rel=1e-9)


def test_strata_have_a_baseline_each_and_one_hazard_ratio(study):
    X, y = study
    model = CoxPH(strata="site").fit(X, y)
    assert list(model.summary_.index) == ["clinical.x0", "clinical.x1"]
    assert list(model.baselines_) == ["Bordeaux", "Lyon"]
    reference = pd.DataFrame([[*model.means_]] * 2, columns=X.columns[:2])
    reference["site"] = ["Lyon", "Bordeaux"]
    slow, fast = model.predict_survival_function(reference, [10.0])[:, 0]
    assert slow > fast + 0.05
    assert model.predict_survival_se(reference, [10.0]).shape == (2, 1)
    risk = model.predict(X.drop(columns="site"))
    np.testing.assert_array_equal(risk, model.predict(X))
    halves = [CoxPH(strata="site").fit(X[rows], y[rows]) for rows in _halves(X)]
    total = sum(half.loglik_null_ for half in halves)
    assert model.loglik_null_ == pytest.approx(total)
    alone = [CoxPH().fit(X[r].iloc[:, :2], y[r]) for r in _halves(X)]
    np.testing.assert_allclose(halves[0].coef_, alone[0].coef_)


def _halves(X):
    return [(X["site"] == "Lyon").to_numpy(), (X["site"] != "Lyon").to_numpy()]


def test_a_stratum_alone_is_its_breslow_curve(study):
    X, y = study
    with pytest.warns(SarcfeatWarning, match="X has no column"):
        model = CoxPH("breslow", strata="site").fit(X[["site"]], y)
    for name in ("Lyon", "Bordeaux"):
        rows = (X["site"] == name).to_numpy()
        found = model.predict_survival_function(X[rows][:1], [12.0])[0, 0]
        curve = kaplan_meier(y["event"][rows], y["time"][rows]).at([12.0])[0]
        assert found == pytest.approx(curve, abs=0.02)


def test_patients_are_compared_within_their_stratum(study):
    X, y = study
    model = CoxPH(strata=["site"]).fit(X, y)
    c = model.concordance_
    assert model.score(X, y) == c.c_index
    # A shift of one whole stratum moves every curve of it and no comparison in it.
    shifted = X.assign(**{"clinical.x0": X["clinical.x0"] + 5.0 * _halves(X)[0]})
    assert model.score(shifted, y) == pytest.approx(c.c_index, abs=1e-12)


def test_strata_of_an_array_are_told_by_number(study):
    X, y = study
    code = X.assign(site=(X["site"] == "Lyon") * 1.0)
    model = CoxPH(strata=2).fit(code.to_numpy(), y)
    named = CoxPH(strata="site").fit(X, y)
    np.testing.assert_allclose(model.coef_, named.coef_, rtol=1e-10)
    np.testing.assert_allclose(
        model.predict_survival_function(code.to_numpy()[:5], [9.0]),
        named.predict_survival_function(X[:5], [9.0]),
    )
    assert list(model.baselines_) == ["0", "1"]
    with pytest.raises(InvalidInput, match=r"array without names"):
        CoxPH(strata="site").fit(code.to_numpy(), y)
    with pytest.raises(InvalidInput, match=r"column 7; X has \(120, 3\)"):
        CoxPH(strata=7).fit(code.to_numpy(), y)


def test_strata_that_do_not_fit_are_named(study):
    X, y = study
    with pytest.raises(InvalidInput, match=r"'sites', which X lacks. Did you mean 'si"):
        CoxPH(strata="sites").fit(X, y)
    hole = X.set_axis([f"STS_{i:03d}" for i in range(120)])
    model = CoxPH(strata="site").fit(hole, y)
    new = hole[3:5].assign(site="Nice")
    with pytest.raises(InvalidInput, match=r"'Nice' of patient STS_003.*no basel"):
        model.predict_survival_function(new, [9.0])
    hole.loc["STS_007", "site"] = None
    with pytest.raises(InvalidInput, match=r"'site' of CoxPH is missing .* STS_007"):
        CoxPH(strata="site").fit(hole, y)
    quiet = y.copy()
    quiet["event"][_halves(X)[1]] = False
    with pytest.warns(SarcfeatWarning, match="Stratum Bordeaux has no event"):
        flat = CoxPH(strata="site").fit(X, quiet)
    assert (flat.predict_survival_function(X[:1], [1e9]) == 1).all()


def test_the_start_of_a_row_must_come_before_its_end(study):
    X, y = study
    X = X.drop(columns="site").assign(start=0.0)
    X.loc[4, "start"] = 1e6
    with pytest.raises(InvalidInput, match=r"not before time in 1 rows.*row 4"):
        CoxPH(entry="start").fit(X, y)
    X["start"] = X["start"].astype(object)
    X.loc[4, "start"] = "late"
    with pytest.raises(InvalidInput, match=r"'start' of CoxPH is no finite .* 'late'"):
        CoxPH(entry="start").fit(X, y)


def test_a_cause_is_its_own_hazard(study):
    X, y = study
    X = X.drop(columns="site")
    status = np.where(y["event"], 1 + np.arange(120) % 2, 0)
    codes = make_causes(status, y["time"])
    for cause in (1, 2):
        model = CoxPH(cause=cause).fit(X, codes)
        alone = CoxPH().fit(X, make_y(status == cause, y["time"]))
        pd.testing.assert_frame_equal(model.summary_, alone.summary_)
        assert model.score(X, codes) == alone.concordance_.c_index
        test = model.proportional_hazards_test(X, codes)
        assert test.loc["GLOBAL", "df"] == 2
    with pytest.raises(InvalidInput, match=r"0: \d+.*CoxPH\(cause=1\)"):
        CoxPH().fit(X, codes)
    with pytest.raises(NoEvents, match=r"cause 3; the causes that occur are \[1, 2\]"):
        CoxPH(cause=3).fit(X, codes)


def test_a_stratified_model_goes_to_a_file_and_back(study, tmp_path):
    X, y = study
    model = CoxPH(strata="site").fit(X, y)
    back = load_model(save_model(model, tmp_path / "cox.skops", patients=["P1"]))
    np.testing.assert_array_equal(
        back.predict_survival_function(X, [9.0]),
        model.predict_survival_function(X, [9.0]),
    )


def test_without_a_late_entry_pairs_are_those_of_everybody():
    rng = np.random.default_rng(0)
    event, time = rng.random(60) < 0.6, np.ceil(rng.exponential(9, 60))
    risk, weight = rng.integers(0, 9, 60), rng.integers(1, 4, 60)
    expected = pairs_of_each(event, time, risk, weight)
    found = pairs_at_risk(event, time, np.zeros(60), risk, weight)
    np.testing.assert_allclose(found, expected)
