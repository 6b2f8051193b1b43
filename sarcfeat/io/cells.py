"""A table as its cells of text: what every reader of tables starts from."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from os import PathLike, fspath
from pathlib import Path

from sarcfeat.exceptions import InputEmpty, InputMissing, InvalidInput
from sarcfeat.io.parquet import is_parquet, read_parquet
from sarcfeat.io.trusted import refuse_untrusted

__all__ = ["Cells", "read_cells", "refuse_same_names"]


@dataclass(frozen=True)
class Cells:
    """A table as it is written.

    Attributes
    ----------
    path : str
        The file.
    header : list of str
    rows : list of list of str
        As many cells as the header has; spaces at their ends removed.
    lines : list of int
        Line of the file on which each row ends (the header is line 1); of Parquet,
        the number of the row.
    separator : str
        Comma, semicolon or tab.
    encoding : str
        ``utf-8``, ``utf-8 with BOM``, ``cp1252`` or ``parquet``.
    kinds : list of str
        Types that a Parquet file gives its columns; empty for text.
    """

    path: str
    header: list[str]
    rows: list[list[str]]
    lines: list[int]
    separator: str
    encoding: str
    kinds: list[str] = field(default_factory=list)


def read_cells(path: str | PathLike[str]) -> Cells:
    """Read a delimited file; separator and encoding are recognised.

    A Parquet file is read in a process of its own, which can reach nothing else.

    Raises
    ------
    InputMissing, InputEmpty
        No such file, or no bytes in it.
    InvalidInput
        Two columns of one name (letter case aside), or a row with more cells than
        the header.
    InputCorrupt
        A Parquet file that cannot be read.
    UntrustedFile
        A pickle or a DuckDB database.
    """
    if is_parquet(path):
        return _of_parquet(path)
    refuse_untrusted(path, "Write the table as CSV with the program that made it.")
    raw, encoding = _read_text(Path(path))
    separator = _separator(raw)
    told = fspath(path)
    reader = csv.reader(raw.splitlines(keepends=True), delimiter=separator)
    lines = [(reader.line_num, line) for line in reader if line]
    header = [cell.strip() for cell in lines[0][1]]
    refuse_same_names(header, told)
    rows = []
    for number, line in lines[1:]:
        if len(line) > len(header):
            raise InvalidInput(
                f"{told}, line {number}: {len(line)} cells for {len(header)} columns. "
                f"Quote text that holds the separator {separator!r}."
            )
        cells = [cell.strip() for cell in line]
        rows.append(cells + [""] * (len(header) - len(cells)))
    numbers = [number for number, _ in lines[1:]]
    return Cells(told, header, rows, numbers, separator, encoding)


def _of_parquet(path: str | PathLike[str]) -> Cells:
    table = read_parquet(path)
    told, names = fspath(path), [name.strip() for name in table.names]
    refuse_same_names(names, told)
    rows = [[cell.strip() for cell in row] for row in table.rows]
    numbers = list(range(1, len(rows) + 1))
    return Cells(told, names, rows, numbers, ",", "parquet", table.kinds)


def refuse_same_names(names: list[str], source: str) -> None:
    """Refuse two columns of one name (letter case aside); both places are named."""
    seen: dict[str, int] = {}
    for position, name in enumerate(names, start=1):
        if name.lower() in seen:
            raise InvalidInput(
                f"{source}: columns {seen[name.lower()]} and {position} are both "
                f"called {name!r} (letter case aside). Rename one."
            )
        seen[name.lower()] = position


def _read_text(path: Path) -> tuple[str, str]:
    if not path.is_file():
        raise InputMissing(f"No table {path}. Correct the path.")
    data = path.read_bytes()
    if not data.strip():
        raise InputEmpty(f"{path} has no rows and no header.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        # Excel on Windows writes cp1252 by default; each of its bytes is a letter.
        return data.decode("cp1252", errors="replace"), "cp1252"
    return text, "utf-8 with BOM" if data.startswith(b"\xef\xbb\xbf") else "utf-8"


def _separator(raw: str) -> str:
    first = raw.splitlines()[0]
    return max(",;\t", key=first.count)
