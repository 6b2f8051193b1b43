"""Every number of the tables is computed again here, by hand, from what was kept."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline

from sarcfeat import CoxPH, make_y
from sarcfeat.evaluate import (
    comparison_table,
    leave_one_site_out,
    metric_table,
    nested_cv,
    optimism_corrected,
)
from sarcfeat.exceptions import InvalidInput, NoEvents, UnknownName
from sarcfeat.metrics import (
    adjust_p,
    brier,
    concordance,
    concordance_difference,
    corrected_resampled_t,
    decision_curve_survival,
    delong_test,
    integrated_brier,
    nested_cox_test,
    survival_calibration,
    time_dependent_auc,
    uno_concordance,
)
from sarcfeat.nomogram import ProbabilityColumn
from sarcfeat.survival import SurvivalMixin, censoring_curve

TIMES = (150.0, 300.0, 450.0, 600.0)
AT = 450.0


class RiskOnly(SurvivalMixin, BaseEstimator):
    """A model without survival curves."""

    def fit(self, X, y):
        self.fitted_ = True
        return self

    def predict(self, X):
        return X["size"].to_numpy() + 0.5 * X["age"].to_numpy()


def app(name):
    """Return a column of somebody's app: nothing is fitted."""
    return ProbabilityColumn(name, 365, of="event")


def only(*names):
    return make_pipeline(
        ColumnTransformer([("keep", "passthrough", list(names))]), CoxPH()
    )


@pytest.fixture(scope="module")
def kept():
    rng = np.random.default_rng(7)
    X = pd.DataFrame(
        rng.normal(size=(90, 2)),
        columns=["size", "age"],
        index=pd.Index([f"P{i:03}" for i in range(90)], name="patient"),
    )
    time = rng.exponential(np.exp(-1.3 * X["size"].to_numpy())) * 365
    stop = rng.uniform(100, 1500, size=90)
    y = make_y(time <= stop, np.minimum(time, stop))
    models = {
        "size": only("size"),
        "age": only("age"),
        "risk": RiskOnly(),
    }
    return nested_cv(
        models,
        X,
        y,
        n_splits=3,
        n_repeats=2,
        times=TIMES,
        random_state=1,
        progress=False,
    )


@pytest.fixture(scope="module")
def table(kept):
    found = metric_table(kept, at=AT, threshold=0.4, n_bootstrap=60)
    return found.set_index(["model", "metric"])


def repeats(kept, model):
    """Yield event, time, fold, risk and survival of each repeat, by hand."""
    rows = kept.predictions[kept.predictions["model"] == model]
    for _, repeat in rows.groupby("repeat"):
        outcome = kept.outcome.loc[repeat["patient"]]
        survival = repeat[[f"survival_{t:g}" for t in TIMES]].to_numpy()
        yield (
            outcome["event"].to_numpy(),
            outcome["time"].to_numpy(),
            repeat["fold"].to_numpy(),
            repeat["risk"].to_numpy(),
            survival,
        )


def test_survival_is_kept_of_models_that_give_it(kept):
    assert kept.times == TIMES
    size = kept.survival("size")
    assert size.shape == (2, 90, 4)
    assert ((size > 0) & (size < 1)).all()
    assert (np.diff(size, axis=2) <= 0).all()
    assert kept.survival("risk") is None


def test_the_c_index_is_that_of_c_index(kept, table):
    found = kept.c_index(n_bootstrap=60).set_index("model")
    for model in kept.models:
        row = table.loc[(model, "harrell_c")]
        assert row["value"] == found.loc[model, "c_index"]
        assert row["ci_low"] == found.loc[model, "ci_low"]
        assert row["ci_high"] == found.loc[model, "ci_high"]


def test_uno_and_auc_are_pairs_within_folds(kept, table):
    curve = censoring_curve(
        kept.outcome["event"].to_numpy(), kept.outcome["time"].to_numpy()
    )
    uno, area = [], []
    for event, time, fold, risk, _ in repeats(kept, "size"):
        sums = np.zeros(4)
        for i in np.flatnonzero(event):
            weight = 1 / curve.before(time[i : i + 1])[0]
            for j in np.flatnonzero(fold == fold[i]):
                agrees = (risk[i] > risk[j]) + 0.5 * (risk[i] == risk[j])
                if AT >= time[i] < time[j]:
                    sums[:2] += weight**2 * np.array([agrees, 1])
                if time[i] <= AT < time[j]:
                    sums[2:] += weight * np.array([agrees, 1])
        uno.append(sums[0] / sums[1])
        area.append(sums[2] / sums[3])
    assert table.loc[("size", "uno_c"), "value"] == pytest.approx(np.mean(uno))
    assert table.loc[("size", "tdauc"), "value"] == pytest.approx(np.mean(area))


