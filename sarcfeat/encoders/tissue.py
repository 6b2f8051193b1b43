"""Where a slide has tissue: on a small picture of it, before any tile is read."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter

from sarcfeat.exceptions import InvalidInput

__all__ = ["Tissue", "TissueRule", "otsu"]

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

_STRIP = 1024  # rows of an overview that are looked at together
_GREEN = (75.0, 190.0, 0.2)  # hues in degrees, least saturation
_BLUE = (190.0, 245.0, 0.6)


@dataclass(frozen=True)
class TissueRule:
    """What counts as tissue, and which tiles are left out whatever they hold.

    Parameters
    ----------
    least, most : float
        Otsu's threshold of the saturation (0…1) is kept between the two. Without the
        floor an empty slide would be cut in its noise; without the ceiling a slide
        full of tissue would lose its pale half.
    dark : float
        Brightness (0…1) under which a pixel is no tissue: padding, shadow, black ink.
    pen : float
        Share of green or blue ink from which a tile is left out. Red ink is not told
        from blood, nor yellow from saffron.
    blur : float
        Variance of the Laplacian of the green values (0…255) under which a tile is out
        of focus. 0 keeps them all.
    background : float
        Share of tissue among a tile's own pixels under which it is background,
        whatever the small picture said.

    Examples
    --------
    >>> TissueRule(blur=20.0).to_dict()["blur"]
    20.0
    """

    least: float = 0.05
    most: float = 0.15
    dark: float = 0.1
    pen: float = 0.1
    blur: float = 4.0
    background: float = 0.02

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            top = float("inf") if name == "blur" else 1.0
            if not isinstance(value, int | float) or not 0 <= value <= top:
                raise InvalidInput(
                    f"{name} is {value!r}; expected a number from 0"
                    f"{'' if name == 'blur' else ' to 1'}."
                )
        if self.least > self.most:
            raise InvalidInput(
                f"least is {self.least!r} and most {self.most!r}; expected least ≤ "
                "most: Otsu's threshold is kept between them."
            )

    def to_dict(self) -> dict[str, float]:
        """Return plain numbers; part of an encoder's fingerprint."""
        return {name: float(value) for name, value in asdict(self).items()}


@dataclass(frozen=True, eq=False)
class Tissue:
    """Tissue and ink of a slide, pixel by pixel of a small picture of it.

    Parameters
    ----------
    mask, ink : ndarray of bool, shape (height, width)
        What is tissue and what is pen; a pixel is never both.
    threshold : float
        Saturation from which a pixel is tissue.
    downsample : float
        Pixels of level 0 along one pixel of the picture.
    """

    mask: npt.NDArray[np.bool_]
    ink: npt.NDArray[np.bool_]
    threshold: float
    downsample: float = 1.0

    @classmethod
    def find(
        cls, picture: Pixels, *, rule: TissueRule | None = None, downsample: float = 1.0
    ) -> Tissue:
        """Tell tissue from glass by its saturation, with Otsu's threshold.

        Parameters
        ----------
        picture : ndarray of uint8, shape (height, width, 3)
            The whole slide, at some 4 to 8 µm a pixel.
        rule : TissueRule, optional
        downsample : float
            Pixels of level 0 along one pixel of the picture.

        Returns
        -------
        Tissue

        References
        ----------
        Otsu N. A threshold selection method from gray-level histograms. IEEE Trans Syst
        Man Cybern 1979;9:62-66.

        Examples
        --------
        >>> slide = np.full((40, 40, 3), 243, np.uint8)
        >>> slide[:, 20:] = (180, 90, 150)
        >>> tissue = Tissue.find(slide)
        >>> tissue.share(np.array([[0, 0], [24, 8]]), 10.0)
        array([0., 1.])
        """
        rule = TissueRule() if rule is None else rule
        _check_picture(picture)
        saturation = np.empty(picture.shape[:2], np.uint8)
        dark = np.empty(picture.shape[:2], np.bool_)
        ink = np.empty(picture.shape[:2], np.bool_)
        for start in range(0, len(picture), _STRIP):
            rows = slice(start, start + _STRIP)
            saturation[rows], dark[rows], ink[rows] = _seen(picture[rows], rule)
        smooth = uniform_filter(saturation, 3) if saturation.size else saturation
        level = otsu(np.bincount(smooth.ravel(), minlength=256)) / 255
        threshold = float(np.clip(level, rule.least, rule.most))
        mask = (smooth >= threshold * 255) & ~dark & ~ink
        return cls(mask, ink, threshold, float(downsample))

    def share(self, coords: npt.NDArray[Any], side: float) -> Floats:
        """Return the share of tissue of squares, exact to the pixel's fraction.

        Parameters
        ----------
        coords : array of shape (n, 2)
            x and y of the upper left corners, in pixels of level 0.
        side : float
            Their side, in pixels of level 0.
        """
        return _share(self.mask, coords, side, self.downsample)

    def ink_share(self, coords: npt.NDArray[Any], side: float) -> Floats:
        """Return the share of green and blue ink of squares."""
        return _share(self.ink, coords, side, self.downsample)


