"""Readings made by chance where there is one reader: contour, size, rotation, noise.

Each is a small change that should not matter; the features that it moves are not
robust. The four kinds are Zwanenburg's [1]_. Written as image and mask files of a
further reader, a store takes them like any reading, and an ICC filter can be fitted on
them.

.. [1] Zwanenburg A et al. Assessing robustness of radiomic features by image
   perturbation. Sci Rep 2019;9:614.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from sarcfeat._validation import pick
from sarcfeat.encoders.landmarks import body
from sarcfeat.encoders.perturbation import Mask, perturb_mask, signed_distance
from sarcfeat.encoders.region import read_region
from sarcfeat.exceptions import EmptyROI, InvalidInput

__all__ = ["add_noise", "grow_mask", "noise_level", "perturb", "rotate"]

# What a perturbation does where nothing else is asked for.
DEFAULTS: Mapping[str, float] = MappingProxyType(
    {
        "contour": 1.0,  # × the movement between two readers
        "grow": 1.0,  # mm outwards; negative inwards
        "noise": 1.0,  # × the noise of the image itself
        "rotate": 5.0,  # degrees around z
    }
)


def grow_mask(
    mask: npt.ArrayLike, spacing: Sequence[float], millimetres: float
) -> Mask:
    """Return a lesion drawn wider, or tighter, by the same all round.

    Parameters
    ----------
    mask : array-like of bool, shape (z, y, x)
    spacing : sequence of float
        Voxel size along z, y, x in millimetres.
    millimetres : float
        How far the contour moves outwards; negative moves it inwards.

    Raises
    ------
    EmptyROI
        Nothing would be left.

    Examples
    --------
    >>> cube = np.zeros((7, 7, 7), bool)
    >>> cube[2:5, 2:5, 2:5] = True
    >>> [int(grow_mask(cube, (1, 1, 1), mm).sum()) for mm in (-1, 0, 1)]
    [1, 27, 125]
    """
    inside = np.asarray(mask).astype(bool)
    moved = signed_distance(inside, list(spacing)) + millimetres > 0
    if not moved.any():
        raise EmptyROI(
            f"Nothing is left of a lesion of {int(inside.sum())} voxels when its "
            f"contour moves by {millimetres:g} mm. Move it less."
        )
    return moved


def noise_level(voxels: npt.ArrayLike) -> float:
    """Estimate the SD of an image's noise from its finest wavelet coefficients.

    Chang's estimate: the median absolute diagonal coefficient of the patient's body
    over 0.6745, slice by slice.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> round(noise_level(100 + rng.normal(0, 5, (4, 64, 64))))
    5
    """
    import pywt

    array = np.asarray(voxels, dtype=float)
    inside = body(array)
    found = []
    for image, where in zip(array, inside, strict=True):
        if min(image.shape) >= 4:
            diagonal = pywt.dwt2(image, "coif1", mode="periodization")[1][2]
            near = where[::2, ::2][: diagonal.shape[0], : diagonal.shape[1]]
            found.append(np.abs(diagonal[: near.shape[0], : near.shape[1]][near]))
    values = np.concatenate(found) if found else np.zeros(0)
    return float(np.median(values) / 0.6745) if values.size else 0.0


def add_noise(image: Any, sd: float, *, random_state: int | np.random.Generator) -> Any:
    """Return an image with Gaussian noise of a standard deviation added."""
    import SimpleITK

    voxels = SimpleITK.GetArrayFromImage(image).astype(float)
    noise = np.random.default_rng(random_state).normal(0.0, sd, voxels.shape)
    made = SimpleITK.GetImageFromArray(voxels + noise)
    made.CopyInformation(image)
    return made


def rotate(image: Any, mask: Any, degrees: float) -> tuple[Any, Any]:
    """Return image and mask turned around the lesion's centre, in the slice plane.

    The image is interpolated linearly, the mask where at least half a voxel is inside.
    """
    import SimpleITK

    inside = SimpleITK.GetArrayViewFromImage(mask) != 0
    centre = [float(c) for c in np.argwhere(inside).mean(axis=0)[::-1]]
    point = image.TransformContinuousIndexToPhysicalPoint(centre)
    axis = np.array(image.GetDirection()).reshape(3, 3)[:, 2]
    turn = SimpleITK.VersorTransform(
        [float(a) for a in axis], math.radians(degrees), point
    )
    plain = SimpleITK.Cast(image, SimpleITK.sitkFloat64)
    air = float(SimpleITK.GetArrayViewFromImage(plain).min())
    moved = SimpleITK.Resample(plain, plain, turn, SimpleITK.sitkLinear, air)
    soft = SimpleITK.Cast(mask, SimpleITK.sitkFloat64)
    turned = SimpleITK.Resample(soft, soft, turn, SimpleITK.sitkLinear, 0.0)
    return moved, SimpleITK.Cast(turned >= 0.5 - 1e-6, SimpleITK.sitkUInt8)


def perturb(
    image_path: str | PathLike[str],
    mask_path: str | PathLike[str],
    folder: str | PathLike[str],
    *,
    random_state: int,
    kinds: Mapping[str, float] = DEFAULTS,
    label: int = 1,
) -> tuple[Path, Path]:
    """Write a perturbed copy of one lesion's image and mask.

    Parameters
    ----------
    image_path, mask_path : str or path
        One lesion on one image.
    folder : str or path
        Where ``image.nrrd`` and ``mask.nrrd`` go; made where missing.
    random_state : int
        Give every lesion and reading a seed of its own.
    kinds : dict
        Which changes, and how large: ``contour`` (times the movement between
        readers), ``grow`` (mm), ``rotate`` (degrees; the sign by chance), ``noise``
        (times the image's own noise). Default: all four.
    label : int
        Which number in the mask is the lesion.

    Returns
    -------
    (image, mask) : paths

    Raises
    ------
    UnknownName
        A kind is none of the four.
    InputMissing, EmptyROI, GeometryMismatch
        As :meth:`Radiomics.encode` does.
    """
    import SimpleITK

    for kind, size in kinds.items():
        pick(kind, DEFAULTS, "kind of perturbation")
        if not math.isfinite(size):
            raise InvalidInput(f"{kind} is {size!r}; expected a number.")
    region = read_region(image_path, mask_path, label=label)
    rng = np.random.default_rng(random_state)
    image, mask = region.image, region.mask
    sign = 1 if rng.random() < 0.5 else -1
    if kinds.get("rotate"):
        image, mask = rotate(image, mask, sign * kinds["rotate"])
    if kinds.get("noise"):
        sd = noise_level(SimpleITK.GetArrayViewFromImage(region.image))
        image = add_noise(image, sd * kinds["noise"], random_state=rng)
    inside = SimpleITK.GetArrayFromImage(mask) != 0
    spacing = image.GetSpacing()[::-1]
    if kinds.get("grow"):
        inside = grow_mask(inside, spacing, kinds["grow"])
    for _ in range(round(kinds.get("contour", 0.0))):
        inside = perturb_mask(inside, spacing, random_state=rng)
    drawn = SimpleITK.GetImageFromArray(inside.astype(np.uint8))
    drawn.CopyInformation(image)
    place = Path(fspath(folder))
    place.mkdir(parents=True, exist_ok=True)
    written = place / "image.nrrd", place / "mask.nrrd"
    for volume, file in zip((image, drawn), written, strict=True):
        SimpleITK.WriteImage(volume, str(file), True)
    return written
