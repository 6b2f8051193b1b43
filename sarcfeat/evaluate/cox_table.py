"""The table of every paper: univariable and multivariable Cox, level by level."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sarcfeat._validation import listed, pick
from sarcfeat.estimators import CoxPH, FirthCox
from sarcfeat.evaluate.printed import (
    FEW_EVENTS,
    Printed,
    few_events_note,
    p_text,
    ratio_text,
)
from sarcfeat.exceptions import InvalidInput, NotConverged, SarcfeatWarning
from sarcfeat.survival import check_y
from sarcfeat.transform import Categories

__all__ = ["CoxTable", "cox_table"]

_NUMBERS = ("hazard_ratio", "ci_low", "ci_high", "p")


@dataclass(frozen=True)
class CoxTable(Printed):
    """Univariable and multivariable hazard ratios side by side.

    Attributes
    ----------
    table : DataFrame
        One row a variable, or a level of a category (its reference included, ratio
        1): ``variable, level, n, events, hr, ci_low, ci_high, p`` and the same with
        ``multi_`` before it where the variable is in the multivariable model;
        ``firth_hr, firth_ci_low, firth_ci_high`` where a ratio is infinite.
    notes : list of str
        What a reader must know: patients left out, infinite ratios, few events.
    model : CoxPH or None
        The multivariable model, on ``coder``'s columns.
    coder : Categories
    events_per_variable : float
        Of the multivariable model.
    """

    table: pd.DataFrame
    notes: list[str]
    model: CoxPH | None
    coder: Categories
    events_per_variable: float

    def formatted(self) -> pd.DataFrame:
        """Return the table with ``2.10 (1.34 to 3.29)`` and p as text."""
        table = self.table
        out = table[["variable", "level", "n", "events"]].copy()
        level = f"{100 * table.attrs.get('level', 0.95):g}% CI"
        out[f"HR ({level})"] = [ratio_text(*r) for r in _three(table, "")]
        out["p"] = [p_text(value) for value in table["p"]]
        if "multi_hr" in table:
            out[f"multivariable HR ({level})"] = [
                ratio_text(*r) for r in _three(table, "multi_")
            ]
            out["multivariable p"] = [p_text(value) for value in table["multi_p"]]
        if "firth_hr" in table:
            out[f"Firth HR ({level})"] = [
                ratio_text(*r) for r in _three(table, "firth_")
            ]
        return out


def cox_table(
    X: pd.DataFrame,
    y: Any,
    *,
    reference: Mapping[str, str] | None = None,
    multivariable: Sequence[str] | float | None = 0.05,
    ties: str = "efron",
    level: float = 0.95,
) -> CoxTable:
    """Fit each variable alone, then the chosen ones together.

    Parameters
    ----------
    X : DataFrame, one row a patient
        Numbers and categories; a text column becomes its levels. A patient with a
        missing value is left out of that variable's model (and of the multivariable
        one), and counted in the notes.
    y : structured array (event, time)
    reference : mapping, optional
        Category → its reference level; elsewhere the first.
    multivariable : sequence of str, float or None
        The variables of the multivariable model; or the largest univariable p that
        enters (of a category: the smallest among its levels); or None for no model.
        Choosing by p on the same patients makes the multivariable p too small, which
        the notes say.
    ties : {"efron", "breslow"}
    level : float
        Coverage of the intervals.

    Returns
    -------
    CoxTable

    Raises
    ------
    InvalidInput
        A variable of `multivariable` that X lacks, or no row with all of them.

    References
    ----------
    Table 3 of Michot 2025 and of Crombe 2024; a ratio without end is flagged and
    Firth's given beside it (Heinze and Schemper, Biometrics 2001).

    Examples
    --------
    >>> from sarcfeat.survival import make_y
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"size": rng.gamma(4, 2, 80),
    ...                   "grade": rng.choice(["I", "II", "III"], 80)})
    >>> y = make_y(rng.random(80) < 0.8, rng.exponential(1 / X["size"]))
    >>> found = cox_table(X, y, multivariable=["size", "grade"])
    >>> found.table["level"].tolist()
    ['', 'I', 'II', 'III']
    """
    event, time = check_y(y, n=len(X), min_events=2)
    coder = Categories(dict(reference or {}), passed=())
    target = pd.DataFrame({"event": event, "time": time}, index=X.index)
    notes: list[str] = []
    parts = [_univariable(X[n], target, reference, ties, level, notes) for n in X]
    table = pd.concat([part for part, _ in parts], ignore_index=True)
    thin = [str(p["variable"].iloc[0]) for p, events in parts if events < FEW_EVENTS]
    if thin:
        notes.append(
            f"Alone, fewer than {FEW_EVENTS} events per coefficient: "
            f"{listed(thin, 12)}; these ratios are unstable."
        )
    chosen = _chosen(table, X, multivariable)
    model, per_variable = None, float("inf")
    if chosen:
        rows = X[chosen].notna().all(axis=1)
        if not rows.any():
            raise InvalidInput(
                f"No patient has all of {listed(chosen, 12)}; leave a variable out or "
                "impute first."
            )
        if not rows.all():
            notes.append(
                f"Multivariable: {int((~rows).sum())} of {len(X)} patients lack a "
                f"value of {listed(chosen, 12)} and are left out."
            )
        coder = Categories(_of(reference, chosen), passed=())
        design = coder.fit_transform(X.loc[rows, chosen])
        found = _fitted(design, target[rows], ties, level, "Multivariable", notes)
        model, per_variable = found.model, found.model.events_per_variable_
        table = _joined(table, coder, found, "multi_")
        if isinstance(multivariable, float):
            notes.append(
                f"Variables entered by univariable p < {multivariable:g} on the same "
                "patients: the multivariable p are too small."
            )
        notes += few_events_note(per_variable, "the multivariable model")
    table.attrs |= {"level": level, "notes": list(notes)}
    return CoxTable(table, notes, model, coder, per_variable)


@dataclass(frozen=True)
class _Fitted:
    model: CoxPH
    summary: pd.DataFrame
    firth: pd.DataFrame | None


def _fitted(
    design: pd.DataFrame,
    target: pd.DataFrame,
    ties: str,
    level: float,
    what: str,
    notes: list[str],
) -> _Fitted:
    """Fit one Cox model; where a ratio runs to infinity, Firth's beside it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SarcfeatWarning)
        model = CoxPH(ties, level=level).fit(design, target)
    summary = model.summary_.copy()
    endless = [w for w in caught if issubclass(w.category, NotConverged)]
    if not endless:
        return _Fitted(model, summary, None)
    # A ratio that runs away has a standard error beyond any real one.
    far = (summary["se"] > 50) | (summary["coef"].abs() > 15)
    runaway = summary.index[far].tolist()
    rising = summary.loc[far, "coef"].to_numpy(dtype=float) > 0
    summary.loc[far, "hazard_ratio"] = np.where(rising, np.inf, 0.0)
    summary.loc[far, ["ci_low", "ci_high", "p"]] = [0.0, np.inf, np.nan]
    notes.append(
        f"{what}: the hazard ratio of {listed(runaway or design.columns)} has no "
        "finite estimate (complete separation); Firth's is given beside it."
    )
    return _Fitted(model, summary, _firth(design, target, level, what, notes))


