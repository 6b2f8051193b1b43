"""Three-dimensional images: read, identify by content, refer to lightly."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from os import PathLike, fspath
from typing import Any

import numpy as np
import numpy.typing as npt

from sarcfeat.io.geometry import Geometry
from sarcfeat.io.itk import check_readable, read_itk

__all__ = [
    "Volume",
    "VolumeRef",
    "check_readable",
    "pixel_hash",
    "read_volume",
    "volume_of",
]

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
        The file (NIfTI, NRRD, MetaImage), or the folder of a DICOM series.

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
        The file, in any format that SimpleITK reads, or the folder of a DICOM series
        (CT in Hounsfield units, PET in SUV by body weight).

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
    InputTooLarge
        The image cannot be, or does not fit into memory.
    InvalidInput
        The file is not one three-dimensional image of single numbers (4-D, RGB), or
        its grid is none that a scanner has.
    MissingDependency
        SimpleITK is not installed.

    Warns
    -----
    InputRepaired
        The image was not quite as it should be; the message says what was done.

    Examples
    --------
    >>> read_volume("nowhere/t1_image.nii.gz")
    Traceback (most recent call last):
    ...
    sarcfeat.exceptions.InputMissing: No file nowhere/t1_image.nii.gz. ...
    """
    return volume_of(read_itk(path))


def volume_of(image: Any) -> Volume:
    """Return the voxels and the grid of a SimpleITK image."""
    import SimpleITK

    return Volume(
        array=SimpleITK.GetArrayFromImage(image).astype(np.float64),
        spacing=tuple(image.GetSpacing()),
        origin=tuple(image.GetOrigin()),
        direction=tuple(image.GetDirection()),
    )


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
