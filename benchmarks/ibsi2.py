"""The IBSI's second chapter: response maps of filters on digital phantoms.

Where a folder holds the consensus maps (``2_a-ValidCRM.nii`` and the like) these are
the reference; else the filter is computed here from the manual's formula, and the row
says so. A map agrees where no voxel differs by more than 1 % of the reference's range.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK
from scipy import ndimage

from benchmarks.ibsi1 import Row

TOLERANCE = 0.01  # of the range of the reference map

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Filter:
    """One filter of the manual that pyradiomics has, with its settings."""

    name: str
    phantom: str
    what: str
    sigma: float = 0.0  # mm
    wavelet: str = ""
    band: str = ""
    mode: str = "constant"


TESTS = (
    Filter("2_a", "impulse", "LoG 3 mm", sigma=3.0),
    Filter("2_b", "checkerboard", "LoG 5 mm", sigma=5.0, mode="reflect"),
    Filter("5_a_1", "impulse", "wavelet db2 LHL", wavelet="db2", band="LHL"),
    Filter(
        "6_a_1", "sphere", "wavelet coif1 HHL", wavelet="coif1", band="HHL", mode="wrap"
    ),
)

NOT_OFFERED = {
    "1": "mean filter",
    "2_c": "LoG slice by slice",
    "3": "Laws kernels",
    "4": "Gabor kernels",
    "5_a_2": "wavelet averaged over rotations",
    "6_a_2": "wavelet averaged over rotations",
    "7": "Haar wavelet averaged over rotations",
    "8": "Simoncelli wavelet",
    "9": "Riesz-transformed LoG",
    "10": "Riesz-transformed Simoncelli wavelet",
}


def find_phantoms(folder: Path) -> dict[str, Path]:
    """Return the image of each filter phantom below a folder, by the phantom's name."""
    found = {}
    for path in sorted(folder.rglob("*.nii*")):
        for name in {test.phantom for test in TESTS}:
            if path.name.split(".")[0].lower() == name and "mask" not in path.parts:
                found.setdefault(name, path)
    return found


def find_maps(folder: Path) -> dict[str, Path]:
    """Return the consensus response maps below a folder, by test."""
    found = {}
    for path in sorted(folder.rglob("*.nii*")):
        stem = path.name.split(".")[0]
        match = re.match(r"(\d+)_?([a-zA-Z])(?:_?(\d+))?(?:$|[-_ ])", stem)
        if match:
            parts = [match[1], match[2].lower(), *([match[3]] if match[3] else [])]
            found.setdefault("_".join(parts), path)
    return found


def compare(folder: Path) -> list[Row]:
    """Hold pyradiomics' filters against the maps, or against the formula."""
    phantoms, maps = find_phantoms(folder), find_maps(folder)
    rows = []
    for test in TESTS:
        if test.phantom not in phantoms:
            continue
        image = SimpleITK.ReadImage(str(phantoms[test.phantom]), SimpleITK.sitkFloat64)
        where = "consensus map" if test.name in maps else "manual's formula"
        if test.name in maps:
            reference = _voxels(SimpleITK.ReadImage(str(maps[test.name])))
        else:
            reference = formula(test, image)
        rows.append(_judge(test, image, reference, where))
    if rows:
        rows += [
            Row("filters", f"{name} {what}", None, None, np.nan, 0.0, "not offered")
            for name, what in NOT_OFFERED.items()
        ]
    return rows


def formula(test: Filter, image: Any) -> Array:
    """Return the response map that the reference manual's formulas give."""
    voxels = _voxels(image)
    if test.sigma:
        return laplacian(voxels, test.sigma / image.GetSpacing()[0], test.mode)
    import pywt

    wavelet = pywt.Wavelet(test.wavelet)
    filters = {"L": np.array(wavelet.dec_lo), "H": np.array(wavelet.dec_hi)}
    for letter, axis in zip(test.band, (2, 1, 0), strict=True):  # x, y, z
        voxels = ndimage.convolve1d(voxels, filters[letter], axis, mode=test.mode)
    return voxels


def laplacian(voxels: Array, sigma: float, mode: str) -> Array:
    """Return the Laplacian of a Gaussian, `sigma` in voxels, cut off at 4 sigma.

    The manual's kernel is a sum over the axes of the second derivative along one and
    the bell along the other two, so that it is done axis by axis.

    >>> ball = np.zeros((9, 9, 9))
    >>> ball[4, 4, 4] = 1
    >>> bool(laplacian(ball, 1.0, "constant")[4, 4, 4] < 0)
    True
    """
    reach = int(np.floor(4 * sigma + 0.5))
    x = np.arange(-reach, reach + 1.0)
    bell = np.exp(-(x**2) / (2 * sigma**2)) / (np.sqrt(2 * np.pi) * sigma)
    curved = (x**2 / sigma**4 - 1 / sigma**2) * bell
    out = np.zeros_like(voxels)
    for curved_axis in range(3):
        part = voxels
        for axis in range(3):
            weights = curved if axis == curved_axis else bell
            part = ndimage.convolve1d(part, weights, axis, mode=mode, cval=0.0)
        out += part
    return out


