"""The data dictionary of a store, written from its schema.

``python -m sarcfeat.store.dictionary > store/data_dictionary.md`` writes the page of
this checkout; a test holds it to the schema.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

import duckdb

from sarcfeat.store.migrations import scripts
from sarcfeat.store.patients import ROLES

__all__ = ["data_dictionary"]

HEAD = """\
# Data dictionary of a feature store

Written by `python -m sarcfeat.store.dictionary` from the schema
(`sarcfeat/store/schema/*.sql`); do not edit it by hand. Identity is content: ids are
hashes of what they name. Rows are appended; one that no longer holds gets a
`retired_no`. `commit_no`, not the clock, orders everything. Times are UTC.
"""
TABLE = re.compile(r"CREATE TABLE (?:IF NOT EXISTS )?(\w+)\s*\((?:\s*--\s*(.*))?")
COLUMN = re.compile(r'\s+"?(\w+)"?\s+[A-Z]')
ALTERED = re.compile(r'ALTER TABLE (\w+) ADD COLUMN (?:IF NOT EXISTS )?"?(\w+)"?')
COMMENT = re.compile(r"[^-]*--\s*(.*)")
KEYWORDS = ("PRIMARY", "CHECK", "UNIQUE", "FOREIGN", "CONSTRAINT")
# What a column means wherever the schema does not say more beside it.
MEANINGS = {
    "acquired_at": "when the patient was scanned, or the tissue taken",
    "at": "when, by the clock of the machine",
    "attempt_id": "one try",
    "by": "on whose behalf",
    "bytes": "size of the file",
    "centre": "hospital or scanner",
    "checksum": "hash of the numbers or of the file, as it was written",
    "code_commit": "version of the code, where it is known",
    "cohort_id": "name of the cohort",
    "command": "what was run",
    "commit_no": "number of the commit that wrote the row",
    "coords_uri": "file of the tiles' places, where it is another one",
    "created_at": "when, by the clock of the machine",
    "dim": "numbers a tile",
    "dtype": "type of these numbers",
    "duckdb_version": "version that made the catalogue",
    "endpoint": "name of the endpoint, such as mfs",
    "env": "versions of Python and of what was used",
    "error_code": "name of the error, where there was one",
    "error_text": "its message",
    "extractor_id": "which extractor",
    "family": "group of features, such as glcm",
    "feature_set_id": "which list of features",
    "file_sha256": "hash of the file's bytes",
    "fingerprint": "all that decides the numbers",
    "finished_at": "when it ended; empty: it is running, or was cut short",
    "frozen_at": "when the list was made",
    "host": "name of the machine",
    "ibsi": "identifier of the Image Biomarker Standardisation Initiative",
    "image_filter": "filter before the feature, such as wavelet-LLH",
    "image_id": "which image, by its content",
    "kind": "CT, MR, PET, WSI or RNA",
    "label": "voxel value of the lesion",
    "lesion": "name of the lesion, where a patient has several",
    "lesion_id": "which lesion",
    "mask_id": "which mask, by its content",
    "matrix_id": "which matrix, by request and content",
    "mtime_ns": "when the file was changed",
    "n": "how many features",
    "n_cols": "how many columns X has",
    "n_missing": "how many of the numbers are NaN",
    "n_rows": "how many rows",
    "n_voxels": "size of the lesion",
    "name": "what people call it",
    "names": "the features, in the order of the numbers",
    "origin": "what the time counts from, such as surgery",
    "params": "settings, in one canonical form",
    "params_sha256": "hash of the settings",
    "path": "where the file is, or should be",
    "patient_id": "pseudonym of the patient",
    "pattern": "how the files are named",
    "phase": "sequence or phase, as it was named",
    "pos": "place in the list of features, from 0",
    "reader": "who drew the mask",
    "reason": "why",
    "retired_no": "commit from which the row no longer holds",
    "roi": "what the mask outlines",
    "role": "what the column may be used for; see the roles below",
    "root": "the folder",
    "run_id": "which run of encode or import",
    "schema_version": "number of the last migration",
    "seconds": "how long it took",
    "seed": "seed of what was random",
    "session": "which reading of this reader, from 1",
    "sha256": "hash of the content",
    "size": "of the file, in bytes",
    "source": "table that it came from",
    "source_id": "one source of files",
    "spec": "the request, as JSON",
    "started_at": "when it began",
    "status": "how it ended",
    "store_id": "drawn at random when the store was made",
    "store_version": "last commit that the matrix has seen",
    "time_days": "time to the event or to the end of follow-up, in days",
    "unit": "unit of measurement, such as mm",
    "unit_id": "which unit of work",
    "unit_ids": "the units whose numbers it holds",
    "uri": "where the file is",
    "v": "the numbers",
    "value_num": "the value, of a variable with numbers",
    "value_text": "the value, of a variable with words",
    "variable": "name of the clinical variable",
    "version": "1 for the first list of this name, 2 …",
    "warnings": "what the extractor said",
    "weights_sha256": "hash of a network's weights",
    "what": "image, mask or bag; of a commit: what was done",
    "written_at": "when it entered the store",
}


def data_dictionary() -> str:
    """Return every table and column with its type and meaning, as Markdown.

    Examples
    --------
    >>> "| `patient_id` | VARCHAR | key |" in data_dictionary()
    True
    """
    told = _comments()
    lines = [HEAD]
    db = duckdb.connect(":memory:")
    try:
        for _, script in sorted(scripts().items()):
            db.execute(script)
        keys = _keys(db)
        for table in _tables(db):
            lines += [f"## {table}", ""]
            if about := told.get((table, "")):
                lines += [f"{about[0].upper()}{about[1:]}.", ""]
            lines += ["| column | type | | meaning |", "|---|---|---|---|"]
            for name, kind, nullable in _columns(db, table):
                mark = "key" if name in keys.get(table, []) else ""
                mark = mark or ("" if nullable else "never empty")
                about = (told.get((table, name)) or MEANINGS.get(name, "")).replace(
                    "|", r"\|"
                )
                lines.append(f"| `{name}` | {kind} | {mark} | {about} |")
            lines.append("")
    finally:
        db.close()
    lines += ["## Roles of clinical variables", "", "| role | meaning |", "|---|---|"]
    lines += [f"| `{role}` | {meaning} |" for role, meaning in ROLES.items()]
    return "\n".join(lines) + "\n"


def _tables(db: duckdb.DuckDBPyConnection) -> list[str]:
    found = db.execute("SELECT table_name FROM duckdb_tables() ORDER BY table_oid")
    return [row[0] for row in found.fetchall()]


def _columns(db: duckdb.DuckDBPyConnection, table: str) -> list[tuple[str, str, bool]]:
    return db.execute(
        "SELECT column_name, data_type, is_nullable FROM duckdb_columns() "
        "WHERE table_name = ? ORDER BY column_index",
        [table],
    ).fetchall()


def _keys(db: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    found = db.execute(
        "SELECT table_name, constraint_column_names FROM duckdb_constraints() "
        "WHERE constraint_type = 'PRIMARY KEY'"
    )
    return dict(found.fetchall())


def _comments() -> dict[tuple[str, str], str]:
    """Read what the schema says beside each table ("") and column."""
    told: dict[tuple[str, str], str] = {}
    for _, script in sorted(scripts().items()):
        place: tuple[str, str] | None = None
        for line, where in _placed(script):
            place = where or place
            found = COMMENT.match(line)
            if place is not None and found:
                told[place] = f"{told.get(place, '')} {found[1].strip()}".strip()
    return told


def _placed(script: str) -> Iterator[tuple[str, tuple[str, str] | None]]:
    """Yield each line inside a definition, and what it begins to define."""
    table = ""
    for line in script.splitlines():
        if found := TABLE.match(line):
            table = found[1]
            yield line, (table, "")
        elif found := ALTERED.match(line):
            yield line, (found[1], found[2])
        elif line.startswith(")"):
            table = ""
        elif table:
            column = COLUMN.match(line)
            known = column is not None and column[1] not in KEYWORDS
            yield line, (table, column[1]) if column and known else None


if __name__ == "__main__":
    sys.stdout.write(data_dictionary())
