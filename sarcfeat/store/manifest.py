"""Rows of a manifest: a table that names files one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from sarcfeat._validation import listed
from sarcfeat.exceptions import CohortError
from sarcfeat.store.times import to_microseconds

__all__ = ["manifest_rows"]


def manifest_rows(
    table: pd.DataFrame, required: Sequence[str], name: str
) -> Iterator[tuple[dict[str, Any], int | None]]:
    """Return what each row tells, and when its file was acquired.

    Parameters
    ----------
    table : DataFrame
        Of `acquired_at` and the columns required, others besides.
    required : sequence of str
    name : str
        Of the manifest, for messages.

    Yields
    ------
    dict
        Column → value, without those left empty.
    int or None
        Microseconds since 1970.

    Raises
    ------
    CohortError
        A column, or a value in one, is missing.
    """
    for column in required:
        if column not in table.columns:
            raise CohortError(
                f"{name} has no column {column!r}; it has {listed(table.columns, 12)}."
            )
    dates: list[int | None] = [None] * len(table)
    if "acquired_at" in table.columns:
        by_patient = table["acquired_at"].set_axis(table["patient"], axis=0)
        dates = to_microseconds(by_patient, "acquired_at")
    for row, date in zip(table.to_dict("records"), dates, strict=True):
        told = {str(k): v for k, v in row.items() if not pd.isna(v)}
        empty = [column for column in required if column not in told]
        if empty:
            raise CohortError(f"{name}: a row has no {empty[0]}: {row}.")
        yield told, date
