"""What a step learns does not depend on the test patients, whatever they hold."""

import warnings

import numpy as np
import pytest

from tests import steps

POISONS = ["a million times larger", "missing", "another hospital", "other outcomes"]


def poisoned(X, y, how):
    """Return the cohort with its test patients turned into nonsense."""
    X, y = X.copy(), y.copy()
    features = [name for name in X.columns if name != "site"]
    rows = X.index[steps.TEST]
    if how == "a million times larger":
        X.loc[rows, features] *= 1e6
    elif how == "missing":
        X.loc[rows, features] = np.nan
    elif how == "another hospital":
        X.loc[rows, "site"] = "Atlantis"
    else:
        y["event"][steps.TEST] = ~y["event"][steps.TEST]
        y["time"][steps.TEST] *= 1e6
    return X, y


def fitted(name, X, y, poison=()):
    step, columns = steps.make(name, X, poison=poison)
    train = X[columns].iloc[steps.TRAIN]
    train = steps.as_taken(name, train)
    given = steps.target(name, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        step.fit(train, None if given is None else given[steps.TRAIN])
        return step, train, steps.apply(step, train)


def test_every_step_is_guarded():
    assert sorted(steps.SETTINGS) == steps.NAMES


@pytest.mark.parametrize("how", POISONS)
@pytest.mark.parametrize("name", steps.NAMES)
def test_fitted_on_train_only(name, how):
    X, y = steps.cohort()
    clean, _, expected = fitted(name, X, y)
    bad, _, found = fitted(name, *poisoned(X, y, how), poison=X.index[steps.TEST])
    assert not list(steps.differences(steps.state(clean), steps.state(bad)))
    np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))


@pytest.mark.parametrize("name", steps.NAMES)
def test_applying_a_step_to_new_patients_teaches_it_nothing(name):
    X, y = steps.cohort()
    step, train, expected = fitted(name, X, y)
    again, _, _ = fitted(name, X, y)
    everybody = poisoned(X, y, POISONS[0])[0]
    everybody = steps.as_taken(name, everybody)
    found = steps.apply(step, everybody[list(train.columns)])
    # A patient's own row alone decides what becomes of it.
    rows = np.asarray(found)[steps.TRAIN]
    numbers = [np.asarray(v) for v in (rows, expected)]
    if numbers[0].dtype == object:
        assert (numbers[0] == numbers[1]).mean() > 0.1
        numbers = [_numbers_only(v) for v in numbers]
    np.testing.assert_allclose(*numbers, rtol=1e-9, atol=1e-12)
    assert not list(steps.differences(steps.state(step), steps.state(again)))


def _numbers_only(values):
    keep = [j for j in range(values.shape[1]) if not isinstance(values[0, j], str)]
    return values[:, keep].astype(float)
