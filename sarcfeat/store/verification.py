"""Every byte of a store against what it was when it was written."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sarcfeat.store.blocks_on_disk import damage_in
from sarcfeat.store.connection import Connection
from sarcfeat.store.identity import file_sha256, vector_checksum
from sarcfeat.store.inbox import BadFragment, RunFolder
from sarcfeat.store.readings import readings_problem
from sarcfeat.store.settings import SETTINGS, settings_text
from sarcfeat.store.slides import slide_sha256
from sarcfeat.store.snapshots import published
from sarcfeat.store.tiles import bag_path

__all__ = ["PROBLEM_COLUMNS", "Verification", "verify"]

PROBLEM_COLUMNS = ["patient", "what", "file", "code", "reason"]
CHANGED, MISSING = "changed_bytes", "missing_file"
CATALOGUE = "catalogue"
BATCH = 256
Row = list[Any]


@dataclass(frozen=True)
class Verification:
    """What ``store.verify()`` found.

    Attributes
    ----------
    problems : DataFrame
        Columns patient, what, file, code (``changed_bytes``, ``missing_file``,
        ``changed_numbers``, ``no_numbers``), reason. Empty when all is well.
    checked : dict of str to int
        How many of everything were looked at.
    seconds : float
        Wall-clock time.
    """

    problems: pd.DataFrame
    checked: dict[str, int]
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether nothing has changed and nothing is missing."""
        return self.problems.empty

    @property
    def patients(self) -> list[str]:
        """The patients that a problem is about."""
        return sorted(set(self.problems["patient"].dropna()))

    def __str__(self) -> str:
        """Return one sentence, and one line for each problem."""
        counts = ", ".join(f"{n:,} {noun}" for noun, n in self.checked.items() if n)
        head = "no problem" if self.ok else f"{len(self.problems)} problems"
        lines = [f"{head} in {counts or 'an empty store'}"]
        lines += [f"  {row.code}: {row.reason}" for row in self.problems.itertuples()]
        return "\n".join(lines)


def verify(db: Connection, store: Path, *, sources: bool) -> Verification:
    """Look at everything once; say what is not as it was written, and whose it is."""
    start = time.perf_counter()
    checked: Counter[str] = Counter()
    rows = list(_catalogues(db, store, checked))
    damaged = any(row[1] == CATALOGUE for row in rows)
    if not damaged:
        # A damaged catalogue is not read: DuckDB would shut it down.
        rows += _vectors(db, checked)
        rows += _notes(db, store, checked)
    rows += _bags(db, store, checked)
    rows += _readings(store, checked)
    rows += _fragments(db, store, checked)
    if sources or not damaged:
        rows += _sources(db, checked, store, everything=sources)
    problems = pd.DataFrame(rows, columns=PROBLEM_COLUMNS, dtype=object)
    return Verification(problems, dict(checked), time.perf_counter() - start)


def _catalogues(db: Connection, store: Path, checked: Counter[str]) -> Iterator[Row]:
    copies = sorted((store / "backups").glob("*.duckdb"))
    for path in dict.fromkeys([db.path, *published(store), *copies]):
        checked["catalogue files"] += 1
        what = CATALOGUE if path == db.path else "copy of the catalogue"
        newest = db.commit_no if what == CATALOGUE and not db.read_only else 0
        for damage in damage_in(path, newest):
            yield [damage.patient, what, str(path), CHANGED, damage.reason]


def _vectors(db: Connection, checked: Counter[str]) -> Iterator[Row]:
    units = [
        row[0] for row in db.rows("SELECT unit_id FROM feature_vector ORDER BY unit_id")
    ]
    checked["vectors"] += len(units)
    bad = [
        str(unit)
        for first in range(0, len(units), BATCH)
        for unit in _changed(db, units[first : first + BATCH])
    ]
    for patient, phase, reader, unit in _owners(db, bad):
        yield [
            patient,
            "vector",
            None,
            "changed_numbers",
            f"Patient {patient}, {phase}, reader {reader}: the numbers of unit {unit} "
            "no longer fit their checksum",
        ]
    empty = db.rows(
        "SELECT unit_id FROM unit ANTI JOIN feature_vector USING (unit_id) "
        "ANTI JOIN embedding_file USING (unit_id) ORDER BY unit_id"
    )
    for patient, phase, _, unit in _owners(db, [row[0] for row in empty]):
        reason = f"Patient {patient}, {phase}: unit {unit} has lost its numbers"
        yield [patient, "vector", None, "no_numbers", reason]


def _notes(db: Connection, store: Path, checked: Counter[str]) -> Iterator[Row]:
    """Look at the two plain files that repeat what the catalogue says."""
    if db.read_only:  # they go with the store, not with a published copy
        return
    told = store / SETTINGS
    checked["notes"] += 1
    if not told.is_file():
        yield [
            None,
            "note",
            str(told),
            MISSING,
            f"{told} is gone. Open the store again",
        ]
    elif told.read_bytes() != settings_text(db).encode():
        cure = "Open the store again: it is written anew"
        yield [None, "note", str(told), CHANGED, f"{told} has changed bytes. {cure}"]
    journal = store / "commits.log"
    if not journal.is_file():
        return
    checked["notes"] += 1
    known = {
        f"{number}\t{' '.join(what.split())}"
        for number, what in db.rows("SELECT commit_no, what FROM commit_log")
    }
    text = journal.read_text(encoding="utf-8", errors="replace")
    if not text.endswith("\n") or not set(text[:-1].split("\n")) <= known:
        reason = f"{journal} does not say what the catalogue says was committed"
        yield [None, "note", str(journal), CHANGED, reason]


