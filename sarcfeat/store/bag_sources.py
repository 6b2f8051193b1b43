"""Bags of TRIDENT, CLAM and STAMP, catalogued in place; a bad one stops no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from sarcfeat._validation import listed, pick
from sarcfeat.exceptions import (
    InvalidInput,
    MissingDependency,
    SarcfeatError,
    UntrustedFile,
)
from sarcfeat.io.hdf5 import LAYOUTS, count_bad_rows, open_hdf5
from sarcfeat.store.bag_intake import catalogue, refuse_other_dim
from sarcfeat.store.bag_labels import Knowledge, knowledge_of, write_labels
from sarcfeat.store.connection import Connection
from sarcfeat.store.consent import erased_among
from sarcfeat.store.files import ATTEMPT, FAILURE_COLUMNS, Report, stat_of
from sarcfeat.store.identity import digest, file_sha256, unit_id
from sarcfeat.store.progress import progress_bar
from sarcfeat.store.slide_sources import Place
from sarcfeat.store.slides import Slides
from sarcfeat.store.units import Encoder, register_extractor

__all__ = ["SUFFIXES", "add_places"]

SUFFIXES = (".h5", ".hdf5")


def add_places(
    db: Connection,
    store: Path,
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
    notes: list[str] = []
    read, slides, command = 0, Slides(db), f"add_bags {encoder.name}"
    with progress_bar("Reading bags", len(mine), show=progress) as bar:
        for place in mine:
            try:
                looked, said = _add(
                    db, store, place, layout, extractor, command, slides
                )
                read += looked
                notes += [f"{place.patient}, slide {place.slide}: {s}" for s in said]
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
    db: Connection,
    store: Path,
    place: Place,
    layout: str,
    extractor: str,
    command: str,
    slides: Slides,
) -> tuple[bool, list[str]]:
    """Catalogue one bag; return whether its file was read, and what to know of it."""
    if place.refused is not None:
        raise UntrustedFile(place.refused)
    size, mtime = stat_of(place.path)
    held = db.rows(
        "SELECT e.unit_id, e.bytes, e.mtime_ns, e.tile_px, u.mask_id, u.image_id "
        "FROM embedding_file e JOIN unit u USING (unit_id) JOIN slide s "
        "ON s.slide_id = u.image_id WHERE e.uri = ? AND u.extractor_id = ? "
        "AND s.patient_id = ? AND u.retired_no IS NULL",
        [place.path, extractor, place.patient],
    )
    known = knowledge_of(db, slides, place)
    if held and held[0][1:3] == (size, mtime) and not _needs(layout, known, held[0]):
        return False, []
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
    unit = unit_id(slide, known.annotation, extractor)
    labels = write_labels(store, extractor, unit, place, bag, known)
    with db.commit("bag in place"):
        _retire(db, [row for row in held if row[0] != unit], keep=slide)
        told = [labels.uri, labels.checksum, labels.tile_px]
        if db.rows("SELECT 1 FROM unit WHERE unit_id = ?", [unit]):
            db.update(
                "UPDATE embedding_file SET uri = ?, mtime_ns = ?, coords_uri = ?, "
                "coords_checksum = ?, tile_px = ? WHERE unit_id = ?",
                [place.path, mtime, *told, unit],
            )
            db.update("UPDATE unit SET retired_no = NULL WHERE unit_id = ?", [unit])
            db.update("UPDATE slide SET retired_no = NULL WHERE slide_id = ?", [slide])
        else:
            dtype = bag.dtype.name
            row = [unit, place.path, bag.n, bag.dim, dtype, size, sha256, layout, mtime]
            who = [slide, place.patient, place.slide, None, None]
            catalogue(
                db, who, extractor, [*row, *told], command, annotation=known.annotation
            )
    return True, list(labels.notes)


def _needs(layout: str, known: Knowledge, held: tuple[Any, ...]) -> bool:
    """Whether more is known of a bag now than when it was catalogued."""
    tile_px, annotation = held[3], held[4]
    in_um = layout == "stamp" and known.mpp is not None and tile_px is None
    return in_um or annotation != known.annotation


def _retire(db: Connection, rows: list[tuple[Any, ...]], keep: str) -> None:
    for unit, *_, slide in rows:
        for table, key, name in (
            ("unit", "unit_id", unit),
            ("slide", "slide_id", slide),
        ):
            if name == keep:
                continue  # the same bag, of which more is known now
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
