"""The catalogue's own file: find changed bytes without trusting what is in memory.

DuckDB writes a checksum before each block and looks at it only when it reads the
block from disk. Here every block is looked at, whether it is cached, used or free,
with the same sum (an exclusive or of each 8-byte word times an odd constant, so that
no change of one word can hide).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from sarcfeat.store.connection import CONFIG

__all__ = ["Damage", "damage_in", "damaged_blocks"]

HEADER, BLOCK, GROUP = 4096, 262_144, 122_880
FACTOR, SEED = np.uint64(0xBF58476D1CE4E5B9), 5381
OF_UNIT = (
    "SELECT DISTINCT coalesce(k.patient_id, s.patient_id) FROM {table} t "
    "LEFT JOIN unit u ON u.unit_id = t.unit_id "
    "LEFT JOIN mask k ON k.mask_id = u.mask_id "
    "LEFT JOIN slide s ON s.slide_id = u.image_id "
    "WHERE t.rowid BETWEEN ? AND ?"
)
SIZES = (
    "SELECT s.n FROM feature_vector t JOIN feature_set s USING (feature_set_id) "
    "WHERE t.rowid BETWEEN ? AND ? ORDER BY t.rowid"
)
OF_PATIENT = "SELECT DISTINCT patient_id FROM {table} WHERE rowid BETWEEN ? AND ?"


@dataclass(frozen=True)
class Damage:
    """A stretch of a catalogue that is no longer as it was written."""

    patient: str | None
    reason: str


def _holds(block: bytes) -> bool:
    told = int.from_bytes(block[:8], "little")
    words = np.frombuffer(block, "<u8", offset=8)
    return told == int(np.bitwise_xor.reduce(words * FACTOR)) ^ SEED


def damaged_blocks(path: Path) -> list[int]:
    """Return the numbers of the blocks whose bytes have changed.

    The three headers are -3, -2 and -1; what is left of a torn last block counts.
    """
    bad = []
    with open(path, "rb") as file:
        bad += [i - 3 for i in range(3) if not _whole(file.read(HEADER), HEADER)]
        number = 0
        while block := file.read(BLOCK):
            if not _whole(block, BLOCK):
                bad.append(number)
            number += 1
    return bad


def _whole(block: bytes, size: int) -> bool:
    return len(block) == size and _holds(block)


def damage_in(path: Path, commit_no: int = 0) -> list[Damage]:
    """Say what the changed bytes of a catalogue hold, and whose it is.

    A damaged catalogue is looked into as a copy: DuckDB shuts down a database at the
    first bad block that it reads. Catalogue and log must reach `commit_no`: DuckDB
    takes a log with a changed length for one that ends there, without a word.
    """
    bad = damaged_blocks(path)
    log = path.with_name(f"{path.name}.wal")
    if not bad and not log.exists():
        return []
    home = path.parent if os.access(path.parent, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix=".verify-", dir=home) as folder:
        copy = Path(folder) / "copy.duckdb"
        shutil.copyfile(path, copy)
        if log.exists():
            shutil.copyfile(log, f"{copy}.wal")
        return _look_into(copy, path, bad, commit_no)


def _look_into(copy: Path, path: Path, bad: list[int], commit_no: int) -> list[Damage]:
    try:
        tables = _ask(copy, "SELECT table_name FROM duckdb_tables() ORDER BY ALL")
        if not bad:
            return _cut_short(copy, path, commit_no)
    except duckdb.Error as error:
        text = str(error).splitlines()[0]
        return [Damage(None, f"{path} cannot be opened from disk: {text}")]
    found: list[Damage] = []
    told: set[int] = set()
    for (table,) in tables:
        for first, last, column, block in _stretches(copy, table, set(bad)):
            told.add(block)
            reason = f"{path}, block {block}: {table}.{column} has changed bytes"
            found += [
                Damage(patient, f"{reason} (patient {patient})" if patient else reason)
                for patient in _whose(copy, table, first, last)
            ]
    for block in bad:
        if block not in told:
            place = "a header" if block < 0 else f"block {block}"
            reason = (
                f"{path}: {place} has changed bytes; it holds no values of a patient "
                "(an index, the table of contents or free space)"
            )
            found.append(Damage(None, reason))
    return list(dict.fromkeys(found))


def _cut_short(copy: Path, path: Path, commit_no: int) -> list[Damage]:
    if not commit_no:
        return []
    ((last,),) = _ask(copy, "SELECT commit_no FROM store_meta")
    if last >= commit_no:
        return []
    reason = (
        f"{path}.wal has changed bytes or is cut short: it can be replayed up to "
        f"commit {last} of {commit_no}. Close the store with this process, which "
        "still has them all and writes them into the catalogue"
    )
    return [Damage(None, reason)]


def _ask(copy: Path, sql: str, values: list[Any] | None = None) -> list[Any]:
    """Ask the copy once; each question opens it anew, since one may end it."""
    db = duckdb.connect(str(copy), config=CONFIG)
    try:
        return db.execute(sql, values or []).fetchall()
    finally:
        db.close()


def _stretches(
    copy: Path, table: str, bad: set[int]
) -> Iterator[tuple[int, int, str, int]]:
    """Yield first row, last row, column and block of what lies in a bad block."""
    try:
        segments = _ask(
            copy,
            "SELECT row_group_id, column_name, column_path, start, count, block_id, "
            "additional_block_ids FROM pragma_storage_info(?)",
            [table],
        )
    except duckdb.Error:
        # The table's own contents page is gone: everything in it may be.
        yield 0, 2**62, "*", min(bad)
        return
    base: dict[tuple[int, str], int] = {}
    for group, column, path, start, count, block, more in segments:
        offset = base.setdefault((group, path), start)
        hit = bad & {block, *(more or [])}
        if not hit:
            continue
        first, last = start - offset, start - offset + count - 1
        # [column, 1, …] counts the elements of lists; [column] and [column, 0] rows.
        steps = path.strip("[]").split(", ")
        if len(steps) > 1 and steps[1] != "0":
            first, last = _rows_of_elements(copy, table, group, first, last)
        yield group * GROUP + first, group * GROUP + last, column, min(hit)


def _rows_of_elements(
    copy: Path, table: str, group: int, first: int, last: int
) -> tuple[int, int]:
    """Return the rows whose lists hold some elements; all rows where unknown."""
    if table != "feature_vector":
        return 0, GROUP - 1
    try:
        # Not len(v): DuckDB would read the lists themselves, which are damaged.
        sizes = _ask(copy, SIZES, [group * GROUP, (group + 1) * GROUP - 1])
    except duckdb.Error:
        return 0, GROUP - 1
    ends = np.cumsum([size for (size,) in sizes])
    low, high = np.searchsorted(ends, [first, last], side="right")
    return int(low), int(high)


def _whose(copy: Path, table: str, first: int, last: int) -> list[str | None]:
    """Return the patients of some rows; None where that cannot be told."""
    try:
        columns = {
            row[0]
            for row in _ask(
                copy,
                "SELECT column_name FROM duckdb_columns() WHERE table_name = ?",
                [table],
            )
        }
        if "patient_id" in columns:
            sql = OF_PATIENT
        elif "unit_id" in columns:
            sql = OF_UNIT
        else:
            return [None]
        rows = _ask(copy, sql.format(table=f'"{table}"'), [first, last])
    except duckdb.Error:
        return [None]
    return [row[0] for row in rows] or [None]
