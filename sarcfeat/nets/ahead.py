"""Reading the next while the last is used: one thread, two in memory at most."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

__all__ = ["ahead", "batches_of", "loaded", "seed_of"]

Item = TypeVar("Item")
Rows = npt.NDArray[np.intp]


def ahead(items: Iterable[Item]) -> Iterator[Item]:
    """Yield the items, of which the next is made in a thread meanwhile.

    Examples
    --------
    >>> list(ahead(n * n for n in range(4)))
    [0, 1, 4, 9]
    """
    source, end = iter(items), object()
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, source, end)
        while (item := coming.result()) is not end:
            coming = thread.submit(next, source, end)
            yield item  # type: ignore[misc]


def loaded(
    data: Any, asked: Iterable[tuple[Rows, np.random.Generator | None]]
) -> Iterator[Any]:
    """Load batches in order; ahead where the data says so (``prefetch = True``)."""
    items = (data.load(rows, rng) for rows, rng in asked)
    return ahead(items) if getattr(data, "prefetch", False) else items


def batches_of(
    steps: Sequence[Sequence[Rows]], number: int, random_state: int, twice: bool
) -> Iterator[tuple[Rows, np.random.Generator]]:
    """Yield the batches of an epoch in the order in which the net will see them.

    Parameters
    ----------
    steps : sequence of sequence of rows
        The batches of each step.
    number : int
        Of the epoch.
    random_state : int
    twice : bool
        Whether steps of several batches go through the net a second time.
    """
    for i, batches in enumerate(steps):
        for _ in range(2 if twice and len(batches) > 1 else 1):
            for j, rows in enumerate(batches):
                seed = seed_of(random_state, number, i, j)
                yield rows, np.random.default_rng(seed)


def seed_of(random_state: int, *key: int) -> np.random.SeedSequence:
    """Return the seed of one batch, from epoch, step and batch."""
    return np.random.SeedSequence([random_state, *key])
