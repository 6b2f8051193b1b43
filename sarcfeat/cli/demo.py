"""The main job: images and a clinical table in, a validated nomogram out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.base import clone

from sarcfeat.cli.demo_cohort import DemoStudy, Prepared, choose_study, prepare
from sarcfeat.cli.demo_figures import demo_figures
from sarcfeat.cli.demo_models import demo_models
from sarcfeat.cli.demo_report import write_study
from sarcfeat.evaluate import NestedCV, compare, metric_table, nested_cv
from sarcfeat.exceptions import InvalidInput
from sarcfeat.nomogram import Nomogram
from sarcfeat.report import model_rows
from sarcfeat.store import EncodeReport, FeatureStore, Matrix

__all__ = ["DemoResult", "run_demo"]

HORIZONS = (365, 730, 1826)
FEWEST_AT_RISK = 5
JUDGED_AT = 730  # days; measures by time are taken here, or earlier
THRESHOLD = 0.3  # the risk by then at which one would treat, for the net benefit
GRID = 20  # times over which Brier's score is integrated
EVENTS = {"mfs": "metastasis", "os": "death", "pfs": "progression"}


@dataclass(frozen=True)
class DemoResult:
    """What a run leaves behind.

    Attributes
    ----------
    results : dict
        The content of ``results.json``.
    folder : pathlib.Path
        Where the report, the JSON and the figures are.
    failed : int
        Units that failed; the command's exit status is 1 where there are any.
    """

    results: dict[str, Any]
    folder: Path
    failed: int


def _horizons(matrix: Matrix) -> list[float]:
    """Return the horizons at which enough patients are still followed."""
    at_risk = [t for t in HORIZONS if (matrix.y["time"] >= t).sum() >= FEWEST_AT_RISK]
    return at_risk or [float(np.median(matrix.y["time"]))]


def _refit(models: dict[str, Any], matrix: Matrix, n_jobs: int) -> dict[str, Any]:
    """Fit each model on the whole cohort: for the pictures, never for a c-index."""
    fitted = Parallel(n_jobs=n_jobs)(
        delayed(clone(model).fit)(matrix.X, matrix.y) for model in models.values()
    )
    return dict(zip(models, fitted, strict=True))


def _events_per_variable(fitted: dict[str, Any], events: int) -> dict[str, float]:
    """Return events divided by the variables offered to each model's last step."""
    found = {}
    for name, model in fitted.items():
        pipeline = getattr(model, "estimator_", model)
        offered = pipeline.steps[-1][1].n_features_in_
        found[name] = events / offered if offered else float("nan")
    return found


