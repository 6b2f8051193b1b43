"""Fixtures that every test may use."""

import os
from pathlib import Path

import matplotlib
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

matplotlib.use("Agg")

# The same examples every time, so that a change is judged by what it changed.
# HYPOTHESIS_PROFILE=hunt looks for new ones.
# Neither judges by the clock: a machine may be busy.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("fixed", unhurried, derandomize=True)
settings.register_profile("hunt", unhurried, max_examples=1000, database=None)
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "fixed")
settings.load_profile(PROFILE)
if PROFILE == "fixed":
    # Hypothesis also tries numbers that it reads in the modules loaded so far: which
    # these are hangs on the tests that ran before in the same process.
    providers._get_local_constants = lambda: providers._local_constants


@pytest.fixture(scope="session")
def real_data():
    """Return the folder of real cohorts, or skip where it is not there."""
    places = [os.environ.get("SARCFEAT_DATA", ""), "../shared/data"]
    for place in places:
        if place and (Path(place) / "images" / "sts").is_dir():
            return Path(place).resolve()
    pytest.skip("the real cohorts are not here; set SARCFEAT_DATA to their folder")


def pytest_addoption(parser):
    parser.addoption(
        "--golden",
        default=None,
        help="folder of golden cases, <method>/<case>/expected.json",
    )
