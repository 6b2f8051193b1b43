"""The null test over the demo's chain, and the leaky twin that must fail it."""

import pytest

from sarcfeat.cli.demo_cohort import prepare, simulated_study
from sarcfeat.cli.demo_models import demo_models, leaky_twin, radiomics_chain
from sarcfeat.evaluate import null_test
from sarcfeat.store import FeatureStore
from sarcfeat.transform import columns

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::sarcfeat.exceptions.SarcfeatWarning"),
    # A permuted outcome that selects no column is a result, and counted.
    pytest.mark.filterwarnings("ignore:No features were selected:UserWarning"),
]
OPTIONS = {"n_permutations": 20, "n_jobs": 2, "random_state": 0, "progress": False}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("null")
    study = simulated_study(60, folder=folder)
    with FeatureStore(folder / "store") as store:
        prepared = prepare(store, study, n_jobs=2, progress=False, say=lambda _: None)
    return study, prepared


def test_the_whole_chain_predicts_nothing_from_shuffled_outcomes(study):
    study, prepared = study
    models = demo_models(
        prepared.readings, study.feature_sets, study.clinical, sites=3, trials=2
    )
    found = null_test(
        models["combined"], prepared.matrix.X, prepared.matrix.y, **OPTIONS
    )
    assert found.passed, str(found)


def test_its_leaky_twin_fails(study):
    study, prepared = study
    X = prepared.matrix.X
    X = X[columns(*study.feature_sets, "site")(X)]
    chain = radiomics_chain(prepared.readings, sites=3)
    outside, inside = leaky_twin(chain)
    found = null_test(inside, X, prepared.matrix.y, outside=outside, **OPTIONS)
    assert not found.passed, str(found)
    assert found.mean > 0.55
