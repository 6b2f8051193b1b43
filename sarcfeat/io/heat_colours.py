"""The colours of a map of scores: the same in a figure, for QuPath and in a TIFF."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sarcfeat._validation import did_you_mean, listed
from sarcfeat.exceptions import InvalidInput

__all__ = ["HEAT", "checked_tiles", "heat_colours", "heat_range"]

# Blue over green to yellow, evenly lighter, and apart for colour-blind readers
# (anchors of viridis); the tissue's own pink and violet are none of them.
HEAT = (
    (68, 1, 84),
    (71, 44, 122),
    (59, 81, 139),
    (44, 113, 142),
    (33, 144, 141),
    (39, 173, 129),
    (92, 200, 99),
    (170, 220, 50),
    (253, 231, 37),
)


def heat_colours(
    values: npt.ArrayLike, low: float, high: float
) -> npt.NDArray[np.uint8]:
    """Return the colour of each value, dark at `low` and light at `high`.

    Parameters
    ----------
    values : array-like of shape (n,)
    low, high : float
        Ends of the scale; values beyond take the colour of the end.

    Returns
    -------
    ndarray of uint8, shape (n, 3)

    Examples
    --------
    >>> heat_colours([0, 50, 100], 0, 100).tolist()
    [[68, 1, 84], [33, 144, 141], [253, 231, 37]]
    """
    anchors = np.array(HEAT, dtype=np.float64)
    share = (np.asarray(values, np.float64) - low) / (high - low)
    place = np.clip(share, 0, 1) * (len(anchors) - 1)
    marks = np.arange(len(anchors))
    channels = [np.interp(place, marks, anchors[:, c]) for c in range(3)]
    return np.round(np.stack(channels, axis=-1)).astype(np.uint8)


def heat_range(values: npt.NDArray[np.float64], column: str) -> tuple[float, float]:
    """Return the ends of the scale: 0 and 100 of percentiles, else from the values."""
    if column == "percentile" or not len(values):
        return 0.0, 100.0
    low, high = float(values.min()), float(values.max())
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def checked_tiles(
    tiles: Any, column: str, tile_px: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return places and scores of the tiles of one slide.

    Raises
    ------
    InvalidInput
        A column is missing, there are several slides, or a number is none.
    """
    absent = [name for name in ("x", "y", column) if name not in tiles.columns]
    if absent:
        raise InvalidInput(
            f"tiles lacks {listed(absent)}.{did_you_mean(absent[0], tiles.columns)} "
            "Pass rows of attention_table."
        )
    for name in ("patient", "slide"):
        if name in tiles.columns and tiles[name].nunique() > 1:
            raise InvalidInput(
                f"tiles are of {tiles[name].nunique()} {name}s: "
                f"{listed(tiles[name].unique())}. Pass the rows of one {name}, such "
                f"as tiles[tiles[{name!r}] == {str(tiles[name].iloc[0])!r}]."
            )
    if not tile_px > 0:
        raise InvalidInput(
            f"tile_px={tile_px!r}; give the side of the tiles in pixels of level 0: "
            "pixels of a tile × its µm per pixel / the slide's."
        )
    places = tiles[["x", "y"]].to_numpy(dtype=np.float64)
    values = tiles[column].to_numpy(dtype=np.float64)
    bad = ~(np.isfinite(values) & np.isfinite(places).all(axis=1))
    if bad.any():
        at = int(np.flatnonzero(bad)[0])
        raise InvalidInput(
            f"tiles, row {at}: x, y and {column} are {places[at].tolist()} and "
            f"{values[at]}; expected numbers. Leave such tiles out."
        )
    return places, values