def _outline_cases(
    prepared: Prepared, sequence: str, n: int = 4
) -> list[tuple[str, Path, dict[str, Path]]]:
    """Choose a few encoded patients, spread over the cohort, with all readings."""
    pairs = prepared.pairs[prepared.pairs["sequence"] == sequence]
    there = set(pairs["patient"])
    patients = [p for p in prepared.matrix.X.index if p in there]
    cases = []
    for patient in patients[:: max(1, len(patients) // n)][:n]:
        rows = pairs[pairs["patient"] == patient]
        masks = {str(r.reader): Path(str(r.mask_path)) for r in rows.itertuples()}
        image = Path(str(rows["image_path"].iloc[0]))
        cases.append((f"{patient} {sequence}", image, masks))
    return cases


def _dropped(
    study: DemoStudy, report: EncodeReport, matrix: Matrix
) -> list[dict[str, str]]:
    """List every patient of the cohort who is not in the matrix, and why."""
    reasons: dict[str, list[str]] = {}
    for row in study.cohort.dropped.itertuples():
        reasons.setdefault(str(row.patient), []).append(str(row.reason))
    for row in report.failures.itertuples():
        reasons.setdefault(str(row.patient), []).append(str(row.reason))
    for row in matrix.missing.itertuples():
        reasons.setdefault(str(row.patient), []).append(str(row.reason))
    kept = set(matrix.X.index)
    return [
        {"patient": patient, "reason": "; ".join(dict.fromkeys(why))}
        for patient, why in sorted(reasons.items())
        if patient not in kept
    ]


def _validate(
    models: dict[str, Any],
    matrix: Matrix,
    *,
    repeats: int,
    seed: int,
    n_jobs: int,
    progress: bool,
) -> tuple[NestedCV, pd.DataFrame, pd.DataFrame]:
    horizons = _horizons(matrix)
    at = max([t for t in horizons if t <= JUDGED_AT] or horizons[:1])
    result = nested_cv(
        models,
        matrix.X,
        matrix.y,
        n_splits=5,
        n_repeats=repeats,
        times=np.linspace(at / GRID, at, GRID).tolist(),
        random_state=seed,
        n_jobs=n_jobs,
        progress=progress,
    )
    differences = compare(
        result,
        [
            ("combined", "clinical"),
            ("combined", "radiomics"),
            ("radiomics", "clinical"),
        ],
        random_state=seed,
    )
    measured = metric_table(result, at=at, threshold=THRESHOLD, random_state=seed)
    rows = model_rows(measured, at=at, threshold=THRESHOLD)
    return result, rows.rename(columns={"name": "model"}), differences


def run_demo(
    cohort: str | None = None,
    *,
    store_path: Path,
    out: Path,
    quick: bool = False,
    params: str | None = None,
    trials: int | None = None,
    seed: int = 0,
    n_jobs: int = 2,
    progress: bool = True,
    say: Callable[[str], Any] = print,
) -> DemoResult:
    """Run the main job end to end.

    Cohort → store → encode → second reading → ICC filter → ComBat → z-score → mRMR →
    LASSO-Cox → rad-score and clinical variables → Cox nomogram, with nested, repeated
    cross-validation of *clinical*, *radiomics* and *combined*.

    Parameters
    ----------
    cohort : str, optional
        "simulated", "sts" or a folder; see
        :func:`~sarcfeat.cli.demo_cohort.choose_study`.
    store_path : path
        Folder of the stores; each cohort has one in it, kept between runs.
    out : path
        Where ``report.html``, ``results.json`` and ``figures/`` go.
    quick : bool
        Fewer patients, trials and repeats; the same path through the code.
    params : str, optional
        Radiomics parameter file for every sequence of a cohort that is not simulated.
    trials : int, optional
        Trials of the study inside each training fold.
    seed : int
    n_jobs : int
    progress : bool
    say : callable
        Receives each line for the reader.

    Returns
    -------
    DemoResult

    Raises
    ------
    InvalidInput
        Too few patients or events remain to cross-validate.
    """
    start = time.perf_counter()
    study = choose_study(
        cohort, folder=store_path / "images", quick=quick, seed=seed, params=params
    )
    say(str(study.cohort))
    # A store of one run on one computer: a checkout may lie on a share.
    with FeatureStore(store_path / study.store_name, network=True) as store:
        prepared = prepare(store, study, n_jobs=n_jobs, progress=progress, say=say)
    matrix, report = prepared.matrix, prepared.report
    events = int(matrix.y["event"].sum())
    if events < 10:
        raise InvalidInput(
            f"{len(matrix.X)} patients with {events} events of {study.endpoint!r} "
            "remain; 5-fold cross-validation of three models needs 10 events or more."
        )
    say(
        f"{len(matrix.X)} patients, {events} events of {study.endpoint}; "
        f"{matrix.X.shape[1]} columns"
    )
    models = demo_models(
        prepared.readings,
        study.feature_sets,
        study.clinical,
        sites=matrix.X["site"].nunique(),
        trials=trials or (3 if quick else 8),
        random_state=seed,
    )
    result, table, differences = _validate(
        models,
        matrix,
        repeats=1 if quick else 2,
        seed=seed,
        n_jobs=n_jobs,
        progress=progress,
    )
    fitted = _refit(models, matrix, n_jobs)
    table["events_per_variable"] = table["model"].map(
        _events_per_variable(fitted, events)
    )
    nomogram = Nomogram.from_pipeline(
        fitted["combined"].estimator_,
        times=_horizons(matrix),
        units={
            f"clinical.{name}": unit
            for name, unit in study.cohort.units.items()
            if f"clinical.{name}" in study.clinical
        },
        event=EVENTS.get(study.endpoint, study.endpoint),
    )
    lasso = fitted["radiomics"].estimator_.steps[-1][1]
    figures = demo_figures(
        result=result,
        table=table,
        nomogram=nomogram,
        lasso=lasso,
        endpoint=study.endpoint,
        cases=_outline_cases(prepared, next(iter(study.params))),
        folder=out / "figures",
    )
    results = write_study(
        out,
        study=study,
        matrix=matrix,
        report=report,
        dropped=_dropped(study, report, matrix),
        perturbed=prepared.perturbed,
        result=result,
        table=table,
        differences=differences,
        fitted=fitted,
        nomogram=nomogram,
        figures=figures,
        seed=seed,
        seconds=time.perf_counter() - start,
    )
    for row in table.itertuples():
        say(
            f"{row.model:10} c-index {row.c_index:.3f} "
            f"({row.ci_low:.3f} to {row.ci_high:.3f}), "
            f"{row.events_per_variable:.1f} events per variable"
        )
    say(f"report: {out / 'report.html'} ({results['seconds']:.0f} s)")
    return DemoResult(results, out, report.failed)
