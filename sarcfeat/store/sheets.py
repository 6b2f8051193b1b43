"""A table of numbers from elsewhere: every bad cell has an address."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sarcfeat.exceptions import InvalidInput
from sarcfeat.io.cells import read_cells, refuse_same_names
from sarcfeat.store.handle import Table
from sarcfeat.store.identity import canonical_json, file_sha256

__all__ = ["Sheet", "decimal_of", "numbers_of", "read_sheet"]

Column = list[str] | npt.NDArray[np.float64]
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?inf(inity)?", re.I)
THOUSANDS = {
    ".": re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?"),
    ",": re.compile(r"[+-]?\d{1,3}(\.\d{3})+(,\d+)?"),
}
COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
POINT = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?")
BOTH = re.compile(r"[+-]?\d{1,3}([.,]\d{3})*[.,]\d+")


@dataclass(frozen=True)
class Sheet:
    """The columns of a table, and where each row stands.

    Attributes
    ----------
    source : str
        Path, or ``DataFrame``.
    sha256 : str
        Of the file's bytes (of a frame: of its cells).
    columns : dict of name to cells
        Text as written, or float64 where a frame held numbers.
    places : list of str
        ``line 7`` or ``row 5``.
    separator : str or None
        Of a file.
    notes : list of str
        What was recognised and changed.
    """

    source: str
    sha256: str
    columns: dict[str, Column]
    places: list[str]
    separator: str | None
    notes: list[str]

    def text(self, name: str) -> list[str]:
        """Return a column as text; 7.0 of a numeric column stays ``7.0``."""
        return [str(cell) for cell in self.columns[name]]


def read_sheet(data: Table) -> Sheet:
    """Take a table apart; nothing is turned into numbers yet."""
    if isinstance(data, pd.DataFrame):
        return _of_frame(data)
    cells = read_cells(data)
    separator = "tab" if cells.separator == "\t" else cells.separator
    notes = [f"read as {cells.encoding}, separated by {separator}"]
    place = "line"
    if cells.encoding == "parquet":
        notes = ["read as parquet, in a process of its own"]
        place = "row"
        narrow = cells.kinds.count("FLOAT")
        notes += [f"{narrow} float32 columns cast to float64"] if narrow else []
    return Sheet(
        source=str(Path(data).resolve()),
        sha256=file_sha256(cells.path),
        columns={n: [row[i] for row in cells.rows] for i, n in enumerate(cells.header)},
        places=[f"{place} {number}" for number in cells.lines],
        separator=cells.separator,
        notes=notes,
    )


def _of_frame(frame: pd.DataFrame) -> Sheet:
    if frame.index.name is not None:
        frame = frame.reset_index()
    names = [str(name) for name in frame.columns]
    refuse_same_names(names, "The table")
    columns: dict[str, Column] = {}
    cast: dict[str, list[str]] = {}
    kinds = frame.dtypes.tolist()
    floats = [i for i, kind in enumerate(kinds) if pd.api.types.is_float_dtype(kind)]
    # All at once: one column of a frame costs more than its numbers.
    block = frame.iloc[:, floats].to_numpy(dtype=np.float64, na_value=np.nan).T
    numbers = dict(zip(floats, block, strict=True))
    for position, name in enumerate(names):
        if position in numbers:
            columns[name] = numbers[position]
            if kinds[position] != np.float64:
                cast.setdefault(str(kinds[position]), []).append(name)
        else:
            column = frame.iloc[:, position]
            lost = column.isna().to_numpy()
            columns[name] = [
                "" if gone else str(cell).strip()
                for cell, gone in zip(column.astype(object), lost, strict=True)
            ]
    notes = [
        f"{len(held)} {kind} columns cast to float64" for kind, held in cast.items()
    ]
    places = [f"row {number}" for number in range(len(frame))]
    return Sheet("DataFrame", _mark(columns), columns, places, None, notes)


def _mark(columns: dict[str, Column]) -> str:
    """Hash every name, every text and every bit of a frame."""
    state = hashlib.sha256()
    for name, cells in columns.items():
        text = cells if isinstance(cells, list) else None
        state.update(canonical_json([name, text]).encode())
        if not isinstance(cells, list):
            state.update(np.ascontiguousarray(cells, dtype="<f8").data)
    return state.hexdigest()


def decimal_of(sheet: Sheet, names: Sequence[str], asked: str | None) -> str:
    """Return the decimal mark of a table's numbers.

    Raises
    ------
    InvalidInput
        Both marks are used, or a comma stands in a comma-separated file: both
        readings would be possible. The cells are named.
    """
    if asked in (".", ","):
        return asked
    if asked is not None:
        raise InvalidInput(f"decimal={asked!r}; expected '.', ',' or None.")
    if not any("," in cell for name in names for cell in _texts(sheet, name)):
        return "."
    comma, point = _first(sheet, names, COMMA), _first(sheet, names, POINT)
    both = _first(sheet, names, BOTH, unlike=(COMMA, POINT))
    if both is not None:
        raise InvalidInput(
            f"{both} is ambiguous: which mark is the decimal one? Say decimal=',' or "
            "decimal='.'; the other one is then taken as a thousands mark."
        )
    if comma is None:
        return "."
    if point is not None:
        raise InvalidInput(
            f"{comma} has a decimal comma and {point} a decimal point: one of them is "
            "a thousands mark, or two tables were joined. Say decimal=',' or "
            "decimal='.'; the other mark is then dropped as a thousands mark."
        )
    if sheet.separator in (",", None):
        raise InvalidInput(
            f"{comma} is ambiguous: decimal comma or thousands mark? Say decimal=',' "
            "or decimal='.'."
        )
    return ","


def _texts(sheet: Sheet, name: str) -> list[str]:
    column = sheet.columns[name]
    return column if isinstance(column, list) else []


def _first(
    sheet: Sheet,
    names: Sequence[str],
    pattern: re.Pattern[str],
    unlike: Sequence[re.Pattern[str]] = (),
) -> str | None:
    """Return the address of the first cell that fits a pattern."""
    for name in names:
        for place, cell in zip(sheet.places, _texts(sheet, name), strict=False):
            if pattern.fullmatch(cell) and not any(p.fullmatch(cell) for p in unlike):
                return f"{sheet.source}, {place}, column {name!r}: {cell!r}"
    return None


def numbers_of(
    sheet: Sheet,
    name: str,
    patients: Sequence[str],
    missing: Collection[str],
    decimal: str,
) -> npt.NDArray[np.float64]:
    """Return a column as numbers; declared codes become NaN.

    Raises
    ------
    InvalidInput
        A cell that is neither a number nor a declared code: line, column, patient and
        cell are named.
    """
    column: Any = sheet.columns[name]
    if not isinstance(column, list):
        values: npt.NDArray[np.float64] = column
        return values
    plain = ["nan" if cell in missing else cell for cell in column]
    if decimal == "." and "_" not in "".join(plain):
        try:
            found = np.array(plain, dtype=np.str_).astype(np.float64)
        except ValueError:
            found = np.full(len(column), np.nan)
        if np.isnan(found).sum() == sum(cell in missing for cell in column):
            return found
    return np.array(
        [
            np.nan
            if cell in missing
            else _number(sheet, i, name, patients[i], cell, decimal)
            for i, cell in enumerate(column)
        ]
    )


def _number(
    sheet: Sheet, row: int, name: str, patient: str, cell: str, decimal: str
) -> float:
    other = "," if decimal == "." else "."
    plain = cell.replace(other, "") if THOUSANDS[decimal].fullmatch(cell) else cell
    if other in plain or not NUMBER.fullmatch(plain.replace(decimal, ".")):
        raise InvalidInput(
            f"{sheet.source}, {sheet.places[row]}, column {name!r}, patient "
            f"{patient}: {cell!r} is not a number. Correct the cell; if it means 'not "
            f"known', say missing=({cell!r}, 'NA', ...)."
        )
    return float(plain.replace(decimal, "."))
