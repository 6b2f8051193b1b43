"""Fixtures that every test may use."""

import os
from pathlib import Path

import matplotlib
import pytest

matplotlib.use("Agg")


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
