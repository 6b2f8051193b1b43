"""A withdrawn consent: the patient leaves every table, file and copy."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sarcfeat._validation import listed, pick
from sarcfeat.exceptions import InputCorrupt, InvalidInput, SarcfeatError
from sarcfeat.io.bagfile import open_bag
from sarcfeat.store.connection import Connection
from sarcfeat.store.frozen import rebuild
from sarcfeat.store.garbage import remove
from sarcfeat.store.past import Past
from sarcfeat.store.readings import readings_problem

__all__ = ["Erasure", "erase_files", "erase_rows"]

KEPT = ("erased", "invalidated")
ERASED = {"patient_id": "VARCHAR", '"by"': "VARCHAR", "reason": "VARCHAR"}
INVALIDATED = {"matrix_id": "VARCHAR", "patient_id": "VARCHAR"}
HEAD = 1_000_000


@dataclass(frozen=True)
class Erasure:
    """What ``store.erase`` removed.

    Attributes
    ----------
    patient : str
        Who is gone; the tombstone (table ``erased``) keeps this id, when, by whom and
        why.
    rows : dict of table to int
        Rows removed.
    files : tuple of str
        Files of the store that were removed.
    invalidated : tuple of str
        Ids of frozen matrices that held the patient and cannot be made again.
    kept_outside : tuple of str
        The patient's own files outside the store, which are yours to remove.
    """

    patient: str
    rows: dict[str, int]
    files: tuple[str, ...]
    invalidated: tuple[str, ...]
    kept_outside: tuple[str, ...]

    def __str__(self) -> str:
        """Return what is gone, what is no longer valid and what is left to do."""
        lines = [
            f"{self.patient} is erased: {sum(self.rows.values())} rows of "
            f"{len(self.rows)} tables, {len(self.files)} files"
        ]
        if self.invalidated:
            lines.append(f"  no longer valid: matrices {listed(self.invalidated, 12)}")
        if self.kept_outside:
            lines.append(
                f"  outside the store, not removed: {listed(self.kept_outside, 12)}"
            )
        return "\n".join(lines)


def erase_rows(
    db: Connection, store: Path, patient: str, reason: str, by: str | None
) -> tuple[dict[str, int], list[str], list[str], list[str]]:
    """Remove the rows of a patient in one transaction.

    Returns
    -------
    tuple
        Rows removed by table, matrices invalidated, the patient's paths inside the
        store and those outside.
    """
    if not reason.strip():
        raise InvalidInput(f"Erasing {patient!r} needs a reason, such as 'withdrawal'.")
    erased = [row[0] for row in db.rows("SELECT patient_id FROM erased")]
    known = [row[0] for row in db.rows("SELECT patient_id FROM patient")]
    pick(patient, [*known, *erased], "patient")
    inside, outside = _paths(db, store, patient)
    units = _units(db, patient)
    matrices = _matrices_with(db, patient, units)
    removed: dict[str, int] = {}
    with db.commit("erase a patient"):
        for table, column in _tables(db):
            values = units if column == "unit_id" else [patient]
            where = f'FROM "{table}" WHERE list_contains(?::VARCHAR[], {column})'
            n = int(db.one(f"SELECT count(*) {where}", [values])[0])
            if n:
                db.update(f"DELETE {where}", [values])
                removed[table] = removed.get(table, 0) + n
        if patient not in erased:
            db.insert("erased", ERASED, [[patient, by, reason]])
        db.insert("invalidated", INVALIDATED, [[m, patient] for m in matrices])
    return removed, matrices, inside, outside


def _tables(db: Connection) -> list[tuple[str, str]]:
    """Return each table and column that can name a patient or a unit of one."""
    rows = db.rows(
        "SELECT table_name, column_name FROM duckdb_columns() "
        "WHERE database_name = current_database() AND NOT internal "
        "AND column_name IN ('patient_id', 'unit_id') ORDER BY ALL"
    )
    return [(table, column) for table, column in rows if table not in KEPT]


def _units(db: Connection, patient: str) -> list[str]:
    """Return the units of a patient's masks and slides that are nobody else's."""
    rows = db.rows(
        "SELECT unit_id FROM unit u WHERE EXISTS (SELECT 1 FROM (SELECT mask_id AS id, "
        "patient_id FROM mask UNION ALL SELECT image_id, patient_id FROM image "
        "UNION ALL SELECT slide_id, patient_id FROM slide "
        "UNION ALL SELECT annotation_id, patient_id FROM annotation) o "
        "WHERE o.patient_id = ? AND o.id = coalesce(u.mask_id, u.image_id)) "
        "AND NOT EXISTS (SELECT 1 FROM (SELECT mask_id AS id, patient_id FROM mask "
        "UNION ALL SELECT image_id, patient_id FROM image) o "
        "WHERE o.patient_id <> ? AND o.id = coalesce(u.mask_id, u.image_id))",
        [patient, patient],
    )
    return [str(row[0]) for row in rows]


def _paths(db: Connection, store: Path, patient: str) -> tuple[list[str], list[str]]:
    """Return the patient's files inside the store and outside it."""
    rows = db.rows(
        "SELECT uri FROM image WHERE patient_id = $1 UNION "
        "SELECT uri FROM mask WHERE patient_id = $1 UNION "
        "SELECT uri FROM slide WHERE patient_id = $1 AND uri IS NOT NULL UNION "
        "SELECT uri FROM annotation WHERE patient_id = $1 UNION "
        "SELECT path FROM file WHERE patient_id = $1 UNION "
        "SELECT e.uri FROM embedding_file e JOIN unit u USING (unit_id) "
        "JOIN slide s ON s.slide_id = u.image_id WHERE s.patient_id = $1 UNION "
        "SELECT e.coords_uri FROM embedding_file e JOIN unit u USING (unit_id) "
        "JOIN slide s ON s.slide_id = u.image_id WHERE s.patient_id = $1 "
        "AND e.coords_uri IS NOT NULL",
        [patient],
    )
    home = store.resolve()
    paths = sorted(store / row[0] for row in rows)
    inside = [p for p in paths if p.resolve().is_relative_to(home)]
    return [str(p) for p in inside], [
        str(p) for p in paths if p not in inside and p.exists()
    ]


