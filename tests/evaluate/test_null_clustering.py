"""Groups of patients found inside the folds know nothing of a shuffled outcome."""

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline

from sarcfeat import CoxPH, UnivariateCoxFilter, ZScore, make_y
from sarcfeat.evaluate import null_test
from sarcfeat.transform import ConsensusClustering

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::sarcfeat.exceptions.SarcfeatWarning"),
]


def test_clustering_passes_inside_the_folds_and_its_leaky_twin_fails():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(80, 200))).add_prefix("radiomics.t1.f")
    y = make_y(rng.random(80) < 0.7, rng.exponential(500, size=80))
    chain = Pipeline(
        [
            ("zscore", ZScore()),
            ("univariate", UnivariateCoxFilter(0.05, adjust="none")),
            (
                "groups",
                ConsensusClustering(
                    2,
                    max_k=2,
                    n_resamples=50,
                    output="onehot",
                    drop="first",
                    random_state=0,
                ),
            ),
            ("cox", CoxPH()),
        ]
    )
    options = {
        "n_permutations": 20,
        "n_splits": 5,
        "random_state": 0,
        "progress": False,
    }
    honest = null_test(chain, X, y, **options)
    leaky = null_test(
        Pipeline(chain.steps[2:]), X, y, outside=Pipeline(chain.steps[:2]), **options
    )
    assert honest.passed, str(honest)
    assert not leaky.passed, str(leaky)
    assert leaky.mean > 0.6
