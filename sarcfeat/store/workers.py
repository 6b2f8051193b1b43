"""Where units are computed: worker processes that never see the catalogue."""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
import numpy.typing as npt

from sarcfeat._validation import listed
from sarcfeat.exceptions import (
    InvalidInput,
    SarcfeatError,
    WorkerDied,
    WorkerTimedOut,
)
from sarcfeat.io.isolation import isolated_each
from sarcfeat.store.inbox import RunFolder
from sarcfeat.store.units import Encoder, Result, Task

__all__ = ["HandedIn", "fragments_of", "run_task"]


class HandedIn(NamedTuple):
    """A unit whose fragment lies in the inbox, and whether it holds numbers."""

    unit_id: str
    path: Path
    ok: bool


def fragments_of(
    encoder: Encoder,
    tasks: Sequence[Task],
    n_jobs: int,
    folder: RunFolder,
    timeout: float | None = None,
) -> Generator[HandedIn, None, None]:
    """Compute tasks in worker processes; yield each as its fragment is written.

    A worker that dies (no memory, a crash in a library) or is late costs the unit that
    it was at, and nothing else: this process never opens an image itself.
    """
    if joblib.effective_n_jobs(n_jobs) > 1:
        # The longest first, as far as a file's size tells: no worker is left alone
        # with the largest volume at the end.
        tasks = sorted(tasks, key=_size, reverse=True)
    workers = isolated_each(
        _hand_in,
        (encoder, folder),
        tasks,
        n_jobs=joblib.effective_n_jobs(n_jobs),
        timeout=timeout,
    )
    try:
        for answer in workers:
            if answer.error is None:
                yield answer.value
            elif isinstance(answer.error, WorkerDied | WorkerTimedOut):
                lost = _lost(answer.item, answer.error)
                path = folder.write(encoder, lost)
                yield HandedIn(lost.task.unit_id, path, lost.ok)
            else:
                raise answer.error
    finally:
        workers.close()


def _size(task: Task) -> int:
    """Return the bytes of the image, 0 where it is not there (and will be said)."""
    try:
        return os.path.getsize(task.image_path)
    except OSError:
        return 0


def _hand_in(shared: tuple[Encoder, RunFolder], task: Task) -> HandedIn:
    encoder, folder = shared
    result = run_task(encoder, task)
    return HandedIn(task.unit_id, folder.write(encoder, result), result.ok)


def _lost(task: Task, error: SarcfeatError) -> Result:
    """Turn the end of a worker into the failure of the unit it was at."""
    if isinstance(error, WorkerTimedOut):
        cure = "Pass a longer timeout, a coarser resampling, or fewer filters"
    else:
        cure = "Try fewer n_jobs or a coarser resampling"
    return Result(
        task=task,
        seconds=0.0,
        error_code=type(error).__name__,
        error_text=(
            f"Patient {task.patient}, {task.phase}, reader {task.reader}: {error}, on "
            f"image {task.image_path}, mask {task.mask_path}. {cure}; "
            "retry='failed' does this one again."
        ),
    )


def run_task(encoder: Encoder, task: Task) -> Result:
    """Compute one unit; never raises, so that one patient stops no other."""
    start = time.perf_counter()
    try:
        found = encoder.encode(task.image_path, task.mask_path, label=task.label)
        names = tuple(str(name) for name in found.names)
        given = np.asarray(found.values)
        values = given.astype(np.float64)
        _refuse_odd(encoder, names, values)
        notes = (*(str(note) for note in found.warnings), *_cast(given))
    except Exception as error:  # bound below: an encoder may raise anything, and
        # whatever it raises is this patient's failure row, not the cohort's end.
        text = f"Patient {task.patient}, {task.phase}, reader {task.reader}: {error}"
        if task.mask_path not in text and task.image_path not in text:
            text += f" (image {task.image_path}, mask {task.mask_path})"
        return Result(
            task=task,
            seconds=time.perf_counter() - start,
            error_code=type(error).__name__,
            error_text=text,
        )
    seconds = time.perf_counter() - start
    return Result(task, seconds, names, values, notes)


def _cast(given: npt.NDArray[Any]) -> list[str]:
    """Say what was turned into float64, which is all that a store keeps."""
    if given.dtype == np.float64:
        return []
    return [f"{given.size} {given.dtype} values cast to float64"]


def _refuse_odd(
    encoder: Encoder, names: tuple[str, ...], values: npt.NDArray[np.float64]
) -> None:
    if values.shape != (len(names),):
        raise InvalidInput(
            f"{encoder.name} gave {len(names)} names and values of shape "
            f"{values.shape}; expected one number a name."
        )
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise InvalidInput(f"{encoder.name} names features twice: {listed(twice)}.")
