"""Slides as rows: identified by content, followed when their file is moved."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from sarcfeat.exceptions import AmbiguousImage
from sarcfeat.io import open_slide
from sarcfeat.io.isolation import isolated
from sarcfeat.store.connection import Connection
from sarcfeat.store.files import Parsed
from sarcfeat.store.identity import canonical_json, digest, file_sha256
from sarcfeat.store.slide_sources import name_of
from sarcfeat.store.sources import Slot

__all__ = ["LiveSlide", "Slides", "slide_sha256"]

SLIDE = {
    "slide_id": "VARCHAR",
    "patient_id": "VARCHAR",
    "name": "VARCHAR",
    "uri": "VARCHAR",
    "file_sha256": "VARCHAR",
    "mpp": "DOUBLE",
    "acquired_at": "us",
    "told": "JSON",
}


class SeenSlide(NamedTuple):
    """What a slide's file holds: numbers alone, no text of its header."""

    sha256: str
    told: dict[str, Any]


def slide_sha256(path: str) -> str:
    """Hash a slide's bytes; of MRXS those of the folder beside the file, too."""
    own = file_sha256(path)
    folder = Path(path).with_suffix("")
    if Path(path).suffix.lower() != ".mrxs" or not folder.is_dir():
        return own
    parts = sorted(p for p in folder.rglob("*") if p.is_file())
    held = [[p.relative_to(folder).as_posix(), file_sha256(str(p))] for p in parts]
    return hashlib.sha256(canonical_json([own, held]).encode()).hexdigest()


def inspect_slide(path: str, sha256: str, mpp: float | None) -> SeenSlide:
    """Open a slide and say how large it is; called in a worker process."""
    with open_slide(path, mpp=mpp) as slide:
        told = {
            "reader": slide.reader,
            "width": slide.dimensions[0],
            "height": slide.dimensions[1],
            "mpp": slide.mpp,
            "mpp_from": "file" if mpp is None else "given",
            "magnification": slide.magnification,
            "downsamples": [level.downsample for level in slide.levels],
        }
    folder = path.lower().endswith(".mrxs")
    return SeenSlide(slide_sha256(path) if folder else sha256, told)


@dataclass(frozen=True)
class LiveSlide:
    """A slide that is current for a patient."""

    slide_id: str
    patient: str
    name: str
    path: str
    sha256: str
    given: float | None
    mpp: float
    acquired_at: int | None = None

    def same_as(self, other: LiveSlide) -> bool:
        """Whether both have the same bytes and are read at the same resolution."""
        return (self.sha256, self.given) == (other.sha256, other.given)


