"""Tables of patients: one row a patient, and errors that quote line and value."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from sarcfeat._validation import did_you_mean, listed
from sarcfeat.exceptions import CohortError, InputEmpty, InputMissing, InvalidInput
from sarcfeat.io import read_table

__all__ = [
    "as_dates",
    "as_numbers",
    "line_of",
    "read_patient_table",
    "refuse",
    "require",
]

MISSING = ("", "NA", "N/A", "NaN", "nan")


def read_patient_table(path: Path, id_column: str = "patient") -> pd.DataFrame:
    """Read a CSV with one row a patient, indexed by patient id as text.

    Raises
    ------
    CohortError
        No such table, an unreadable one, no column of patient ids, an empty id or
        the same id twice.
    """
    try:
        table = read_table(path, text=(id_column, "site"), missing=MISSING)
    except (InputMissing, InputEmpty, InvalidInput) as error:
        raise CohortError(str(error)) from error
    if id_column not in table.columns:
        raise CohortError(
            f"{path} has no column {id_column!r}."
            f"{did_you_mean(id_column, table.columns)} It has: "
            f"{listed(table.columns)}."
        )
    ids = table[id_column]
    if ids.isna().any():
        line = int(np.flatnonzero(ids.isna())[0]) + 2
        raise CohortError(f"{path}, line {line}: the column {id_column!r} is empty.")
    if ids.duplicated().any():
        first = ids[ids.duplicated()].iloc[0]
        lines = (np.flatnonzero(ids == first) + 2).tolist()
        raise CohortError(
            f"{path}: {id_column} {first} is on the lines {listed(lines)}; expected "
            "one row a patient."
        )
    return table.set_index(id_column).rename_axis("patient")


def require(path: Path, table: pd.DataFrame, columns: Iterable[str]) -> None:
    """Refuse a table that lacks columns; name all of them."""
    absent = [column for column in dict.fromkeys(columns) if column not in table]
    if absent:
        raise CohortError(
            f"{path} lacks the columns {listed(absent, 20)}."
            f"{did_you_mean(absent[0], table.columns)}"
        )


def line_of(table: pd.DataFrame | pd.Series, patient: str) -> int:
    """Return the line of a patient in the file: the header is line 1."""
    return int(table.index.get_loc(patient)) + 2


def refuse(path: Path, raw: pd.Series, bad: pd.Series, expected: str) -> None:
    """Raise for the first bad value: file, line, column, patient, value."""
    if bad.any():
        patient = bad.index[bad][0]
        value = raw[patient]
        shown = "an empty cell" if pd.isna(value) else repr(str(value))
        raise CohortError(
            f"{path}, line {line_of(raw, patient)}, column {raw.name!r}, patient "
            f"{patient}: {shown} is not {expected}."
        )


def as_numbers(path: Path, raw: pd.Series, expected: str) -> pd.Series:
    """Return a column as numbers; name the first value that is none."""
    numbers = pd.to_numeric(raw, errors="coerce")
    refuse(path, raw, raw.notna() & ~np.isfinite(numbers.astype(float)), expected)
    return numbers


def as_dates(path: Path, raw: pd.Series) -> pd.Series:
    """Return a column as dates; name the first value that is none."""
    dates = pd.to_datetime(raw, errors="coerce", format="ISO8601")
    refuse(path, raw, raw.notna() & dates.isna(), "a date such as 2019-05-31")
    return dates
