"""Cut a box out of an image and bring it to a fixed number of pixels, in one step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["sample_box", "sampling_weights"]

Floats = npt.NDArray[np.float64]


def sampling_weights(n: int, low: float, high: float, size: int) -> Floats:
    """Return the linear map from `n` voxels to `size` pixels of the span low…high.

    Linear interpolation; where pixels are coarser than voxels the triangle is as wide
    as a pixel, so that no voxel is passed over (antialiasing, as in PIL and torch).

    Parameters
    ----------
    n : int
        Voxels along the axis; voxel j spans j to j + 1.
    low, high : float
        The span to be covered, in voxels; it may reach outside the image.
    size : int
        Pixels.

    Returns
    -------
    ndarray of shape (size, n)
        Rows add up to 1, or are 0 where a pixel's centre lies outside the image.

    Examples
    --------
    >>> sampling_weights(4, 0, 4, 2)
    array([[0.42857143, 0.42857143, 0.14285714, 0.        ],
           [0.        , 0.14285714, 0.42857143, 0.42857143]])
    """
    step = (high - low) / size
    centre = low + (np.arange(size) + 0.5) * step
    away = np.abs(np.arange(n)[None, :] + 0.5 - centre[:, None])
    weights = np.clip(1 - away / max(step, 1.0), 0, None)
    weights[(centre < 0) | (centre > n)] = 0
    total = weights.sum(axis=1, keepdims=True)
    return weights / np.where(total > 0, total, 1)


def sample_box(
    array: npt.NDArray[Any], box: Sequence[tuple[float, float]], shape: Sequence[int]
) -> Floats:
    """Bring a box of an array to a shape; what lies outside the array is 0.

    Parameters
    ----------
    array : ndarray
        The box is of its last axes; axes before them are kept.
    box : sequence of (low, high)
        The span along each axis, in voxels.
    shape : sequence of int
        Pixels along each axis.

    Examples
    --------
    >>> sample_box(np.eye(4), [(1, 3), (1, 4)], (2, 3))
    array([[1., 0., 0.],
           [0., 1., 0.]])
    """
    maps, kept = [], []
    first = array.ndim - len(box)
    for axis, ((low, high), size) in enumerate(zip(box, shape, strict=True)):
        weights = sampling_weights(array.shape[first + axis], low, high, size)
        used = np.flatnonzero(weights.any(axis=0))
        # Voxels that no pixel sees are left out before the work begins.
        near = slice(used[0], used[-1] + 1) if len(used) else slice(0, 1)
        maps.append(weights[:, near])
        kept.append(near)
    found = array[(..., *kept)].astype(float)
    for axis, weights in enumerate(maps, start=first):
        found = np.moveaxis(np.moveaxis(found, axis, -1) @ weights.T, -1, axis)
    return found
