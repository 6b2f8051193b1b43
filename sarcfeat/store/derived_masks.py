"""Masks that are made for a grid: from contours, segments, or another sequence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sarcfeat.exceptions import InputMissing, SarcfeatError
from sarcfeat.io import Geometry, Pseudonyms, read_mask
from sarcfeat.io.isolation import isolated
from sarcfeat.store.dicom_volumes import FOLDER, own_id, write_volume
from sarcfeat.store.identity import digest
from sarcfeat.store.images import Images, LiveImage
from sarcfeat.store.sources import Slot

__all__ = ["Drawn", "Making", "make_mask", "on_images", "propagated"]


@dataclass(frozen=True)
class Making:
    """How masks are brought onto the grids of images."""

    root: Path
    key: bytes | None = None
    roi: str | None = None
    gaps: str = "refuse"
    resample: bool = False
    propagate_to: tuple[str, ...] = ()


@dataclass(frozen=True)
class Drawn:
    """A mask and the slot of the file that it was made from."""

    source: Slot
    slot: Slot
    notes: tuple[str, ...] = ()


def make_mask(
    path: str, target: Path, grid: Geometry, frame: str | None, label: int, how: Making
) -> tuple[str, ...]:
    """Write a mask on a grid; call it in a worker process. Return what was done."""
    import SimpleITK

    code = Pseudonyms(how.key).uid if how.key else None
    found = read_mask(
        path,
        grid,
        label=label,
        roi=how.roi,
        resample=how.resample,
        gaps=how.gaps,
        frame=frame if code else None,
        code=code or str,
    )
    kind = np.uint8 if 0 < label < 256 else np.int32
    mask = SimpleITK.GetImageFromArray(np.where(found.inside, label, 0).astype(kind))
    mask.SetSpacing(grid.spacing)
    mask.SetOrigin(grid.origin)
    mask.SetDirection(grid.direction)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_volume(mask, target)
    return tuple(found.notes)


def on_images(
    slots: Sequence[Slot], images: Images, how: Making
) -> tuple[list[Drawn], list[tuple[Slot, SarcfeatError]]]:
    """Make a mask for the image of each slot's own sequence.

    Returns
    -------
    list of Drawn, list of (Slot, SarcfeatError)
        What was made, and why the others could not be.
    """
    made, failed = [], []
    for slot in slots:
        try:
            made.append(_draw(slot, slot.phase, images, how))
        except SarcfeatError as error:
            failed.append((slot, error))
    return made, failed


def _draw(source: Slot, phase: str, images: Images, how: Making) -> Drawn:
    candidates = images.of(source.patient, phase)
    if not candidates:
        raise InputMissing(f"there is no {phase} image to lay the mask on.")
    image = _nearest(candidates, source)
    label = source.label or 1
    parts = (phase, source.reader, f"{source.session or 1}", source.lesion)
    name = digest("mask", source.phase, *parts, label)[:12]
    stem = re.sub(r"[^\w.-]", "_", "_".join(str(p) for p in parts if p))
    target = how.root / FOLDER / own_id(source.patient) / f"{stem}_{name}_mask.nii.gz"
    notes = isolated(
        make_mask, source.path, target, image.geometry, image.frame, label, how
    )
    slot = replace(source, phase=phase, path=str(target), acquired_at=image.acquired_at)
    return Drawn(source, slot, tuple(notes))


def _nearest(candidates: list[LiveImage], slot: Slot) -> LiveImage:
    dated = [one for one in candidates if one.acquired_at == slot.acquired_at]
    return (dated or candidates)[0]


def propagated(
    slots: Sequence[Slot], images: Images, drawn: Any, how: Making
) -> tuple[list[Drawn], list[tuple[Slot, SarcfeatError]], list[str]]:
    """Bring masks to other sequences of their patients, where none was drawn.

    Parameters
    ----------
    slots : sequence of Slot
        Masks that are good on their own image; their path may be of contours.
    images : Images
        The current images.
    drawn : set of tuple
        Patient, sequence, reader, session, label and lesion of masks that a person
        drew: these stay.
    how : Making
        Its `propagate_to` has the sequences.
    """
    made: list[Drawn] = []
    failed: list[tuple[Slot, SarcfeatError]] = []
    absent = []
    moving = replace(how, resample=True)
    for slot in slots:
        for phase in how.propagate_to:
            if phase == slot.phase or _place(slot, phase) in drawn:
                continue
            if not images.of(slot.patient, phase):
                absent.append(f"{slot.patient} {phase}")
                continue
            try:
                made.append(_draw(slot, phase, images, moving))
            except SarcfeatError as error:
                failed.append((replace(slot, phase=phase), error))
    return made, failed, absent


def _place(slot: Slot, phase: str) -> tuple[Any, ...]:
    return (
        slot.patient,
        phase,
        slot.reader,
        slot.session or 1,
        slot.label or 1,
        slot.lesion,
    )
