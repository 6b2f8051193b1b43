"""Regions drawn on slides, as rows: a changed outline retires the one before."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sarcfeat._validation import listed, pick
from sarcfeat.exceptions import AmbiguousImage, InputMissing, InvalidInput
from sarcfeat.io import derive_regions, named_regions, open_slide, read_annotations
from sarcfeat.io.isolation import isolated
from sarcfeat.store.connection import Connection
from sarcfeat.store.files import Parsed
from sarcfeat.store.identity import canonical_json, digest
from sarcfeat.store.slides import LiveSlide, Slides
from sarcfeat.store.sources import Slot

__all__ = ["Annotations", "regions_of", "write_rule"]

ANNOTATION = {
    "annotation_id": "VARCHAR",
    "slide_id": "VARCHAR",
    "patient_id": "VARCHAR",
    "regions": "JSON",
    "regions_sha256": "VARCHAR",
    "uri": "VARCHAR",
    "file_sha256": "VARCHAR",
}
DERIVED = ("periphery", "ring", "outline")


class SeenRegions(NamedTuple):
    """What an annotation file gives for a slide."""

    regions: str
    sha256: str
    notes: tuple[str, ...]


def write_rule(
    names: Mapping[str, str | Sequence[str]] | None,
    derive: Mapping[str, Any] | bool | None,
    ignore: Sequence[str],
) -> str:
    """Write down how regions are made of outlines, so that it can be done again."""
    if derive is True:
        derive = {}
    if derive is False:
        derive = None
    if derive is not None and names is not None:
        raise InvalidInput(
            "names= and derive= were both given: regions are named by their outlines, "
            "or derived from that of the tumour. Give one of the two."
        )
    for key in derive or ():
        pick(key, DERIVED, "setting in derive")
    if isinstance(ignore, str):
        ignore = [ignore]
    told = None if names is None else {k: _words(v) for k, v in names.items()}
    rule = {
        # The order of names is that of precedence.
        "names": None if told is None else list(told.items()),
        "derive": None if derive is None else dict(derive),
        "ignore": list(ignore),
    }
    return canonical_json(rule)


def _words(value: str | Sequence[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def read_regions(
    path: str, slide_path: str, given: float | None, rule: str
) -> SeenRegions:
    """Read outlines and make regions of them; called in a worker process."""
    told = json.loads(rule)
    with open_slide(slide_path, mpp=given) as slide:
        drawn = read_annotations(path, slide=slide)
        if told["derive"] is None:
            names = None if told["names"] is None else dict(told["names"])
            regions = named_regions(drawn, names, ignore=told["ignore"])
        else:
            size = slide.dimensions
            mpp = slide.mpp
            regions = derive_regions(drawn, mpp=mpp, slide_size=size, **told["derive"])
    if not any(area > 0 for area in regions.areas(1.0).values()):
        raise InvalidInput(
            f"{path} has no outline of {listed(regions.names)}. Draw them, or say how "
            "they are called with names=."
        )
    kept = regions.to_dict()
    # What was decided on the way quotes what somebody wrote: said, not kept.
    kept["notes"] = []
    return SeenRegions(canonical_json(kept), regions.sha256, regions.notes)


@dataclass(frozen=True)
class LiveAnnotation:
    """The regions that are current for a slide."""

    annotation_id: str
    slide_id: str
    path: str


class Annotations:
    """The current regions of slides, and the way to add to them.

    Parameters
    ----------
    db : Connection
        The open catalogue.
    slides : Slides
        The current slides.
    """

    def __init__(self, db: Connection, slides: Slides) -> None:
        self._db = db
        self._slides = slides
        self._placed: dict[str, str] = {}
        self._live = {
            row[1]: LiveAnnotation(*row)
            for row in db.rows(
                "SELECT annotation_id, slide_id, uri FROM annotation "
                "WHERE retired_no IS NULL"
            )
        }

    def parse(self, slot: Slot, sha256: str) -> Parsed:
        """Read a file and make its regions the current ones of its slide."""
        slide = self._slide(slot)
        other = self._placed.get(slide.slide_id)
        if other not in (None, slot.path):
            raise AmbiguousImage(
                f"two files have regions of this slide, {other} and {slot.path}. The "
                f"first is kept, {slot.path} is left out. Remove one."
            )
        seen = isolated(
            read_regions, slot.path, slide.path, slide.given, slot.kind or "{}"
        )
        self._placed[slide.slide_id] = slot.path
        key = digest("annotation", slide.slide_id, seen.sha256)
        notes = (*seen.notes, *self._place(key, slide, slot, seen, sha256))
        return Parsed(sha256, key, slide.slide_id, notes)

    def _slide(self, slot: Slot) -> LiveSlide:
        found = self._slides.find(slot.patient, slot.phase)
        if found is None:
            have = listed([slide.name for slide in self._slides.of(slot.patient)])
            raise InputMissing(
                f"{slot.path} belongs to no slide: patient {slot.patient} has no slide "
                f"{slot.phase!r} (has {have or 'none'}). Add it first with add_slides, "
                "or correct the column slide of the manifest."
            )
        return found

    def _place(
        self, key: str, slide: LiveSlide, slot: Slot, seen: SeenRegions, sha256: str
    ) -> list[str]:
        old = self._live.get(slide.slide_id)
        new = LiveAnnotation(key, slide.slide_id, slot.path)
        notes = []
        if old is not None and old.annotation_id == key:
            self._db.update(
                "UPDATE annotation SET uri = ?, file_sha256 = ? "
                "WHERE annotation_id = ? AND retired_no IS NULL",
                [slot.path, sha256, key],
            )
        else:
            if old is not None:
                self._retire(old)
                if old.path != slot.path and os.path.exists(old.path):
                    notes.append(f"{slot.path} replaces the regions of {old.path}")
            row = [key, slide.slide_id, slide.patient, seen.regions, seen.sha256]
            self._db.insert("annotation", ANNOTATION, [[*row, slot.path, sha256]])
        if old is not None and old.path != slot.path:
            # Otherwise a later look at the file before would bring it back.
            self._db.update(
                "DELETE FROM file WHERE what = 'annotation' AND path = ? "
                "AND patient_id = ?",
                [old.path, slide.patient],
            )
        self._live[slide.slide_id] = new
        return notes

    def drop(self, slot: Slot) -> None:
        """Retire the regions whose file no longer holds any."""
        for old in [a for a in self._live.values() if a.path == slot.path]:
            self._retire(old)
            del self._live[old.slide_id]

    def _retire(self, old: LiveAnnotation) -> None:
        self._db.update(
            "UPDATE annotation SET retired_no = ? WHERE annotation_id = ? "
            "AND retired_no IS NULL",
            [self._db.commit_no, old.annotation_id],
        )


def regions_of(db: Connection, annotation: str | None) -> dict[str, Any] | None:
    """Return the regions of an annotation as ``Regions.from_dict`` takes them."""
    if annotation is None:
        return None
    text = db.one(
        "SELECT regions FROM annotation WHERE annotation_id = ? LIMIT 1", [annotation]
    )[0]
    told: dict[str, Any] = json.loads(text)
    return told
