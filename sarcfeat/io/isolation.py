"""Worker processes that may hang or die without taking the run with them.

Parsers of images and the libraries behind features are large and not ours: one crafted
or broken file can crash the process or never come back. Here each call runs in a worker
process; a worker that dies or is late costs its own item, and another one takes over.
Workers are kept for the next call and end by themselves when nobody needs them.
"""

from __future__ import annotations

import math
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from joblib.externals.loky.backend.context import get_context
from joblib.externals.loky.backend.reduction import dumps, loads

from sarcfeat.exceptions import InvalidInput, WorkerDied, WorkerTimedOut

__all__ = ["Answer", "isolated", "isolated_each"]

IDLE = 60.0  # seconds after which a worker that nobody asks ends
START = 300.0  # seconds for a process to start and to import what the work needs
READ_TIMEOUT = 600.0  # seconds for one file: far more than a slow network needs
THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
)


@dataclass(frozen=True)
class Answer:
    """What came of one item: a value, or why there is none."""

    item: Any
    value: Any = None
    error: BaseException | None = None


def isolated(
    function: Callable[..., Any], *args: Any, timeout: float | None = READ_TIMEOUT
) -> Any:
    """Call a function in a worker process and return what it returns.

    Parameters
    ----------
    function : callable
        Its arguments and its result must be picklable.
    *args
        Positional arguments.
    timeout : float, optional
        Seconds until the worker is killed; None waits for ever.

    Raises
    ------
    WorkerDied
        The process ended twice: out of memory, or a crash in a library.
    WorkerTimedOut
        There was no answer in time.
    Exception
        Whatever the function raised.

    Examples
    --------
    >>> isolated(divmod, 17, 5)
    (3, 2)
    """
    for answer in isolated_each(_apply, function, [args], timeout=timeout):
        if answer.error is not None:
            raise answer.error
        return answer.value
    raise WorkerDied("The worker process gave no answer.")


def isolated_each(
    function: Callable[[Any, Any], Any],
    shared: Any,
    items: Iterable[Any],
    *,
    n_jobs: int = 1,
    timeout: float | None = None,
) -> Generator[Answer, None, None]:
    """Yield ``function(shared, item)`` of each item, as workers finish them.

    Parameters
    ----------
    function : callable
        Called in the workers.
    shared : object
        Sent to each worker once, such as an encoder with its weights.
    items : iterable
        Taken as workers become free.
    n_jobs : int
        Worker processes. Several have one thread each; a single one has them all.
    timeout : float, optional
        Seconds for one item; a worker that is late is killed.

    Yields
    ------
    Answer
        An item on which a worker died is tried once more, alone, at the end, so that
        one which fell to another's hunger for memory is not lost.

    Raises
    ------
    InvalidInput
        The function, `shared` or an item cannot be sent to another process.
    """
    crew = _Crew(_packed((function, shared)), limited=n_jobs > 1, timeout=timeout)
    waiting, again = iter(items), deque[Any]()
    try:
        crew.start(waiting, n_jobs)
        while crew.busy:
            for answer in crew.answers():
                crew.start(waiting, n_jobs)
                if isinstance(answer.error, WorkerDied):
                    again.append(answer.item)
                else:
                    yield answer
        for item in again:
            crew.start(iter([item]), 1)
            while crew.busy:
                yield from crew.answers()
    finally:
        crew.dismiss()


