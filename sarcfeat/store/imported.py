"""Rows of a table as units: each with an image and a mask that say where it stood."""

from __future__ import annotations

import json
import socket
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sarcfeat.exceptions import InvalidInput
from sarcfeat.store.connection import Connection
from sarcfeat.store.identity import canonical_json, digest, unit_id
from sarcfeat.store.images import IMAGE
from sarcfeat.store.layouts import Layout, describe
from sarcfeat.store.masks import DEFAULT_LESION, LESION, MASK
from sarcfeat.store.results import append_results
from sarcfeat.store.sheets import Sheet
from sarcfeat.store.times import microseconds
from sarcfeat.store.units import Result, Task

__all__ = ["KIND", "Imported", "Row", "results_of_rows", "write_results"]

KIND = "imported"
CODE = "sarcfeat import 1"
VOXELS = "diagnostics_Mask-original_VoxelNum"


@dataclass
class Imported:
    """What stands in an encoder's place: the table and how it was read."""

    name: str
    params: dict[str, Any]
    columns: dict[str, str]
    tool: str

    def fingerprint(self) -> dict[str, Any]:
        """Return all that decides the numbers: the table and how it was read."""
        return {
            "name": self.name,
            "version": KIND,
            "params": self.params,
            "weights_sha256": None,
            "code": CODE,
        }

    def describe_feature(self, name: str) -> dict[str, str | None]:
        """Return image_filter, family, ibsi and unit, where the column tells."""
        return describe(self.columns[name], self.tool)

    def encode(self, image_path: str, mask_path: str, *, label: int = 1) -> Any:
        """Raise: nothing here can be computed again."""
        raise InvalidInput(
            f"{self.name} was imported from a table; it cannot be computed again."
        )


@dataclass(frozen=True)
class Row:
    """One row of one sequence."""

    at: int
    patient: str
    phase: str
    reader: str
    session: int
    names: list[str]


def results_of_rows(
    sheet: Sheet,
    layout: Layout,
    acquired_at: str | None,
    extractor: str,
    rows: list[Row],
    values: dict[str, npt.NDArray[np.float64]],
) -> tuple[list[tuple[Result, list[list[Any]]]], list[str]]:
    """Return the units, each with its image and mask rows; and the empty rows."""
    voxels = sheet.columns.get(VOXELS)
    dates = sheet.columns[acquired_at] if acquired_at else None
    results: list[tuple[Result, list[list[Any]]]] = []
    empty = []
    # Rows of one sequence share the list of its columns.
    stacked: dict[int, tuple[tuple[str, ...], npt.NDArray[np.float64]]] = {}
    for row in rows:
        image = digest(KIND, extractor, row.patient, row.phase)
        mask = digest(KIND, image, row.reader, row.session)
        task = Task(
            unit_id=unit_id(image, mask, extractor),
            image_id=image,
            mask_id=mask,
            patient=row.patient,
            phase=row.phase,
            reader=row.reader,
            session=row.session,
            label=0,
            image_path=sheet.source,
            mask_path=sheet.source,
        )
        held = stacked.get(id(row.names))
        if held is None:
            held = stacked[id(row.names)] = (
                tuple(layout.features[name][1] for name in row.names),
                np.column_stack([values[name] for name in row.names]),
            )
        names, numbers = held[0], held[1][row.at]
        place = f"{sheet.places[row.at]} of {sheet.source}"
        if np.isnan(numbers).all():
            empty.append(f"{row.patient} {row.phase} ({sheet.places[row.at]})")
            text = f"Patient {row.patient}, {row.phase}: {place} holds no number."
            result = Result(task, 0.0, error_code="NoNumbers", error_text=text)
        else:
            notes = (place, *(note for note in sheet.notes if "cast" in note))
            result = Result(task, 0.0, names, numbers, notes)
        when = None if dates is None else _date(sheet, row, dates[row.at])
        told = {n: str(sheet.columns[n][row.at]) for n in layout.provenance}
        size = _count(voxels, row.at)
        lesion = digest("lesion", row.patient, DEFAULT_LESION)
        head = [image, row.patient, KIND, row.phase, when, canonical_json(told)]
        outline = [mask, image, row.patient, row.phase, lesion, row.reader]
        mark = [size, f"{KIND}:{mask}", sheet.source, sheet.sha256]
        results.append(
            (
                result,
                [
                    [*head, sheet.source, sheet.sha256],
                    [*outline, row.session, 0, *mark],
                    [lesion, row.patient, DEFAULT_LESION],
                ],
            )
        )
    return results, empty


def _date(sheet: Sheet, row: Row, cell: Any) -> int | None:
    try:
        return microseconds(cell)
    except (ValueError, TypeError) as error:
        raise InvalidInput(
            f"{sheet.source}, {sheet.places[row.at]}, patient {row.patient}: {cell!r} "
            "is not a date. Write dates as year-month-day, such as 2019-04-30."
        ) from error


def _count(voxels: Any, at: int) -> int | None:
    text = "" if voxels is None else str(voxels[at]).removesuffix(".0")
    return int(text) if text.isdecimal() else None


def write_results(
    db: Connection,
    tool: Imported,
    extractor: str,
    sheet: Sheet,
    results: list[tuple[Result, list[list[Any]]]],
) -> int:
    """Write everything in one transaction; return the number of new units."""
    held = {
        row[0]
        for row in db.rows(
            "SELECT unit_id FROM unit WHERE extractor_id = ? AND retired_no IS NULL",
            [extractor],
        )
    }
    new = [(r, rows) for r, rows in results if r.task.unit_id not in held]
    if not new:
        return 0
    run = uuid.uuid4().hex
    file = Path(sheet.source).name
    with db.commit(f"import {tool.name}"):
        db.update(
            "INSERT INTO run (run_id, status, host, command, env, finished_at, "
            "commit_no) VALUES (?, 'finished', ?, ?, ?, now(), ?)",
            [
                run,
                socket.gethostname(),
                f"import {tool.name} from {file}",
                json.dumps({"imported": time.strftime("%Y-%m-%d", time.gmtime())}),
                db.commit_no,
            ],
        )
        known = {
            table: {row[0] for row in db.rows(f"SELECT {table}_id FROM {table}")}
            for table in ("image", "mask", "lesion")
        }
        for at, (table, types) in enumerate(
            (("image", IMAGE), ("mask", MASK), ("lesion", LESION))
        ):
            fresh = {rows[at][0]: rows[at] for r, rows in new if r.ok}
            db.insert(
                table,
                types,
                [row for key, row in fresh.items() if key not in known[table]],
            )
        append_results(db, tool, extractor, run, [r for r, _ in new])
    return sum(r.ok for r, _ in new)
