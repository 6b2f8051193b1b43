"""What must not reach a model: the outcome in disguise, and immortal time."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import rankdata

from sarcfeat._validation import listed
from sarcfeat.exceptions import LeakageError
from sarcfeat.store.cohorts import Members
from sarcfeat.store.connection import Connection
from sarcfeat.store.times import microseconds

__all__ = ["check_origin", "refuse_proxies"]

DAY = 86_400_000_000
# Below this, a column may follow the outcome by chance.
LEAST_PATIENTS = 12
LEAST_VALUES = 10
LEAST_CLASS = 5
SAME_RANKS = 0.999
SAMPLE = 64

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def check_origin(
    db: Connection,
    members: Members,
    outcome: str,
    table: pd.DataFrame,
    said: str | None,
) -> list[str]:
    """Refuse an outcome that counts from elsewhere than the index time.

    Returns
    -------
    list of str
        Notes for the provenance.

    Raises
    ------
    LeakageError
        The origin is not the index time and the caller did not say so, or somebody's
        follow-up ends before their index time.
    """
    index = {p: t for p, t in members.index_time.items() if t is not None}
    named = db.rows(
        "SELECT DISTINCT variable FROM clinical WHERE role = 'index_time' "
        "AND retired_no IS NULL ORDER BY ALL"
    )
    stated = db.rows(
        "SELECT DISTINCT origin FROM outcome WHERE endpoint = ? AND retired_no IS NULL "
        "ORDER BY ALL",
        [outcome],
    )
    origins = [row[0] for row in stated if row[0] is not None]
    if not index or not named:
        return []
    if not origins:
        return [f"what {outcome!r} counts from is not stated; taken as the index time"]
    variable = str(named[-1][0])
    notes = []
    for origin in origins:
        dates = _dates(db, origin)
        _refuse_before(outcome, origin, variable, table, dates, index)
        if _same(origin, variable, dates, index):
            continue
        if said != origin:
            raise LeakageError(
                f"Endpoint {outcome!r} counts from {origin!r}; the index time is "
                f"{variable!r}. Between the two nobody of the cohort could have the "
                "event and still be in it (immortal time), so survival looks better "
                f"than it is. Give times that count from {variable!r}, or say "
                f"matrix(..., origin={origin!r}) to accept it."
            )
        notes.append(
            f"{outcome!r} counts from {origin!r}, not from the index time "
            f"{variable!r}: accepted by the caller"
        )
    return notes


def _dates(db: Connection, origin: str) -> dict[str, int]:
    """Return the patients' dates where the origin is a date among their variables."""
    rows = db.rows(
        "SELECT patient_id, value_text FROM clinical WHERE variable = ? AND "
        "role IN ('date', 'index_time') AND retired_no IS NULL ORDER BY commit_no",
        [origin],
    )
    found = {patient: microseconds(text) for patient, text in rows}
    return {patient: time for patient, time in found.items() if time is not None}


def _same(
    origin: str, variable: str, dates: dict[str, int], index: dict[str, int]
) -> bool:
    if _plain(origin) == _plain(variable):
        return True
    shared = [p for p in dates if p in index]
    return bool(shared) and all(dates[p] == index[p] for p in shared)


def _plain(name: str) -> str:
    """Reduce ``date_of_surgery`` and ``Surgery date`` to what they are dates of."""
    words = re.split(r"[^a-z]+", name.lower())
    return " ".join(sorted(set(words) - {"date", "day", "time", "of", "the", ""}))


def _refuse_before(
    outcome: str,
    origin: str,
    variable: str,
    table: pd.DataFrame,
    dates: dict[str, int],
    index: dict[str, int],
) -> None:
    if not dates:
        return
    early = [
        str(patient)
        for patient, days in zip(
            table.index.tolist(), table["time"].tolist(), strict=True
        )
        if patient in dates
        and patient in index
        and dates[str(patient)] + days * DAY < index[str(patient)]
    ]
    if early:
        raise LeakageError(
            f"{len(early)} patients' follow-up of {outcome!r} ends before their index "
            f"time {variable!r} ({origin!r} + days): {listed(early)}. Whoever died "
            "before the scan has no scan: correct the dates, or leave them out of the "
            "cohort."
        )


