import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_1samp
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score

from sarcfeat.exceptions import InvalidInput, NoComparablePairs, UnknownName
from sarcfeat.metrics import (
    corrected_resampled_t,
    get_scorer,
    likelihood_ratio,
    nested_cox_test,
    scorer_names,
)
from sarcfeat.survival import RiskSets, SurvivalMixin, fit_cox, make_y
from tests.survival.cohorts import cohort


class Risk(SurvivalMixin, BaseEstimator):
    """A model whose risk is one column times `sign`."""

    def __init__(self, sign=1.0):
        self.sign = sign

    def fit(self, X, y):
        self.n_features_in_ = np.shape(X)[1]
        return self

    def predict(self, X):
        return self.sign * np.asarray(X)[:, 0]

    def predict_survival_function(self, X, times):
        return np.exp(-np.exp(self.predict(X))[:, None] * np.asarray(times) / 24)


class Chance(ClassifierMixin, BaseEstimator):
    def __init__(self, sign=1.0):
        self.sign = sign

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        p = 1 / (1 + np.exp(-3 * self.sign * np.asarray(X)[:, 0]))
        return np.c_[1 - p, p]


def data(n=150):
    X, event, time = cohort(n, 2)
    return X, make_y(event, time)


SURVIVAL = {
    "harrell_c": {},
    "uno_c": {},
    "time_dependent_auc": {"times": [6.0, 12.0]},
    "neg_brier": {"times": 12.0},
    "neg_ibs": {"times": [6.0, 12.0, 18.0]},
}


@pytest.mark.parametrize("name", SURVIVAL)
def test_the_right_sign_scores_higher(name):
    X, y = data()
    scorer = get_scorer(name, **SURVIVAL[name])
    right, wrong = (scorer(Risk(sign).fit(X, y), X, y) for sign in (1.0, -1.0))
    assert right > wrong
    assert scorer.direction == "maximize"
    search = GridSearchCV(
        Risk(), {"sign": [-1.0, 1.0]}, scoring=scorer, cv=KFold(3), error_score="raise"
    )
    assert search.fit(X, y).best_params_ == {"sign": 1.0}
    kept = pickle.loads(pickle.dumps(scorer))
    assert kept(Risk().fit(X, y), X, y) == right


@pytest.mark.parametrize("name", ["roc_auc", "neg_brier_binary"])
@pytest.mark.parametrize("labels", [(0, 1), ("alive", "dead")])
def test_the_right_sign_of_a_classifier_scores_higher(name, labels):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(120, 1)))
    y = np.where(rng.uniform(size=120) < 1 / (1 + np.exp(-3 * X[0])), *labels[::-1])
    scorer = get_scorer(name)
    right, wrong = (
        cross_val_score(Chance(s), X, y, scoring=scorer, cv=3).mean()
        for s in (1.0, -1.0)
    )
    assert right > wrong


def test_every_scorer_is_tested_for_its_sign():
    assert set(scorer_names()) == {*SURVIVAL, "roc_auc", "neg_brier_binary"}


def test_optuna_maximises_a_scorer():
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    X, y = data(60)
    scorer = get_scorer("harrell_c")
    study = optuna.create_study(
        direction=scorer.direction, sampler=optuna.samplers.RandomSampler(seed=0)
    )
    study.optimize(
        lambda t: scorer(Risk(t.suggest_float("sign", -1, 1)).fit(X, y), X, y),
        n_trials=8,
    )
    assert study.best_params["sign"] > 0


def test_scorers_say_what_they_need():
    with pytest.raises(InvalidInput, match="'neg_ibs' needs at least 2 times; got 0"):
        get_scorer("neg_ibs")
    with pytest.raises(UnknownName, match="Did you mean 'harrell_c'"):
        get_scorer("harrel_c")


def test_a_score_of_yes_or_no_refuses_a_survival_model():
    with pytest.raises(InvalidInput, match=r"Risk gives no predict_proba"):
        get_scorer("roc_auc")(Risk(), None, None)


def test_fault_072_a_fold_without_pairs_scores_nan_and_the_search_goes_on():
    X, y = data(30)
    y["event"][:10] = False
    with pytest.warns(NoComparablePairs, match="No pair of the 10 patients"):
        scores = cross_val_score(
            Risk(), X, y, scoring=get_scorer("harrell_c"), cv=KFold(3)
        )
    assert np.isnan(scores[0])
    assert np.isfinite(scores[1:]).all()


def test_the_corrected_test_is_less_sure_than_the_plain_one():
    values = np.random.default_rng(0).normal(0.02, 0.03, 15)
    ours = corrected_resampled_t(values, 80, 20)
    plain = ttest_1samp(values, 0)
    assert ours.p > plain.pvalue
    nearly = corrected_resampled_t(values, 1e12, 1)
    assert nearly.p == pytest.approx(plain.pvalue)
    assert nearly.ci_low == pytest.approx(plain.confidence_interval().low)
    with_gap = corrected_resampled_t([*values, np.nan], 80, 20)
    assert with_gap.n == 15
    with pytest.raises(InvalidInput, match="at least 2 known differences"):
        corrected_resampled_t([0.1], 80, 20)


def test_the_likelihood_ratio_of_nested_cox_models():
    X, event, time = cohort(100, 3, tied=True)
    values = X.to_numpy()
    found = nested_cox_test(event, time, values[:, :1], values[:, 1:])
    sets = RiskSets(event, time)
    small, large = fit_cox(values[:, :1], sets), fit_cox(values, sets)
    assert found.statistic == pytest.approx(2 * (large.loglik - small.loglik))
    assert found.df == 2
    twice = nested_cox_test(event, time, values[:, :1], values[:, :1] * 3)
    assert twice.df == 0
    assert np.isnan(twice.p)
    whole = nested_cox_test(event, time, np.zeros((100, 0)), values)
    assert whole.p == pytest.approx(large.lr_test[2])
    with pytest.raises(InvalidInput, match="not nested"):
        likelihood_ratio(-100, 2, -101, 3)
    with pytest.raises(InvalidInput, match=r"X_extra has shape \(99, 1\)"):
        nested_cox_test(event, time, values, values[1:, :1])
