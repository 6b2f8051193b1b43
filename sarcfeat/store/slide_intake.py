"""From slides on disk to rows: add what a source names, refresh what has changed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from os import PathLike
from typing import Protocol

import pandas as pd

from sarcfeat._validation import listed
from sarcfeat.exceptions import AmbiguousImage
from sarcfeat.store.annotations import Annotations
from sarcfeat.store.connection import Connection
from sarcfeat.store.consent import erased_among
from sarcfeat.store.files import (
    Look,
    Parsed,
    Report,
    forget,
    known_looks,
    look_at,
    report_of,
    stat_of,
    write_looks,
    write_refusals,
)
from sarcfeat.store.intake import (
    forget_stale,
    keep_source,
    refusal,
    register_patients,
)
from sarcfeat.store.progress import progress_bar
from sarcfeat.store.slide_sources import Place
from sarcfeat.store.slides import Slides
from sarcfeat.store.sources import Slot, Source

__all__ = ["add_slide_files", "refresh_slides", "slots_of"]

BATCH = 16


class Home(Protocol):
    """What turns a file into rows."""

    def parse(self, slot: Slot, sha256: str) -> Parsed:
        """Read a file and make what it holds the current thing at its place."""
        ...

    def drop(self, slot: Slot) -> None:
        """Retire what a file no longer holds."""
        ...


def slots_of(
    places: Sequence[Place], what: str, kind: str | float | None
) -> list[Slot]:
    """Return where files are looked for, as the catalogue writes it down."""
    return [
        Slot(
            what,
            place.patient,
            place.slide,
            place.path,
            kind=_kind(place, what, kind),
            acquired_at=place.acquired_at,
            refused=place.refused,
        )
        for place in places
    ]


def _kind(place: Place, what: str, kind: str | float | None) -> str | None:
    """Return the resolution given for a slide, or how an annotation is read."""
    if what == "slide" and place.mpp is not None:
        kind = place.mpp
    return None if kind is None else str(kind)


def add_slide_files(
    db: Connection,
    slots: Sequence[Slot],
    *,
    root: str | PathLike[str] | pd.DataFrame,
    pattern: str | None,
    what: str,
    progress: bool = True,
    rehash: bool = False,
) -> Report:
    """Read every new or changed file; a bad one stops no other."""
    gone = erased_among(db, {slot.patient for slot in slots})
    kept = [slot for slot in slots if slot.patient not in gone]
    refused = [refusal(slot) for slot in kept if slot.refused is not None]
    named = [slot for slot in kept if slot.refused is None]
    folder = os.path.abspath(root) if isinstance(root, str | PathLike) else None
    source = Source(what)
    strangers = register_patients(db, named)
    keep_source(db, source, folder, pattern)
    moved = _move(db, named) if what == "slide" else []
    looks, read = _ingest(db, named, f"Reading {what}s", show=progress, rehash=rehash)
    forget_stale(db, source, looks, folder)
    write_refusals(db, what, refused)
    notes = [] if named else ["the source names no file"]
    if strangers:
        notes.append(
            f"{len(strangers)} patients have {what}s and no clinical row: "
            f"{listed(strangers)}"
        )
    if gone:
        notes.append(f"left out, erased from this store: {listed(gone)}")
    notes += [*moved, *_of_two_patients(db)]
    for look in looks:
        s = look.slot
        notes += [f"{s.patient}, slide {s.phase}: {note}" for note in look.notes]
    return report_of(looks, refused, read, notes)


def refresh_slides(db: Connection, *, progress: bool = True) -> int:
    """Look again at the files that changed since; return how many were read."""
    slots = []
    for what in ("slide", "annotation"):
        for look in known_looks(db, what).values():
            size, _ = stat_of(look.slot.path)
            # A file that is gone is judged when its work is to be done, not before.
            if size is not None or not look.ok:
                slots.append(look.slot)
    return _ingest(db, slots, "Reading changed slides", show=progress, rehash=False)[1]


def _ingest(
    db: Connection, slots: Sequence[Slot], label: str, *, show: bool, rehash: bool
) -> tuple[list[Look], int]:
    """Return a look at each slot, slides first, and how many files were parsed."""
    looks: list[Look] = []
    read = 0
    slides = Slides(db)
    homes: dict[str, Home] = {"slide": slides, "annotation": Annotations(db, slides)}
    with progress_bar(label, len(slots), show=show) as bar:
        for what, home in homes.items():
            before = known_looks(db, what)
            mine = [slot for slot in slots if slot.what == what]
            for start in range(0, len(mine), BATCH):
                with db.commit(f"read {what}s"):
                    new = []
                    for slot in mine[start : start + BATCH]:
                        old = before.get(slot.key)
                        look, parsed = _look(slot, old, home, slides, rehash=rehash)
                        if look != old:
                            new.append(look)
                        if not look.ok and look.size is not None:
                            # Another file is there now; a missing one may come back.
                            home.drop(slot)
                        looks.append(look)
                        read += parsed
                        bar.step(look.ok)
                    write_looks(db, new)
    return looks, read


def _look(
    slot: Slot, old: Look | None, home: Home, slides: Slides, *, rehash: bool
) -> tuple[Look, bool]:
    usable = old if old is not None and _still_holds(old, slot, slides) else None
    same = usable is not None and stat_of(slot.path) == (usable.size, usable.mtime_ns)
    if usable is not None and same and not rehash:
        return usable, False
    ids = slides.ids(slot)
    lies_on = ids[0] if ids and slot.what == "annotation" else None
    return look_at(slot, usable, home.parse, lies_on)


def _still_holds(old: Look, slot: Slot, slides: Slides) -> bool:
    """Whether what was found holds if the file's bytes are the same."""
    if old.slot != slot or old.error_code == AmbiguousImage.__name__:
        return False
    ids = slides.ids(slot)
    if slot.what == "slide":
        return not old.ok or old.content_id in ids
    return old.on_image == (ids[0] if ids else None)


def _move(db: Connection, slots: Sequence[Slot]) -> list[str]:
    """Retire the slides that the source now gives to another patient; say which."""
    named = {slot.key for slot in slots}
    paths = {slot.path for slot in slots}
    looks = known_looks(db, "slide").items()
    left = [k for k, look in looks if look.slot.path in paths and k not in named]
    if not left:
        return []
    with db.commit("move slides to the place that the source now names"):
        forget(db, left)
        return Slides(db).move(slots)


def _of_two_patients(db: Connection) -> list[str]:
    """Name slides that two patients have: one of them is in the wrong place."""
    rows = db.rows(
        "SELECT min(patient_id), max(patient_id), min(uri), max(uri) FROM slide "
        "WHERE retired_no IS NULL AND told IS NOT NULL GROUP BY file_sha256 "
        "HAVING count(DISTINCT patient_id) > 1 ORDER BY ALL"
    )
    return [
        f"patients {a} and {b} have the same slide, {x} and {y}: correct one of them"
        for a, b, x, y in rows
    ]
