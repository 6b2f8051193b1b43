import numpy as np
import pandas as pd
import pytest

from sarcfeat import CoxPH
from sarcfeat.evaluate import compare, nested_cv
from sarcfeat.exceptions import InvalidInput, SarcfeatWarning
from sarcfeat.metrics import concordance

FOLDS = {"n_splits": 4, "n_repeats": 2, "random_state": 3, "progress": False}


def only(*names):
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import make_pipeline

    return make_pipeline(
        ColumnTransformer([("keep", "passthrough", list(names))]), CoxPH()
    )


@pytest.fixture
def models():
    return {"size": only("clinical.size"), "age": only("clinical.age")}


def test_every_patient_is_predicted_once_a_repeat(cohort, models):
    X, y = cohort
    result = nested_cv(models, X, y, **FOLDS)
    counts = result.predictions.groupby(["model", "repeat", "patient"]).size()
    assert (counts == 1).all()
    assert len(counts) == 2 * 2 * len(X)
    assert result.models == ["size", "age"]


def test_predictions_are_those_of_a_model_fitted_without_the_patient(cohort, models):
    X, y = cohort
    result = nested_cv(models, X, y, **FOLDS)
    rows = result.predictions.query("model == 'size' and repeat == 0 and fold == 1")
    test = X.index.isin(rows["patient"])
    refit = only("clinical.size").fit(X[~test], y[~test])
    again = pd.Series(refit.predict(X[test]), index=X.index[test])
    assert np.array_equal(again.loc[rows["patient"]].to_numpy(), rows["risk"])


def test_point_is_the_pair_weighted_mean_over_folds_then_repeats(cohort, models):
    X, y = cohort
    result = nested_cv(models, X, y, **FOLDS)
    outcome = result.outcome
    repeats = []
    for _, repeat in result.predictions.query("model == 'size'").groupby("repeat"):
        c, weight = [], []
        for _, fold in repeat.groupby("fold"):
            o = outcome.loc[fold["patient"]]
            found = concordance(
                o["event"].to_numpy(), o["time"].to_numpy(), fold["risk"].to_numpy()
            )
            c.append(found.c_index)
            weight.append(found.n_comparable)
        repeats.append(np.average(c, weights=weight))
    row = result.c_index(n_bootstrap=50).set_index("model").loc["size"]
    assert row["c_index"] == pytest.approx(np.mean(repeats), rel=1e-12)
    assert row["ci_low"] < row["c_index"] < row["ci_high"]
    assert row["folds"] == 8


def test_same_bits_for_any_n_jobs(cohort, models):
    X, y = cohort
    one = nested_cv(models, X, y, n_jobs=1, **FOLDS)
    two = nested_cv(models, X, y, n_jobs=2, **FOLDS)
    pd.testing.assert_frame_equal(one.predictions, two.predictions, check_exact=True)


def test_a_telling_variable_beats_an_idle_one(cohort, models):
    X, y = cohort
    result = nested_cv(models, X, y, **FOLDS)
    table = compare(result, [("size", "age")], n_bootstrap=300)
    assert table.loc[0, "delta"] > 0.15
    assert table.loc[0, "ci_low"] > 0
    assert table.loc[0, "p"] < 0.05


def test_a_model_against_itself_differs_by_nothing(cohort):
    X, y = cohort
    twice = {"a": only("clinical.size"), "b": only("clinical.size")}
    table = compare(nested_cv(twice, X, y, **FOLDS), n_bootstrap=100)
    assert table.loc[0, ["delta", "ci_low", "ci_high"]].tolist() == [0, 0, 0]
    assert table.loc[0, "p"] == 1


def test_a_constant_model_is_counted_and_scores_one_half(cohort):
    X, y = cohort
    flat = X.assign(**{"clinical.flat": 1.0})
    with pytest.warns(SarcfeatWarning):
        result = nested_cv({"flat": only("clinical.flat")}, flat, y, **FOLDS)
    row = result.c_index(n_bootstrap=50).iloc[0]
    assert row["c_index"] == 0.5
    assert row["constant_folds"] == 8


def test_a_patient_given_twice_is_refused(cohort, models):
    X, y = cohort
    X = X.rename(index={"P001": "P000"})
    with pytest.raises(InvalidInput, match="'P000'"):
        nested_cv(models, X, y, **FOLDS)
