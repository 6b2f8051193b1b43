"""Which patients go through the net together."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["event_balanced", "shuffled"]

Rows = list[npt.NDArray[np.intp]]


def shuffled(n: int, size: int, rng: np.random.Generator) -> Rows:
    """Deal `n` patients into batches of about equal size, at most `size`, at random.

    Examples
    --------
    >>> [len(b) for b in shuffled(10, 4, np.random.default_rng(0))]
    [4, 3, 3]
    """
    return np.array_split(rng.permutation(n), _count(n, size))


def event_balanced(event: npt.ArrayLike, size: int, rng: np.random.Generator) -> Rows:
    """Deal patients into batches with as equal a share of events as can be.

    Events are spread evenly through the shuffled order, so that two batches of one
    epoch differ by two events at most, and a batch without an event is met only where
    there are fewer events than batches.

    Parameters
    ----------
    event : array-like of bool
        True where the event was observed.
    size : int
        Largest batch.
    rng : Generator
        Decides the order; every patient comes once.

    Examples
    --------
    >>> event = np.array([True] * 4 + [False] * 12)
    >>> batches = event_balanced(event, 4, np.random.default_rng(0))
    >>> [int(event[b].sum()) for b in batches]
    [1, 1, 1, 1]
    """
    event = np.asarray(event, dtype=bool)
    place = np.empty(len(event))
    for kind in (True, False):
        rows = rng.permutation(np.flatnonzero(event == kind))
        place[rows] = (np.arange(len(rows)) + 0.5) / max(len(rows), 1)
    batches = np.array_split(np.argsort(place, kind="stable"), _count(len(event), size))
    return [rng.permutation(rows) for rows in batches]


def _count(n: int, size: int) -> int:
    return max(1, -(-n // size))
