"""A lesion on the voxels of an image, whatever kind of file it was drawn into."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sarcfeat._validation import listed
from sarcfeat.exceptions import (
    EmptyROI,
    GeometryMismatch,
    InputCorrupt,
    InvalidInput,
    LabelMissing,
)
from sarcfeat.io.contours import LOST, OnGrid, rasterise
from sarcfeat.io.dicom_seg import SEG, read_seg
from sarcfeat.io.dicom_values import DAMAGE, open_dicom, quiet_dicom, text_of
from sarcfeat.io.geometry import Geometry
from sarcfeat.io.itk import check_readable
from sarcfeat.io.plain_dicom import is_dicom
from sarcfeat.io.rtstruct import RTSTRUCT, Region, choose, read_rtstruct
from sarcfeat.io.volume import Volume, read_volume

__all__ = ["mask_kind", "read_mask", "region_names", "region_of"]

Path_ = str | PathLike[str]
ROUNDING = 0.01  # mm, when the grid of a segment is laid over an image's


def read_mask(
    path: Path_,
    grid: Geometry,
    *,
    label: int = 1,
    roi: str | None = None,
    resample: bool = False,
    gaps: str = "refuse",
    frame: str | None = None,
    code: Callable[[str], str] = str,
) -> OnGrid:
    """Read a lesion and mark it on the grid of an image.

    Parameters
    ----------
    path : str or path
        NIfTI, NRRD or MetaImage with whole labels, DICOM RTSTRUCT or DICOM SEG.
    grid : Geometry
        Grid of the image: ``read_volume(image).geometry``.
    label : int
        Which number is the lesion, in a file of voxels.
    roi : str, optional
        Regular expression of the region's name, in RTSTRUCT and SEG; it can be left out
        when there is one region.
    resample : bool
        Bring a mask of another grid onto this one by nearest neighbour, instead of
        refusing it; this is how a mask goes from one sequence to another.
    gaps : {"refuse", "fill", "keep"}
        For RTSTRUCT; see :func:`sarcfeat.io.contours.rasterise`.
    frame : str, optional
        UID of the image's frame of reference; another one in the mask is refused.
    code : callable
        What turns the mask's UID into the form of `frame`, such as a keyed hash.

    Returns
    -------
    OnGrid
        ``inside`` (bool, z y x) and ``notes``: what was closed, filled or resampled.

    Raises
    ------
    InputMissing, InputEmpty, InputCorrupt
        There is no such file, it has no bytes, or is not what its name says.
    GeometryMismatch
        The mask lies on another grid, in another frame of reference, or outside.
    EmptyROI, LabelMissing, UnknownName, InvalidInput
        There is no lesion, not that one, or it is not clear which.
    """
    kind = mask_kind(path)
    if kind == "RTSTRUCT":
        drawn = read_rtstruct(path).region(roi)
        _refuse_other_frame(code(drawn.frame) if drawn.frame else "", frame, path)
        return _from_contours(drawn, path, grid, resample, gaps)
    notes: list[str] = []
    if kind == "SEG":
        segments = read_seg(path)
        names = [one.name for one in segments]
        one = segments[choose(names, roi, fspath(path), "segment")]
        _refuse_other_frame(code(one.frame), frame, path)
        volume, label = one.volume, 1
        apart = "" if _over(volume.geometry, grid) else "its grid is another"
    else:
        volume = read_volume(path)
        apart = grid.difference(volume.geometry)
    if apart and not resample:
        raise GeometryMismatch(
            f"{fspath(path)} does not lie on the voxel grid of its image. Image "
            f"against mask: {apart}. Resample the mask to the image."
        )
    region = region_of(volume, label, fspath(path))
    if not apart and region.shape == grid.size[::-1]:
        return OnGrid(region, notes)
    if apart:
        notes.append(f"resampled by nearest neighbour ({apart})")
    return OnGrid(_moved(region, volume.geometry, grid, fspath(path)), notes)


def region_names(path: Path_) -> list[str]:
    """List the names of the regions of an RTSTRUCT or DICOM SEG file.

    Parameters
    ----------
    path : str or path
        The file.
    """
    if mask_kind(path) == "RTSTRUCT":
        return read_rtstruct(path).names
    return [one.name for one in read_seg(path)]


def mask_kind(path: Path_) -> str:
    """Say what a mask file is: RTSTRUCT, SEG, or volume for everything else."""
    check_readable(path)
    if not is_dicom(path) and not fspath(path).lower().endswith(".dcm"):
        return "volume"
    with quiet_dicom():
        try:
            head = open_dicom(
                Path(path), stop_before_pixels=True, specific_tags=["SOPClassUID"]
            )
        except (InputCorrupt, *DAMAGE) as error:
            raise InputCorrupt(
                f"{fspath(path)} cannot be read as DICOM ({type(error).__name__}). "
                "Export it again."
            ) from None
    uid = text_of(head, "SOPClassUID")
    if uid == RTSTRUCT:
        return "RTSTRUCT"
    if uid in SEG:
        return "SEG"
    raise InvalidInput(
        f"{fspath(path)} is neither RTSTRUCT nor DICOM SEG. Give the file of the mask."
    )


def region_of(volume: Volume, label: int, path: str) -> npt.NDArray[np.bool_]:
    """Return the voxels of one label.

    Raises
    ------
    InvalidInput
        Voxels that are not whole numbers (a probability map).
    EmptyROI
        No voxel has any label.
    LabelMissing
        Voxels have labels, but not this one; those present are named.
    """
    values = volume.array
    if not np.isfinite(values).all() or (values != np.rint(values)).any():
        raise InvalidInput(
            f"{path} holds fractions between {np.nanmin(values):g} and "
            f"{np.nanmax(values):g}: a probability map, not a mask. Threshold it first."
        )
    region = np.asarray(values == label)
    if region.any():
        return region
    present = [int(value) for value in np.unique(values) if value != 0]
    if not present:
        raise EmptyROI(f"{path} has no voxel in any region. Draw the lesion again.")
    raise LabelMissing(
        f"{path} has no voxel of label {label}; labels present: {listed(present, 10)}. "
        f"Pass label={present[0]}, or correct the mask."
    )


def _from_contours(
    region: Region, path: Path_, grid: Geometry, resample: bool, gaps: str
) -> OnGrid:
    found = rasterise(region.contours, grid, what=fspath(path), gaps=gaps)
    if not found.inside.any():
        raise EmptyROI(
            f"{fspath(path)}: no voxel's centre lies inside the contours. Use the "
            "image they were drawn on, or draw the lesion again."
        )
    if resample:
        found.notes.append("marked by its contours on another grid")
    return found


def _refuse_other_frame(mine: str, image: str | None, path: Path_) -> None:
    if image and mine and mine != image:
        raise GeometryMismatch(
            f"{fspath(path)} lies in another frame of reference than its image (their "
            "FrameOfReferenceUID differ): it is of another patient or another session. "
            "Give the mask that was drawn on this image."
        )


def _over(mask: Geometry, image: Geometry) -> bool:
    """Whether the voxels of a mask are voxels of an image (a mask may be a part)."""
    axes = np.array(image.direction).reshape(3, 3)
    if not np.allclose(np.array(mask.direction), np.array(image.direction), atol=1e-3):
        return False
    sides = np.array(image.spacing)
    ends = (np.array(mask.spacing) - sides) * np.maximum(np.array(mask.size) - 1, 1)
    away = np.linalg.solve(axes, np.array(mask.origin) - np.array(image.origin)) / sides
    off = np.abs(away - np.rint(away)) * sides
    return bool((np.abs(ends) < ROUNDING).all() and (off < ROUNDING).all())


def _moved(
    region: npt.NDArray[np.bool_], mine: Geometry, grid: Geometry, path: str
) -> npt.NDArray[np.bool_]:
    """Bring a region from its grid to another by nearest neighbour."""
    import SimpleITK

    mask = SimpleITK.GetImageFromArray(region.astype(np.uint8))
    _set_grid(mask, mine)
    target = SimpleITK.Image(list(grid.size), SimpleITK.sitkUInt8)
    _set_grid(target, grid)
    moved = SimpleITK.Resample(
        mask, target, SimpleITK.Transform(), SimpleITK.sitkNearestNeighbor, 0
    )
    inside = SimpleITK.GetArrayFromImage(moved) > 0
    before = float(region.sum() * np.prod(mine.spacing)) / 1000
    after = float(inside.sum() * np.prod(grid.spacing)) / 1000
    # Nearest neighbour keeps the volume of a lesion; a large loss is a lesion that
    # reaches outside the image.
    if after < (1 - LOST) * before:
        raise GeometryMismatch(
            f"{path}: of {before:.3g} mL of lesion only {after:.3g} mL lie in the "
            f"image ({grid.difference(mine)}). Use the mask drawn on this image."
        )
    return np.asarray(inside)


def _set_grid(image: Any, grid: Geometry) -> None:
    image.SetSpacing(grid.spacing)
    image.SetOrigin(grid.origin)
    image.SetDirection(grid.direction)
