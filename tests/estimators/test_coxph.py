import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.util import Surv

from sarcfeat import CoxPH, make_y
from sarcfeat.exceptions import (
    InvalidInput,
    NoEvents,
    NotConverged,
    NothingSelected,
    SarcfeatWarning,
)
from sarcfeat.survival import count_pairs
from tests.survival.cohorts import cohort


@pytest.fixture
def study():
    X, event, time = cohort(80, 3, tied=True)
    return X, make_y(event, time)


def test_higher_is_worse(study):
    X, y = study
    model = CoxPH().fit(X, y)
    pairs = count_pairs(y["event"], y["time"], model.predict(X))
    assert model.score(X, y) == pairs.c_index == model.concordance_.c_index > 0.6
    alone = pd.DataFrame({"x": -y["time"]})
    jittered = alone + np.random.default_rng(0).normal(0, 20, (80, 1))
    assert CoxPH().fit(jittered, y).coef_[0] > 0


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_predictions_are_those_of_scikit_survival(study, ties):
    X, y = study
    theirs = CoxPHSurvivalAnalysis(ties=ties, tol=1e-12, n_iter=200)
    theirs.fit(X, Surv.from_arrays(y["event"], y["time"]))
    ours = CoxPH(ties).fit(X, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-7)
    difference = ours.predict(X) - theirs.predict(X)
    np.testing.assert_allclose(difference, difference[0], atol=1e-6)


def test_summary_holds_what_a_paper_prints(study):
    X, y = study
    table = CoxPH(level=0.9).fit(X, y).summary_
    assert list(table.index) == list(X)
    np.testing.assert_allclose(table["hazard_ratio"], np.exp(table["coef"]))
    centre = np.sqrt(table["ci_low"] * table["ci_high"])
    np.testing.assert_allclose(centre, table["hazard_ratio"])
    width = np.log(table["ci_high"] / table["ci_low"]) / table["se"]
    np.testing.assert_allclose(width, 2 * 1.6448536, rtol=1e-6)


def test_curves_fall_and_order_by_risk(study):
    X, y = study
    model = CoxPH().fit(X, y)
    times = [3.0, 6.0, 12.0, 1e6]
    curves = model.predict_survival_function(X, times)
    assert curves.shape == (80, 4)
    assert ((curves >= 0) & (curves <= 1)).all()
    assert (np.diff(curves, axis=1) <= 0).all()
    order = np.argsort(model.predict(X))
    assert (np.diff(curves[order], axis=0) <= 0).all()
    hazard = model.predict_cumulative_hazard(X, times)
    np.testing.assert_allclose(np.exp(-hazard), curves)
    errors = model.predict_survival_se(X, times)
    assert (errors >= 0).all()
    assert errors.shape == curves.shape


def test_error_of_a_curve_is_what_a_bootstrap_sees():
    X, event, time = cohort(150, 1)
    y, at = make_y(event, time), [float(np.median(time))]
    model = CoxPH().fit(X, y)
    rng, found = np.random.default_rng(0), []
    for _ in range(60):
        rows = rng.integers(0, 150, 150)
        again = CoxPH("breslow").fit(X.iloc[rows], y[rows])
        found.append(again.predict_survival_function(X[:1], at)[0, 0])
    assert model.predict_survival_se(X[:1], at)[0, 0] == pytest.approx(
        np.std(found), rel=0.35
    )


def test_baseline_is_of_the_reference_patient(study):
    X, y = study
    X = X.assign(male=np.arange(80) % 2)
    model = CoxPH().fit(X, y)
    reference = pd.DataFrame([model.means_], columns=list(X))
    assert model.predict(reference)[0] == pytest.approx(0, abs=1e-12)
    assert model.means_[-1] == 0  # an indicator is not averaged
    assert model.linear_center_ == pytest.approx(model.means_ @ model.coef_)
    curve = model.predict_survival_function(reference, [6.0])
    assert curve[0, 0] == pytest.approx(np.exp(-model.baseline_.at([6.0])[0]))


def test_columns_are_found_by_name(study):
    X, y = study
    model = CoxPH().fit(X, y)
    shuffled = X.iloc[:, ::-1].assign(extra=1.0)
    np.testing.assert_array_equal(model.predict(shuffled), model.predict(X))
    with pytest.raises(InvalidInput, match=r"lacks 1 of them: clinical\.x1"):
        model.predict(X.drop(columns="clinical.x1"))


def test_a_frame_without_columns_predicts_a_constant(study):
    X, y = study
    with pytest.warns(NothingSelected, match="X has no column"):
        model = CoxPH().fit(X.iloc[:, :0], y)
    assert (model.predict(X) == 0).all()
    assert model.score(X, y) == 0.5
    assert model.predict_survival_function(X, [6.0]).shape == (80, 1)
    assert len(model.summary_) == len(model.ranges_) == 0
    assert model.lr_test_ == (0.0, 0, 1.0)


def test_text_is_refused(study):
    X, y = study
    with pytest.raises(InvalidInput, match="site hold text"):
        CoxPH().fit(X.assign(site="Bordeaux"), y)


def test_missing_values_are_named_with_column_and_patient(study):
    X, y = study
    model = CoxPH().fit(X, y)
    X = X.set_axis([f"STS_{i:03d}" for i in range(80)])
    X.loc["STS_004", "clinical.x1"] = np.nan
    expected = r"NaN in 1 columns: clinical\.x1 \(1 patients\); first patients: STS_004"
    with pytest.raises(InvalidInput, match=expected):
        CoxPH().fit(X, y)
    with pytest.raises(InvalidInput, match=expected):
        model.predict(X)


