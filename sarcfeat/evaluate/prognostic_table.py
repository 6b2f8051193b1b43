"""Every variable alone, in every cohort, for every endpoint: the papers' Table 2."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sarcfeat._validation import listed
from sarcfeat.evaluate._table_rows import is_category, is_level, levels_of
from sarcfeat.evaluate.cox_table import cox_table
from sarcfeat.evaluate.printed import (
    Printed,
    interval_text,
    p_text,
    ratio_text,
    time_text,
)
from sarcfeat.evaluate.survival_table import survival_table
from sarcfeat.exceptions import InvalidInput
from sarcfeat.survival import make_causes, make_y

__all__ = ["PrognosticTable", "prognostic_table"]

COHORT = "all patients"
FEWEST = 2  # events without which nothing is fitted
KEYS = ["cohort", "endpoint", "variable", "level"]


@dataclass(frozen=True)
class PrognosticTable(Printed):
    """What each variable says alone.

    Attributes
    ----------
    table : DataFrame
        One row a cohort, endpoint, variable and level (``""`` of a measurement):
        ``n, events, survival, survival_low, survival_high`` (Kaplan–Meier at `time`,
        competing events censored), ``logrank_p`` (of the variable), ``hr, ci_low,
        ci_high, p`` (Cox), ``firth_hr, firth_ci_low, firth_ci_high`` where a ratio is
        infinite, ``incidence, incidence_low, incidence_high, gray_p`` where events
        compete.
    notes : list of str
        What a reader must know, with its cohort and endpoint.
    time : float
        When survival and incidence are told.
    time_unit : str
    """

    table: pd.DataFrame
    notes: list[str]
    time: float
    time_unit: str

    def formatted(self) -> pd.DataFrame:
        """Return the table as text."""
        table, at = self.table, time_text(self.time, self.time_unit)
        out = table[[*KEYS, "n", "events"]].copy()

        def three(
            name: str, low: str, high: str, said: Callable[..., str] = interval_text
        ) -> list[str]:
            rows = table[[name, low, high]].to_numpy(dtype=float)
            return [said(*row) for row in rows]

        out[f"survival at {at} (95% CI)"] = three(
            "survival", "survival_low", "survival_high"
        )
        out["log-rank p"] = [p_text(p) for p in table["logrank_p"]]
        out["HR (95% CI)"] = three("hr", "ci_low", "ci_high", ratio_text)
        out["p"] = [p_text(p) for p in table["p"]]
        if table["firth_hr"].notna().any():
            out["Firth HR (95% CI)"] = three(
                "firth_hr", "firth_ci_low", "firth_ci_high"
            )
        if table["incidence"].notna().any():
            out[f"incidence at {at} (95% CI)"] = three(
                "incidence", "incidence_low", "incidence_high"
            )
            out["Gray p"] = [p_text(p) for p in table["gray_p"]]
        return out


def prognostic_table(
    X: pd.DataFrame,
    outcomes: Mapping[str, pd.DataFrame],
    *,
    time: float,
    cohort: pd.Series[Any] | None = None,
    reference: Mapping[str, str] | None = None,
    time_unit: str = "days",
    level: float = 0.95,
) -> PrognosticTable:
    """Ask of each variable, cohort and endpoint whether it goes with the outcome.

    Per level of a category: Kaplan–Meier, the log-rank test and Cox's hazard ratio
    with competing events censored (cause-specific); and, where an outcome has competing
    events, the cumulative incidence and Gray's test. A measurement has its hazard ratio
    per unit.

    Parameters
    ----------
    X : DataFrame, one row a patient
        Numbers and categories.
    outcomes : mapping of endpoint to DataFrame
        Columns ``time`` and ``event`` (0 censored, 1 the event, 2 a competing one),
        indexed by patient; a patient without a row or with a missing value is left out
        of that endpoint.
    time : float
        When survival and incidence are told.
    cohort : Series, optional
        Each patient's cohort; each is looked at alone, in order of appearance (or of
        its categories).
    reference : mapping, optional
        Category → its reference level; elsewhere, and in a cohort without it, the
        first.
    time_unit : str
    level : float
        Coverage of the intervals.

    Returns
    -------
    PrognosticTable

    Raises
    ------
    InvalidInput
        An outcome without the columns, or a cohort of other patients.

    References
    ----------
    Table 2 of Michot et al. (2025).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"score": np.repeat(["low", "high"], 30)})
    >>> X["score"] = pd.Categorical(X["score"], ["low", "high"])
    >>> mfs = pd.DataFrame({"time": rng.exponential(np.repeat([900, 300], 30)),
    ...                     "event": rng.choice([0, 1, 1, 2], 60)})
    >>> found = prognostic_table(X, {"mfs": mfs}, time=365)
    >>> found.table[["level", "n", "events"]].values.tolist()
    [['low', 30, 14], ['high', 30, 14]]
    """
    groups = pd.Series(COHORT, index=X.index) if cohort is None else cohort
    if not groups.index.equals(X.index):
        raise InvalidInput(
            "cohort is indexed by other patients than X; give one value a patient, in "
            "the order of X."
        )
    names = (
        [c for c in groups.cat.categories if (groups == c).any()]
        if isinstance(groups.dtype, pd.CategoricalDtype)
        else list(pd.unique(groups.dropna()))
    )
    parts, notes = [], []
    competing = {e: _compete(e, outcome) for e, outcome in outcomes.items()}
    for name in names:
        for endpoint, outcome in outcomes.items():
            rows = X.index[(groups == name).to_numpy()]
            known = _known(endpoint, outcome, rows)
            here = X.loc[known.index]
            part, said = _one(here, known, competing[endpoint], time, reference, level)
            part.insert(0, "cohort", str(name))
            part.insert(1, "endpoint", endpoint)
            parts.append(part)
            lost = len(rows) - len(known)
            if lost:
                said.insert(0, f"{lost} of {len(rows)} patients have no outcome.")
            notes += [f"{name}, {endpoint}: {text}" for text in _together(said)]
    table = pd.concat(parts, ignore_index=True)
    return PrognosticTable(table, notes, float(time), time_unit)


def _compete(endpoint: str, outcome: pd.DataFrame) -> bool:
    """Return whether events compete: then a cohort without any has an incidence too."""
    return bool((_known(endpoint, outcome, outcome.index)["event"] > 1).any())


# "size: <what holds>", of cox_table.
_HOLDS = re.compile(
    r"(?P<name>.+?): (?:the hazard ratio of .* has (?P<endless>no finite estimate .*)"
    r"|(?P<alone>one value, .*))"
)


def _together(notes: list[str]) -> list[str]:
    """Say once what holds for several variables.

    Examples
    --------
    >>> _together(["age: one value, no model.", "few", "sex: one value, no model."])
    ['age, sex: one value, no model.', 'few']
    """
    told: dict[str, list[str]] = {}
    for note in notes:
        found = _HOLDS.fullmatch(note)
        if found is None:
            told[note] = []
            continue
        endless = found["endless"]
        what = f"a hazard ratio has {endless}" if endless else str(found["alone"])
        told.setdefault(what, []).append(str(found["name"]))
    return [f"{', '.join(who)}: {what}" if who else what for what, who in told.items()]


def _known(
    endpoint: str, outcome: pd.DataFrame, patients: pd.Index[Any]
) -> pd.DataFrame:
    """Return time and event of those patients who have both."""
    missing = {"time", "event"} - set(outcome.columns)
    if missing:
        raise InvalidInput(
            f"The outcome {endpoint!r} lacks the columns {listed(sorted(missing))}; "
            "expected time and event."
        )
    return outcome.reindex(patients)[["time", "event"]].dropna()


def _one(
    X: pd.DataFrame,
    known: pd.DataFrame,
    competing: bool,
    time: float,
    reference: Mapping[str, str] | None,
    level: float,
) -> tuple[pd.DataFrame, list[str]]:
    """Describe every variable in one cohort for one endpoint."""
    event = known["event"].to_numpy().astype(int)
    y = make_y(event == 1, known["time"].to_numpy(float), zero="keep")
    notes: list[str] = []
    if y["event"].sum() < FEWEST:
        number = int(y["event"].sum())
        notes.append(f"{number} event{'' if number == 1 else 's'}; nothing is tested.")
        rows = pd.concat([_counted(X[name], y) for name in X], ignore_index=True)
    else:
        here, absent = _present(X, reference)
        found = cox_table(X, y, reference=here, multivariable=None, level=level)
        rows, notes = found.table.drop(columns="column"), [*absent, *found.notes]
    rows = rows.reindex(columns=["variable", "level", "n", "events", *_NUMBERS])
    for name in X:
        if not is_category(X[name]) or X[name].dropna().empty:
            continue
        curves = survival_table(y, X[name], times=[time], level=level)
        _write(rows, str(name), curves, "survival", "logrank_p")
        if competing and y["event"].any():
            causes = make_causes(event, known["time"].to_numpy(float))
            curves = survival_table(causes, X[name], times=[time], cause=1, level=level)
            _write(rows, str(name), curves, "incidence", "gray_p")
    blank = rows["survival"].isna() & rows["level"].ne("") & rows["n"].gt(0)
    short = list(dict.fromkeys(rows.loc[blank, "variable"]))
    if short:
        notes.append(
            f"{', '.join(short)}: where survival is blank, nobody of the level was "
            "followed that long."
        )
    return rows, notes


_NUMBERS = (
    "survival",
    "survival_low",
    "survival_high",
    "logrank_p",
    "hr",
    "ci_low",
    "ci_high",
    "p",
    "firth_hr",
    "firth_ci_low",
    "firth_ci_high",
    "incidence",
    "incidence_low",
    "incidence_high",
    "gray_p",
)


def _present(
    X: pd.DataFrame, reference: Mapping[str, str] | None
) -> tuple[dict[str, str], list[str]]:
    """Return the references that occur here, and a note on those that do not."""
    here, notes = {}, []
    for name, word in (reference or {}).items():
        if name not in X:
            continue
        if word in set(X[name].dropna().astype(str)):
            here[name] = word
        else:
            notes.append(f"{name}: nobody is {word}; the first level is the reference.")
    return here, notes


def _counted(column: pd.Series[Any], y: np.ndarray[Any, Any]) -> pd.DataFrame:
    """Return the rows of a variable of which nothing can be said but counts."""
    if not is_category(column):
        told = [("", len(column), int(y["event"].sum()))]
    else:
        told = []
        for word in levels_of(column):
            mine = is_level(column, word)
            told.append((str(word), int(mine.sum()), int(y["event"][mine].sum())))
    rows = pd.DataFrame(told, columns=["level", "n", "events"])
    rows.insert(0, "variable", str(column.name))
    return rows


def _write(rows: pd.DataFrame, name: str, curves: Any, kind: str, test: str) -> None:
    """Write a variable's curves at the time into the rows of its levels."""
    mine = rows["variable"] == name
    for one in curves.table.to_dict("records"):
        where = mine & (rows["level"] == str(one["group"]))
        # At 0 and at 1 there is no interval, before a first event or after it.
        ends = [one["ci_low"], one["ci_high"]] if 0 < one[kind] < 1 else [np.nan] * 2
        numbers = [one[kind], *ends]
        rows.loc[where, [kind, f"{kind}_low", f"{kind}_high"]] = numbers
    rows.loc[mine, test] = curves.p
