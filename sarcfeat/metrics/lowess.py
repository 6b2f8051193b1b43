"""Cleveland's locally weighted line, for calibration curves."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sarcfeat.exceptions import InvalidInput

__all__ = ["lowess"]

Floats = npt.NDArray[np.float64]


def lowess(
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    span: float = 2 / 3,
    delta: float | None = None,
) -> Floats:
    """Smooth y over x by local lines, without downweighting outliers.

    Parameters
    ----------
    x, y : array-like of float, shape (n,)
    span : float
        Share of the points that a local line sees.
    delta : float, optional
        Points nearer than this to the last fitted one are interpolated; by default a
        hundredth of the range of x.

    Returns
    -------
    ndarray of shape (n,)
        The smoothed y, in the order given.

    References
    ----------
    Cleveland, JASA 1979; equal to R's ``lowess(x, y, iter = 0)``.

    Examples
    --------
    >>> lowess([1, 2, 3, 4], [2, 4, 6, 8]).round(6)
    array([2., 4., 6., 8.])
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if x.shape != y.shape or x.ndim != 1 or len(x) < 2:
        raise InvalidInput(
            f"Expected two columns of at least 2 values; got {x.shape} and {y.shape}."
        )
    order = np.argsort(x, kind="stable")
    xs, ys = x[order], y[order]
    n, width = len(xs), float(xs[-1] - xs[0])
    delta = 0.01 * width if delta is None else delta
    size = max(2, min(n, int(span * n + 1e-7)))
    at, fitted = [], []
    last, i, left = -1, 0, 0
    while last < n - 1:
        while left + size < n and xs[i] - xs[left] > xs[left + size] - xs[i]:
            left += 1
        value = _local(xs, ys, i, left, left + size - 1, width)
        last = int(np.searchsorted(xs, xs[i], side="right")) - 1
        at.append(xs[i])
        fitted.append(value)
        beyond = int(np.searchsorted(xs, xs[i] + delta, side="right"))
        i = max(last + 1, beyond - 1)
    smooth = np.empty(n)
    smooth[order] = np.interp(xs, at, fitted)
    return smooth


def _local(x: Floats, y: Floats, i: int, left: int, right: int, width: float) -> float:
    """Fit a line about x[i] to its neighbours and read it there."""
    h = max(x[i] - x[left], x[right] - x[i])
    stop = int(np.searchsorted(x, x[i] + 0.999 * h, side="right"))
    part = slice(left, max(stop, i + 1))
    distance = np.abs(x[part] - x[i])
    weight = np.where(distance <= 0.001 * h, 1.0, 0.0)
    if h > 0:
        bell = (1 - np.minimum(distance / h, 1.0) ** 3) ** 3
        weight = np.where(distance <= 0.001 * h, 1.0, bell)
        weight = np.where(distance <= 0.999 * h, weight, 0.0)
    weight = weight / weight.sum()
    centre = weight @ x[part]
    spread = weight @ (x[part] - centre) ** 2
    if h > 0 and np.sqrt(spread) > 0.001 * width:
        slope = (x[i] - centre) / spread
        weight = weight * (slope * (x[part] - centre) + 1)
    return float(weight @ y[part])
