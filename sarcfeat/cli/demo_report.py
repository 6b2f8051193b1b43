"""The demo's numbers as ``results.json`` and as one page that a colleague can read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from sarcfeat.cli.demo_cohort import DemoStudy
from sarcfeat.estimators.hazard_table import FEW_EVENTS
from sarcfeat.evaluate import NestedCV
from sarcfeat.metrics import concordance
from sarcfeat.nomogram import Nomogram
from sarcfeat.report import (
    Figure,
    Section,
    Table,
    build_results,
    versions,
    write_html,
    write_json,
)
from sarcfeat.store import EncodeReport, Matrix

__all__ = ["write_study"]

# Names of figures → those of them that were drawn.
Pictures = Callable[..., list[Figure]]

MEASURED = [
    f"{name}{end}"
    for name in ("uno_c", "tdauc", "ibs", "calibration_slope", "net_benefit")
    for end in ("", "_low", "_high")
]


def _reference(study: DemoStudy, matrix: Matrix) -> dict[str, float] | None:
    """Return the c-index of the true risk, where the cohort is simulated."""
    truth = study.cohort.truth
    if truth is None:
        return None
    risk = truth.loc[matrix.X.index, "true_risk"].to_numpy(dtype=float)
    found = concordance(matrix.y["event"], matrix.y["time"], risk)
    return {
        "name": "true risk",
        "c_index": found.c_index,
        "ci_low": found.ci_low,
        "ci_high": found.ci_high,
    }


def _absent(matrix: Matrix, study: DemoStudy) -> dict[str, int]:
    """Count the patients in the matrix that lack a feature set."""
    found = {}
    for name in study.feature_sets:
        block = matrix.X.filter(regex=f"^{name}\\.")
        found[name] = int(block.isna().all(axis=1).sum())
    return found


def _warnings(
    report: EncodeReport, table: pd.DataFrame, absent: dict[str, int]
) -> list[str]:
    lines = []
    if report.failed:
        lines.append(f"{report.failed} units could not be encoded:")
        lines += [str(row.reason) for row in report.failures.itertuples()]
    thin = table[table["events_per_variable"] < FEW_EVENTS]
    for row in thin.itertuples():
        lines.append(
            f"The {row.model} model has {row.events_per_variable:.1f} events per "
            f"variable (fewer than {FEW_EVENTS}): read it as exploratory."
        )
    constant = table[table["constant_folds"] > 0]
    for row in constant.itertuples():
        lines.append(
            f"The {row.model} model selected nothing in {row.constant_folds} of "
            f"{row.folds} training folds and predicted a constant there."
        )
    for name, n in absent.items():
        if n:
            lines.append(
                f"{n} patients lack {name}: its columns are the training median there."
            )
    return lines


def _summary(
    study: DemoStudy,
    matrix: Matrix,
    report: EncodeReport,
    perturbed: bool,
    reference: dict[str, float] | None,
) -> list[str]:
    events = int(matrix.y["event"].sum())
    lines = [
        f"Cohort {study.cohort.name}: {len(matrix.X)} patients with {events} events of "
        f"{study.endpoint}, {matrix.X['site'].nunique()} site(s). Competing deaths are "
        "censored, so hazards are cause-specific.",
        str(report).splitlines()[0],
        "Every step that learns (ICC filter, ComBat, imputation, z-score, mRMR, "
        "LASSO-Cox, the tuning of its choices) learns inside the training fold.",
    ]
    if perturbed:
        lines.append(
            "This cohort has one reader. The second reading is a random perturbation "
            "of the contour, a stand-in that tests robustness, not agreement."
        )
    if reference:
        lines.append(
            "The cohort is simulated. The true risk, which no model can beat for long, "
            f"has a c-index of {reference['c_index']:.3f}."
        )
    return lines


def _kept_features(fitted: dict[str, Any]) -> list[Table]:
    """Return what the whole-cohort fit of the radiomics model kept, step by step."""
    pipeline = fitted["radiomics"].estimator_
    lasso = pipeline.steps[-1][1]
    steps = []
    for name, step in pipeline.steps:
        dropped = getattr(step, "dropped_", None)
        if dropped is not None:
            steps.append({"step": name, "dropped": len(dropped)})
    cox = fitted["combined"].estimator_.steps[-1][1]
    summary = cox.summary_.reset_index(names="variable")
    tables = [
        Table(pd.DataFrame(steps), "Columns dropped at each step"),
        Table(summary, "Combined model: hazard ratios", digits=4),
    ]
    kept = lasso.coef_table_
    kept = kept[kept["coef"] != 0]
    if len(kept):
        tables.insert(1, Table(kept, "Rad-score: features kept by LASSO-Cox", digits=4))
    return tables


def _models_section(
    table: pd.DataFrame, differences: pd.DataFrame, pictures: Pictures
) -> Section:
    shown = table[["model", "c_index", "ci_low", "ci_high", "events_per_variable"]]
    measured = table[["model", *(key for key in MEASURED if key in table)]]
    at, threshold = table["horizon"].iloc[0], table["threshold"].iloc[0]
    return Section(
        "Models compared",
        [f"How: {table['how'].iloc[0]}."],
        [
            Table(shown, "Harrell's c-index, out of fold"),
            Table(
                measured,
                "Other measures, out of fold: Uno's c; area under the ROC curve at "
                f"{at:g} days; Brier score integrated to then (0 is perfect); "
                "calibration slope (1 is right, below 1 too extreme); net benefit "
                f"of treating at a risk of {threshold:g} or more",
            ),
            Table(differences, "Differences (paired bootstrap; Holm-adjusted p)"),
        ],
        pictures("c_index", "kaplan_meier"),
    )


def _sections(
    study: DemoStudy,
    dropped: list[dict[str, str]],
    table: pd.DataFrame,
    differences: pd.DataFrame,
    fitted: dict[str, Any],
    nomogram: Nomogram,
    figures: list[Figure],
) -> list[Section]:
    """Return the report's sections, each with those of its figures that were drawn."""
    by_name = {figure.path.stem: figure for figure in figures}

    def pictures(*names: str) -> list[Figure]:
        return [by_name[name] for name in names if name in by_name]

    return [
        _models_section(table, differences, pictures),
        Section(
            "Nomogram",
            ["Fitted on the whole cohort; calculator.html beside this computes it."],
            [Table(nomogram.points_table(), "Points", digits=1)],
            pictures("nomogram"),
        ),
        Section(
            "What the chain kept",
            ["From the fit on the whole cohort, for reading only."],
            _kept_features(fitted),
            pictures("lasso_path"),
        ),
        Section(
            "Patients and images",
            list(study.cohort.notes),
            [Table(pd.DataFrame(dropped, columns=["patient", "reason"]), "Left out")],
            pictures("lesion_outlines"),
        ),
    ]


