"""Images and masks of whatever kind: DICOM is brought into the store as volumes."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from sarcfeat._validation import listed
from sarcfeat.exceptions import IdentifiableFace, SarcfeatError
from sarcfeat.io import load_salt
from sarcfeat.io.isolation import isolated
from sarcfeat.io.plain_dicom import is_dicom
from sarcfeat.store.connection import Connection
from sarcfeat.store.consent import erased_among
from sarcfeat.store.derived_masks import Drawn, Making, on_images, propagated
from sarcfeat.store.dicom_volumes import (
    FOLDER,
    convert_folder,
    keep_headers,
    own_id,
)
from sarcfeat.store.files import FAILURE_COLUMNS, Report, known_looks, write_refusals
from sarcfeat.store.handle import Table
from sarcfeat.store.images import Images
from sarcfeat.store.intake import add_files
from sarcfeat.store.progress import progress_bar
from sarcfeat.store.sources import Slot, Source, find_slots
from sarcfeat.store.times import to_microseconds

__all__ = ["Ways", "add_any"]


@dataclass(frozen=True)
class Ways:
    """How files that are no volumes on their image's grid are brought there."""

    store: Path
    salt: str | os.PathLike[str] | None = None
    roi: str | None = None
    gaps: str = "refuse"
    resample: bool = False
    propagate_to: tuple[str, ...] = ()


