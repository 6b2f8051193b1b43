"""How much memory a lesion will take, asked before it is taken."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike, fspath
from typing import Any

from sarcfeat.exceptions import InvalidInput

__all__ = ["check_filtering", "check_reading"]

GIB = 2**30

# Bytes a voxel at the peak, beyond the image itself, measured on volumes of 160³
# float32 and rounded up: the mask as it is read, cleaned and as an array; what the
# filters hold at once (wavelets: eight bands of float64 and their copies).
READING = 16
FILTERING = 40
WAVELET = 100


def check_reading(
    image_path: str | PathLike[str], mask_path: str | PathLike[str], limit: float
) -> None:
    """Refuse an image that would not fit, from its header alone.

    Parameters
    ----------
    image_path, mask_path : str or path
    limit : float
        GiB that one lesion may take.
    """
    import SimpleITK

    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(fspath(image_path))
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        return  # reading itself says what is wrong with the file
    pixel = SimpleITK.Image([1] * 2, reader.GetPixelID()).GetSizeOfPixelComponent()
    voxels = 1
    for n in reader.GetSize():
        voxels *= int(n)
    _refuse(
        voxels * (pixel + READING),
        limit,
        f"mask {fspath(mask_path)} on image {fspath(image_path)}: {voxels:,} voxels",
    )


def check_filtering(
    params: Mapping[str, Any], image: Any, what: str, limit: float
) -> None:
    """Refuse a lesion whose filters would not fit; `image` is what they work on.

    Resampling by pyradiomics to smaller voxels is counted, over the whole image.
    """
    voxels = float(image.GetNumberOfPixels())
    spacing = params["setting"].get("resampledPixelSpacing")
    for new, old in zip(spacing or (), image.GetSpacing(), strict=bool(spacing)):
        voxels *= old / new if new else 1.0
    each = WAVELET if "Wavelet" in params["imageType"] else FILTERING
    _refuse(voxels * each, limit, f"{what}: {voxels:,.0f} voxels to filter")


def _refuse(need: float, limit: float, what: str) -> None:
    if need > limit * GIB:
        raise InvalidInput(
            f"{what} would take about {need / GIB:.2g} GiB, and memory_gib is "
            f"{limit:g}. Raise it, crop the image to the lesion, or resample it to "
            "larger voxels."
        )
