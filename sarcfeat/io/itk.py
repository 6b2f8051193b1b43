"""One file, or one folder of DICOM slices, to a SimpleITK image with its checks."""

from __future__ import annotations

import warnings
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np

from sarcfeat._validation import missing_dependency
from sarcfeat.exceptions import (
    InputCorrupt,
    InputEmpty,
    InputMissing,
    InputRepaired,
    InvalidInput,
)
from sarcfeat.io.integrity import check_complete
from sarcfeat.io.memory import check_room
from sarcfeat.io.nifti import check_nifti, stored_voxels
from sarcfeat.io.plain_dicom import is_dicom, read_dicom

__all__ = ["check_readable", "read_itk"]

Path_ = str | PathLike[str]
# Below this the three axes of a grid do not span a volume.
FLAT = 1e-3


def check_readable(path: Path_) -> None:
    """Raise if a file is missing or has no bytes, before a parser sees it."""
    place = Path(path)
    if not place.is_file():
        raise InputMissing(
            f"No file {fspath(path)}. Restore it, or correct the path or pattern."
        )
    if place.stat().st_size == 0:
        raise InputEmpty(f"{fspath(path)} has 0 bytes. Copy it again from its source.")


def read_itk(path: Path_) -> Any:
    """Read one image: a NIfTI, NRRD or MetaImage file, or a folder of DICOM slices.

    Parameters
    ----------
    path : str or path
        The file or folder.

    Returns
    -------
    SimpleITK.Image
        Three-dimensional, one value per voxel, on a right-handed grid.

    Raises
    ------
    InputMissing, InputEmpty
        There is nothing at `path`, or it has no bytes.
    InputCorrupt
        The file cannot be read as the image its name says.
    InputTooLarge
        The image cannot be, or does not fit into memory.
    InvalidInput
        A grid that no scanner has, or not one three-dimensional image of single
        numbers (4-D, RGB).
    MissingDependency
        SimpleITK is not installed.

    Warns
    -----
    InputRepaired
        A left-handed grid was turned round along its third axis.
    """
    try:
        import SimpleITK
    except ImportError as error:
        raise missing_dependency("SimpleITK", "radiomics") from error
    name = fspath(path)
    if Path(path).is_dir():
        return read_dicom(path)
    check_readable(path)
    if is_dicom(path):
        raise InvalidInput(
            f"{name} is one DICOM file; an image is a series of slices. Give their "
            "folder (a mask: RTSTRUCT or SEG, through add_masks or read_mask)."
        )
    check_nifti(path)
    odd = check_complete(path)
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(name)
    # What ITK has to say of a header goes to the terminal; here it is checked.
    display = SimpleITK.ProcessObject.GetGlobalWarningDisplay()
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        reader.ReadImageInformation()
        _check_header(reader, name)
        image = reader.Execute()
    except RuntimeError as error:
        # SimpleITK raises RuntimeError for whatever its readers cannot parse.
        reason = str(error).strip().splitlines()[-1].strip()
        raise InputCorrupt(
            f"{name} ({Path(path).stat().st_size} bytes) cannot be read as an "
            f"image: {reason}. Copy it again from its source."
        ) from error
    finally:
        SimpleITK.ProcessObject.SetGlobalWarningDisplay(display)
    if odd:
        image = _with_odd_voxels(image, path)
    return _right_handed(image, name)


def _with_odd_voxels(image: Any, path: Path_) -> Any:
    """Put back NaN and infinity, which ITK's reader of NIfTI turns into zero."""
    import SimpleITK

    stored = stored_voxels(path)
    if stored is None or stored.size < image.GetNumberOfPixels():
        return image
    voxels = SimpleITK.GetArrayFromImage(image)
    stored = stored[: voxels.size].reshape(voxels.shape)
    bad = ~np.isfinite(stored)
    if not bad.any() or not np.issubdtype(voxels.dtype, np.floating):
        return image
    voxels[bad] = stored[bad]
    whole = SimpleITK.GetImageFromArray(voxels)
    whole.CopyInformation(image)
    return whole


def _check_header(reader: Any, name: str) -> None:
    import SimpleITK

    n_values = reader.GetNumberOfComponents()
    if n_values != 1:
        raise InvalidInput(
            f"{name} has {n_values} values per voxel (RGB or vector); expected one. "
            "Save the channel you mean."
        )
    size = reader.GetSize()
    if reader.GetDimension() != 3:
        raise InvalidInput(
            f"{name} has {reader.GetDimension()} dimensions, shape {size[::-1]}; "
            "expected one three-dimensional image."
        )
    kind = SimpleITK.GetPixelIDValueAsString(reader.GetPixelID())
    width = next((n for n in (8, 16, 32, 64) if f"{n}-bit" in kind), 64) // 8
    check_room(name, size, width)
    spacing = reader.GetSpacing()
    if not all(np.isfinite(side) and side > 0 for side in spacing):
        told = ", ".join(f"{side:g}" for side in spacing)
        raise InvalidInput(
            f"{name} has a voxel spacing of {told} mm; expected lengths greater than "
            "0. Convert the image again from its source."
        )
    if not np.isfinite([*reader.GetOrigin(), *reader.GetDirection()]).all():
        raise InvalidInput(
            f"{name}: origin or direction is no number. Convert the image again."
        )


def _right_handed(image: Any, name: str) -> Any:
    """Turn a left-handed grid round, so that every image has one sense."""
    import SimpleITK

    axes = np.array(image.GetDirection()).reshape(3, 3)
    turn = float(np.linalg.det(axes))
    if abs(turn) < FLAT:
        raise InvalidInput(
            f"{name}: the axes of the grid do not span a volume (determinant "
            f"{turn:.2g}). Convert the image again from its source."
        )
    if turn > 0:
        return image
    last = (0, 0, image.GetSize()[2] - 1)
    turned = SimpleITK.GetImageFromArray(SimpleITK.GetArrayViewFromImage(image)[::-1])
    turned.SetSpacing(image.GetSpacing())
    turned.SetOrigin(image.TransformIndexToPhysicalPoint(last))
    turned.SetDirection((axes * (1, 1, -1)).ravel().tolist())
    warnings.warn(
        f"{name} has a left-handed grid; its slices were taken in the other order.",
        InputRepaired,
        stacklevel=4,
    )
    return turned
