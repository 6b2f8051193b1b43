"""Parquet files of others: read in a locked process, taken over as text."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sarcfeat.exceptions import InputCorrupt, InvalidInput
from sarcfeat.io import parquet_child

__all__ = ["ParquetTable", "is_parquet", "read_parquet"]

SECONDS = 300
MEMORY = 2 * 2**30
MOST_BYTES = 4 * 2**30
# What finds the interpreter's packages; nothing else of the environment is passed on.
ENVIRONMENT = ("HOME", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH", "SYSTEMROOT")


@dataclass(frozen=True)
class ParquetTable:
    """A table as text.

    Attributes
    ----------
    names : list of str
    rows : list of list of str
        A number's text gives back its exact bits; a missing cell is empty.
    kinds : list of str
        DuckDB's type of each column.
    """

    names: list[str]
    rows: list[list[str]]
    kinds: list[str]


def is_parquet(path: str | os.PathLike[str]) -> bool:
    """Whether a file is Parquet, by its first bytes or by its name."""
    place = Path(path)
    if not place.is_file():
        return False
    with place.open("rb") as file:
        head = file.read(4)
    return head == b"PAR1" or place.suffix.lower() in (".parquet", ".pq")


def read_parquet(path: str | os.PathLike[str]) -> ParquetTable:
    """Read a Parquet file that nobody vouches for.

    A copy of it is read by another process, which can open this one file only, loads
    no extension, and is bounded in memory and time. A file that crashes the parser ends
    that process and nothing else.

    Parameters
    ----------
    path : str or path
        The file.

    Returns
    -------
    ParquetTable

    Raises
    ------
    InputCorrupt
        The file cannot be read, or reading it took too long or too much; it is named.
    InvalidInput
        The process could not be started.
    """
    with tempfile.TemporaryDirectory(prefix="sarcfeat-parquet-") as folder:
        # A plain name of our own: no pattern, no link, and nobody changes it meanwhile.
        copy, out = Path(folder) / "in.parquet", Path(folder) / "out.json"
        if os.path.getsize(path) > MOST_BYTES:
            raise InputCorrupt(f"{path} is larger than {MOST_BYTES:,} bytes. Split it.")
        shutil.copyfile(path, copy)
        _run(Path(path), copy, out)
        try:
            told = json.loads(out.read_bytes())
        except (OSError, ValueError) as error:
            raise _unreadable(path, "its reader gave no table") from error
    if not isinstance(told, dict) or "error" in told:
        reason = told["error"] if isinstance(told, dict) else "its reader gave no table"
        raise _unreadable(path, str(reason).replace(str(copy), "the file"))
    return _checked(path, told)


def _checked(path: str | os.PathLike[str], told: dict[str, object]) -> ParquetTable:
    """Believe nothing of what came back but its shape."""
    names, rows, kinds = (told.get(key) for key in ("names", "rows", "kinds"))
    if not (_texts(names) and _texts(kinds) and isinstance(rows, list)):
        raise _unreadable(path, "its reader gave no table")
    assert isinstance(names, list)
    assert isinstance(kinds, list)
    if not all(_texts(row) and len(row) == len(names) for row in rows):
        raise _unreadable(path, "its rows are not all of one length")
    return ParquetTable(names, rows, kinds)


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(cell, str) for cell in value)


def _run(path: Path, copy: Path, out: Path) -> None:
    told = {
        "path": str(copy),
        "out": str(out),
        "memory": MEMORY,
        # DuckDB reserves addresses that it never uses.
        "most_memory": 4 * MEMORY,
        "most_bytes": MOST_BYTES,
        "seconds": SECONDS,
    }
    kept = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
    try:
        done = subprocess.run(
            [sys.executable, "-P", parquet_child.__file__],
            input=json.dumps(told),
            capture_output=True,
            text=True,
            cwd=copy.parent,
            env=kept,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _unreadable(path, f"reading it took more than {SECONDS} s") from error
    except OSError as error:
        raise InvalidInput(
            f"{path}: no process could be started to read Parquet in: {error}. Write "
            "the table as CSV."
        ) from error
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise _unreadable(
            path, f"its reader ended with status {done.returncode} ({last[0]})"
        )


def _unreadable(path: str | os.PathLike[str], why: str) -> InputCorrupt:
    return InputCorrupt(
        f"{os.fspath(path)} cannot be taken over as Parquet: {why}. Write the table as "
        "CSV with the program that made it."
    )
