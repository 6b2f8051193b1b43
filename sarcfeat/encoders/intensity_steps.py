"""Preprocessing steps that change grey values: bias field, matching, scaling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from os import PathLike, fspath
from typing import Any

import numpy as np
import numpy.typing as npt

from sarcfeat._validation import pick
from sarcfeat.encoders.landmarks import Landmarks, body, sha256_of
from sarcfeat.exceptions import EmptyROI, InvalidInput

__all__ = ["N4", "HistogramMatch", "Nyul", "Range", "Round", "ZScore"]

PLACES = ("body", "image", "mask")


@dataclass(frozen=True)
class N4:
    """Take the slow shading of an MR coil out of the image (N4, Tustison 2010).

    The field is estimated on a coarser grid and divided out at full resolution; the
    image must be positive where the field is estimated.

    Parameters
    ----------
    shrink : int
        Voxels joined along each axis for the estimate; an axis shorter than 4 × shrink
        keeps more.
    iterations : sequence of int
        Most iterations at each level of the B-spline's refinement.
    within : {'body', 'image', 'mask'}
        Where the field is estimated: the patient (above Otsu's threshold), the whole
        image, or the lesion.
    """

    shrink: int = 4
    iterations: Sequence[int] = (50, 50, 50, 50)
    within: str = "body"

    def __post_init__(self) -> None:
        steps = tuple(self.iterations)
        whole = all(isinstance(i, int) and i > 0 for i in (self.shrink, *steps))
        if not steps or not whole:
            raise InvalidInput(
                f"N4: shrink is {self.shrink!r} and iterations {list(steps)!r}; "
                "expected a whole number and a list of them, all above 0."
            )
        object.__setattr__(self, "iterations", steps)
        pick(self.within, PLACES, "place of N4")

    def apply(self, image: Any, mask: Any) -> tuple[Any, Any]:
        """Return the corrected image (float32 as ITK's filter) and the mask."""
        import SimpleITK

        voxels = SimpleITK.GetArrayFromImage(image)
        where = places(voxels, mask, self.within) & (voxels > 0)
        if not where.any():
            raise InvalidInput(
                "N4: no voxel above 0 to estimate the bias field on. Give the image "
                "before normalisation, or shift it above 0."
            )
        area = SimpleITK.GetImageFromArray(where.astype(np.uint8))
        area.CopyInformation(image)
        plain = SimpleITK.Cast(image, SimpleITK.sitkFloat32)
        factors = [max(1, min(self.shrink, n // 4)) for n in image.GetSize()]
        correct = SimpleITK.N4BiasFieldCorrectionImageFilter()
        correct.SetMaximumNumberOfIterations(list(self.iterations))
        # Sums over threads differ in the last bit from run to run.
        correct.SetNumberOfThreads(1)
        correct.Execute(
            SimpleITK.Shrink(plain, factors), SimpleITK.Shrink(area, factors)
        )
        logged = correct.GetLogBiasFieldAsImage(plain)
        return plain / SimpleITK.Cast(SimpleITK.Exp(logged), plain.GetPixelID()), mask


@dataclass(frozen=True)
class HistogramMatch:
    """Give an image the grey values of a reference image (Nyúl's way, in ITK).

    Parameters
    ----------
    reference : path or None
        The image to match to, one for a whole study: from the training patients, or
        the model has seen its test set. None in a shipped file: you must name one.
    sha256 : str, optional
        Hash of the reference's bytes; checked where given. It is what the fingerprint
        holds, beside the file's name.
    levels : int
        Bins of the histograms.
    points : int
        Quantiles that are matched exactly, between the darkest and the brightest.
    above_mean : bool
        Leave out of both histograms what is darker than the image's mean: air.
    """

    reference: str | PathLike[str] | None = None
    sha256: str | None = None
    levels: int = 1024
    points: int = 7
    above_mean: bool = True

    def __post_init__(self) -> None:
        if not (isinstance(self.levels, int) and self.levels > 1 and self.points > 0):
            raise InvalidInput(
                f"HistogramMatch: levels is {self.levels!r} and points "
                f"{self.points!r}; expected whole numbers above 1 and above 0."
            )
        if self.reference is not None:
            found = sha256_of(self.reference, "HistogramMatch: reference", self.sha256)
            object.__setattr__(self, "reference", fspath(self.reference))
            object.__setattr__(self, "sha256", found)

    def check_named(self) -> None:
        """Refuse to start without a reference."""
        if self.reference is None:
            raise InvalidInput(
                "HistogramMatch: no reference image is named. Write `reference: FILE` "
                "into a copy of the parameters, or pass files={'reference': FILE}."
            )

    def apply(self, image: Any, mask: Any) -> tuple[Any, Any]:
        """Return the matched image and the mask as it was."""
        import SimpleITK

        self.check_named()
        sha256_of(self.reference, "HistogramMatch: reference", self.sha256)
        target = SimpleITK.ReadImage(str(self.reference), SimpleITK.sitkFloat64)
        return SimpleITK.HistogramMatching(
            SimpleITK.Cast(image, SimpleITK.sitkFloat64),
            target,
            self.levels,
            self.points,
            self.above_mean,
        ), mask


@dataclass(frozen=True)
class Nyul:
    """Map an image's percentiles onto landmarks learned from training images.

    Parameters
    ----------
    landmarks : path
        The JSON file that :meth:`Landmarks.save` wrote. Learn it from training
        patients only: landmarks that saw the test set leak.
    sha256 : str, optional
        Hash of the file's bytes; checked where given.

    References
    ----------
    Nyúl LG, Udupa JK, Zhang X. New variants of a method of MRI scale
    standardization. IEEE Trans Med Imaging 2000;19:143-150.
    """

    landmarks: str | PathLike[str]
    sha256: str | None = None
    _loaded: Landmarks | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        found = sha256_of(self.landmarks, "Nyul: landmarks", self.sha256)
        object.__setattr__(self, "landmarks", fspath(self.landmarks))
        object.__setattr__(self, "sha256", found)
        object.__setattr__(self, "_loaded", Landmarks.load(self.landmarks))

    def apply(self, image: Any, mask: Any) -> tuple[Any, Any]:
        """Return the image on the standard scale and the mask as it was."""
        import SimpleITK

        assert self._loaded is not None  # set above; for the type checker
        voxels = SimpleITK.GetArrayFromImage(image).astype(float)
        return like(image, self._loaded.apply(voxels)), mask


@dataclass(frozen=True)
class ZScore:
    """Subtract the mean and divide by the standard deviation.

    Parameters
    ----------
    within : {'image', 'body', 'mask'}
        Whose mean and SD: all voxels, the patient (above Otsu's threshold), or the
        lesion, whose own brightness is then gone.
    scale : float
        Multiply the z-score by this; pyradiomics' examples use 100.
    """

    within: str = "image"
    scale: float = 1.0

    def __post_init__(self) -> None:
        pick(self.within, PLACES, "place of ZScore")
        if not (math.isfinite(self.scale) and self.scale > 0):
            raise InvalidInput(
                f"ZScore: scale is {self.scale!r}; expected a number above 0."
            )
        object.__setattr__(self, "scale", float(self.scale))

    def apply(self, image: Any, mask: Any) -> tuple[Any, Any]:
        """Return the standardised image (float64) and the mask as it was."""
        import SimpleITK

        voxels = SimpleITK.GetArrayFromImage(image).astype(float)
        chosen = voxels[places(voxels, mask, self.within)]
        spread = float(chosen.std())
        if not spread > 0:
            raise InvalidInput(
                f"ZScore: all {chosen.size} voxels of the {self.within} have the value "
                f"{chosen[0]:g}; nothing to divide by. Check the image."
            )
        return like(image, self.scale * (voxels - chosen.mean()) / spread), mask


@dataclass(frozen=True)
class Range:
    """Stretch the image between two grey values, e.g. −10000 and 10000.

    Parameters
    ----------
    low, high : float
        What the darkest and the brightest voxel become.
    within : {'image', 'body', 'mask'}
        Where the darkest and the brightest are looked for.
    percentiles : sequence of 2 float
        Which percentiles count as darkest and brightest; beyond them is cut off.
    """

    low: float = -10000.0
    high: float = 10000.0
    within: str = "image"
    percentiles: Sequence[float] = (0.0, 100.0)

    def __post_init__(self) -> None:
        pick(self.within, PLACES, "place of Range")
        ends = tuple(float(p) for p in self.percentiles)
        wrong = len(ends) != 2 or not 0 <= ends[0] < ends[1] <= 100
        if wrong or not self.low < self.high:
            raise InvalidInput(
                f"Range: low {self.low!r}, high {self.high!r}, percentiles "
                f"{list(ends)}; expected low < high and 0 ≤ first < second ≤ 100."
            )
        object.__setattr__(self, "low", float(self.low))
        object.__setattr__(self, "high", float(self.high))
        object.__setattr__(self, "percentiles", ends)

    def apply(self, image: Any, mask: Any) -> tuple[Any, Any]:
        """Return the stretched image (float64) and the mask as it was."""
        import SimpleITK

        voxels = SimpleITK.GetArrayFromImage(image).astype(float)
        chosen = voxels[places(voxels, mask, self.within)]
        dark, bright = np.percentile(chosen, self.percentiles)
        if not dark < bright:
            raise InvalidInput(
                f"Range: the {self.within} has the one value {dark:g}; nothing to "
                "stretch. Check the image."
            )
        share = np.clip((voxels - dark) / (bright - dark), 0.0, 1.0)
        return like(image, self.low + share * (self.high - self.low)), mask


@dataclass(frozen=True)
class Round:
    """Round grey values to whole numbers, as the IBSI does for HU after resampling."""

    def apply(self, image: Any, mask: Any) -> tuple[Any, Any]:
        """Return the rounded image and the mask as it was."""
        import SimpleITK

        voxels = SimpleITK.GetArrayFromImage(image).astype(float)
        return like(image, np.floor(voxels + 0.5)), mask


def places(voxels: npt.NDArray[Any], mask: Any, within: str) -> npt.NDArray[np.bool_]:
    """Return where a step looks: everywhere, in the patient, or in the lesion."""
    import SimpleITK

    if within == "image":
        return np.ones(voxels.shape, dtype=bool)
    if within == "body":
        return body(voxels)
    inside = SimpleITK.GetArrayViewFromImage(mask) != 0
    if not inside.any():
        raise EmptyROI("The mask holds no voxel; check the mask and earlier steps.")
    return inside


def like(image: Any, voxels: npt.NDArray[Any]) -> Any:
    """Return voxels as an image on the grid of another."""
    import SimpleITK

    made = SimpleITK.GetImageFromArray(voxels)
    made.CopyInformation(image)
    return made
