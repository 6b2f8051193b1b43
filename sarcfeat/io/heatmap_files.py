"""Scores of tiles as files that QuPath opens: squares to import, and a picture."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from sarcfeat._validation import missing_dependency, pick
from sarcfeat.exceptions import InvalidInput
from sarcfeat.io.heat_colours import checked_tiles, heat_colours, heat_range
from sarcfeat.io.slide import Slide
from sarcfeat.io.slide_properties import check_mpp

__all__ = ["write_tiles_geojson", "write_tiles_tiff"]

Pixels = npt.NDArray[np.uint8]
KINDS = ("tile", "annotation", "detection")
# Columns that are measurements in QuPath, and what they are called there.
MEASURED = {
    "weight": "attention",
    "relative": "attention, of the mean",
    "percentile": "attention percentile",
}
PER_TILE = 8  # pixels along a tile in the picture
BLOCK = 256  # pixels of the TIFF's own tiles
LARGEST = 1 << 28  # pixels of the picture


def write_tiles_geojson(
    path: str | PathLike[str],
    tiles: pd.DataFrame,
    *,
    tile_px: float,
    column: str = "percentile",
    kind: str = "tile",
    slide: Slide | None = None,
) -> Path:
    """Write tiles as squares that QuPath imports, with their attention.

    In QuPath: open the slide, *File > Import objects from file*. Each square has its
    colour, its region as class, and the measurements ``attention``, ``attention, of
    the mean`` and ``attention percentile``, as far as the table has them; *Measure >
    Show measurement maps* colours by any of them. No patient is named.

    Parameters
    ----------
    path : path
        The ``.geojson``; one that is there is replaced.
    tiles : DataFrame
        Rows of one slide of :func:`~sarcfeat.evaluate.attention_table`: ``x, y``,
        scores and, where there is one, ``region``.
    tile_px : float
        Side of a tile in pixels of level 0: pixels of a tile × its µm per pixel / the
        slide's µm per pixel.
    column : str
        Score that the colour shows; a measurement of its own name where it is none of
        those above.
    kind : {"tile", "annotation", "detection"}
        What a square is in QuPath. :func:`read_annotations` reads annotations.
    slide : Slide, optional
        The open slide; needed where the scanner left glass out (MRXS, Leica): QuPath
        counts pixels from the scanned area.

    Returns
    -------
    Path

    Raises
    ------
    InvalidInput
        Tiles of several slides, without a column, or with values that are no numbers.

    References
    ----------
    RFC 7946; QuPath's object import (version 0.4 and later).

    Examples
    --------
    >>> import tempfile
    >>> tiles = pd.DataFrame({"x": [0, 56], "y": [0, 0], "region": ["C", ""],
    ...                       "weight": [0.7, 0.3], "percentile": [100.0, 0.0]})
    >>> file = Path(tempfile.mkdtemp()) / "attention.geojson"
    >>> path = write_tiles_geojson(file, tiles, tile_px=56)
    >>> first = json.loads(path.read_text())["features"][0]["properties"]
    >>> first["classification"]["name"], first["measurements"]["attention"]
    ('C', 0.7)
    """
    pick(kind, KINDS, "kind of object")
    places, values = checked_tiles(tiles, column, tile_px)
    shades = heat_colours(values, *heat_range(values, column)).tolist()
    places = places - (slide.bounds[:2] if slide is not None else (0, 0))
    regions = tiles.get("region", pd.Series("", index=tiles.index)).astype(str).tolist()
    names = {name: MEASURED.get(name, name) for name in (*MEASURED, column)}
    measured = {
        told: tiles[name].astype(float).tolist()
        for name, told in names.items()
        if name in tiles.columns
    }
    lines = (
        json.dumps(
            _feature(
                _square(x, y, tile_px),
                kind,
                regions[row],
                shades[row],
                {told: held[row] for told, held in measured.items()},
            ),
            allow_nan=False,
        )
        for row, (x, y) in enumerate(places.tolist())
    )
    return _written(Path(path), lines)


def _square(x: float, y: float, side: float) -> list[list[float]]:
    return [[x, y], [x + side, y], [x + side, y + side], [x, y + side], [x, y]]


def _feature(
    ring: list[list[float]],
    kind: str,
    region: str,
    shade: list[int],
    measured: dict[str, float],
) -> dict[str, Any]:
    told: dict[str, Any] = {"objectType": kind, "color": shade}
    if region:
        told["classification"] = {"name": region}
    return {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {**told, "measurements": measured},
    }


def _written(path: Path, features: Iterator[str]) -> Path:
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            file.write('{"type": "FeatureCollection", "features": [')
            for number, feature in enumerate(features):
                file.write(",\n" if number else "\n")
                file.write(feature)
            file.write("\n]}\n")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def write_tiles_tiff(
    path: str | PathLike[str],
    tiles: pd.DataFrame,
    slide: Slide,
    *,
    tile_px: float,
    column: str = "percentile",
    mpp: float | None = None,
) -> Path:
    """Write tiles as a pyramidal TIFF of the slide's extent, coloured by attention.

    It covers the slide from corner to corner, to half a pixel, and says how large its
    pixels are, so that QuPath (and OpenSlide) lay it over the slide. White where there
    is no tile. A slide of which the scanner left glass out (MRXS, Leica) QuPath shows
    cropped; open it there with ``--no-crop``.

    Parameters
    ----------
    path : path
        The ``.tif``; one that is there is replaced.
    tiles : DataFrame
        Rows of one slide of :func:`~sarcfeat.evaluate.attention_table`.
    slide : Slide
        The open slide.
    tile_px : float
        Side of a tile in pixels of level 0.
    column : str
        Score that the colour shows.
    mpp : float, optional
        Micrometres per pixel of the picture; default 8 pixels along a tile, but not
        finer than the slide.

    Returns
    -------
    Path

    Raises
    ------
    InvalidInput
        As :func:`write_tiles_geojson`; a tile outside the slide; too fine an `mpp`.
    MissingDependency
        ``pip install 'sarcfeat[wsi]'`` is needed.

    Examples
    --------
    >>> import tempfile
    >>> from sarcfeat.io import open_slide
    >>> folder = Path(tempfile.mkdtemp())
    >>> Image.new("RGB", (640, 480), "white").save(folder / "slide.png")
    >>> tiles = pd.DataFrame({"x": [64], "y": [0], "percentile": [100.0]})
    >>> with open_slide(folder / "slide.png", mpp=0.5) as slide:
    ...     path = write_tiles_tiff(folder / "heat.tif", tiles, slide, tile_px=64)
    >>> with open_slide(path) as heat:
    ...     heat.dimensions, round(heat.mpp, 3), heat.read(12, 4, 1).tolist()
    ((80, 60), 4.0, [[[253, 231, 37]]])
    """
    places, values = checked_tiles(tiles, column, tile_px)
    _check_inside(places, tile_px, slide)
    if mpp is None:
        mpp = max(slide.mpp * tile_px / PER_TILE, slide.mpp)
    picture = _painted(places, values, column, slide, tile_px, check_mpp(mpp))
    told = f"{column} of tiles, dark to light: {_ends(values, column)}"
    return _write_pyramid(Path(path), picture, mpp, told)


def _ends(values: npt.NDArray[np.float64], column: str) -> str:
    low, high = heat_range(values, column)
    return f"{low:.4g} to {high:.4g}"


def _check_inside(
    places: npt.NDArray[np.float64], tile_px: float, slide: Slide
) -> None:
    outside = ((places + tile_px / 2 < 0) | (places > slide.dimensions)).any(axis=1)
    if outside.any():
        at = int(np.flatnonzero(outside)[0])
        width, height = slide.dimensions
        raise InvalidInput(
            f"tiles, row {at}: x {places[at, 0]:.0f}, y {places[at, 1]:.0f} lies "
            f"outside {slide.path}, which has {width} × {height} pixels. Pass the "
            "slide that the tiles are of."
        )


def _painted(
    places: npt.NDArray[np.float64],
    values: npt.NDArray[np.float64],
    column: str,
    slide: Slide,
    tile_px: float,
    mpp: float,
) -> Pixels:
    down = mpp / slide.mpp
    width, height = (max(round(side / down), 1) for side in slide.dimensions)
    if width * height > LARGEST:
        raise InvalidInput(
            f"mpp={mpp:g} makes a picture of {width:,} × {height:,} pixels of "
            f"{slide.path}. Leave mpp out, or give a larger one."
        )
    out = np.full((height, width, 3), 255, np.uint8)
    shades = heat_colours(values, *heat_range(values, column))
    # Both ends are rounded alike, so that neighbours leave no gap.
    first = np.maximum(np.round(places / down), 0).astype(int)
    last = np.maximum(np.round((places + tile_px) / down).astype(int), first + 1)
    for (left, top), (right, bottom), shade in zip(first, last, shades, strict=True):
        out[top:bottom, left:right] = shade
    return out


def _write_pyramid(path: Path, picture: Pixels, mpp: float, told: str) -> Path:
    try:
        import tifffile
    except ImportError as error:
        raise missing_dependency("tifffile", "wsi") from error
    shared: dict[str, Any] = {
        "tile": (BLOCK, BLOCK),
        "photometric": "rgb",
        "compression": "deflate",
        "resolutionunit": "CENTIMETER",
        "metadata": None,
        "software": "sarcfeat",
        "maxworkers": 1,
    }
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with tifffile.TiffWriter(temporary) as file:
            down, level = 1, picture
            while True:
                resolution = (1e4 / mpp / down, 1e4 / mpp / down)
                kind = 0 if down == 1 else 1
                file.write(
                    level,
                    resolution=resolution,
                    subfiletype=kind,
                    description=told,
                    **shared,
                )
                if max(level.shape[:2]) <= BLOCK:
                    break
                down *= 2
                level = np.asarray(Image.fromarray(level).reduce(2))
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path
