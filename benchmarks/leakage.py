"""What leakage costs: a chain in the folds, and with its steps fitted on everybody.

``python -m benchmarks.leakage [--quick] [--json FILE]``

On the simulated cohort (audit, and null test over permuted outcomes) and on the table
of soft-tissue sarcomas under ``SARCFEAT_DATA``, where it is there.
"""

from __future__ import annotations

import os
from argparse import Namespace
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.pipeline import Pipeline

from benchmarks.table import arguments, row, write
from sarcfeat.cli.demo_cohort import prepare, simulated_study
from sarcfeat.cli.demo_models import leaky_twin, radiomics_chain
from sarcfeat.estimators import CoxPH
from sarcfeat.evaluate import leakage_audit, null_test
from sarcfeat.io import read_table
from sarcfeat.store import FeatureStore
from sarcfeat.survival import make_y
from sarcfeat.transform import MRMR, UnivariateCoxFilter, ZScore, columns

STS = ("tables/sts/sts_pyradiomics_T1_FS.csv", "tables/sts/sts_clinical.csv")
SIMULATED = "simulated cohort"
SARCOMAS = "soft-tissue sarcomas (T1 and FS table)"


def sts_table() -> tuple[pd.DataFrame, Any] | None:
    """Return features and metastasis-free survival, or None where they are not."""
    for place in (os.environ.get("SARCFEAT_DATA", ""), "../shared/data"):
        files = [Path(place) / name for name in STS]
        if place and all(path.is_file() for path in files):
            break
    else:
        return None
    features = read_table(files[0], index="case_PatientID")
    clinical = read_table(files[1], index="patient_id")
    patients = features.index.intersection(clinical.index)
    clinical = clinical.loc[patients]
    event = clinical["met_event"].to_numpy(dtype=float) == 1
    time = clinical["met_time_days"].to_numpy(dtype=float)
    numbers = features.loc[patients].select_dtypes("number")
    return numbers.dropna(axis=1), make_y(event, time)


def sts_chain() -> Pipeline:
    """Build z-score → univariate Cox → mRMR → Cox, the chain of many papers."""
    return Pipeline(
        [
            ("zscore", ZScore()),
            ("univariate", UnivariateCoxFilter(0.05, adjust="none")),
            ("mrmr", MRMR(k=3)),
            ("cox", CoxPH()),
        ]
    )


def audited(
    name: str, chain: Pipeline, X: Any, y: Any, options: Namespace, **more: Any
) -> dict[str, Any]:
    """Return the row of one audit: in-fold c-index against that of the leaky chain."""
    audit = leakage_audit(
        chain,
        X,
        y,
        n_repeats=1 if options.quick else 3,
        n_bootstrap=200 if options.quick else 1000,
        random_state=options.seed,
        n_jobs=2,
        **more,
    )
    honest, leaky, _ = audit.table["c_index"]
    return row(
        f"leakage audit, {name}",
        float(honest),
        peer=float(leaky),
        peer_name="the same chain fitted on the whole cohort",
        unit="cross-validated c-index",
        note=str(audit),
    )


def simulated_rows(options: Namespace) -> list[dict[str, Any]]:
    """Audit the demo's chain, then run the null test of it and of its leaky twin."""
    study = simulated_study(
        60 if options.quick else 120, folder=options.work / "images", seed=options.seed
    )
    with FeatureStore(options.work / study.store_name) as store:
        prepared = prepare(store, study, n_jobs=2, progress=True)
    X, y = prepared.matrix.X, prepared.matrix.y
    X = X[columns(*study.feature_sets, "site")(X)]
    chain = radiomics_chain(prepared.readings, sites=X["site"].nunique())
    rows = [audited(SIMULATED, chain, X, y, options)]
    settings = {"random_state": options.seed, "n_jobs": 2}
    outside, inside = leaky_twin(chain)
    for name, model, before, passes in [
        ("chain inside the folds", chain, None, True),
        ("leaky twin", inside, outside, False),
    ]:
        found = null_test(
            model, X, y, outside=before, n_permutations=20, n_splits=5, **settings
        )
        rows.append(
            row(
                f"permuted outcomes, {name}",
                found.mean,
                peer=0.5,
                peer_name="no information",
                unit="mean c-index over 20 shuffled outcomes",
                met=found.passed is passes,
                note=f"standard error {found.standard_error:.4f}; expected to "
                f"{'pass' if passes else 'fail'}",
            )
        )
    return rows


def sts_rows(options: Namespace) -> list[dict[str, Any]]:
    """Audit a chain on the real table; one row says so where it is absent."""
    found = sts_table()
    if found is None:
        print(f"{SARCOMAS}: skipped, there is no {STS[0]} under SARCFEAT_DATA")
        return []
    return [audited(SARCOMAS, sts_chain(), *found, options)]


def main() -> None:
    """Run the audits and write the table."""
    options = arguments(__doc__ or "")
    write([*sts_rows(options), *simulated_rows(options)], options.json)


if __name__ == "__main__":
    main()
