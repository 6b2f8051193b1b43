"""From files on disk to rows: add what a source names, refresh what has changed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from os import PathLike

import pandas as pd

from sarcfeat._validation import listed
from sarcfeat.exceptions import AmbiguousImage, UntrustedFile
from sarcfeat.store.connection import Connection
from sarcfeat.store.consent import erased_among
from sarcfeat.store.expected import ExpectedPaths
from sarcfeat.store.files import (
    Look,
    Report,
    forget,
    known_looks,
    look_at,
    report_of,
    stat_of,
    write_looks,
    write_refusals,
)
from sarcfeat.store.identity import digest
from sarcfeat.store.images import Images
from sarcfeat.store.masks import Masks
from sarcfeat.store.patients import register
from sarcfeat.store.progress import Bar, progress_bar
from sarcfeat.store.sources import Slot, Source, find_slots

__all__ = [
    "add_files",
    "forget_stale",
    "keep_source",
    "refresh",
    "refusal",
    "register_patients",
]

BATCH = 64
SOURCE = {
    "source_id": "VARCHAR",
    "what": "VARCHAR",
    "root": "VARCHAR",
    "pattern": "VARCHAR",
    "reader": "VARCHAR",
    "session": "SMALLINT",
    "kind": "VARCHAR",
}


def add_files(
    db: Connection,
    data: pd.DataFrame | str | PathLike[str] | None,
    source: Source,
    pattern: str | None,
    *,
    progress: bool = True,
    rehash: bool = False,
    slots: Sequence[Slot] | None = None,
) -> Report:
    """Read every new or changed file of a source; a bad file stops no other.

    A file of the same size and time is taken as unchanged, unless `rehash`: then its
    bytes are compared. `slots` stand for the source where it was read already.
    """
    if slots is None and data is not None:
        slots = find_slots(data, pattern, source)
    named = slots or []
    gone = erased_among(db, {slot.patient for slot in named})
    kept = [slot for slot in named if slot.patient not in gone]
    refused = [refusal(slot) for slot in kept if slot.refused is not None]
    slots = [slot for slot in kept if slot.refused is None]
    root = os.path.abspath(data) if isinstance(data, str | PathLike) else None
    strangers = register_patients(db, slots)
    if data is not None:
        keep_source(db, source, root, pattern)
    moved = _move(db, slots) if source.what == "image" else []
    label = f"Reading {source.what}s"
    looks, read = _ingest(db, slots, label, show=progress, rehash=rehash)
    forget_stale(db, source, looks, root)
    write_refusals(db, source.what, refused)
    notes = _notes(db, source, strangers, len(slots))
    notes += moved
    if gone:
        notes.append(f"left out, erased from this store: {listed(gone)}")
    for look in looks:
        s = look.slot
        notes += [f"{s.patient} {s.phase}: {note}" for note in look.notes]
    return report_of(looks, refused, read, notes)


def refusal(slot: Slot) -> list[object]:
    """Return the row of a file that is not even looked at."""
    who = f"Patient {slot.patient}, {slot.phase}"
    row = [slot.patient, slot.phase, slot.reader, slot.session, slot.path]
    return [*row, UntrustedFile.__name__, f"{who}: {slot.refused}"]


def refresh(db: Connection, *, progress: bool = True) -> int:
    """Look again at the files that changed since; return how many were read."""
    slots = []
    images = known_looks(db, "image")
    for look in (*images.values(), *known_looks(db, "mask").values()):
        size, _ = stat_of(look.slot.path)
        # A file that is gone is judged when its work is to be done, not before.
        if size is not None or not look.ok:
            slots.append(look.slot)
    return _ingest(db, slots, "Reading changed files", show=progress)[1]


def _ingest(
    db: Connection,
    slots: Sequence[Slot],
    label: str,
    *,
    show: bool,
    rehash: bool = False,
) -> tuple[list[Look], int]:
    """Return a look at each slot, images first, and how many files were parsed."""
    looks: list[Look] = []
    images = Images(db)
    masks = Masks(db, images, lambda p, s: ExpectedPaths(db, "image").of(p, s))
    homes: dict[str, Images | Masks] = {"image": images, "mask": masks}
    read = 0
    with progress_bar(label, len(slots), show=show) as bar:
        for what, home in homes.items():
            before = known_looks(db, what)
            mine = [slot for slot in slots if slot.what == what]
            for start in range(0, len(mine), BATCH):
                batch = mine[start : start + BATCH]
                found, n = _ingest_batch(db, batch, before, images, home, bar, rehash)
                looks += found
                read += n
    return looks, read


def _ingest_batch(
    db: Connection,
    slots: Sequence[Slot],
    before: dict[str, Look],
    images: Images,
    home: Images | Masks,
    bar: Bar,
    rehash: bool,
) -> tuple[list[Look], int]:
    looks, new, read = [], [], 0
    with db.commit("read files"):
        for slot in slots:
            old = before.get(slot.key)
            ids = [i.image_id for i in images.of(slot.patient, slot.phase)]
            holds = old is not None and _still_holds(old, slot, ids)
            same = old is not None and holds and stat_of(slot.path) == _stat(old)
            if old is not None and same and not rehash:
                look = old
            else:
                lies_on = ids[0] if ids and slot.what == "mask" else None
                usable = old if holds else None
                look, parsed = look_at(slot, usable, home.parse, lies_on)
                if look != old:
                    new.append(look)
                if not look.ok and look.size is not None:
                    # Another file is there now; a missing one may come back.
                    home.drop(slot)
                read += parsed
            looks.append(look)
            bar.step(look.ok)
        write_looks(db, new)
    return looks, read


def _stat(look: Look) -> tuple[int | None, int | None]:
    return look.size, look.mtime_ns


def _still_holds(old: Look, slot: Slot, image_ids: list[str]) -> bool:
    """Whether what was found holds if the file's bytes are the same."""
    if old.slot != slot:
        return False
    if slot.what == "image":
        # Whether two images claim one place depends on the other one too.
        return old.error_code != AmbiguousImage.__name__
    if old.ok:
        return old.on_image in image_ids
    return old.on_image == (image_ids[0] if image_ids else None)


