"""The tables of a comparison on TCGA-SARC: measures, differences, and what is added."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from benchmarks.tcga_sarc import Study
from benchmarks.tcga_sarc_models import PUBLISHED, RECALIBRATED, tcga_models
from sarcfeat.estimators.hazard_table import FEW_EVENTS
from sarcfeat.evaluate import NestedCV, comparison_table, metric_table, nested_cv
from sarcfeat.evaluate.kept_metrics import Kept
from sarcfeat.evaluate.metric_table import percentile
from sarcfeat.metrics import concordance, nested_cox_test, resampled_slope

__all__ = ["Compared", "added_value", "compare_nomograms", "sarcoma_death"]

THRESHOLD = 0.3  # the risk at or above which one would treat
GRID = 20  # times over which Brier's score is integrated
RANKS = ("harrell_c", "uno_c", "tdauc")
PROBABILITIES = ("ibs", "calibration_slope", "net_benefit")


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
    at: float,
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
    differences.insert(11, "caution", [_short(pair, per_variable) for pair in both])
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
    few = [m for m in models if per_variable[m] < FEW_EVENTS]
    if not few:
        return ""
    return "; ".join(
        f"{per_variable[m]:.1f} events per variable in {m} (fewer than {FEW_EVENTS})"
        for m in few
    )


def _short(pair: tuple[str, str], per_variable: dict[str, float]) -> str:
    few = [
        side for side, m in zip("ab", pair, strict=True) if per_variable[m] < FEW_EVENTS
    ]
    said = f"fewer than {FEW_EVENTS} events per variable in {' and '.join(few)}"
    return said if few else ""


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
        few = (
            f"{per:.1f} events per variable (fewer than {FEW_EVENTS})"
            if per < FEW_EVENTS
            else ""
        )
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
