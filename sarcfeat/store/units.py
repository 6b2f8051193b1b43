"""Units of work: what one extractor gave for one image and one mask."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from sarcfeat.store.connection import Connection
from sarcfeat.store.identity import (
    canonical_json,
    digest,
    extractor_id,
    unit_ids,
)

__all__ = [
    "ATTEMPT",
    "EXTRACTOR",
    "UNIT",
    "Describes",
    "Encoder",
    "Marked",
    "Result",
    "SlideEncoder",
    "Task",
    "attempt_id",
    "register_extractor",
    "text_or_none",
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


class Marked(Protocol):
    """What is asked of an encoder to tell it from every other."""

    @property
    def name(self) -> str:
        """Name of the encoder."""
        ...

    def fingerprint(self) -> dict[str, Any]:
        """Return all that decides the numbers, as JSON values."""
        ...


class SlideEncoder(Marked, Protocol):
    """What the store asks of an encoder of slides (``kind`` is ``"slide"``)."""

    kind: str

    def encode_slide(
        self, path: str, *, regions: Any = None, mpp: float | None = None
    ) -> Any:
        """Return the tiles' features and where they lie, or raise."""
        ...


class Task(NamedTuple):
    """One unit of work and where its files are.

    Of a slide, the mask is its annotation, if there is one, and the phase its name.
    """

    unit_id: str
    image_id: str
    mask_id: str | None
    patient: str
    phase: str
    reader: str | None
    session: int | None
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
    # Of a slide: where its bag lies and what it holds.
    bag: dict[str, Any] | None = None

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


def register_extractor(db: Connection, encoder: Marked) -> str:
    """Write down what an encoder is; the same fingerprint is the same extractor."""
    mark = encoder.fingerprint()
    name = extractor_id(mark)
    if db.rows("SELECT 1 FROM extractor WHERE extractor_id = ?", [name]):
        return name
    params = mark.get("params")
    row = [
        name,
        encoder.name,
        text_or_none(mark.get("version")),
        canonical_json(params),
        digest(params),
        text_or_none(mark.get("weights_sha256")),
        text_or_none(mark.get("code")),
        canonical_json(mark),
    ]
    with db.commit(f"register {encoder.name}"):
        db.insert("extractor", EXTRACTOR, [row])
    return name


def attempt_id(unit: str, run: str) -> str:
    """Name the try of one unit in one run."""
    return digest("attempt", unit, run)


def text_or_none(value: Any) -> str | None:
    """Return a value as text."""
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
