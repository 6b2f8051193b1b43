"""A slide made small, so that its tissue can be found before a tile is read."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from sarcfeat.encoders.tissue import Tissue, TissueRule
from sarcfeat.exceptions import InputCorrupt
from sarcfeat.io.slide import Slide

__all__ = ["find_tissue"]

Pixels = npt.NDArray[np.uint8]

COARSEST = 8.0  # µm a pixel
PER_TILE = 8  # pixels along a tile, at least
_BLOCK = 1024
_LEAST = 64  # pixels of the smallest window that is tried where a larger one fails


class _Windows(Protocol):
    """What is needed of a slide here."""

    def read(
        self, x: int, y: int, size: int | tuple[int, int], *, mpp: float | None = None
    ) -> Pixels:
        """Return pixels from level-0 position (x, y)."""


def find_tissue(slide: Slide, rule: TissueRule, *, tile_mm: float) -> Tissue:
    """Find the tissue of a slide.

    The picture is the coarsest level of the pyramid that shows a tile with 8 pixels
    along its side or more, and no finer than a quarter of that; without such a level
    the next finer one is reduced.

    Parameters
    ----------
    slide : Slide
    rule : TissueRule
    tile_mm : float
        A tile's side in millimetres.

    Returns
    -------
    Tissue
        Where the picture cannot be read it says tissue: the tiles there are read, and
        recorded if they cannot be.
    """
    down = overview_downsample(slide, 1000 * tile_mm)
    picture, unseen = _overview(slide, slide.dimensions, down, slide.mpp * down)
    tissue = Tissue.find(picture, rule=rule, downsample=down)
    return Tissue(
        tissue.mask | unseen, tissue.ink & ~unseen, tissue.threshold, tissue.downsample
    )


def overview_downsample(slide: Slide, tile_um: float) -> float:
    """Return how many pixels of level 0 lie along one of the small picture."""
    wanted = max(min(COARSEST, tile_um / PER_TILE) / slide.mpp, 1.0)
    fit = [
        level.downsample
        for level in slide.levels
        if wanted / 4 <= level.downsample <= 1.01 * wanted
    ]
    return max(fit, default=wanted)


def _overview(
    slide: _Windows, dimensions: tuple[int, int], down: float, mpp: float
) -> tuple[Pixels, npt.NDArray[np.bool_]]:
    """Return a small picture of the whole slide, and where it could not be read."""
    width, height = (max(round(n / down), 1) for n in dimensions)
    picture = np.full((height, width, 3), 255, np.uint8)
    unseen = np.zeros((height, width), np.bool_)
    waiting = [
        (x, y, min(_BLOCK, width - x), min(_BLOCK, height - y))
        for y in range(0, height, _BLOCK)
        for x in range(0, width, _BLOCK)
    ]
    while waiting:
        x, y, wide, tall = waiting.pop()
        place = (slice(y, y + tall), slice(x, x + wide))
        try:
            picture[place] = slide.read(
                round(x * down), round(y * down), (wide, tall), mpp=mpp
            )
        except InputCorrupt:
            if max(wide, tall) <= _LEAST:
                unseen[place] = True
            else:
                waiting += _quarters(x, y, wide, tall)
    return picture, unseen


def _quarters(x: int, y: int, wide: int, tall: int) -> list[tuple[int, int, int, int]]:
    half, mid = -(-wide // 2), -(-tall // 2)
    parts = [
        (x + i, y + j, w, h)
        for j, h in ((0, mid), (mid, tall - mid))
        for i, w in ((0, half), (half, wide - half))
    ]
    return [part for part in parts if part[2] and part[3]]
