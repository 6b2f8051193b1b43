"""Tiles side by side: what the model looked at most and least, or a blind sheet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from os import PathLike
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sarcfeat._validation import pick
from sarcfeat.exceptions import InvalidInput
from sarcfeat.io import tile_pictures
from sarcfeat.plots.canvas import TEXT, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["contact_sheet"]

_CELL = 1.15  # inches, of a tile with its margin
_GAP = 0.06  # of a tile's side
_LINE = 0.17  # of a tile's side: a line of text
_HEADING = 0.28
_LARGEST = 600  # tiles; more are no sheet
Block = tuple[str, pd.DataFrame]


def contact_sheet(
    tiles: pd.DataFrame,
    slides: pd.DataFrame | Mapping[str, str | PathLike[str]],
    *,
    tile_um: float = 56.0,
    pixels: int = 160,
    mpp: float | None = None,
    over: str = "patient",
    score: str = "relative",
    columns: int = 10,
    blinded: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Draw tiles side by side, with patient, region and attention below each.

    Parameters
    ----------
    tiles : DataFrame
        What :func:`~sarcfeat.evaluate.extreme_tiles` returns; `blinded`, rows of the
        key of :func:`~sarcfeat.evaluate.review_form`.
    slides : DataFrame or mapping
        ``patient, slide, path``, as ``Cohort.slides`` has it; or the path of each
        slide's name.
    tile_um : float
        Side of a tile in micrometres: 224 pixels of 0.25 are 56.
    pixels : int
        Side of a picture on the sheet.
    mpp : float, optional
        The slides' µm per pixel, where their files do not say.
    over : {"patient", "cohort"}
        A block for each patient's highest and lowest tiles, or for the cohort's.
    score : str
        Column below each tile; ``relative`` is written as ``3.2×`` the mean tile.
    columns : int
        Tiles in a row.
    blinded : bool
        Only the numbers of the form, in its order: no patient, region or score.
    ax : Axes, optional
        A new figure by default, as large as the sheet needs.

    Returns
    -------
    Axes

    Raises
    ------
    InvalidInput
        No tiles, too many, or blinded ones without a number.

    Examples
    --------
    >>> import os, tempfile
    >>> from PIL import Image
    >>> path = os.path.join(tempfile.mkdtemp(), "s.png")
    >>> Image.new("RGB", (640, 480), (230, 180, 210)).save(path)
    >>> tiles = pd.DataFrame({"patient": "P1", "slide": "S1", "x": [0, 64], "y": 0,
    ...                       "region": ["C", "R"], "relative": [3.2, 0.1],
    ...                       "end": ["highest", "lowest"]})
    >>> ax = contact_sheet(tiles, {"S1": path}, tile_um=32, mpp=0.5)
    >>> [text.get_text() for text in ax.texts]
    ['P1, highest', 'C  3.2×', 'P1, lowest', 'R  0.10×']
    """
    pick(over, ("patient", "cohort"), "choice of over")
    _check(tiles, columns, score, blinded)
    blocks = [("", tiles)] if blinded else list(_blocks(tiles, over))
    ordered = pd.concat([part for _, part in blocks])
    pictures = tile_pictures(ordered, slides, tile_um=tile_um, pixels=pixels, mpp=mpp)
    lines = 2 if over == "cohort" and not blinded else 1
    tall = 1 + _GAP + _LINE * lines
    places, headings, bottom = _laid_out(blocks, columns, tall)
    right = min(columns, max(len(part) for _, part in blocks)) * (1 + _GAP)
    if ax is None:
        ax = new_axes((max(right * _CELL, 2.5), bottom * _CELL), layout="compressed")
    for picture, (x, y) in zip(pictures, places, strict=True):
        ax.imshow(picture, extent=(x, x + 1, y + 1, y), interpolation="antialiased")
    labels = _labels(ordered, over, score, blinded)
    texts = [(x, y, text, {"weight": "bold"}) for x, y, text in headings]
    texts += [
        (x, y + 1 + _GAP / 2, text, {"fontsize": TEXT - 2})
        for (x, y), text in zip(places, labels, strict=True)
    ]
    for x, y, text, style in sorted(texts, key=lambda t: (t[1] // 0.01, t[0])):
        ax.text(x, y, text, va="top", **{"fontsize": TEXT, **style})
    ax.set(xlim=(0, right), ylim=(bottom, 0), xticks=[], yticks=[])
    ax.set_axis_off()
    return ax


def _check(tiles: pd.DataFrame, columns: int, score: str, blinded: bool) -> None:
    if not 1 <= len(tiles) <= _LARGEST:
        raise InvalidInput(
            f"{len(tiles):,} tiles; a sheet has 1 to {_LARGEST}. Draw several, such as "
            "one a patient."
        )
    if columns < 1:
        raise InvalidInput(f"columns={columns!r}; expected a number from 1.")
    if not blinded:
        pick(score, [str(name) for name in tiles.columns], "column")
    elif "tile" not in tiles.columns:
        raise InvalidInput(
            "A blind sheet needs the column 'tile'. Pass rows of the key of "
            "review_form."
        )


def _blocks(tiles: pd.DataFrame, over: str) -> Iterator[Block]:
    """Yield a heading and its tiles for each patient and end there is."""
    names = [*(["patient"] if over == "patient" else [])]
    names += ["end"] if "end" in tiles.columns else []
    if not names:
        yield "", tiles
        return
    for told, part in tiles.groupby(names, sort=False):
        yield ", ".join(map(str, told)), part


def _laid_out(
    blocks: list[Block], columns: int, tall: float
) -> tuple[list[tuple[float, float]], list[tuple[float, float, str]], float]:
    """Return the corner of each tile, of each heading, and where the sheet ends."""
    places, headings, top = [], [], 0.0
    for heading, part in blocks:
        if heading:
            headings.append((0.0, top, heading))
            top += _HEADING
        for at in range(len(part)):
            row, column = divmod(at, columns)
            places.append((column * (1 + _GAP), top + row * tall))
        top += -(-len(part) // columns) * tall + _GAP
    return places, headings, top


def _labels(tiles: pd.DataFrame, over: str, score: str, blinded: bool) -> list[str]:
    if blinded:
        return [str(name) for name in tiles["tile"]]
    region = tiles.get("region", pd.Series("", index=tiles.index)).astype(str)
    values = tiles[score].to_numpy(dtype=float)
    lines = [
        f"{where}  {_number(value, score)}".strip()
        for where, value in zip(region, values, strict=True)
    ]
    if over == "patient":
        return lines
    return [f"{p}\n{line}" for p, line in zip(tiles["patient"], lines, strict=True)]


def _number(value: float, score: str) -> str:
    """Write a score in two figures.

    Examples
    --------
    >>> _number(3.21, "relative"), _number(0.0123, "weight"), _number(4e-7, "weight")
    ('3.2×', '0.012', '4e-07')
    """
    if value == 0 or not np.isfinite(value) or abs(value) < 1e-3:
        text = f"{value:.1g}"
    else:
        digits = int(np.clip(1 - np.floor(np.log10(abs(value))), 0, 6))
        text = f"{value:.{digits}f}"
    return f"{text}×" if score == "relative" else text
