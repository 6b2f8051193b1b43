"""What no row of the catalogue names any more: listed, and removed when asked."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from sarcfeat.store.connection import Connection
from sarcfeat.store.inbox import BadFragment, RunFolder
from sarcfeat.store.readings import readings_problem
from sarcfeat.store.units import attempt_id

__all__ = ["GARBAGE_COLUMNS", "collect"]

GARBAGE_COLUMNS = ["what", "file", "bytes", "why"]
Found = tuple[str, Path, str]


def collect(
    db: Connection, store: Path, *, dry_run: bool, readings: bool
) -> pd.DataFrame:
    """List what can go; remove it unless `dry_run`."""
    if not dry_run:
        # A fragment may go only when its numbers are in the catalogue's own file.
        db.checkpoint()
    found = [
        *_arrays(db, store),
        *_volumes(db, store),
        *_readings(db, store, everything=readings),
        *_fragments(db, store),
        *_temporary(store),
    ]
    rows = [[what, str(path), _size(path), why] for what, path, why in found]
    if not dry_run:
        for _, path, _ in found:
            remove(path)
    return pd.DataFrame(rows, columns=GARBAGE_COLUMNS)


def remove(path: Path) -> None:
    """Remove a file or a folder, and the folder around it if that leaves it empty."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    inside = path.parent.parent.name in ("arrays", "images")
    if inside and not any(path.parent.iterdir()):
        path.parent.rmdir()


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())


def _arrays(db: Connection, store: Path) -> Iterator[Found]:
    rows = db.rows(
        "SELECT uri FROM embedding_file UNION "
        "SELECT coords_uri FROM embedding_file WHERE coords_uri IS NOT NULL"
    )
    known = {row[0] for row in rows}
    for path in sorted(p for p in (store / "arrays").rglob("*") if p.is_file()):
        if path.suffix == ".tmp":
            yield "bag", path, "writing it was cut short"
        elif path.relative_to(store).as_posix() not in known:
            yield "bag", path, "no row of the catalogue names it"


def _volumes(db: Connection, store: Path) -> Iterator[Found]:
    """List volumes taken out of DICOM that no image is read from."""
    rows = db.rows("SELECT uri FROM image UNION SELECT path FROM file")
    known = {row[0] for row in rows}
    for path in sorted((store / "images").glob("*/.new-*")):
        yield "volume", path, "writing it was cut short"
    for path in sorted((store / "images").glob("*/[!.]*")):
        if path.is_file() and str(path) not in known:
            yield "volume", path, "no row of the catalogue names it"


def _readings(db: Connection, store: Path, *, everything: bool) -> Iterator[Found]:
    known = {row[0] for row in db.rows("SELECT patient_id FROM patient")}
    for path in sorted(p for p in (store / "readings").glob("*") if p.is_file()):
        if path.suffix == ".tmp":
            yield "readings", path, "writing it was cut short"
            continue
        patients, problem = readings_problem(path)
        if problem is not None:
            yield "readings", path, "it is damaged"
        elif not set(patients) <= known:
            yield "readings", path, "it names patients who are not in the store"
        elif everything:
            yield "readings", path, "store.readings(...) makes it again"


def _fragments(db: Connection, store: Path) -> Iterator[Found]:
    """List fragments that an earlier process left and the catalogue holds."""
    store_id = str(db.one("SELECT store_id FROM store_meta")[0])
    held = {
        row[0]
        for row in db.rows("SELECT attempt_id FROM attempt WHERE step = 'encode'")
    }
    for path in sorted(p for p in (store / "inbox").glob("*") if p.is_dir()):
        try:
            folder, _ = RunFolder.open(path, store_id)
        except BadFragment:
            continue  # the next opening sets it aside, with the reason
        for part in folder.fragments():
            if attempt_id(part.stem, folder.run_id) in held:
                yield "fragment", part, "the catalogue holds its numbers"


def _temporary(store: Path) -> Iterator[Found]:
    for pattern in (".verify-*", ".catalog*.rewrite*"):
        for path in sorted(store.glob(pattern)):
            yield "temporary", path, "an earlier process left it"
    for folder in ("snapshots", "backups", "inbox/*"):
        for path in sorted(store.glob(f"{folder}/.*.tmp")):
            yield "temporary", path, "writing it was cut short"
