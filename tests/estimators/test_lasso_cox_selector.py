import numpy as np
import pandas as pd
import pytest
from sklearn.feature_selection import SelectFromModel
from sklearn.pipeline import make_pipeline

from sarcfeat.estimators import CoxPH, LassoCox, LassoCoxSelector, LassoLogistic
from sarcfeat.exceptions import NothingSelected
from sarcfeat.survival import make_y


@pytest.fixture
def study():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(100, 8)), columns=[f"f{i}" for i in range(8)])
    X["f7"] = 3.0
    times = rng.exponential(np.exp(-X["f0"] + X["f3"]))
    y = make_y(times <= 2, np.minimum(times, 2))
    X.insert(4, "site", ["Bordeaux", "Lyon"] * 50)
    return X, y


def test_keeps_what_the_lasso_selects_and_the_site(study):
    X, y = study
    lasso = LassoCox(cv=5, random_state=0)
    selector = LassoCoxSelector(lasso).fit(X, y)
    numbers = X.drop(columns="site")
    direct = LassoCox(cv=5, random_state=0).fit(numbers, y)
    assert selector.selected_ == direct.selected_
    assert list(selector.transform(X)) == [
        c for c in X if c == "site" or c in direct.selected_
    ]
    reasons = selector.dropped_.set_index("feature")["reason"]
    assert reasons["f7"] == "constant"
    assert (reasons.drop("f7") == "coefficient 0").all()
    theirs = SelectFromModel(lasso, threshold=1e-12).set_output(transform="pandas")
    assert list(theirs.fit_transform(numbers, y)) == direct.selected_


def test_nothing_kept_goes_through_to_a_constant_model(study):
    X, y = study
    chain = make_pipeline(
        LassoCoxSelector(LassoCox(cv=None, lambdas=[9.0])),
        CoxPH(),
    )
    with pytest.warns(NothingSelected):
        risk = chain.fit(X.drop(columns="site"), y).predict(X.drop(columns="site"))
    assert np.ptp(risk) == 0


def test_a_logistic_lasso_selects_too(study):
    X, _ = study
    outcome = (X["f1"] > 0).astype(int).to_numpy()
    lasso = LassoLogistic(cv=4, rule="1se", random_state=0)
    kept = LassoCoxSelector(lasso).fit(X, outcome)
    assert kept.selected_[0] == "f1"
