"""An image and its lesion, read and checked before any feature is computed."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from sarcfeat._validation import listed
from sarcfeat.exceptions import (
    EmptyROI,
    GeometryMismatch,
    InputMissing,
    InputRepaired,
    InvalidInput,
    LabelMissing,
    NonFiniteVoxels,
    ROITooSmall,
)
from sarcfeat.io import Geometry
from sarcfeat.io.itk import read_itk

__all__ = [
    "Region",
    "check_finite",
    "check_levels",
    "check_size",
    "check_varies",
    "read_mask",
    "read_region",
]

TOLERANCE = 1e-3  # mm; what converters round in a header

# Fewer voxels than a 2 × 2 × 2 cube have no texture. Below 64 texture is unstable:
# the limit that LIFEx enforces (Nioche et al., Cancer Res 2018;78:4786).
FEWEST_VOXELS = 8
FEW_VOXELS = 64

# Co-occurrence counts take levels² × 13 directions × 8 bytes: 0.4 GB at this many.
MOST_LEVELS = 2000


@dataclass
class Region:
    """One lesion on one image: two SimpleITK images on the same grid.

    Parameters
    ----------
    image : SimpleITK.Image
        The image in its own pixel type.
    mask : SimpleITK.Image
        1 inside the lesion, 0 outside, unsigned 8-bit.
    inside : ndarray of bool, shape (z, y, x)
        The same mask as an array.
    what : str
        The files, for messages.
    warnings : list of str
        What is odd about the lesion but does not forbid features.
    """

    image: Any
    mask: Any
    inside: npt.NDArray[np.bool_]
    what: str
    warnings: list[str] = field(default_factory=list)

    def bounds(self) -> list[slice]:
        """Return the bounding box of the lesion as slices along z, y, x."""
        return list(ndimage.find_objects(self.inside.astype(np.uint8))[0])


def read_region(
    image_path: str | PathLike[str],
    mask_path: str | PathLike[str],
    *,
    label: int = 1,
    tolerance: float = TOLERANCE,
    resample_mask: bool = False,
) -> Region:
    """Read an image and a mask and make sure that they belong together.

    Parameters
    ----------
    image_path, mask_path : str or path
        The files, in any format that SimpleITK reads, or the folder of DICOM slices.
    label : int
        Which number in the mask is the lesion.
    tolerance : float
        Largest difference between the two grids taken as rounding, in millimetres.
    resample_mask : bool
        Bring a mask on another grid onto the image's (nearest neighbour), with a
        warning, instead of refusing it.

    Raises
    ------
    InputMissing, InputEmpty, InputCorrupt
        A file is not there, has no bytes, or is not the image its name says.
    GeometryMismatch
        The mask lies on another grid than the image.
    EmptyROI, LabelMissing
        The mask holds nothing, or other labels than the one asked for.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", InputRepaired)
        image, mask = _read(image_path, "image"), _read(mask_path, "mask")
    what = f"mask {fspath(mask_path)} on image {fspath(image_path)}"
    notes = [str(one.message) for one in caught if one.category is InputRepaired]
    difference = _geometry(image).difference(_geometry(mask), tolerance)
    if difference and not resample_mask:
        raise GeometryMismatch(
            f"{what}: the grids differ (image against mask): {difference}. Export the "
            "mask on the grid of this image, or set correctMask: true to resample it."
        )
    if difference:
        mask = _resample(mask, image, label, what)
        notes.append(f"The mask was resampled onto the image's grid ({difference}).")
    inside = _inside(mask, label, fspath(mask_path))
    region = Region(image, _clean(inside, image), inside, what, notes)
    _note_parts(region)
    return region


def read_mask(
    path: str | PathLike[str], *, label: int = 1
) -> tuple[Any, npt.NDArray[np.bool_]]:
    """Read a mask file: the SimpleITK image, and where it holds the label."""
    mask = _read(path, "mask")
    return mask, _inside(mask, label, fspath(path))


def check_size(region: Region, *, dimensions: int, fewest: int | None) -> None:
    """Refuse a lesion that is too small, or flat where 3-D features are asked for."""
    count = int(region.inside.sum())
    least = FEWEST_VOXELS if fewest is None else fewest
    if count < least or count == 1:
        raise ROITooSmall(
            f"{region.what}: the lesion has {count} voxel(s); expected at least "
            f"{max(least, 2)}. Check the mask, or set minimumROISize."
        )
    extent = [s.stop - s.start for s in region.bounds()][::-1]
    if sum(n > 1 for n in extent) < dimensions:
        raise ROITooSmall(
            f"{region.what}: the lesion spans {extent[0]} × {extent[1]} × {extent[2]} "
            f"voxels (x, y, z), too flat for {dimensions}-D features. Use force2D: "
            "true for a single slice, or set minimumROIDimensions."
        )
    if count < FEW_VOXELS:
        region.warnings.append(
            f"The lesion has {count} voxels; texture is unstable below {FEW_VOXELS}."
        )


