"""The bags of one extractor as a column of references, or why a patient has none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from sarcfeat._validation import listed
from sarcfeat.exceptions import LeakageError
from sarcfeat.io import BagPart, BagRef
from sarcfeat.store.cohorts import Members
from sarcfeat.store.connection import Connection
from sarcfeat.store.features import BAG, Catalogue, Request, choose_extractor
from sarcfeat.store.selection import late
from sarcfeat.store.slide_tables import LIVE_BAGS
from sarcfeat.store.times import date_of

__all__ = ["BagBlock", "HeldPart", "held_parts", "read_bags", "reference_text"]


class HeldPart(NamedTuple):
    """One slide's bag, as the catalogue knows it."""

    patient: str
    slide: str
    uri: str
    layout: str
    tiles: int
    dim: int
    unit_id: str
    checksum: str
    acquired_at: int | None
    written_at: int
    labels: str | None
    labels_checksum: str | None


@dataclass(frozen=True)
class BagBlock:
    """One column of references.

    Attributes
    ----------
    column : Series of object
        ``BagRef`` or None, by patient.
    missing : list of [patient, extractor's name, reason]
    units : list of str
    identity : dict of patient to list
        What the tiles are, wherever the files lie: units and checksums.
    provenance : dict
    notes : list of str
        Slides that are left out of a reference, and why.
    undated : int
        Slides without a date.
    """

    column: pd.Series[Any]
    missing: list[list[str]]
    units: list[str]
    identity: dict[str, list[list[str]]]
    provenance: dict[str, Any]
    notes: list[str]
    undated: int


def held_parts(
    db: Connection, extractor: str, patients: list[str]
) -> dict[str, list[HeldPart]]:
    """Return the current bags of an extractor, by patient and slide."""
    rows = db.rows(
        "SELECT s.patient_id, s.name, e.uri, e.layout, e.n_rows, e.dim, u.unit_id, "
        "e.checksum, epoch_us(s.acquired_at), epoch_us(u.written_at), e.coords_uri, "
        "e.coords_checksum "
        f"{LIVE_BAGS} AND u.extractor_id = ? "
        "ORDER BY s.patient_id, s.name, s.slide_id",
        [extractor],
    )
    asked = set(patients)
    found: dict[str, list[HeldPart]] = {}
    for part in map(HeldPart._make, rows):
        if part.patient in asked:
            found.setdefault(part.patient, []).append(part)
    return found


def read_bags(
    db: Connection,
    catalogue: Catalogue,
    members: Members,
    name: str,
    request: Request,
    as_of: str | None,
    extractor: str | Mapping[str, str] | None,
) -> BagBlock:
    """Collect the bags of one extractor for every patient of the cohort."""
    chosen = choose_extractor(catalogue, name, extractor)
    held = held_parts(db, chosen, members.patients)
    store = store_of(db)
    told: _Told | None = None
    refs: list[BagRef | None] = []
    missing: list[list[str]] = []
    notes: list[str] = []
    used: dict[str, list[HeldPart]] = {}
    for patient in members.patients:
        mine = held.get(patient, [])
        index_time = members.index_time[patient]
        known = [part for part in mine if not _is_late(part, index_time, as_of)]
        parts = [part for part in known if part.tiles]
        if told is None and (not parts or len(parts) < len(mine)):
            told = _Told(db, chosen)
        if not parts:
            refs.append(None)
            reason = _why(patient, mine, known, index_time, as_of, told)
            missing.append([patient, name, reason])
            continue
        used[patient] = parts
        refs.append(_reference(store, patient, parts))
        notes += _left_out(patient, name, mine, known, parts)
    _refuse_late(request, name, missing)
    notes += _not_encoded(db, chosen, name, used)
    index = pd.Index(members.patients, dtype="str", name="patient")
    flat = [part for parts in used.values() for part in parts]
    return BagBlock(
        column=pd.Series(refs, index=index, dtype=object, name=f"{name}{BAG}"),
        missing=missing,
        units=[part.unit_id for part in flat],
        identity={
            patient: [[p.unit_id, p.checksum, *_marks(p)] for p in parts]
            for patient, parts in used.items()
        },
        provenance=_provenance(db, name, chosen, used),
        notes=notes,
        undated=sum(
            part.acquired_at is None and members.index_time[part.patient] is not None
            for part in flat
        ),
    )


def _marks(part: HeldPart) -> list[str]:
    """Return the hash of what places and labels another tool's tiles."""
    return [] if part.labels_checksum is None else [part.labels_checksum]


def store_of(db: Connection) -> Path:
    """Return the store's folder, of a published copy of the catalogue too."""
    folder = db.path.parent
    return folder.parent if folder.name == "snapshots" else folder


def _reference(store: Path, patient: str, parts: list[HeldPart]) -> BagRef:
    slides = tuple(
        BagPart(
            part.slide,
            str(store / part.uri),
            part.layout,
            part.tiles,
            None if part.labels is None else str(store / part.labels),
        )
        for part in parts
    )
    return BagRef(patient, slides, parts[0].dim)


