"""Bags of TRIDENT and CLAM, catalogued where they lie; a bad one stops no other."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import pandas as pd

from sarcfeat._validation import listed, pick
from sarcfeat.exceptions import (
    CohortError,
    InputMissing,
    InvalidInput,
    MissingDependency,
    SarcfeatError,
)
from sarcfeat.io import read_table
from sarcfeat.io.hdf5 import LAYOUTS, count_bad_rows, open_hdf5
from sarcfeat.store.bag_intake import catalogue, refuse_other_dim
from sarcfeat.store.connection import Connection
from sarcfeat.store.consent import erased_among
from sarcfeat.store.files import ATTEMPT, FAILURE_COLUMNS, Report, stat_of
from sarcfeat.store.identity import digest, file_sha256, unit_id
from sarcfeat.store.patients import id_text
from sarcfeat.store.progress import progress_bar
from sarcfeat.store.units import Encoder, register_extractor

__all__ = ["Place", "add_places", "find_places"]

SUFFIXES = (".h5", ".hdf5")


@dataclass(frozen=True)
class Place:
    """Where a slide's bag lies."""

    patient: str
    slide: str
    path: str


def find_places(
    source: pd.DataFrame | str | PathLike[str], pattern: str | None
) -> list[Place]:
    """List the bags of a folder or a manifest, sorted by patient and slide."""
    if isinstance(source, pd.DataFrame):
        found = list(_from_manifest(source, Path.cwd(), "The manifest"))
    elif Path(source).is_dir():
        found = list(_from_folder(Path(source), pattern))
    elif Path(source).is_file():
        table = read_table(source, text=("patient", "slide", "path"))
        found = list(_from_manifest(table, Path(source).parent, str(source)))
    else:
        raise InputMissing(f"No folder or manifest {source}. Correct the path.")
    return sorted(set(found), key=lambda p: (p.patient, p.slide, p.path))


def _from_manifest(table: pd.DataFrame, base: Path, name: str) -> Iterator[Place]:
    for column in ("patient", "path"):
        if column not in table.columns:
            raise CohortError(
                f"{name} has no column {column!r}; it has {listed(table.columns, 12)}."
            )
    for row in table.to_dict("records"):
        path = os.path.abspath(base / str(row["path"]))
        slide = str(row.get("slide", Path(path).stem))
        yield Place(id_text(row["patient"]), slide, path)


def _from_folder(root: Path, pattern: str | None) -> Iterator[Place]:
    if pattern is None:
        raise CohortError(
            f"{root} is a folder: say where the patient stands in its files' names, "
            "such as pattern='{patient}.h5' or '{patient}-{slide}.h5'."
        )
    expression = _compile(pattern)
    files = sorted(
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.suffix in SUFFIXES
    )
    matches = {name: expression.match(name) for name in files}
    if not any(matches.values()):
        raise CohortError(
            f"No file in {root} fits the pattern {pattern!r}. Files there: "
            f"{listed(files, 3) or 'none'}."
        )
    for name, match in matches.items():
        if match is not None:
            path = os.path.abspath(root / name)
            # The whole stem names a slide: part of it may be the patient.
            yield Place(id_text(match["patient"]), Path(name).stem, path)


def _compile(pattern: str) -> re.Pattern[str]:
    """Turn ``{patient}-{slide}.h5`` into a regular expression."""
    if "{patient}" not in pattern:
        raise CohortError(f"Pattern {pattern!r} has no {{patient}}.")
    parts = []
    for literal, name in re.findall(r"([^{]*)(?:\{([^}]*)\})?", pattern):
        parts.append(re.escape(literal))
        if name:
            pick(name, ("patient", "slide"), f"field in the pattern {pattern!r}")
            parts.append(f"(?P<{name}>[^/]+?)")
    return re.compile("".join(parts) + r"\Z")


