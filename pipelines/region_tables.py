"""The tables and figures of Michot 2025, of scores that are there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline

from pipelines.patients import TRAINING
from pipelines.region_figures import kaplan_meiers
from pipelines.study import Study
from sarcfeat import CoxPH, make_y, plots
from sarcfeat._validation import listed
from sarcfeat.datasets import Cohort
from sarcfeat.evaluate import (
    cox_table,
    external_validation,
    prognostic_table,
    survival_table,
    table_one,
)
from sarcfeat.evaluate.printed import interval_text
from sarcfeat.exceptions import InvalidInput
from sarcfeat.metrics import concordance
from sarcfeat.transform import Categories

__all__ = ["Cases", "cases", "describe", "grade_two", "multivariable", "univariable"]

ENDPOINTS = ("mfs", "lfs", "os")
FIVE_YEARS = 1826.0
# Table 3: what stands in every multivariable model beside the score.
ADJUSTED = ("size_mm", "age", "histology", "chemotherapy", "radiotherapy")
REFERENCE = {"histology": "myxoid/round cell liposarcoma", "depth": "superficial"}
GRADES = {"1": "I", "2": "II", "3": "III", "I": "I", "II": "II", "III": "III"}
# A second pathologist's grade: compared with the first, never a variable.
SECOND = "grade_second"
BEYOND = "grade II-III"
# An interval of a slope so wide says that a predictor separates the events.
ENDLESS = 1000.0


@dataclass(frozen=True)
class Cases:
    """The patients of a study, whom all tables are about.

    Attributes
    ----------
    data : DataFrame
        Covariates, categories as text.
    outcomes : dict of endpoint to DataFrame
        ``time`` and ``event``, the study's own first; NaN where there is none.
    where : Series
        The cohort of each.
    units : dict of covariate to unit
    """

    data: pd.DataFrame
    outcomes: dict[str, pd.DataFrame]
    where: pd.Series[Any]
    units: dict[str, str]

    @property
    def endpoint(self) -> str:
        """The endpoint that the scores are made for."""
        return next(iter(self.outcomes))

    @property
    def y(self) -> Any:
        """The target with competing events censored, as in the paper."""
        outcome = self.outcomes[self.endpoint]
        return make_y(outcome["event"] == 1, outcome["time"], zero="keep")

    @property
    def train(self) -> Any:
        """Who is trained on."""
        return (self.where == TRAINING).to_numpy()

    def of(self, mine: Any) -> Cases:
        """Return some of the patients."""
        outcomes = {name: table[mine] for name, table in self.outcomes.items()}
        return Cases(self.data[mine], outcomes, self.where[mine], self.units)


def cases(
    cohort: Cohort, endpoint: str, where: pd.Series[Any], kept: pd.Index[Any]
) -> Cases:
    """Return covariates, outcomes and cohorts of some patients."""
    described = ("description", "date", "identifier", "outcome")
    names = [
        name
        for name in cohort.patients.columns
        if name not in ("site", "cohort", SECOND)
        and cohort.roles.get(name) not in described
    ]
    data = cohort.patients.loc[kept, names].copy()
    for column in data.select_dtypes("number"):
        if set(data[column].dropna()) <= {0, 1}:
            words = data[column].map({0: "no", 1: "yes"})
            data[column] = pd.Categorical(words, ["no", "yes"])
    if "grade" in data:
        data["grade"] = grades(data["grade"])
        beyond = data["grade"].map({"I": "no", "II": "yes", "III": "yes"})
        data[BEYOND] = pd.Categorical(beyond.astype(object), ["no", "yes"])
    order = [endpoint, *(e for e in ENDPOINTS if e != endpoint)]
    outcomes = {
        name: cohort.outcomes[name].reindex(kept)
        for name in order
        if name in cohort.outcomes
    }
    units = {n: u for n, u in cohort.units.items() if n in data.select_dtypes("number")}
    return Cases(data, outcomes, where.loc[kept], units)


def grades(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return FNCLCC grades I to III, from numbers or words.

    Examples
    --------
    >>> grades(pd.Series([1.0, 3.0, None], name="grade")).tolist()
    ['I', 'III', nan]
    """
    known = column.dropna()
    words = known.map(
        lambda v: str(int(v)) if isinstance(v, float) and v % 1 == 0 else str(v).strip()
    )
    strange = words[~words.isin(list(GRADES))]
    if len(strange):
        raise InvalidInput(
            f"Patient {strange.index[0]}: {column.name} is {strange.iloc[0]!r}; "
            "expected 1, 2 or 3 (or I, II, III), or nothing."
        )
    found = words.map(GRADES).reindex(column.index)
    return pd.Series(pd.Categorical(found, ["I", "II", "III"]), column.index)


