"""Files that were moved: the catalogue follows once their bytes prove the same."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from sarcfeat.exceptions import InputMissing
from sarcfeat.store.connection import Connection
from sarcfeat.store.files import known_looks, stat_of
from sarcfeat.store.identity import file_sha256
from sarcfeat.store.slides import slide_sha256

__all__ = ["Relocation", "relocate"]

COLUMNS = ["patient", "what", "file", "code", "reason"]
HELD = {
    "image": "SELECT uri, file_sha256, patient_id, retired_no IS NULL FROM image",
    "mask": "SELECT uri, file_sha256, patient_id, retired_no IS NULL FROM mask",
    "slide": "SELECT uri, file_sha256, patient_id, retired_no IS NULL FROM slide",
    "annotation": (
        "SELECT uri, file_sha256, patient_id, retired_no IS NULL FROM annotation"
    ),
    "embedding_file": (
        "SELECT e.uri, e.checksum, s.patient_id, u.retired_no IS NULL "
        "FROM embedding_file e JOIN unit u USING (unit_id) "
        "JOIN slide s ON s.slide_id = u.image_id"
    ),
}


@dataclass(frozen=True)
class Relocation:
    """What ``store.relocate`` did.

    Attributes
    ----------
    moved : int
        Files that the catalogue now finds in their new place.
    failures : DataFrame
        Columns patient, what, file, code, reason: files that are not there, or are
        not the same.
    """

    moved: int
    failures: pd.DataFrame

    def __str__(self) -> str:
        """Return one sentence, and one line for each failure."""
        lines = [f"{self.moved} files found in their new place, "]
        lines[0] += f"{len(self.failures)} not"
        lines += [f"  {row.code}: {row.reason}" for row in self.failures.itertuples()]
        return "\n".join(lines)


@dataclass
class _Moves:
    old: str
    new: str
    same: dict[tuple[str, str], str] = field(default_factory=dict)

    def target(self, path: str | None) -> str | None:
        """Return the new place of a path, if it lies in the old one."""
        if path == self.old:
            return self.new
        if path is not None and path.startswith(self.old + os.sep):
            return self.new + path[len(self.old) :]
        return None

    def state(self, path: str, sha256: str, what: str = "") -> str:
        """Return ok, missing_file or changed_bytes; each file is read once."""
        key = (path, sha256)
        if key not in self.same:
            if not os.path.isfile(path):
                self.same[key] = "missing_file"
            else:
                hashed = slide_sha256 if what == "slide" else file_sha256
                fits = hashed(path) == sha256
                self.same[key] = "ok" if fits else "changed_bytes"
        return self.same[key]


def relocate(db: Connection, old: str, new: str) -> Relocation:
    """Follow files from an old place (a folder or one file) to a new one."""
    moves = _Moves(os.path.abspath(old), os.path.abspath(new))
    if not os.path.exists(moves.new):
        raise InputMissing(f"No file or folder {moves.new}. Correct the path.")
    failures: dict[tuple[Any, ...], list[Any]] = {}
    moved: set[str] = set()
    with db.commit("relocate files"):
        for table, sql in HELD.items():
            for path, sha256, patient, live in db.rows(f"{sql} ORDER BY ALL"):
                target = moves.target(path)
                if target is None:
                    continue
                state = moves.state(target, sha256, table)
                if state == "ok":
                    moved.add(target)
                    _move(db, table, path, target, sha256)
                elif live:
                    failures[table, path] = _failure(
                        patient, table, path, target, state
                    )
        _looks(db, moves)
        for source, root in db.rows("SELECT source_id, root FROM source"):
            if (there := moves.target(root)) is not None:
                db.update(
                    "UPDATE source SET root = ? WHERE source_id = ?", [there, source]
                )
    return Relocation(
        len(moved), pd.DataFrame(list(failures.values()), columns=COLUMNS, dtype=object)
    )


def _move(db: Connection, table: str, path: str, target: str, sha256: str) -> None:
    if table == "embedding_file":
        db.update(
            "UPDATE embedding_file SET uri = ?, mtime_ns = ? WHERE uri = ? "
            "AND checksum = ?",
            [target, stat_of(target)[1], path, sha256],
        )
        return
    # The table's name is one of this module's own.
    db.update(
        f"UPDATE {table} SET uri = ? WHERE uri = ? AND file_sha256 = ?",
        [target, path, sha256],
    )


def _failure(patient: str, table: str, path: str, target: str, state: str) -> list[Any]:
    what = {"embedding_file": "bag"}.get(table, table)
    why = "is not there" if state == "missing_file" else "is not the same file"
    reason = f"Patient {patient}: {what} {Path(path).name}: {target} {why}"
    return [patient, what, target, state, reason]


def _looks(db: Connection, moves: _Moves) -> None:
    """Follow the last look at each file; a failing one is looked at anew."""
    for what in ("image", "mask", "slide", "annotation"):
        for key, look in known_looks(db, what).items():
            target = moves.target(look.slot.path)
            if target is None or not os.path.isfile(target):
                continue
            if look.ok and moves.state(target, look.sha256 or "") != "ok":
                continue
            slot = replace(look.slot, path=target)
            size, mtime = stat_of(target) if look.ok else (None, None)
            db.update("DELETE FROM file WHERE slot = ?", [slot.key])
            db.update(
                "UPDATE file SET slot = ?, path = ?, size = ?, mtime_ns = ? "
                "WHERE slot = ?",
                [slot.key, target, size, mtime, key],
            )
