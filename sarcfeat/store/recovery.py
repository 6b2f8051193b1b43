"""What an earlier process left behind: fragments to take in, files to set aside."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sarcfeat._validation import listed
from sarcfeat.store.committing import ingest
from sarcfeat.store.connection import Connection
from sarcfeat.store.encoding import RUN
from sarcfeat.store.inbox import BadFragment, RunFolder, write_durably
from sarcfeat.store.slide_results import bag_is_whole
from sarcfeat.store.units import EXTRACTOR, Result

__all__ = ["LeftOver", "end_dead_runs", "set_aside", "take_in_left_overs"]


@dataclass
class LeftOver:
    """What was found in the inbox when a store was opened.

    Attributes
    ----------
    units : dict of unit id to run id
        Finished units that were not in the catalogue and are now.
    set_aside : list of (str, str)
        Name and reason of each file moved to ``quarantine``.
    """

    units: dict[str, str] = field(default_factory=dict)
    set_aside: list[tuple[str, str]] = field(default_factory=list)

    def __str__(self) -> str:
        """Return a sentence for each kind; empty when there was nothing."""
        lines = []
        for run in dict.fromkeys(self.units.values()):
            mine = [unit for unit, of in self.units.items() if of == run]
            lines.append(
                f"{len(mine)} finished units of run {run} were not in the catalogue "
                f"and were taken in from the inbox: {listed(mine, 3)}."
            )
        lines += [f"Set aside: {name}: {why}" for name, why in self.set_aside]
        return "\n".join(lines)


def take_in_left_overs(db: Connection, store: Path) -> LeftOver:
    """Take in every fragment of this store; set aside what does not belong.

    Nothing is taken in twice: a unit is known by what it is.
    """
    found = LeftOver()
    inbox = store / "inbox"
    store_id = str(db.one("SELECT store_id FROM store_meta")[0])
    done: list[RunFolder] = []
    for path in sorted(inbox.iterdir(), key=lambda p: (p.stat().st_mtime_ns, p.name)):
        try:
            if not path.is_dir():
                raise BadFragment(f"{path.name} lies outside the folder of a run.")
            folder, told = RunFolder.open(path, store_id)
        except BadFragment as error:
            _refuse(store, path, error, found)
            continue
        _take_in(db, store, folder, told, found)
        done.append(folder)
    if done:
        # Only what is in the file itself may lose its fragment.
        db.checkpoint()
    for folder in done:
        folder.clear()
    return found


def _refuse(store: Path, path: Path, error: BadFragment, found: LeftOver) -> None:
    if not path.is_dir() and path.name.endswith(".tmp"):
        path.unlink(missing_ok=True)  # a write that was cut short
        return
    if path.is_dir() and not any(path.glob("[!.]*")):
        shutil.rmtree(path)  # a run that was cut short before its first unit
        return
    set_aside(store, path, str(error))
    found.set_aside.append((path.name, str(error)))


def _take_in(
    db: Connection,
    store: Path,
    folder: RunFolder,
    told: dict[str, Any],
    found: LeftOver,
) -> None:
    erased = {row[0] for row in db.rows("SELECT patient_id FROM erased")}
    results: list[Result] = []
    names: dict[str, tuple[str, ...]] = {}
    for path in folder.fragments():
        try:
            result = _read(folder, path, names, store)
        except BadFragment as error:
            _refuse(store, path, error, found)
            continue
        # A withdrawn consent holds for what lies in the inbox, too.
        if result.task.patient not in erased:
            results.append(result)
    if not results:
        return
    before = _held(db, results)
    with db.commit("take in fragments left behind"):
        _restore(db, "extractor", EXTRACTOR, told["extractor"])
        _restore(db, "run", RUN, told["run"])
        ingest(db, folder.described(told["encoder"]), folder, results)
    for unit in sorted(_held(db, results) - before):
        found.units[unit] = folder.run_id


def _read(
    folder: RunFolder, path: Path, names: dict[str, tuple[str, ...]], store: Path
) -> Result:
    result = folder.read(path, names)
    if result.bag is not None and not bag_is_whole(store, result.bag):
        raise BadFragment(
            f"{path.name}: the bag {result.bag['uri']} is not there, or not whole. "
            "Encode again: the slide is done anew."
        )
    return result


def _restore(
    db: Connection, table: str, types: dict[str, str], row: Sequence[Any]
) -> None:
    """Write a row that went with a lost log, unless it is there."""
    key = next(iter(types))
    if not db.rows(f"SELECT 1 FROM {table} WHERE {key} = ?", [row[0]]):
        db.insert(table, types, [row])


def _held(db: Connection, results: Sequence[Result]) -> set[str]:
    units = [result.task.unit_id for result in results]
    rows = db.rows(
        "SELECT unit_id FROM unit WHERE list_contains(?::VARCHAR[], unit_id)", [units]
    )
    return {row[0] for row in rows}


def end_dead_runs(db: Connection) -> None:
    """Mark the runs of processes that are no more."""
    dead = db.rows("SELECT run_id FROM run WHERE status = 'running'")
    if dead:
        with db.commit("end of runs that were cut short"):
            db.update(
                "UPDATE run SET status = 'interrupted', finished_at = now() "
                "WHERE status = 'running'"
            )


def set_aside(store: Path, path: Path, reason: str) -> Path:
    """Move a file or folder to ``quarantine`` with the reason beside it."""
    folder = store / "quarantine"
    folder.mkdir(exist_ok=True)
    when = datetime.now(UTC)
    name = f"{when:%Y%m%dT%H%M%S}-{path.name}"
    target, n = folder / name, 1
    while target.exists():
        n += 1
        target = folder / f"{name}-{n}"
    os.replace(path, target)
    text = f"{path.name}, set aside on {when:%Y-%m-%d %H:%M:%S} UTC\n{reason}\n"
    write_durably(target.with_name(f"{target.name}.reason.txt"), text.encode())
    return target