def reference_text(reference: BagRef) -> str:
    """Write a reference as JSON: patient, numbers a tile, and each slide's file.

    Examples
    --------
    >>> part = BagPart("S1", "P1_S1.safetensors", "safetensors", 12)
    >>> reference_text(BagRef("P1", (part,), 512))[:38]
    '{"patient": "P1", "parts": [{"slide": '
    """
    return json.dumps(asdict(reference))


def _is_late(part: HeldPart, index_time: int | None, as_of: str | None) -> bool:
    if as_of == "index_time":
        return late(part.acquired_at, index_time)
    return as_of == "written" and late(part.written_at, index_time)


class _Told:
    """What went wrong with slides, by patient."""

    def __init__(self, db: Connection, extractor: str) -> None:
        self._slides: dict[str, list[str]] = {}
        for patient, name in db.rows(
            "SELECT patient_id, name FROM slide WHERE retired_no IS NULL "
            "AND told IS NOT NULL ORDER BY ALL"
        ):
            self._slides.setdefault(patient, []).append(name)
        self._why: dict[str, str] = {}
        for patient, text in db.rows(
            "SELECT patient_id, error_text FROM file WHERE error_code IS NOT NULL "
            "AND what IN ('slide', 'annotation') UNION ALL "
            "SELECT t.patient_id, arg_max(coalesce(t.error_text, ''), t.commit_no) "
            "FROM attempt t WHERE t.extractor_id = ? AND t.step IN ('encode', 'bag') "
            "GROUP BY t.patient_id, t.phase "
            "HAVING arg_max(t.status, t.commit_no) = 'failed'",
            [extractor],
        ):
            self._why.setdefault(patient, text)

    def of(self, patient: str) -> str:
        """Say why a patient has no bag."""
        if patient in self._why:
            return self._why[patient]
        slides = self._slides.get(patient)
        if slides:
            return f"not encoded yet (slides {listed(slides)}): run store.encode(...)"
        return "no slide: add it with store.add_slides, or its bag with store.add_bags"


def _why(
    patient: str,
    mine: list[HeldPart],
    known: list[HeldPart],
    index_time: int | None,
    as_of: str | None,
    told: _Told | None,
) -> str:
    """Say why no bag of a patient can be used."""
    if known:
        slides = listed([part.slide for part in known])
        return f"NoTissue: no tile of slides {slides} was kept"
    if mine:
        what = "acquired" if as_of == "index_time" else "computed"
        when = mine[0].acquired_at if as_of == "index_time" else None
        date = f" on {date_of(when)}" if when is not None else ""
        return f"{what}{date}, after the index time {date_of(index_time)}"
    return told.of(patient) if told is not None else ""


def _left_out(
    patient: str,
    name: str,
    mine: list[HeldPart],
    known: list[HeldPart],
    parts: list[HeldPart],
) -> list[str]:
    """Name the slides of a patient that his reference leaves out."""
    notes = []
    for part in mine:
        if part not in known:
            notes.append(
                f"{patient}: slide {part.slide} is not in {name}{BAG}: after the index "
                "time"
            )
        elif part not in parts:
            notes.append(
                f"{patient}: slide {part.slide} is not in {name}{BAG}: NoTissue, no "
                "tile was kept"
            )
    return notes


def _not_encoded(
    db: Connection, extractor: str, name: str, used: dict[str, list[HeldPart]]
) -> list[str]:
    """Name the slides without a bag, of patients who have one of another slide."""
    rows = db.rows(
        "SELECT s.patient_id, s.name, (SELECT arg_max(coalesce(t.error_text, ''), "
        "t.commit_no) FROM attempt t WHERE t.image_id = s.slide_id "
        "AND t.extractor_id = $1) FROM slide s WHERE s.retired_no IS NULL "
        "AND s.told IS NOT NULL AND NOT EXISTS (SELECT 1 FROM unit u "
        "WHERE u.image_id = s.slide_id AND u.extractor_id = $1 "
        "AND u.retired_no IS NULL) ORDER BY ALL",
        [extractor],
    )
    return [
        f"{patient}: slide {slide} is not in {name}{BAG}: {text or 'not encoded yet'}"
        for patient, slide, text in rows
        if patient in used and slide not in {part.slide for part in used[patient]}
    ]


def _refuse_late(request: Request, name: str, missing: list[list[str]]) -> None:
    late_ones = [row for row in missing if "after the index time" in row[2]]
    if late_ones and f"{name}{BAG}" in request.by_name:
        patients = listed([row[0] for row in late_ones])
        raise LeakageError(
            f"{name}{BAG} comes from slides after the index time for "
            f"{len(late_ones)} patients: {patients} ({late_ones[0][2]}). Ask for the "
            f"whole set {name!r} to have them excluded and listed, or leave it out."
        )


def _provenance(
    db: Connection, name: str, extractor: str, used: dict[str, list[HeldPart]]
) -> dict[str, Any]:
    version, params, weights = db.one(
        "SELECT version, params_sha256, weights_sha256 FROM extractor "
        "WHERE extractor_id = ?",
        [extractor],
    )
    parts = [part for mine in used.values() for part in mine]
    return {
        "address": name,
        "extractor_id": extractor,
        "name": name,
        "version": version,
        "params_hash": params,
        "weights_sha256": weights,
        "n_patients": len(used),
        "n_slides": len(parts),
        "n_tiles": sum(part.tiles for part in parts),
    }
