import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_classification
from sklearn.linear_model import LassoCV, LogisticRegression, enet_path
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sarcfeat.estimators import LassoLogistic
from sarcfeat.exceptions import (
    FewEvents,
    InvalidInput,
    NotConverged,
    NothingSelected,
)
from sarcfeat.plots import lasso_path


@pytest.fixture(scope="module")
def study():
    values, y = make_classification(
        121, 30, n_informative=5, n_redundant=5, weights=[0.6], random_state=3
    )
    names = [f"radiomics.ct.f{i}" for i in range(30)]
    index = [f"p{i:03d}" for i in range(121)]
    return pd.DataFrame(values, columns=names, index=index), y


def violation(model, X, y, lam):
    """How far the solution is from its optimality conditions, as a share of lambda."""
    Z = ((X - X.mean()) / X.std(ddof=0)).to_numpy()
    beta = model.coef_[0] * X.std(ddof=0).to_numpy()
    p = model.predict_proba(X)[:, 1]
    slope = Z.T @ (y - p) / len(y)
    inside = np.maximum(np.abs(slope) - lam, 0)
    return np.where(beta == 0, inside, np.abs(slope - lam * np.sign(beta))).max() / lam


@pytest.mark.parametrize("engine", ["glmnet", "saga"])
def test_one_penalty_meets_its_optimality_conditions(study, engine):
    X, y = study
    model = LassoLogistic(cv=None, lambdas=[0.05], engine=engine).fit(X, y)
    assert violation(model, X, y, 0.05) < 1e-3
    assert 0 < len(model.selected_) < 30
    assert model.predict_proba(X)[:, 1].mean() == pytest.approx(y.mean(), abs=1e-4)


def test_the_engines_agree(study):
    X, y = study
    options = {"cv": 3, "n_lambda": 10, "lambda_min_ratio": 0.1, "random_state": 0}
    ours = LassoLogistic(0.7, **options).fit(X, y)
    other = LassoLogistic(0.7, engine="saga", **options).fit(X, y)
    np.testing.assert_allclose(ours.lambdas_, other.lambdas_, rtol=1e-9)
    np.testing.assert_allclose(ours.coef_path_, other.coef_path_, atol=1e-3)
    np.testing.assert_allclose(ours.cvm_, other.cvm_, rtol=1e-3)
    assert ours.lambda_min_ == pytest.approx(other.lambda_min_)
    linear = LassoLogistic(family="gaussian", **options).fit(X, y)
    again = LassoLogistic(family="gaussian", engine="saga", **options).fit(X, y)
    np.testing.assert_allclose(linear.coef_path_, again.coef_path_, atol=1e-4)


@pytest.mark.filterwarnings("ignore::sarcfeat.exceptions.NothingSelected")
@pytest.mark.parametrize("measure", ["deviance", "auc", "class"])
def test_the_curve_is_its_definition(study, measure):
    X, y = study
    folds = list(StratifiedKFold(4, shuffle=True, random_state=1).split(X, y))
    label = np.empty(121, dtype=int)
    for k, (_, test) in enumerate(folds):
        label[test] = k
    options = {"n_lambda": 15, "lambda_min_ratio": 0.05, "measure": measure}
    model = LassoLogistic(cv=label, **options).fit(X, y)
    at = 8
    raw, size = [], []
    for train, test in folds:
        part = LassoLogistic(cv=2, **options).fit(X.iloc[train], y[train])
        order = slice(None, None, -1)
        eta = X.iloc[test].to_numpy() @ np.array(
            [
                np.interp(model.lambdas_[at], part.lambdas_[order], c[order])
                for c in part.coef_path_
            ]
        )
        eta = eta + np.interp(
            model.lambdas_[at], part.lambdas_[order], part.intercept_path_[order]
        )
        p = 1 / (1 + np.exp(-eta))
        raw.append(
            {
                "deviance": 2 * log_loss(y[test], p),
                "auc": roc_auc_score(y[test], p),
                "class": np.mean((p > 0.5) != y[test]),
            }[measure]
        )
        size.append(len(test))
    mean = np.average(raw, weights=size)
    assert model.cvm_[at] == pytest.approx(mean, rel=1e-6)
    spread = np.average((np.array(raw) - mean) ** 2, weights=size)
    assert model.cvsd_[at] == pytest.approx(np.sqrt(spread / 3), rel=1e-6)
    assert model.lambda_1se_ >= model.lambda_min_


def test_the_linear_compatibility_option_has_the_event_rate_as_intercept(study):
    X, y = study
    Z = pd.DataFrame(StandardScaler().fit_transform(X), X.index, X.columns)
    model = LassoLogistic(family="gaussian", cv=10, random_state=0).fit(Z, y)
    assert model.intercept_[0] == pytest.approx(y.mean(), abs=1e-14)
    assert len(model.selected_) >= 1
    _, coef, _ = enet_path(
        Z.to_numpy(), y - y.mean(), l1_ratio=1.0, alphas=[model.lambda_], tol=1e-10
    )
    np.testing.assert_allclose(model.coef_[0], coef[:, 0], atol=2e-5)
    score = model.linear_predictor(Z)
    np.testing.assert_allclose(score, y.mean() + Z.to_numpy() @ model.coef_[0])
    assert model.predict_proba(Z).min() >= 0
    assert (model.predict(Z) == (score > 0.5)).all()
    logistic = LassoLogistic(cv=10, random_state=0).fit(Z, y)
    assert logistic.intercept_[0] < 0 < model.intercept_[0]


