"""Results of units into the catalogue: vectors, their names, and every try."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sarcfeat.exceptions import NonDeterministicExtraction
from sarcfeat.store.connection import Connection
from sarcfeat.store.identity import digest, vector_checksum
from sarcfeat.store.units import (
    ATTEMPT,
    UNIT,
    Describes,
    Result,
    attempt_id,
    text_or_none,
)
from sarcfeat.store.vectors import Vector, write_vectors

__all__ = ["append_results", "attempt_row", "unit_row"]


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
        db.insert("unit", UNIT, [unit_row(r, extractor, run) for r in good])
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
        db.insert("attempt", ATTEMPT, [attempt_row(r, extractor, run) for r in judged])
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
            columns[i].append(text_or_none(described.get(key)))
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


def unit_row(result: Result, extractor: str, run: str) -> list[Any]:
    """Return the row of a unit that is done."""
    t = result.task
    notes = json.dumps(list(result.warnings))
    return [t.unit_id, t.image_id, t.mask_id, extractor, run, notes, result.seconds]


def attempt_row(result: Result, extractor: str, run: str) -> list[Any]:
    """Return the row of a try, whatever came of it."""
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
