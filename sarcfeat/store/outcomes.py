"""Endpoints: time, event and competing event of each patient."""

from __future__ import annotations

from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sarcfeat._validation import listed, pick
from sarcfeat.exceptions import InvalidInput
from sarcfeat.store.connection import Connection
from sarcfeat.store.patients import patient_frame, rewrite_role

__all__ = ["add_outcome", "read_outcome"]

OUTCOME = {
    "patient_id": "VARCHAR",
    "endpoint": "VARCHAR",
    "origin": "VARCHAR",
    "time_days": "DOUBLE",
    "event": "TINYINT",
}


def add_outcome(
    db: Connection,
    name: str,
    *,
    time: str,
    event: str,
    competing: str | None,
    data: pd.DataFrame | str | PathLike[str] | None,
    origin: str | None,
) -> None:
    """Write an endpoint; its columns can never enter X from here on."""
    columns = [time, event, *([competing] if competing else [])]
    table = _columns_of(db, columns) if data is None else _columns_in(db, columns, data)
    known = table.dropna()
    _refuse_bad(name, known, columns)
    events = _code(name, known, event, competing)
    wanted = {
        str(patient): (origin, float(days), int(code))
        for patient, days, code in zip(known.index, known[time], events, strict=True)
    }
    current = {
        row[0]: row[1:]
        for row in db.rows(
            "SELECT patient_id, origin, time_days, event FROM outcome "
            "WHERE retired_no IS NULL AND endpoint = ?",
            [name],
        )
    }
    gone = [p for p, value in current.items() if wanted.get(p) != value]
    new = {p: value for p, value in wanted.items() if current.get(p) != value}
    with db.commit(f"add_outcome {name}"):
        rewrite_role(db, columns, "outcome")
        if gone:
            db.update(
                "UPDATE outcome SET retired_no = ? WHERE retired_no IS NULL AND "
                "endpoint = ? AND list_contains(?::VARCHAR[], patient_id)",
                [db.commit_no, name, gone],
            )
        db.insert("outcome", OUTCOME, [[p, name, *value] for p, value in new.items()])


def _columns_of(db: Connection, columns: list[str]) -> pd.DataFrame:
    """Collect the columns from the patients' table given earlier."""
    known = [
        row[0]
        for row in db.rows("SELECT DISTINCT variable FROM clinical ORDER BY variable")
    ]
    for column in columns:
        pick(column, known, "column among the patients' variables")
    rows = db.rows(
        "SELECT patient_id, variable, value_num, value_text FROM clinical "
        "WHERE retired_no IS NULL AND list_contains(?::VARCHAR[], variable) "
        "ORDER BY patient_id",
        [columns],
    )
    table: dict[str, dict[str, Any]] = {column: {} for column in columns}
    for patient, variable, number, text in rows:
        table[variable][patient] = number if text is None else text
    return pd.DataFrame(table)


def _columns_in(
    db: Connection, columns: list[str], data: pd.DataFrame | str | PathLike[str]
) -> pd.DataFrame:
    frame, source, _ = patient_frame(data)
    for column in columns:
        pick(column, [str(c) for c in frame.columns], f"column in {source}")
    known = {row[0] for row in db.rows("SELECT patient_id FROM patient")}
    strangers = [patient for patient in frame.index if patient not in known]
    if strangers:
        raise InvalidInput(
            f"{len(strangers)} patients of the outcome table are not in the store: "
            f"{listed(strangers)}. Add them with add_patients, or correct their ids."
        )
    if not frame.index.is_unique:
        twice = frame.index[frame.index.duplicated()].unique()
        raise InvalidInput(
            f"The outcome table lists patients more than once: {listed(twice)}."
        )
    return frame[columns]


def _refuse_bad(name: str, known: pd.DataFrame, columns: list[str]) -> None:
    for column in columns:
        if not all(pd.api.types.is_number(cell) for cell in known[column]):
            raise InvalidInput(
                f"Endpoint {name!r}: column {column!r} holds text: "
                f"{known[column].value_counts().head(5).to_dict()}. Write numbers "
                "(time in days; event 1, no event 0)."
            )
    days = known[columns[0]].astype(float)
    negative = known.index[days < 0]
    if len(negative):
        raise InvalidInput(
            f"Endpoint {name!r}: {len(negative)} times are negative: "
            f"{listed(negative)}. An event before the origin needs another origin."
        )


def _code(
    name: str, known: pd.DataFrame, event: str, competing: str | None
) -> npt.NDArray[np.int64]:
    """Return 0 (follow-up ended), 1 (event) or 2 (competing event)."""
    codes = known[event].astype(float).to_numpy()
    allowed = {0.0, 1.0} if competing else {0.0, 1.0, 2.0}
    _refuse_codes(name, event, known[event], allowed)
    if competing:
        _refuse_codes(name, competing, known[competing], {0.0, 1.0})
        other = known[competing].astype(float).to_numpy() == 1
        # The event came first when both are marked: time is the time to it.
        codes = np.where((codes == 0) & other, 2.0, codes)
    return codes.astype(np.int64)


def _refuse_codes(
    name: str, column: str, values: pd.Series[Any], allowed: set[float]
) -> None:
    counts = values.value_counts().to_dict()
    if not set(values.dropna().astype(float)) <= allowed:
        raise InvalidInput(
            f"Endpoint {name!r}: column {column!r} holds {counts}; expected 1 for the "
            "event and 0 for none (2 for a competing event, without `competing`). "
            "Which value means event is not guessed: recode it."
        )


def read_outcome(db: Connection, name: str) -> pd.DataFrame:
    """Return time (days) and event (0, 1, 2) of an endpoint, by patient."""
    known = [row[0] for row in db.rows("SELECT DISTINCT endpoint FROM outcome")]
    pick(name, sorted(known), "endpoint")
    columns = db.arrays(
        "SELECT patient_id, time_days, event FROM outcome WHERE retired_no IS NULL "
        "AND endpoint = ? ORDER BY patient_id",
        [name],
    )
    index = pd.Index(columns["patient_id"].tolist(), dtype="str", name="patient")
    values = {"time": columns["time_days"], "event": columns["event"].astype(np.int64)}
    return pd.DataFrame(values, index=index)
