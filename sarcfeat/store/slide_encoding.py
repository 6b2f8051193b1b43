"""Encode the slides that are missing or whose outlines changed: a bag each."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import joblib
import pandas as pd

from sarcfeat._validation import listed
from sarcfeat.store.annotations import regions_of
from sarcfeat.store.cohorts import Members
from sarcfeat.store.connection import Connection
from sarcfeat.store.encoding import EncodeReport, check_request, due, run_tasks
from sarcfeat.store.failures import encode_failures, known_encode_failures
from sarcfeat.store.files import FAILURE_COLUMNS
from sarcfeat.store.identity import unit_id
from sarcfeat.store.slide_intake import refresh_slides
from sarcfeat.store.slide_workers import SlideWork, handed_in_slides
from sarcfeat.store.units import SlideEncoder, Task, register_extractor

__all__ = ["encode_slides", "slide_failures"]


def encode_slides(
    db: Connection,
    encoder: SlideEncoder,
    *,
    store: Path,
    members: Members,
    n_jobs: int,
    retry: str | None,
    progress: bool,
    timeout: float | None,
) -> EncodeReport:
    """Compute the bags that are missing and list every failure that holds."""
    start = time.perf_counter()
    check_request(encoder, retry)
    refresh_slides(db, progress=progress)
    extractor = register_extractor(db, encoder)
    works = list(_works(db, extractor, members.patients))
    held = _whole(db, store, extractor)
    missing = [work for work in works if work.task.unit_id not in held]
    done = [work for work in works if work.task.unit_id in held]
    known = known_encode_failures(db, extractor)
    again = retry == "all"
    now = [work for work in missing if again or due(work.task, known, retry)]
    left = [work.task for work in missing if work not in now]
    if again:
        now, done = [*now, *done], []
    if joblib.effective_n_jobs(n_jobs) > 1:
        # The largest first: no worker is left alone with it at the end.
        now = sorted(now, key=_size, reverse=True)
    fresh, n_failed = run_tasks(
        db,
        encoder,
        extractor,
        len(now),
        lambda folder: handed_in_slides(
            encoder, _with_regions(db, now), n_jobs, folder, store, timeout
        ),
        inbox=store / "inbox",
        progress=progress,
    )
    inputs = slide_failures(db, members)
    computed = [*encode_failures(left, known), *fresh]
    failures = pd.concat(
        [inputs, pd.DataFrame(computed, columns=FAILURE_COLUMNS)], ignore_index=True
    ).sort_values(["patient", "sequence", "file"], ignore_index=True)
    return EncodeReport(
        encoded=len(now) - n_failed,
        skipped=len(done),
        failed=len(failures),
        failures=failures,
        seconds=time.perf_counter() - start,
        extractors={encoder.name: extractor},
        notes=_notes(db, [work.task for work in now]),
    )


def _notes(db: Connection, tasks: Sequence[Task]) -> tuple[str, ...]:
    """Return what is noted of slides, each sentence once, with whose it is."""
    rows: dict[str, str] = dict(
        db.rows("SELECT unit_id, warnings FROM unit WHERE retired_no IS NULL")
    )
    whose: dict[str, list[str]] = {}
    for task in tasks:
        for note in json.loads(rows.get(task.unit_id, "[]")):
            whose.setdefault(note, []).append(f"{task.patient}/{task.phase}")
    return tuple(f"{listed(who)}: {note}" for note, who in whose.items())


def _works(
    db: Connection, extractor: str, patients: Sequence[str]
) -> Iterator[SlideWork]:
    """Yield every slide that there is to encode, with its current outlines."""
    asked = set(patients)
    for slide, annotation, patient, name, path, drawn, mpp, sha256 in db.rows(
        "SELECT s.slide_id, a.annotation_id, s.patient_id, s.name, s.uri, a.uri, "
        "s.mpp, s.file_sha256 FROM slide s LEFT JOIN annotation a "
        "ON a.slide_id = s.slide_id AND a.retired_no IS NULL "
        "WHERE s.retired_no IS NULL AND s.told IS NOT NULL "
        "ORDER BY s.patient_id, s.name, s.slide_id"
    ):
        if patient in asked:
            unit = unit_id(slide, annotation, extractor)
            ids = (unit, slide, annotation, patient, name)
            task = Task(*ids, None, None, 0, path, drawn or path)
            yield SlideWork(task, sha256, mpp)


def _with_regions(db: Connection, works: Sequence[SlideWork]) -> Iterator[SlideWork]:
    """Yield the work with its outlines, as workers become free."""
    for work in works:
        regions = regions_of(db, work.task.mask_id)
        yield SlideWork(work.task, work.sha256, work.mpp, regions)


def _whole(db: Connection, store: Path, extractor: str) -> set[str]:
    """Return the units whose bag lies there with the size that it had."""
    rows = db.rows(
        "SELECT u.unit_id, e.uri, e.bytes FROM unit u JOIN embedding_file e "
        "USING (unit_id) WHERE u.extractor_id = ? AND u.retired_no IS NULL",
        [extractor],
    )
    return {unit for unit, uri, size in rows if _size_of(store / uri) == size}


def _size_of(path: Path) -> int | None:
    try:
        return os.path.getsize(path)
    except OSError:
        return None


def _size(work: SlideWork) -> int:
    return _size_of(Path(work.task.image_path)) or 0


def slide_failures(db: Connection, members: Members) -> pd.DataFrame:
    """List the slides and annotations that cannot be used."""
    asked = set(members.patients)
    rows = db.rows(
        "SELECT patient_id, phase, reader, session, path, error_code, error_text "
        "FROM file WHERE error_code IS NOT NULL AND what IN ('slide', 'annotation') "
        "ORDER BY what, patient_id, phase, path"
    )
    kept = [list(row) for row in rows if row[0] in asked]
    return pd.DataFrame(kept, columns=FAILURE_COLUMNS)
