"""Nomograms compared on the real sarcomas of TCGA: ``--cohort tcga-sarc``."""

from __future__ import annotations

import hashlib
import time
import warnings
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.tcga_sarc import ENDPOINT, Study, load_study
from benchmarks.tcga_sarc_models import compared_pairs, tcga_models
from benchmarks.tcga_sarc_tables import (
    THRESHOLD,
    Compared,
    added_value,
    compare_nomograms,
    sarcoma_death,
)
from sarcfeat.estimators.hazard_table import FEW_EVENTS
from sarcfeat.evaluate import null_test
from sarcfeat.exceptions import SarcfeatWarning
from sarcfeat.report import build_results, model_rows, write_json

__all__ = ["run"]

AT = 1096.0  # days: three years, where 55 patients are still followed
N_JOBS = 2
QUICK = {"trees": 60, "repeats": 1, "bootstrap": 200, "permutations": 5}
FULL = {"trees": 300, "repeats": 10, "bootstrap": 1000, "permutations": 20}
ALL, INSIDE = "all patients", "MSKCC's population"
NOTES = (
    "Settings of forests and boosting were fixed beforehand; only the LASSO chooses "
    "its penalty, by cross-validation within each training fold.",
    "Sarculator's coefficients are not public: both rows are refits of its variables "
    "on these patients. In some training folds nobody of a rare histology died; the "
    "plain Cox model then predicts a survival of 1, and a death among those held out "
    "drags its calibration slope towards 0. Firth's penalty keeps it finite.",
    "MSKCC-2002 as published gives the risk of death by 12 years, and none at three: "
    "what needs a probability at three years (Brier score, net benefit) stands in the "
    "row whose baseline and slope are refit.",
    "With its slope refit the order of patients is MSKCC's own, and so is its c-index.",
    "Margin, grade and size are known after surgery: these are postoperative models.",
)
NULL_MODEL = "LASSO-Cox: clinical + immune"


def subset(study: Study, rows: Any) -> Study:
    """Return some of a study's patients."""
    return Study(
        study.X[rows],
        study.y[rows],
        study.outside[rows],
        study.mapping,
        study.sarcoma_death,
    )


def run(options: Namespace) -> dict[str, Any]:
    """Compare on all patients and on MSKCC's population; print, write where asked."""
    start = time.perf_counter()
    study = load_study()
    size = QUICK if options.quick else FULL
    models = tcga_models(trees=size["trees"], seed=options.seed)
    print("\n".join([ENDPOINT, *NOTES]))
    print(f"\nOutside {INSIDE}: {_counted(study.outside[~study.inside])}")
    print(f"\nFilled in within the folds:\n{study.missing().to_string(index=False)}")
    groups = {ALL: study, INSIDE: subset(study, study.inside)}
    found: dict[str, Compared] = {}
    with warnings.catch_warnings():
        # A rare level that a training fold lacks counts to the reference, fold by fold.
        warnings.simplefilter("ignore", SarcfeatWarning)
        for name, patients in groups.items():
            found[name] = compare_nomograms(
                patients,
                models,
                pairs=compared_pairs,
                at=AT,
                n_repeats=size["repeats"],
                n_bootstrap=size["bootstrap"],
                seed=options.seed,
                n_jobs=N_JOBS,
            )
            show(name, patients, found[name])
        null = null_test(
            models[NULL_MODEL],
            study.X,
            study.y,
            n_permutations=size["permutations"],
            random_state=options.seed,
            n_jobs=N_JOBS,
        )
    print(f"\n{NULL_MODEL}, {null}")
    results = _results(options, groups, found, start)
    results["null_test"] = {
        "model": NULL_MODEL,
        "mean": null.mean,
        "standard_error": null.standard_error,
        "n_permutations": len(null.c_indices),
        "passed": null.passed,
    }
    if options.json is not None:
        write_json(results, options.json)
        figure(found, options.json.with_suffix(".png"))
    return results


def _counted(outside: pd.Series) -> str:
    counts = outside.value_counts()
    return "; ".join(f"{n} {reason}" for reason, n in counts.items()) or "nobody"


