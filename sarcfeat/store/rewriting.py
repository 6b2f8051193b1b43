"""A catalogue written anew: deleted rows leave their bytes in the old file."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb

from sarcfeat.exceptions import StoreError
from sarcfeat.store.connection import CONFIG

__all__ = ["rewrite"]

ATTACHING = {**CONFIG, "enable_external_access": "true", "lock_configuration": "false"}


def rewrite(path: Path) -> None:
    """Copy all rows of a closed catalogue into a new file, which takes its place.

    The old file is held for writing until then, so no other process writes into it.

    Raises
    ------
    StoreError
        Another process took the catalogue, or the copy is not complete.
    """
    fresh = path.with_name(f".{path.name}.rewrite")
    _remove(fresh)
    db = duckdb.connect(":memory:", config=ATTACHING)
    try:
        db.execute(f"ATTACH {_quoted(path)} AS old")
        db.execute(f"ATTACH {_quoted(fresh)} AS fresh")
        db.execute("COPY FROM DATABASE old TO fresh")
        _compare(db, path)
        db.execute("DETACH fresh")
        with open(fresh, "rb") as file:
            os.fsync(file.fileno())
        # While the old file is still locked: who waits for it finds the new one.
        os.replace(fresh, path)
    except duckdb.Error as error:
        raise StoreError(
            f"{path} could not be written anew, so bytes of erased rows are still in "
            f"it: {error}. Close whatever has the store open and erase once more."
        ) from error
    finally:
        db.close()
        _remove(fresh)


def _compare(db: duckdb.DuckDBPyConnection, path: Path) -> None:
    tables = db.execute(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = 'old'"
    ).fetchall()
    for (table,) in tables:
        counts = [
            db.execute(
                f'SELECT count(*), bit_xor(hash(t)) FROM {side}."{table}" t'
            ).fetchall()
            for side in ("old", "fresh")
        ]
        if counts[0] != counts[1]:
            raise StoreError(
                f"{path}: table {table} did not copy whole ({counts[0]} against "
                f"{counts[1]}). The old catalogue stays; run store.verify()."
            )


def _remove(fresh: Path) -> None:
    for path in (fresh, fresh.with_name(f"{fresh.name}.wal")):
        path.unlink(missing_ok=True)


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
