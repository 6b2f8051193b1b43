"""The ridge and the elastic net: glmnet's numbers, and the equations they solve."""

import numpy as np
import pandas as pd
import pytest
from sksurv.linear_model import CoxPHSurvivalAnalysis

from sarcfeat.estimators import CoxPH, ElasticNetCox, LassoCox, RidgeCox
from tests.estimators.test_lasso_cox import cohort, violation

# glmnet(x, Surv(t, e), family = "cox", alpha = 0, thresh = 1e-14) on cohort(80, 8).
GLMNET = {
    3.8988191331: [1.08810338691, -0.06122023671, -0.00239747613],
    0.0408446436: [13.1295318946, -0.8350331622, -0.0764563622],
}


def test_the_path_is_that_of_glmnet():
    X, y = cohort(80, 8)
    model = RidgeCox(cv=3, random_state=0).fit(X, y)
    # glmnet shows an infinite first penalty; the others are those of l1_ratio 0.001.
    assert model.lambdas_[0] == pytest.approx(408.4464323389)
    assert model.lambdas_[1] == pytest.approx(372.1611770477)
    for at, expected in GLMNET.items():
        k = int(np.argmin(np.abs(model.lambdas_ - at)))
        assert model.lambdas_[k] == pytest.approx(at, rel=1e-8)
        np.testing.assert_allclose(model.coef_path_[:3, k], expected, rtol=1e-6)


@pytest.mark.parametrize(("n", "p"), [(60, 10), (40, 70)])
def test_every_penalty_meets_its_equations(n, p):
    X, y = cohort(n, p)
    model = RidgeCox(cv=3, n_lambda=25, random_state=0).fit(X, y)
    worst = [
        violation(X, y, model.coef_path_[:, k], lam, l1_ratio=0.0)
        for k, lam in enumerate(model.lambdas_)
    ]
    assert max(worst) < 1e-6
    assert len(model.selected_) == p


def test_one_penalty_is_that_of_scikit_survival():
    X, y = cohort(70, 5)
    Z = (X - X.mean()) / X.std(ddof=0)
    ours = RidgeCox(cv=None, lambdas=[0.3]).fit(Z, y)
    # Theirs is not divided by the number of patients.
    theirs = CoxPHSurvivalAnalysis(alpha=0.3 * 70, ties="breslow", tol=1e-12)
    np.testing.assert_allclose(ours.coef_, theirs.fit(Z, y).coef_, rtol=1e-6)


def test_no_penalty_is_the_cox_model_and_a_huge_one_is_none():
    X, y = cohort(80, 3)
    Z = (X - X.mean()) / X.std(ddof=0)
    free = RidgeCox(cv=None, lambdas=[1e-9]).fit(Z, y)
    np.testing.assert_allclose(free.coef_, CoxPH("breslow").fit(Z, y).coef_, rtol=1e-5)
    held = RidgeCox(cv=None, lambdas=[1e6]).fit(Z, y)
    assert np.abs(held.coef_).max() < 1e-5


def test_they_are_lasso_cox_by_another_name():
    X, y = cohort(60, 12)
    rules = {"cv": 4, "random_state": 3, "n_lambda": 30}
    pairs = [
        (RidgeCox(**rules), LassoCox(0, **rules)),
        (ElasticNetCox(**rules), LassoCox(0.5, **rules)),
    ]
    for short, long in pairs:
        one, two = short.fit(X, y), long.fit(X, y)
        np.testing.assert_array_equal(one.coef_path_, two.coef_path_)
        assert one.lambda_ == two.lambda_
    assert "l1_ratio" not in RidgeCox().get_params()


def test_the_same_coefficient_is_given_to_the_same_column_twice():
    X, y = cohort(60, 4)
    X = X.assign(again=X.iloc[:, 0])
    ridge = RidgeCox(cv=3, random_state=0).fit(X, y)
    assert ridge.coef_[0] == pytest.approx(ridge.coef_[-1], rel=1e-6)


def test_a_wide_ridge_does_not_depend_on_the_order_of_columns():
    X, y = cohort(40, 90)
    shuffled = X.sample(frac=1, axis=1, random_state=0)
    one = RidgeCox(cv=3, random_state=0, n_lambda=20).fit(X, y)
    two = RidgeCox(cv=3, random_state=0, n_lambda=20).fit(shuffled, y)
    coef = pd.Series(two.coef_, shuffled.columns)[X.columns]
    np.testing.assert_allclose(one.coef_, coef, rtol=1e-6, atol=1e-9)
