"""Where slides are encoded: a process of its own that writes each slide's bag."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from sarcfeat.exceptions import (
    DiskFull,
    MostlyBlurred,
    NoTissue,
    WorkerDied,
    WorkerTimedOut,
)
from sarcfeat.io import Regions
from sarcfeat.io.bagfile import FORMAT, bag_checksum, write_bag
from sarcfeat.io.isolation import isolated_each
from sarcfeat.store.bag_intake import COORDS, make_bag
from sarcfeat.store.identity import canonical_json, file_sha256
from sarcfeat.store.inbox import FULL, RunFolder, disk_full
from sarcfeat.store.units import Result, SlideEncoder, Task
from sarcfeat.store.workers import HandedIn

__all__ = ["SlideWork", "encode_one", "handed_in_slides"]


@dataclass(frozen=True)
class SlideWork:
    """One slide to encode, and what its worker needs to know of it.

    Attributes
    ----------
    task : Task
        Unit, patient, slide and files.
    sha256 : str
        Of the slide's bytes.
    mpp : float or None
        Given resolution.
    regions : dict or None
        As ``Regions.from_dict`` takes them.
    """

    task: Task
    sha256: str
    mpp: float | None = None
    regions: dict[str, Any] | None = None


def handed_in_slides(
    encoder: SlideEncoder,
    works: Iterable[SlideWork],
    n_jobs: int,
    folder: RunFolder,
    store: Path,
    timeout: float | None,
) -> Generator[HandedIn, None, None]:
    """Encode slides in worker processes; yield each as its fragment is written."""
    workers = isolated_each(
        _hand_in,
        (encoder, folder, str(store)),
        works,
        n_jobs=joblib.effective_n_jobs(n_jobs),
        timeout=timeout,
    )
    try:
        for answer in workers:
            if answer.error is None:
                yield answer.value
            elif isinstance(answer.error, WorkerDied | WorkerTimedOut):
                task = answer.item.task
                cure = (
                    "Try fewer n_jobs or a smaller batch"
                    if isinstance(answer.error, WorkerDied)
                    else "Pass a longer timeout"
                )
                text = (
                    f"{_who(task)}: {answer.error}, on {task.image_path}. {cure}; "
                    "retry='failed' does this one again."
                )
                lost = _failed(task, 0.0, type(answer.error).__name__, text)
                yield HandedIn(task.unit_id, folder.write(encoder, lost), False)
            else:
                raise answer.error
    finally:
        workers.close()


def _hand_in(shared: tuple[SlideEncoder, RunFolder, str], work: SlideWork) -> HandedIn:
    encoder, folder, store = shared
    result = encode_one(encoder, work, Path(store), folder.extractor_id)
    path = folder.write(encoder, result)
    return HandedIn(work.task.unit_id, path, result.ok)


def _who(task: Task) -> str:
    return f"Patient {task.patient}, slide {task.phase}"


def _failed(task: Task, seconds: float, code: str, text: str) -> Result:
    return Result(task=task, seconds=seconds, error_code=code, error_text=text)


def encode_one(
    encoder: SlideEncoder, work: SlideWork, store: Path, extractor: str
) -> Result:
    """Encode one slide and write its bag; one slide's trouble stops no other."""
    task, start = work.task, time.perf_counter()
    try:
        regions = None if work.regions is None else Regions.from_dict(work.regions)
        with warnings.catch_warnings():
            # They are notes of the bag's.
            warnings.simplefilter("ignore", NoTissue)
            warnings.simplefilter("ignore", MostlyBlurred)
            made = encoder.encode_slide(task.image_path, regions=regions, mpp=work.mpp)
        bag, notes = _keep(encoder, work, made, store, extractor)
    except DiskFull:
        # Not this slide's fault: the run stops, and goes on when there is space.
        raise
    except Exception as error:  # bound below: an encoder may raise anything, and
        # whatever it raises is this slide's failure row, not the cohort's end.
        text = str(error)
        if not text.startswith(f"Patient {task.patient}"):
            text = f"{_who(task)}: {text}"
        if task.image_path not in text:
            text += f" (slide {task.image_path})"
        seconds = time.perf_counter() - start
        return _failed(task, seconds, type(error).__name__, text)
    seconds = time.perf_counter() - start
    return Result(task=task, seconds=seconds, warnings=notes, bag=bag)


def _keep(
    encoder: SlideEncoder, work: SlideWork, made: Any, store: Path, extractor: str
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Check what an encoder gave, write it, and say where it lies."""
    task = work.task
    given = np.asarray(made.features)
    bag = make_bag(
        task.patient, task.phase, given, made.coords, given.dtype.name, "raise"
    )
    bad = [[int(x), int(y), str(why)] for x, y, why in made.bad.to_numpy().tolist()]
    counts = [
        [str(region), str(group), int(tiles)]
        for region, group, tiles in made.counts.to_numpy().tolist()
    ]
    told = {
        "format": FORMAT,
        "patient": task.patient,
        "slide": task.phase,
        "slide_sha256": work.sha256,
        "annotation_id": str(task.mask_id),
        "unit_id": task.unit_id,
        "extractor_id": extractor,
        "extractor": canonical_json(encoder.fingerprint()),
        "coords": COORDS,
        "mpp": repr(float(made.mpp)),
        "tile_px": repr(float(made.tile_px)),
        "reader": str(made.reader),
        "sampling": str(made.sampling),
        "bad": canonical_json(bad),
        "counts": canonical_json(counts),
    }
    extras: dict[str, Any] = {"tissue": made.tissue}
    if work.regions is not None:
        names = tuple(made.region_names)
        extras |= {"region": made.region, "region_names": names}
    path, checksum, size = _write(store, extractor, task, bag, told, extras)
    n, dim = bag.features.shape
    row = {
        "uri": path.relative_to(store).as_posix(),
        "n_rows": n,
        "dim": dim,
        "dtype": bag.features.dtype.name,
        "bytes": size,
        "checksum": checksum,
        "layout": "safetensors",
        "tile_px": float(made.tile_px),
        "counts": counts,
    }
    notes = tuple(str(note) for note in made.warnings)
    return row, notes


def _write(
    store: Path,
    extractor: str,
    task: Task,
    bag: Any,
    told: dict[str, str],
    extras: dict[str, Any],
) -> tuple[Path, str, int]:
    """Write a bag under a name that its content gives: nothing is overwritten."""
    checksum = bag_checksum(bag.features, bag.coords, told, **extras)
    name = f"{task.unit_id}-{checksum[:12]}.safetensors"
    path = store / "arrays" / extractor / name
    if path.exists() and file_sha256(str(path)) == checksum:
        return path, checksum, os.path.getsize(path)
    try:
        size = write_bag(path, bag.features, bag.coords, told, **extras)
    except OSError as error:
        if error.errno in FULL:
            raise disk_full(path, bag.features.nbytes) from error
        raise
    return path, checksum, size