def test_one_fold_gives_the_measures_of_one_sample(kept):
    """With one fold a repeat the table is what the measures give on one sample."""
    one = kept.predictions.query("model == 'size' and repeat == 0").assign(fold=0)
    single = type(kept)(one, kept.outcome, kept.fits, 1, 1, TIMES)
    found = metric_table(single, at=AT, n_bootstrap=20).set_index("metric")["value"]
    outcome = kept.outcome.loc[one["patient"]]
    event, time = outcome["event"].to_numpy(), outcome["time"].to_numpy()
    risk = one["risk"].to_numpy()
    assert found["harrell_c"] == pytest.approx(concordance(event, time, risk).c_index)
    uno = uno_concordance(event, time, risk, until=AT)
    assert found["uno_c"] == pytest.approx(uno.c_index)
    everything = metric_table(single, metrics=["uno_c"], n_bootstrap=20)
    uno = uno_concordance(event, time, risk)
    assert everything.loc[0, "value"] == pytest.approx(uno.c_index)
    area = time_dependent_auc(event, time, risk, [AT], convention="riskRegression")
    assert found["tdauc"] == pytest.approx(area.auc[0])


def test_brier_slope_and_net_benefit_are_means_over_repeats(kept, table):
    ibs, slope, benefit = [], [], []
    for event, time, _, _, survival in repeats(kept, "size"):
        ibs.append(integrated_brier(brier(event, time, survival, TIMES)).ibs)
        at = survival[:, TIMES.index(AT)]
        slope.append(survival_calibration(event, time, at, AT).slope)
        curve = decision_curve_survival(event, time, {"m": 1 - at}, AT, [0.4])
        benefit.append(curve.set_index("model").loc["m", "net_benefit"])
    for metric, values in (
        ("ibs", ibs),
        ("calibration_slope", slope),
        ("net_benefit", benefit),
    ):
        assert table.loc[("size", metric), "value"] == pytest.approx(np.mean(values))


def test_intervals_hold_the_values_and_say_how(table):
    rows = table.loc[["size", "age"]]
    assert (rows["ci_low"] < rows["value"]).all()
    assert (rows["value"] < rows["ci_high"]).all()
    assert rows["how"].str.contains("2 x 3-fold").all()
    assert rows["how"].str.contains(r"bootstrap over patients \(60\)").all()
    assert (rows["constant_folds"] == 0).all()
    assert (rows["folds"] == 6).all()
    for metric in ("harrell_c", "uno_c", "tdauc"):
        assert table.loc[("size", metric), "value"] > 0.68
    assert table.loc[("size", "ibs"), "value"] < table.loc[("age", "ibs"), "value"]


def test_a_model_of_risks_alone_says_so_and_has_no_number(table):
    rows = table.loc["risk"].loc[["ibs", "calibration_slope", "net_benefit"]]
    assert rows["value"].isna().all()
    assert rows["how"].str.contains("gives no survival probabilities").all()
    assert table.loc[("risk", "harrell_c"), "value"] > 0.6


def test_same_seed_same_table_and_another_seed_another(kept):
    options = {"at": AT, "metrics": ["uno_c", "net_benefit"], "n_bootstrap": 30}
    one, two, other = (
        metric_table(kept, random_state=seed, **options) for seed in (3, 3, 4)
    )
    pd.testing.assert_frame_equal(one, two, check_exact=True)
    assert np.array_equal(one["value"], other["value"], equal_nan=True)
    assert (one["ci_low"] != other["ci_low"]).any()


def test_what_was_not_kept_is_refused(kept):
    with pytest.raises(InvalidInput, match=r"kept at 400.*150, 300, 450, 600"):
        metric_table(kept, at=400)
    with pytest.raises(InvalidInput, match="9999 must lie within the follow-up"):
        metric_table(kept, at=9999)
    with pytest.raises(InvalidInput, match="'tdauc' is not known or needs more"):
        metric_table(kept, metrics=["tdauc"])
    with pytest.raises(UnknownName, match="harrell_c"):
        metric_table(kept, metrics=["harel_c"])


