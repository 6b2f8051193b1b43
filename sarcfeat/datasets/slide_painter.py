"""From the plan of a slide to pixels: haematoxylin, eosin, a scanner, a pyramid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from sarcfeat._validation import missing_dependency
from sarcfeat.datasets.slide_plan import SlidePlan, draw_cells
from sarcfeat.io.slide_offset import OFFSET_TAGS

__all__ = ["SlideScanner", "paint", "write_slide"]

Array = npt.NDArray[Any]
Pixels = npt.NDArray[np.uint8]

# Ruifrok & Johnston (2001): optical density of the two stains in red, green, blue.
HAEMATOXYLIN = np.array([0.65, 0.70, 0.29])
EOSIN = np.array([0.07, 0.99, 0.11])
MARGIN = 32  # painted around a window, so that blur has no seams
BLOCK = 2048
TILE = 256
SMALLEST = 256  # a level whose longer side is shorter is not written
FACTOR = 4  # between levels
GRAIN = 512  # pixels after which the noise repeats
TEXTURE = 256  # pixels of the repeating pattern of fibres, each four of the slide


@dataclass(frozen=True, eq=False)
class SlideScanner:
    """How a hospital stains and scans.

    Parameters
    ----------
    haematoxylin, eosin : ndarray of shape (3,)
        Optical density of the stains in red, green and blue at full strength.
    white : ndarray of shape (3,)
        What glass comes out as, 0–255.
    blur : float
        Standard deviation of the point spread, micrometres.
    noise : float
        Standard deviation of the noise, grey levels.
    quality : int
        Of the JPEG tiles.
    """

    haematoxylin: Array
    eosin: Array
    white: Array
    blur: float
    noise: float
    quality: int

    @classmethod
    def draw(cls, rng: np.random.Generator) -> SlideScanner:
        """Draw the laboratory and scanner of one hospital."""

        def stain(base: Array, low: float, high: float) -> Array:
            tilted = np.clip(base + rng.normal(0, 0.04, 3), 0.02, 1.2)
            return tilted * rng.uniform(low, high)

        return cls(
            haematoxylin=stain(HAEMATOXYLIN, 1.35, 1.75),
            eosin=stain(EOSIN, 0.65, 0.95),
            white=rng.uniform(238, 250) + rng.uniform(-3, 3, 3),
            blur=float(rng.uniform(0.20, 0.35)),
            noise=float(rng.uniform(1.0, 3.0)),
            quality=int(rng.integers(80, 91)),
        )


def paint(
    plan: SlidePlan,
    scanner: SlideScanner,
    left: int,
    top: int,
    width: int,
    height: int,
) -> Pixels:
    """Paint a window of level 0.

    Parameters
    ----------
    plan : SlidePlan
    scanner : SlideScanner
    left, top, width, height : int
        The window in pixels of level 0.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
    """
    x, y = left - MARGIN, top - MARGIN
    wide, tall = width + 2 * MARGIN, height + 2 * MARGIN
    tissue = _filled(plan.tissue, x, y, wide, tall)
    solid = _filled(plan.tumour, x, y, wide, tall)
    fibres = _fibres(plan, x, y, wide, tall)
    nuclei = Image.new("L", (wide, tall), 0)
    draw = ImageDraw.Draw(nuclei)
    cells = draw_cells(plan, x, y, wide, tall)
    numbers = 2 * cells.outlines.shape[1]
    outlines = (cells.outlines - [x, y]).reshape(-1, numbers).tolist()
    for outline, dark in zip(outlines, (250 * cells.darkness).tolist(), strict=True):
        draw.polygon(outline, fill=int(dark))
    soft = ImageFilter.GaussianBlur(scanner.blur / plan.mpp)
    seen = np.asarray(tissue.filter(soft), np.float32) / 255
    body = np.asarray(solid.filter(ImageFilter.GaussianBlur(6)), np.float32) / 255
    dark = np.asarray(nuclei.filter(soft), np.float32) / 255
    # Tumour has less collagen and a cytoplasm that takes some haematoxylin.
    eosin = seen * (0.34 + (0.42 - 0.24 * body) * fibres) * (1 - 0.6 * dark)
    haematoxylin = seen * (dark + 0.05 + 0.07 * body * fibres)
    inner = slice(MARGIN, -MARGIN)
    return _through(
        scanner, plan, haematoxylin[inner, inner], eosin[inner, inner], left, top
    )


def _filled(geometry: Any, x: int, y: int, wide: int, tall: int) -> Image.Image:
    image = Image.new("L", (wide, tall), 0)
    draw = ImageDraw.Draw(image)
    for polygon in getattr(geometry, "geoms", [geometry]):
        for number, ring in enumerate([polygon.exterior, *polygon.interiors]):
            points = (np.asarray(ring.coords) - [x, y]).reshape(-1).tolist()
            draw.polygon(points, fill=0 if number else 255)
    return image


def _fibres(plan: SlidePlan, x: int, y: int, wide: int, tall: int) -> Array:
    """Return streaks between 0 and 1 that run in the direction of the slide."""
    rng = np.random.default_rng([*plan.seed, 2])
    rough = rng.uniform(0, 255, (TEXTURE, TEXTURE // 8)).astype(np.uint8)
    streaks = Image.fromarray(rough).resize(
        (TEXTURE, TEXTURE), Image.Resampling.BICUBIC
    )
    streaks = streaks.filter(ImageFilter.GaussianBlur(1))
    pattern = np.asarray(streaks)
    # Repeated with mirror images, the pattern has no edges.
    pattern = np.block(
        [[pattern, pattern[:, ::-1]], [pattern[::-1], pattern[::-1, ::-1]]]
    )
    period = len(pattern)
    rows = np.arange(y // 4, (y + tall) // 4 + 2) % period
    columns = np.arange(x // 4, (x + wide) // 4 + 2) % period
    # Waves bend them a little.
    bent = (rows[:, None] + (6 * np.sin(columns / 40.0)).astype(np.int64)) % period
    small = Image.fromarray(pattern[bent, columns[None, :]])
    large = small.resize((4 * len(columns), 4 * len(rows)), Image.Resampling.BILINEAR)
    inside = np.asarray(large)[y % 4 : y % 4 + tall, x % 4 : x % 4 + wide]
    return np.clip((inside.astype(np.float32) - 60) / 140, 0, 1)


def _through(
    scanner: SlideScanner,
    plan: SlidePlan,
    haematoxylin: Array,
    eosin: Array,
    left: int,
    top: int,
) -> Pixels:
    """Let light through the stains into the camera."""
    height, width = haematoxylin.shape
    rng = np.random.default_rng([*plan.seed, 3])
    grain = rng.normal(0, scanner.noise, (GRAIN, GRAIN)).astype(np.float32)
    rows = (top + np.arange(height)) % GRAIN
    columns = (left + np.arange(width)) % GRAIN
    grain = grain[rows][:, columns]
    strengths = np.linspace(0, 1.25, 256)
    deep = [
        np.minimum(stain * (255 / 1.25), 255).astype(np.uint8)
        for stain in (haematoxylin, eosin)
    ]
    out = np.empty((height, width, 3), np.uint8)
    for channel in range(3):
        tables = [
            np.exp(-vector[channel] * strengths).astype(np.float32)
            for vector in (scanner.haematoxylin, scanner.eosin)
        ]
        light = (
            tables[0][deep[0]] * tables[1][deep[1]] * np.float32(scanner.white[channel])
        )
        out[..., channel] = np.clip(light + grain, 0, 255)
    return out


def write_slide(
    plan: SlidePlan,
    scanner: SlideScanner,
    path: Path,
    *,
    magnification: float,
    offset: tuple[int, int],
) -> None:
    """Write a slide as a pyramidal TIFF with JPEG tiles that OpenSlide opens.

    Parameters
    ----------
    plan : SlidePlan
    scanner : SlideScanner
    path : Path
    magnification : float
        Of the objective. Magnification and resolution are told the way Aperio's files
        do, since plain TIFF has no word for the former.
    offset : tuple of int
        Centre of the scan from the centre of the glass in nanometres (x, y), as
        Hamamatsu's files tell.
    """
    try:
        import tifffile
    except ImportError as error:
        raise missing_dependency("tifffile", "wsi") from error
    path.parent.mkdir(parents=True, exist_ok=True)
    side = plan.side
    small = np.empty((-(-side // FACTOR), -(-side // FACTOR), 3), np.uint8)
    told = (
        f"Aperio layout, simulated by sarcfeat\r\n{side}x{side} ({TILE}x{TILE}) "
        f"JPEG/RGB Q={scanner.quality}|AppMag = {magnification:g}|MPP = {plan.mpp:.4f}"
    )
    shared: dict[str, Any] = {
        "tile": (TILE, TILE),
        "photometric": "rgb",
        "compression": "jpeg",
        "compressionargs": {"level": scanner.quality},
        "resolutionunit": "CENTIMETER",
        "metadata": None,
        "software": "sarcfeat",
        "maxworkers": 1,
    }
    tags = [
        (code, "i", 1, value, True)
        for code, value in zip(OFFSET_TAGS, offset, strict=True)
    ]
    with tifffile.TiffWriter(path, bigtiff=side > 20_000) as file:
        file.write(
            _tiles(plan, scanner, small),
            shape=(side, side, 3),
            dtype=np.uint8,
            resolution=(1e4 / plan.mpp, 1e4 / plan.mpp),
            description=told,
            extratags=tags,
            **shared,
        )
        down = FACTOR
        while len(small) >= SMALLEST:
            file.write(
                small,
                resolution=(1e4 / plan.mpp / down, 1e4 / plan.mpp / down),
                description=told,
                subfiletype=1,
                **shared,
            )
            down *= FACTOR
            small = np.asarray(Image.fromarray(small).reduce(FACTOR))


def _tiles(plan: SlidePlan, scanner: SlideScanner, small: Pixels) -> Iterator[Pixels]:
    """Yield the tiles of level 0, row by row, and fill in the next level."""
    side = plan.side
    for top in range(0, side, BLOCK):
        tall = min(BLOCK, side - top)
        strip = np.empty((tall, side, 3), np.uint8)
        for left in range(0, side, BLOCK):
            wide = min(BLOCK, side - left)
            strip[:, left : left + wide] = paint(plan, scanner, left, top, wide, tall)
        low = np.asarray(Image.fromarray(strip).reduce(FACTOR))
        small[top // FACTOR : top // FACTOR + len(low)] = low
        for row in range(0, tall, TILE):
            for column in range(0, side, TILE):
                yield _padded(strip[row : row + TILE, column : column + TILE])


def _padded(tile: Pixels) -> Pixels:
    if tile.shape[:2] == (TILE, TILE):
        return np.ascontiguousarray(tile)
    bottom, right = TILE - tile.shape[0], TILE - tile.shape[1]
    return np.pad(tile, ((0, bottom), (0, right), (0, 0)), mode="edge")
