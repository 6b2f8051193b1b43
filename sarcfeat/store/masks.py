"""Masks as rows: one a reader, session and lesion, on the grid of their image."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sarcfeat._validation import listed
from sarcfeat.exceptions import (
    EmptyROI,
    GeometryMismatch,
    InputMissing,
    InvalidInput,
    LabelMissing,
)
from sarcfeat.io import Geometry, Volume, read_volume
from sarcfeat.store.connection import Connection
from sarcfeat.store.identity import digest, mask_id
from sarcfeat.store.images import Images, LiveImage
from sarcfeat.store.sources import Slot

__all__ = ["Masks", "region_of"]

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


def region_of(volume: Volume, label: int, path: str) -> npt.NDArray[np.bool_]:
    """Return the voxels of one label.

    Raises
    ------
    InvalidInput
        Voxels that are not whole numbers (a probability map).
    EmptyROI
        No voxel has any label.
    LabelMissing
        Voxels have labels, but not this one; those present are named.
    """
    values = volume.array
    if not np.isfinite(values).all() or (values != np.rint(values)).any():
        raise InvalidInput(
            f"{path} holds fractions between {np.nanmin(values):g} and "
            f"{np.nanmax(values):g}: a probability map, not a mask. Threshold it first."
        )
    region = np.asarray(values == label)
    if region.any():
        return region
    present = [int(value) for value in np.unique(values) if value != 0]
    if not present:
        raise EmptyROI(f"{path} has no voxel in any region. Draw the lesion again.")
    raise LabelMissing(
        f"{path} has no voxel of label {label}; labels present: {listed(present, 10)}. "
        f"Pass label={present[0]}, or correct the mask."
    )


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

    def parse(self, slot: Slot, sha256: str) -> tuple[str, str]:
        """Read a mask file and make it the current one of its reader."""
        candidates = self._images.of(slot.patient, slot.phase)
        if not candidates:
            raise InputMissing(
                f"the mask {slot.path} has no image. Expected "
                f"{self._expected(slot.patient, slot.phase)}."
            )
        volume = read_volume(slot.path)
        image = fitting(candidates, volume.geometry, slot)
        label, reader = slot.label or 1, slot.reader or ""
        region = region_of(volume, label, slot.path)
        voxels = hashlib.blake2b(np.packbits(region).data, digest_size=16).hexdigest()
        lesion = slot.lesion or DEFAULT_LESION
        name = mask_id(image.image_id, voxels, reader, slot.session or 1, label, lesion)
        self._place(
            slot,
            LiveMask(name, image.image_id, slot.path),
            [int(region.sum()), voxels, slot.path, sha256],
        )
        return name, image.image_id

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