def _firth(
    design: pd.DataFrame,
    target: pd.DataFrame,
    level: float,
    what: str,
    notes: list[str],
) -> pd.DataFrame | None:
    """Return Firth's ratios, or none where there are too few events even for them."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")  # what firthmodels says is a note, too
        try:
            found = FirthCox(level=level).fit(design, target).summary_
        except InvalidInput as error:
            notes.append(f"{what}: {error}")
            return None
    notes += [f"{what}: {one.message}" for one in caught]
    return found


def _of(reference: Mapping[str, str] | None, names: Sequence[str]) -> dict[str, str]:
    return {k: v for k, v in (reference or {}).items() if k in names}


def _univariable(
    column: pd.Series[Any],
    target: pd.DataFrame,
    reference: Mapping[str, str] | None,
    ties: str,
    level: float,
    notes: list[str],
) -> tuple[pd.DataFrame, float]:
    """Return the rows of one variable, and its events per coefficient."""
    name = str(column.name)
    known = column.notna()
    if not known.all():
        notes.append(
            f"{name}: {int((~known).sum())} of {len(column)} patients lack it and are "
            "left out."
        )
    frame, outcome = column[known].to_frame(), target[known]
    coder = Categories(_of(reference, [name]), passed=())
    design = coder.fit_transform(frame) if len(frame) else frame
    rows = _rows(name, coder, frame, outcome)
    if not design.shape[1] or outcome["event"].sum() < 2:
        notes.append(f"{name}: one value, or fewer than two events; no model.")
        return rows, float("inf")
    found = _fitted(design, outcome, ties, level, name, notes)
    return _joined(rows, coder, found, ""), found.model.events_per_variable_


def _rows(
    name: str, coder: Categories, frame: pd.DataFrame, outcome: pd.DataFrame
) -> pd.DataFrame:
    """Return the rows of one variable, before any ratio."""
    levels = getattr(coder, "levels_", {}).get(name)
    if levels is None:
        counts = [("", name, len(frame), int(outcome["event"].sum()))]
    else:
        words = coder.words(frame[name])
        counts = [
            (
                word,
                f"{name}={word}" if i else "",
                int((words == word).sum()),
                int(outcome.loc[words == word, "event"].sum()),
            )
            for i, word in enumerate(levels)
        ]
    rows = pd.DataFrame(counts, columns=["level", "column", "n", "events"])
    rows.insert(0, "variable", name)
    return rows.assign(hr=np.nan, ci_low=np.nan, ci_high=np.nan, p=np.nan)


def _joined(
    table: pd.DataFrame, coder: Categories, found: _Fitted, prefix: str
) -> pd.DataFrame:
    """Write a model's ratios into the rows of its columns; references get 1."""
    table = table.copy()
    names = [f"{prefix}{part}" for part in ("hr", "ci_low", "ci_high", "p")]
    for name in names:
        if name not in table:
            table[name] = np.nan
    inside = table["variable"].isin(list(coder.terms_))
    table.loc[inside & (table["column"] == ""), names[0]] = 1.0
    for column in found.summary.index:
        where = table["column"] == column
        table.loc[where, names] = found.summary.loc[column, list(_NUMBERS)].to_numpy()
        if found.firth is not None:
            firth = found.firth.loc[column]
            for part in ("hazard_ratio", "ci_low", "ci_high"):
                short = "hr" if part == "hazard_ratio" else part
                table.loc[where, f"firth_{short}"] = firth[part]
    return table


def _chosen(
    table: pd.DataFrame, X: pd.DataFrame, asked: Sequence[str] | float | None
) -> list[str]:
    if asked is None:
        return []
    if isinstance(asked, (int, float)):
        best = table.groupby("variable", sort=False)["p"].min()
        return [str(name) for name in best.index[best < asked]]
    known = [str(name) for name in X.columns]
    return [pick(name, known, "variable") for name in asked]


def _three(table: pd.DataFrame, prefix: str) -> npt.NDArray[np.float64]:
    return table[[f"{prefix}hr", f"{prefix}ci_low", f"{prefix}ci_high"]].to_numpy(float)
