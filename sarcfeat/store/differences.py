"""What differs between two matrices: patients, features, numbers, units."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sarcfeat.store.connection import Connection
from sarcfeat.store.matrix import Matrix, split_id

__all__ = ["DIFFERENCE_COLUMNS", "differences"]

DIFFERENCE_COLUMNS = ["what", "patient", "feature", "change", "old", "new"]
Row = list[Any]


def differences(db: Connection, old: Matrix, new: Matrix) -> pd.DataFrame:
    """Return one row for each patient, feature, number and unit that differs."""
    rows = [
        *_labels("patient", old.X.index, new.X.index),
        *_labels("feature", old.X.columns, new.X.columns),
        *_values(old.X, new.X),
        *_outcomes(old, new),
        *_units(db, old, new),
    ]
    return pd.DataFrame(rows, columns=DIFFERENCE_COLUMNS, dtype=object)


def _labels(what: str, old: pd.Index[Any], new: pd.Index[Any]) -> list[Row]:
    def row(name: str, change: str) -> Row:
        place = [name, None] if what == "patient" else [None, name]
        return [what, *place, change, None, None]

    gone = [row(str(name), "removed") for name in old.difference(new, sort=False)]
    come = [row(str(name), "added") for name in new.difference(old, sort=False)]
    return [*gone, *come]


def _values(old: pd.DataFrame, new: pd.DataFrame) -> list[Row]:
    patients = old.index.intersection(new.index, sort=False)
    names = old.columns.intersection(new.columns, sort=False)
    a, b = old.loc[patients, names], new.loc[patients, names]
    numbers = [n for n in names if _is_number(a[n]) and _is_number(b[n])]
    x, y = a[numbers].to_numpy(np.float64), b[numbers].to_numpy(np.float64)
    found = {
        name: np.flatnonzero(column)
        for name, column in zip(numbers, _differ(x, y).T, strict=True)
    }
    for name in names.difference(numbers):
        was, now = a[name].astype(object).to_numpy(), b[name].astype(object).to_numpy()
        found[name] = np.flatnonzero(_differ(was, now))
    ids = patients.tolist()
    return [
        ["value", ids[i], name, "changed", _plain(a, i, name), _plain(b, i, name)]
        for name in names
        for i in found[name]
    ]


def _is_number(column: pd.Series[Any]) -> bool:
    return bool(pd.api.types.is_float_dtype(column))


def _differ(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    both_missing = pd.isna(a) & pd.isna(b)
    return np.asarray((a != b) & ~both_missing, dtype=bool)


def _plain(frame: pd.DataFrame, row: np.integer[Any], name: str) -> Any:
    value = frame[name].iloc[int(row)]
    return None if pd.isna(value) else value


def _outcomes(old: Matrix, new: Matrix) -> list[Row]:
    if old.y is None or new.y is None:
        return []
    before = dict(zip(old.X.index, old.y.tolist(), strict=True))
    after = dict(zip(new.X.index, new.y.tolist(), strict=True))
    return [
        ["outcome", str(p), None, "changed", before[p], after[p]]
        for p in before
        if p in after and before[p] != after[p]
    ]


def _units(db: Connection, old: Matrix, new: Matrix) -> list[Row]:
    """Compare which unit of work speaks for a patient in a feature set."""
    before, after = (_units_of(db, matrix.matrix_id) for matrix in (old, new))
    rows: list[Row] = []
    for key in sorted({*before, *after}):
        a, b = before.get(key), after.get(key)
        if a != b:
            change = "added" if a is None else "removed" if b is None else "changed"
            rows.append(["unit", *key, change, a, b])
    return rows


def _units_of(db: Connection, matrix_id: str) -> dict[tuple[str, str], str]:
    """Return the units of a frozen matrix by patient and feature set."""
    rows = db.archive.rows(
        "SELECT DISTINCT k.patient_id, s.address, u.unit_id FROM "
        "(SELECT unnest(unit_ids) AS unit_id FROM matrix WHERE matrix_id = ?) x "
        "JOIN unit u USING (unit_id) JOIN mask k ON k.mask_id = u.mask_id "
        "JOIN feature_vector f USING (unit_id) JOIN feature_set s "
        "USING (feature_set_id) UNION "
        "SELECT s.patient_id, e.name || '.bag, slide ' || s.name, u.unit_id FROM "
        "(SELECT unnest(unit_ids) AS unit_id FROM matrix WHERE matrix_id = ?) x "
        "JOIN unit u USING (unit_id) JOIN embedding_file f USING (unit_id) "
        "JOIN slide s ON s.slide_id = u.image_id "
        "JOIN extractor e ON e.extractor_id = u.extractor_id",
        [split_id(matrix_id)[0]] * 2,
    )
    return {(patient, address): unit for patient, address, unit in rows}