def add_places(
    db: Connection,
    places: list[Place],
    layout: str,
    encoder: Encoder,
    *,
    progress: bool,
) -> Report:
    """Catalogue each bag that is whole; list the others."""
    pick(layout, LAYOUTS, "format of bags")
    extractor = register_extractor(db, encoder)
    known = {row[0] for row in db.rows("SELECT patient_id FROM patient")}
    gone = set(erased_among(db, {place.patient for place in places}))
    mine = [place for place in places if place.patient not in gone]
    failures: list[list[Any]] = []
    read = 0
    with progress_bar("Reading bags", len(mine), show=progress) as bar:
        for place in mine:
            try:
                read += _add(db, place, layout, extractor, f"add_bags {encoder.name}")
            except MissingDependency:
                raise
            except (SarcfeatError, OSError) as error:
                text = f"Patient {place.patient}, slide {place.slide}: {error}"
                failures.append(
                    [
                        place.patient,
                        place.slide,
                        None,
                        None,
                        place.path,
                        type(error).__name__,
                        text,
                    ]
                )
            bar.step(not failures or failures[-1][4] != place.path)
    _keep_failures(db, failures, extractor)
    new = sorted({place.patient for place in mine} - known)
    notes = []
    if known and new:
        notes.append(f"{len(new)} patients have bags and no row: {listed(new)}")
    if gone:
        notes.append(f"left out, erased: {listed(sorted(gone))}")
    return Report(
        ok=len(mine) - len(failures),
        failed=len(failures),
        read=read,
        failures=pd.DataFrame(failures, columns=FAILURE_COLUMNS),
        notes=tuple(notes),
    )


def _add(
    db: Connection, place: Place, layout: str, extractor: str, command: str
) -> bool:
    """Catalogue one bag; return whether its file was read."""
    size, mtime = stat_of(place.path)
    held = db.rows(
        "SELECT e.unit_id, e.bytes, e.mtime_ns, e.checksum, u.image_id "
        "FROM embedding_file e JOIN unit u USING (unit_id) JOIN slide s "
        "ON s.slide_id = u.image_id WHERE e.uri = ? AND u.extractor_id = ? "
        "AND s.patient_id = ? AND u.retired_no IS NULL",
        [place.path, extractor, place.patient],
    )
    if held and held[0][1:3] == (size, mtime):
        return False
    bag = open_hdf5(place.path)
    refuse_other_dim(db, extractor, bag.dim, place.path)
    bad = count_bad_rows(bag)
    if bad:
        raise InvalidInput(
            f"{place.path}: {bad:,} of {bag.n:,} tiles have NaN or infinite numbers "
            "(often float16 that ran over). Extract the slide again in float32."
        )
    sha256 = file_sha256(place.path)
    # The slide itself is not at hand: the bag's own bytes stand for it.
    slide = digest("slide", place.patient, place.slide, sha256)
    unit = unit_id(slide, None, extractor)
    with db.commit("bag in place"):
        _retire(db, [row for row in held if row[0] != unit])
        if db.rows("SELECT 1 FROM unit WHERE unit_id = ?", [unit]):
            db.update(
                "UPDATE embedding_file SET uri = ?, mtime_ns = ? WHERE unit_id = ?",
                [place.path, mtime, unit],
            )
            db.update("UPDATE unit SET retired_no = NULL WHERE unit_id = ?", [unit])
            db.update("UPDATE slide SET retired_no = NULL WHERE slide_id = ?", [slide])
        else:
            dtype = bag.dtype.name
            row = [unit, place.path, bag.n, bag.dim, dtype, size, sha256, layout, mtime]
            who = [slide, place.patient, place.slide, None, None]
            catalogue(db, who, extractor, row, command)
    return True


def _retire(db: Connection, rows: list[tuple[Any, ...]]) -> None:
    for unit, *_, slide in rows:
        for table, key, name in (
            ("unit", "unit_id", unit),
            ("slide", "slide_id", slide),
        ):
            db.update(
                f"UPDATE {table} SET retired_no = ? WHERE {key} = ?",
                [db.commit_no, name],
            )


def _keep_failures(db: Connection, rows: list[list[Any]], extractor: str) -> None:
    if not rows:
        return
    types = {**ATTEMPT, "extractor_id": "VARCHAR"}
    with db.commit("bags that cannot be used"):
        db.insert(
            "attempt",
            types,
            [
                [
                    digest("attempt", path, extractor, db.commit_no),
                    "bag",
                    patient,
                    slide,
                    None,
                    None,
                    path,
                    None,
                    None,
                    "failed",
                    code,
                    text,
                    extractor,
                ]
                for patient, slide, _, _, path, code, text in rows
            ],
        )
