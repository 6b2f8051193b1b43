"""Opening a store for writing: wait, repair, migrate, take in what was left behind."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

from sarcfeat._validation import listed
from sarcfeat.exceptions import DiskFull, StoreDamaged, StoreError, StoreRepaired
from sarcfeat.store.connection import Connection
from sarcfeat.store.journal import Journal
from sarcfeat.store.migrations import latest_version, migrate, schema_version
from sarcfeat.store.recovery import end_dead_runs, set_aside, take_in_left_overs
from sarcfeat.store.snapshots import copy_catalogue
from sarcfeat.store.writer import Writer, say, wait_for_catalogue

__all__ = ["open_for_writing"]


def open_for_writing(store: Path, timeout: float) -> Connection:
    """Return the catalogue, whole and of this schema, held by this process.

    Parameters
    ----------
    store : Path
        The folder, which exists.
    timeout : float
        Seconds to wait for another writer.
    """
    repaired: list[str] = []
    try:
        db = wait_for_catalogue(store, timeout)
    except StoreDamaged as error:
        repaired.append(_quarantine_log(store, error))
        db = wait_for_catalogue(store, timeout)
    try:
        Writer.me().sign(store, db)
        _migrate_with_backup(db, store)
        try:
            _take_in(db, store, repaired)
        except DiskFull as error:
            # What is there can be read; what waits in the inbox waits longer.
            say(f"{error} Finished units wait in {store / 'inbox'}.")
    except BaseException:
        # The lock must not outlive a store that could not be opened.
        db.close()
        raise
    return db


def _quarantine_log(store: Path, error: StoreDamaged) -> str:
    """Set aside a log that cannot be replayed, if that is what is wrong."""
    log = store / "catalog.duckdb.wal"
    if not log.exists():
        raise error
    reason = f"The log of {store} cannot be replayed: {error}"
    aside = set_aside(store, log, reason)
    try:
        Connection(store / "catalog.duckdb").close()
    except StoreError:
        # It was not the log, or not the log alone: leave things as they were found.
        if not log.exists():
            os.replace(aside, log)
        raise error from None
    return f"The log of {store} could not be replayed and lies in {aside}."


def _migrate_with_backup(db: Connection, store: Path) -> None:
    """Keep a copy of an older catalogue before its schema changes."""
    found = schema_version(db)
    if 0 < found < latest_version():
        folder = store / "backups"
        folder.mkdir(exist_ok=True)
        copy = folder / f"catalog-schema-{found}.duckdb"
        copy_catalogue(db, copy)
        say(
            f"{store} has schema {found} and is brought to {latest_version()}; a copy "
            f"as it was is kept in {copy}."
        )
    migrate(db)


def _take_in(db: Connection, store: Path, repaired: list[str]) -> None:
    """Ingest the inbox and say what was lost, what came back and what did not."""
    db.journal = None
    journal = Journal(store / "commits.log")
    lost = journal.after(db.commit_no)
    found = take_in_left_overs(db, store)
    end_dead_runs(db)
    if lost and not repaired:
        repaired.append(f"The log of {store} was cut short or removed.")
    if lost:
        told = listed([f"{number} ({what})" for number, what in lost], 12)
        repaired.append(f"Commits that went with it: {told}.")
    if repaired or found.set_aside:
        rest = (
            "Finished units came back from the inbox. Add the patients, outcomes and "
            "files of these commits again with the same commands."
        )
        parts = [*repaired, str(found), rest if repaired else ""]
        text = "\n".join(part for part in parts if part)
        warnings.warn(text, StoreRepaired, stacklevel=4)
    elif found.units:
        say(str(found))
    db.checkpoint()
    journal.clear()
    db.journal = journal
