"""From a lesion in a volume to what a net looks at: pictures, or one cube."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike, fspath
from typing import Any

import numpy as np
import numpy.typing as npt

from sarcfeat.encoders.prepared import prepare
from sarcfeat.encoders.preprocess import Preprocess
from sarcfeat.encoders.region import Region, check_finite, check_size, read_region
from sarcfeat.encoders.sampling import sample_box
from sarcfeat.exceptions import InvalidInput

__all__ = [
    "grey_range",
    "image_list",
    "lesion_box",
    "lesion_cube",
    "lesion_slices",
    "read_lesion",
    "scaled",
    "slice_of",
    "square",
]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Array = npt.NDArray[Any]
Span = tuple[float, float]

_FEWEST = 2  # voxels: a picture of one voxel shows nothing


def read_lesion(
    image_paths: Sequence[str | PathLike[str]],
    mask_path: str | PathLike[str],
    *,
    label: int,
    chain: Preprocess,
) -> tuple[Region, list[Array]]:
    """Read one lesion on one or more images of a patient, prepared by the chain.

    The mask lies on the grid of the first image; the others are brought onto that grid
    by their position in space (linear), which the region's warnings then say.

    Returns
    -------
    region : Region
        Of the first image.
    arrays : list of ndarray of shape (z, y, x)
        One an image.
    """
    import SimpleITK

    regions = [
        read_region(path, mask_path, label=label, resample_mask=k > 0)
        for k, path in enumerate(image_paths)
    ]
    first = regions[0]
    check_size(first, dimensions=2, fewest=_FEWEST)
    for region in regions:
        check_finite(region, needs_surroundings=True)
    placed = [
        region if region is first else _onto(region, first, fspath(path))
        for path, region in zip(image_paths, regions, strict=True)
    ]
    ready = [prepare(region, chain) if chain else region for region in placed]
    # A few voxels make no texture, but they make a picture.
    ready[0].warnings = [w for w in ready[0].warnings if "texture" not in w]
    return ready[0], [SimpleITK.GetArrayFromImage(region.image) for region in ready]


def _onto(region: Region, first: Region, path: str) -> Region:
    import SimpleITK

    image = region.image
    same = all(
        np.allclose(getattr(image, of)(), getattr(first.image, of)(), atol=1e-3)
        for of in ("GetSize", "GetSpacing", "GetOrigin", "GetDirection")
    )
    if not same:
        first.warnings.append(f"{path} was resampled onto the grid of the first image.")
        values = SimpleITK.GetArrayViewFromImage(image)
        image = SimpleITK.Resample(
            SimpleITK.Cast(image, SimpleITK.sitkFloat64),
            first.image,
            SimpleITK.Transform(),
            SimpleITK.sitkLinear,
            float(values.min()),
        )
    return Region(image, first.mask, first.inside, region.what, [])


def grey_range(array: Array, inside: Bools, window: Span | None) -> Span:
    """Return the grey values that become 0 and 1: a window's, or the lesion's ends."""
    if window is not None:
        return window
    values = array[inside]
    return float(values.min()), float(values.max())


def scaled(values: Array, ends: Span) -> Floats:
    """Bring grey values to 0…1; those beyond are cut off, and one value becomes 0.

    Examples
    --------
    >>> scaled(np.array([0, 10, 20, 40]), (10, 30))
    array([0. , 0. , 0.5, 1. ])
    """
    span = float(ends[1]) - float(ends[0])
    values = (values.astype(float) - ends[0]) / (span if span > 0 else np.inf)
    return np.clip(values, 0, 1)


def slice_of(inside: Bools, how: str) -> list[int]:
    """Return the slices (along z) that stand for a lesion.

    Parameters
    ----------
    inside : ndarray of bool, shape (z, y, x)
    how : {"middle", "largest", "all"}
        ``middle``: the one nearest to half way between the lesion's ends that holds
        lesion. ``largest``: the one with most of it; of equal ones that nearest to the
        middle. ``all``: every one that holds lesion.

    Examples
    --------
    >>> inside = np.zeros((6, 2, 2), bool)
    >>> inside[1:5, 0, 0] = inside[4, 1, 1] = True
    >>> [slice_of(inside, how) for how in ("middle", "largest", "all")]
    [[2], [4], [1, 2, 3, 4]]
    """
    area = inside.sum(axis=(1, 2))
    held = np.flatnonzero(area)
    if how == "all":
        return [int(k) for k in held]
    away = np.abs(held - (held[0] + held[-1]) / 2)
    size = -area[held] if how == "largest" else np.zeros(len(held))
    return [int(held[np.lexsort((held, away, size))[0]])]


def square(inside: Bools, spacing: Sequence[float], margin: float) -> list[Span]:
    """Return the square (in mm) around a lesion's outline, as spans along y and x.

    Parameters
    ----------
    inside : ndarray of bool, shape (y, x)
    spacing : sequence of float
        Size of a pixel along y and x, in mm.
    margin : float
        Added on every side, in mm.

    Examples
    --------
    >>> inside = np.zeros((8, 8), bool)
    >>> inside[2:4, 1:5] = True
    >>> square(inside, (2.0, 1.0), 0.0)
    [(2.0, 4.0), (1.0, 5.0)]
    """
    ends = _ends(inside)
    side = max((b - a) * s for (a, b), s in zip(ends, spacing, strict=True))
    halves = [(side / 2 + margin) / s for s in spacing]
    centres = [(a + b) / 2 for a, b in ends]
    return [(c - h, c + h) for c, h in zip(centres, halves, strict=True)]


def lesion_slices(
    arrays: Sequence[Array],
    inside: Bools,
    spacing: Sequence[float],
    *,
    slices: str,
    channels: str,
    size: int,
    margin: float,
    masked: bool,
    window: Span | None,
) -> Floats:
    """Return the pictures of a lesion, shape (n_slices, 3, size, size), in 0…1.

    Parameters
    ----------
    arrays : sequence of ndarray of shape (z, y, x)
        Grey values: one image, or three for ``channels="phases"``.
    inside : ndarray of bool, shape (z, y, x)
    spacing : sequence of float
        Along x, y, z, in mm.
    slices, channels, size, margin, masked, window
        As of :class:`~sarcfeat.encoders.CNN2D`.
    """
    numbers = slice_of(inside, slices)
    box = square(inside[numbers].any(axis=0), (spacing[1], spacing[0]), margin)
    planes = []
    for array, away in _colours(arrays, channels):
        taken = np.clip(np.array(numbers) + away, 0, len(inside) - 1)
        plane = scaled(array[taken], grey_range(array, inside, window))
        planes.append(plane * inside[taken] if masked else plane)
    pictures = sample_box(np.stack(planes, axis=1), box, (size, size))
    return np.repeat(pictures, 3, axis=1) if channels == "grey" else pictures


def _colours(arrays: Sequence[Array], channels: str) -> list[tuple[Array, int]]:
    """Return the image of each channel, and how many slices away it is taken."""
    if channels == "phases":
        return [(array, 0) for array in arrays]
    if channels == "neighbours":
        return [(arrays[0], away) for away in (-1, 0, 1)]
    return [(arrays[0], 0)]


def lesion_box(
    arrays: Sequence[Array],
    inside: Bools,
    spacing: Sequence[float],
    *,
    size: int,
    margin: float,
    masked: bool,
    window: Span | None,
) -> Floats:
    """Return the lesion's box, one channel an image, shape (channels, size³), in 0…1.

    Every side of the box is stretched to `size`: the shape of a voxel is lost, as in
    the published system (Bozzo et al. 2024).
    """
    mm = (spacing[2], spacing[1], spacing[0])
    box = [
        (a - margin / s, b + margin / s)
        for (a, b), s in zip(_ends(inside), mm, strict=True)
    ]
    grey = [scaled(array, grey_range(array, inside, window)) for array in arrays]
    kept = [array * inside if masked else array for array in grey]
    return np.array([sample_box(array, box, (size,) * 3) for array in kept])


def lesion_cube(
    images: str | PathLike[str] | Sequence[str | PathLike[str]],
    mask: str | PathLike[str],
    *,
    label: int = 1,
    size: int = 64,
    margin: float = 0.0,
    masked: bool = True,
    window: Span | None = None,
    preprocess: Any = None,
) -> npt.NDArray[np.float32]:
    """Return a lesion as a cube of grey values in 0…1, one channel a sequence.

    What :class:`~sarcfeat.encoders.DenseNet3D` is shown, and what a net that is trained
    on lesions takes.

    Parameters
    ----------
    images : path or sequence of paths
        One sequence each; the second and later ones are brought onto the grid of the
        first.
    mask : path
        On the grid of the first image.
    label : int
        Which number in the mask is the lesion.
    size : int
        Voxels along each side.
    margin : float
        Tissue around the lesion, in mm.
    masked : bool
        Paint everything but the lesion black.
    window : (low, high), optional
        Grey values that become 0 and 1; default: the range of the lesion.
    preprocess : Preprocess, list or path, optional
        Steps before all this.

    Returns
    -------
    ndarray of float32, shape (n_sequences, size, size, size)
    """
    paths = [images] if isinstance(images, str | PathLike) else list(images)
    chain = Preprocess.from_spec(preprocess)
    region, arrays = read_lesion(paths, mask, label=label, chain=chain)
    cube = lesion_box(
        arrays,
        region.inside,
        region.image.GetSpacing(),
        size=size,
        margin=margin,
        masked=masked,
        window=window,
    )
    return cube.astype(np.float32)


def _ends(inside: Bools) -> list[tuple[int, int]]:
    ends = []
    for axis in range(inside.ndim):
        others = tuple(a for a in range(inside.ndim) if a != axis)
        held = np.flatnonzero(inside.any(axis=others))
        ends.append((int(held[0]), int(held[-1]) + 1))
    return ends


def image_list(
    image: Any, expected: int, what: str, *, why: str
) -> list[str | PathLike[str]]:
    """Return the images given as a list, and refuse another number of them."""
    given = [image] if isinstance(image, str | PathLike) else list(image)
    if len(given) != expected:
        raise InvalidInput(
            f"{what} takes {expected} image(s) of a patient at once and was given "
            f"{len(given)}: {', '.join(map(fspath, given))}. {why}"
        )
    return given
