"""The levels of a slide's pyramid, and which one is read for a resolution asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Level", "ReadInfo", "choose_level"]

# A level is taken as it is when it is this close to the resolution asked: less than
# half a pixel in a tile of 224.
SAME = 0.002
# Downsamples are often 4.0003 rather than 4; such a level still is fine enough.
CLOSE = 0.005


@dataclass(frozen=True)
class Level:
    """One level of a pyramid: its size, and level-0 pixels per pixel of it."""

    width: int
    height: int
    downsample: float


@dataclass(frozen=True)
class ReadInfo:
    """How pixels of a resolution come to be.

    Parameters
    ----------
    mpp : float
        The resolution asked, µm per pixel.
    level : int
        The level that is read.
    scale : float
        Pixels of that level for one pixel returned, along a side; 1 = as they are.
    """

    mpp: float
    level: int
    scale: float

    @property
    def resampled(self) -> bool:
        """Whether the level's pixels are resized."""
        return self.scale != 1.0

    @property
    def upsampled(self) -> bool:
        """Whether the slide is coarser than what was asked, so that pixels are made."""
        return self.scale < 1.0

    def __str__(self) -> str:
        """Say in one sentence what is done."""
        source = f"{self.mpp:.4g} µm/px from level {self.level}"
        if not self.resampled:
            return f"{source}, as it is"
        how = "enlarged" if self.upsampled else "reduced"
        times = 1 / self.scale if self.upsampled else self.scale
        return f"{source} of {self.mpp / self.scale:.4g} µm/px, {how} {times:.4g} times"


def choose_level(levels: Sequence[Level], base: float, mpp: float) -> ReadInfo:
    """Return the coarsest level that is still as fine as what is asked.

    Parameters
    ----------
    levels : sequence of Level
        Level 0 first.
    base : float
        µm per pixel of level 0.
    mpp : float
        µm per pixel asked.

    Examples
    --------
    >>> levels = [Level(4000, 4000, 1.0), Level(1000, 1000, 4.0)]
    >>> print(choose_level(levels, base=0.25, mpp=1.0))
    1 µm/px from level 1, as it is
    >>> print(choose_level(levels, base=0.25, mpp=0.5))
    0.5 µm/px from level 0 of 0.25 µm/px, reduced 2 times
    """
    wanted = mpp / base
    fine = [k for k, one in enumerate(levels) if one.downsample <= wanted * (1 + CLOSE)]
    level = max(fine, key=lambda k: levels[k].downsample, default=0)
    scale = wanted / levels[level].downsample
    return ReadInfo(mpp, level, 1.0 if abs(scale - 1) <= SAME else scale)
