"""Nomograms compared on the real sarcomas of TCGA: ``--cohort tcga-sarc``."""

from __future__ import annotations

import hashlib
import time
import warnings
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from benchmarks.tcga_sarc import ENDPOINT, Study, load_study
from benchmarks.tcga_sarc_models import (
    PUBLISHED,
    RECALIBRATED,
    compared_pairs,
    tcga_models,
)
from sarcfeat.evaluate import (
    NestedCV,
    comparison_table,
    metric_table,
    nested_cv,
    null_test,
)
from sarcfeat.evaluate.kept_metrics import Kept
from sarcfeat.evaluate.metric_table import percentile
from sarcfeat.exceptions import SarcfeatWarning
from sarcfeat.metrics import concordance, nested_cox_test, resampled_slope
from sarcfeat.report import build_results, model_rows, write_json

__all__ = ["Compared", "compare_nomograms", "run"]

AT = 1096.0  # days: three years, where 55 patients are still followed
THRESHOLD = 0.3
GRID = 20
RANKS = ("harrell_c", "uno_c", "tdauc")
PROBABILITIES = ("ibs", "calibration_slope", "net_benefit")
N_JOBS = 2
QUICK = {"trees": 60, "repeats": 1, "bootstrap": 200, "permutations": 5}
FULL = {"trees": 300, "repeats": 10, "bootstrap": 1000, "permutations": 20}
FEW = 10  # events per variable below which a table says so
ALL, INSIDE = "all patients", "MSKCC's population"
NULL_MODEL = "LASSO-Cox: clinical + immune"


@dataclass(frozen=True)
class Compared:
    """The tables of one group of patients, and the predictions they come from.

    Attributes
    ----------
    result : NestedCV
    measures, differences : DataFrame
        As ``metric_table`` and ``comparison_table`` give them, with the events per
        variable and a caution where they are few.
    """

    result: NestedCV
    measures: pd.DataFrame
    differences: pd.DataFrame


def compare_nomograms(
    study: Study,
    models: dict[str, Any],
    *,
    pairs: Callable[[str], list[tuple[str, str]]],
    at: float = AT,
    n_splits: int = 5,
    n_repeats: int = 10,
    n_bootstrap: int = 1000,
    seed: int = 0,
    n_jobs: int = 2,
    progress: bool = True,
) -> Compared:
    """Cross-validate the models on the same folds and fill both tables.

    Measures of rank are compared with MSKCC's nomogram as published, measures of
    probability with its baseline refit.
    """
    result = nested_cv(
        models,
        study.X,
        study.y,
        n_splits=n_splits,
        n_repeats=n_repeats,
        times=np.linspace(at / GRID, at, GRID).tolist(),
        random_state=seed,
        n_jobs=n_jobs,
        progress=progress,
    )
    options: dict[str, Any] = {
        "at": at,
        "threshold": THRESHOLD,
        "n_bootstrap": n_bootstrap,
        "random_state": seed,
    }
    measures = metric_table(result, **options)
    if PUBLISHED in models:
        measures = _with_published_slope(result, measures, options)
    per_variable = events_per_variable(study, models)
    measures.insert(5, "events_per_variable", measures["model"].map(per_variable))
    measures.insert(
        6, "caution", measures["model"].map(lambda m: _caution([m], per_variable))
    )
    # The published formula gives an order of patients, but no probability at `at`.
    ranks = comparison_table(result, pairs(PUBLISHED), metrics=RANKS, **options)
    ranks = ranks[ranks["test"] != "DeLong"]
    refit = pairs(RECALIBRATED)
    others = comparison_table(result, refit, metrics=PROBABILITIES, **options)
    differences = pd.concat([ranks, others], ignore_index=True)
    both = zip(differences["a"], differences["b"], strict=True)
    differences.insert(11, "caution", [_caution(pair, per_variable) for pair in both])
    return Compared(result, measures, differences)


def events_per_variable(study: Study, models: dict[str, Any]) -> dict[str, float]:
    """Return events by columns offered to each last step; NaN where none is fitted."""
    events = int(study.y["event"].sum())
    found = {}
    for name, model in models.items():
        if name == PUBLISHED:
            found[name] = float("nan")
            continue
        last = clone(model).fit(study.X, study.y)[-1]
        # A refitted nomogram codes its words itself.
        found[name] = events / getattr(last, "pipeline_", [last])[-1].n_features_in_
    return found