def _apply(function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    return function(*args)


def _packed(what: Any) -> bytes:
    try:
        return bytes(dumps(what))
    except Exception as error:  # a class may raise anything when it is pickled
        raise InvalidInput(
            f"{what[-1]!r} cannot be sent to a worker process: {error}. Open files, "
            "locks and connections where they are used instead of keeping them."
        ) from error


@dataclass
class _Worker:
    """One process, its pipe, and what it is at."""

    process: Any
    pipe: Connection
    owner: int
    item: Any = None
    deadline: float = 0.0

    def kill(self) -> int | None:
        """End the process at once, whatever it is at; return its exit code."""
        if self.process.is_alive():
            if hasattr(signal, "SIGKILL"):
                os.kill(self.process.pid, signal.SIGKILL)
            else:
                self.process.terminate()
        self.process.join()
        self.pipe.close()
        return self.process.exitcode


class _Crew:
    """The workers of one run."""

    def __init__(self, job: bytes, *, limited: bool, timeout: float | None) -> None:
        self.busy: dict[Connection, _Worker] = {}
        self._job = job
        self._limited = limited
        self._timeout = timeout
        self._free: list[_Worker] = []

    def start(self, items: Iterator[Any], n_jobs: int) -> None:
        """Give items to workers until all are at work."""
        while len(self.busy) < n_jobs:
            try:
                item = next(items)
            except StopIteration:
                return
            self._give(item)

    def _give(self, item: Any) -> None:
        data = _packed(item)
        while True:
            worker = self._free.pop() if self._free else self._hire()
            try:
                worker.pipe.send_bytes(data)
            except OSError:  # it ended while it waited
                worker.kill()
                continue
            worker.item, worker.deadline = item, time.monotonic() + START
            self.busy[worker.pipe] = worker
            return

    def _hire(self) -> _Worker:
        idle = _IDLE[self._limited]
        while True:
            worker = idle.pop() if idle else _started(self._limited)
            if worker.owner != os.getpid():
                continue  # its owner is the process that this one was forked from
            try:
                worker.pipe.send_bytes(b"job")
                worker.pipe.send_bytes(self._job)
            except OSError:  # it ended while it waited
                worker.kill()
                continue
            return worker

    def answers(self) -> list[Answer]:
        """Wait for workers; return what came of their items."""
        until = min(worker.deadline for worker in self.busy.values())
        pause = None if until == math.inf else max(0.0, until - time.monotonic())
        heard = [self._heard(pipe) for pipe in wait(list(self.busy), pause)]
        return [answer for answer in heard if answer is not None] + self._late()

    def _heard(self, pipe: Any) -> Answer | None:
        """Take a message: that a worker begins its item, or what came of it."""
        worker = self.busy[pipe]
        try:
            data = pipe.recv_bytes()
        except (EOFError, OSError):
            del self.busy[pipe]
            return Answer(worker.item, error=WorkerDied(_why(worker.kill())))
        if data == b"begun":
            worker.deadline = time.monotonic() + (self._timeout or math.inf)
            return None
        del self.busy[pipe]
        self._free.append(worker)
        value, error = loads(data)
        return Answer(worker.item, value, error)

    def _late(self) -> list[Answer]:
        now = time.monotonic()
        late = [w for w in self.busy.values() if w.deadline <= now]
        for worker in late:
            del self.busy[worker.pipe]
            worker.kill()
        limit = self._timeout or START
        text = f"no answer within {limit:g} s, so its worker process was ended"
        return [Answer(w.item, error=WorkerTimedOut(text)) for w in late]

    def dismiss(self) -> None:
        """Keep free workers for the next run; end those still at work."""
        for worker in self.busy.values():
            worker.kill()
        for worker in self._free:
            try:
                worker.pipe.send_bytes(b"done")
            except OSError:  # it ended while it waited
                worker.kill()
                continue
            _IDLE[self._limited].append(worker)


def _why(code: int | None) -> str:
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        cause = "out of memory, or killed" if name == "SIGKILL" else "a library crashed"
        return f"the worker process died ({name}: {cause})"
    return f"the worker process died (exit code {code})"


# Workers that wait for work: with all threads, and with one.
_IDLE: dict[bool, list[_Worker]] = {False: [], True: []}


def _started(limited: bool) -> _Worker:
    # loky starts a process without importing the caller's main module again, so that a
    # script needs no `if __name__ == "__main__"`.
    context = get_context("loky")
    ours, theirs = context.Pipe()
    env = dict.fromkeys(THREADS, "1") if limited else None
    process = context.Process(
        target=_serve, args=(theirs, limited), daemon=True, env=env
    )
    process.start()
    theirs.close()
    return _Worker(process, ours, os.getpid())


def _serve(pipe: Connection, limited: bool) -> None:
    """Answer until nobody asks any more; Ctrl-C is for the process that started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    job: Any = b""
    while pipe.poll(IDLE if not job else None):
        try:
            data = pipe.recv_bytes()
            if data in (b"job", b"done"):
                job = pipe.recv_bytes() if data == b"job" else b""
                continue
        except EOFError:
            return
        value, error = None, None
        try:
            if isinstance(job, bytes):
                job = loads(job)
            if limited:
                _one_thread()
            item = loads(data)
            pipe.send_bytes(b"begun")
            value = job[0](job[1], item)
        except BaseException as raised:  # whatever it is, it belongs to the item
            error = raised
        pipe.send_bytes(_answer(value, error))


def _answer(value: Any, error: BaseException | None) -> bytes:
    """Pack an answer; what cannot be packed is told in words."""
    try:
        packed = bytes(dumps((value, error)))
        loads(packed)
    except Exception as odd:  # classes decide how they are pickled, and may fail
        told = error if error is not None else odd
        text = f"{type(told).__name__}: {told}"
        return bytes(dumps((None, RuntimeError(text))))
    return packed


def _one_thread() -> None:
    """Keep a worker to one thread: the workers share the cores already."""
    itk = sys.modules.get("SimpleITK")
    if itk is not None:
        itk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
