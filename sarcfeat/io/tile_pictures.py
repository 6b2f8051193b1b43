"""Pictures of chosen tiles, read from their slides."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from sarcfeat._validation import did_you_mean, listed
from sarcfeat.exceptions import InvalidInput
from sarcfeat.io.slide import Slide, open_slide

__all__ = ["tile_pictures", "write_tile_pictures"]

Pixels = npt.NDArray[np.uint8]
Path_ = str | PathLike[str]


def tile_pictures(
    tiles: pd.DataFrame,
    slides: pd.DataFrame | Mapping[str, Path_],
    *,
    tile_um: float = 56.0,
    pixels: int = 224,
    mpp: float | None = None,
) -> Pixels:
    """Read the pictures of tiles; each slide is opened once.

    Parameters
    ----------
    tiles : DataFrame
        Such as :func:`~sarcfeat.evaluate.extreme_tiles` returns: ``patient, slide, x,
        y``.
    slides : DataFrame or mapping
        Where they are: ``patient, slide, path``, as ``Cohort.slides`` has it; or the
        path of each slide's name.
    tile_um : float
        Side of a tile in micrometres: 224 pixels of 0.25 are 56.
    pixels : int
        Side of a picture.
    mpp : float, optional
        The slides' µm per pixel, where their files do not say.

    Returns
    -------
    ndarray of uint8, shape (n, pixels, pixels, 3)
        In the order of `tiles`.

    Raises
    ------
    InvalidInput
        A slide has no path, or a column is missing.
    InputMissing, InputCorrupt, NoResolution
        As of :func:`open_slide` and ``Slide.read``.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "s.png"
    >>> Image.new("RGB", (640, 480), (230, 180, 210)).save(path)
    >>> tiles = pd.DataFrame({"patient": "P1", "slide": "S1", "x": [0, 64], "y": 0})
    >>> tile_pictures(tiles, {"S1": path}, tile_um=32, pixels=16, mpp=0.5).shape
    (2, 16, 16, 3)
    """
    _check(tiles, tile_um, pixels)
    paths = _paths(tiles, slides)
    out = np.empty((len(tiles), pixels, pixels, 3), np.uint8)
    places = tiles[["x", "y"]].to_numpy(dtype=np.int64)
    for path in dict.fromkeys(paths):
        rows = [row for row, one in enumerate(paths) if one == path]
        with open_slide(path, mpp=mpp) as slide:
            # From above to below, as files are laid out.
            for row in sorted(rows, key=lambda r: (places[r, 1], places[r, 0])):
                out[row] = _picture(slide, places[row], tile_um, pixels)
    return out


def _picture(slide: Slide, place: Any, tile_um: float, pixels: int) -> Pixels:
    """Read a tile at its own resolution, no finer than the slide, and size it."""
    wanted = tile_um / pixels
    if wanted >= slide.mpp:
        return slide.read(int(place[0]), int(place[1]), pixels, mpp=wanted)
    side = max(round(tile_um / slide.mpp), 1)
    read: Any = Image.fromarray(slide.read(int(place[0]), int(place[1]), side))
    return np.asarray(read.resize((pixels, pixels), Image.Resampling.BICUBIC))


def write_tile_pictures(
    folder: Path_,
    key: pd.DataFrame,
    slides: pd.DataFrame | Mapping[str, Path_],
    *,
    tile_um: float = 56.0,
    pixels: int = 448,
    mpp: float | None = None,
) -> list[Path]:
    """Write each tile of a blinded form as a PNG called by its number.

    Parameters
    ----------
    folder : path
        What the reader is given; made where it is not there.
    key : DataFrame
        Of :func:`~sarcfeat.evaluate.review_form`: ``tile, patient, slide, x, y``.
    slides, tile_um, pixels, mpp
        As of :func:`tile_pictures`.

    Returns
    -------
    list of Path
        ``T0001.png`` and so on; the files tell nothing else.
    """
    if "tile" not in key.columns:
        raise InvalidInput("key lacks tile. Pass the key of review_form.")
    home = Path(folder)
    home.mkdir(parents=True, exist_ok=True)
    told = {"tile_um": tile_um, "pixels": pixels, "mpp": mpp}
    written = []
    # One slide at a time in memory; files by number whatever the order.
    for _, part in key.groupby(["patient", "slide"], sort=False):
        for name, one in zip(
            part["tile"],
            tile_pictures(part, slides, **told),  # type: ignore[arg-type]
            strict=True,
        ):
            written.append(home / f"{name}.png")
            Image.fromarray(one).save(written[-1])
    return sorted(written)


def _check(tiles: pd.DataFrame, tile_um: float, pixels: int) -> None:
    absent = [c for c in ("patient", "slide", "x", "y") if c not in tiles.columns]
    if absent:
        raise InvalidInput(
            f"tiles lacks {listed(absent)}.{did_you_mean(absent[0], tiles.columns)} "
            "Pass rows of attention_table."
        )
    if not tile_um > 0:
        raise InvalidInput(
            f"tile_um={tile_um!r}; give the side of a tile in micrometres: its pixels "
            "× its µm per pixel."
        )
    if isinstance(pixels, bool) or not isinstance(pixels, int) or pixels < 1:
        raise InvalidInput(f"pixels={pixels!r}; expected a side from 1.")


def _paths(tiles: pd.DataFrame, slides: Any) -> list[str]:
    """Return the path of each tile's slide."""
    names = list(zip(tiles["patient"].astype(str), tiles["slide"], strict=True))
    if isinstance(slides, Mapping):
        where = {(p, s): str(slides[s]) for p, s in set(names) if s in slides}
    else:
        rows = zip(
            slides["patient"].astype(str),
            slides["slide"],
            slides["path"].astype(str),
            strict=True,
        )
        where = {(patient, slide): path for patient, slide, path in rows}
    gone = [f"{s} of {p}" for p, s in dict.fromkeys(names) if (p, s) not in where]
    if gone:
        raise InvalidInput(
            f"slides has no path of {listed(gone)}. Give a row of patient, slide and "
            "path for each, such as cohort.slides."
        )
    return [where[name] for name in names]
