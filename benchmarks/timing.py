"""Times on a machine that others use, too: interleaved, the best and the median."""

from __future__ import annotations

import gc
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Times", "interleaved", "measure"]


@dataclass
class Times:
    """What several runs took, in milliseconds: on the clock, and of processors.

    The best is what the work costs; the median is what somebody waits who shares the
    machine. Processor time counts all threads and no waiting.
    """

    wall: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    load: float = 0.0

    @property
    def best(self) -> float:
        """Shortest run."""
        return min(self.wall)

    @property
    def median(self) -> float:
        """Run in the middle."""
        return statistics.median(self.wall)

    def add(self, more: Times) -> None:
        """Take in further runs."""
        self.wall += more.wall
        self.processor += more.processor
        self.load = max(self.load, more.load)

    def __str__(self) -> str:
        return (
            f"of {len(self.wall)}: best {self.best:.1f}, median {self.median:.1f}, "
            f"longest {max(self.wall):.1f}, processor {min(self.processor):.1f} ms; "
            f"load {self.load:.1f}"
        )


def measure(work: Callable[[], Any], repeats: int) -> Times:
    """Time one piece of work several times."""
    return interleaved({"work": (work, repeats)})["work"]


def interleaved(
    works: dict[str, tuple[Callable[[], Any], int]],
) -> dict[str, Times]:
    """Time several pieces of work in turns, so that a busy spell meets all of them.

    Parameters
    ----------
    works : dict of name to (work, repeats)
        Those with fewer repeats take part in the first rounds only.
    """
    found = {name: Times() for name in works}
    for turn in range(max(repeats for _, repeats in works.values())):
        for name, (work, repeats) in works.items():
            if turn < repeats:
                _once(work, found[name])
    return found


def _once(work: Callable[[], Any], times: Times) -> None:
    gc.collect()
    start, used = time.perf_counter(), time.process_time()
    made = work()
    times.wall.append(1000 * (time.perf_counter() - start))
    times.processor.append(1000 * (time.process_time() - used))
    times.load = max(times.load, os.getloadavg()[0])
    # Freed after the clock has stopped, before the next begins.
    del made
