"""The last look at each file: what is unchanged is never read again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import pandas as pd

from sarcfeat.exceptions import (
    InputMissing,
    MissingDependency,
    SarcfeatError,
    WorkerDied,
    WorkerTimedOut,
)
from sarcfeat.io.isolation import isolated
from sarcfeat.io.volume import check_readable
from sarcfeat.store.connection import Connection
from sarcfeat.store.identity import digest, file_sha256
from sarcfeat.store.sources import Slot

__all__ = [
    "FAILURE_COLUMNS",
    "Look",
    "Parsed",
    "Report",
    "forget",
    "known_looks",
    "look_at",
    "report_of",
    "stat_of",
    "write_looks",
    "write_refusals",
]

FAILURE_COLUMNS = ["patient", "sequence", "reader", "session", "file", "code", "reason"]
FILE = {
    "slot": "VARCHAR",
    "what": "VARCHAR",
    "patient_id": "VARCHAR",
    "phase": "VARCHAR",
    "reader": "VARCHAR",
    "session": "SMALLINT",
    "label": "INTEGER",
    "lesion": "VARCHAR",
    "kind": "VARCHAR",
    "acquired_at": "us",
    "path": "VARCHAR",
    "size": "BIGINT",
    "mtime_ns": "BIGINT",
    "sha256": "VARCHAR",
    "content_id": "VARCHAR",
    "on_image": "VARCHAR",
    "error_code": "VARCHAR",
    "error_text": "VARCHAR",
}
ATTEMPT = {
    "attempt_id": "VARCHAR",
    "step": "VARCHAR",
    "patient_id": "VARCHAR",
    "phase": "VARCHAR",
    "reader": "VARCHAR",
    "session": "SMALLINT",
    "path": "VARCHAR",
    "image_id": "VARCHAR",
    "mask_id": "VARCHAR",
    "status": "VARCHAR",
    "error_code": "VARCHAR",
    "error_text": "VARCHAR",
}


@dataclass(frozen=True)
class Report:
    """What ``add_images``, ``add_masks`` or ``add_slides`` did.

    Attributes
    ----------
    ok : int
        Files that can be used.
    failed : int
        Files that cannot; each is a row of `failures`.
    read : int
        Files that were opened; the others had not changed.
    failures : DataFrame
        Columns patient, sequence, reader, session, file, code, reason.
    notes : tuple of str
        What is allowed and worth knowing.
    places : tuple of tuple
        Patient, sequence, reader and session of the files that can be used.
    """

    ok: int
    failed: int
    read: int
    failures: pd.DataFrame
    notes: tuple[str, ...] = field(default=())
    places: tuple[tuple[Any, ...], ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        """Return one sentence, and one line for each failure and note."""
        lines = [f"{self.ok} files ok ({self.read} read), {self.failed} failed"]
        lines += [f"  {row.reason}" for row in self.failures.itertuples()]
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])


class Parsed(NamedTuple):
    """A file that was read: its bytes, its content, the image a mask lies on."""

    sha256: str
    content: str
    on_image: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Look:
    """What was found at a slot: the file's identity or the reason there is none."""

    slot: Slot
    size: int | None = None
    mtime_ns: int | None = None
    sha256: str | None = None
    content_id: str | None = None
    on_image: str | None = None
    error_code: str | None = None
    error_text: str | None = None
    notes: tuple[str, ...] = field(default=(), compare=False)

    @property
    def ok(self) -> bool:
        """Whether the file can be used."""
        return self.error_code is None

    def failure(self) -> list[Any]:
        """Return the row that a report shows."""
        s = self.slot
        return [
            s.patient,
            s.phase,
            s.reader,
            s.session,
            s.path,
            self.error_code,
            self.error_text,
        ]


def report_of(
    looks: Sequence[Look], refused: Sequence[Sequence[Any]], read: int, notes: list[str]
) -> Report:
    """Sum up the looks at the files of a source, and what was refused unread."""
    bad = [*(look.failure() for look in looks if not look.ok), *refused]
    good = [look.slot for look in looks if look.ok]
    return Report(
        ok=len(good),
        failed=len(bad),
        read=read,
        failures=pd.DataFrame(bad, columns=FAILURE_COLUMNS),
        notes=tuple(notes),
        places=tuple((s.patient, s.phase, s.reader, s.session) for s in good),
    )


