"""The classical chain as a user writes it, through scikit-learn's own tools."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline

from sarcfeat.exceptions import NothingSelected
from sarcfeat.store import Readings
from sarcfeat.survival import make_y
from sarcfeat.transform import MRMR, ComBat, ICCFilter, ZScore, columns


@pytest.fixture
def study():
    rng = np.random.default_rng(0)
    patients = [f"p{i:02d}" for i in range(60)]
    truth = rng.normal(size=(60, 10))
    names = [f"radiomics.t1.f{i}" for i in range(10)]
    noise = np.repeat([0.1, 3.0], 5)
    readers = {
        (reader, 1): pd.DataFrame(
            truth + noise * rng.normal(size=(60, 10)), index=patients, columns=names
        )
        for reader in "AB"
    }
    table = pd.concat(readers, names=["reader", "session", "patient"])
    X = readers["A", 1].copy()
    X["site"] = ["Bordeaux", "Lyon"] * 30
    X.loc[X["site"] == "Lyon", names] += 4
    X["clinical.age"] = rng.integers(20, 80, size=60)
    readings = Readings.from_frame(
        table.reorder_levels(["patient", "reader", "session"])
    )
    return X, truth[:, 0], readings


def chain(readings, threshold=0.75):
    radiomics = make_pipeline(
        ICCFilter(readings, threshold=threshold), ComBat(), ZScore(), MRMR(k=3)
    )
    return ColumnTransformer(
        [
            ("radiomics", radiomics, columns("radiomics.t1", "site")),
            ("clinical", "passthrough", columns("clinical")),
        ],
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")


def test_cross_validated_grid_searched_and_saved(study):
    X, y, readings = study
    model = make_pipeline(chain(readings), Ridge())
    grid = {"columntransformer__radiomics__mrmr__k": [1, 3]}
    search = GridSearchCV(model, grid, cv=3, error_score="raise")
    found = cross_validate(search, X, y, cv=3, error_score="raise")
    assert (found["test_score"] > 0.5).all()
    fitted = model.fit(X, y)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict(X), fitted.predict(X))


def test_survival_outcome_and_names(study):
    X, risk, readings = study
    y = make_y(np.ones(60, dtype=bool), np.exp(-risk))
    transformer = chain(readings).fit(X, y)
    out = transformer.transform(X)
    assert out.columns[-1] == "clinical.age"
    assert set(out.columns[:-1]) <= {f"radiomics.t1.f{i}" for i in range(5)}
    assert "radiomics.t1.f0" in out
    assert list(out.columns) == list(transformer.get_feature_names_out())
    assert out.index.equals(X.index)


def test_nothing_selected_goes_through_to_the_end(study):
    X, y, readings = study
    with pytest.warns(NothingSelected, match="None of 10 features"):
        out = chain(readings, threshold=1.0).fit(X, y).transform(X)
    assert list(out.columns) == ["clinical.age"]


def test_poisoned_test_patients_change_nothing_learnt(study):
    X, y, readings = study
    clean = chain(readings).fit(X.iloc[:40], y[:40]).transform(X.iloc[:40])
    poisoned = X.copy()
    poisoned.iloc[40:, :10] *= 1e6
    again = chain(readings).fit(poisoned.iloc[:40], y[:40]).transform(X.iloc[:40])
    pd.testing.assert_frame_equal(clean, again, check_exact=True)