@dataclass
class _Sum:
    """Reports of several steps, as one."""

    reports: list[Report] = field(default_factory=list)
    failures: list[list[Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def fail(self, db: Connection, slot: Slot, error: SarcfeatError) -> None:
        """Keep why a file could not be brought in; the store keeps no path of it."""
        name, text = type(error).__name__, str(error)
        reading = f", reader {slot.reader}" if slot.reader else ""
        who = f"Patient {slot.patient}, {slot.phase}{reading}"
        told = text if slot.path in text else f"{text} ({slot.path})"
        row = [slot.patient, slot.phase, slot.reader, slot.session]
        self.failures.append([*row, slot.path, name, f"{who}: {told}"])
        kept = f"{who}: {text.replace(slot.path, 'the source')}"
        write_refusals(db, slot.what, [[*row, "the source", name, kept]])

    def report(self) -> Report:
        """Return one report; a failure that a later step cured is left out."""
        cured = {place for one in self.reports[1:] for place in one.places}
        cured |= {tuple(row[:4]) for row in self.failures}
        rows = [
            row
            for one in self.reports
            for row in one.failures.to_numpy().tolist()
            if tuple(row[:4]) not in cured
        ]
        rows += self.failures
        notes = [note for one in self.reports for note in one.notes] + self.notes
        return Report(
            ok=sum(one.ok for one in self.reports),
            failed=len(rows),
            read=sum(one.read for one in self.reports),
            failures=pd.DataFrame(rows, columns=FAILURE_COLUMNS),
            notes=tuple(dict.fromkeys(notes)),
        )


def add_any(
    db: Connection,
    data: Table,
    source: Source,
    pattern: str | None,
    ways: Ways,
    *,
    progress: bool,
    rehash: bool,
) -> Report:
    """Add the files of a source; folders of slices and contours become volumes."""
    named = find_slots(data, pattern, source)
    gone = erased_among(db, {slot.patient for slot in named})
    dicom = [s for s in named if s.refused is None and _is_dicom(s)]
    converted = {slot.key for slot in dicom}
    plain = [slot for slot in named if slot.key not in converted]
    options: dict[str, Any] = {"progress": progress, "rehash": rehash}
    done = _Sum()
    if plain or not dicom:
        slots = plain if dicom else named
        done.reports.append(
            add_files(db, data, source, pattern, slots=slots, **options)
        )
    dicom = [slot for slot in dicom if slot.patient not in gone]
    if source.what == "image":
        _add_series(db, dicom, source, ways, done, options)
    else:
        _add_masks(db, plain, dicom, source, ways, done, options)
    return done.report()


def _is_dicom(slot: Slot) -> bool:
    if os.path.isdir(slot.path):
        return True
    if slot.what == "image" or not os.path.isfile(slot.path):
        return False
    return slot.path.lower().endswith(".dcm") or is_dicom(slot.path)


def _add_series(
    db: Connection,
    slots: Sequence[Slot],
    source: Source,
    ways: Ways,
    done: _Sum,
    options: dict[str, Any],
) -> None:
    """De-identify each folder's series under the id that the source gives it."""
    if not slots:
        return
    key = load_salt(ways.salt, store=ways.store)
    made, headers = [], {}
    label = "De-identifying series"
    with progress_bar(label, len(slots), show=options["progress"]) as bar:
        for slot in slots:
            try:
                root = ways.store / FOLDER
                who = own_id(slot.patient)
                got = isolated(convert_folder, slot.path, key, who, slot.phase, root)
            except SarcfeatError as error:
                done.fail(db, slot, error)
                bar.step(False)
                continue
            bar.step(True)
            done.notes += [*got.faces, *got.notes]
            for text in got.faces:
                warnings.warn(text, IdentifiableFace, stacklevel=6)
            headers[got.path] = got.header
            date = slot.acquired_at
            if date is None and got.day:
                days = pd.Series([got.day], index=[slot.patient])
                date = to_microseconds(days, "acquired_at")[0]
            made.append(replace(slot, path=got.path, kind=got.kind, acquired_at=date))
    done.reports.append(add_files(db, None, source, None, slots=made, **options))
    with db.commit("headers of series"):
        keep_headers(db, headers)


def _add_masks(
    db: Connection,
    plain: Sequence[Slot],
    dicom: Sequence[Slot],
    source: Source,
    ways: Ways,
    done: _Sum,
    options: dict[str, Any],
) -> None:
    images = Images(db)
    how = Making(ways.store, _key(images, dicom, ways), ways.roi, ways.gaps)
    made, failed = on_images(dicom, images, how)
    if ways.resample:
        off = _off_grid(db, plain)
        again, worse = on_images(off, images, replace(how, resample=True))
        made, failed = [*made, *again], [*failed, *worse]
    if made:
        done.reports.append(_take(db, made, source, done, options))
    looks = known_looks(db, "mask")
    usable = [s for s in plain if s.key in looks and looks[s.key].ok]
    sources = [*usable, *(one.source for one in made)]
    if ways.propagate_to:
        to = replace(how, propagate_to=ways.propagate_to)
        moved, worse, absent = propagated(sources, images, _drawn(db, ways.store), to)
        failed += worse
        if moved:
            done.reports.append(_take(db, moved, source, done, options))
        if absent:
            done.notes.append(f"no image to propagate a mask to: {listed(absent)}")
    for slot, error in failed:
        done.fail(db, slot, error)


def _take(
    db: Connection,
    made: Sequence[Drawn],
    source: Source,
    done: _Sum,
    options: dict[str, Any],
) -> Report:
    for one in made:
        reading = f"{one.slot.patient} {one.slot.phase}, reader {one.slot.reader}"
        if one.slot.phase != one.source.phase:
            done.notes.append(f"{reading}: propagated from {one.source.phase}")
        done.notes += [f"{reading}: {note}" for note in one.notes]
    slots = [one.slot for one in made]
    return add_files(db, None, source, None, slots=slots, **options)


def _key(images: Images, slots: Sequence[Slot], ways: Ways) -> bytes | None:
    """Return the secret, where an image's frame of reference is known by its hash."""
    for slot in slots:
        if any(image.frame for image in images.of(slot.patient, slot.phase)):
            return load_salt(ways.salt, store=ways.store)
    return None


def _off_grid(db: Connection, slots: Sequence[Slot]) -> list[Slot]:
    looks = known_looks(db, "mask")
    return [
        slot
        for slot in slots
        if slot.key in looks and looks[slot.key].error_code == "GeometryMismatch"
    ]


def _drawn(db: Connection, store: Path) -> set[tuple[Any, ...]]:
    """Return the places of masks that were drawn there, not propagated."""
    home = os.path.join(os.path.abspath(store / FOLDER), "")
    return {
        (s.patient, s.phase, s.reader, s.session or 1, s.label or 1, s.lesion)
        for look in known_looks(db, "mask").values()
        if look.ok and not (s := look.slot).path.startswith(home)
    }
