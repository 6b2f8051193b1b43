"""A slide, small, with the outlines of its regions and the tiles that were taken."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sarcfeat.exceptions import InvalidInput
from sarcfeat.io import Regions, Slide, open_slide
from sarcfeat.plots.canvas import COLOURS, TEXT, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_regions", "draw_scale_bar", "slide_regions"]

# Told apart on pink and violet, and by colour-blind readers.
_REGIONS = (COLOURS[6], COLOURS[0], COLOURS[2], COLOURS[1], COLOURS[4])
_STYLES = ("-", "--", ":", "-.")
_WIDTH = 6.5  # inches
_BARS = tuple(base * 10.0**power for power in range(0, 6) for base in (1, 2, 5))


def slide_regions(
    slide: Slide | str | PathLike[str],
    regions: Regions | None = None,
    *,
    tiles: npt.ArrayLike | None = None,
    tile_px: float | None = None,
    title: str | None = None,
    longest: int = 1024,
    ax: Axes | None = None,
) -> Axes:
    """Draw the thumbnail of a slide with its regions, tiles and a scale bar.

    Parameters
    ----------
    slide : Slide or path
        Open, or to be opened.
    regions : Regions, optional
        Outlined and named in the legend with their areas, and with their tiles where
        these are given.
    tiles : array of shape (n, 2), optional
        Upper left corners of tiles, in pixels of level 0.
    tile_px : float, optional
        Side of a tile in pixels of level 0; needed with `tiles`.
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
        Tiles without their size, or not as (n, 2).

    Examples
    --------
    >>> from sarcfeat.datasets import make_slides
    >>> from sarcfeat.io import named_regions, read_annotations
    >>> cohort = make_slides(n=1, size=256, slides=1)
    >>> with open_slide(cohort.slides["path"][0]) as slide:
    ...     drawn = read_annotations(cohort.annotations["path"][0], slide=slide)
    ...     ax = slide_regions(slide, named_regions(drawn))
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['C, 0.000... mm²', 'P, 0.000... mm²', 'R, 0.000... mm²']
    """
    if not isinstance(slide, Slide):
        with open_slide(slide) as opened:
            return slide_regions(
                opened,
                regions,
                tiles=tiles,
                tile_px=tile_px,
                title=title,
                longest=longest,
                ax=ax,
            )
    places = _checked(tiles, tile_px)
    width, height = slide.dimensions
    if ax is None:
        size = (_WIDTH, min(_WIDTH * height / width, 9.0) + 0.7)
        ax = new_axes(size, layout="compressed")
    ax.imshow(slide.thumbnail(longest), extent=(0, width, height, 0))
    codes = None
    if places is not None:
        centres = places + float(tile_px or 0) / 2
        codes = (
            np.zeros(len(places), int) if regions is None else regions.label(centres)
        )
        _draw_tiles(ax, places, float(tile_px or 0), codes)
    if regions is not None:
        draw_regions(ax, regions, slide.mpp, codes)
    draw_scale_bar(ax, width, height, slide.mpp)
    ax.set(xlim=(0, width), ylim=(height, 0))
    ax.set_axis_off()
    if title is not None:
        ax.set_title(title, fontsize=TEXT + 1)
    return ax


def _checked(
    tiles: npt.ArrayLike | None, tile_px: float | None
) -> npt.NDArray[np.float64] | None:
    if tiles is None:
        return None
    places = np.asarray(tiles, np.float64)
    places = places.reshape(-1, 2) if places.size == 0 else places
    if places.ndim != 2 or places.shape[1] != 2:
        raise InvalidInput(
            f"tiles has the shape {places.shape}; expected (n, 2), x and y of the "
            "upper left corners."
        )
    if tile_px is None or not tile_px > 0:
        raise InvalidInput(
            f"tile_px={tile_px!r}; give the side of the tiles in pixels of level 0."
        )
    return places


def _draw_tiles(
    ax: Axes, places: npt.NDArray[np.float64], side: float, codes: npt.NDArray[Any]
) -> None:
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import to_rgba

    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * side
    shades = [to_rgba("white", 0.25)] + [to_rgba(c, 0.25) for c in _REGIONS]
    faces = [shades[_shade(int(code))] for code in codes]
    ax.add_collection(
        PolyCollection(
            list(places[:, None, :] + corners),
            facecolors=faces,
            edgecolors="white",
            linewidths=0.3,
            label="_tiles",
        )
    )


def _shade(code: int) -> int:
    """Return the colour of a region's code; 0 is none, colours come again."""
    return 0 if code == 0 else 1 + (code - 1) % len(_REGIONS)


def draw_regions(
    ax: Axes, regions: Regions, mpp: float, codes: npt.NDArray[Any] | None = None
) -> None:
    """Outline the regions; the legend tells their areas, and their tiles by code."""
    from matplotlib.lines import Line2D

    areas = regions.areas(mpp)
    handles = []
    for number, (name, polygon) in enumerate(
        zip(regions.names, regions.polygons, strict=True)
    ):
        style = {
            "color": _REGIONS[number % len(_REGIONS)],
            "linestyle": _STYLES[number % len(_STYLES)],
            "linewidth": 1.6,
        }
        for part in getattr(polygon, "geoms", [polygon]):
            if part.is_empty:
                continue
            for ring in (part.exterior, *part.interiors):
                ax.plot(*np.asarray(ring.coords).T, **style)
        text = f"{name}, {areas[name]:.{_digits(areas[name])}f} mm²"
        if codes is not None:
            count = int((codes == number + 1).sum())
            text += f", {count:,} tile{'' if count == 1 else 's'}"
        handles.append(Line2D([], [], label=text, **style))
    # Under the picture: nothing of the slide is covered.
    ax.legend(
        handles=handles,
        fontsize=TEXT,
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        ncols=min(len(handles), 2),
        frameon=False,
    )


def _digits(area: float) -> int:
    """Return decimals that leave two figures of an area."""
    return 0 if area >= 10 or area == 0 else int(min(1 - np.floor(np.log10(area)), 6))


def draw_scale_bar(ax: Axes, width: int, height: int, mpp: float) -> None:
    """Draw a round length of about a fifth of the width, lower left."""
    micrometres = max(
        (bar for bar in _BARS if bar <= width * mpp / 4), default=_BARS[0]
    )
    text = (
        f"{micrometres / 1000:g} mm" if micrometres >= 1000 else f"{micrometres:g} µm"
    )
    left, bottom = 0.03 * width, 0.97 * height
    length = micrometres / mpp
    ax.plot(
        [left, left + length], [bottom, bottom], color="black", lw=3, label="_scale"
    )
    ax.text(
        left + length / 2,
        bottom - 0.01 * height,
        text,
        ha="center",
        va="bottom",
        fontsize=TEXT,
        bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 1},
    )
