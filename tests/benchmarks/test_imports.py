"""Every benchmark can be started: nothing it takes of the library has moved away."""

import pkgutil
from importlib import import_module

import pytest

import benchmarks

MODULES = [
    found.name for found in pkgutil.walk_packages(benchmarks.__path__, "benchmarks.")
]


@pytest.mark.parametrize("name", MODULES)
def test_a_benchmark_imports(name):
    assert import_module(name).__doc__
