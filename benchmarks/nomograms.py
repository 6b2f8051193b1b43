"""Nomograms compared on simulated patients with a known risk, or on TCGA-SARC.

``python -m benchmarks.nomograms [--cohort tcga-sarc] [--quick] [--json FILE]``
"""

from __future__ import annotations

from argparse import Namespace

from benchmarks import nomograms_tcga_sarc
from benchmarks.table import arguments, row, write
from sarcfeat.cli.demo_cohort import prepare, simulated_study
from sarcfeat.cli.demo_models import demo_models
from sarcfeat.evaluate import compare, nested_cv
from sarcfeat.metrics import concordance
from sarcfeat.store import FeatureStore

SHARE_OF_TRUTH = 0.7


def main() -> None:
    """Compare on the cohort asked for."""
    options = arguments(__doc__ or "", cohorts=("simulated", "tcga-sarc"))
    if options.cohort == "tcga-sarc":
        nomograms_tcga_sarc.run(options)
    else:
        simulated(options)


def simulated(options: Namespace) -> None:
    """Cross-validate the demo's models on make_cohort(300) beside the true risk."""
    n = 100 if options.quick else 300
    study = simulated_study(n, folder=options.work / "images", seed=options.seed)
    with FeatureStore(options.work / study.store_name) as store:
        prepared = prepare(store, study, n_jobs=2, progress=True)
    matrix = prepared.matrix
    models = demo_models(
        prepared.readings,
        study.feature_sets,
        study.clinical,
        sites=matrix.X["site"].nunique(),
        trials=3 if options.quick else 8,
        random_state=options.seed,
    )
    result = nested_cv(
        models,
        matrix.X,
        matrix.y,
        n_splits=5,
        n_repeats=1 if options.quick else 3,
        random_state=options.seed,
        n_jobs=2,
    )
    table = result.c_index().set_index("model")
    truth = study.cohort.truth.loc[matrix.X.index, "true_risk"].to_numpy()
    true_c = concordance(matrix.y["event"], matrix.y["time"], truth).c_index
    rows = [row("true risk", true_c, unit="c-index", note=f"n = {len(matrix.X)}")]
    for name, found in table.iterrows():
        rows.append(
            row(
                name,
                found["c_index"],
                peer=true_c,
                peer_name="true risk",
                ratio=(found["c_index"] - 0.5) / (true_c - 0.5),
                target=SHARE_OF_TRUTH if name == "combined" else None,
                unit="c-index; ratio = share of what the true risk has above 0.5",
                note=f"{found['ci_low']:.3f} to {found['ci_high']:.3f}",
            )
        )
    gain = compare(result, [("combined", "clinical")]).iloc[0]
    rows.append(
        row(
            "combined minus clinical",
            gain["delta"],
            unit="c-index",
            met=bool(gain["ci_low"] > 0),
            note=f"{gain['ci_low']:.3f} to {gain['ci_high']:.3f}, p = {gain['p']:.3g}",
        )
    )
    write(rows, options.json)


if __name__ == "__main__":
    main()
