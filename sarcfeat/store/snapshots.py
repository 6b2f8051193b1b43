"""Published copies of the catalogue: what colleagues read while the writer works."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from sarcfeat.exceptions import StoreError
from sarcfeat.store.connection import Connection
from sarcfeat.store.inbox import FULL, disk_full
from sarcfeat.store.migrations import latest_version, schema_version

__all__ = ["copy_catalogue", "newest", "open_snapshot", "publish"]

NAME = re.compile(r"catalog-(\d+)\.duckdb")


def copy_catalogue(db: Connection, target: Path) -> None:
    """Checkpoint the catalogue and copy its file: temporary name, fsync, rename."""
    db.checkpoint()
    temporary = target.with_name(f".{target.name}.tmp")
    try:
        shutil.copyfile(db.path, temporary)
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
    except OSError as error:
        temporary.unlink(missing_ok=True)
        if error.errno in FULL:
            raise disk_full(target, db.path.stat().st_size) from error
        raise
    copy = Connection(temporary, read_only=True)
    try:
        whole = copy.commit_no == db.commit_no
    finally:
        copy.close()
    if not whole:
        temporary.unlink()
        raise StoreError(
            f"{db.path} changed while it was copied to {target}. Copy it again when "
            "nothing is being written."
        )
    os.replace(temporary, target)


def publish(db: Connection, store: Path, keep: int) -> Path:
    """Write a copy that is read-only by habit, and keep the newest `keep` of them."""
    folder = store / "snapshots"
    folder.mkdir(exist_ok=True)
    path = folder / f"catalog-{db.commit_no}.duckdb"
    copy_catalogue(db, path)
    for old in published(store)[keep:]:
        old.unlink(missing_ok=True)
    return path


def published(store: Path) -> list[Path]:
    """Return the published copies, the newest first."""
    found = {
        int(match[1]): path
        for path in (store / "snapshots").glob("catalog-*.duckdb")
        if (match := NAME.fullmatch(path.name))
    }
    return [found[number] for number in sorted(found, reverse=True)]


def newest(store: Path) -> Path:
    """Return the newest published copy.

    Raises
    ------
    StoreError
        There is no store, or nothing was published yet.
    """
    copies = published(store)
    if copies:
        return copies[0]
    if not (store / "catalog.duckdb").exists():
        raise StoreError(f"There is no feature store in {store}.")
    raise StoreError(
        f"{store} has no published copy to read. Whoever writes it must call "
        "store.publish() first; or open it for writing, without read_only=True."
    )


def open_snapshot(store: Path) -> Connection:
    """Open the newest published copy; any number of processes may."""
    path = newest(store)
    db = Connection(path, read_only=True)
    found, latest = schema_version(db), latest_version()
    if found == latest:
        return db
    db.close()
    cure = "Upgrade with: pip install -U sarcfeat."
    if found < latest:
        cure = "Whoever writes the store must publish again with this version."
    raise StoreError(f"{path} has schema {found}; this sarcfeat reads {latest}. {cure}")
