"""The one way to the catalogue: a locked-down DuckDB connection and its transactions.

DuckDB treats SQL and database files as trusted input, so nothing a user brings (ids,
feature names, paths) is ever part of the text of a statement: values are bound. The
connection can reach no file but the catalogue and loads no extension.
"""

from __future__ import annotations

import re
import shutil
import warnings
import weakref
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import pandas as pd

from sarcfeat.exceptions import DiskFull, StoreBusy, StoreDamaged, StoreError
from sarcfeat.store.journal import Journal

__all__ = ["Connection", "Row"]

Row = tuple[Any, ...]
T = TypeVar("T")

CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "enable_external_access": "false",
    "lock_configuration": "true",
}
BLOCK = 262_144
MEMORY = 10_000
HOLDER = re.compile(r"held in (?P<program>.*?) \(PID (?P<pid>\d+)\)")


class Connection:
    """An open catalogue.

    Parameters
    ----------
    path : Path
        The DuckDB file; created when there is none.
    read_only : bool
        Refuse every change; several processes may open a file so.

    Raises
    ------
    StoreBusy
        Another process has it open; the message names the process.
    StoreDamaged
        The file, or its log, cannot be read.
    """

    read_only = False

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self.read_only = read_only
        self._looks: weakref.WeakSet[Connection] = weakref.WeakSet()
        self.journal: Journal | None = None
        self._commit: int | None = None
        self._last: int | None = None
        self._wrote = False
        self._memory: dict[Hashable, Any] = {}
        self._memory_of: int | None = None
        # Names of rows that were seen and that nothing ever takes away.
        self.lasting: set[str] = set()
        try:
            self._db = duckdb.connect(str(path), read_only, CONFIG)
        except duckdb.Error as error:
            raise _opening_error(path, error) from error

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """Run one statement with bound values and return all its rows."""
        # fetchall leaves no pending result, which would block the connection.
        result: list[Row] = self._db.execute(sql, list(values)).fetchall()
        return result

    def one(self, sql: str, values: Sequence[Any] = ()) -> Row:
        """Return the single row of a query that always has one."""
        return self.rows(sql, values)[0]

    def arrays(self, sql: str, values: Sequence[Any] = ()) -> dict[str, Any]:
        """Return the columns of a query as arrays: fast for lists of numbers."""
        columns: dict[str, Any] = self._db.execute(sql, list(values)).fetchnumpy()
        return columns

    def frame(self, sql: str, values: Sequence[Any] = ()) -> pd.DataFrame:
        """Return a query as a DataFrame, on a read-only transaction."""
        cursor = self._db.cursor()
        try:
            return self._read(cursor, sql, values)
        finally:
            cursor.close()

    @staticmethod
    def _read(
        cursor: duckdb.DuckDBPyConnection, sql: str, values: Sequence[Any]
    ) -> pd.DataFrame:
        cursor.execute("BEGIN TRANSACTION READ ONLY")
        try:
            with warnings.catch_warnings():
                # duckdb 2.0 drops a column in place, which pandas 3.1 deprecates.
                warnings.simplefilter("ignore", pd.errors.Pandas4Warning)
                return cursor.execute(sql, list(values)).df()
        finally:
            cursor.execute("ROLLBACK")

    def statements(self, sql: str) -> list[duckdb.Statement]:
        """Take a text of SQL apart without running it."""
        return list(self._db.extract_statements(sql))

    def run(self, sql: str) -> None:
        """Run a script of statements without values (migrations)."""
        self._db.execute(sql).fetchall()

    def update(self, sql: str, values: Sequence[Any] = ()) -> None:
        """Change rows in place (retire them, finish a run)."""
        self.refuse_read_only()
        self._wrote = True
        self.rows(sql, values)

    def insert(
        self, table: str, types: dict[str, str], rows: Sequence[Sequence[Any]]
    ) -> None:
        """Append rows in one statement, stamped with the commit number.

        `table` and `types` (column to SQL type, ``"us"`` for a UTC time given in
        microseconds) are written in the source of this package, never by a user.
        """
        self._write("INSERT INTO", table, types, rows)

    def insert_arrays(self, table: str, columns: dict[str, Sequence[Any]]) -> None:
        """Append rows whose cells may be arrays: much faster than bound lists.

        No array may hold NaN: DuckDB would take it for NULL.
        """
        if not next(iter(columns.values())):
            return
        names = ", ".join(columns)
        self.insert_from(
            f"INSERT INTO {table} ({names}, commit_no) SELECT {names}, ? FROM incoming",
            {"incoming": pd.DataFrame(columns)},
        )

    def insert_from(self, sql: str, frames: dict[str, pd.DataFrame]) -> None:
        """Append rows that a statement makes of frames; its one value is the commit.

        `sql` and the frames' names are written in the source of this package.
        """
        self._wrote = True
        for name, frame in frames.items():
            self._db.register(name, frame)
        try:
            self.rows(sql, [self.commit_no])
        finally:
            for name in frames:
                # After an error the rollback takes the frames' views away.
                with suppress(duckdb.TransactionException):
                    self._db.unregister(name)

    def replace(
        self, table: str, types: dict[str, str], rows: Sequence[Sequence[Any]]
    ) -> None:
        """Like :meth:`insert`; a row of the same primary key is replaced."""
        self._write("INSERT OR REPLACE INTO", table, types, rows)

    def _write(
        self,
        verb: str,
        table: str,
        types: dict[str, str],
        rows: Sequence[Sequence[Any]],
    ) -> None:
        if not rows:
            return
        self.refuse_read_only()
        columns = ", ".join(types)
        # A single row is bound as it is: unnest would cost twice the time.
        one = len(rows) == 1
        cells = [
            ("?::BIGINT" if kind == "us" else "?")
            if one
            else f"unnest(?::{'BIGINT' if kind == 'us' else kind}[])"
            for kind in types.values()
        ]
        picked = ", ".join(
            f"make_timestamptz({cell})" if kind == "us" else cell
            for cell, kind in zip(cells, types.values(), strict=True)
        )
        self._wrote = True
        values = list(rows[0]) if one else [list(c) for c in zip(*rows, strict=True)]
        source = f"VALUES ({picked}, ?)" if one else f"SELECT {picked}, ?"
        self.rows(
            f"{verb} {table} ({columns}, commit_no) {source}",
            [*values, self.commit_no],
        )

    @property
    def archive(self) -> Connection:
        """The catalogue in which matrices are frozen."""
        return self

    def cursor(self, look: Connection) -> duckdb.DuckDBPyConnection:
        """Return a second way in, which closes with this one."""
        self._looks.add(look)
        return self._db.cursor()

    @property
    def commit_no(self) -> int:
        """Number of the commit being written, or of the last one."""
        if self._commit is not None:
            return self._commit
        if self._last is None:
            # Nobody else writes while this is open: it changes with one's own commits.
            self._last = int(self.one("SELECT commit_no FROM store_meta")[0])
        return self._last

    def remembered(self, key: Hashable, ask: Callable[[], T]) -> T:
        """Return an answer that holds until the next commit; ask once.

        For rows that are asked for again and again, such as where a patient's tiles
        lie: of a catalogue that nobody has written to since, the answer is the same.
        """
        if self._commit is not None:
            return ask()
        # An erasure changes the past, too: its commit counts in every view.
        number = self.archive.commit_no
        if number != self._memory_of or len(self._memory) >= MEMORY:
            self._memory, self._memory_of = {}, number
        if key not in self._memory:
            self._memory[key] = ask()
        found: T = self._memory[key]
        return found

    @contextmanager
    def commit(self, what: str) -> Iterator[int]:
        """Write everything inside the block in one transaction, or nothing.

        A block inside another belongs to the outer one. A block that writes nothing
        takes no commit number.
        """
        self.refuse_read_only()
        if self._commit is not None:
            yield self._commit
            return
        self.rows("BEGIN TRANSACTION")
        try:
            last = self.commit_no
            self._commit = number = last + 1
            self._wrote = False
            yield number
            if self._wrote:
                # One call for two statements; the number is ours, the text is bound.
                self.rows(
                    f"UPDATE store_meta SET commit_no = {number:d}; "
                    f"INSERT INTO commit_log (commit_no, what) VALUES ({number:d}, ?)",
                    [what],
                )
            self.rows("COMMIT")
            self._last = number if self._wrote else last
            if self._wrote and self.journal is not None:
                self.journal.add(number, what)
        except BaseException as error:
            # Ctrl-C included: either the whole block is there or none of it.
            self._last = None
            self._roll_back()
            if isinstance(error, duckdb.Error) and "No space left" in str(error):
                raise _disk_full(self.path) from error
            raise
        finally:
            self._commit = None

    def _roll_back(self) -> None:
        # A COMMIT that failed, or that Ctrl-C reached too late, has ended already.
        with suppress(duckdb.TransactionException):
            self.rows("ROLLBACK")

    def checkpoint(self) -> None:
        """Write the log into the file: what is committed needs no log any more."""
        try:
            self.rows("CHECKPOINT")
        except duckdb.Error as error:
            if "No space left" in str(error):
                raise _disk_full(self.path) from error
            raise

    def refuse_read_only(self) -> None:
        """Refuse to write into a published copy."""
        if self.read_only:
            raise StoreError(
                f"{self.path} is a published copy and is read only. To write, open the "
                "store itself: FeatureStore(path), without read_only=True."
            )

    def close(self) -> None:
        """Write the log into the file and let go of the lock."""
        for look in list(self._looks):
            look.close()
        self._db.close()


def _disk_full(path: Path) -> DiskFull:
    # What is written next: the log into the file, and what waits in the inbox.
    log = path.with_name(f"{path.name}.wal")
    waiting = [log, *(path.parent / "inbox").glob("*/*")]
    needed = BLOCK + sum(file.stat().st_size for file in waiting if file.exists())
    free = shutil.disk_usage(path.parent).free
    return DiskFull(
        f"No space left for {path}: about {needed:,} bytes needed, {free:,} free. "
        "Make space and run the same command again: all that was finished is kept."
    )


def _opening_error(path: Path, error: duckdb.Error) -> StoreError:
    text = str(error)
    holder = HOLDER.search(text)
    if "could not set lock" in text.lower():
        who = (
            f"process {holder['pid']} ({holder['program']})"
            if holder
            else "another process"
        )
        return StoreBusy(
            f"{path} is open in {who}. Close that program, or wait until it ends: one "
            "process writes a store at a time."
        )
    if isinstance(error, duckdb.IOException) and "Permission denied" in text:
        return StoreError(f"{path} cannot be opened: {text}")
    return StoreDamaged(f"{path} cannot be opened: {text}")