def _changed(db: Connection, units: list[str]) -> list[str]:
    columns = db.arrays(
        "SELECT t.unit_id, t.v, t.checksum, s.n FROM feature_vector t "
        "LEFT JOIN feature_set s USING (feature_set_id) "
        "WHERE list_contains(?::VARCHAR[], t.unit_id)",
        [units],
    )
    parts = (columns[name] for name in ("unit_id", "v", "checksum", "n"))
    return [
        str(unit)
        for unit, values, checksum, n in zip(*parts, strict=True)
        if len(values) != n
        or vector_checksum(np.asarray(values, np.float64)) != checksum
    ]


def _owners(db: Connection, units: list[str]) -> list[tuple[Any, ...]]:
    """Return patient, sequence or slide, and reader of units."""
    return db.rows(
        "SELECT DISTINCT coalesce(k.patient_id, i.patient_id, s.patient_id), "
        "coalesce(k.phase, i.phase, s.name), k.reader, u.unit_id FROM unit u "
        "LEFT JOIN mask k ON k.mask_id = u.mask_id "
        "LEFT JOIN image i ON i.image_id = u.image_id "
        "LEFT JOIN slide s ON s.slide_id = u.image_id "
        "WHERE list_contains(?::VARCHAR[], u.unit_id) ORDER BY ALL",
        [units],
    )


def _bags(db: Connection, store: Path, checked: Counter[str]) -> Iterator[Row]:
    held = db.rows(
        "SELECT s.patient_id, s.name, e.uri, e.checksum FROM embedding_file e "
        "JOIN unit u USING (unit_id) JOIN slide s ON s.slide_id = u.image_id "
        # A bag in place that was extracted again is no longer on the disk.
        "WHERE e.layout = 'safetensors' OR u.retired_no IS NULL UNION "
        "SELECT s.patient_id, s.name, e.coords_uri, e.coords_checksum "
        "FROM embedding_file e JOIN unit u USING (unit_id) "
        "JOIN slide s ON s.slide_id = u.image_id WHERE e.coords_uri IS NOT NULL "
        "ORDER BY ALL"
    )
    for patient, slide, uri, checksum in held:
        checked["bags"] += 1
        path = str(bag_path(store, uri))
        yield from _file(patient, f"slide {slide}", "bag", path, checksum)


def _readings(store: Path, checked: Counter[str]) -> Iterator[Row]:
    for path in sorted((store / "readings").glob("*.npz")):
        checked["readings"] += 1
        patients, problem = readings_problem(path)
        if problem is None:
            continue
        whose: list[str | None] = [*patients] or [None]
        for patient in whose:
            of = f" (patient {patient})" if patient else ""
            cure = ". Delete it and ask for store.readings(...) again"
            yield [patient, "readings", str(path), CHANGED, f"{problem}{of}{cure}"]


def _fragments(db: Connection, store: Path, checked: Counter[str]) -> Iterator[Row]:
    store_id = str(db.one("SELECT store_id FROM store_meta")[0])
    for path in sorted(p for p in (store / "inbox").glob("*") if p.is_dir()):
        names: dict[str, tuple[str, ...]] = {}
        parts: list[Path] = []
        try:
            folder, _ = RunFolder.open(path, store_id)
            parts = folder.fragments()
        except BadFragment as error:
            yield [None, "fragment", str(path), CHANGED, f"{path}: {error}"]
        for part in parts:
            checked["fragments"] += 1
            try:
                folder.read(part, names)
            except BadFragment as error:
                yield [None, "fragment", str(part), CHANGED, f"{part}: {error}"]


def _sources(
    db: Connection, checked: Counter[str], store: Path, *, everything: bool
) -> Iterator[Row]:
    """Look at images, masks, slides and outlines; by default those in the store."""
    home = os.path.join(os.path.abspath(store), "")
    rows = db.rows(
        "SELECT DISTINCT patient_id, phase, 'image', uri, file_sha256 FROM image "
        "WHERE retired_no IS NULL UNION "
        "SELECT patient_id, phase || ', reader ' || reader, 'mask', uri, file_sha256 "
        "FROM mask WHERE retired_no IS NULL UNION "
        "SELECT patient_id, 'slide ' || name, 'slide', uri, file_sha256 FROM slide "
        "WHERE retired_no IS NULL AND uri IS NOT NULL UNION "
        "SELECT s.patient_id, 'slide ' || s.name, 'annotation', a.uri, a.file_sha256 "
        "FROM annotation a JOIN slide s USING (slide_id) "
        "WHERE a.retired_no IS NULL AND s.retired_no IS NULL ORDER BY ALL"
    )
    for patient, place, what, path, sha256 in rows:
        if not (everything or path.startswith(home)):
            continue
        checked["source files"] += 1
        yield from _file(patient, place, what, path, sha256)


def _file(patient: str, place: str, what: str, path: str, sha256: str) -> Iterator[Row]:
    who = f"Patient {patient}, {place}"
    if not os.path.isfile(path):
        cure = "If it was moved: store.relocate(old, new)"
        yield [patient, what, path, MISSING, f"{who}: {path} is gone. {cure}"]
    elif (slide_sha256 if what == "slide" else file_sha256)(path) != sha256:
        reason = f"{who}: {path} has changed bytes"
        yield [patient, what, path, CHANGED, reason]
