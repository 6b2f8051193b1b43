"""Restricted cubic splines: Harrell's knots and the columns that rms::rcs makes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

__all__ = ["default_knots", "spline_basis", "spline_names", "turning_points"]

Floats = npt.NDArray[np.float64]

_HEAPED = 0.05  # share of the patients at one extreme value above which it is set apart


def spline_names(name: str, n_knots: int) -> list[str]:
    """Return the names of a spline's columns, as rms writes them.

    Examples
    --------
    >>> spline_names("age", 4)
    ['age', "age'", "age''"]
    """
    return [name + "'" * i for i in range(n_knots - 1)]


def default_knots(values: npt.ArrayLike, n_knots: int) -> tuple[float, ...]:
    """Return Harrell's knots: outer quantiles by their number, the others between.

    Under 100 patients the outer knots are the fifth smallest and the fifth largest
    value. An extreme value that many patients share (a lower limit of detection) does
    not take part; the next value is the outer knot.

    Returns
    -------
    tuple of float
        Fewer than 3 where the values do not allow a spline.

    References
    ----------
    ``Hmisc::rcspline.eval``; Harrell FE. Regression Modeling Strategies, 2.4.6.

    Examples
    --------
    >>> default_knots(range(1, 202), 3)
    (21.0, 101.0, 181.0)
    """
    x = np.sort(np.asarray(values, dtype=float))
    distinct, counts = np.unique(x, return_counts=True)
    if len(distinct) - 2 <= n_knots:
        return tuple(distinct[1:-1].tolist())
    outer = 0.1 if n_knots == 3 else 0.025 if n_knots > 6 else 0.05
    x, first, last = _without_heaps(x, distinct, counts)
    inner = n_knots - len(first) - len(last)
    if inner == 1:
        knots = np.median(x, keepdims=True)
    else:
        start = 0.5 if inner == 2 else outer
        knots = np.quantile(x, np.linspace(start, 1 - outer, inner))
    if len(np.unique(knots)) < min(inner, 3):
        spread = np.quantile(x, np.linspace(outer, 1 - outer, 2 * inner))
        return tuple(np.unique(np.concatenate([first, spread, last])).tolist())
    if inner > 1 and 5 <= len(x) < 100:
        knots[0] = knots[0] if len(first) else x[4]
        knots[-1] = knots[-1] if len(last) else x[-5]
    return tuple(np.unique(np.concatenate([first, knots, last])).tolist())


def _without_heaps(
    x: Floats, distinct: Floats, counts: npt.NDArray[np.intp]
) -> tuple[Floats, Floats, Floats]:
    """Set apart an extreme value that many share, unless a middle one is shared too."""
    share = counts / len(x)
    first, last = np.empty(0), np.empty(0)
    if share[1:-1].max() >= _HEAPED:
        return x, first, last
    if share[0] >= _HEAPED:
        first = distinct[1:2]
        x = x[x > first]
    if share[-1] >= _HEAPED:
        last = x[x < x.max()][-1:]
        x = x[x < last]
    return x, first, last


def spline_basis(values: npt.ArrayLike, knots: Sequence[float]) -> Floats:
    """Return the columns of a restricted cubic spline: the value, then its curves.

    Linear below the first knot and above the last; the curves are divided by the
    squared distance of the outer knots, so that they have the unit of the value.

    Parameters
    ----------
    values : array-like of shape (n,)
    knots : sequence of float
        Ascending, 3 or more.

    Returns
    -------
    ndarray of shape (n, n_knots - 1)

    References
    ----------
    ``Hmisc::rcspline.eval(norm=2, inclx=TRUE)``, which ``rms::rcs`` calls.

    Examples
    --------
    >>> spline_basis([0.0, 5.0, 12.0], (0.0, 5.0, 10.0)).round(3)
    array([[ 0.  ,  0.  ],
           [ 5.  ,  1.25],
           [12.  , 10.5 ]])
    """
    x = np.asarray(values, dtype=float)
    t = [float(knot) for knot in knots]
    last, before = t[-1], t[-2]
    scale = (last - t[0]) ** (2 / 3)

    def cube(knot: float) -> Floats:
        return np.maximum((x - knot) / scale, 0.0) ** 3

    columns = [x]
    for knot in t[:-2]:
        above = (before - knot) * cube(last) - (last - knot) * cube(before)
        columns.append(cube(knot) + above / (last - before))
    return np.stack(columns, axis=-1)


def turning_points(coef: Sequence[float], knots: Sequence[float]) -> list[float]:
    """Return the values at which a fitted spline turns from rising to falling or back.

    Parameters
    ----------
    coef : sequence of float
        Coefficients of the columns of :func:`spline_basis`.
    knots : sequence of float

    Returns
    -------
    list of float
        Ascending, all between the outer knots; beyond them the curve is straight.

    Examples
    --------
    >>> turning_points([-1.0, 1.0], (0.0, 5.0, 10.0))
    [5.917517095361369]
    """
    found = []
    for low, high in pairwise(knots):
        # Between two knots the curve is a cubic: four points of it give it exactly.
        unit = np.array([0.0, 1 / 3, 2 / 3, 1.0])
        curve = spline_basis(low + unit * (high - low), knots) @ np.asarray(coef)
        cubic = np.polynomial.polynomial.polyfit(unit, curve - curve[0], 3)
        slope = np.polynomial.polynomial.polyder(cubic)
        size = np.abs(slope).max()
        if size == 0:
            continue
        roots = np.polynomial.polynomial.polyroots(
            np.trim_zeros(np.where(np.abs(slope) < 1e-10 * size, 0.0, slope), "b")
        )
        for root in roots[np.abs(roots.imag) < 1e-9].real:
            around = np.polynomial.polynomial.polyval(root + np.r_[-1e-4, 1e-4], slope)
            if 0 <= root <= 1 and around[0] * around[1] < 0:
                found.append(float(low + root * (high - low)))
    return _apart(sorted(found), 1e-6 * (knots[-1] - knots[0]))


def _apart(points: list[float], least: float) -> list[float]:
    """Return the points without those that a knot brought in twice."""
    kept: list[float] = []
    for point in points:
        if not kept or point - kept[-1] > least:
            kept.append(point)
    return kept