def test_the_linear_option_equals_scikit_learns_lasso_cv(study):
    # Scikit-learn fits the folds at the penalties of all patients; at the penalty it
    # chooses the solution on all patients is the same.
    X, y = study
    Z = StandardScaler().fit_transform(X)
    theirs = LassoCV(cv=5, tol=1e-8).fit(Z, y)
    ours = LassoLogistic(family="gaussian", cv=None, lambdas=[theirs.alpha_]).fit(Z, y)
    np.testing.assert_allclose(ours.coef_[0], theirs.coef_, atol=1e-4)


def test_penalty_factor_and_weights(study):
    X, y = study
    factor = np.ones(30)
    factor[7] = 0
    model = LassoLogistic(cv=None, lambdas=[5.0], penalty_factor=factor).fit(X, y)
    assert model.selected_ == [X.columns[7]]
    free = LogisticRegression(C=1e10, tol=1e-10).fit(X.iloc[:, [7]], y)
    assert model.coef_[0, 7] == pytest.approx(free.coef_[0, 0], rel=1e-3)
    with pytest.raises(InvalidInput, match="penalty_factor needs engine='glmnet'"):
        LassoLogistic(engine="saga", penalty_factor=factor).fit(X, y)

    weight = np.where(np.arange(121) < 60, 2.0, 1.0)
    twice = pd.concat([X, X.iloc[:60]])
    one = {"cv": None, "lambdas": [0.03]}
    weighted = LassoLogistic(**one).fit(X, y, weight)
    doubled = LassoLogistic(**one).fit(twice, np.r_[y, y[:60]])
    np.testing.assert_allclose(weighted.coef_, doubled.coef_, atol=1e-6)
    left_out = LassoLogistic(**one).fit(X, y, (np.arange(121) < 90).astype(float))
    without = LassoLogistic(**one).fit(X.iloc[:90], y[:90])
    np.testing.assert_allclose(left_out.coef_, without.coef_, atol=1e-9)


def test_nothing_selected_is_a_constant_model(study):
    X, y = study
    shuffled = np.random.default_rng(4).permutation(y)
    with pytest.warns(NothingSelected, match="none of the 30 features .* 121 patients"):
        model = LassoLogistic(cv=None, lambdas=[9.0]).fit(X, shuffled)
    assert model.is_constant_
    assert model.selected_ == []
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], y.mean())
    with pytest.warns(NothingSelected, match="X has no column"):
        empty = LassoLogistic().fit(X[[]], y)
    np.testing.assert_allclose(empty.predict_proba(X)[:, 1], y.mean())
    with pytest.warns(NothingSelected):
        flat = LassoLogistic(cv=3).fit(np.ones((121, 2)), y)
    assert flat.dropped_["reason"].tolist() == ["constant", "constant"]


def test_labels_and_names(study):
    X, y = study
    text = np.where(y == 1, "yes", "no")
    one = {"cv": None, "lambdas": [0.03]}
    model = LassoLogistic(**one).fit(X, text)
    assert model.classes_.tolist() == ["no", "yes"]
    np.testing.assert_allclose(model.coef_, LassoLogistic(**one).fit(X, y).coef_)
    turned = X[X.columns[::-1]]
    np.testing.assert_allclose(model.predict_proba(turned), model.predict_proba(X))
    table = model.coef_table_
    assert set(table["feature"]) == set(model.selected_)
    assert table["coef_standardised"].abs().is_monotonic_decreasing
    with pytest.raises(InvalidInput, match=r"Only binary.*labels 0, 1, 2"):
        LassoLogistic().fit(X, np.arange(121) % 3)
    with pytest.raises(InvalidInput, match="all 121 patients are 1"):
        LassoLogistic().fit(X, np.ones(121, dtype=int))


def test_few_of_a_class(study):
    X, _ = study
    y = np.zeros(121, dtype=int)
    y[[3, 50, 80]] = 1
    with pytest.warns(FewEvents, match="rarer class has 3 of 121 patients; 3 folds"):
        model = LassoLogistic(cv=10, random_state=0, measure="auc").fit(X, y)
    assert model.n_folds_ <= 3
    y[[50, 80]] = 0
    with pytest.raises(InvalidInput, match="rarer class has 1 of 121"):
        LassoLogistic().fit(X, y)
    with pytest.raises(InvalidInput, match="one label a patient"):
        LassoLogistic(cv=[0, 1]).fit(X, y)
    with pytest.raises(InvalidInput, match="pass lambdas="):
        LassoLogistic(cv=None).fit(X, y)


def test_an_unfinished_path_warns(study):
    X, y = study
    with pytest.warns(NotConverged, match="Raise max_rounds"):
        model = LassoLogistic(max_rounds=40, cv=3, random_state=0).fit(X, y)
    assert len(model.lambdas_) < 100
    with pytest.warns(NotConverged, match="in 2 rounds at every penalty"):
        LassoLogistic(engine="saga", cv=None, lambdas=[0.01], max_rounds=2).fit(X, y)


def test_inside_pipeline_and_grid_search(study):
    X, y = study
    lasso = LassoLogistic(cv=3, n_lambda=15, lambda_min_ratio=0.1, random_state=0)
    chain = make_pipeline(StandardScaler(), lasso).set_output(transform="pandas")
    grid = {"lassologistic__l1_ratio": [0.5, 1]}
    search = GridSearchCV(chain, grid, cv=3, scoring="roc_auc", error_score="raise")
    assert search.fit(X, y).best_score_ > 0.7


def test_the_path_is_drawn_with_its_own_words(study):
    X, y = study
    model = LassoLogistic(cv=4, n_lambda=20, measure="auc", random_state=0).fit(X, y)
    paths, curve = lasso_path(model)
    assert paths.get_ylabel() == "Coefficient (log odds ratio)"
    assert curve.get_ylabel().startswith("AUC\n")
    plt.close(paths.figure)