def register_patients(db: Connection, slots: Iterable[Slot]) -> list[str]:
    """Make the patients of files known; return those no table has named."""
    known = {row[0] for row in db.rows("SELECT patient_id FROM patient")}
    new = sorted({slot.patient for slot in slots} - known)
    with db.commit("register patients of files"):
        register(db, new)
    return new if known else []


def keep_source(
    db: Connection, source: Source, root: str | None, pattern: str | None
) -> None:
    """Write down where files are looked for."""
    row = [source.what, root, pattern, source.reader, source.session, source.kind]
    name = digest("source", *row)
    if db.rows("SELECT 1 FROM source WHERE source_id = ?", [name]):
        return
    with db.commit(f"source of {source.what}s"):
        db.insert("source", SOURCE, [[name, *row]])


def _move(db: Connection, slots: Sequence[Slot]) -> list[str]:
    """Retire the images that the source now names otherwise; say which."""
    named = {slot.key for slot in slots}
    paths = {slot.path for slot in slots}
    looks = known_looks(db, "image").items()
    left = [k for k, look in looks if look.slot.path in paths and k not in named]
    if not left:
        return []
    with db.commit("move images to the place that the source now names"):
        forget(db, left)
        return Images(db).move(slots)


def forget_stale(
    db: Connection, source: Source, looks: Sequence[Look], root: str | None
) -> None:
    """Drop failures at places that the source has since corrected."""
    named = {look.slot.key for look in looks}
    good = {_place(look.slot) for look in looks if look.ok}
    stale = []
    for key, look in known_looks(db, source.what).items():
        if look.ok or key in named:
            continue
        inside = root is not None and look.slot.path.startswith(root + os.sep)
        gone = inside and not os.path.exists(look.slot.path)
        if gone or _place(look.slot) in good:
            stale.append(key)
    with db.commit("forget corrected places"):
        forget(db, stale)


def _place(slot: Slot) -> tuple[object, ...]:
    return (
        slot.patient,
        slot.phase,
        slot.reader,
        slot.session,
        slot.label,
        slot.lesion,
    )


def _notes(db: Connection, source: Source, strangers: list[str], n: int) -> list[str]:
    notes = []
    if not n:
        notes.append("the source names no file")
    if strangers:
        notes.append(
            f"{len(strangers)} patients have files and no clinical row: "
            f"{listed(strangers)}"
        )
    if source.what == "mask":
        notes += _same_contours(db)
    return notes


def _same_contours(db: Connection) -> list[str]:
    """Name the readings that are copies of another: their ICC would be 1."""
    rows = db.rows(
        "SELECT a.patient_id, a.phase, a.reader, b.reader FROM mask a JOIN mask b ON "
        "a.image_id = b.image_id AND a.patient_id = b.patient_id AND "
        "a.voxels_hash = b.voxels_hash AND a.label = b.label AND a.reader < b.reader "
        "WHERE a.retired_no IS NULL AND b.retired_no IS NULL ORDER BY ALL"
    )
    if not rows:
        return []
    names = [f"{patient} {phase} ({a} = {b})" for patient, phase, a, b in rows]
    return [f"two readers' masks are the same, their ICC would be 1: {listed(names)}"]
