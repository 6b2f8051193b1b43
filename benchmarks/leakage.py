"""What leakage costs: the null test of the demo's chain and of its leaky twin.

``python -m benchmarks.leakage [--quick] [--json FILE]``
"""

from __future__ import annotations

from benchmarks.table import arguments, row, write
from sarcfeat.cli.demo_cohort import prepare, simulated_study
from sarcfeat.cli.demo_models import leaky_twin, radiomics_chain
from sarcfeat.evaluate import null_test
from sarcfeat.store import FeatureStore
from sarcfeat.transform import columns


def main() -> None:
    """Shuffle the outcome; the honest chain gives 0.5, its leaky twin does not."""
    options = arguments(__doc__ or "")
    study = simulated_study(
        60 if options.quick else 120, folder=options.work / "images", seed=options.seed
    )
    with FeatureStore(options.work / study.store_name) as store:
        prepared = prepare(store, study, n_jobs=2, progress=True)
    X = prepared.matrix.X
    X = X[columns(*study.feature_sets, "site")(X)]
    chain = radiomics_chain(prepared.readings, sites=X["site"].nunique())
    outside, inside = leaky_twin(chain)
    settings = {
        "n_permutations": 20,
        "n_splits": 5,
        "random_state": options.seed,
        "n_jobs": 2,
    }
    honest = null_test(chain, X, prepared.matrix.y, **settings)
    leaky = null_test(inside, X, prepared.matrix.y, outside=outside, **settings)
    rows = [
        row(
            name,
            found.mean,
            peer=0.5,
            peer_name="no information",
            unit="mean c-index over 20 shuffled outcomes",
            met=found.passed is expected,
            note=f"standard error {found.standard_error:.4f}; expected to "
            f"{'pass' if expected else 'fail'}",
        )
        for name, found, expected in [
            ("chain inside the folds", honest, True),
            ("leaky twin", leaky, False),
        ]
    ]
    write(rows, options.json)


if __name__ == "__main__":
    main()
