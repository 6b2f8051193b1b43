"""Tiles of a slide, read by several threads and given back in one order.

Each thread has the slide open for itself. Neighbouring tiles are read in one piece and
cut apart, which is faster than one by one; a few pieces wait at a time and no more.
A piece that cannot be read is read tile by tile, from the slide opened anew, and each
tile that still cannot is given back as what was wrong with it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from os import PathLike
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from sarcfeat.encoders.overview import find_tissue
from sarcfeat.encoders.tiling import Block, Grid, tissue_groups
from sarcfeat.encoders.tissue import Tissue, TissueRule
from sarcfeat.exceptions import InputCorrupt
from sarcfeat.io.slide import Slide, open_slide

__all__ = ["Layout", "ReadTile", "in_order", "lay_out", "read_tiles", "sample_tiles"]

Pixels = npt.NDArray[np.uint8]
Prepare = Callable[[Pixels], Pixels | str]
Path_ = str | PathLike[str]
T = TypeVar("T")
U = TypeVar("U")

ACROSS = 1024  # pixels along a block, about
AHEAD = 2  # blocks waiting for each thread


@dataclass(frozen=True)
class ReadTile:
    """A tile, or why there is none.

    Parameters
    ----------
    index : int
        Its place in the grid.
    pixels : ndarray of uint8 or None
    reason : str or None
        ``"corrupt"``, or what `prepare` said.
    detail : str
        What the reader said of a corrupt one.
    """

    index: int
    pixels: Pixels | None
    reason: str | None = None
    detail: str = ""


@dataclass(frozen=True, eq=False)
class Layout:
    """How a slide is cut, and how much tissue each tile has.

    Attributes
    ----------
    grid : Grid
    tissue : Tissue
    share, ink : ndarray of float64
        Of each tile of the grid.
    group : ndarray of str
        A, B, C or D.
    mpp : float or None
        As the slide is asked for it.
    size : int
        Pixels along a side of a tile.
    exact : bool
        Whether tiles are pixels of the slide as they are.
    reader, slide_mpp, how
        Of the slide; `how` says which level is read and what is done to it.
    upsampled : bool
        Whether the slide is coarser than what is asked.
    """

    grid: Grid
    tissue: Tissue
    share: npt.NDArray[np.float64]
    ink: npt.NDArray[np.float64]
    group: npt.NDArray[np.str_]
    mpp: float | None
    size: int
    exact: bool
    reader: str
    slide_mpp: float
    how: str
    upsampled: bool


def lay_out(slide: Slide, *, mpp: float | None, size: int, rule: TissueRule) -> Layout:
    """Cut a slide into tiles and find the tissue of each.

    Parameters
    ----------
    slide : Slide
    mpp : float or None
        µm per pixel of the tiles; None for the slide's own.
    size : int
        Pixels along a side.
    rule : TissueRule

    Returns
    -------
    Layout
    """
    info = slide.read_info(mpp)
    side = size * info.scale * slide.levels[info.level].downsample
    tissue = find_tissue(slide, rule, tile_mm=side * slide.mpp / 1000)
    grid = Grid.over(slide.dimensions, side)
    coords = grid.coords
    share = tissue.share(coords, side)
    return Layout(
        grid=grid,
        tissue=tissue,
        share=share,
        ink=tissue.ink_share(coords, side),
        group=tissue_groups(share),
        mpp=mpp,
        size=size,
        exact=not info.resampled and side == round(side),
        reader=slide.reader,
        slide_mpp=slide.mpp,
        how=str(info),
        upsampled=info.upsampled,
    )


def read_tiles(
    path: Path_,
    layout: Layout,
    wanted: npt.NDArray[Any],
    *,
    mpp: float | None = None,
    n_threads: int = 1,
    prepare: Prepare | None = None,
) -> Iterator[list[ReadTile]]:
    """Read tiles, block by block, in an order that does not depend on the threads.

    Parameters
    ----------
    path : path
        The slide.
    layout : Layout
    wanted : array of bool
        Which tiles of the grid.
    mpp : float, optional
        The slide's µm per pixel, where it does not say.
    n_threads : int
        Threads that read; each has the slide open once.
    prepare : callable, optional
        Applied to each tile in its thread: returns the tile to give back, or why it is
        left out.

    Yields
    ------
    list of ReadTile
        Of one block; every tile that is wanted comes once.
    """
    handles = _Handles(path, mpp)
    across = max(ACROSS // layout.size, 1)

    def work(block: Block) -> list[ReadTile]:
        return _read_block(handles.mine(), layout, block, prepare)

    try:
        with ThreadPoolExecutor(n_threads, "sarcfeat-tiles") as pool:
            yield from in_order(
                pool, work, layout.grid.blocks(wanted, across), AHEAD * n_threads
            )
    finally:
        handles.close()


def in_order(
    pool: ThreadPoolExecutor, work: Callable[[T], U], items: Iterable[T], ahead: int
) -> Iterator[U]:
    """Do work in a pool, at most `ahead` pieces at a time, and yield it in order."""
    waiting: deque[Future[U]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def sample_tiles(
    path: Path_,
    n: int,
    *,
    mpp: float | None,
    rule: TissueRule,
    size: int = 224,
    slide_mpp: float | None = None,
) -> list[Pixels]:
    """Read some tiles that are full of tissue, evenly spread over a slide.

    Parameters
    ----------
    path : path
    n : int
        How many at most; those that cannot be read are left out.
    mpp : float or None
        µm per pixel of the tiles.
    rule : TissueRule
    size : int
        Pixels along a side.
    slide_mpp : float, optional
        The slide's µm per pixel, where it does not say.
    """
    with open_slide(path, mpp=slide_mpp) as slide:
        layout = lay_out(slide, mpp=mpp, size=size, rule=rule)
        full = np.flatnonzero(layout.group == "A")
        if not len(full):
            full = np.flatnonzero(layout.group == "B")
        return sampled(slide, layout, full, n)


def sampled(
    slide: Slide, layout: Layout, among: npt.NDArray[Any], n: int
) -> list[Pixels]:
    """Read `n` of some tiles, evenly spread among them."""
    chosen = among[
        np.arange(min(n, len(among))) * len(among) // max(min(n, len(among)), 1)
    ]
    tiles = (_read_one(slide, layout, int(k), None) for k in chosen)
    return [tile.pixels for tile in tiles if tile.pixels is not None]


class _Handles:
    """A slide opened once in each thread."""

    def __init__(self, path: Path_, mpp: float | None) -> None:
        self._path, self._mpp = path, mpp
        self._local = threading.local()
        self._lock = threading.Lock()
        self._open: list[Slide] = []

    def mine(self) -> Slide:
        slide: Slide | None = getattr(self._local, "slide", None)
        if slide is None:
            slide = self._local.slide = open_slide(self._path, mpp=self._mpp)
            with self._lock:
                self._open.append(slide)
        return slide

    def close(self) -> None:
        with self._lock:
            for slide in self._open:
                slide.close()
            self._open.clear()


def _read_block(
    slide: Slide, layout: Layout, block: Block, prepare: Prepare | None
) -> list[ReadTile]:
    # Pixels that are not resized are the same read alone or together, so that a block
    # of which little is wanted is read tile by tile. Where they are resized the block
    # is what defines them, whatever is wanted of it.
    sparse = 2 * len(block.tiles) < block.columns * block.rows
    if not (layout.exact and sparse):
        with suppress(InputCorrupt):
            return _cut(slide, layout, block, prepare)
    # A slide that could not be read has been opened anew by its reader.
    return [_read_one(slide, layout, index, prepare) for index in block.tiles]


def _cut(
    slide: Slide, layout: Layout, block: Block, prepare: Prepare | None
) -> list[ReadTile]:
    grid, size = layout.grid, layout.size
    x, y = (round(place * grid.side) for place in (block.column, block.row))
    pixels = slide.read(x, y, (block.columns * size, block.rows * size), mpp=layout.mpp)
    found = []
    for index in block.tiles:
        row, column = divmod(index, grid.columns)
        top, left = (row - block.row) * size, (column - block.column) * size
        tile = pixels[top : top + size, left : left + size]
        found.append(_prepared(index, tile, prepare))
    return found


def _read_one(
    slide: Slide, layout: Layout, index: int, prepare: Prepare | None
) -> ReadTile:
    row, column = divmod(index, layout.grid.columns)
    x, y = (round(place * layout.grid.side) for place in (column, row))
    try:
        pixels = slide.read(x, y, layout.size, mpp=layout.mpp)
    except InputCorrupt as error:
        # What the reader advises is said once, for the slide.
        detail = str(error).partition(" Copy the file again")[0]
        return ReadTile(index, None, "corrupt", detail)
    return _prepared(index, pixels, prepare)


def _prepared(index: int, tile: Pixels, prepare: Prepare | None) -> ReadTile:
    made = tile if prepare is None else prepare(tile)
    if isinstance(made, str):
        return ReadTile(index, None, made)
    return ReadTile(index, np.ascontiguousarray(made))
