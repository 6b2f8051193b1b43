"""Masks as rows: one a reader, session and lesion, on the grid of their image."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from sarcfeat.exceptions import GeometryMismatch, InputMissing, InvalidInput
from sarcfeat.io import Geometry
from sarcfeat.io.isolation import isolated
from sarcfeat.store.connection import Connection
from sarcfeat.store.files import Parsed
from sarcfeat.store.identity import digest, mask_id
from sarcfeat.store.images import Images, LiveImage
from sarcfeat.store.looking import AIR, inspect_mask, mean_inside
from sarcfeat.store.sources import Slot

__all__ = ["Masks"]

MASK = {
    "mask_id": "VARCHAR",
    "image_id": "VARCHAR",
    "patient_id": "VARCHAR",
    "phase": "VARCHAR",
    "lesion_id": "VARCHAR",
    "reader": "VARCHAR",
    "session": "SMALLINT",
    "label": "INTEGER",
    "n_voxels": "BIGINT",
    "voxels_hash": "VARCHAR",
    "uri": "VARCHAR",
    "file_sha256": "VARCHAR",
}
LESION = {"lesion_id": "VARCHAR", "patient_id": "VARCHAR", "name": "VARCHAR"}
DEFAULT_LESION = "tumour"


@dataclass(frozen=True)
class LiveMask:
    """A mask that is current for a reader, session, label and lesion."""

    mask_id: str
    image_id: str
    path: str


def fitting(candidates: list[LiveImage], grid: Geometry, slot: Slot) -> LiveImage:
    """Choose the image that a mask lies on.

    Raises
    ------
    GeometryMismatch
        The mask lies on no image's grid; both geometries are shown.
    """
    if slot.acquired_at is not None:
        dated = [i for i in candidates if i.acquired_at == slot.acquired_at]
        candidates = dated or candidates
    for image in candidates:
        if not image.geometry.difference(grid):
            return image
    image = candidates[0]
    raise GeometryMismatch(
        f"{slot.path} does not lie on the voxel grid of {image.path}. Image against "
        f"mask: {image.geometry.difference(grid)}. Resample the mask to the image."
    )


class Masks:
    """The current masks of the catalogue, and the way to add to them.

    Parameters
    ----------
    db : Connection
        The open catalogue.
    images : Images
        The current images.
    expected : callable
        Gives the path where the image of a patient and a sequence should be.
    """

    def __init__(
        self,
        db: Connection,
        images: Images,
        expected: Callable[[str, str], str],
    ) -> None:
        self._db = db
        self._images = images
        self._expected = expected
        self._live: dict[tuple[object, ...], list[LiveMask]] = {}
        for *key, mask, image, path in db.rows(
            "SELECT patient_id, phase, reader, session, label, lesion_id, mask_id, "
            "image_id, uri FROM mask WHERE retired_no IS NULL ORDER BY commit_no"
        ):
            self._live.setdefault(tuple(key), []).append(LiveMask(mask, image, path))
        self._lesions = {row[0] for row in db.rows("SELECT lesion_id FROM lesion")}

    def parse(self, slot: Slot, sha256: str) -> Parsed:
        """Read a mask file and make it the current one of its reader."""
        candidates = self._images.of(slot.patient, slot.phase)
        if not candidates:
            raise InputMissing(
                f"the mask {slot.path} has no image. Expected "
                f"{self._expected(slot.patient, slot.phase)}."
            )
        label, reader = slot.label or 1, slot.reader or ""
        seen = isolated(inspect_mask, slot.path, sha256, label)
        image = fitting(candidates, seen.geometry, slot)
        if seen.flaw is not None:
            raise seen.flaw
        lesion, voxels = slot.lesion or DEFAULT_LESION, seen.content
        name = mask_id(image.image_id, voxels, reader, slot.session or 1, label, lesion)
        self._place(
            slot,
            LiveMask(name, image.image_id, slot.path),
            [seen.n_voxels, voxels, slot.path, seen.sha256],
        )
        notes = (*seen.notes, *_air(image, slot, label))
        return Parsed(seen.sha256, name, image.image_id, notes)

    def _place(self, slot: Slot, new: LiveMask, rest: list[object]) -> None:
        key = self._key(slot)
        live = self._live.setdefault(key, [])
        if new in live:
            return
        replaced = []
        for old in live:
            if old.path == new.path or not os.path.exists(old.path):
                replaced.append(old)
            elif old.mask_id == new.mask_id:
                return  # a second copy of one mask adds nothing
            elif old.image_id == new.image_id:
                raise InvalidInput(
                    f"two masks in session {slot.session}, {old.path} and {new.path}. "
                    f"Give the second reading session={(slot.session or 1) + 1}."
                )
        for old in replaced:
            self._retire(slot, old)
        live.append(new)
        patient, phase, reader, session, label, lesion = key
        head = [new.mask_id, new.image_id, patient, phase, lesion]
        self._db.insert("mask", MASK, [[*head, reader, session, label, *rest]])

    def drop(self, slot: Slot) -> None:
        """Retire the mask whose file no longer holds one."""
        for old in self._live.get(self._key(slot), [])[:]:
            if old.path == slot.path:
                self._retire(slot, old)

    def _retire(self, slot: Slot, old: LiveMask) -> None:
        self._live[self._key(slot)].remove(old)
        self._db.update(
            "UPDATE mask SET retired_no = ? WHERE retired_no IS NULL AND "
            "patient_id = ? AND phase = ? AND mask_id = ? AND uri = ?",
            [self._db.commit_no, slot.patient, slot.phase, old.mask_id, old.path],
        )

    def _key(self, slot: Slot) -> tuple[object, ...]:
        return (
            slot.patient,
            slot.phase,
            slot.reader or "",
            slot.session or 1,
            slot.label or 1,
            self._lesion(slot),
        )

    def _lesion(self, slot: Slot) -> str:
        name = slot.lesion or DEFAULT_LESION
        lesion = digest("lesion", slot.patient, name)
        if lesion not in self._lesions:
            self._lesions.add(lesion)
            self._db.insert("lesion", LESION, [[lesion, slot.patient, name]])
        return lesion


def _air(image: LiveImage, slot: Slot, label: int) -> tuple[str, ...]:
    """Note a lesion of air: its mask may be of another patient or upside down."""
    if image.kind != "CT":
        return ()
    mean = isolated(mean_inside, image.path, slot.path, label)
    if not mean < AIR:
        return ()
    return (
        f"the lesion has a mean of {mean:.0f} HU, which is air: is the mask "
        f"{slot.path} of this patient?",
    )
