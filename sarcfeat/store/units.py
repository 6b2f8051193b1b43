"""Units of work: what one extractor gave for one image and one mask."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from sarcfeat.exceptions import NonDeterministicExtraction
from sarcfeat.store.connection import Connection
from sarcfeat.store.identity import (
    canonical_json,
    digest,
    extractor_id,
    unit_ids,
    vector_checksum,
)
from sarcfeat.store.vectors import Vector, write_vectors

__all__ = [
    "EXTRACTOR",
    "Describes",
    "Encoder",
    "Result",
    "Task",
    "append_results",
    "attempt_id",
    "register_extractor",
    "todo",
]


class Describes(Protocol):
    """What is asked of an encoder to write down its numbers."""

    @property
    def name(self) -> str:
        """Name of the encoder."""
        ...

    def describe_feature(self, name: str) -> dict[str, Any]:
        """Return image_filter, family, ibsi and unit of a feature."""
        ...


class Encoder(Protocol):
    """What the store asks of an encoder."""

    name: str

    def fingerprint(self) -> dict[str, Any]:
        """Return all that decides the numbers, as JSON values."""
        ...

    def encode(self, image_path: str, mask_path: str, *, label: int = 1) -> Any:
        """Return an object with `names`, `values` and `warnings`, or raise."""
        ...

    def describe_feature(self, name: str) -> dict[str, Any]:
        """Return image_filter, family, ibsi and unit of a feature."""
        ...


class Task(NamedTuple):
    """One unit of work and where its files are."""

    unit_id: str
    image_id: str
    mask_id: str
    patient: str
    phase: str
    reader: str
    session: int
    label: int
    image_path: str
    mask_path: str


@dataclass(frozen=True)
class Result:
    """What came of a task: numbers, or the reason why there are none."""

    task: Task
    seconds: float
    names: tuple[str, ...] = ()
    values: npt.NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    warnings: tuple[str, ...] = ()
    error_code: str | None = None
    error_text: str | None = None

    @property
    def ok(self) -> bool:
        """Whether there are numbers."""
        return self.error_code is None

    def failure(self) -> list[Any]:
        """Return the row that a report shows."""
        t = self.task
        file = t.image_path if self.about_image else t.mask_path
        return [
            t.patient,
            t.phase,
            t.reader,
            t.session,
            file,
            self.error_code,
            self.error_text,
        ]

    @property
    def about_image(self) -> bool:
        """Whether the reason lies in the image rather than in the mask."""
        text = self.error_text or ""
        if (self.task.mask_path in text) != (self.task.image_path in text):
            return self.task.image_path in text
        return self.error_code not in MASK_ERRORS


MASK_ERRORS = ("EmptyROI", "LabelMissing", "ROITooSmall", "GeometryMismatch")
EXTRACTOR = {
    "extractor_id": "VARCHAR",
    "name": "VARCHAR",
    "version": "VARCHAR",
    "params": "JSON",
    "params_sha256": "VARCHAR",
    "weights_sha256": "VARCHAR",
    "code_commit": "VARCHAR",
    "fingerprint": "JSON",
}
UNIT = {
    "unit_id": "VARCHAR",
    "image_id": "VARCHAR",
    "mask_id": "VARCHAR",
    "extractor_id": "VARCHAR",
    "run_id": "VARCHAR",
    "warnings": "JSON",
    "seconds": "DOUBLE",
}
ATTEMPT = {
    "attempt_id": "VARCHAR",
    "step": "VARCHAR",
    "patient_id": "VARCHAR",
    "phase": "VARCHAR",
    "reader": "VARCHAR",
    "session": "SMALLINT",
    "path": "VARCHAR",
    "image_id": "VARCHAR",
    "mask_id": "VARCHAR",
    "extractor_id": "VARCHAR",
    "status": "VARCHAR",
    "error_code": "VARCHAR",
    "error_text": "VARCHAR",
    "seconds": "DOUBLE",
    "run_id": "VARCHAR",
}


def register_extractor(db: Connection, encoder: Encoder) -> str:
    """Write down what an encoder is; the same fingerprint is the same extractor."""
    mark = encoder.fingerprint()
    name = extractor_id(mark)
    if db.rows("SELECT 1 FROM extractor WHERE extractor_id = ?", [name]):
        return name
    params = mark.get("params")
    row = [
        name,
        encoder.name,
        _text(mark.get("version")),
        canonical_json(params),
        digest(params),
        _text(mark.get("weights_sha256")),
        _text(mark.get("code")),
        canonical_json(mark),
    ]
    with db.commit(f"register {encoder.name}"):
        db.insert("extractor", EXTRACTOR, [row])
    return name


def attempt_id(unit: str, run: str) -> str:
    """Name the try of one unit in one run."""
    return digest("attempt", unit, run)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def todo(
    db: Connection,
    extractor: str,
    patients: Iterable[str],
    phases: Sequence[str] | None,
) -> tuple[list[Task], list[Task]]:
    """Return the tasks without a unit, and those that have one."""
    asked = set(patients)
    rows = [
        row
        for row in db.rows(
            "SELECT m.image_id, m.mask_id, m.patient_id, m.phase, m.reader, "
            "m.session, m.label, i.uri, m.uri FROM mask m "
            "JOIN image i ON m.image_id = i.image_id "
            "AND m.patient_id = i.patient_id AND m.phase = i.phase "
            "WHERE m.retired_no IS NULL AND i.retired_no IS NULL "
            "AND i.kind <> 'imported' AND "
            "(?::VARCHAR[] IS NULL OR list_contains(?::VARCHAR[], lower(m.phase))) "
            "ORDER BY m.patient_id, m.phase, m.reader, m.session, m.lesion_id, m.label",
            [phases, phases],
        )
        # Here, not in the query: binding ten thousand ids takes as long as the rest.
        if row[2] in asked
    ]
    held = "SELECT unit_id FROM unit WHERE extractor_id = ? AND retired_no IS NULL"
    done = {row[0] for row in db.rows(held, [extractor])}
    units = unit_ids([row[:2] for row in rows], extractor)
    # One image may stand at two places: the first of them speaks for the unit.
    first = dict(zip(reversed(units), reversed(rows), strict=True))
    names = list(dict.fromkeys(units))
    missing = [Task(name, *first[name]) for name in names if name not in done]
    return missing, [Task(name, *first[name]) for name in names if name in done]


def append_results(
    db: Connection,
    encoder: Describes,
    extractor: str,
    run: str,
    results: Sequence[Result],
) -> list[Result]:
    """Write a batch in one transaction; return the failures among it.

    A unit that is there with the same numbers stays; with other numbers it is a
    failure (``NonDeterministicExtraction``), the first numbers stay and the others
    are kept aside.
    """
    with db.commit(f"encode {encoder.name}"):
        held = _held(db, results)
        judged = [_judge(result, held.get(result.task.unit_id)) for result in results]
        good = [r for r in judged if r.ok and r.task.unit_id not in held]
        sets = {
            key: _feature_set(db, encoder, extractor, *key)
            for key in dict.fromkeys((r.task.phase, r.names) for r in good)
        }
        db.insert("unit", UNIT, [_unit_row(r, extractor, run) for r in good])
        write_vectors(
            db,
            [
                Vector(r.task.unit_id, sets[r.task.phase, r.names], r.values)
                for r in good
            ],
        )
        _set_aside(
            db, run, [r for r, j in zip(results, judged, strict=True) if r is not j]
        )
        db.insert("attempt", ATTEMPT, [_attempt(r, extractor, run) for r in judged])
    return [result for result in judged if not result.ok]


def _held(db: Connection, results: Sequence[Result]) -> dict[str, str]:
    """Return the checksums of those units that the store holds already."""
    if len(results) == 1:
        one = "SELECT unit_id, checksum FROM feature_vector WHERE unit_id = ?"
        return dict(db.rows(one, [results[0].task.unit_id]))
    return dict(
        db.rows(
            "SELECT unit_id, checksum FROM feature_vector "
            "JOIN (SELECT DISTINCT unnest(?::VARCHAR[]) AS unit_id) USING (unit_id)",
            [[r.task.unit_id for r in results]],
        )
    )


def _judge(result: Result, first: str | None) -> Result:
    """Turn a result that differs from what the store holds into a failure."""
    if not result.ok or first is None:
        return result
    if first == vector_checksum(result.values):
        return result
    task = result.task
    return Result(
        task=task,
        seconds=result.seconds,
        error_code=NonDeterministicExtraction.__name__,
        error_text=(
            f"Patient {task.patient}, {task.phase}: {task.mask_path} gave other "
            "numbers than before with the same image, mask and parameters. The first "
            "are kept (the others lie in the table other_vector); fix the encoder's "
            "seed or threads."
        ),
    )


def _set_aside(db: Connection, run: str, results: Sequence[Result]) -> None:
    """Keep other numbers of units that are there: to be looked at, never served."""
    for result in results:
        name, checksum = result.task.unit_id, vector_checksum(result.values)
        if not db.rows(
            "SELECT 1 FROM other_vector WHERE unit_id = ? AND checksum = ?",
            [name, checksum],
        ):
            db.update(
                "INSERT INTO other_vector (unit_id, names, v, checksum, run_id, "
                "commit_no) VALUES (?, ?::VARCHAR[], ?::DOUBLE[], ?, ?, ?)",
                [
                    name,
                    list(result.names),
                    result.values.tolist(),
                    checksum,
                    run,
                    db.commit_no,
                ],
            )


@lru_cache(maxsize=8)
def _set_id(extractor: str, phase: str, names: tuple[str, ...]) -> str:
    """Name a feature set; asked anew for each batch of a run."""
    return digest("feature_set", extractor, phase, list(names))


def _feature_set(
    db: Connection,
    encoder: Describes,
    extractor: str,
    phase: str,
    names: tuple[str, ...],
) -> str:
    """Write the names of a feature set once; return its id."""
    name = _set_id(extractor, phase, names)
    if name in db.lasting:
        return name
    if db.rows("SELECT 1 FROM feature_set WHERE feature_set_id = ?", [name]):
        # Nothing takes a feature set away: what was committed once is there.
        db.lasting.add(name)
        return name
    address = f"{encoder.name}.{phase.lower()}"
    db.rows(
        "INSERT INTO feature_set (feature_set_id, extractor_id, phase, address, names, "
        "n, commit_no) VALUES (?, ?, ?, ?, ?::VARCHAR[], ?, ?)",
        [name, extractor, phase, address, list(names), len(names), db.commit_no],
    )
    columns: list[list[Any]] = [[], [], [], []]
    for feature in names:
        described = encoder.describe_feature(feature)
        for i, key in enumerate(("image_filter", "family", "ibsi", "unit")):
            columns[i].append(_text(described.get(key)))
    # A column of nothing is one NULL, not sixty thousand.
    told = [column if any(column) else None for column in columns]
    cells = ["?::VARCHAR" if c is None else "unnest(?::VARCHAR[])" for c in told]
    db.rows(
        "INSERT INTO feature (feature_set_id, pos, name, image_filter, family, ibsi, "
        "unit) SELECT ?, unnest(?::INTEGER[]), unnest(?::VARCHAR[]), "
        + ", ".join(cells),
        [name, list(range(len(names))), list(names), *told],
    )
    return name


def _unit_row(result: Result, extractor: str, run: str) -> list[Any]:
    t = result.task
    notes = json.dumps(list(result.warnings))
    return [t.unit_id, t.image_id, t.mask_id, extractor, run, notes, result.seconds]


def _attempt(result: Result, extractor: str, run: str) -> list[Any]:
    t = result.task
    return [
        attempt_id(t.unit_id, run),
        "encode",
        t.patient,
        t.phase,
        t.reader,
        t.session,
        t.image_path if result.about_image else t.mask_path,
        t.image_id,
        t.mask_id,
        extractor,
        "ok" if result.ok else "failed",
        result.error_code,
        result.error_text,
        result.seconds,
        run,
    ]