def response(test: Filter, image: Any) -> Iterator[tuple[str, Array]]:
    """Give pyradiomics' filtered image as it is, then each known way it differs."""
    from radiomics.imageoperations import getLoGImage, getWaveletImage

    if test.sigma:
        filtered, *_ = next(getLoGImage(image, None, sigma=[test.sigma]))
        ours = _voxels(filtered)
        yield "", ours
        scale = (image.GetSpacing()[0] / test.sigma) ** 2
        yield "pyradiomics multiplies by sigma² (scale normalisation)", ours * scale
        return
    bands = {
        name.split("-")[-1]: _voxels(filtered)
        for filtered, name, _ in getWaveletImage(image, None, wavelet=test.wavelet)
    }
    yield "", bands[test.band]
    yield "pyradiomics names bands z, y, x", bands[test.band[::-1]]


def _judge(test: Filter, image: Any, reference: Array, where: str) -> Row:
    span = float(reference.max() - reference.min()) or 1.0
    best: tuple[float, str, str] | None = None
    for named, ours in response(test, image):
        for reason, map_, window in _variants(test, image, ours, reference):
            off = float(np.abs(map_ - reference)[window].max()) / span
            said = "; ".join(filter(None, [named, reason]))
            verdict = "by design" if said else "agree"
            if best is None or off < best[0]:
                best = (off, verdict, said)
            if off <= TOLERANCE:
                return _row(test, off, verdict, said, where)
    recursive = _recursive(test, image, span, reference)
    if recursive is not None:
        return _row(test, recursive, "by design", RECURSIVE, where)
    assert best is not None
    closest = f"closest where {best[2]}" if best[2] else ""
    return _row(test, best[0], "wrong", closest, where)


RECURSIVE = (
    "pyradiomics multiplies by sigma²; ITK's recursive filter, whose map this is bit "
    "for bit, comes within 2 % of the Gaussian, not 1 %"
)


def _recursive(test: Filter, image: Any, span: float, reference: Array) -> float | None:
    """Return how far ITK's own filter is off, where that is what pyradiomics gives."""
    if not test.sigma:
        return None
    theirs = SimpleITK.LaplacianRecursiveGaussian(image, test.sigma, True)
    plain, scaled = (map_ for _, map_ in response(test, image))
    off = float(np.abs(scaled - reference).max()) / span
    same = np.array_equal(_voxels(theirs), plain)
    return off if same and off <= 2 * TOLERANCE else None


def _variants(
    test: Filter, image: Any, ours: Array, reference: Array
) -> Iterator[tuple[str, Array, tuple[slice, ...]]]:
    """Give a response map, also moved by whole voxels, also without the borders."""
    everywhere = (slice(None),) * 3
    yield "", ours, everywhere
    shift = _shift(ours, reference)
    moved = np.roll(ours, shift, axis=(0, 1, 2))
    said = ""
    if any(shift):
        said = f"shifted by {shift[::-1]} voxels (x, y, z)"
        yield said, moved, everywhere
    edge = round(4 * test.sigma / image.GetSpacing()[0]) if test.sigma else 8
    inner = (slice(edge, -edge),) * 3
    border = "pyradiomics continues the image at its borders another way"
    yield "; ".join(filter(None, [said, border])), moved, inner


def _shift(ours: Array, reference: Array) -> tuple[int, ...]:
    """Return by how many voxels ours has to move to lie on the reference."""
    product = np.fft.fftn(reference) * np.conj(np.fft.fftn(ours))
    peak = np.unravel_index(np.argmax(np.fft.ifftn(product).real), ours.shape)
    return tuple(
        int(p) if p <= n // 2 else int(p) - n
        for p, n in zip(peak, ours.shape, strict=True)
    )


def _row(test: Filter, off: float, verdict: str, said: str, where: str) -> Row:
    reason = "; ".join(filter(None, [said, f"reference: {where}"]))
    name = f"{test.name} {test.what} on {test.phantom}"
    return Row("filters", name, test.what, off, 0.0, TOLERANCE, verdict, reason)


def _voxels(image: Any) -> Array:
    return SimpleITK.GetArrayFromImage(image).astype(float)