def write_study(
    out: Path,
    *,
    study: DemoStudy,
    matrix: Matrix,
    report: EncodeReport,
    dropped: list[dict[str, str]],
    perturbed: bool,
    result: NestedCV,
    table: pd.DataFrame,
    differences: pd.DataFrame,
    fitted: dict[str, Any],
    nomogram: Nomogram,
    figures: list[Figure],
    seed: int,
    seconds: float,
) -> dict[str, Any]:
    """Write ``results.json``, ``report.html``, ``calculator.html`` and the predictions.

    Returns
    -------
    dict
        The content of ``results.json``.
    """
    out.mkdir(parents=True, exist_ok=True)
    result.predictions.to_csv(out / "predictions.csv", index=False)
    nomogram.to_html(out / "calculator.html")
    nomogram.to_json(out / "nomogram.json")
    absent = _absent(matrix, study)
    reference = _reference(study, matrix)
    results = build_results(
        name="demo",
        cohort={
            "name": study.cohort.name,
            "n": len(matrix.X),
            "events": int(matrix.y["event"].sum()),
            "sites": int(matrix.X["site"].nunique()),
            "dropped": dropped,
            "absent": absent,
        },
        endpoint=study.endpoint,
        models=table.rename(columns={"model": "name"}),
        differences=differences,
        units={
            "encoded": report.encoded,
            "skipped": report.skipped,
            "failed": report.failed,
        },
        matrix_id=matrix.matrix_id,
        seed=seed,
        seconds=seconds,
        reference=reference,
        second_reading="perturbed contours" if perturbed else "second reader",
    )
    write_json(results, out / "results.json")
    made_by = ", ".join(f"{name} {number}" for name, number in versions().items())
    write_html(
        out / "report.html",
        title=f"{study.cohort.name}: {study.endpoint} from images and clinical data",
        summary=_summary(study, matrix, report, perturbed, reference),
        sections=_sections(
            study, dropped, table, differences, fitted, nomogram, figures
        ),
        warnings=_warnings(report, table, absent),
        footer=f"Matrix {matrix.matrix_id}; seed {seed}; {made_by}.",
    )
    return results
