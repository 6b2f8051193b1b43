"""The catalogue as it was: rows written by a commit and not retired by then."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import pandas as pd

from sarcfeat.exceptions import InvalidInput, StoreError
from sarcfeat.store.connection import Connection

__all__ = ["Past"]


class Past(Connection):
    """A read-only look at an open catalogue as of a commit.

    Each table is covered by a temporary view of the same name, which only this
    connection sees, so that every query of the store works on it unchanged.

    Parameters
    ----------
    parent : Connection
        The open catalogue.
    version : int
        Number of a commit, from 0 (empty) to the latest.
    """

    def __init__(self, parent: Connection, version: int) -> None:
        latest = parent.commit_no
        whole = isinstance(version, int) and not isinstance(version, bool)
        if not whole or not 0 <= version <= latest:
            raise InvalidInput(
                f"version={version!r}; the store has the versions 0 to {latest} (see "
                "commit_log, or the store_version of a matrix)."
            )
        self.path = parent.path
        self.read_only = parent.read_only
        self.version = version
        self._parent = parent
        self._commit = None
        self._wrote = False
        self._memory = {}
        self._memory_of = None
        self._looks = weakref.WeakSet()
        self._db = parent.cursor(self)
        for statement in _views(parent, version):
            self._db.execute(statement)

    @property
    def commit_no(self) -> int:
        """Number of the commit that is looked at."""
        return self.version

    @property
    def archive(self) -> Connection:
        """The catalogue itself, where matrices are frozen."""
        return self._parent.archive

    def frame(self, sql: str, values: Sequence[Any] = ()) -> pd.DataFrame:
        """Return a query as a DataFrame; the views are known to this cursor alone."""
        return self._read(self._db, sql, values)

    @contextmanager
    def commit(self, what: str) -> Iterator[int]:
        """Refuse to write."""
        self._refuse(what)
        yield 0

    def update(self, sql: str, values: Sequence[Any] = ()) -> None:
        """Refuse to write."""
        self._refuse("an update")

    def _write(
        self,
        verb: str,
        table: str,
        types: dict[str, str],
        rows: Sequence[Sequence[Any]],
    ) -> None:
        self._refuse(f"{verb} {table}")

    def _refuse(self, what: str) -> NoReturn:
        raise StoreError(
            f"{self.path} at version {self.version} is read-only ({what}). Write to "
            "the store itself."
        )


def _views(db: Connection, version: int) -> list[str]:
    """Cover each table; names come from the schema, the version is a whole number."""
    home = db.one("SELECT current_database()")[0]
    statements = []
    columns: dict[str, set[str]] = {}
    for table, column in db.rows(
        "SELECT table_name, column_name FROM duckdb_columns() "
        "WHERE database_name = current_database() AND NOT internal"
    ):
        columns.setdefault(table, set()).add(column)
    for table, held in columns.items():
        if "commit_no" not in held:
            continue
        picked, where = "*", f"commit_no <= {version:d}"
        if table == "store_meta":
            picked, where = f"* REPLACE ({version:d}::BIGINT AS commit_no)", "true"
        elif "retired_no" in held:
            picked = (
                f"* REPLACE (CASE WHEN retired_no <= {version:d} THEN retired_no END "
                "AS retired_no)"
            )
        statements.append(
            f'CREATE TEMP VIEW "{table}" AS SELECT {picked} '
            f'FROM "{home}".main."{table}" WHERE {where}'
        )
    return statements
