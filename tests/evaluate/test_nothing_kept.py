"""A filter that keeps nothing makes a constant, counted model, never an exception."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import cross_validate
from sklearn.pipeline import make_pipeline

from sarcfeat.estimators import (
    CoxPH,
    LassoCox,
    LassoCoxSelector,
    LassoLogistic,
    RiskScore,
)
from sarcfeat.evaluate import nested_cv
from sarcfeat.exceptions import NothingSelected
from sarcfeat.store import Readings
from sarcfeat.survival import make_y
from sarcfeat.transform import (
    MRMR,
    ComBat,
    ICCFilter,
    KappaFilter,
    MedianImputer,
    UnivariateCoxFilter,
    ZScore,
    columns,
)

NAMES = [f"radiomics.t1.f{i}" for i in range(6)]


@pytest.fixture
def study():
    rng = np.random.default_rng(0)
    patients = pd.Index([f"p{i:02d}" for i in range(60)], name="patient")
    X = pd.DataFrame(rng.normal(size=(60, 6)), patients, NAMES)
    X["site"] = np.repeat(["Bordeaux", "Lyon"], 30)
    X["clinical.age"] = rng.normal(60, 10, 60)
    return X, make_y(rng.random(60) < 0.6, rng.exponential(1, 60) + 0.01)


def readings(X):
    """Two readers who agree on nothing."""
    rng = np.random.default_rng(1)
    frames = {
        (reader, 1): pd.DataFrame(rng.normal(size=(60, 6)), X.index, NAMES)
        for reader in "AB"
    }
    table = pd.concat(frames, names=["reader", "session"])
    return Readings.from_frame(table.reorder_levels([2, 0, 1]))


FILTERS = {
    "icc": lambda X: ICCFilter(readings(X), threshold=0.9),
    "kappa": lambda X: KappaFilter(readings(X), threshold=0.9),
    "univariate": lambda X: UnivariateCoxFilter(alpha=0.0),
    "lasso": lambda X: LassoCoxSelector(LassoCox(cv=None, lambdas=[9.0])),
}
MODELS = {
    "cox": CoxPH(),
    "lasso": LassoCox(cv=3, n_lambda=5, random_state=0),
}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("nothing", FILTERS)
def test_inside_every_fold(study, nothing, model):
    X, y = study
    rest = (ComBat(), MedianImputer(), ZScore(), MRMR(k=3))
    chain = make_pipeline(FILTERS[nothing](X), *rest, MODELS[model])
    features = X[[*NAMES, "site"]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nested_cv counts, and says nothing a fold
        found = nested_cv(
            {"chain": chain},
            features,
            y,
            n_splits=3,
            n_repeats=1,
            random_state=0,
            progress=False,
        )
    row = found.c_index(n_bootstrap=20).iloc[0]
    assert row["constant_folds"] == 3
    assert row["c_index"] == pytest.approx(0.5)
    with pytest.warns(NothingSelected):
        fitted = chain.fit(features, y)
    assert np.ptp(fitted.predict(features)) == 0


def test_the_clinical_part_of_a_nomogram_goes_on_alone(study):
    X, y = study
    score = RiskScore(
        make_pipeline(UnivariateCoxFilter(alpha=0.0), LassoCox(cv=3, n_lambda=5)),
        cv=3,
        random_state=0,
    )
    parts = ColumnTransformer(
        [
            ("rad", score, columns("radiomics.t1")),
            ("clin", "passthrough", columns("clinical.age")),
        ],
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    model = make_pipeline(parts, CoxPH())
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        model.fit(X, y)
    said = " ".join(str(one.message) for one in said)
    assert "the model of 3 of 3 folds selected nothing" in said
    assert "risk_score: constant" in said
    alone = CoxPH().fit(X[["clinical.age"]], y)
    order = np.argsort(model.predict(X))
    np.testing.assert_array_equal(order, np.argsort(alone.predict(X[["clinical.age"]])))


def test_a_classifier_gives_everyone_the_share_with_the_event(study):
    X, y = study
    chain = make_pipeline(
        UnivariateNothing(), LassoLogistic(cv=3, n_lambda=5, random_state=0)
    )
    with pytest.warns(NothingSelected):
        found = cross_validate(
            chain,
            X[NAMES],
            y["event"].astype(int),
            cv=3,
            scoring="roc_auc",
            error_score="raise",
        )
    assert (found["test_score"] == 0.5).all()


class UnivariateNothing(ZScore):
    """Keeps no column of a frame."""

    def fit(self, X, y=None):
        super().fit(X, y)
        self.support_[:] = False
        return self

    def transform(self, X):
        return X[[]]