def show(name: str, study: Study, found: Compared) -> None:
    """Print the two tables of a group of patients."""
    events = int(study.y["event"].sum())
    few = set(found.measures.loc[found.measures["caution"] != "", "model"])
    print(f"\n{name}: {len(study.X)} patients, {events} deaths; horizon {AT:g} days")
    measures = found.measures.assign(
        shown=[
            "–" if np.isnan(v) else f"{v:.3f} ({low:.3f} to {high:.3f})"
            for v, low, high in found.measures[
                ["value", "ci_low", "ci_high"]
            ].to_numpy()
        ]
    )
    table = measures.pivot(index="model", columns="metric", values="shown")
    table = table.reindex(
        index=found.result.models, columns=list(dict.fromkeys(measures["metric"]))
    )
    first = measures.drop_duplicates("model").set_index("model")
    table["events per variable"] = first["events_per_variable"].round(1)
    table["constant folds"] = first["constant_folds"]
    caution = f"Fewer than {FEW_EVENTS} events per variable: {'; '.join(sorted(few))}"
    with pd.option_context("display.width", 250):
        print(table.to_string(na_rep="none fitted"))
        print(caution if few else "")
        for metric in ("harrell_c", "ibs", "net_benefit"):
            print(
                f"\nDifferences in {metric}, {name}; p by the paired bootstrap and more"
            )
            print(_differences(found.differences, metric).to_string(index=False))
            print(caution if few else "")


def _differences(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return a row a pair: the bootstrap's numbers, and p by the other tests."""
    rows = table[table["metric"] == metric]
    first = ["a", "b", "delta", "ci_low", "ci_high", "p", "p_holm", "p_bh"]
    shown = rows.loc[rows["test"] == "paired bootstrap", first]
    for test, name in (("analytic", "p_analytic"), ("corrected resampled t", "p_t")):
        other = rows.loc[rows["test"] == test, ["a", "b", "p"]]
        shown = shown.merge(
            other.rename(columns={"p": name}), how="left", on=["a", "b"]
        )
    return shown.round(4).dropna(axis=1, how="all")


def _results(
    options: Namespace,
    groups: dict[str, Study],
    found: dict[str, Compared],
    start: float,
) -> dict[str, Any]:
    everybody = groups[ALL]
    results: dict[str, Any] = {
        "endpoint": ENDPOINT,
        "notes": list(NOTES),
        "quick": bool(options.quick),
        "mapping": everybody.mapping.to_dict("records"),
        "outside": everybody.outside[~everybody.inside].value_counts().to_dict(),
        "missing": everybody.missing().to_dict("records"),
        "added_value": added_value(everybody).to_dict("records"),
        "groups": {},
    }
    for name, study in groups.items():
        compared = found[name]
        rows = model_rows(compared.measures, at=AT, threshold=THRESHOLD)
        first = compared.measures.drop_duplicates("model")
        extra = first[["model", "events_per_variable", "caution"]]
        rows = rows.merge(extra.rename(columns={"model": "name"}), on="name")
        results["groups"][name] = build_results(
            name=f"nomograms on TCGA-SARC, {name}",
            cohort={
                "name": "tcga-sarc",
                "n": len(study.X),
                "events": int(study.y["event"].sum()),
            },
            endpoint="os",
            models=rows.round(6),
            differences=compared.differences.drop(columns="how").round(6),
            tests=compared.differences.drop_duplicates(["metric", "test"])[
                ["metric", "test", "how"]
            ].to_dict("records"),
            units={},
            matrix_id=fingerprint(study),
            seed=options.seed,
            seconds=time.perf_counter() - start,
            sarcoma_death=sarcoma_death(study, compared.result),
            caution="Rows with a caution have fewer than "
            f"{FEW_EVENTS} events per variable.",
        )
    return results


def fingerprint(study: Study) -> str:
    """Return a short hash of the predictors and the outcome."""
    text = study.X.to_csv() + repr(study.y.tolist())
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def figure(found: dict[str, Compared], path: Path) -> None:
    """Draw the c-index of every model in each group of patients."""
    from sarcfeat import plots

    axes = []
    for name, compared in found.items():
        rows = compared.measures[compared.measures["metric"] == "harrell_c"]
        table = rows.rename(columns={"value": "c_index"}).copy()
        few = np.where(table["caution"] != "", " *", "")
        table["model"] = table["model"] + few
        n = len(compared.result.outcome)
        deaths = int(compared.result.outcome["event"].sum())
        label = f"c-index (95 % CI), {name}: {n} patients, {deaths} deaths"
        axes.append(plots.c_index_forest(table, xlabel=label))
        axes[-1].set_title(f"* fewer than {FEW_EVENTS} events per variable", fontsize=9)
        stem = path.stem if name == ALL else f"{path.stem}_inside"
        target = path.with_name(f"{stem}{path.suffix}")
        axes[-1].get_figure().savefig(target, dpi=130, bbox_inches="tight")
        plots.close(axes[-1].get_figure())
