"""Logistic regression against statsmodels, R's profile intervals and its own laws."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import chi2

from sarcfeat.estimators import LassoLogistic, Logistic
from sarcfeat.exceptions import InvalidInput, NotConverged, NothingSelected


@pytest.fixture(scope="module")
def study():
    rng = np.random.default_rng(4)
    X = pd.DataFrame(
        {
            "clinical.age": rng.normal(60, 12, 150),
            "clinical.size": rng.gamma(4, 20, 150),
            "clinical.deep": rng.integers(0, 2, 150) * 1.0,
        }
    )
    eta = 0.03 * (X["clinical.age"] - 60) + 0.01 * X["clinical.size"] - 1
    return X, (rng.random(150) < expit(eta)).astype(int).to_numpy()


@pytest.fixture(scope="module")
def separated():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"deep": np.r_[np.ones(10), np.zeros(40)]})
    X["age"] = rng.normal(60, 9, 50)
    return X, np.r_[np.ones(10), rng.integers(0, 2, 40)].astype(int)


def test_every_number_is_that_of_statsmodels(study):
    X, y = study
    model = Logistic().fit(X, y)
    theirs = sm.Logit(y, sm.add_constant(X)).fit(disp=0, tol=1e-14, method="newton")
    ours = np.r_[model.intercept_, model.coef_[0]]
    np.testing.assert_allclose(ours, theirs.params, rtol=1e-8)
    np.testing.assert_allclose(model.covariance_, theirs.cov_params(), rtol=1e-7)
    np.testing.assert_allclose(model.summary_["p"], theirs.pvalues[1:], rtol=1e-7)
    bounds = np.log(model.summary_[["ci_low", "ci_high"]])
    np.testing.assert_allclose(bounds, theirs.conf_int()[1:], rtol=1e-6)
    assert model.loglik_ == pytest.approx(theirs.llf, rel=1e-10)
    assert model.loglik_null_ == pytest.approx(theirs.llnull, rel=1e-10)
    assert (model.aic_, model.bic_) == pytest.approx((theirs.aic, theirs.bic))
    assert model.lr_test_ == pytest.approx((theirs.llr, 3, theirs.llr_pvalue))
    wald = theirs.wald_test(np.eye(4)[1:], scalar=True)
    assert model.wald_test_[0] == pytest.approx(float(wald.statistic), rel=1e-6)
    chances = theirs.predict(sm.add_constant(X))
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], chances, rtol=1e-7)


def test_the_p_of_each_column_is_that_of_leaving_it_out(study):
    X, y = study
    model = Logistic().fit(X, y)
    for name in X:
        less = Logistic().fit(X.drop(columns=name), y)
        fallen = 2 * (model.loglik_ - less.loglik_)
        only = Logistic().fit(X[[name]], y)
        assert only.summary_.loc[name, "p_lr"] == pytest.approx(only.lr_test_[2])
        assert model.summary_.loc[name, "p_lr"] == pytest.approx(chi2.sf(fallen, 1))


def test_the_score_test_is_the_slope_at_nothing(study):
    X, y = study
    null = sm.GLM(y, np.ones((len(X), 1)), family=sm.families.Binomial()).fit()
    found = null.score_test(exog_extra=X.to_numpy())
    statistic, df, p = Logistic().fit(X, y).score_test_
    expected = (float(found[0].item()), 3, float(found[1].item()))
    assert (statistic, df, p) == pytest.approx(expected, rel=1e-6)


def test_profile_intervals_end_where_the_likelihood_ratio_says(study):
    X, y = study
    wide = Logistic(intervals="profile", level=0.9).fit(X, y)
    for name in X:
        for end in ("ci_low", "ci_high"):
            held = np.log(wide.summary_.loc[name, end]) * X[name]
            rest = sm.add_constant(X.drop(columns=name))
            fit = sm.GLM(
                y, rest, family=sm.families.Binomial(), offset=held.to_numpy()
            ).fit(tol=1e-12)
            drop = 2 * (wide.loglik_ - fit.llf)
            assert drop == pytest.approx(2.705543, rel=1e-5)


def test_separation_is_named_and_firth_ends_it(separated):
    X, y = separated
    with pytest.warns(NotConverged, match=r"deep runs to infinity.*firth=True"):
        plain = Logistic(intervals="profile").fit(X, y)
    assert plain.separated_ == ["deep"]
    assert plain.summary_.loc["deep", "se"] > 1000
    assert plain.summary_.loc["deep", "p_lr"] < 0.01
    finite = Logistic(firth=True).fit(X, y)
    row = finite.summary_.loc["deep"]
    assert 1 < row["ci_low"] < row["odds_ratio"] < row["ci_high"] < 1e5
    assert finite.separated_ == []
    assert finite.lr_test_[0] > 0


def test_firth_maximises_the_penalised_likelihood(separated):
    X, y = separated
    design = sm.add_constant((X - X.mean()) / X.std()).to_numpy()

    def penalised(coef):
        eta = design @ coef
        mu = expit(eta)
        inside = design.T @ ((mu * (1 - mu))[:, None] * design)
        return -(
            y @ eta - np.logaddexp(0, eta).sum() + np.linalg.slogdet(inside)[1] / 2
        )

    model = Logistic(firth=True).fit(X, y)
    best = minimize(penalised, np.zeros(3), method="BFGS", options={"gtol": 1e-8})
    np.testing.assert_allclose(model.coef_[0] * X.std(), best.x[1:], rtol=1e-5)
    null = minimize(lambda b: penalised(np.r_[b, 0, 0]), [0.0], tol=1e-12)
    assert model.lr_test_[0] == pytest.approx(2 * (null.fun - best.fun), rel=1e-6)


@pytest.mark.parametrize("firth", [False, True])
def test_a_weight_of_two_is_a_patient_twice(study, firth):
    X, y = study
    weight = np.arange(150) % 3
    rows = np.repeat(np.arange(150), weight)
    one = Logistic(firth=firth).fit(X, y, sample_weight=weight)
    two = Logistic(firth=firth).fit(X.iloc[rows], y[rows])
    np.testing.assert_allclose(one.coef_, two.coef_, rtol=1e-6)
    np.testing.assert_allclose(one.covariance_, two.covariance_, rtol=1e-6)
    pd.testing.assert_frame_equal(one.summary_, two.summary_, rtol=1e-5)
    assert one.lr_test_ == pytest.approx(two.lr_test_)


def test_the_error_of_the_log_odds_is_that_of_a_shifted_model(study):
    X, y = study
    model = Logistic().fit(X, y)
    moved = Logistic().fit(X - X.iloc[7], y)
    expected = np.sqrt(moved.covariance_[0, 0])
    assert model.linear_predictor_se(X)[7] == pytest.approx(expected, rel=1e-7)
    assert model.linear_predictor(X)[7] == pytest.approx(moved.intercept_[0])


def test_columns_without_a_coefficient_of_their_own(study):
    X, y = study
    with pytest.warns(UserWarning, match="grade, twice: constant, or given"):
        model = Logistic().fit(X.assign(grade=1.0, twice=2 * X["clinical.age"]), y)
    assert model.aliased_ == ["grade", "twice"]
    np.testing.assert_allclose(model.coef_[0, :3], Logistic().fit(X, y).coef_[0])
    assert model.summary_.loc[["grade", "twice"], "se"].isna().all()
    assert (model.coef_[0, 3:] == 0).all()
    assert np.isfinite(model.linear_predictor_se(X.assign(grade=1.0, twice=0.0))).all()


def test_no_column_predicts_the_share(study):
    X, y = study
    with pytest.warns(NothingSelected, match="X has no column"):
        model = Logistic().fit(X.iloc[:, :0], y)
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], y.mean())
    assert model.lr_test_ == (0.0, 0, 1.0)


def test_labels_may_be_words(study):
    X, y = study
    words = np.where(y == 1, "yes", "no")
    model = Logistic().fit(X, words)
    assert list(model.classes_) == ["no", "yes"]
    np.testing.assert_array_equal(model.coef_, Logistic().fit(X, y).coef_)
    assert set(model.predict(X)) == {"no", "yes"}
    with pytest.raises(InvalidInput, match=r"Logistic can't .* all 150 patients are a"):
        Logistic().fit(X, ["a"] * 150)


def test_fault_062_as_many_columns_as_patients_are_refused_with_the_ratio():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 25))
    with pytest.raises(InvalidInput, match=r"25 columns .* 20 patients \(0\.80"):
        Logistic().fit(X, np.arange(20) % 2)


def test_a_small_penalty_leads_to_the_same_model(study):
    X, y = study
    lasso = LassoLogistic(cv=None, lambdas=[1e-8]).fit(X, y)
    np.testing.assert_allclose(lasso.coef_, Logistic().fit(X, y).coef_, rtol=1e-3)
