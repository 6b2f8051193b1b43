"""Why a tile is left out although there is tissue: out of focus, or nothing there."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sarcfeat.encoders.tissue import TissueRule, saturation_of

__all__ = ["fault_of_tile", "sharpness"]

Pixels = npt.NDArray[np.uint8]
_STEP = 4  # every fourth pixel of every fourth line tells whether a tile is empty


def sharpness(tile: Pixels) -> float:
    """Return the variance of the Laplacian of the green values: low is out of focus.

    Green, because that is where haematoxylin and eosin are darkest.

    Parameters
    ----------
    tile : ndarray of uint8, shape (height, width, 3)

    References
    ----------
    Pech-Pacheco JL et al. Diatom autofocusing in brightfield microscopy: a comparative
    study. ICPR 2000.

    Examples
    --------
    >>> board = np.indices((8, 8)).sum(axis=0) % 2 * 255
    >>> sharp = np.repeat(board[..., None], 3, axis=2).astype(np.uint8)
    >>> sharpness(sharp) > 1e5, sharpness(np.full((8, 8, 3), 200, np.uint8))
    (True, 0.0)
    """
    green = tile[..., 1].astype(np.int16)
    edges = green[1:-1, 1:-1] * np.int16(-4)
    edges += green[:-2, 1:-1]
    edges += green[2:, 1:-1]
    edges += green[1:-1, :-2]
    edges += green[1:-1, 2:]
    # Whole numbers all the way, so that the sums are the same on every machine.
    total = int(edges.sum(dtype=np.int64))
    squares = int(np.multiply(edges, edges, dtype=np.int32).sum(dtype=np.int64))
    return (squares - total * total / edges.size) / edges.size


def fault_of_tile(tile: Pixels, rule: TissueRule, threshold: float) -> str | None:
    """Return ``"background"``, ``"blur"``, or None for a tile that is good.

    Parameters
    ----------
    tile : ndarray of uint8, shape (height, width, 3)
    rule : TissueRule
    threshold : float
        Saturation from which a pixel of this slide is tissue.

    Examples
    --------
    >>> fault_of_tile(np.full((224, 224, 3), 240, np.uint8), TissueRule(), 0.05)
    'background'
    """
    saturation, top = saturation_of(tile[::_STEP, ::_STEP])
    held = (saturation >= threshold) & (top >= rule.dark * 255)
    if held.mean() < rule.background:
        return "background"
    return "blur" if sharpness(tile) < rule.blur else None
