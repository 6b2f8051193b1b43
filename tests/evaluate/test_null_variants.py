"""The null test over three variants of the demo's chain, and their leaky twins.

Each honest chain learns every step inside the fold; its twin fits all steps but the
last on everybody, outcome included, as a leaky study does, and must fail the same test.
"""

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline

from sarcfeat.cli.demo_models import leaky_twin
from sarcfeat.estimators import CoxPH, LassoCox
from sarcfeat.evaluate import null_test
from sarcfeat.store import Readings
from sarcfeat.survival import make_y
from sarcfeat.transform import (
    MRMR,
    ComBat,
    ConsensusClustering,
    ICCFilter,
    MedianImputer,
    ZScore,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::sarcfeat.exceptions.SarcfeatWarning"),
    pytest.mark.filterwarnings("ignore:No features were selected:UserWarning"),
]
OPTIONS = {"n_permutations": 20, "n_jobs": 2, "random_state": 0, "progress": False}
N, P = 60, 200
NAMES = [f"radiomics.t1.f{i:03d}" for i in range(P)]


@pytest.fixture(scope="module")
def study():
    """Sites go with the outcome: three of four events are in Lyon, whose scanner adds.

    A quarter of the features is not repeatable, some values are missing.
    """
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(N, P))
    risk = truth[:, :3].sum(axis=1)
    times = rng.exponential(np.exp(-risk))
    event = times <= np.quantile(times, 0.6)
    y = make_y(event, np.minimum(times, np.quantile(times, 0.6)))
    site = np.where(rng.random(N) < np.where(event, 0.75, 0.15), "Lyon", "Bordeaux")
    shift = (site == "Lyon")[:, None] * rng.normal(2, 0.5, P)
    patients = pd.Index([f"p{i:02d}" for i in range(N)], name="patient")
    noise = np.where(np.arange(P) % 4 == 3, 2.0, 0.2)
    readers = {
        (reader, 1): pd.DataFrame(
            truth + shift + noise * rng.normal(size=(N, P)), patients, NAMES
        )
        for reader in "AB"
    }
    table = pd.concat(readers, names=["reader", "session"])
    X = readers["A", 1].mask(rng.random((N, P)) < 0.01)
    X["site"] = site
    return X, y, Readings.from_frame(table.reorder_levels([2, 0, 1]))


def front(readings, threshold=0.75):
    return [
        ("icc", ICCFilter(readings, threshold=threshold)),
        ("combat", ComBat(single="mean_only", unseen="skip")),
        ("impute", MedianImputer()),
        ("zscore", ZScore()),
    ]


def with_clustering(readings):
    groups = ConsensusClustering(
        2, n_resamples=40, max_k=2, distance="euclidean", random_state=0
    )
    chosen = ("mrmr", MRMR(k=10, relevance="cox"))
    return Pipeline([*front(readings), chosen, ("groups", groups), ("cox", CoxPH())])


def with_mrmr(readings):
    return Pipeline([*front(readings), ("mrmr", MRMR(k=4)), ("cox", CoxPH())])


def with_confounded_sites(readings):
    lasso = LassoCox(cv=4, n_lambda=25, lambda_min_ratio=0.1, random_state=0)
    return Pipeline([*front(readings), ("mrmr", MRMR(k=20)), ("lasso", lasso)])


def twin(chain):
    if isinstance(chain.steps[-1][1], LassoCox):
        return leaky_twin(chain)
    return Pipeline(chain.steps[:-1]), chain.steps[-1][1]


VARIANTS = pytest.mark.parametrize(
    "variant", [with_clustering, with_mrmr, with_confounded_sites]
)


@VARIANTS
def test_the_chain_predicts_nothing_from_shuffled_outcomes(study, variant):
    X, y, readings = study
    found = null_test(variant(readings), X, y, **OPTIONS)
    assert found.passed, str(found)


@VARIANTS
def test_its_leaky_twin_fails_the_same_test(study, variant):
    X, y, readings = study
    outside, inside = twin(variant(readings))
    found = null_test(inside, X, y, outside=outside, **OPTIONS)
    assert not found.passed, str(found)
    assert found.mean > 0.55