@pytest.fixture(scope="module")
def pairs(kept):
    likelihood = nested_cox_test(
        kept.outcome["event"],
        kept.outcome["time"],
        np.zeros((90, 0)),
        np.arange(90.0)[:, None],
    )
    return comparison_table(
        kept, at=AT, threshold=0.4, n_bootstrap=60, nested={("size", "age"): likelihood}
    )


def test_every_test_that_fits_is_there_once(pairs):
    found = pairs[(pairs["a"] == "age") & (pairs["b"] == "size")]
    tests = found.groupby("metric")["test"].apply(list).to_dict()
    ranks = ["paired bootstrap", "analytic", "corrected resampled t"]
    assert tests == {
        "harrell_c": ranks,
        "uno_c": ranks,
        "tdauc": ranks,
        "ibs": ranks,
        "calibration_slope": ["paired bootstrap"],
        "net_benefit": ["paired bootstrap"],
        "auc_by_450": ["DeLong"],
    }
    no_survival = pairs[(pairs["a"] == "risk") & (pairs["metric"] == "ibs")]
    assert no_survival["p"].isna().all()
    assert no_survival["how"].str.contains("gives no survival").all()


def test_deltas_are_differences_of_the_table(pairs, table):
    rows = pairs[pairs["test"].isin(["paired bootstrap", "analytic"])]
    for row in rows.itertuples():
        gap = table.loc[(row.a, row.metric), "value"]
        gap = gap - table.loc[(row.b, row.metric), "value"]
        assert row.delta == pytest.approx(gap, nan_ok=True)
    known = rows.dropna(subset=["ci_low"])
    assert (known["ci_low"] <= known["delta"]).all()
    assert (known["delta"] <= known["ci_high"]).all()


def test_p_values_are_adjusted_within_measure_and_test(pairs):
    for _, rows in pairs.groupby(["metric", "test"]):
        assert np.array_equal(rows["p_holm"], adjust_p(rows["p"], "holm"), True)
        assert np.array_equal(rows["p_bh"], adjust_p(rows["p"], "bh"), True)


def test_a_telling_variable_beats_an_idle_one_by_every_test(pairs):
    rows = pairs[(pairs["a"] == "age") & (pairs["b"] == "size")]
    rows = rows[rows["metric"].isin(["harrell_c", "uno_c"])]
    assert (rows["delta"] < -0.1).all()
    over_patients = rows["test"].isin(["paired bootstrap", "analytic"])
    assert (rows.loc[over_patients, "p"] < 0.05).all()
    # The one that counts refitting too is less sure.
    assert (rows.loc[~over_patients, "p"] > rows.loc[over_patients, "p"].max()).all()


def test_the_analytic_test_is_that_of_one_sample_where_there_is_one_fold(kept):
    rows = kept.predictions.query("repeat == 0").assign(fold=0)
    single = type(kept)(rows, kept.outcome, kept.fits, 1, 1, TIMES)
    table = comparison_table(single, [("size", "age")], n_bootstrap=20)
    row = table.query("metric == 'harrell_c' and test == 'analytic'").iloc[0]
    a, b = (single.arrays(model)[0][0] for model in ("size", "age"))
    outcome = kept.outcome
    known = concordance_difference(outcome["event"], outcome["time"], a, b)
    assert row["delta"] == pytest.approx(known.delta, rel=1e-12)
    assert row["p"] == pytest.approx(known.p, rel=1e-9)
    assert row["ci_low"] == pytest.approx(known.ci_low, rel=1e-9)


def test_the_resampled_t_and_delong_are_those_of_metrics(kept, pairs):
    c = {"size": [], "age": []}
    for model, found in c.items():
        for event, time, fold, risk, _ in repeats(kept, model):
            for number in range(3):
                rows = fold == number
                one = concordance(event[rows], time[rows], risk[rows])
                found.append(one.c_index)
    known = corrected_resampled_t(np.subtract(c["age"], c["size"]), 60, 30)
    rows = pairs[(pairs["a"] == "age") & (pairs["b"] == "size")]
    rows = rows.set_index(["metric", "test"])
    row = rows.loc[("harrell_c", "corrected resampled t")]
    assert row["p"] == pytest.approx(known.p)
    assert row["df"] == 5

    outcome = kept.outcome
    ill = (outcome["event"] & (outcome["time"] <= AT)).to_numpy()
    sure = ill | (outcome["time"] > AT).to_numpy()
    a, b = (1 - kept.survival(m)[:, :, 2].mean(axis=0) for m in ("age", "size"))
    known = delong_test(ill[sure], a[sure], b[sure])
    row = rows.loc[("auc_by_450", "DeLong")]
    assert row["p"] == pytest.approx(known.p)
    assert f"{(~sure).sum()} patients censored before it" in row["how"]


