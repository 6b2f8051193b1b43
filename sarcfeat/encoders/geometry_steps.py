"""Preprocessing steps that change the grid or the lesion: resample, crop, choose."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from sarcfeat._validation import listed, pick
from sarcfeat.exceptions import EmptyROI, InvalidInput

__all__ = ["CropToROI", "Parts", "Resample", "SliceSelect"]

_INTERPOLATORS = {
    "bspline": "sitkBSpline",
    "linear": "sitkLinear",
    "nearest": "sitkNearestNeighbor",
}


@dataclass(frozen=True)
class Resample:
    """Bring image and mask to a voxel size.

    The centres of the two grids coincide and the new one covers the old, as the IBSI
    reference manual recommends.

    Parameters
    ----------
    spacing_mm : sequence of 3 float
        Voxel size along x, y, z in millimetres; 0 keeps an axis as it is.
    image : {'linear', 'bspline', 'nearest'}
        Interpolation of the image; 'bspline' is cubic and may overshoot.
    mask : {'nearest', 'linear'}
        Interpolation of the mask; 'linear' keeps voxels that are at least half inside
        (the IBSI's way).
    """

    spacing_mm: Sequence[float]
    image: str = "linear"
    mask: str = "nearest"

    def __post_init__(self) -> None:
        spacing = tuple(float(s) for s in self.spacing_mm)
        if len(spacing) != 3 or not all(math.isfinite(s) and s >= 0 for s in spacing):
            raise InvalidInput(
                f"Resample: spacing_mm is {list(self.spacing_mm)!r}; expected 3 "
                "numbers ≥ 0 (x, y, z in mm; 0 keeps the spacing)."
            )
        object.__setattr__(self, "spacing_mm", spacing)
        pick(self.image, tuple(_INTERPOLATORS), "interpolation of Resample's image")
        pick(self.mask, ("linear", "nearest"), "interpolation of Resample's mask")

    def apply(self, image: Any, mask: Any) -> tuple[Any, Any]:
        """Return both on the new grid; the image as float32 or float64."""
        import SimpleITK

        grid = self._grid(image)
        kind = image.GetPixelID()
        # Whole numbers would be cut off between two voxels.
        if kind not in (SimpleITK.sitkFloat32, SimpleITK.sitkFloat64):
            image = SimpleITK.Cast(image, SimpleITK.sitkFloat64)
        moved = _resampled(image, grid, _INTERPOLATORS[self.image])
        if self.mask == "nearest":
            return moved, _resampled(mask, grid, "sitkNearestNeighbor")
        soft = SimpleITK.Cast(mask, SimpleITK.sitkFloat64)
        # The weights of a voxel half inside add up to 0.5 but for rounding.
        inside = _resampled(soft, grid, "sitkLinear") >= 0.5 - 1e-6
        return moved, SimpleITK.Cast(inside, mask.GetPixelID())

    def _grid(
        self, image: Any
    ) -> tuple[list[int], tuple[float, ...], list[float], Any]:
        old_size, old = image.GetSize(), image.GetSpacing()
        new = tuple(
            s if s > 0 else o for s, o in zip(self.spacing_mm, old, strict=True)
        )
        # 40 × 0.9 mm into 1 mm voxels is 36, whatever the last digit says.
        size = [
            max(1, math.ceil(n * o / s - 1e-6))
            for n, o, s in zip(old_size, old, new, strict=True)
        ]
        shift = [
            ((n - 1) * o - (m - 1) * s) / 2
            for n, o, m, s in zip(old_size, old, size, new, strict=True)
        ]
        turn = np.array(image.GetDirection()).reshape(3, 3)
        origin = np.array(image.GetOrigin()) + turn @ np.array(shift)
        return size, new, origin.tolist(), image.GetDirection()


def _resampled(image: Any, grid: Any, interpolator: str) -> Any:
    import SimpleITK

    size, spacing, origin, direction = grid
    return SimpleITK.Resample(
        image,
        size,
        SimpleITK.Transform(),
        getattr(SimpleITK, interpolator),
        origin,
        spacing,
        direction,
        0.0,
        image.GetPixelID(),
    )


@dataclass(frozen=True)
class CropToROI:
    """Cut image and mask to the lesion's bounding box and a margin.

    Parameters
    ----------
    margin_mm : float
        How much to keep on each side, in millimetres, as far as the image reaches.
    """

    margin_mm: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.margin_mm) and self.margin_mm >= 0):
            raise InvalidInput(
                f"CropToROI: margin_mm is {self.margin_mm!r}; expected mm ≥ 0."
            )
        object.__setattr__(self, "margin_mm", float(self.margin_mm))

    def apply(self, image: Any, mask: Any) -> tuple[Any, Any]:
        """Return both on the smaller grid."""
        import SimpleITK

        inside = SimpleITK.GetArrayViewFromImage(mask) != 0
        _refuse_empty(inside, "CropToROI")
        window = []
        for axis in range(3):  # x, y, z; the array runs z, y, x
            others = tuple(a for a in range(3) if a != 2 - axis)
            where = np.flatnonzero(inside.any(axis=others))
            more = math.ceil(self.margin_mm / image.GetSpacing()[axis] - 1e-6)
            low = max(0, int(where[0]) - more)
            window.append(
                slice(low, min(mask.GetSize()[axis], int(where[-1]) + more + 1))
            )
        return image[tuple(window)], mask[tuple(window)]


@dataclass(frozen=True)
class Parts:
    """Say what becomes of a lesion that was drawn in several separate parts.

    Without this step all the parts count, and the report says how many there are.

    Parameters
    ----------
    keep : {'all', 'largest', 'refuse'}
        Measure all parts together, the largest alone, or none: the patient fails and
        is listed. Voxels that touch at a corner belong together.
    """

    keep: str = "all"

    def __post_init__(self) -> None:
        pick(self.keep, ("all", "largest", "refuse"), "choice of `keep` of Parts")

    def apply(self, image: Any, mask: Any) -> tuple[Any, Any]:
        """Return the image, and the mask of the parts that count."""
        import SimpleITK

        labels, n = ndimage.label(
            SimpleITK.GetArrayViewFromImage(mask) != 0, np.ones((3, 3, 3))
        )
        if n < 2 or self.keep == "all":
            return image, mask
        sizes = np.bincount(labels.ravel())[1:]
        if self.keep == "refuse":
            raise InvalidInput(
                f"The lesion has {n} separate parts of {listed(sorted(sizes)[::-1])} "
                "voxels; expected one (Parts: keep is 'refuse'). Correct the mask, or "
                "keep the largest part or all."
            )
        kept = SimpleITK.GetImageFromArray(
            (labels == 1 + int(sizes.argmax())).astype(np.uint8)
        )
        kept.CopyInformation(mask)
        return image, SimpleITK.Cast(kept, mask.GetPixelID())


@dataclass(frozen=True)
class SliceSelect:
    """Keep one slice of image and mask, as a volume one slice thick.

    Parameters
    ----------
    which : {'largest', 'middle'}
        The slice on which the lesion covers the most voxels (the first of equals), or
        the one half-way between its first and last slice (the lower of two).
    """

    which: str = "largest"

    def __post_init__(self) -> None:
        pick(self.which, ("largest", "middle"), "slice of SliceSelect")

    def apply(self, image: Any, mask: Any) -> tuple[Any, Any]:
        """Return both with one slice along z."""
        import SimpleITK

        areas = (SimpleITK.GetArrayViewFromImage(mask) != 0).sum(axis=(1, 2))
        _refuse_empty(areas, "SliceSelect")
        held = np.flatnonzero(areas)
        z = int(np.argmax(areas))
        if self.which == "middle":
            z = int(held[0] + held[-1]) // 2
            # A lesion in two parts may leave its own middle empty.
            z = int(held[np.argmin(np.abs(held - z))])
        return image[:, :, z : z + 1], mask[:, :, z : z + 1]


def _refuse_empty(inside: np.ndarray, step: str) -> None:
    if not inside.any():
        raise EmptyROI(
            f"{step}: the mask holds no voxel (any more). Check the mask, and whether "
            "a resampling or resegmentation before this step removed the lesion."
        )
