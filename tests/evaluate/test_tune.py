import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from sarcfeat import MRMR, LassoCox, ZScore
from sarcfeat.evaluate import Tuned, tune
from sarcfeat.exceptions import InvalidInput, UnknownName

SPACE = {"mrmr__k": [1, 2, 4], "lasso__l1_ratio": [1.0, 0.5]}


@pytest.fixture
def chain():
    return Pipeline(
        [
            ("zscore", ZScore()),
            ("mrmr", MRMR(k=1)),
            ("lasso", LassoCox(cv=3, random_state=0)),
        ]
    )


def test_the_first_trial_is_the_default_so_tuning_never_loses(cohort, chain):
    X, y = cohort
    found = tune(chain, SPACE, X, y, n_trials=4, random_state=0, progress=False)
    assert found.trials.loc[0, ["mrmr__k", "lasso__l1_ratio"]].tolist() == [1, 1.0]
    assert found.best_score >= found.trials.loc[0, "c_index"]
    assert len(found.trials) == 4


def test_same_seed_same_study(cohort, chain):
    X, y = cohort
    arguments = {"n_trials": 5, "random_state": 11, "progress": False}
    one, two = (tune(chain, SPACE, X, y, **arguments) for _ in range(2))
    pd.testing.assert_frame_equal(one.trials, two.trials, check_exact=True)


def test_the_global_random_state_is_untouched(cohort, chain):
    X, y = cohort
    np.random.seed(1)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    tune(chain, SPACE, X, y, n_trials=2, random_state=0, progress=False)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_an_unknown_parameter_is_named_with_the_near_miss(cohort, chain):
    X, y = cohort
    with pytest.raises(UnknownName, match=r"'mrmr__kk'.*Did you mean 'mrmr__k'"):
        tune(chain, {"mrmr__kk": [1]}, X, y, progress=False)


def test_a_space_that_is_no_space_is_refused(cohort, chain):
    X, y = cohort
    with pytest.raises(InvalidInput, match="list of values"):
        tune(chain, {"mrmr__k": 3}, X, y, progress=False)


def test_tuned_sees_only_the_rows_it_is_given(cohort, chain):
    X, y = cohort
    model = Tuned(chain, SPACE, n_trials=3, random_state=0)
    fitted = clone(model).fit(X[:60], y[:60])
    poisoned = X.copy()
    poisoned.iloc[60:] *= 1e6
    again = clone(model).fit(poisoned[:60], y[:60])
    assert fitted.best_params_ == again.best_params_
    assert np.array_equal(fitted.predict(X[:60]), again.predict(X[:60]))


def test_a_proxy_tunes_the_part_and_sets_the_whole(cohort, chain):
    X, y = cohort
    whole = Pipeline([("part", clone(chain))])
    model = Tuned(
        whole, SPACE, proxy=chain, prefix="part__", n_trials=3, random_state=0
    ).fit(X, y)
    assert set(model.best_params_) == {"part__mrmr__k", "part__lasso__l1_ratio"}
    k = model.best_params_["part__mrmr__k"]
    assert model.estimator_.named_steps["part"].named_steps["mrmr"].k == k


def test_a_tuned_pipeline_gives_survival_too(cohort, chain):
    X, y = cohort
    model = Tuned(chain, SPACE, n_trials=1, random_state=0).fit(X, y)
    found = model.predict_survival_function(X, [100.0, 700.0])
    known = model.estimator_[-1].predict_survival_function(
        model.estimator_[:-1].transform(X), [100.0, 700.0]
    )
    assert np.array_equal(found, known)
