"""Which image, mask and unit speak for a patient, and why none does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sarcfeat.exceptions import InvalidInput
from sarcfeat.store.cohorts import Members
from sarcfeat.store.connection import Connection
from sarcfeat.store.failures import input_failures
from sarcfeat.store.times import date_of

__all__ = [
    "AS_OF",
    "Candidate",
    "candidates",
    "choose",
    "imported",
    "late",
    "phase_of",
    "reason_for",
    "vectors",
    "why_missing",
]

AS_OF = ("index_time", "written", None)


class Candidate(NamedTuple):
    """One mask of one image of a patient, and its unit if there is one."""

    patient: str
    phase: str
    image_id: str
    acquired_at: int | None
    image_written: int
    reader: str
    session: int
    mask_id: str
    n_voxels: int | None
    unit_id: str | None
    unit_written: int | None


def candidates(
    db: Connection, phase: str, extractor: str, patients: Iterable[str]
) -> list[Candidate]:
    """List all current masks of a sequence, with the units of one extractor."""
    rows = db.rows(
        "SELECT i.patient_id, i.phase, i.image_id, epoch_us(i.acquired_at), "
        "epoch_us(i.written_at), m.reader, m.session, m.mask_id, m.n_voxels, "
        "u.unit_id, epoch_us(u.written_at) "
        "FROM image i JOIN mask m ON m.image_id = i.image_id "
        "AND m.patient_id = i.patient_id AND m.phase = i.phase "
        "LEFT JOIN unit u ON u.image_id = m.image_id AND u.mask_id = m.mask_id "
        "AND u.extractor_id = ? AND u.retired_no IS NULL "
        "JOIN (SELECT unnest(?::VARCHAR[]) AS patient_id) w "
        "ON w.patient_id = i.patient_id "
        "WHERE i.retired_no IS NULL AND m.retired_no IS NULL "
        "AND lower(i.phase) = lower(?) AND (u.unit_id IS NOT NULL "
        "OR (i.kind <> 'imported' AND NOT ?)) "
        "ORDER BY i.patient_id, m.reader, m.session, m.mask_id",
        [extractor, list(patients), phase, imported(db, extractor)],
    )
    return list(map(Candidate._make, rows))


def imported(db: Connection, extractor: str) -> bool:
    """Whether numbers came from a table of another tool, not from images."""
    return bool(
        db.rows(
            "SELECT 1 FROM extractor WHERE extractor_id = ? AND version = 'imported'",
            [extractor],
        )
    )


def phase_of(db: Connection, address: str) -> str:
    """Return the sequence that a feature set was computed from."""
    return str(
        db.one(
            "SELECT phase FROM feature_set WHERE address = ? "
            "ORDER BY commit_no LIMIT 1",
            [address],
        )[0]
    )


def late(when: int | None, index_time: int | None) -> bool:
    """Whether a known date lies after the time of prediction."""
    return index_time is not None and when is not None and when > index_time


def admissible(c: Candidate, index_time: int | None, as_of: str | None) -> bool:
    """Whether a reading may be used for a prediction at the index time."""
    if as_of == "index_time":
        return not late(c.acquired_at, index_time)
    if as_of == "written":
        return not late(c.unit_written, index_time)
    return True


def choose(
    found: Iterable[Candidate], index_time: int | None, as_of: str | None
) -> Candidate | None:
    """Return the reading that speaks for a patient.

    Of the images admissible at the index time the latest; of its lesions the largest.
    """
    if as_of not in AS_OF:
        raise InvalidInput(
            f"as_of={as_of!r}; expected 'index_time', 'written' or None."
        )
    usable = [c for c in found if admissible(c, index_time, as_of)]
    if len(usable) < 2:
        return usable[0] if usable else None
    return max(usable, key=lambda c: (c.acquired_at or 0, c.n_voxels or 0, c.mask_id))


def why_missing(
    db: Connection, members: Members, phase: str, extractor: str
) -> dict[str, str]:
    """Say for each patient what went wrong with a sequence, where something did."""
    if imported(db, extractor):
        return _not_in_table(db, members, phase, extractor)
    inputs = input_failures(db, members, {phase.lower()}, [phase])
    reasons = {
        str(row.patient): str(row.reason)
        for row in inputs.itertuples()
        if str(row.sequence).lower() == phase.lower()
    }
    for patient, text in db.rows(
        "SELECT patient_id, error_text FROM attempt WHERE step = 'encode' "
        "AND status = 'failed' AND extractor_id = ? AND lower(phase) = lower(?) "
        "ORDER BY commit_no",
        [extractor, phase],
    ):
        reasons.setdefault(patient, text)
    return reasons


def _not_in_table(
    db: Connection, members: Members, phase: str, extractor: str
) -> dict[str, str]:
    """Say who has no row (or an empty one) in the table that was imported."""
    command = db.rows(
        "SELECT r.command FROM run r JOIN unit u USING (run_id) "
        "WHERE u.extractor_id = ? LIMIT 1",
        [extractor],
    )
    table = command[0][0].partition(" from ")[2] if command else "the table"
    told = dict.fromkeys(members.patients, f"no {phase} row in {table}")
    told.update(
        db.rows(
            "SELECT patient_id, error_text FROM attempt WHERE extractor_id = ? "
            "AND status = 'failed' AND lower(phase) = lower(?) ORDER BY commit_no",
            [extractor, phase],
        )
    )
    return told


def reason_for(
    mine: list[Candidate],
    wanted: list[Candidate],
    reader: str,
    session: int,
    index_time: int | None,
    as_of: str | None,
    told: str | None,
) -> str:
    """Say why no reading of a patient can be used."""
    if mine and not wanted:
        have = sorted({f"{c.reader} session {c.session}" for c in mine})
        return told or f"no mask of reader {reader}, session {session}; has {have}"
    if wanted and not any(admissible(c, index_time, as_of) for c in wanted):
        when = wanted[0].acquired_at if as_of == "index_time" else None
        what = "acquired" if as_of == "index_time" else "computed"
        date = f" on {date_of(when)}" if when is not None else ""
        return f"{what}{date}, after the index time {date_of(index_time)}"
    if told:
        return told
    return "not encoded yet: run store.encode(...)" if wanted else "no image and mask"


def vectors(
    db: Connection, units: Iterable[str], names: list[str], address: str
) -> dict[str, npt.NDArray[np.float64]]:
    """Return the numbers of units in the order of `names`; NaN where one lacks."""
    sets: dict[str, list[str]] = dict(
        db.rows(
            "SELECT feature_set_id, names FROM feature_set WHERE address = ?", [address]
        )
    )
    orders: dict[str, tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]] | None] = {}
    for key, held in sets.items():
        if held == names:
            orders[key] = None
            continue
        position = {name: i for i, name in enumerate(held)}
        to = [i for i, name in enumerate(names) if name in position]
        orders[key] = (
            np.array(to, np.intp),
            np.array([position[names[i]] for i in to], np.intp),
        )
    columns: dict[str, Any] = db.arrays(
        "SELECT unit_id, feature_set_id, v FROM feature_vector "
        "JOIN (SELECT unnest(?::VARCHAR[]) AS unit_id) USING (unit_id)",
        [list(units)],
    )
    found = {}
    for unit, key, values in zip(
        columns["unit_id"], columns["feature_set_id"], columns["v"], strict=True
    ):
        order = orders.get(key, ())
        if order is None:
            found[str(unit)] = np.asarray(values, dtype=np.float64)
        elif order:
            to_, from_ = order
            row = np.full(len(names), np.nan)
            row[to_] = np.asarray(values, dtype=np.float64)[from_]
            found[str(unit)] = row
    return found