def test_a_likelihood_ratio_is_told_as_what_it_is(pairs):
    (row,) = pairs[pairs["test"] == "likelihood ratio"].itertuples()
    assert (row.a, row.b, row.df) == ("size", "age", 1)
    assert "not prediction" in row.how


def test_an_unknown_model_of_a_pair_is_named(kept):
    with pytest.raises(UnknownName, match="sise"):
        comparison_table(kept, [("sise", "age")])


@pytest.fixture
def hospitals():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {"size": rng.normal(size=60), "site": ["A", "B"] * 25 + ["C"] * 10}
    )
    y = make_y(rng.random(60) < 0.8, rng.exponential(np.exp(-X["size"])))
    return X, y


def test_each_site_is_predicted_by_a_model_of_the_others(hospitals):
    X, y = hospitals
    found = leave_one_site_out({"size": only("size")}, X, y, progress=False)
    assert found.fits["site"].tolist() == ["A", "B", "C"]
    assert "each fold a site" in found.c_index(n_bootstrap=20)["how"][0]
    inside = (X["site"] == "B").to_numpy()
    model = only("size").fit(X[~inside], y[~inside])
    rows = found.predictions.query("fold == 1").set_index("patient")["risk"]
    assert rows.index.tolist() == np.flatnonzero(inside).tolist()
    assert np.array_equal(rows, model.predict(X[inside]))
    pooled = leave_one_site_out({"size": only("size")}, X, y, fewest=20, progress=False)
    assert pooled.fits["site"].tolist() == ["(small sites)", "A", "B"]


def test_leaving_out_what_cannot_be_left_out_is_refused(hospitals):
    X, y = hospitals
    model = {"size": only("size")}
    with pytest.raises(InvalidInput, match="no column 'hospital'"):
        leave_one_site_out(model, X, y, site="hospital")
    with pytest.raises(InvalidInput, match="All 60 patients are of one site"):
        leave_one_site_out(model, X, y, site=["A"] * 60)
    lost = X.assign(site=X["site"].where(X.index != 7))
    with pytest.raises(InvalidInput, match="1 patients have no site: 7"):
        leave_one_site_out(model, lost, y)
    y["event"] = (X["site"] == "A") & y["event"]
    with pytest.raises(NoEvents, match="events are of site 'A'"):
        leave_one_site_out(model, X, y)


def test_few_events_per_variable_are_said_with_every_table():
    rng = np.random.default_rng(2)
    X = pd.DataFrame(rng.normal(size=(40, 3)), columns=["size", "age", "score"])
    y = make_y(np.arange(40) % 2, rng.exponential(np.exp(-X["size"])))
    models = {"all": CoxPH(), "size": only("size"), "given": app("score")}
    X["score"] = X["score"].rank(pct=True)
    kept = nested_cv(models, X, y, n_splits=2, n_repeats=1, progress=False)
    assert kept.fits.groupby("model")["events_per_variable"].median().to_dict() == {
        "all": pytest.approx(10 / 3),
        "given": pytest.approx(np.nan, nan_ok=True),
        "size": 10.0,
    }
    said = ["3.3 events per variable of 'all', fewer than 10: its estimates are uns"]
    for table in (
        kept.c_index(n_bootstrap=2),
        metric_table(kept, metrics=["harrell_c"], n_bootstrap=2),
        comparison_table(kept, metrics=["harrell_c"], n_bootstrap=2),
    ):
        assert [note[: len(said[0])] for note in table.attrs["notes"]] == said
    table = optimism_corrected(CoxPH(), X, y, n_bootstrap=2, progress=False)
    assert "6.7 events per variable of the model" in table.attrs["notes"][0]


def test_an_integral_over_few_times_says_so(table):
    assert "4 times, too few" in table.loc[("size", "ibs"), "how"]