def otsu(histogram: npt.NDArray[Any]) -> int:
    """Return the bin that parts a histogram best in two: the first of the upper part.

    Parameters
    ----------
    histogram : array of counts

    Returns
    -------
    int
        0 where there is one value only.

    Examples
    --------
    >>> otsu(np.array([10, 12, 0, 0, 9, 8]))
    2
    """
    counts = np.asarray(histogram, np.float64)
    below = np.cumsum(counts)
    weighted = np.cumsum(counts * np.arange(len(counts)))
    total, whole = (below[-1], weighted[-1]) if len(counts) else (0.0, 0.0)
    above = total - below
    parted = (below > 0) & (above > 0)
    if not parted.any():
        return 0
    lower = np.divide(weighted, below, out=np.zeros_like(below), where=parted)
    upper = np.divide(whole - weighted, above, out=np.zeros_like(below), where=parted)
    between = np.where(parted, below * above * (upper - lower) ** 2, -1.0)
    return int(np.argmax(between)) + 1


def saturation_of(picture: Pixels) -> tuple[npt.NDArray[np.float32], Pixels]:
    """Return the saturation (0…1) and the brightest of the three colours."""
    # Colour by colour: a reduction over an axis of three is several times slower.
    r, g, b = (picture[..., k] for k in range(3))
    top = np.maximum(np.maximum(r, g), b)
    spread = (top - np.minimum(np.minimum(r, g), b)).astype(np.float32)
    return spread / np.maximum(top, 1), top


def _seen(picture: Pixels, rule: TissueRule) -> tuple[Pixels, Any, Any]:
    saturation, top = saturation_of(picture)
    dark = top < rule.dark * 255
    ink = np.zeros(dark.shape, np.bool_)
    for low, high, least in (_GREEN, _BLUE):
        suspect = (saturation >= least) & ~dark
        hues = _hue(picture[suspect])
        ink[suspect] |= (hues >= low) & (hues < high)
    return np.rint(saturation * 255).astype(np.uint8), dark, ink


def _hue(colours: npt.NDArray[np.uint8]) -> Floats:
    """Return the hue in degrees of coloured pixels, shape (n, 3)."""
    values = colours.astype(np.float64)
    r, g, b = values.T
    top = values.max(axis=1)
    spread = np.maximum(top - values.min(axis=1), 1e-9)
    sector = np.select(
        [top == r, top == g], [(g - b) / spread % 6, (b - r) / spread + 2]
    )
    return 60 * np.where(
        (top == b) & (top != r) & (top != g), (r - g) / spread + 4, sector
    )


def _share(
    mask: npt.NDArray[np.bool_], coords: npt.NDArray[Any], side: float, scale: float
) -> Floats:
    """Integrate a mask over squares by its summed-area table."""
    if not mask.any():
        return np.zeros(len(coords))
    table = np.zeros((mask.shape[0] + 1, mask.shape[1] + 1), np.int32)
    np.cumsum(mask, axis=0, out=table[1:, 1:])
    np.cumsum(table[1:, 1:], axis=1, out=table[1:, 1:])
    start = np.asarray(coords, np.float64).reshape(-1, 2) / scale
    stop = start + side / scale
    area = (
        _at(table, stop[:, 1], stop[:, 0])
        - _at(table, start[:, 1], stop[:, 0])
        - _at(table, stop[:, 1], start[:, 0])
        + _at(table, start[:, 1], start[:, 0])
    )
    # Six decimals: what is said to be 10 % is not 9.9999999 % for its last bit.
    return np.clip(np.round(area * (scale / side) ** 2, 6), 0.0, 1.0)


def _at(table: npt.NDArray[np.int32], y: Floats, x: Floats) -> Floats:
    """Read a summed-area table between its corners; beyond the edge it is flat."""
    y, x = (np.clip(v, 0, n - 1) for v, n in zip((y, x), table.shape, strict=True))
    i, j = (
        np.minimum(v.astype(np.int64), max(n - 2, 0))
        for v, n in zip((y, x), table.shape, strict=True)
    )
    k, m = np.minimum(i + 1, table.shape[0] - 1), np.minimum(j + 1, table.shape[1] - 1)
    v, u = y - i, x - j
    upper = table[i, j] * (1 - u) + table[i, m] * u
    lower = table[k, j] * (1 - u) + table[k, m] * u
    return upper * (1 - v) + lower * v


def _check_picture(picture: Any) -> None:
    array = np.asarray(picture)
    if array.ndim != 3 or array.shape[2] != 3 or array.dtype != np.uint8:
        raise InvalidInput(
            f"a picture of shape {array.shape} and type {array.dtype}; expected uint8 "
            "of shape (height, width, 3): red, green and blue."
        )
