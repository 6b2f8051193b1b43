"""Columns are found by name, or refused by name; never taken by their position."""

import re
import warnings

import numpy as np
import pytest

from tests import steps


@pytest.fixture(scope="module")
def fitted():
    X, y = steps.cohort()

    def fit(name):
        step, columns = steps.make(name, X)
        given = X[columns]
        given = steps.as_taken(name, given)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            step.fit(given, steps.target(name, y))
            return step, given, np.asarray(steps.apply(step, given))

    return fit


@pytest.mark.parametrize("name", steps.NAMES)
def test_fault_059_reordered_columns(fitted, name):
    step, X, expected = fitted(name)
    _same(step, X[X.columns[::-1]], expected)


@pytest.mark.parametrize("name", steps.NAMES)
def test_fault_060_extra_columns(fitted, name):
    step, X, expected = fitted(name)
    more = X.copy()
    more.insert(0, "r.t1.extra", X.iloc[:, 0])
    _same(step, more, expected)


@pytest.mark.parametrize("name", steps.NAMES)
def test_fault_059_a_missing_column_is_named(fitted, name):
    step, X, _ = fitted(name)
    lost = "cnn.bag" if name in steps.BAGS else "r.t1.f3"
    with pytest.raises(ValueError, match=re.escape(lost)):
        steps.apply(step, X.drop(columns=lost))


def _same(step, X, expected):
    np.testing.assert_array_equal(np.asarray(steps.apply(step, X)), expected)