class Slides:
    """The current slides of the catalogue, and the way to add to them.

    Parameters
    ----------
    db : Connection
        The open catalogue.
    """

    def __init__(self, db: Connection) -> None:
        self._db = db
        self._live: dict[str, list[LiveSlide]] = {}
        for key, patient, name, path, sha256, given, mpp, acquired in db.rows(
            "SELECT slide_id, patient_id, name, uri, file_sha256, mpp, "
            "(told ->> 'mpp')::DOUBLE, epoch_us(acquired_at) FROM slide "
            "WHERE retired_no IS NULL AND told IS NOT NULL ORDER BY patient_id, name"
        ):
            slide = LiveSlide(key, patient, name, path, sha256, given, mpp, acquired)
            self._live.setdefault(patient, []).append(slide)

    def of(self, patient: str) -> list[LiveSlide]:
        """Return the current slides of a patient."""
        return self._live.get(patient, [])

    def find(self, patient: str, name: str) -> LiveSlide | None:
        """Return the slide of a name, or the one whose file is called so."""
        live = self.of(patient)
        named = [slide for slide in live if slide.name == name]
        stems = (name, name_of(name))
        called = [slide for slide in live if name_of(slide.path) in stems]
        found = named or (called if len(called) == 1 else [])
        return found[0] if found else None

    def ids(self, slot: Slot) -> list[str]:
        """Return the slide at a slot, if there is one."""
        found = self.find(slot.patient, slot.phase)
        return [] if found is None else [found.slide_id]

    def parse(self, slot: Slot, sha256: str) -> Parsed:
        """Open a slide's file and make it the current one of its name."""
        given = float(slot.kind) if slot.kind else None
        seen = isolated(inspect_slide, slot.path, sha256, given)
        key = [slot.patient, slot.phase, seen.sha256]
        new = LiveSlide(
            slide_id=digest("slide", *key, *([] if given is None else [given])),
            patient=slot.patient,
            name=slot.phase,
            path=slot.path,
            sha256=seen.sha256,
            given=given,
            mpp=seen.told["mpp"],
            acquired_at=slot.acquired_at,
        )
        placed, notes = self._place(new, seen)
        return Parsed(sha256, placed.slide_id, None, notes)

    def _place(
        self, new: LiveSlide, seen: SeenSlide
    ) -> tuple[LiveSlide, tuple[str, ...]]:
        live = self._live.setdefault(new.patient, [])
        same = [old for old in live if old.same_as(new)]
        if same and _is_elsewhere(same[0], new):
            return same[0], (f"{new.path} is {same[0].path} again; it counts once",)
        for old in live:
            other = old not in same and (old.name == new.name)
            if other and _is_elsewhere(old, new):
                raise AmbiguousImage(
                    f"two different slides are called {new.name!r}, {old.path} and "
                    f"{new.path}. The first is kept, {new.path} is left out. Remove "
                    "one, or give each a name of its own in a manifest (column slide)."
                )
        for old in live[:]:
            if old not in same and (old.name == new.name or old.path == new.path):
                self._retire(old)
        if same:
            # Moved or renamed: the same slide, whatever was made of it stays.
            return self._follow(same[0], new), ()
        live.append(new)
        self._write(new, seen)
        return new, ()

    def _follow(self, old: LiveSlide, new: LiveSlide) -> LiveSlide:
        moved = replace(new, slide_id=old.slide_id)
        if moved != old:
            live = self._live[old.patient]
            live[live.index(old)] = moved
            self._db.update(
                "UPDATE slide SET uri = ?, name = ?, "
                "acquired_at = make_timestamptz(?::BIGINT) WHERE slide_id = ?",
                [moved.path, moved.name, moved.acquired_at, moved.slide_id],
            )
        return moved

    def _write(self, new: LiveSlide, seen: SeenSlide) -> None:
        row = [
            *(new.slide_id, new.patient, new.name, new.path, new.sha256, new.given),
            *(new.acquired_at, json.dumps(seen.told)),
        ]
        if not self._db.rows("SELECT 1 FROM slide WHERE slide_id = ?", [new.slide_id]):
            self._db.insert("slide", SLIDE, [row])
            return
        # It was here before, or a bag was made of it elsewhere.
        self._db.update(
            "UPDATE slide SET uri = ?, name = ?, told = ?, retired_no = NULL, "
            "acquired_at = make_timestamptz(?::BIGINT) WHERE slide_id = ?",
            [new.path, new.name, row[-1], new.acquired_at, new.slide_id],
        )

    def drop(self, slot: Slot) -> None:
        """Retire the slide whose file no longer holds one."""
        for old in self.of(slot.patient)[:]:
            if old.path == slot.path:
                self._retire(old)

    def move(self, slots: Sequence[Slot]) -> list[str]:
        """Retire slides whose file a source now gives to another patient."""
        owners: dict[str, set[str]] = {}
        for slot in slots:
            owners.setdefault(slot.path, set()).add(slot.patient)
        told = []
        for patient, live in self._live.items():
            for old in live[:]:
                now = owners.get(old.path, {patient})
                if patient not in now:
                    self._retire(old)
                    told.append(f"{old.path} was of {patient} and is now of {min(now)}")
        return told

    def _retire(self, old: LiveSlide) -> None:
        self._live[old.patient].remove(old)
        self._db.update(
            "UPDATE slide SET retired_no = ? WHERE slide_id = ?",
            [self._db.commit_no, old.slide_id],
        )


def _is_elsewhere(old: LiveSlide, new: LiveSlide) -> bool:
    """Whether a slide has another file, which is still there."""
    return old.path != new.path and os.path.exists(old.path)
