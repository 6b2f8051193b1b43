"""Where units are computed: worker processes that never see the catalogue."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
import numpy.typing as npt
from joblib.externals.loky.process_executor import TerminatedWorkerError

from sarcfeat._validation import listed
from sarcfeat.exceptions import InvalidInput
from sarcfeat.store.inbox import RunFolder
from sarcfeat.store.units import Encoder, Result, Task

__all__ = ["HandedIn", "fragments_of", "run_task"]

THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
)


class HandedIn(NamedTuple):
    """A unit whose fragment lies in the inbox, and whether it holds numbers."""

    unit_id: str
    path: Path
    ok: bool


def fragments_of(
    encoder: Encoder, tasks: Sequence[Task], n_jobs: int, folder: RunFolder
) -> Generator[HandedIn, None, None]:
    """Compute tasks in joblib's workers; yield each as its fragment is written.

    When a worker dies (no memory, a crash in a library) the tasks that have not come
    back are done in small groups, and those of a group that dies again one by one, so
    that the file that kills a worker costs its own patient only.
    """
    left = {task.unit_id: task for task in tasks}
    try:
        for handed in _parallel(encoder, tasks, n_jobs, folder):
            del left[handed.unit_id]
            yield handed
        return
    except TerminatedWorkerError:
        pass  # which task it was is found out below
    suspects = list(left.values())
    size = max(1, 2 * joblib.effective_n_jobs(n_jobs))
    for start in range(0, len(suspects), size):
        group = {task.unit_id: task for task in suspects[start : start + size]}
        try:
            for handed in _parallel(encoder, list(group.values()), n_jobs, folder):
                del group[handed.unit_id]
                yield handed
        except TerminatedWorkerError:
            for task in group.values():
                yield _alone(encoder, task, folder)


def _parallel(
    encoder: Encoder, tasks: Sequence[Task], n_jobs: int, folder: RunFolder
) -> Generator[HandedIn, None, None]:
    jobs = joblib.Parallel(
        n_jobs=n_jobs, return_as="generator_unordered", pre_dispatch="2 * n_jobs"
    )
    results = jobs(
        joblib.delayed(_hand_in)(encoder, t, os.getpid(), folder) for t in tasks
    )
    try:
        yield from results
    finally:
        results.close()


def _hand_in(encoder: Encoder, task: Task, parent: int, folder: RunFolder) -> HandedIn:
    result = run_task(encoder, task, parent)
    return HandedIn(task.unit_id, folder.write(encoder, result), result.ok)


def _alone(encoder: Encoder, task: Task, folder: RunFolder) -> HandedIn:
    """Compute one task in a worker of its own; its death is the task's failure."""
    try:
        # Two jobs are what makes joblib start a process for a single task.
        return next(_parallel(encoder, [task], 2, folder))
    except TerminatedWorkerError as error:
        reason = str(error).split(".")[0]
        died = Result(
            task=task,
            seconds=0.0,
            error_code="WorkerDied",
            error_text=(
                f"Patient {task.patient}, {task.phase}, reader {task.reader}: the "
                f"worker process died on image {task.image_path}, mask "
                f"{task.mask_path}: {reason}. Try fewer n_jobs or a coarser resampling."
            ),
        )
        return HandedIn(task.unit_id, folder.write(encoder, died), died.ok)


def run_task(encoder: Encoder, task: Task, parent: int) -> Result:
    """Compute one unit; never raises, so that one patient stops no other."""
    if os.getpid() != parent:
        _one_thread()
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


def _one_thread() -> None:
    """Keep a worker to one thread: the workers share the cores already."""
    for name in THREADS:
        os.environ[name] = "1"
    itk = sys.modules.get("SimpleITK")
    if itk is not None:
        itk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
