"""Magnetic-resonance phantoms of a limb with a sarcoma.

One lesion is drawn from its tissue (heterogeneity, necrosis, rim) into voxels, as two
sequences and as seen by a scanner:

- ``t1``: T1-weighted with contrast agent. Viable tumour enhances, unevenly where it
  is heterogeneous; necrosis stays dark; the rim is bright.
- ``t2``: T2-weighted, fat-suppressed. Tumour is bright, necrosis brighter, the rim a
  dark capsule, with oedema around it.

Lengths inside the lesion scale with the lesion, and so does the field of view, as
when a technologist fits it to the tumour.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import fft

from sarcfeat._validation import missing_dependency

__all__ = ["SEQUENCES", "Lesion", "Phantom", "Scanner", "render", "write_volume"]

Field = npt.NDArray[np.floating[Any]]

SEQUENCES = ("t1", "t2")
SHAPE = (24, 48, 48)  # z, y, x
SLICE_RATIO = 2.0  # slice thickness over pixel size
# Signal of fat, muscle, cortical bone, marrow, viable tumour, necrosis; muscle = 1.
SIGNAL = {
    "t1": {
        "fat": 2.2,
        "muscle": 1.0,
        "cortex": 0.15,
        "marrow": 1.9,
        "tumour": 1.7,
        "necrosis": 0.75,
        "rim": 1.4,
        "oedema": 0.05,
    },
    "t2": {
        "fat": 0.55,
        "muscle": 1.0,
        "cortex": 0.15,
        "marrow": 0.6,
        "tumour": 2.6,
        "necrosis": 4.0,
        "rim": -1.1,
        "oedema": 0.5,
    },
}


@dataclass(frozen=True)
class Lesion:
    """What there is to see: size in mm, and the tissue it is made of."""

    size_mm: float
    heterogeneity: float
    necrosis: float
    rim: float


@dataclass(frozen=True)
class Scanner:
    """What a hospital's scanner does to the signal.

    Parameters
    ----------
    gain : float
        Counts for a signal of 1 (muscle).
    offset : float
        Counts added everywhere.
    bias : float
        Half the range of the slow shading across the field, as a fraction.
    contrast : float
        Exponent of the signal, muscle staying at 1: other repetition and echo times
        make tissues differ more (above 1) or less.
    noise : float
        Standard deviation of the noise, in units of the muscle signal.
    blur : float
        Standard deviation of the point spread, in voxels.
    """

    gain: float
    offset: float
    bias: float
    contrast: float
    noise: float
    blur: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Scanner:
        """Draw the scanner of one hospital."""
        return cls(
            gain=float(np.exp(rng.uniform(np.log(180), np.log(900)))),
            offset=float(rng.uniform(0, 60)),
            bias=float(rng.uniform(0.05, 0.25)),
            contrast=float(rng.uniform(0.80, 1.25)),
            noise=float(rng.uniform(0.04, 0.15)),
            blur=float(rng.uniform(0.35, 0.90)),
        )


@dataclass(frozen=True)
class Phantom:
    """One patient's voxels: images by sequence, masks by (reader, sequence)."""

    spacing: tuple[float, float, float]
    images: dict[str, npt.NDArray[np.int16]]
    masks: dict[tuple[str, str], npt.NDArray[np.uint8]]
    volume_ml: float


def render(
    lesion: Lesion, scanner: Scanner, readers: int, rng: np.random.Generator
) -> Phantom:
    """Draw one patient: anatomy, lesion, two sequences, one contour a reader each.

    Parameters
    ----------
    lesion : Lesion
    scanner : Scanner
    readers : int
        Readers are called A, B, C, …; each draws both sequences.
    rng : Generator
        Of this patient alone.
    """
    pixel = _pixel_mm(lesion.size_mm)
    spacing = (pixel, pixel, SLICE_RATIO * pixel)
    z, y, x = _grid(spacing)
    depth = _depth(lesion, (z, y, x), rng)
    inside = depth < 1
    maps = _tissue(lesion, depth, inside, rng)
    anatomy = _anatomy((z, y, x), rng)
    images = {
        sequence: _acquire(_signal(SIGNAL[sequence], anatomy, maps, rng), scanner, rng)
        for sequence in SEQUENCES
    }
    masks = {
        (reader, sequence): mask
        for reader, sequence, mask in _contours(lesion, depth, readers, rng)
    }
    voxel_ml = float(np.prod(spacing)) / 1000
    return Phantom(spacing, images, masks, round(float(inside.sum()) * voxel_ml, 3))


def write_volume(
    array: npt.NDArray[Any], spacing: tuple[float, ...], path: Path
) -> None:
    """Write an array (z, y, x) as NIfTI; same array, same bytes."""
    try:
        import SimpleITK
    except ImportError as error:
        raise missing_dependency("SimpleITK", "radiomics") from error
    image: Any = SimpleITK.GetImageFromArray(array)
    image.SetSpacing(spacing)
    path.parent.mkdir(parents=True, exist_ok=True)
    SimpleITK.WriteImage(image, str(path), useCompression=True)


