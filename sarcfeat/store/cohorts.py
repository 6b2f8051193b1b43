"""Cohorts: frozen lists of patients, each with a site and an index time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import duckdb
import pandas as pd

from sarcfeat._validation import listed, pick
from sarcfeat.exceptions import CohortError, UnknownName
from sarcfeat.store.connection import CONFIG, Connection
from sarcfeat.store.identity import canonical_json, digest
from sarcfeat.store.patients import id_text
from sarcfeat.store.times import microseconds

__all__ = ["Members", "add_cohort", "members"]

MEMBER = {
    "cohort_id": "VARCHAR",
    "version": "INTEGER",
    "patient_id": "VARCHAR",
    "centre": "VARCHAR",
    "index_time": "us",
}


@dataclass(frozen=True)
class Members:
    """The patients of a cohort version, sorted by id."""

    name: str | None
    version: int
    patients: list[str]
    site: dict[str, str | None]
    index_time: dict[str, int | None]
    required: tuple[str, ...] = field(default=())


def add_cohort(
    db: Connection,
    name: str,
    *,
    query: str | None,
    patients: Iterable[str] | None,
    required: Sequence[str],
) -> None:
    """Freeze a list of patients under a name; a changed list is a new version."""
    everyone = _everyone(db)
    chosen = _chosen(db, everyone, query, patients)
    if not chosen:
        raise CohortError(
            f"Cohort {name!r} has no patients: none of {len(everyone.patients)} in the "
            f"store fits {query!r}. Correct the query, or add patients first."
        )
    rows = [[p, everyone.site.get(p), everyone.index_time.get(p)] for p in chosen]
    spec = {"query": query, "required": list(required)}
    mark = digest("cohort", spec, rows)
    found = db.rows(
        "SELECT version, sha256 FROM cohort WHERE cohort_id = ? ORDER BY version",
        [name],
    )
    if found and found[-1][1] == mark:
        return
    version = len(found) + 1
    with db.commit(f"add_cohort {name}"):
        db.insert(
            "cohort",
            {
                "cohort_id": "VARCHAR",
                "version": "INTEGER",
                "spec": "JSON",
                "sha256": "VARCHAR",
            },
            [[name, version, canonical_json(spec), mark]],
        )
        db.insert("cohort_member", MEMBER, [[name, version, *row] for row in rows])


def members(db: Connection, name: str | None) -> Members:
    """Return the latest version of a cohort; all patients when `name` is None."""
    if name is None:
        return _everyone(db)
    names = [row[0] for row in db.rows("SELECT DISTINCT cohort_id FROM cohort")]
    pick(name, sorted(names), "cohort")
    version, spec = db.one(
        "SELECT version, spec->'required' FROM cohort WHERE cohort_id = ? "
        "ORDER BY version DESC LIMIT 1",
        [name],
    )
    rows = db.rows(
        "SELECT patient_id, centre, epoch_us(index_time) FROM cohort_member "
        "WHERE cohort_id = ? AND version = ? ORDER BY patient_id",
        [name, version],
    )
    required = db.rows("SELECT unnest(from_json(?, '[\"VARCHAR\"]'))", [spec])
    return Members(
        name=name,
        version=int(version),
        patients=[row[0] for row in rows],
        site={row[0]: row[1] for row in rows},
        index_time={row[0]: row[2] for row in rows},
        required=tuple(row[0] for row in required),
    )


def _everyone(db: Connection) -> Members:
    patients = [
        row[0] for row in db.rows("SELECT patient_id FROM patient ORDER BY patient_id")
    ]
    values = db.rows(
        "SELECT role, patient_id, value_text FROM clinical WHERE retired_no IS NULL "
        "AND role IN ('site', 'index_time') ORDER BY commit_no"
    )
    site = {patient: text for role, patient, text in values if role == "site"}
    times = {
        patient: microseconds(text)
        for role, patient, text in values
        if role == "index_time"
    }
    return Members(
        name=None,
        version=0,
        patients=patients,
        site={patient: site.get(patient) for patient in patients},
        index_time={patient: times.get(patient) for patient in patients},
    )


def _chosen(
    db: Connection,
    everyone: Members,
    query: str | None,
    patients: Iterable[str] | None,
) -> list[str]:
    chosen = set(everyone.patients)
    if patients is not None:
        asked = [id_text(patient) for patient in patients]
        unknown = [patient for patient in asked if patient not in chosen]
        if unknown:
            raise UnknownName(
                f"{len(unknown)} patients are not in the store: {listed(unknown)}. "
                "Add them with add_patients, or correct their ids."
            )
        chosen &= set(asked)
    if query is not None:
        chosen &= _matching(db, everyone, query)
    return sorted(chosen)


def _matching(db: Connection, everyone: Members, query: str) -> set[str]:
    """Return the patients for whom a SQL condition over the variables holds.

    It runs in a database of its own, in memory, that holds this one table.
    """
    table = _wide(db, everyone)
    side = duckdb.connect(":memory:", config=CONFIG)
    try:
        side.register("patients", table)
        statements = side.extract_statements(
            f"SELECT patient FROM patients WHERE {query}"
        )
        if len(statements) != 1:
            raise CohortError(f"query={query!r} is more than one condition.")
        rows = side.execute(statements[0]).fetchall()
    except duckdb.Error as error:
        raise CohortError(
            f"query={query!r} does not work: {str(error).splitlines()[0]} It is a SQL "
            "condition over the patients' columns, such as \"site = 'Bordeaux'\"; "
            f"they are {listed(table.columns, 20)}."
        ) from error
    finally:
        side.close()
    return {row[0] for row in rows}


def _wide(db: Connection, everyone: Members) -> pd.DataFrame:
    rows = db.rows(
        "SELECT patient_id, variable, value_num, value_text FROM clinical "
        "WHERE retired_no IS NULL ORDER BY commit_no"
    )
    columns: dict[str, dict[str, object]] = {}
    for patient, variable, number, text in rows:
        columns.setdefault(variable, {})[patient] = number if text is None else text
    table = pd.DataFrame(index=pd.Index(everyone.patients, name="patient", dtype="str"))
    wide = {
        name: pd.Series(cells, dtype=_dtype(cells)).reindex(table.index)
        for name, cells in columns.items()
    }
    return pd.DataFrame(wide, index=table.index).reset_index()


def _dtype(cells: dict[str, object]) -> str:
    return "str" if any(isinstance(cell, str) for cell in cells.values()) else "float64"
