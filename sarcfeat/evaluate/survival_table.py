"""Survival by group in one table: events, medians, probabilities at times, the test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sarcfeat.evaluate._table_rows import is_level, levels_of
from sarcfeat.evaluate.printed import (
    ADJUSTMENTS,
    Printed,
    interval_text,
    p_text,
    time_text,
)
from sarcfeat.exceptions import InvalidInput
from sarcfeat.metrics import adjust_p
from sarcfeat.survival import (
    cumulative_incidence,
    gray_test,
    kaplan_meier,
    logrank,
    pairwise_logrank,
    split_causes,
)

__all__ = ["SurvivalTable", "survival_table"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
NAN = float("nan")
ALL = "all patients"


@dataclass(frozen=True)
class SurvivalTable(Printed):
    """Survival, or the cumulative incidence of a cause, by group.

    Attributes
    ----------
    table : DataFrame
        One row a group and time: ``group, n, events, follow_up`` (median, by reverse
        Kaplan–Meier), ``median, median_ci_low, median_ci_high`` (of the survival; NaN
        where not reached), ``time, n_risk``, ``survival`` or ``incidence``, ``ci_low,
        ci_high`` (NaN past a group's follow-up).
    test : str
        ``"Log-rank"``, ``"Stratified log-rank"``, ``"Gray"``, or ``""`` with one group.
    statistic, p : float
    df : int
    pairs : DataFrame
        With three groups and more: ``a, b, statistic, p, p_adjusted``.
    notes : list of str
    time_unit : str
    level : float
    """

    table: pd.DataFrame
    test: str
    statistic: float
    df: int
    p: float
    pairs: pd.DataFrame
    notes: list[str]
    time_unit: str
    level: float

    @property
    def kind(self) -> str:
        """What is estimated: ``"survival"`` or ``"incidence"``."""
        return "incidence" if "incidence" in self.table else "survival"

    def formatted(self) -> pd.DataFrame:
        """Return one row a group, as a paper prints it."""
        level = f"{100 * self.level:g} % CI"
        rows = []
        for group, part in self.table.groupby("group", sort=False, observed=True):
            records: list[dict[str, Any]] = part.to_dict("records")  # type: ignore[assignment]
            rows.append({"group": str(group), **self._row(records, level)})
        return pd.DataFrame(rows)

    def _row(self, records: list[dict[str, Any]], level: str) -> dict[str, str]:
        """Write one group, its times side by side."""
        first = records[0]
        row = {"n": str(first["n"]), "events": str(first["events"])}
        if self.kind == "survival":
            name = f"median, {self.time_unit} ({level})"
            three = (first["median"], first["median_ci_low"], first["median_ci_high"])
            row[name] = _reached(*three, digits=0 if self.time_unit == "days" else 1)
        for one in records:
            if not np.isnan(one["time"]):
                said = time_text(one["time"], self.time_unit)
                three = (one[self.kind], one["ci_low"], one["ci_high"])
                row[f"{self.kind} at {said} ({level})"] = _percent(*three)
                row[f"at risk at {said}"] = str(one["n_risk"])
        return row


def _reached(value: float, low: float, high: float, digits: int) -> str:
    if not np.isnan(value):
        return interval_text(value, low, high, digits)
    ends = "" if np.isnan(low) else f" ({low:.{digits}f} to not reached)"
    return f"not reached{ends}"


def _percent(value: float, low: float, high: float) -> str:
    if np.isnan(value):
        return "not followed so long"
    if np.isnan(low):
        return f"{100 * value:.0f} %"
    return f"{100 * value:.0f} % ({100 * low:.0f} to {100 * high:.0f})"


def survival_table(
    y: Any,
    groups: Any = None,
    *,
    times: Sequence[float] | float = (),
    cause: int | None = None,
    strata: Any = None,
    time_unit: str = "days",
    level: float = 0.95,
    conf_type: str = "log-log",
    adjust: str = "bh",
) -> SurvivalTable:
    """Say how groups of patients fared: one call for the table under the curves.

    Parameters
    ----------
    y : structured array (event, time)
        From :func:`~sarcfeat.survival.make_y`: Kaplan–Meier and the log-rank test. From
        :func:`~sarcfeat.survival.make_causes`, with several causes: the cumulative
        incidence of `cause` (Aalen–Johansen) and Gray's test.
    groups : array-like of shape (n_patients,), optional
        Group of each patient; a categorical keeps its own order. A patient without a
        group is left out and counted in the notes.
    times : float or sequence of float
        When to say the probability and the number at risk.
    cause : int, optional
        The cause, 1 where not given.
    strata : array-like of shape (n_patients,), optional
        Groups are compared within strata (a hospital); the curves are not stratified.
    time_unit : str
    level : float
        Coverage of the intervals.
    conf_type : str
        As in :func:`~sarcfeat.survival.kaplan_meier`; of the incidence ``"log-log"`` or
        ``"plain"``.
    adjust : str
        Adjustment of the pairs, as for :func:`~sarcfeat.metrics.adjust_p`.

    Returns
    -------
    SurvivalTable

    Raises
    ------
    InvalidInput
        Not one group a patient.
    NoEvents
        Nobody had an event of `cause`.

    References
    ----------
    R's ``survfit``, ``survdiff`` and ``cmprsk::cuminc``; follow-up after Schemper &
    Smith, Control Clin Trials 1996.

    Examples
    --------
    >>> from sarcfeat.survival import make_y
    >>> y = make_y([1, 1, 0, 1, 0, 0], [90, 200, 400, 500, 900, 1000])
    >>> found = survival_table(y, list("aaabbb"), times=[365])
    >>> found.table[["group", "n_risk", "survival"]].round(2).values.tolist()
    [['a', 1, 0.33], ['b', 3, 1.0]]
    >>> found.test, round(found.p, 3)
    ('Log-rank', 0.116)
    """
    status, time = split_causes(y)
    labels, kept, notes = _labels(groups, len(status))
    stratum = None if strata is None else pd.Series(np.asarray(strata))[kept]
    status, time, labels = status[kept], time[kept], labels[kept]
    competing = cause is not None or bool((status > 1).any())
    event = 1 if cause is None else cause
    moments = [float(t) for t in np.atleast_1d(np.asarray(times, dtype=float))]
    rows: list[dict[str, Any]] = []
    for name in levels_of(labels):
        mine = is_level(labels, name)
        one = _incidence if competing else _survival
        found = one(name, status[mine], time[mine], moments, event, level, conf_type)
        rows += found
        kind = "incidence" if competing else "survival"
        past = [row["time"] for row in found if np.isnan(row[kind])]
        if moments and past:
            said = " and ".join(time_text(t, time_unit) for t in past)
            last = time_text(float(time[mine].max()), time_unit)
            notes.append(f"{name}: nobody is followed to {said} (the longest, {last}).")
    codes = labels.astype(str).to_numpy(dtype=object)
    test = _test(status, time, codes, stratum, event, competing, adjust)
    if len(test[-1]):
        notes.append(f"Pairs adjusted by {ADJUSTMENTS[adjust]}.")
    if test[0]:
        notes.insert(0, f"{test[0]} test: {_p_sentence(test[3])}.")
    table = pd.DataFrame(rows)
    table.attrs |= {"level": level, "notes": list(notes)}
    return SurvivalTable(table, *test, notes, time_unit, level)


def _p_sentence(p: float) -> str:
    said = p_text(p)
    return f"p {said}" if said.startswith("<") else f"p = {said or 'not estimable'}"


def _labels(
    groups: Any, n: int
) -> tuple[pd.Series[Any], npt.NDArray[np.bool_], list[str]]:
    if groups is None:
        return pd.Series([ALL] * n), np.ones(n, dtype=bool), []
    labels = pd.Series(groups).reset_index(drop=True)
    if len(labels) != n:
        raise InvalidInput(
            f"y has {n} patients and groups has {len(labels)}; give each patient one "
            "group."
        )
    kept = labels.notna().to_numpy(dtype=bool)
    lost = int((~kept).sum())
    notes = [f"{lost} of {n} patients have no group and are left out."] if lost else []
    if not kept.any():
        raise InvalidInput(f"None of the {n} patients has a group.")
    return labels, kept, notes


def _follow_up(status: Ints, time: Floats) -> float:
    """Return the median follow-up: Kaplan–Meier with censoring as the event."""
    return kaplan_meier(status == 0, time).median()


def _survival(
    name: Any,
    status: Ints,
    time: Floats,
    times: list[float],
    cause: int,
    level: float,
    conf_type: str,
) -> list[dict[str, Any]]:
    curve = kaplan_meier(status > 0, time, conf_type, level)
    half = curve.quantile(0.5)
    head = {
        "group": name,
        "n": len(status),
        "events": int((status > 0).sum()),
        "follow_up": _follow_up(status, time),
        "median": half.time,
        "median_ci_low": half.lower,
        "median_ci_high": half.upper,
    }
    if not times:
        return [{**head, "time": NAN, "n_risk": len(status), **_blank("survival")}]
    low, high = curve.interval_at(times)
    at, risk = curve.at(times), curve.n_risk_at(times)
    return [
        {
            **head,
            "time": t,
            "n_risk": int(risk[i]),
            "survival": float(at[i]),
            "ci_low": float(low[i]),
            "ci_high": float(high[i]),
        }
        for i, t in enumerate(times)
    ]


def _blank(kind: str) -> dict[str, float]:
    return {kind: NAN, "ci_low": NAN, "ci_high": NAN}


def _incidence(
    name: Any,
    status: Ints,
    time: Floats,
    times: list[float],
    cause: int,
    level: float,
    conf_type: str,
) -> list[dict[str, Any]]:
    head = {
        "group": name,
        "n": len(status),
        "events": int((status == cause).sum()),
        "competing": int(((status > 0) & (status != cause)).sum()),
        "follow_up": _follow_up(status, time),
    }
    if not times:
        return [{**head, "time": NAN, "n_risk": len(status), **_blank("incidence")}]
    curve = cumulative_incidence(status, time, conf_type=conf_type, level=level)
    rows = []
    for t in times:
        three = _at(curve, cause, t, float(time.max()))
        n_risk = int((time >= t).sum())
        rows.append({**head, "time": t, "n_risk": n_risk, **three})
    return rows


def _at(curve: Any, cause: int, t: float, last: float) -> dict[str, float]:
    if cause not in curve.causes:
        # No event of the cause: its incidence is 0 for as long as they are followed.
        return {**_blank("incidence"), "incidence": 0.0 if t <= last else NAN}
    k = curve.causes.index(cause)
    low, high = curve.interval_at([t])
    return {
        "incidence": float(curve.at([t])[0, k]),
        "ci_low": float(low[0, k]),
        "ci_high": float(high[0, k]),
    }


def _test(
    status: Ints,
    time: Floats,
    group: npt.NDArray[Any],
    strata: Any,
    cause: int,
    competing: bool,
    adjust: str,
) -> tuple[str, float, int, float, pd.DataFrame]:
    """Return name, statistic, df and p of the test over all groups, and the pairs."""
    pairs = pd.DataFrame(columns=["a", "b", "statistic", "p", "p_adjusted"])
    names = sorted(set(group.tolist()))
    if len(names) < 2:
        return "", NAN, 0, NAN, pairs
    within = None if strata is None else np.asarray(strata)
    text = group.astype(str)
    found: Any
    if competing:
        found = gray_test(status, time, text, cause=cause, strata=within)
        name = "Gray"
    else:
        found = logrank(status > 0, time, text, strata=within)
        name = "Log-rank"
    if within is not None:
        name = f"Stratified {name if competing else name.lower()}"
    if len(names) > 2:
        pairs = (
            _gray_pairs(status, time, text, cause, within)
            if competing
            else pairwise_logrank(status > 0, time, text, strata=within)
        )
        p = pairs["p"].to_numpy(dtype=float)
        pairs = pairs.assign(p_adjusted=adjust_p(p, adjust))
    return name, found.statistic, found.df, found.p_value, pairs


def _gray_pairs(
    status: Ints, time: Floats, group: npt.NDArray[Any], cause: int, strata: Any
) -> pd.DataFrame:
    rows = []
    for a, b in combinations(sorted(set(group.tolist())), 2):
        mine = np.isin(group, [a, b])
        if not (status[mine] == cause).any():
            rows.append({"a": a, "b": b, "statistic": NAN, "p": NAN})
            continue
        within = None if strata is None else strata[mine]
        one = gray_test(
            status[mine], time[mine], group[mine], cause=cause, strata=within
        )
        rows.append({"a": a, "b": b, "statistic": one.statistic, "p": one.p_value})
    return pd.DataFrame(rows)
