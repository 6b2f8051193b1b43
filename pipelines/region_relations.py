"""What the scores of Michot 2025 go with, and how far grades can be trusted."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd

from pipelines.patients import TRAINING
from pipelines.region_figures import by_group
from pipelines.region_tables import SECOND, Cases, grades
from pipelines.study import Study
from sarcfeat._validation import listed
from sarcfeat.datasets import Cohort
from sarcfeat.evaluate import associations
from sarcfeat.evaluate.printed import interval_text, p_text
from sarcfeat.metrics import compare_categories, kappa

__all__ = ["agreement", "one_sided", "relations"]

ASKED = ("size_mm", "grade", "histology")
# Fewer patients than this, all on one side of a cut, may be chance.
FEWEST = 8
NEARLY_ALL = 0.9
SAME_SITE = (
    "The cut is the median of out-of-fold scores, and the model of all training "
    "patients may lie otherwise: the score carries little, or training patients are "
    "few. Look at the c-index of the score as a number."
)


def one_sided(
    groups: pd.DataFrame,
    where: pd.Series[Any],
    sites: pd.Series[Any],
    stain: str | None,
) -> list[str]:
    """Say which cohorts fall nearly all on one side of a training cut.

    Of another hospital the slides are then, as a rule, stained or scanned otherwise,
    and not all patients better or worse. Of the same hospital the cut, which is of
    out-of-fold scores, does not fit the model of all training patients.
    """
    told = []
    known_sites = set(sites[where == TRAINING])
    for cohort in where.cat.categories.drop(TRAINING, errors="ignore"):
        mine = groups[(where == cohort).to_numpy()]
        found = []
        for name in groups:
            known = mine[name].dropna()
            if len(known) < FEWEST:
                continue
            high = int((known == "high").sum())
            for word, number in (("high", high), ("low", len(known) - high)):
                if number >= NEARLY_ALL * len(known):
                    found.append(f"{number} of {len(known)} {word} by {name}")
        if found:
            same = set(sites[where == cohort]) <= known_sites
            told.append(
                f"{cohort}: nearly all patients fall on one side of the training cut "
                f"({listed(found)}); high and low say little there. "
                f"{SAME_SITE if same else _other_site(stain)}"
            )
    return told


def _other_site(stain: str | None) -> str:
    if stain:
        return (
            f"Stain normalisation ({stain}) did not change that: look at the slides, "
            "or choose a net that is robust to stain."
        )
    return (
        "Their slides may be stained or scanned otherwise. Normalise the stain, as "
        "training slides have it: --stain macenko."
    )


def relations(
    study: Study, scores: pd.DataFrame, groups: pd.DataFrame, these: Cases, said: str
) -> None:
    """Size, grade, histotype and the scores among themselves; as numbers and cut."""
    data = these.data[these.data.columns.intersection(ASKED, sort=False)]
    found = associations(scores, data)
    study.table(
        "Scores",
        "Scores with size, grade, histotype and one another",
        found.formatted()
        .rename(columns=lambda name: name.partition(", or")[0])
        .assign(**{"correlation (95 % CI)": _correlations(found.table)}),
        notes=[said, "All patients.", *found.notes],
    )
    if len(found.levels):
        study.table("Scores", "Scores by level, median [quartiles]", _by_level(found))
        study.table(
            "Scores",
            "High scores by level, n (%)",
            _high(groups, data[found.levels["variable"].unique()]),
            notes=[said],
        )
    _pairs(study, found.pairs)
    for name in ("grade", "histology"):
        if name in data and scores["DL-CP"][data[name].notna()].notna().any():
            args = (scores["DL-CP"], data[name])
            told = f"DL-CP by {name}"
            study.figure("Scores", f"score_by_{name}", told, by_group, *args)


def _correlations(table: pd.DataFrame) -> list[str]:
    numbers = table[["correlation", "ci_low", "ci_high"]].to_numpy(dtype=float)
    return [interval_text(*row, 3) for row in numbers]


def _by_level(found: Any) -> pd.DataFrame:
    levels = found.levels
    cells = [
        f"{m:.2f} [{a:.2f} to {b:.2f}]" if n else ""
        for n, m, a, b in levels[["n", "median", "q1", "q3"]].to_numpy(dtype=float)
    ]
    keys = ["variable", "level"]
    wide = levels.assign(cell=cells).pivot(index=keys, columns="score", values="cell")
    order = pd.MultiIndex.from_frame(levels[keys].drop_duplicates())
    wide = wide.loc[order, list(dict.fromkeys(levels["score"]))]
    return wide.rename_axis(columns=None).reset_index()


def _high(groups: pd.DataFrame, data: pd.DataFrame) -> pd.DataFrame:
    """Return how many of each level are high by each score, with chi-squared."""
    rows: list[dict[Hashable, Any]] = []
    for name in data:
        tables = {score: pd.crosstab(data[name], groups[score]) for score in groups}
        for level in next(iter(tables.values())).index:
            row: dict[Hashable, Any] = {"variable": name, "level": level}
            for score, table in tables.items():
                n, high = int(table.loc[level].sum()), _of(table, level, "high")
                row[score] = f"{high} of {n} ({100 * high / n:.0f} %)" if n else ""
            rows.append(row)
        last: dict[Hashable, Any] = {"variable": name, "level": "p of the test"}
        for score, table in tables.items():
            p = compare_categories(table).test.p
            last[score] = p_text(p) or "not tested"
        rows.append(last)
    return pd.DataFrame(rows)


def _of(table: pd.DataFrame, level: Any, word: str) -> int:
    return int(table.loc[level, word]) if word in table else 0


def _pairs(study: Study, pairs: pd.DataFrame) -> None:
    """Show the pairs of levels that differ; say how many do not."""
    if not len(pairs):
        return
    differ = pairs[pairs["p_adjusted"] < 0.05]
    shown = pd.DataFrame(
        {
            "score": differ["score"],
            "variable": differ["variable"],
            "levels": differ["a"].astype(str) + " and " + differ["b"].astype(str),
            "test": differ["test"],
            "adjusted p": [p_text(p) for p in differ["p_adjusted"]],
        }
    )
    text = f"{len(differ)} of {len(pairs)} pairs of levels differ (adjusted p < 0.05)."
    if len(shown):
        study.table("Scores", "Pairs of levels that differ", shown, notes=[text])
    else:
        study.summary.append(f"Scores by grade and histotype: {text}")


def agreement(study: Study, cohort: Cohort, these: Cases) -> None:
    """Weighted kappa of two pathologists' grades, where a second one is there."""
    if SECOND not in cohort.patients or "grade" not in these.data:
        return
    first = these.data["grade"].astype(object)
    second = grades(cohort.patients.loc[first.index, SECOND]).astype(object)
    rows = []
    for name in ["all patients", *these.where.cat.categories]:
        mine = (
            np.ones(len(first), bool)
            if name == "all patients"
            else (these.where == name).to_numpy()
        )
        found = kappa(
            first[mine], second[mine], weights="linear", categories=["I", "II", "III"]
        )
        told = interval_text(found.value, found.lower, found.upper, 3)
        row = {"cohort": name, "n": found.n, "same grade": f"{found.agreement:.0%}"}
        row["weighted kappa (95 % CI)"] = told if found.n else ""
        rows.append(row)
    study.table(
        "Patients",
        "Agreement on the grade of two pathologists",
        pd.DataFrame(rows),
        notes=[f"Kappa with linear weights, of grade and {SECOND}."],
    )
