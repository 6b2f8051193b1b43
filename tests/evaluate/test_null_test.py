import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline, make_pipeline

from sarcfeat import MRMR, LassoCox, ZScore, make_y
from sarcfeat.evaluate import null_test


@pytest.fixture
def wide():
    """Return 60 patients with 300 columns of noise."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(60, 300))).add_prefix("radiomics.t1.f")
    y = make_y(rng.random(60) < 0.7, rng.exponential(500, size=60))
    return X, y


def test_an_honest_chain_passes_and_its_leaky_twin_fails(wide):
    X, y = wide
    select = make_pipeline(ZScore(), MRMR(k=5))
    model = LassoCox(cv=3, random_state=0)
    chain = Pipeline([*select.steps, ("lasso", model)])
    options = {"n_permutations": 10, "n_splits": 3, "random_state": 0}
    honest = null_test(chain, X, y, progress=False, **options)
    leaky = null_test(model, X, y, outside=select, progress=False, **options)
    assert honest.passed, str(honest)
    assert not leaky.passed, str(leaky)
    assert leaky.mean > 0.6
    assert "FAILED" in str(leaky)