def stat_of(path: str) -> tuple[int | None, int | None]:
    """Return size (bytes) and time of change (ns); (None, None) without a file."""
    try:
        found = os.stat(path)
    except OSError:
        return None, None
    return found.st_size, found.st_mtime_ns


def known_looks(db: Connection, what: str) -> dict[str, Look]:
    """Return the last look at each file, by slot."""
    rows = db.rows(
        "SELECT slot, what, patient_id, phase, path, reader, session, label, lesion, "
        "kind, epoch_us(acquired_at), size, mtime_ns, sha256, content_id, on_image, "
        "error_code, error_text FROM file WHERE what = ? ORDER BY patient_id, phase, "
        "reader, session, path",
        [what],
    )
    return {row[0]: Look(Slot(*row[1:11]), *row[11:]) for row in rows}


def look_at(
    slot: Slot,
    before: Look | None,
    parse: Callable[[Slot, str], Parsed],
    on_image: str | None,
) -> tuple[Look, bool]:
    """Look at one file again; return what is there and whether it was parsed.

    A file whose bytes are as before is not parsed. `parse` takes the slot and the
    file's hash; what it raises becomes the reason why the file cannot be used. Hashing
    and parsing are done in a worker process, which may hang or die.
    """
    size, mtime = stat_of(slot.path)
    sha256 = None
    try:
        check_readable(slot.path)
        sha256 = isolated(file_sha256, slot.path)
        if before is not None and before.ok and before.sha256 == sha256:
            return replace(before, size=size, mtime_ns=mtime), False
        found = parse(slot, sha256)
    except MissingDependency:
        # Nothing is wrong with the file: no file of the cohort could be read.
        raise
    except (SarcfeatError, OSError) as error:
        text = f"{_who(slot)}: {error}"
        if isinstance(error, WorkerDied | WorkerTimedOut):
            text += f", on {slot.path}. Copy the file again from its source."
        failed = Look(slot, size, mtime, sha256, None, on_image, _code(error), text)
        return failed, True
    seen = Look(slot, size, mtime, found.sha256, found.content, found.on_image)
    return replace(seen, notes=found.notes), True


def _code(error: BaseException) -> str:
    if isinstance(error, FileNotFoundError):
        return InputMissing.__name__
    return type(error).__name__


def _who(slot: Slot) -> str:
    if slot.what in ("slide", "annotation"):
        return f"Patient {slot.patient}, slide {slot.phase}"
    reading = f", reader {slot.reader}" if slot.reader else ""
    return f"Patient {slot.patient}, {slot.phase}{reading}"


def write_looks(db: Connection, looks: Iterable[Look]) -> None:
    """Keep the looks, and one attempt row for each."""
    looks = list(looks)
    db.replace("file", FILE, [_file_row(look) for look in looks])
    db.insert("attempt", ATTEMPT, [_attempt_row(db, look) for look in looks])


def write_refusals(db: Connection, what: str, failures: Iterable[list[Any]]) -> None:
    """Keep why files were refused before they were looked at."""
    rows = []
    for patient, phase, reader, session, path, error, text in failures:
        key = digest("attempt", path, text, patient, phase, reader, db.commit_no)
        head = [key, what, patient, phase, reader, session, path]
        rows.append([*head, None, None, "failed", error, text])
    if rows:
        with db.commit(f"refused {what}s"):
            db.insert("attempt", ATTEMPT, rows)


def forget(db: Connection, slots: Iterable[str]) -> None:
    """Drop looks at places that no source names any more."""
    keys = list(slots)
    if keys:
        db.update("DELETE FROM file WHERE list_contains(?::VARCHAR[], slot)", [keys])


def _file_row(look: Look) -> list[Any]:
    s = look.slot
    return [
        s.key,
        s.what,
        s.patient,
        s.phase,
        s.reader,
        s.session,
        s.label,
        s.lesion,
        s.kind,
        s.acquired_at,
        s.path,
        look.size,
        look.mtime_ns,
        look.sha256,
        look.content_id,
        look.on_image,
        look.error_code,
        look.error_text,
    ]


def _attempt_row(db: Connection, look: Look) -> list[Any]:
    s = look.slot
    image = look.content_id if s.what == "image" else look.on_image
    return [
        digest("attempt", s.key, db.commit_no),
        s.what,
        s.patient,
        s.phase,
        s.reader,
        s.session,
        s.path,
        image,
        look.content_id if s.what == "mask" else None,
        "ok" if look.ok else "failed",
        look.error_code,
        look.error_text,
    ]
