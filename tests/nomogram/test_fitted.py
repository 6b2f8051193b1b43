import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sarcfeat.estimators import CoxPH
from sarcfeat.exceptions import InvalidInput
from sarcfeat.nomogram import Nomogram
from tests.nomogram.cohort import simulated

TIMES = [365, 730]


@pytest.fixture(scope="module")
def fitted():
    X, y = simulated()
    return CoxPH().fit(X, y), X, y


def test_predicts_what_the_cox_model_predicts(fitted):
    cox, X, _ = fitted
    nomogram = Nomogram.from_model(cox, times=TIMES)
    expected = 1 - cox.predict_survival_function(X, TIMES)
    np.testing.assert_allclose(nomogram.predict(X), expected, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(nomogram.linear_predictor(X), cox.predict(X), atol=1e-12)


def test_axes_cover_the_training_patients(fitted, recwarn):
    cox, X, _ = fitted
    nomogram = Nomogram.from_model(cox, times=TIMES)
    nomogram.predict(X)
    assert not [w for w in recwarn if "outside the range" in str(w.message)]
    age, size, grade = nomogram.variables
    assert age.values[0] <= X["clinical.age"].min()
    assert size.values[-1] >= X["clinical.size"].max()
    assert grade.values == (0.0, 1.0)
    assert grade.discrete


def test_total_axis_ends_with_the_worst_training_patient(fitted):
    cox, X, _ = fitted
    nomogram = Nomogram.from_model(cox, times=TIMES)
    assert nomogram.lp_range == pytest.approx(
        (cox.predict(X).min(), cox.predict(X).max())
    )


def test_labels_and_units_go_by_any_spelling_of_the_column(fitted):
    cox, _, _ = fitted
    nomogram = Nomogram.from_model(
        cox,
        times=TIMES,
        labels={"clinical.age": "Age", "grade3": "Grade 3"},
        units={"age": "years", "size": "cm"},
    )
    titles = [variable.title for variable in nomogram.variables]
    assert titles == ["Age (years)", "size (cm)", "Grade 3"]
    with pytest.raises(InvalidInput, match="'agee', which is no column"):
        Nomogram.from_model(cox, times=TIMES, labels={"agee": "Age"})


def test_a_horizon_after_the_last_follow_up_is_refused(fitted):
    cox, _, y = fitted
    last = y["time"].max()
    assert Nomogram.from_model(cox, times=[last]).max_time == last
    with pytest.raises(InvalidInput, match="beyond the last observed time"):
        Nomogram.from_model(cox, times=[last + 1])


@pytest.mark.parametrize("output", ["pandas", "default"])
def test_a_pipeline_gives_the_nomogram_of_its_final_design(fitted, output):
    _, X, y = fitted
    picked = ColumnTransformer(
        [
            ("rad", StandardScaler(), ["clinical.size"]),
            ("clin", "passthrough", ["clinical.age", "clinical.grade3"]),
        ]
    ).set_output(transform=output)
    pipeline = make_pipeline(picked, CoxPH()).fit(X, y)
    nomogram = Nomogram.from_pipeline(pipeline, times=TIMES, units={"age": "years"})
    names = [variable.name for variable in nomogram.variables]
    assert names == [
        "rad__clinical.size",
        "clin__clinical.age",
        "clin__clinical.grade3",
    ]
    assert [v.title for v in nomogram.variables] == ["size", "age (years)", "grade3"]
    design = pipeline[:-1].transform(X)
    risk = nomogram.linear_predictor(design)
    np.testing.assert_allclose(risk, pipeline.predict(X), atol=1e-12)
    survival = pipeline[-1].predict_survival_function(design, TIMES)
    np.testing.assert_allclose(nomogram.predict(design), 1 - survival, rtol=1e-12)


def test_says_what_is_missing(fitted):
    with pytest.raises(InvalidInput, match="CoxPH lacks coef_"):
        Nomogram.from_model(CoxPH(), times=TIMES)
    with pytest.raises(InvalidInput, match="takes a fitted scikit-learn Pipeline"):
        Nomogram.from_pipeline(fitted[0], times=TIMES)


def test_an_array_needs_no_names(fitted):
    _, X, y = fitted
    cox = CoxPH().fit(X.to_numpy(), y)
    nomogram = Nomogram.from_model(cox, times=TIMES)
    np.testing.assert_allclose(
        nomogram.predict(X.to_numpy()),
        1 - cox.predict_survival_function(X.to_numpy(), TIMES),
        rtol=1e-12,
    )


def test_a_model_without_columns_gives_everyone_one_probability(fitted):
    _, X, y = fitted
    with pytest.warns(UserWarning, match="no column"):
        cox = CoxPH().fit(X[[]], y)
    nomogram = Nomogram.from_model(cox, times=TIMES)
    predicted = nomogram.predict(pd.DataFrame(index=X.index))
    assert predicted.nunique().tolist() == [1, 1]