def _pixel_mm(size_mm: float) -> float:
    """Fit the field of view to the lesion: 1.75 times its size, at least 120 mm."""
    field_of_view = np.clip(10 * np.ceil(0.175 * size_mm), 120, 480)
    return float(np.round(field_of_view / SHAPE[2], 3))


def _grid(spacing: tuple[float, float, float]) -> tuple[Field, Field, Field]:
    """Return the coordinates z, y, x in mm from the centre, ready to broadcast."""
    axes = [
        ((np.arange(count) - (count - 1) / 2) * step).astype(np.float32)
        for count, step in zip(SHAPE, spacing[::-1], strict=True)
    ]
    return axes[0][:, None, None], axes[1][None, :, None], axes[2][None, None, :]


def smooth_noise(
    rng: np.random.Generator, sigma: tuple[float, float, float] | float
) -> Field:
    """Return a smooth random field of mean 0 and standard deviation 1.

    White noise under a Gaussian of `sigma` voxels (z, y, x), by Fourier transform;
    the field is periodic, which a crop never shows.
    """
    sigmas = (sigma,) * 3 if isinstance(sigma, float) else sigma
    spectrum = fft.rfftn(rng.standard_normal(SHAPE, dtype=np.float32))
    for axis, (count, width) in enumerate(zip(SHAPE, sigmas, strict=True)):
        frequency = fft.rfftfreq(count) if axis == 2 else fft.fftfreq(count)
        transfer = np.exp(-2 * (np.pi * width * frequency) ** 2).astype(np.float32)
        spectrum *= transfer.reshape([-1 if a == axis else 1 for a in range(3)])
    spectrum[0, 0, 0] = 0
    field = fft.irfftn(spectrum, s=SHAPE)
    return field / np.sqrt(np.mean(field**2))


def _scaled(width: float) -> tuple[float, float, float]:
    """Return one width in mm as voxels z, y, x: slices are thicker."""
    return (width / SLICE_RATIO, width, width)


def _depth(
    lesion: Lesion, grid: tuple[Field, Field, Field], rng: np.random.Generator
) -> Field:
    """Return how far out each voxel lies: 0 at the lesion's centre, 1 at its edge."""
    z, y, x = grid
    pixel = float(x[0, 0, 1] - x[0, 0, 0])
    radius = lesion.size_mm / 2
    slice_axis, minor = rng.uniform(0.70, 0.95), rng.uniform(0.60, 0.90)
    angle = rng.uniform(0, np.pi)
    centre = [SHAPE[2] * pixel * rng.uniform(-0.06, 0.06) for _ in range(3)]
    y, x, z = y - centre[1], x - centre[2], z - centre[0]
    along = math.cos(angle) * x + math.sin(angle) * y
    across = math.cos(angle) * y - math.sin(angle) * x
    depth = np.sqrt(
        (along / radius) ** 2
        + (across / (radius * minor)) ** 2
        + (z / (radius * slice_axis)) ** 2
    )
    lobes = smooth_noise(rng, _scaled(max(0.45 * radius / pixel, 2.0)))
    return depth * (1 + 0.09 * lobes)


@dataclass(frozen=True)
class _Maps:
    """Where the parts of a lesion lie: each from 0 to 1, and the texture."""

    tumour: Field
    necrosis: Field
    rim: Field
    oedema: Field
    texture: Field


def _tissue(
    lesion: Lesion,
    depth: Field,
    inside: npt.NDArray[np.bool_],
    rng: np.random.Generator,
) -> _Maps:
    """Lay out necrosis, rim, oedema and texture around a lesion."""
    width = max(0.30 * int(inside.sum()) ** (1 / 3) / 2, 1.2)
    ragged = depth + 0.30 * smooth_noise(rng, _scaled(width))
    # The fraction of necrosis is exact: the innermost voxels by a ragged depth.
    cut = np.quantile(ragged[inside], lesion.necrosis) if inside.any() else 0.0
    necrosis = _step(cut - ragged, 0.05) * inside
    tumour = _step(1 - depth, 0.04)
    shell = np.exp(-0.5 * ((depth - 0.90) / 0.085) ** 2)
    halo = np.exp(-(((depth - 1.0) / 0.35) ** 2)) * (1 - tumour)
    # Uneven tumour: strength and grain both grow with heterogeneity.
    grain = (0.09 + 0.13 * lesion.heterogeneity) * int(inside.sum()) ** (1 / 3)
    texture = smooth_noise(rng, _scaled(max(grain, 0.8)))
    strength = 0.08 + 0.52 * lesion.heterogeneity
    return _Maps(tumour, necrosis, lesion.rim * shell, halo, strength * texture)


