"""Three-dimensional images: read, identify by content, refer to lightly."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sarcfeat._validation import missing_dependency
from sarcfeat.exceptions import InputCorrupt, InputEmpty, InputMissing, InvalidInput
from sarcfeat.io.geometry import Geometry
from sarcfeat.io.integrity import check_complete

__all__ = ["Volume", "VolumeRef", "pixel_hash", "read_volume"]

Path_ = str | PathLike[str]


@dataclass(frozen=True, eq=False)
class Volume:
    """An image in memory: voxels and where they lie.

    Parameters
    ----------
    array : ndarray of float64, shape (z, y, x)
        Voxel values, in the unit of the file (HU, SUV, or arbitrary for MR).
    spacing, origin : tuple of float
        Voxel size and position of the first voxel along x, y, z, in millimetres.
    direction : tuple of float
        The nine direction cosines, row by row.
    """

    array: npt.NDArray[np.float64]
    spacing: tuple[float, ...]
    origin: tuple[float, ...]
    direction: tuple[float, ...]

    @property
    def geometry(self) -> Geometry:
        """Return the grid on which the voxels lie."""
        size = tuple(int(n) for n in self.array.shape[::-1])
        return Geometry(size, self.spacing, self.origin, self.direction)


@dataclass(frozen=True)
class VolumeRef:
    """A light reference to a volume on disk; it stands in a column of X.

    Parameters
    ----------
    path : str or path
        The file, in any format that SimpleITK reads (NIfTI, NRRD, MetaImage).

    Examples
    --------
    >>> VolumeRef("images/P001/t1_image.nii.gz")
    VolumeRef('images/P001/t1_image.nii.gz')
    """

    path: str

    def __init__(self, path: Path_) -> None:
        object.__setattr__(self, "path", fspath(path))

    def load(self) -> Volume:
        """Read the file; see :func:`read_volume` for the errors."""
        return read_volume(self.path)

    def __repr__(self) -> str:
        return f"VolumeRef({self.path!r})"


def read_volume(path: Path_) -> Volume:
    """Read one image or mask file.

    Parameters
    ----------
    path : str or path
        The file, in any format that SimpleITK reads.

    Returns
    -------
    Volume

    Raises
    ------
    InputMissing
        There is no file at `path`.
    InputEmpty
        The file has no bytes.
    InputCorrupt
        The file cannot be read as the image its name says.
    InvalidInput
        The file is not one three-dimensional image of single numbers (4-D, RGB).
    MissingDependency
        SimpleITK is not installed.

    Examples
    --------
    >>> read_volume("nowhere/t1_image.nii.gz")
    Traceback (most recent call last):
    ...
    sarcfeat.exceptions.InputMissing: No file nowhere/t1_image.nii.gz. ...
    """
    check_readable(path)
    check_complete(path)
    image = _read_itk(path)
    if image.GetNumberOfComponentsPerPixel() != 1:
        raise InvalidInput(
            f"{fspath(path)} has {image.GetNumberOfComponentsPerPixel()} values per "
            "voxel (RGB or vector); expected one. Save the channel you mean."
        )
    import SimpleITK

    array = SimpleITK.GetArrayFromImage(image)
    if array.ndim != 3:
        raise InvalidInput(
            f"{fspath(path)} has {array.ndim} dimensions, shape {array.shape}; "
            "expected one three-dimensional image."
        )
    return Volume(
        array=array.astype(np.float64),
        spacing=tuple(image.GetSpacing()),
        origin=tuple(image.GetOrigin()),
        direction=tuple(image.GetDirection()),
    )


def check_readable(path: Path_) -> None:
    """Raise if a file is missing or has no bytes, before a parser sees it."""
    place = Path(path)
    if not place.is_file():
        raise InputMissing(
            f"No file {fspath(path)}. Restore it, or correct the path or pattern."
        )
    if place.stat().st_size == 0:
        raise InputEmpty(f"{fspath(path)} has 0 bytes. Copy it again from its source.")


def _read_itk(path: Path_) -> Any:
    try:
        import SimpleITK
    except ImportError as error:
        raise missing_dependency("SimpleITK", "radiomics") from error
    try:
        return SimpleITK.ReadImage(fspath(path))
    except RuntimeError as error:
        # SimpleITK raises RuntimeError for whatever its readers cannot parse.
        reason = str(error).strip().splitlines()[-1].strip()
        raise InputCorrupt(
            f"{fspath(path)} ({Path(path).stat().st_size} bytes) cannot be read as an "
            f"image: {reason}. Copy it again from its source."
        ) from error


def pixel_hash(volume: Volume) -> str:
    """Identify an image by its voxels and geometry, whatever the file's name or format.

    Parameters
    ----------
    volume : Volume
        The image.

    Returns
    -------
    str
        BLAKE2b of the voxels and the geometry, 32 hexadecimal digits.

    Examples
    --------
    >>> ones = np.ones((2, 3, 4))
    >>> axes = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    >>> a = Volume(ones, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), axes)
    >>> b = Volume(ones, (1.0, 1.0, 2.0), (0.0, 0.0, 0.0), axes)
    >>> len(pixel_hash(a)), pixel_hash(a) == pixel_hash(b)
    (32, False)
    """
    digest = hashlib.blake2b(volume.geometry.key(), digest_size=16)
    digest.update(np.ascontiguousarray(volume.array, dtype="<f8").data)
    return digest.hexdigest()
