"""A second reading where there is one reader: the contour redrawn by chance.

Where two readers drew the lesions, use them. Where one did, moving his contour by what
readers differ by shows which features depend on the exact line. The idea of contour
perturbation in place of a second reader is Zwanenburg's [1]_; the random field used
here is simpler than his supervoxels and moves the contour smoothly.

.. [1] Zwanenburg A et al. Assessing robustness of radiomic features by image
   perturbation. Sci Rep 2019;9:614.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from os import PathLike, fspath
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from sarcfeat.encoders.region import read_mask
from sarcfeat.exceptions import EmptyROI, InvalidInput

__all__ = ["dice", "perturb_mask", "write_perturbed_mask"]

Mask = npt.NDArray[np.bool_]
Seed = int | np.random.Generator

# A contour that wanders by 7 % of the lesion's radius has a Dice of about 0.9 with the
# original: 1 - Dice is about 1.2 sd / radius for a ball. On coarse grids readers
# differ by about a third of a voxel even where the lesion is small; on large lesions
# their lines are still only millimetres apart.
SD_OF_RADIUS = 0.07
SD_OF_VOXEL = 0.35
SD_MOST = 3.0  # mm
# Readers disagree over stretches of the contour, not voxel by voxel.
SMOOTH_OF_RADIUS = 0.3
# Part of the disagreement that is the same all round: one reader draws wider.
COMMON_SHARE = 0.3
LEAST_DICE = 0.75


def dice(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """Overlap of two masks: twice the common voxels over the sum of both.

    Examples
    --------
    >>> dice([1, 1, 0, 0], [0, 1, 0, 0]).__round__(3)
    0.667
    """
    a, b = np.asarray(a, dtype=bool), np.asarray(b, dtype=bool)
    total = int(a.sum()) + int(b.sum())
    return 2.0 * float((a & b).sum()) / total if total else 1.0


def signed_distance(mask: Mask, spacing: Sequence[float]) -> npt.NDArray[np.float64]:
    """Return the distance of each voxel's centre to the contour, in mm, plus inside.

    The contour runs half-way between the last voxel inside and the first outside, also
    where voxels are long in one direction.
    """
    out = np.empty(mask.shape)
    for side, sign in ((mask, 1.0), (~mask, -1.0)):
        away, nearest = ndimage.distance_transform_edt(
            side, sampling=spacing, return_indices=True
        )
        steps = np.abs(nearest - np.indices(mask.shape)).max(axis=0)
        inner = away * (1 - 0.5 / np.maximum(steps, 1))
        out[side] = sign * inner[side]
    return out


def random_field(
    shape: Sequence[int],
    width: Sequence[float],
    rng: np.random.Generator,
) -> npt.NDArray[np.float64]:
    """Return smooth noise with mean 0 and SD 1; `width` in voxels along each axis.

    The noise is smoothed around the corner (the SD is 1 up to the edge) on a longer
    array, so that the two ends of the part returned are unrelated.
    """
    longer = [n + math.ceil(2 * w) for n, w in zip(shape, width, strict=True)]
    field = rng.standard_normal(longer)
    for axis, sigma in enumerate(width):
        field = ndimage.gaussian_filter1d(field, sigma, axis=axis, mode="wrap")
        impulse = np.zeros(2 * math.ceil(4 * sigma) + 3)
        impulse[len(impulse) // 2] = 1.0
        weights = ndimage.gaussian_filter1d(impulse, sigma, mode="constant")
        field /= math.sqrt(float((weights**2).sum()))
    return field[tuple(slice(n) for n in shape)]


def perturb_mask(
    mask: npt.ArrayLike,
    spacing: Sequence[float],
    *,
    random_state: Seed,
    sd: float | None = None,
) -> Mask:
    """Redraw a lesion's contour as another reader might have.

    The contour is moved along its normal by a smooth random field (three
    tenths of its variance common to the whole contour: one reader draws wider). The
    movement is halved until the Dice coefficient with the original is at least 0.75,
    so a lesion never vanishes.

    Parameters
    ----------
    mask : array-like of bool, shape (z, y, x)
        The lesion; not changed.
    spacing : sequence of float
        Voxel size along z, y, x (the order of the array), in millimetres.
    random_state : int or numpy Generator
        Equal seeds give equal contours.
    sd : float, optional
        Standard deviation of the contour's movement, in millimetres. Default: 7 % of
        the radius of a ball of the lesion's volume, at most 3 mm, but at least 0.35
        voxel. Lesions
        above 20 mm then keep a Dice between about 0.85 and 0.97 with the original,
        the range between readers.

    Returns
    -------
    ndarray of bool, shape (z, y, x)

    Raises
    ------
    EmptyROI
        The mask holds no voxel.
    InvalidInput
        The mask is not three-dimensional, or spacing or sd is not above 0.

    Examples
    --------
    >>> z, y, x = np.indices((20, 40, 40))
    >>> ball = (3 * (z - 10)) ** 2 + (y - 20) ** 2 + (x - 20) ** 2 < 15**2
    >>> other = perturb_mask(ball, (3.0, 1.0, 1.0), random_state=1)
    >>> 0.85 < dice(ball, other) < 0.97
    True
    """
    inside = np.asarray(mask).astype(bool)
    steps = np.asarray(spacing, dtype=float)
    _check(inside, steps, sd)
    radius = float(np.cbrt(inside.sum() * steps.prod() * 3 / (4 * math.pi)))
    voxel = float(np.cbrt(steps.prod()))
    if sd is None:
        sd = max(min(SD_OF_RADIUS * radius, SD_MOST), SD_OF_VOXEL * voxel)
    rng = np.random.default_rng(random_state)
    window = _window(inside, np.ceil(4 * sd / steps).astype(int) + 1)
    part = inside[window]
    distance = signed_distance(part, [float(s) for s in steps])
    width = np.maximum(SMOOTH_OF_RADIUS * radius, voxel) / steps
    own = random_field(part.shape, width, rng)
    common = rng.standard_normal()
    # A common movement beyond 1.5 SD would be another lesion, not another reader.
    common = float(np.clip(common, -1.5, 1.5))
    move = sd * (math.sqrt(COMMON_SHARE) * common + math.sqrt(1 - COMMON_SHARE) * own)
    out = np.zeros_like(inside)
    out[window] = _moved(part, distance, move)
    return out


def write_perturbed_mask(
    mask_path: str | PathLike[str],
    out_path: str | PathLike[str],
    *,
    random_state: Seed,
    label: int = 1,
    sd: float | None = None,
) -> Path:
    """Write a mask file with the contour redrawn; grid, label and type stay.

    Parameters
    ----------
    mask_path, out_path : str or path
        The mask to read and the file to write, in any format that SimpleITK knows.
        Missing folders are made.
    random_state : int or numpy Generator
        Give every lesion a seed of its own, or all contours move alike.
    label : int
        Which number in the mask is the lesion. Other labels keep their voxels.
    sd : float, optional
        See :func:`perturb_mask`.

    Returns
    -------
    Path
        `out_path`.

    Raises
    ------
    InputMissing, InputEmpty, InputCorrupt, EmptyROI, LabelMissing
        As :meth:`Radiomics.encode` does for a mask.
    """
    import SimpleITK

    image, inside = read_mask(mask_path, label=label)
    moved = perturb_mask(
        inside, image.GetSpacing()[::-1], random_state=random_state, sd=sd
    )
    voxels = SimpleITK.GetArrayFromImage(image)
    others = (voxels != 0) & ~inside
    voxels[inside] = 0
    voxels[moved & ~others] = label
    written = SimpleITK.GetImageFromArray(voxels)
    written.CopyInformation(image)
    target = Path(fspath(out_path))
    target.parent.mkdir(parents=True, exist_ok=True)
    SimpleITK.WriteImage(written, str(target), True)
    return target


def _check(inside: Mask, steps: npt.NDArray[np.float64], sd: float | None) -> None:
    if inside.ndim != 3 or steps.shape != (3,) or not (steps > 0).all():
        raise InvalidInput(
            f"The mask has shape {inside.shape} and spacing {steps.tolist()}; expected "
            "three dimensions and three sizes above 0 (z, y, x in mm)."
        )
    if sd is not None and not sd > 0:
        raise InvalidInput(f"sd is {sd!r}; expected millimetres above 0.")
    if not inside.any():
        raise EmptyROI("The mask is empty; there is no contour to move.")


def _window(inside: Mask, more: npt.NDArray[np.int_]) -> tuple[slice, ...]:
    """Return the bounding box with room for the contour to grow."""
    box = ndimage.find_objects(inside.astype(np.uint8))[0]
    return tuple(
        slice(max(0, s.start - int(m)), min(n, s.stop + int(m)))
        for s, m, n in zip(box, more, inside.shape, strict=True)
    )


def _moved(
    part: Mask, distance: npt.NDArray[np.float64], move: npt.NDArray[np.float64]
) -> Mask:
    if part.all():
        # The lesion fills its image: there is no contour to measure from.
        return part.copy()
    for share in (1.0, 0.5, 0.25, 0.125):
        moved = distance + share * move > 0
        if moved.any() and dice(part, moved) >= LEAST_DICE:
            return moved
    return part.copy()