def _step(field: Field, width: float) -> Field:
    """Return 0 below zero and 1 above it, with a soft edge of some `width`."""
    return 1 / (1 + np.exp(-np.clip(field / width, -40, 40)))


def _anatomy(
    grid: tuple[Field, Field, Field], rng: np.random.Generator
) -> dict[str, Field]:
    """Lay out a limb: skin and fat around muscle, a bone off centre, air outside."""
    z, y, x = grid
    half = float(x.max())
    bend = 0.04 * half * np.sin(2 * np.pi * (z / (4 * half) + rng.random()))
    limb = np.sqrt(((x - bend) / (0.97 * half)) ** 2 + (y / (0.90 * half)) ** 2)
    fat = rng.uniform(0.80, 0.90)
    side = rng.uniform(0, 2 * np.pi)
    bone_x, bone_y = 0.62 * half * math.cos(side), 0.55 * half * math.sin(side)
    bone = np.hypot(x - bend - bone_x, y - bone_y) / (0.13 * half)
    return {
        "body": _step(1 - limb, 0.02),
        "fat": _step(limb - fat, 0.02),
        "bone": _step(1 - bone, 0.08),
        "marrow": _step(0.62 - bone, 0.08),
        "fibres": smooth_noise(rng, (4.0, 1.2, 1.2)),
    }


def _signal(
    level: dict[str, float],
    anatomy: dict[str, Field],
    maps: _Maps,
    rng: np.random.Generator,
) -> Field:
    """Mix the signals of the tissues of one sequence."""
    muscle = level["muscle"] * (1 + 0.06 * anatomy["fibres"])
    normal = _blend(muscle, level["fat"], anatomy["fat"])
    normal = normal + level["oedema"] * maps.oedema * (1 - anatomy["fat"])
    normal = _blend(normal, level["cortex"], anatomy["bone"])
    normal = _blend(normal, level["marrow"], anatomy["marrow"])
    normal = normal * anatomy["body"]
    # The mean signal of a tumour varies between patients and means nothing here.
    viable = level["tumour"] * math.exp(0.08 * rng.standard_normal())
    tumour = viable * np.exp(0.62 * maps.texture) + level["rim"] * maps.rim
    tumour = _blend(tumour, level["necrosis"], maps.necrosis)
    return _blend(normal, tumour, maps.tumour)


def _blend(under: Field | float, over: Field | float, share: Field) -> Field:
    return under * (1 - share) + over * share


def _acquire(
    signal: Field, scanner: Scanner, rng: np.random.Generator
) -> npt.NDArray[np.int16]:
    """Blur, shade, add Rician noise, scale to counts."""
    from scipy.ndimage import gaussian_filter

    z, y, x = (np.linspace(-1, 1, n, dtype=np.float32) for n in SHAPE)
    slope = rng.uniform(-1, 1, size=4).astype(np.float32)
    slope /= np.abs(slope).sum()
    shading = (
        slope[0] * z[:, None, None]
        + slope[1] * y[None, :, None]
        + slope[2] * x[None, None, :]
        + slope[3] * (x[None, None, :] ** 2 + y[None, :, None] ** 2 - 1)
    )
    blurred = gaussian_filter(
        np.maximum(signal, 0) ** scanner.contrast,
        (scanner.blur / SLICE_RATIO, scanner.blur, scanner.blur),
    )
    clean = blurred * (1 + scanner.bias * shading)
    noise = scanner.noise * rng.standard_normal((2, *SHAPE), dtype=np.float32)
    seen = np.hypot(clean + noise[0], noise[1])
    gain = scanner.gain * math.exp(0.08 * rng.standard_normal())
    counts = np.rint(gain * seen + scanner.offset)
    return np.clip(counts, 0, 32767).astype(np.int16)


def _contours(
    lesion: Lesion, depth: Field, readers: int, rng: np.random.Generator
) -> Iterator[tuple[str, str, npt.NDArray[np.uint8]]]:
    """Let each reader draw each sequence, with a smooth error.

    Its standard deviation is 1.3 mm for a lesion of 30 mm and 2.6 mm for one of
    100 mm. Reader A draws on the edge on average; the others outside or inside it.
    """
    radius = lesion.size_mm / 2
    error_mm = 0.8 + 0.018 * lesion.size_mm
    for number in range(readers):
        habit_mm = 0.0 if number == 0 else 0.8 * (-1) ** number * error_mm
        for sequence in SEQUENCES:
            wobble = smooth_noise(rng, _scaled(2.5))
            moved = (error_mm * wobble - habit_mm) / radius
            mask = depth + moved < 1
            mask &= depth < 1.5  # no islands far from the lesion
            yield chr(ord("A") + number), sequence, mask.astype(np.uint8)
