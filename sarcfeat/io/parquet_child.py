"""Read one Parquet file in a process of its own that can reach nothing else.

``sarcfeat.io.parquet`` runs this file as a script: Parquet's parser trusts what it
reads, so it never runs in the process that holds the user's data. What comes out is
JSON: names and cells as text.
"""

from __future__ import annotations

import contextlib
import json
import sys
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import duckdb

__all__ = ["locked", "main", "table"]

MOST_CELLS = 100_000_000


class Refused(Exception):
    """The file holds what a table of cells cannot."""


def limit(memory: int, seconds: int, size: int) -> None:
    """Bound what this process may take; where the system cannot, do without."""
    with contextlib.suppress(ImportError):
        import resource

        for what, most in (
            (resource.RLIMIT_AS, memory),
            (resource.RLIMIT_CPU, seconds),
            (resource.RLIMIT_FSIZE, size),
            (resource.RLIMIT_CORE, 0),
        ):
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(what, (most, most))


def locked(path: str, memory: int) -> duckdb.DuckDBPyConnection:
    """Return a connection that can read one file, for good."""
    db = duckdb.connect(":memory:")
    settings: dict[str, Any] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "memory_limit": f"{memory // 2**20} MiB",
        "threads": 1,
        "allowed_paths": [path],
        "enable_external_access": False,
        "lock_configuration": True,
    }
    for name, value in settings.items():
        db.execute(f"SET {name} = ?", [value])
    return db


def table(db: duckdb.DuckDBPyConnection, path: str) -> dict[str, Any]:
    """Return names, cells as text and the types of a Parquet file."""
    schema = db.execute("SELECT * FROM parquet_schema(?)", [path])
    at = [column[0] for column in schema.description].index
    name, children = at("name"), at("num_children")
    leaves = schema.fetchall()[1:]  # the first is the file itself
    for leaf in leaves:
        if leaf[children]:
            raise Refused(f"column {leaf[name]!r} is nested; each cell must be a value")
    found = db.execute("SELECT * FROM read_parquet(?)", [path])
    kinds = [str(column[1]) for column in found.description]
    names = [str(leaf[name]) for leaf in leaves]
    if len(names) != len(kinds):
        raise Refused(f"{len(names)} columns are announced and {len(kinds)} are there")
    rows: list[list[str]] = []
    while part := found.fetchmany(1000):
        rows += [
            [text(cell, name) for cell, name in zip(row, names, strict=True)]
            for row in part
        ]
        if len(rows) * len(names) > MOST_CELLS:
            raise Refused(f"it has more than {MOST_CELLS:,} cells")
    return {"names": names, "kinds": kinds, "rows": rows}


def text(cell: Any, name: str) -> str:
    """Write a cell so that a number is read back bit for bit."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "1" if cell else "0"
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ")
    if isinstance(cell, str | int | float | Decimal):
        return str(cell)
    if isinstance(cell, date):
        return cell.isoformat()
    raise Refused(f"column {name!r} holds {type(cell).__name__}; give numbers and text")


def main() -> None:
    """Read what standard input names; write the table, or why there is none."""
    told = json.loads(sys.stdin.read())
    limit(told["most_memory"], told["seconds"], told["most_bytes"])
    try:
        answer = table(locked(told["path"], told["memory"]), told["path"])
    except (Refused, duckdb.Error, MemoryError) as error:
        answer = {"error": str(error).split("\n")[0] or "out of memory"}
    with open(told["out"], "w", encoding="utf-8", errors="surrogatepass") as file:
        json.dump(answer, file)


if __name__ == "__main__":
    main()