def describe(study: Study, these: Cases, counts: pd.DataFrame, cohort: Cohort) -> None:
    """Table 1, what became of the patients, their slides and their tiles."""
    shown = these.data.drop(columns=BEYOND, errors="ignore")
    labels = {name: f"{name} ({unit})" for name, unit in these.units.items()}
    found = table_one(shown.assign(cohort=these.where), by="cohort", labels=labels)
    study.table("Patients", "Table 1", found)
    for name, outcome in these.outcomes.items():
        known = outcome.dropna()
        if not (known["event"] == 1).any():
            study.warn(f"{name}: nobody had the event.")
            continue
        y = make_y(known["event"] == 1, known["time"], zero="keep")
        where = these.where[known.index]
        told = survival_table(y, where, times=[FIVE_YEARS])
        study.table("Patients", f"{name} by cohort", told)
    kept = these.data.index
    sites = cohort.patients.loc[kept, "site"]
    slides = cohort.slides[cohort.slides["patient"].isin(kept)]
    study.table(
        "Patients", "Tiles a patient (tissue above 10 %)", _tiles(counts, sites, slides)
    )


def _tiles(
    counts: pd.DataFrame, sites: pd.Series[Any], slides: pd.DataFrame
) -> pd.DataFrame:
    """Return tiles by hospital and region: mean, smallest and largest of a patient."""
    used = counts[counts["group"].isin(["A", "B"])]
    per = used.groupby(["patient", "region"])["tiles"].sum().unstack(fill_value=0)
    per = per.reindex(sites.index, fill_value=0)
    rows = []
    for site, mine in per.groupby(sites):
        whose = slides[slides["patient"].isin(mine.index)]
        head = {"site": site, "patients": len(mine), "slides": len(whose)}
        for region in sorted(per.columns, key=lambda name: (name == "", name)):
            tiles = mine[region]
            rows.append(
                {
                    **head,
                    "region": region or "outside of all, not used",
                    "mean": f"{tiles.mean():.1f}",
                    "min": int(tiles.min()),
                    "max": int(tiles.max()),
                }
            )
    return pd.DataFrame(rows)


def univariable(
    study: Study, scores: pd.DataFrame, groups: pd.DataFrame, these: Cases, said: str
) -> None:
    """Table 2 for each endpoint, and the curves of the scores and the grade."""
    data = these.data.drop(columns=BEYOND, errors="ignore")
    variables = groups.join(data)
    units = [f"{name} ({unit})" for name, unit in these.units.items()]
    notes = [said]
    if units:
        notes.append(f"Hazard ratios of measurements are per unit: {listed(units)}.")
    for number, (endpoint, outcome) in enumerate(these.outcomes.items()):
        found = prognostic_table(
            variables,
            {endpoint: outcome},
            time=FIVE_YEARS,
            cohort=these.where,
            reference=REFERENCE,
        )
        caption = f"{'Table 2' if not number else 'Supplement'}: {endpoint}"
        _by_cohort(study, "Univariable", caption, found, notes)
        known = outcome.notna().all(axis=1)
        here = outcome[known], groups[known], these.where[known]
        if number:
            told = f"{endpoint}: Kaplan–Meier by score and cohort"
            args = (*here, _survival(endpoint))
            study.figure(
                "Univariable", f"{endpoint}_scores", told, kaplan_meiers, *args
            )
    for name in [*groups, *data.columns.intersection(["grade"])]:
        told = f"{name}: incidence of {these.endpoint} above, survival below"
        args = (these.outcomes[these.endpoint], variables[name], these.where)
        study.figure("Univariable", f"curves_{name}", told, plots.cohort_curves, *args)
    study.table(
        "Univariable",
        f"c-index (95 % CI) of the scores as numbers, {these.endpoint}",
        _alone(scores, these),
        notes=[said],
    )


def _survival(endpoint: str) -> str:
    return "Overall survival" if endpoint == "os" else f"Free of {endpoint} event"


def _by_cohort(
    study: Study, section: str, caption: str, found: Any, notes: list[str]
) -> None:
    """Print a prognostic table cohort by cohort, each with its own notes."""
    whole = found.formatted().drop(columns="endpoint")
    for cohort in dict.fromkeys(whole["cohort"]):
        part = whole[whole["cohort"] == cohort].drop(columns="cohort")
        part = part.loc[:, (part != "").any()]
        own = [n for n in found.notes if n.startswith(f"{cohort}, ")]
        study.table(section, f"{caption}, {cohort}", part, notes=[*notes, *own])


def _alone(scores: pd.DataFrame, these: Cases) -> pd.DataFrame:
    """Return the c-index of each score, before any cut, in each cohort."""
    y, rows = these.y, []
    for name in scores:
        row = {"score": name}
        for cohort in these.where.cat.categories:
            mine = ((these.where == cohort) & scores[name].notna()).to_numpy()
            event, time = y["event"][mine], y["time"][mine]
            text = f"no events (n = {int(mine.sum())})"
            if event.any():
                found = concordance(event, time, scores.loc[mine, name])
                text = interval_text(found.c_index, found.ci_low, found.ci_high, 3)
            row[cohort] = text
        rows.append(row)
    return pd.DataFrame(rows)


