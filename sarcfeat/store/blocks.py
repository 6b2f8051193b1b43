"""One feature set of a matrix: a row a patient, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sarcfeat._validation import listed, pick
from sarcfeat.exceptions import LeakageError
from sarcfeat.store.cohorts import Members
from sarcfeat.store.connection import Connection
from sarcfeat.store.features import Catalogue, Request, choose_extractor
from sarcfeat.store.selection import (
    Candidate,
    candidates,
    choose,
    reason_for,
    vectors,
    why_missing,
)

__all__ = ["Block", "read_block"]

ROWS = 64


@dataclass(frozen=True)
class Block:
    """The columns of one feature set."""

    frame: pd.DataFrame
    missing: list[list[str]]
    units: list[str]
    provenance: dict[str, Any]
    undated: int


def read_block(
    db: Connection,
    catalogue: Catalogue,
    members: Members,
    address: str,
    request: Request,
    reader: str | None,
    session: int,
    as_of: str | None,
    extractor: str | Mapping[str, str] | None,
) -> Block:
    """Collect one feature set for every patient of the cohort."""
    names = request.sets[address]
    chosen_extractor = choose_extractor(catalogue, address, extractor)
    phase = catalogue.phases[address]
    found = candidates(db, phase, chosen_extractor, members.patients)
    reader = _reader(found, reader, address)
    by_patient: dict[str, list[Candidate]] = {}
    for candidate in found:
        by_patient.setdefault(candidate.patient, []).append(candidate)
    told: dict[str, str] | None = None
    picked: dict[str, Candidate] = {}
    missing: list[list[str]] = []
    late: list[str] = []
    for patient in members.patients:
        mine = by_patient.get(patient, [])
        wanted = [c for c in mine if c.reader == reader and c.session == session]
        index_time = members.index_time[patient]
        best = choose(wanted, index_time, as_of)
        if best is not None and best.unit_id is not None:
            picked[patient] = best
            continue
        if best is None and wanted:
            late.append(patient)
        if told is None:
            told = why_missing(db, members, phase, chosen_extractor)
        reason = reason_for(
            mine, wanted, reader, session, index_time, as_of, told.get(patient)
        )
        missing.append([patient, address, reason])
    _refuse_late(request, address, late, missing)
    units = {p: str(c.unit_id) for p, c in picked.items()}
    numbers = vectors(db, units.values(), names, address)
    lacking = np.full(len(names), np.nan)
    rows = [
        numbers[units[patient]] if patient in units else lacking
        for patient in members.patients
    ]
    undated = sum(
        c.acquired_at is None and members.index_time[p] is not None
        for p, c in picked.items()
    )
    return Block(
        frame=pd.DataFrame(
            _by_column(rows, len(names)),
            copy=False,
            index=pd.Index(members.patients, dtype="str", name="patient"),
            columns=pd.Index([f"{address}.{name}" for name in names], dtype="str"),
        ),
        missing=missing,
        units=list(units.values()),
        provenance=_extractor(db, address, chosen_extractor, reader, session, units),
        undated=undated,
    )


def _by_column(rows: list[npt.NDArray[np.float64]], n: int) -> npt.NDArray[np.float64]:
    """Put rows together column by column, as a frame keeps and the hash reads them."""
    values = np.empty((len(rows), n), order="F")
    # A few rows at a time stay in the processor's cache while they are turned.
    for start in range(0, len(rows), ROWS):
        values[start : start + ROWS] = rows[start : start + ROWS]
    return values


def _reader(found: list[Candidate], reader: str | None, address: str) -> str:
    """Return the reader asked for, or the first by name."""
    readers = sorted({c.reader for c in found})
    if reader is None:
        return readers[0] if readers else "A"
    if readers:
        pick(reader, readers, f"reader of {address}")
    return reader


def _refuse_late(
    request: Request, address: str, late: list[str], missing: list[list[str]]
) -> None:
    named = [name for name in request.by_name if name.startswith(f"{address}.")]
    if late and named:
        reason = next(row[2] for row in missing if row[0] == late[0])
        raise LeakageError(
            f"{sorted(named)[0]} comes from images after the index time for "
            f"{len(late)} patients: {listed(late)} ({reason}). Ask for the whole set "
            f"{address!r} to have them excluded and listed, or leave it out."
        )


def _extractor(
    db: Connection,
    address: str,
    extractor: str,
    reader: str,
    session: int,
    units: dict[str, str],
) -> dict[str, Any]:
    name, version, params, weights = db.one(
        "SELECT name, version, params_sha256, weights_sha256 FROM extractor "
        "WHERE extractor_id = ?",
        [extractor],
    )
    return {
        "address": address,
        "extractor_id": extractor,
        "name": name,
        "version": version,
        "params_hash": params,
        "weights_sha256": weights,
        "reader": reader,
        "session": session,
        "n_patients": len(units),
    }