def _matrices_with(db: Connection, patient: str, units: list[str]) -> list[str]:
    """Return the frozen matrices that hold a patient."""
    mine = set(units)
    known = db.rows("SELECT commit_no FROM patient WHERE patient_id = ?", [patient])
    cohorts = set(
        db.rows(
            "SELECT cohort_id, version FROM cohort_member WHERE patient_id = ?",
            [patient],
        )
    )
    held = {
        row[0]
        for row in db.rows(
            "SELECT matrix_id FROM invalidated WHERE patient_id = ?", [patient]
        )
    }
    found = []
    for name, text, version, of in db.rows(
        "SELECT matrix_id, spec, store_version, unit_ids FROM matrix ORDER BY commit_no"
    ):
        spec = json.loads(text)
        member = (
            bool(known) and known[0][0] <= version
            if spec["cohort"] is None
            else (spec["cohort"], spec["cohort_version"]) in cohorts
        )
        if name in held or not (member or mine & set(of)):
            continue
        if mine & set(of) or _is_row(db, spec, int(version), patient):
            found.append(str(name))
    return found


def _is_row(db: Connection, spec: dict[str, Any], version: int, patient: str) -> bool:
    """Whether a member of the cohort is a row of a matrix, too."""
    if spec["outcome"] is None and spec["missing"] == "keep":
        return True
    past = Past(db, version)
    try:
        return patient in rebuild(past, spec).X.index
    except SarcfeatError:
        # What cannot be made again any more is not valid either.
        return True
    finally:
        past.close()


def erase_files(store: Path, patient: str, inside: list[str]) -> list[str]:
    """Remove every file of the store that holds something of a patient."""
    gone = [
        *(Path(path) for path in inside),
        *_side_files(store, patient),
        *_bags(store, patient),
        *_readings(store, patient),
        *_naming(store / "inbox", patient),
        *_naming(store / "quarantine", patient),
        *(store / "quarantine").glob("*.wal*"),
        # Copies of the catalogue hold everybody as of their day.
        *(store / "snapshots").glob("*catalog-*"),
        *(store / "backups").glob("*catalog-*"),
    ]
    removed = [path for path in dict.fromkeys(gone) if path.exists()]
    for path in removed:
        remove(path)
    return [str(path) for path in removed]


def _side_files(store: Path, patient: str) -> Iterator[Path]:
    """Yield the folder of volumes that were written for a patient."""
    folder = store / "images" / patient
    if folder.is_dir() and folder.resolve().parent == (store / "images").resolve():
        yield folder


def _bags(store: Path, patient: str) -> Iterator[Path]:
    for path in (store / "arrays").rglob("*"):
        if not path.is_file():
            continue
        try:
            mine = open_bag(str(path)).told.get("patient") == patient
        except InputCorrupt:
            mine = _names(path, patient)
        if mine:
            yield path


def _readings(store: Path, patient: str) -> Iterator[Path]:
    for path in (store / "readings").glob("*"):
        patients, problem = readings_problem(path)
        if patient in patients or (problem and not patients):
            yield path


def _naming(folder: Path, patient: str) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and _names(path, patient):
            yield path


def _names(path: Path, patient: str) -> bool:
    """Whether a file's beginning names a patient, as plain text or as JSON."""
    plain = json.dumps(patient)[1:-1]
    forms = {patient, plain, json.dumps(plain)[1:-1]}
    either = b"|".join(re.escape(form.encode()) for form in forms)
    whole = re.compile(rb"(?<![0-9A-Za-z])(?:" + either + rb")(?![0-9A-Za-z])")
    with open(path, "rb") as file:
        return whole.search(file.read(HEAD)) is not None
