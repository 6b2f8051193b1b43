"""Images as rows: identified by content, retired when their file changes."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from sarcfeat._validation import listed
from sarcfeat.exceptions import AmbiguousImage
from sarcfeat.io import Geometry
from sarcfeat.io.isolation import isolated
from sarcfeat.store.connection import Connection
from sarcfeat.store.files import Parsed
from sarcfeat.store.looking import Seen, inspect_image
from sarcfeat.store.sources import Slot

__all__ = ["Images", "LiveImage"]

IMAGE = {
    "image_id": "VARCHAR",
    "patient_id": "VARCHAR",
    "kind": "VARCHAR",
    "phase": "VARCHAR",
    "acquired_at": "us",
    "acquisition": "JSON",
    "uri": "VARCHAR",
    "file_sha256": "VARCHAR",
}


@dataclass(frozen=True)
class LiveImage:
    """An image that is current for a patient and a sequence."""

    image_id: str
    path: str
    acquired_at: int | None
    kind: str
    geometry: Geometry
    frame: str | None = field(default=None, compare=False)


def _two_images(phase: str, old: LiveImage, new: LiveImage) -> str:
    """Say which of two images speaks, and how to tell them apart."""
    both = f"{old.path} and {new.path}"
    kept = f"The first is kept, {new.path} is left out"
    if None in (old.acquired_at, new.acquired_at):
        return (
            f"two different {phase} images, {both}. {kept}. Remove one, or give both "
            "their acquired_at in a manifest."
        )
    return (
        f"two different {phase} images of one day, {both}. {kept}. Remove one, give "
        "each its time of day in a manifest (acquired_at 2020-01-15 10:30), or name "
        f"their sequences differently, such as {phase} and {phase}_2 (of DICOM: "
        "add_dicom(sequence={name: pattern of the series' description}))."
    )


class Images:
    """The current images of the catalogue, and the way to add to them.

    Parameters
    ----------
    db : Connection
        The open catalogue.
    """

    def __init__(self, db: Connection) -> None:
        self._db = db
        self._live: dict[tuple[str, str], list[LiveImage]] = {}
        for patient, phase, name, path, acquired, kind, geometry in db.rows(
            "SELECT patient_id, phase, image_id, uri, epoch_us(acquired_at), kind, "
            "acquisition FROM image WHERE retired_no IS NULL AND kind <> 'imported' "
            "ORDER BY commit_no"
        ):
            grid = Geometry.from_json(geometry)
            header = json.loads(geometry).get("header", {})
            frame = header.get("FrameOfReferenceUID")
            image = LiveImage(name, path, acquired, kind, grid, frame)
            self._live.setdefault((patient, phase), []).append(image)

    def of(self, patient: str, phase: str) -> list[LiveImage]:
        """Return the current images of a patient and a sequence, the latest first."""
        found = self._live.get((patient, phase), [])
        return sorted(found, key=lambda image: image.acquired_at or 0, reverse=True)

    def parse(self, slot: Slot, sha256: str) -> Parsed:
        """Read an image file and make it the current one at its place."""
        kind = slot.kind or "MR"
        seen = isolated(inspect_image, slot.path, sha256, kind)
        new = LiveImage(seen.content, slot.path, slot.acquired_at, kind, seen.geometry)
        self._place(slot, new, seen)
        return Parsed(seen.sha256, seen.content, None, seen.notes)

    def _place(self, slot: Slot, new: LiveImage, seen: Seen) -> None:
        live = self._live.setdefault((slot.patient, slot.phase), [])
        if new in live:
            return
        replaced = []
        for old in live:
            if old.path == new.path or not os.path.exists(old.path):
                replaced.append(old)
            elif old.image_id == new.image_id:
                return  # a second copy of one image adds nothing
            elif None in (old.acquired_at, new.acquired_at) or (
                old.acquired_at == new.acquired_at
            ):
                raise AmbiguousImage(_two_images(slot.phase, old, new))
        for old in replaced:
            self._retire(slot.patient, slot.phase, old)
        live.append(new)
        row = [
            new.image_id,
            slot.patient,
            new.kind,
            slot.phase,
            new.acquired_at,
            _acquisition(seen),
            new.path,
            seen.sha256,
        ]
        self._db.insert("image", IMAGE, [row])

    def drop(self, slot: Slot) -> None:
        """Retire the image whose file no longer holds one."""
        for old in self._live.get((slot.patient, slot.phase), [])[:]:
            if old.path == slot.path:
                self._retire(slot.patient, slot.phase, old)

    def move(self, slots: Sequence[Slot]) -> list[str]:
        """Retire images whose file a source now names otherwise; say which.

        Whoever corrects a rule or a manifest means the same file under another
        patient or sequence: the later word counts.
        """
        named: dict[str, set[tuple[str, str]]] = {}
        for slot in slots:
            named.setdefault(slot.path, set()).add((slot.patient, slot.phase))
        told = []
        for (patient, phase), live in self._live.items():
            for old in live[:]:
                places = named.get(old.path, {(patient, phase)})
                if (patient, phase) not in places:
                    self._retire(patient, phase, old)
                    now = listed(" ".join(place) for place in sorted(places))
                    told.append(f"{old.path} was {patient} {phase} and is now {now}")
        return told

    def _retire(self, patient: str, phase: str, old: LiveImage) -> None:
        self._live[patient, phase].remove(old)
        self._db.update(
            "UPDATE image SET retired_no = ? WHERE retired_no IS NULL "
            "AND patient_id = ? AND phase = ? AND uri = ?",
            [self._db.commit_no, patient, phase, old.path],
        )


def _acquisition(seen: Seen) -> str:
    """Write the grid of an image, and what was noted when it was read."""
    told = json.loads(seen.geometry.to_json())
    return json.dumps({**told, "notes": list(seen.notes)} if seen.notes else told)
