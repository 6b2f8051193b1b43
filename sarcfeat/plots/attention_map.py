"""A slide, small, with its tiles coloured by how much each counted."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sarcfeat.exceptions import InvalidInput
from sarcfeat.io import Regions, Slide, open_slide
from sarcfeat.io.heat_colours import HEAT, checked_tiles, heat_range
from sarcfeat.plots.canvas import TEXT, new_axes
from sarcfeat.plots.slide_regions import draw_regions, draw_scale_bar

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["attention_map"]

_WIDTH = 7.0  # inches
_LABELS = {
    "percentile": "Attention, percentile of the patient's tiles",
    "relative": "Attention, times the patient's mean tile",
    "weight": "Attention weight",
}


def attention_map(
    slide: Slide | str | PathLike[str],
    tiles: pd.DataFrame,
    *,
    tile_px: float,
    column: str = "percentile",
    regions: Regions | None = None,
    alpha: float = 0.6,
    title: str | None = None,
    longest: int = 1024,
    ax: Axes | None = None,
) -> Axes:
    """Draw the thumbnail of a slide with its tiles coloured by attention.

    Parameters
    ----------
    slide : Slide or path
        Open, or to be opened.
    tiles : DataFrame
        Rows of this slide of :func:`~sarcfeat.evaluate.attention_table`.
    tile_px : float
        Side of a tile in pixels of level 0: pixels of a tile × its µm per pixel / the
        slide's µm per pixel.
    column : str
        Score that the colour shows. The percentile by default: a few tiles have most
        of the weight, and would leave the others one colour.
    regions : Regions, optional
        Outlined and named in the legend.
    alpha : float
        Cover of the colour, 0 to 1.
    title : str, optional
        None by default: the name of a file may tell who the patient is.
    longest : int
        Pixels of the thumbnail's longer side.
    ax : Axes, optional
        A new figure by default.

    Returns
    -------
    Axes

    Raises
    ------
    InvalidInput
        Tiles of several slides, without a column, or with values that are no numbers.

    See Also
    --------
    sarcfeat.io.write_tiles_geojson, sarcfeat.io.write_tiles_tiff : The same for QuPath.

    Examples
    --------
    >>> import os, tempfile
    >>> from PIL import Image
    >>> path = os.path.join(tempfile.mkdtemp(), "slide.png")
    >>> Image.new("RGB", (640, 480), (230, 180, 210)).save(path)
    >>> tiles = pd.DataFrame({"x": [0, 64], "y": [0, 0], "percentile": [0.0, 100.0]})
    >>> with open_slide(path, mpp=0.5) as slide:
    ...     ax = attention_map(slide, tiles, tile_px=64)
    >>> len(ax.collections[0].get_paths())
    2
    """
    if not isinstance(slide, Slide):
        with open_slide(slide) as opened:
            return attention_map(
                opened,
                tiles,
                tile_px=tile_px,
                column=column,
                regions=regions,
                alpha=alpha,
                title=title,
                longest=longest,
                ax=ax,
            )
    places, values = checked_tiles(tiles, column, tile_px)
    if not 0 <= alpha <= 1:
        raise InvalidInput(f"alpha={alpha!r}; expected a cover from 0 to 1.")
    width, height = slide.dimensions
    if ax is None:
        size = (_WIDTH, min((_WIDTH - 1.2) * height / width, 9.0) + 0.7)
        ax = new_axes(size, layout="compressed")
    ax.imshow(slide.thumbnail(longest), extent=(0, width, height, 0))
    _draw_heat(ax, places, values, column, tile_px, alpha)
    if regions is not None:
        draw_regions(ax, regions, slide.mpp)
    draw_scale_bar(ax, width, height, slide.mpp)
    ax.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[])
    ax.set_axis_off()
    if title is not None:
        ax.set_title(title, fontsize=TEXT + 1)
    return ax


def _draw_heat(
    ax: Axes,
    places: np.ndarray,
    values: np.ndarray,
    column: str,
    side: float,
    alpha: float,
) -> None:
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import LinearSegmentedColormap, Normalize

    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * side
    shades = [tuple(channel / 255 for channel in anchor) for anchor in HEAT]
    heat = PolyCollection(
        list(places[:, None, :] + corners),
        cmap=LinearSegmentedColormap.from_list("heat", shades),
        norm=Normalize(*heat_range(values, column)),
        alpha=alpha,
        linewidths=0,
        label="_tiles",
    )
    heat.set_array(values)
    ax.add_collection(heat)
    bar = ax.figure.colorbar(heat, ax=ax, shrink=0.8, pad=0.02)
    bar.set_label(_LABELS.get(column, column), fontsize=TEXT)
    bar.ax.tick_params(labelsize=TEXT)