def _caution(models: Any, per_variable: dict[str, float]) -> str:
    few = [m for m in models if per_variable[m] < FEW]
    if not few:
        return ""
    return "; ".join(
        f"{per_variable[m]:.1f} events per variable in {m} (fewer than {FEW})"
        for m in few
    )


def _with_published_slope(
    result: NestedCV, measures: pd.DataFrame, options: dict[str, Any]
) -> pd.DataFrame:
    """Fill in the slope of the published 12-year probability, which needs no horizon.

    Under proportional hazards log(-log(S)) has one slope whatever the time of S.
    """
    kept = Kept(result, **options)
    risk, _ = result.arrays(PUBLISHED)
    slopes = [
        resampled_slope(kept.event, kept.time, 1 - one, kept.weights) for one in risk
    ]
    found = np.mean(slopes, axis=0)
    low, high, known = percentile(found[1:], 0.95)
    row = (measures["model"] == PUBLISHED) & (measures["metric"] == "calibration_slope")
    columns = ["value", "ci_low", "ci_high", "n_resamples"]
    measures.loc[row, columns] = [found[0], low, high, known]
    measures.loc[row, "how"] = (
        "Cox slope of log(-log(S)) of the published 12-year probability; 1 is right; "
        f"percentile bootstrap over patients ({options['n_bootstrap']})"
    )
    published = (measures["model"] == PUBLISHED) & measures["value"].isna()
    measures.loc[published, "how"] = (
        "the nomogram gives its probability at 12 years only"
    )
    return measures


def added_value(study: Study) -> pd.DataFrame:
    """Test whether molecular columns add to the published score: likelihood ratio.

    Of the fit on all patients, missing values at the median; it is no prediction.
    """
    models = tcga_models()
    score = models[RECALIBRATED][:-1]
    base = score.fit_transform(study.X).to_numpy(dtype=float)
    rows = []
    for name, block in (("copy number", "cn"), ("immune", "immune")):
        extra = study.X.filter(regex=rf"^{block}\.")
        extra = extra.fillna(extra.median()).to_numpy(dtype=float)
        found = nested_cox_test(study.y["event"], study.y["time"], base, extra)
        per = int(study.y["event"].sum()) / (1 + extra.shape[1])
        few = f"{per:.1f} events per variable (fewer than {FEW})" if per < FEW else ""
        rows.append(
            {
                "larger": f"MSKCC-2002 score + {name}",
                "smaller": "MSKCC-2002 score",
                "statistic": found.statistic,
                "df": found.df,
                "p": found.p,
                "aic_gain": found.aic_gain,
                "caution": few,
            }
        )
    return pd.DataFrame(rows)


def sarcoma_death(study: Study, result: NestedCV) -> dict[str, Any] | None:
    """Return the published nomogram's c-index for death of sarcoma, its own endpoint.

    Deaths of other causes are censored; patients whose cause is not known are left
    out.
    """
    outcome = study.sarcoma_death
    if outcome is None:
        return None
    risk, _ = result.arrays(PUBLISHED)
    mean = pd.Series(risk.mean(axis=0), index=result.outcome.index)
    known = outcome.index.intersection(mean.index)
    event, days = (outcome.loc[known, name].to_numpy() for name in ("event", "time"))
    found = concordance(event.astype(bool), days, mean[known].to_numpy())
    return {
        "endpoint": "death of sarcoma; other deaths censored",
        "model": PUBLISHED,
        "n": len(known),
        "events": int(event.sum()),
        "c_index": found.c_index,
        "ci_low": found.ci_low,
        "ci_high": found.ci_high,
        "how": "nothing is fitted but what is missing; infinitesimal jackknife",
    }


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
    print(ENDPOINT)
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
    caution = f"Fewer than {FEW} events per variable: {'; '.join(sorted(few))}"
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
            caution=f"Rows with a caution have fewer than {FEW} events per variable.",
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
        axes[-1].set_title(f"* fewer than {FEW} events per variable", fontsize=9)
        stem = path.stem if name == ALL else f"{path.stem}_inside"
        target = path.with_name(f"{stem}{path.suffix}")
        axes[-1].get_figure().savefig(target, dpi=130, bbox_inches="tight")
        plots.close(axes[-1].get_figure())