def refuse_proxies(
    X: pd.DataFrame, values: Floats, y: npt.NDArray[Any], outcome: str
) -> None:
    """Refuse a column that is the outcome under another name.

    The same as the event or its opposite, present exactly where the event is, or in
    the same (or reverse) order as the time. The test is nearly exact, so that a strong
    predictor is not taken for one. `values` are the float columns of X.

    Raises
    ------
    LeakageError
        Such a column; column and outcome are named.
    """
    event: Flags = y["event"] == 1
    if len(y) < LEAST_PATIENTS:
        return
    numeric = X.columns[X.dtypes == np.float64]
    time = np.asarray(y["time"], dtype=np.float64)
    for at in _like_time(values, time):
        _refuse(str(numeric[at]), outcome, "puts the patients in the order of its time")
    for at in _like_event(values, event):
        _refuse(str(numeric[at]), outcome, "is the same as its event")
    for name in X.columns:
        if str(name).startswith("clinical."):
            _refuse_column(X[name], event, str(name), outcome)


def _refuse(column: str, outcome: str, how: str) -> None:
    variable = column.removeprefix("clinical.")
    raise LeakageError(
        f"{column} {how}: it tells the model the outcome {outcome!r}. Leave it out of "
        f"features; where it was derived from the outcome, say so with "
        f"add_patients(..., roles={{{variable!r}: 'outcome'}})."
    )


def _refuse_column(
    column: pd.Series[Any], event: Flags, name: str, outcome: str
) -> None:
    """Look at a clinical column's gaps and, of text, at its categories."""
    lost = column.isna().to_numpy()
    if min(event.sum(), (~event).sum()) < LEAST_CLASS:
        return
    if np.array_equal(lost, event) or np.array_equal(lost, ~event):
        _refuse(
            name, outcome, "has a value for exactly those with (or without) an event"
        )
    if column.dtype != "category":
        return
    shares = (
        pd.Series(event[~lost]).groupby(column[~lost].astype(str).to_numpy()).mean()
    )
    few = len(shares) <= max(2, len(event) // 8)
    if few and shares.nunique() > 1 and shares.isin([0.0, 1.0]).all():
        _refuse(name, outcome, "is the same as its event")


def _like_time(values: Floats, time: Floats) -> list[int]:
    """Return the columns in the order of the time, or in its reverse."""
    order = np.argsort(time, kind="stable")
    some = order[np.unique(np.linspace(0, len(time) - 1, SAMPLE).astype(int))]
    steps = np.diff(values[some], axis=0)
    known = np.isfinite(steps).sum(axis=0)
    up, down = (steps >= 0).sum(axis=0), (steps <= 0).sum(axis=0)
    suspect = (np.maximum(up, down) >= 0.95 * known) | (known < LEAST_VALUES)
    return [
        int(at) for at in np.flatnonzero(suspect) if _same_ranks(values[:, at], time)
    ]


def _same_ranks(column: Floats, time: Floats) -> bool:
    known = np.isfinite(column)
    x, t = column[known], time[known]
    if len(x) < LEAST_PATIENTS or len(np.unique(x)) < LEAST_VALUES:
        return False
    if len(np.unique(t)) < LEAST_VALUES:
        return False
    rho = np.corrcoef(rankdata(x), rankdata(t))[0, 1]
    return bool(abs(rho) >= SAME_RANKS)


def _like_event(values: Floats, event: Flags) -> list[int]:
    """Return the columns with one value where the event was and another elsewhere."""
    if min(event.sum(), (~event).sum()) < LEAST_CLASS:
        return []
    groups = (np.flatnonzero(event), np.flatnonzero(~event))
    some = [rows[:SAMPLE] for rows in groups]
    suspects = np.flatnonzero(_constant(values[some[0]]) & _constant(values[some[1]]))
    found = []
    for at in suspects:
        column = values[:, at]
        if not all(_constant(column[rows, None])[0] for rows in groups):
            continue
        ones, others = (column[rows][np.isfinite(column[rows])] for rows in groups)
        if min(len(ones), len(others)) >= LEAST_CLASS and ones[0] != others[0]:
            found.append(int(at))
    return found


def _constant(values: Floats) -> Flags:
    """Whether each column holds one value, gaps aside."""
    same: Flags = np.fmin.reduce(values, axis=0) == np.fmax.reduce(values, axis=0)
    return same
