"""Who has no features, and why: every failure that still holds."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import pandas as pd

from sarcfeat.store.cohorts import Members
from sarcfeat.store.connection import Connection
from sarcfeat.store.expected import ExpectedPaths
from sarcfeat.store.files import FAILURE_COLUMNS
from sarcfeat.store.units import Task

__all__ = ["encode_failures", "input_failures", "known_encode_failures"]


def input_failures(
    db: Connection,
    members: Members,
    phases: Collection[str] | None,
    required: Sequence[str],
) -> pd.DataFrame:
    """List files that cannot be used and files that should be there and are not.

    A patient whose image fails is listed once for it, not once a mask.
    """
    patients = set(members.patients)
    rows = [
        row
        for row in db.rows(
            "SELECT patient_id, phase, reader, session, path, error_code, error_text, "
            "what FROM file WHERE error_code IS NOT NULL AND what IN ('image', 'mask') "
            "ORDER BY what, patient_id, phase, reader, session, path"
        )
        if row[0] in patients and _wanted(row[1], phases)
    ]
    bad_images = {(row[0], row[1]) for row in rows if row[7] == "image"}
    with_image = _with_image(db)
    expected = ExpectedPaths(db, "image")
    kept = []
    for row in rows:
        place = (row[0], row[1])
        if row[7] == "mask" and place in bad_images:
            continue
        if row[7] == "mask" and place not in with_image:
            bad_images.add(place)
            row = (*row[:4], expected.of(*place), *row[5:])
        kept.append(list(row[:7]))
    listed = {(row[0], row[1].lower()) for row in kept}
    kept += [
        row
        for row in (
            *_without_mask(db, patients, phases),
            *_without_image(db, members, required),
        )
        if (row[0], row[1].lower()) not in listed
    ]
    return pd.DataFrame(kept, columns=FAILURE_COLUMNS)


def _wanted(phase: str, phases: Collection[str] | None) -> bool:
    return phases is None or phase.lower() in phases


def _with_image(db: Connection) -> set[tuple[str, str]]:
    return {
        (patient, phase)
        for patient, phase in db.rows(
            "SELECT DISTINCT patient_id, phase FROM image WHERE retired_no IS NULL "
            "AND kind <> 'imported'"
        )
    }


def _without_mask(
    db: Connection, patients: set[str], phases: Collection[str] | None
) -> list[list[Any]]:
    """List images without a mask, of sequences where somebody has one."""
    rows = db.rows(
        "SELECT DISTINCT i.patient_id, i.phase FROM image i "
        "WHERE i.retired_no IS NULL AND i.kind <> 'imported' AND "
        "EXISTS (SELECT 1 FROM mask s "
        "WHERE s.phase = i.phase AND s.retired_no IS NULL AND s.label <> 0) "
        "AND NOT EXISTS (SELECT 1 FROM file f WHERE f.what = 'mask' AND "
        "f.patient_id = i.patient_id AND f.phase = i.phase) ORDER BY ALL"
    )
    expected = ExpectedPaths(db, "mask")
    found = []
    for patient, phase in rows:
        if patient in patients and _wanted(phase, phases):
            path = expected.of(patient, phase)
            reason = (
                f"Patient {patient}, {phase}: the image has no mask. Expected {path}."
            )
            found.append([patient, phase, None, None, path, "InputMissing", reason])
    return found


def _without_image(
    db: Connection, members: Members, required: Sequence[str]
) -> list[list[Any]]:
    """List patients who lack a required sequence altogether."""
    have: dict[str, set[str]] = {}
    spelling: dict[str, str] = {}
    for patient, phase in db.rows(
        "SELECT patient_id, phase FROM image WHERE retired_no IS NULL "
        "AND kind <> 'imported' ORDER BY ALL"
    ):
        have.setdefault(phase.lower(), set()).add(patient)
        spelling.setdefault(phase.lower(), phase)
    expected = ExpectedPaths(db, "image")
    found = []
    for wanted in required:
        phase = spelling.get(wanted.lower(), wanted)
        for patient in members.patients:
            if patient not in have.get(wanted.lower(), set()):
                path = expected.of(patient, phase)
                reason = f"Patient {patient}: no {phase} image. Expected {path}."
                found.append([patient, phase, None, None, path, "InputMissing", reason])
    return found


def known_encode_failures(
    db: Connection, extractor: str
) -> dict[tuple[str, str | None], tuple[Any, ...]]:
    """Return the last failed attempt of each (image, mask) that has no unit."""
    rows = db.rows(
        "SELECT image_id, mask_id, arg_max(status, commit_no), "
        "arg_max(coalesce(path, ''), commit_no), "
        "arg_max(coalesce(error_code, ''), commit_no), "
        "arg_max(coalesce(error_text, ''), commit_no) FROM attempt "
        "WHERE step = 'encode' AND extractor_id = ? GROUP BY image_id, mask_id",
        [extractor],
    )
    return {(row[0], row[1]): row[3:] for row in rows if row[2] == "failed"}


def encode_failures(
    tasks: Sequence[Task],
    known: dict[tuple[str, str | None], tuple[Any, ...]],
) -> list[list[Any]]:
    """Return the rows of a report for the tasks that failed before."""
    rows = []
    for t in tasks:
        path, code, text = known[t.image_id, t.mask_id]
        rows.append([t.patient, t.phase, t.reader, t.session, path, code, text])
    return rows
