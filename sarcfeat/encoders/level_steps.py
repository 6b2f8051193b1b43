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

    def interval(self, image: Any, mask: Any) -> tuple[float, float]:
        """Return the lowest and the highest grey value that stay in the lesion.

        The moments are those of the mask after the range was applied, as the IBSI
        has it.
        """
        import SimpleITK

        voxels = SimpleITK.GetArrayFromImage(image).astype(float)
        drawn = voxels[places(voxels, mask, "mask")]
        low, high = self.range if self.range is not None else (-np.inf, np.inf)
        kept = drawn[(drawn >= low) & (drawn <= high)]
        if self.sigma is not None and kept.size:
            centre, reach = kept.mean(), self.sigma * kept.std()
            low, high = max(low, centre - reach), min(high, centre + reach)
        if not ((drawn >= low) & (drawn <= high)).any():
            raise EmptyROI(
                f"Resegment: no voxel of the lesion (grey values {drawn.min():g} to "
                f"{drawn.max():g}) lies in range {self.range}, sigma {self.sigma}. Is "
                "the range meant for this image?"
            )
        return float(low), float(high)

    def apply(self, image: Any, mask: Any) -> tuple[Any, Any]:
        """Return the image as it was and the smaller mask."""
        import SimpleITK

        low, high = self.interval(image, mask)
        voxels = SimpleITK.GetArrayFromImage(image).astype(float)
        kept = places(voxels, mask, "mask") & (voxels >= low) & (voxels <= high)
        return image, like(mask, kept.astype(np.uint8))
