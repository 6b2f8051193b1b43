"""Frozen matrices: the same id gives the same bits later, or says why it cannot."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sarcfeat._validation import listed
from sarcfeat.exceptions import SarcfeatError, StoreError, UnknownName
from sarcfeat.store.cohorts import members
from sarcfeat.store.connection import Connection
from sarcfeat.store.matrix import Matrix, build_matrix, split_id
from sarcfeat.store.past import Past

__all__ = ["full_id", "thaw"]


def full_id(db: Connection, matrix_id: str) -> str:
    """Return the whole id of a frozen matrix from it or its beginning.

    Raises
    ------
    UnknownName
        No matrix of that id was frozen, or several begin so.
    """
    found = [
        row[0]
        for row in db.archive.rows(
            "SELECT matrix_id FROM matrix WHERE starts_with(matrix_id, ?)", [matrix_id]
        )
    ]
    if len(found) == 1 and matrix_id:
        return str(found[0])
    known = db.archive.rows("SELECT matrix_id FROM matrix ORDER BY commit_no DESC")
    raise UnknownName(
        f"{len(found) if matrix_id else 0} frozen matrices have the id {matrix_id!r}. "
        f"The latest are {listed([row[0] for row in known]) or 'none'}."
    )


def thaw(db: Connection, matrix_id: str) -> Matrix:
    """Make a frozen matrix again, from the catalogue as it was.

    Raises
    ------
    UnknownName
        No matrix of that id was frozen.
    StoreError
        The same bits can no longer be made; the erased patients are named.
    """
    frozen, asked = split_id(matrix_id)
    found = _thaw(db, frozen)
    for needed in asked:
        found = found.complete(needed)
    return found


def _thaw(db: Connection, matrix_id: str) -> Matrix:
    archive = db.archive
    name = full_id(db, matrix_id)
    text, version, sha256 = archive.one(
        "SELECT spec, store_version, sha256 FROM matrix WHERE matrix_id = ?", [name]
    )
    spec: dict[str, Any] = json.loads(text)
    past = Past(archive, int(version))
    try:
        made = rebuild(past, spec)
    except SarcfeatError as error:
        raise _lost(archive, name, int(version), str(error)) from error
    finally:
        past.close()
    if made.matrix_id != name:
        raise _lost(archive, name, int(version), f"its hash is no longer {sha256}")
    return made


def rebuild(past: Connection, spec: dict[str, Any]) -> Matrix:
    """Ask for what a frozen request asked for."""
    return build_matrix(
        past,
        members(past, spec["cohort"]),
        features=spec["features"],
        outcome=spec["outcome"],
        competing=spec["competing"],
        reader=spec["reader"],
        session=spec["session"],
        as_of=spec["as_of"],
        missing=spec["missing"],
        extractor=spec["extractor"],
        # A frozen matrix has passed this check, or was told to keep zeros.
        zero="keep",
        freeze=False,
    )


def _lost(db: Connection, name: str, version: int, why: str) -> StoreError:
    gone = [
        row[0]
        for row in db.rows(
            "SELECT patient_id FROM invalidated WHERE matrix_id = ? ORDER BY ALL",
            [name],
        )
    ]
    if gone:
        return StoreError(
            f"Matrix {name} cannot be made again: patients {_names(gone)} were erased "
            "since. Ask for the matrix anew; it gets an id of its own."
        )
    return StoreError(
        f"Matrix {name} of version {version} cannot be made again: {why}. Run "
        "store.verify() to see which numbers have changed."
    )


def _names(patients: Sequence[str]) -> str:
    return listed(patients, 12)
