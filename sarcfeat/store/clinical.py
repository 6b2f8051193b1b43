"""Clinical values as they were known at the time of prediction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from sarcfeat._validation import listed
from sarcfeat.exceptions import LeakageError
from sarcfeat.store.cohorts import Members
from sarcfeat.store.connection import Connection
from sarcfeat.store.times import date_of

__all__ = ["clinical_columns"]


def clinical_columns(
    db: Connection,
    members: Members,
    variables: Sequence[str],
    by_name: set[str],
    as_of: str | None,
) -> tuple[dict[str, pd.Series[Any]], list[list[str]]]:
    """Return one column a variable, and who lacks it and why.

    Each variable is looked up on its own: the latest value known by the patient's
    index time. A value without a date is not taken as known where there is an index
    time.

    Raises
    ------
    LeakageError
        A variable asked for by name that some patient has only after the index time.
    """
    rows = db.rows(
        "SELECT variable, patient_id, value_num, value_text, epoch_us(known_at), "
        "epoch_us(written_at) FROM clinical WHERE retired_no IS NULL "
        "AND list_contains(?::VARCHAR[], variable) "
        "ORDER BY known_at NULLS FIRST, commit_no",
        [list(variables)],
    )
    held: dict[str, dict[str, list[tuple[Any, ...]]]] = {v: {} for v in variables}
    for variable, patient, *value in rows:
        held[variable].setdefault(patient, []).append(tuple(value))
    columns, missing = {}, []
    for variable in variables:
        name = f"clinical.{variable}"
        cells, reasons = _one(members, held[variable], as_of)
        after = [p for p, reason in reasons if reason != "no value"]
        if after and name in by_name:
            raise LeakageError(
                f"{name} was known only after the index time for {len(after)} of "
                f"{len(members.patients)} patients: {listed(after)} "
                f"({dict(reasons)[after[0]]}). Leave it out, ask for 'clinical' to "
                "have such values excluded and listed, or state known_at."
            )
        columns[name] = _column(cells, members.patients, held[variable])
        missing += [[patient, name, reason] for patient, reason in reasons]
    return columns, missing


def _one(
    members: Members, held: dict[str, list[tuple[Any, ...]]], as_of: str | None
) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Look one variable up for each patient."""
    cells, reasons = {}, []
    for patient in members.patients:
        index_time = members.index_time[patient]
        values = held.get(patient, [])
        usable = [v for v in values if _admissible(v, index_time, as_of)]
        if usable:
            number, text, _, _ = usable[-1]
            cells[patient] = number if text is None else text
        elif values:
            known = values[0][2] if as_of == "index_time" else values[0][3]
            date = (
                f"on {date_of(known)}, after" if known is not None else "not stated by"
            )
            reasons.append(
                (patient, f"known {date} the index time {date_of(index_time)}")
            )
        else:
            reasons.append((patient, "no value"))
    return cells, reasons


def _admissible(
    value: tuple[Any, ...], index_time: int | None, as_of: str | None
) -> bool:
    if as_of is None or index_time is None:
        return True
    when = value[2] if as_of == "index_time" else value[3]
    return when is not None and when <= index_time


def _column(
    cells: dict[str, Any],
    patients: list[str],
    held: dict[str, list[tuple[Any, ...]]],
) -> pd.Series[Any]:
    """Numbers as a float column, text as a categorical one."""
    is_text = any(value[1] is not None for values in held.values() for value in values)
    if not is_text:
        return pd.Series([cells.get(p, np.nan) for p in patients], dtype="float64")
    texts = [None if p not in cells else _text(cells[p]) for p in patients]
    known = sorted({text for text in texts if text is not None})
    return pd.Series(pd.Categorical(texts, categories=known))


def _text(cell: Any) -> str:
    return cell if isinstance(cell, str) else f"{cell:g}"
