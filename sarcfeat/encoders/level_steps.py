"""Preprocessing steps that say which grey values count, and in which steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sarcfeat.encoders.intensity_steps import like, places
from sarcfeat.exceptions import EmptyROI, InvalidInput

__all__ = ["BinCount", "BinWidth", "Resegment"]


@dataclass(frozen=True)
class BinWidth:
    """Cut grey values into bins of one width; the lesion's lowest bin is 1.

    Bin edges are multiples of the width, as in pyradiomics.

    Parameters
    ----------
    width : float
        In the unit of the image at this point of the chain (HU, SUV, z-score).
    """

    width: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.width) and self.width > 0):
            raise InvalidInput(
                f"BinWidth: width is {self.width!r}; expected a number above 0."
            )
        object.__setattr__(self, "width", float(self.width))

    def apply(self, image: Any, mask: Any) -> tuple[Any, Any]:
        """Return bin numbers in place of grey values."""
        import SimpleITK

        voxels = SimpleITK.GetArrayFromImage(image).astype(float)
        level = np.floor(voxels / self.width)
        lowest = level[places(voxels, mask, "mask")].min()
        return like(image, level - lowest + 1), mask


@dataclass(frozen=True)
class BinCount:
    """Cut the lesion's own range into a number of equal bins, 1 to `count`.

    Parameters
    ----------
    count : int
        How many bins.
    """

    count: int

    def __post_init__(self) -> None:
        if not isinstance(self.count, int) or self.count < 1:
            raise InvalidInput(
                f"BinCount: count is {self.count!r}; expected a whole number above 0."
            )

    def apply(self, image: Any, mask: Any) -> tuple[Any, Any]:
        """Return bin numbers in place of grey values; outside the lesion cut off."""
        import SimpleITK

        voxels = SimpleITK.GetArrayFromImage(image).astype(float)
        inside = voxels[places(voxels, mask, "mask")]
        low, high = inside.min(), inside.max()
        share = (voxels - low) / ((high - low) or 1.0)
        return like(
            image, np.clip(np.floor(self.count * share) + 1, 1, self.count)
        ), mask


@dataclass(frozen=True)
class Resegment:
    """Take voxels of odd brightness (air, metal, bone) out of the lesion's mask.

    One of the two, or both, one after the other on the mask as it was drawn:

    Parameters
    ----------
    range : sequence of 2 float, optional
        Keep grey values between these, ends included; -.inf and .inf are allowed.
    sigma : float, optional
        Keep grey values within so many standard deviations of the lesion's mean.
    """

    range: Sequence[float] | None = None
    sigma: float | None = None

    def __post_init__(self) -> None:
        if self.range is None and self.sigma is None:
            raise InvalidInput("Resegment: give range, sigma, or both.")
        if self.range is not None:
            ends = tuple(float(v) for v in self.range)
            if len(ends) != 2 or not ends[0] < ends[1]:
                raise InvalidInput(
                    f"Resegment: range is {list(self.range)!r}; expected [low, high]."
                )
            object.__setattr__(self, "range", ends)
        if self.sigma is not None:
            if not (math.isfinite(self.sigma) and self.sigma > 0):
                raise InvalidInput(
                    f"Resegment: sigma is {self.sigma!r}; expected a number above 0."
                )
            object.__setattr__(self, "sigma", float(self.sigma))

    def apply(self, image: Any, mask: Any) -> tuple[Any, Any]:
        """Return the image as it was and the smaller mask."""
        import SimpleITK

        voxels = SimpleITK.GetArrayFromImage(image).astype(float)
        drawn = places(voxels, mask, "mask")
        kept = drawn.copy()
        if self.range is not None:
            kept &= (voxels >= self.range[0]) & (voxels <= self.range[1])
        if self.sigma is not None:
            # The IBSI takes the moments of the mask after the range was applied.
            inside = voxels[kept] if kept.any() else voxels[drawn]
            reach = self.sigma * inside.std()
            kept &= np.abs(voxels - inside.mean()) <= reach
        if not kept.any():
            raise EmptyROI(
                f"Resegment: no voxel of the lesion (grey values "
                f"{voxels[drawn].min():g} to {voxels[drawn].max():g}) lies in range "
                f"{self.range}, sigma {self.sigma}. Is the range meant for this image?"
            )
        return image, like(mask, kept.astype(np.uint8))
