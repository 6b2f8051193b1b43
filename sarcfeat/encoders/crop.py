"""How much of an image a filter needs around the lesion to give the same numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from sarcfeat.encoders.region import Region

__all__ = ["crop", "margin"]

Settings = Mapping[str, Any]

# ITK's recursive Gaussian is felt to infinity; past 24 sigma its weight is lost in
# the rounding of a float32 image. A cubic spline's weight falls by 0.27 per voxel.
LOG_SIGMAS = 24
SPLINE_VOXELS = 40


def _log(settings: Settings, spacing: Sequence[float]) -> list[int]:
    return [math.ceil(LOG_SIGMAS * max(settings["sigma"]) / s) for s in spacing]


def _wavelet(settings: Settings, spacing: Sequence[float]) -> list[int]:
    import pywt

    length = pywt.Wavelet(settings.get("wavelet", "coif1")).dec_len
    passes = settings.get("level", 1) + settings.get("start_level", 0)
    return [length * passes] * len(spacing)


def _lbp2d(settings: Settings, spacing: Sequence[float]) -> list[int]:
    return [math.ceil(settings.get("lbp2DRadius", 1)) + 1] * len(spacing)


def _lbp3d(settings: Settings, spacing: Sequence[float]) -> list[int]:
    radius = math.ceil(settings.get("lbp3DIcosphereRadius", 1))
    return [SPLINE_VOXELS + radius] * len(spacing)


# Square, SquareRoot, Logarithm and Exponential are missing on purpose: they scale by
# the largest value of the whole image.
_MARGINS: Mapping[str, Callable[[Settings, Sequence[float]], list[int]]] = (
    MappingProxyType(
        {
            "Gradient": lambda settings, spacing: [2] * len(spacing),
            "LBP2D": _lbp2d,
            "LBP3D": _lbp3d,
            "LoG": _log,
            "Original": lambda settings, spacing: [0] * len(spacing),
            "Wavelet": _wavelet,
        }
    )
)


def margin(params: Mapping[str, Any], spacing: Sequence[float]) -> list[int] | None:
    """Return the voxels needed around the lesion along x, y, z.

    Parameters
    ----------
    params : dict
        Canonical radiomics parameters.
    spacing : sequence of float
        Voxel size along x, y, z, in millimetres.

    Returns
    -------
    list of int, or None
        None when the whole image counts: a filter that scales by its maximum, or
        resampling, whose grid starts at the image's corner.

    Examples
    --------
    >>> plain = {"setting": {}, "imageType": {"Original": {}}}
    >>> margin(plain, (1.0, 1.0, 3.0))
    [0, 0, 0]
    >>> margin({"setting": {}, "imageType": {"Square": {}}}, (1.0, 1.0, 3.0))
    """
    setting = params["setting"]
    if "resampledPixelSpacing" in setting or setting.get("preCrop", False):
        return None
    if any(name not in _MARGINS for name in params["imageType"]):
        return None
    needs = [
        _MARGINS[name]({**setting, **own}, spacing)
        for name, own in params["imageType"].items()
    ]
    return [max(along) for along in zip(*needs, strict=True)]


def crop(region: Region, voxels: Sequence[int]) -> tuple[Any, Any]:
    """Cut image and mask to the lesion's bounding box and a margin (x, y, z)."""
    window = tuple(
        slice(max(0, box.start - more), min(size, box.stop + more))
        for box, more, size in zip(
            region.bounds()[::-1], voxels, region.image.GetSize(), strict=True
        )
    )
    return region.image[window], region.mask[window]
