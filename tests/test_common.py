"""scikit-learn's own checks, over every estimator of the package.

Each file of ``tests/common/`` lists ``ESTIMATORS = [(instance, expected), ...]``,
where `expected` maps the name of a check to the reason why it cannot hold here.
"""

import importlib
import pkgutil

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

import tests.common

CASES = [
    case
    for module in pkgutil.iter_modules(tests.common.__path__)
    for case in importlib.import_module(f"tests.common.{module.name}").ESTIMATORS
]
EXPECTED = {type(estimator).__name__: expected for estimator, expected in CASES}


@parametrize_with_checks(
    [estimator for estimator, _ in CASES],
    expected_failed_checks=lambda estimator: EXPECTED[type(estimator).__name__],
)
@pytest.mark.filterwarnings("default")
def test_scikit_learn_check(estimator, check):
    check(estimator)
