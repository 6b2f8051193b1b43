"""Bags that workers wrote, into the catalogue: one transaction a batch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sarcfeat.exceptions import (
    InvalidInput,
    NonDeterministicExtraction,
    SarcfeatError,
)
from sarcfeat.store.bag_intake import refuse_other_dim
from sarcfeat.store.connection import Connection
from sarcfeat.store.identity import file_sha256
from sarcfeat.store.results import attempt_row, unit_row
from sarcfeat.store.units import ATTEMPT, UNIT, Result

__all__ = ["append_bags", "bag_is_whole"]

BAG = {
    "unit_id": "VARCHAR",
    "uri": "VARCHAR",
    "n_rows": "BIGINT",
    "dim": "INTEGER",
    "dtype": "VARCHAR",
    "bytes": "BIGINT",
    "checksum": "VARCHAR",
    "layout": "VARCHAR",
    "tile_px": "DOUBLE",
}
COUNT = {
    "unit_id": "VARCHAR",
    "region": "VARCHAR",
    "tile_group": "VARCHAR",
    "tiles": "BIGINT",
}


def bag_is_whole(store: Path, bag: dict[str, Any]) -> bool:
    """Whether a bag that a fragment names lies in the store, bit for bit."""
    path = store / bag["uri"]
    try:
        return (
            os.path.getsize(path) == bag["bytes"]
            and file_sha256(str(path)) == bag["checksum"]
        )
    except OSError:
        return False


def append_bags(
    db: Connection, store: Path, extractor: str, run: str, results: Sequence[Result]
) -> list[Result]:
    """Write the rows of bags whose files are in place; return the failures.

    A bag that is there with the same bytes stays; other bytes are a failure
    (``NonDeterministicExtraction``), unless the file that was kept is gone.
    """
    judged = [_judge(db, store, extractor, result) for result in results]
    for result in judged:
        if result.ok:
            _write(db, extractor, run, result)
    db.insert("attempt", ATTEMPT, [attempt_row(r, extractor, run) for r in judged])
    return [result for result in judged if not result.ok]


def _judge(db: Connection, store: Path, extractor: str, result: Result) -> Result:
    bag, task = _bag(result), result.task
    who = f"Patient {task.patient}, slide {task.phase} ({task.image_path})"
    try:
        refuse_other_dim(db, extractor, bag["dim"], who)
        held = _held(db, task.unit_id)
        if held is not None and held[1] != bag["checksum"]:
            if (store / held[0]).exists():
                raise NonDeterministicExtraction(_other(store, who, bag))
            note = "the bag kept before was lost; made again, it has other numbers"
            return replace(result, warnings=(*result.warnings, note))
    except SarcfeatError as error:
        return Result(
            task=task,
            seconds=result.seconds,
            error_code=type(error).__name__,
            error_text=str(error),
        )
    return result


def _other(store: Path, who: str, bag: dict[str, Any]) -> str:
    """Keep other numbers of one unit apart; the first are served."""
    path = store / bag["uri"]
    aside = store / "quarantine" / path.name
    if path.exists():
        os.replace(path, aside)
    return (
        f"{who}: the encoder gave other numbers than before for the same slide. The "
        f"first are served, these are kept in {aside}. Fix the encoder's seed, or give "
        "another setting a name of its own."
    )


def _held(db: Connection, unit: str) -> tuple[str, str] | None:
    rows = db.rows("SELECT uri, checksum FROM embedding_file WHERE unit_id = ?", [unit])
    return (rows[0][0], rows[0][1]) if rows else None


def _bag(result: Result) -> dict[str, Any]:
    if result.bag is None:
        raise InvalidInput(f"Unit {result.task.unit_id} has no bag.")
    return result.bag


def _write(db: Connection, extractor: str, run: str, result: Result) -> None:
    bag, unit = _bag(result), result.task.unit_id
    row = [unit, *(bag[name] for name in list(BAG)[1:])]
    if db.rows("SELECT 1 FROM unit WHERE unit_id = ?", [unit]):
        db.update("UPDATE unit SET retired_no = NULL WHERE unit_id = ?", [unit])
    else:
        db.insert("unit", UNIT, [unit_row(result, extractor, run)])
    if _held(db, unit) is None:
        db.insert("embedding_file", BAG, [row])
    else:
        db.update(
            "UPDATE embedding_file SET uri = ?, n_rows = ?, dim = ?, dtype = ?, "
            "bytes = ?, checksum = ?, layout = ?, tile_px = ? WHERE unit_id = ?",
            [*row[1:], unit],
        )
    db.update("DELETE FROM tile_count WHERE unit_id = ?", [unit])
    db.insert("tile_count", COUNT, [[unit, *count] for count in bag["counts"]])