def test_too_many_columns_are_refused_with_the_ratio():
    X, event, time = cohort(10, 20)
    with pytest.raises(
        InvalidInput, match=r"20 columns .* 10 patients \(0\.50 patients"
    ):
        CoxPH().fit(X, make_y(event, time))


def test_no_event_is_refused():
    with pytest.raises(NoEvents, match="0 events among 3 patients"):
        CoxPH().fit(np.arange(3.0)[:, None], make_y([0, 0, 0], [1, 2, 3]))


def test_separation_is_named(study):
    X, y = study
    with pytest.warns(NotConverged, match=r"clinical\.dead runs to infinity"):
        CoxPH().fit(X.assign(**{"clinical.dead": y["event"] * 1.0}), y)


def test_a_constant_column_gets_no_coefficient_and_is_named(study):
    X, y = study
    with pytest.warns(SarcfeatWarning, match="grade: constant"):
        model = CoxPH().fit(X.assign(grade=3.0), y)
    assert model.aliased_ == ["grade"]
    assert model.coef_[-1] == 0
    assert np.isnan(model.summary_.loc["grade", "se"])
    plain = CoxPH().fit(X, y)
    np.testing.assert_allclose(model.coef_[:3], plain.coef_, rtol=1e-9)
    np.testing.assert_allclose(
        model.predict_survival_se(X.assign(grade=3.0), [6.0]),
        plain.predict_survival_se(X, [6.0]),
        rtol=1e-7,
    )


def test_weight_zero_is_absence(study):
    X, y = study
    weight = np.r_[np.zeros(10), np.ones(70)]
    one = CoxPH().fit(X, y, sample_weight=weight)
    two = CoxPH().fit(X.iloc[10:], y[10:])
    np.testing.assert_allclose(one.coef_, two.coef_, rtol=1e-9)
    assert one.n_events_ == two.n_events_
    pd.testing.assert_frame_equal(one.ranges_, two.ranges_)
    with pytest.raises(InvalidInput, match=r"expected \(80,\)"):
        CoxPH().fit(X, y, sample_weight=[1.0])


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_robust_errors_are_the_infinitesimal_jackknife(ties):
    X, event, time = cohort(40, 2)
    y, step = make_y(event, time), 1e-5
    model = CoxPH(ties, robust=True).fit(X, y)
    slopes = []
    for i in range(40):
        weight = np.ones(40)
        weight[i] += step
        moved = CoxPH(ties).fit(X, y, sample_weight=weight)
        slopes.append((moved.coef_ - model.coef_) / step)
    expected = np.sqrt((np.array(slopes) ** 2).sum(axis=0))
    np.testing.assert_allclose(model.se_, expected, rtol=1e-3)


def test_ranges_are_those_of_datadist():
    rng = np.random.default_rng(0)
    n = 300
    X = pd.DataFrame(
        {
            "age": rng.normal(60, 12, n),
            "grade": np.arange(n) % 3 + 1.0,
            "male": np.arange(n) % 2,
            "rare": np.where(np.arange(n) % 60 == 0, np.arange(n) / 60, 0.0),
        }
    )
    event = (rng.random(n) < 0.6) | (X["rare"] > 0)
    y = make_y(event, rng.exponential(size=n) + 0.01)
    ranges = CoxPH().fit(X, y).ranges_
    expected = np.quantile(X["age"], [10 / n, 1 - 10 / n])
    np.testing.assert_allclose(
        ranges.loc["age", ["low", "high"]].astype(float), expected
    )
    assert ranges.loc["age", "levels"] is None
    assert ranges.loc["grade", "levels"] == (1.0, 2.0, 3.0)
    assert ranges.loc["male", "levels"] == (0.0, 1.0)
    assert ranges.loc["rare", ["low", "high"]].tolist() == [0.0, 4.0]
    assert ranges.loc["age", "median"] == X["age"].median()


def test_martingale_residuals_and_the_proportional_hazards_test(study):
    X, y = study
    model = CoxPH().fit(X, y)
    residuals = model.martingale_residuals(X, y)
    assert residuals.sum() == pytest.approx(0, abs=1e-8)
    assert residuals.max() < 1
    table = model.proportional_hazards_test(X, y, transform="rank")
    assert list(table.index) == [*X, "GLOBAL"]
    assert table["p"].between(0, 1).all()


def test_a_fitted_model_keeps_no_patient_and_survives_copying(study):
    X, y = study
    model = CoxPH().fit(X, y)
    kept = pickle.dumps(model)
    again = pickle.loads(kept)
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    copied = clone(copy.deepcopy(model))
    assert copied.get_params() == model.get_params()
    parts = [vars(model), vars(model.baseline_), vars(model.concordance_)]
    arrays = [v for part in parts for v in part.values() if isinstance(v, np.ndarray)]
    assert all(len(array) < len(X) for array in arrays)


def test_bad_parameters_are_refused(study):
    X, y = study
    with pytest.raises(ValueError, match="'ties' parameter of CoxPH must be a str"):
        CoxPH("exact").fit(X, y)
    with pytest.raises(ValueError, match="'level' parameter of CoxPH"):
        CoxPH(level=95).fit(X, y)
