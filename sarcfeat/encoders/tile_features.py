"""Tiles through a net: in fixed batches, so that threads never change a bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from sarcfeat.encoders.forward import CPU_BATCH, Precision, forward
from sarcfeat.encoders.tile_nets import TileSpec
from sarcfeat.encoders.tile_reading import ReadTile, in_order

__all__ = ["tile_features"]

Batch = list[ReadTile]


def tile_features(
    blocks: Iterator[list[ReadTile]],
    spec: TileSpec,
    *,
    how: Precision,
    batch_size: int,
    n_threads: int,
    dtype: Any,
    left_out: Callable[[ReadTile], None],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
    """Compute the features of tiles as they are read.

    Which tiles share a batch follows from their order alone: on a CPU it is four after
    four, whatever `batch_size` and `n_threads` say, each batch in one thread; the bits
    are the same for any of either. On a GPU the batches are as large as is said.

    Parameters
    ----------
    blocks : iterator of lists of ReadTile
    spec : TileSpec
    how : Precision
    batch_size : int
        Tiles through a GPU at a time.
    n_threads : int
        Threads that compute, on a CPU.
    dtype : dtype
        What is kept; what overflows becomes infinite.
    left_out : callable
        Told of every tile that has no pixels.

    Returns
    -------
    index : ndarray of int64, shape (n,)
        Places in the grid, rising.
    features : ndarray of shape (n, dimension)
    """
    cpu = how.device == "cpu"
    size = CPU_BATCH if cpu else batch_size
    places: list[int] = []
    rows: list[npt.NDArray[Any]] = []

    def work(batch: Batch) -> tuple[list[int], npt.NDArray[Any]]:
        pixels = np.stack([tile.pixels for tile in batch if tile.pixels is not None])
        # (n, height, width, 3) seen as (n, 3, height, width): torch's channels last.
        found = forward(
            spec, pixels.transpose(0, 3, 1, 2), how=how, batch_size=batch_size
        )
        with np.errstate(over="ignore"):
            return [tile.index for tile in batch], found.astype(dtype)

    threads = n_threads if cpu else 1
    with ThreadPoolExecutor(threads, "sarcfeat-net", initializer=_one_thread) as pool:
        batches = _batches(blocks, size, left_out)
        for index, found in in_order(pool, work, batches, threads + 1):
            places += index
            rows.append(found)
    index = np.array(places, np.int64)
    order = np.argsort(index)
    empty = np.empty((0, spec.net.dimension), dtype)
    return index[order], (np.concatenate(rows)[order] if rows else empty)


def _batches(
    blocks: Iterator[list[ReadTile]], size: int, left_out: Callable[[ReadTile], None]
) -> Iterator[Batch]:
    batch: Batch = []
    for block in blocks:
        for tile in block:
            if tile.pixels is None:
                left_out(tile)
                continue
            batch.append(tile)
            if len(batch) == size:
                yield batch
                batch = []
    if batch:
        yield batch


def _one_thread() -> None:
    """Keep this thread's sums whole: torch counts its threads per thread."""
    import torch

    torch.set_num_threads(1)
