"""Clinical tables: a CSV becomes a frame whose patient ids stay text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from os import PathLike

import pandas as pd

from sarcfeat._validation import listed
from sarcfeat.exceptions import InvalidInput
from sarcfeat.io.cells import read_cells

__all__ = ["read_table"]

MISSING = ("", "NA", "NaN", "nan")
ID_NAMES = ("patient", "patient_id", "subject", "subject_id", "case", "case_id", "id")
# A leading zero means a code (007), not a quantity.
NUMBER = re.compile(r"[+-]?(0|[1-9]\d*|(0|[1-9]\d*)?\.\d+|[1-9]\d*\.)([eE][+-]?\d+)?\Z")
COMMA_NUMBER = re.compile(r"[+-]?(0|[1-9]\d*)(,\d+)?\Z")


def read_table(
    path: str | PathLike[str],
    *,
    index: str | None = None,
    text: Iterable[str] = (),
    missing: Iterable[str] = MISSING,
) -> pd.DataFrame:
    r"""Read a CSV with ids kept as text: patient 007 stays 007.

    The separator (comma, semicolon, tab), a byte-order mark and, in semicolon files,
    a decimal comma are recognised. A column becomes numbers only when each of its
    cells is one; a column with a leading zero, and every id column, stays text.

    Parameters
    ----------
    path : str or path
        The file.
    index : str, optional
        Column that becomes the index (kept as text).
    text : iterable of str
        Further columns that stay text.
    missing : iterable of str
        Cells that mean "not known".

    Returns
    -------
    DataFrame
        One row a line; `index` as text when given.

    Raises
    ------
    InputMissing, InputEmpty
        No such file, or no bytes in it.
    InvalidInput
        Two columns of one name (letter case aside), a row with more cells than the
        header, or no column `index`.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> folder = tempfile.TemporaryDirectory()
    >>> file = Path(folder.name) / "patients.csv"
    >>> _ = file.write_text("patient,age,grade\n007,61,2\n7,NA,3\n")
    >>> read_table(file, index="patient")
              age  grade
    patient
    007      61.0      2
    7         NaN      3
    >>> folder.cleanup()
    """
    cells = read_cells(path)
    header, comma = cells.header, cells.separator == ";"
    codes = set(missing)
    keep = {*text, *([index] if index else [])}
    keep |= {name for name in header if name.strip().lower() in ID_NAMES}
    columns = {
        name: _column([row[i] for row in cells.rows], codes, name in keep, comma=comma)
        for i, name in enumerate(header)
    }
    frame = pd.DataFrame(columns, columns=header)
    if index is None:
        return frame
    if index not in header:
        raise InvalidInput(
            f"{cells.path} has no column {index!r}; it has {listed(header, 12)}."
        )
    return frame.set_index(index)


def _column(
    cells: list[str], missing: set[str], as_text: bool, *, comma: bool
) -> pd.Series[float] | pd.Series[str]:
    known = [cell for cell in cells if cell not in missing]
    values: list[str | None] = [None if cell in missing else cell for cell in cells]
    if as_text or not known:
        return pd.Series(values, dtype="str" if known else "float64")
    if all(NUMBER.match(cell) for cell in known):
        return pd.to_numeric(pd.Series(values, dtype="str"))
    if comma and all(COMMA_NUMBER.match(cell) for cell in known):
        dotted = [None if v is None else v.replace(",", ".") for v in values]
        return pd.to_numeric(pd.Series(dotted, dtype="str"))
    return pd.Series(values, dtype="str")
