"""The schema as numbered SQL files, each applied once and in one transaction."""

from __future__ import annotations

import uuid
from importlib import resources

import duckdb

from sarcfeat.exceptions import StoreError
from sarcfeat.store.connection import Connection

__all__ = ["latest_version", "migrate", "schema_version"]


def scripts() -> dict[int, str]:
    """Return the SQL of each schema version, by its number."""
    folder = resources.files("sarcfeat.store") / "schema"
    return {
        int(entry.name.split("_", 1)[0]): entry.read_text(encoding="utf-8")
        for entry in sorted(folder.iterdir(), key=lambda item: item.name)
        if entry.name.endswith(".sql")
    }


def latest_version() -> int:
    """Return the schema version that this sarcfeat writes."""
    return max(scripts())


def schema_version(db: Connection) -> int:
    """Return the schema version of an open catalogue; 0 for an empty one.

    Raises
    ------
    StoreError
        The database holds tables of something else.
    """
    names = [row[0] for row in db.rows("SELECT table_name FROM duckdb_tables()")]
    if names and "store_meta" not in names:
        raise StoreError(
            f"{db.path} is a DuckDB database of something else (it has the table "
            f"{sorted(names)[0]!r}), not of a feature store. Export its tables to CSV "
            "and add those."
        )
    if not names:
        return 0
    return int(db.one("SELECT schema_version FROM store_meta")[0])


def migrate(db: Connection) -> int:
    """Bring a catalogue to the latest schema and return the version found.

    Raises
    ------
    StoreError
        A newer sarcfeat wrote the catalogue; both versions are named.
    """
    found, latest = schema_version(db), latest_version()
    if found > latest:
        raise StoreError(
            f"{db.path} has schema {found}; this sarcfeat knows schemas up to {latest}."
            " Upgrade with: pip install -U sarcfeat."
        )
    for version, sql in scripts().items():
        if version > found:
            _apply(db, version, sql)
    return found


def _apply(db: Connection, version: int, sql: str) -> None:
    db.rows("BEGIN TRANSACTION")
    try:
        db.run(sql)
        if version == 1:
            db.rows(
                "INSERT INTO store_meta (store_id, schema_version, duckdb_version, "
                "commit_no) VALUES (?, ?, ?, 0)",
                [uuid.uuid4().hex, version, duckdb.__version__],
            )
        else:
            db.rows("UPDATE store_meta SET schema_version = ?", [version])
        db.rows("COMMIT")
    except BaseException:
        # Half a schema is worse than none: an interrupted migration leaves no trace.
        db.rows("ROLLBACK")
        raise