def multivariable(study: Study, groups: pd.DataFrame, these: Cases, said: str) -> Any:
    """Table 3 for each score and the grade, c-indices, differences, calibration."""
    joined = groups.join(these.data)
    beside = [name for name in ADJUSTED if name in joined]
    absent = [name for name in ADJUSTED if name not in joined]
    if absent:
        study.warn(
            f"The multivariable models lack {listed(absent)}: patients.csv has no such "
            "column."
        )
    asked = [*groups, *([BEYOND] if BEYOND in joined else [])]
    used = [*beside, *asked]
    known = joined[used].notna().all(axis=1).to_numpy()
    train = known & these.train
    reference = _there(joined[train])
    y = these.y
    for name in [*asked, *(["grade"] if "grade" in joined else [])]:
        names = [*beside, name]
        one = cox_table(
            joined.loc[train, names],
            y[train],
            reference=_of(reference, names),
            multivariable=names,
        )
        study.table(
            "Multivariable", f"Table 3: with {name}, training", one, notes=[said]
        )
    notes = [said, "Training: of the patients that the Cox model was fitted on."]
    notes += _lost(joined, used)
    models = {name: _model([*beside, name], reference) for name in asked}
    where = these.where[known]
    found = external_validation(
        models, joined[known], y[known], where, train=TRAINING, at=FIVE_YEARS
    )
    size = found.table.drop_duplicates("cohort")
    notes += [f"{r.cohort}: n = {r.n}, events = {r.events}." for r in size.itertuples()]
    study.table("Multivariable", "c-index (95 % CI)", found, notes=notes)
    study.table(
        "Multivariable",
        "Differences, 1,000 paired bootstrap resamples",
        found.formatted_differences(),
        notes=[said, "Adjusted p: Holm, within a cohort."],
    )
    notes = [said, *(note for note in found.notes if "no calibration" in note)]
    study.table(
        "Calibration", "Calibration at 5 years", _calibration(found), notes=notes
    )
    study.calibrations("Calibration", found, y[known], where, FIVE_YEARS)
    return found


def _there(data: pd.DataFrame) -> dict[str, str]:
    """Return the references that somebody has; without, the first level is it."""
    return {
        name: word
        for name, word in REFERENCE.items()
        if name in data and word in set(data[name].astype(str))
    }


def _of(reference: dict[str, str], names: Iterable[str]) -> dict[str, str]:
    names = set(names)
    return {name: word for name, word in reference.items() if name in names}


def _model(names: list[str], reference: dict[str, str]) -> Any:
    """Return a Cox model of some columns, categories against their reference."""
    chosen = ColumnTransformer(
        [("kept", "passthrough", names)], verbose_feature_names_out=False
    ).set_output(transform="pandas")
    # A histotype that no training patient had counts to the reference.
    coder = Categories(_of(reference, names), unseen="reference")
    return make_pipeline(chosen, coder, CoxPH())


def _lost(data: pd.DataFrame, names: list[str]) -> list[str]:
    """Name who lacks what of a model: they are in none of them."""
    told = []
    for name in names:
        who = data.index[data[name].isna()]
        if len(who):
            told.append(f"{name}: {len(who)} ({listed(who)})")
    if not told:
        return []
    gone = int(data[names].isna().any(axis=1).sum())
    return [f"{gone} patients lack a value and are in no model. {'; '.join(told)}."]


def _calibration(found: Any) -> pd.DataFrame:
    table = found.table
    three = table[["calibration_slope", "slope_low", "slope_high"]].to_numpy(float)
    out = table[["model", "cohort", "n", "events"]].copy()
    out["slope (95 % CI)"] = [
        "not estimable"
        if np.isnan(a)
        else f"{a:.2f} (interval without end)"
        if c - b > ENDLESS
        else f"{a:.2f} ({b:.2f} to {c:.2f})"
        for a, b, c in three
    ]
    for name in ("observed", "expected"):
        out[name] = ["" if np.isnan(v) else f"{v:.3f}" for v in table[name]]
    return out


def grade_two(study: Study, groups: pd.DataFrame, these: Cases, said: str) -> None:
    """Look at the scores where the grade says least."""
    if "grade" not in these.data:
        return
    mine = (these.data["grade"] == "II").to_numpy()
    if not mine.any():
        study.warn("Nobody has grade II: the table within grade II is left out.")
        return
    here = these.of(mine)
    main = here.endpoint
    found = prognostic_table(
        groups[mine], {main: here.outcomes[main]}, time=FIVE_YEARS, cohort=here.where
    )
    _by_cohort(study, "Grade II", "Scores within grade II", found, [said])
    args = (here.outcomes[main], groups[mine], here.where, _survival(main))
    told = f"{main} within grade II: Kaplan–Meier by score and cohort"
    study.figure("Grade II", "grade_II", told, kaplan_meiers, *args)