def check_finite(region: Region, *, needs_surroundings: bool) -> None:
    """Refuse NaN and infinity where they would enter a feature."""
    import SimpleITK

    voxels = SimpleITK.GetArrayViewFromImage(region.image)
    if not np.issubdtype(voxels.dtype, np.floating):
        return
    bad = ~np.isfinite(voxels)
    total, in_lesion = int(bad.sum()), int((bad & region.inside).sum())
    if in_lesion:
        raise NonFiniteVoxels(
            f"{region.what}: {in_lesion} of {int(region.inside.sum())} voxels of the "
            "lesion are NaN or infinite. Repair the image."
        )
    if total and needs_surroundings:
        raise NonFiniteVoxels(
            f"{region.what}: {total} voxels around the lesion are NaN or infinite, and "
            "normalisation, resampling or a filter would carry them into it. Repair "
            "the image, or ask for the original image only."
        )
    if total:
        region.warnings.append(f"{total} voxels outside the lesion are not finite.")


def check_varies(region: Region) -> None:
    """Note a lesion without contrast: its texture says nothing."""
    import SimpleITK

    values = SimpleITK.GetArrayViewFromImage(region.image)[region.inside]
    if values.min() == values.max():
        region.warnings.append(
            f"All voxels of the lesion have the value {values[0]:g}; texture is void."
        )


def check_levels(region: Region, *, width: float, scale: float | None) -> None:
    """Refuse a bin width that would take all memory for texture matrices.

    Parameters
    ----------
    region : Region
        The lesion.
    width : float
        Bin width, in the unit of the image after normalisation.
    scale : float or None
        Standard deviation that normalisation gives the image; None without it.
    """
    import SimpleITK

    voxels = SimpleITK.GetArrayViewFromImage(region.image)
    values = voxels[region.inside].astype(float)
    span = float(values.max() - values.min())
    if scale is not None:
        span *= scale / (float(voxels.std(dtype=float)) or 1.0)
    if span / width > MOST_LEVELS:
        raise InvalidInput(
            f"{region.what}: a bin width of {width:g} cuts the lesion's range of "
            f"{span:.4g} into {span / width:.0f} grey levels; expected at most "
            f"{MOST_LEVELS}. Use a wider bin, or binCount. Are these parameters meant "
            "for this kind of image?"
        )


def _read(path: str | PathLike[str], kind: str) -> Any:
    place = Path(path)
    if not place.exists():
        raise InputMissing(
            f"No {kind} file {place}. Restore it, or correct the path or pattern."
        )
    return read_itk(place)


def _geometry(volume: Any) -> Geometry:
    return Geometry(
        tuple(volume.GetSize()),
        tuple(volume.GetSpacing()),
        tuple(volume.GetOrigin()),
        tuple(volume.GetDirection()),
    )


def _inside(mask: Any, label: int, path: str) -> npt.NDArray[np.bool_]:
    import SimpleITK

    values = SimpleITK.GetArrayViewFromImage(mask)
    if np.issubdtype(values.dtype, np.floating) and np.any(values != np.rint(values)):
        raise InvalidInput(
            f"mask {path} holds fractions (from {values.min():g} to {values.max():g}); "
            "expected whole labels. Threshold the probabilities first."
        )
    inside = values == label
    if inside.any():
        return inside
    present = [int(v) for v in np.unique(values) if v != 0]
    if not present:
        raise EmptyROI(
            f"mask {path} is empty: no voxel of any label. Draw the lesion, or remove "
            "this mask."
        )
    raise LabelMissing(
        f"mask {path} has no voxel of label {label}; labels present: "
        f"{listed(present, 10)}. Pass the label of the lesion."
    )


def _clean(inside: npt.NDArray[np.bool_], image: Any) -> Any:
    import SimpleITK

    mask = SimpleITK.GetImageFromArray(inside.astype(np.uint8))
    mask.CopyInformation(image)
    return mask


def _resample(mask: Any, image: Any, label: int, what: str) -> Any:
    import SimpleITK

    moved = SimpleITK.Resample(
        mask, image, SimpleITK.Transform(), SimpleITK.sitkNearestNeighbor, 0
    )
    volumes = [
        float(np.sum(SimpleITK.GetArrayViewFromImage(m) == label))
        * float(np.prod(m.GetSpacing()))
        / 1000
        for m in (mask, moved)
    ]
    # Nearest neighbour keeps the volume of a lesion; a large loss is a lesion that
    # reaches outside the image.
    if volumes[0] > 0 and volumes[1] < 0.9 * volumes[0]:
        raise GeometryMismatch(
            f"{what}: of {volumes[0]:.3g} mL of lesion only {volumes[1]:.3g} mL lie in "
            f"the image ({_geometry(image)} against {_geometry(mask)}). Use the mask "
            "drawn on this image."
        )
    return moved


def _note_parts(region: Region) -> None:
    parts = ndimage.label(region.inside[tuple(region.bounds())], np.ones((3, 3, 3)))[1]
    if parts > 1:
        region.warnings.append(f"The lesion has {parts} separate parts.")
