"""Contours in patient coordinates to the voxels of a grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from sarcfeat._validation import missing_dependency
from sarcfeat.exceptions import GeometryMismatch, InvalidInput
from sarcfeat.io.geometry import Geometry

__all__ = ["Contour", "OnGrid", "rasterise"]

Points = npt.NDArray[np.float64]
FLAT = 0.05  # of a slice: what rounding leaves of a contour's height
SAME_PLANE = 0.05  # mm
LOST = 0.1  # of a lesion's volume; more outside the image is another patient's


@dataclass(frozen=True)
class Contour:
    """One closed curve in a plane.

    Parameters
    ----------
    points : ndarray, shape (n, 3)
        Corners in patient coordinates (x, y, z), in millimetres.
    closed : bool
        Whether the last corner is joined to the first.
    """

    points: Points
    closed: bool = True


@dataclass
class OnGrid:
    """A region on the voxels of a grid, and what was done to bring it there."""

    inside: npt.NDArray[np.bool_]
    notes: list[str] = field(default_factory=list)


def rasterise(
    contours: Sequence[Contour], grid: Geometry, *, what: str, gaps: str = "refuse"
) -> OnGrid:
    """Mark the voxels whose centre lies inside the contours.

    Contours of one plane are combined by exclusive or: an inner one is a hole, others
    are further parts; the channel of a keyhole has no width. A slice of the grid that
    lies between two planes takes the nearer one, so that a grid other than the one that
    was drawn on gets the same lesion.

    Parameters
    ----------
    contours : sequence of Contour
        Of one region, in planes parallel to the slices of the grid.
    grid : Geometry
        Where the voxels lie.
    what : str
        The file and region, for messages.
    gaps : {"refuse", "fill", "keep"}
        What to do with a slice without a contour between slices that have one: refuse
        it, fill it from its neighbours by their distance maps, or leave it empty.

    Raises
    ------
    InvalidInput
        A contour that is open or not in the plane of the slices, or a gap.
    GeometryMismatch
        More than a tenth of the lesion lies outside the grid; both bounds are shown.
    """
    if gaps not in ("refuse", "fill", "keep"):
        raise InvalidInput(f"gaps={gaps!r}; expected 'refuse', 'fill' or 'keep'.")
    notes: list[str] = []
    corners = [_closed(one, grid, what, notes) for one in contours]
    if not corners:
        raise InvalidInput(f"{what} has no contour. Draw the lesion again.")
    index = [_index(points, grid) for points in corners]
    _refuse_oblique(index, what)
    planes = _planes(index, grid)
    heights = np.array(sorted(planes))
    step = float(np.median(np.diff(heights))) if len(heights) > 1 else 1.0
    window = _window(index)
    drawn = {at: _fill(planes[at], window) for at in heights}
    heights, drawn = _without_gaps(heights, drawn, step, grid, what, gaps, notes)
    inside = np.zeros(grid.size[::-1], bool)
    lost = _place(inside, heights, drawn, max(step, 1e-6), window)
    if lost > LOST:
        raise GeometryMismatch(
            f"{what}: {100 * lost:.0f} % of the lesion lies outside the image. "
            f"Contours {_bounds(np.concatenate(corners))}, image "
            f"{_bounds(_ends(grid))}. Use the contours that were drawn on this image."
        )
    return OnGrid(inside, notes)


def _closed(one: Contour, grid: Geometry, what: str, notes: list[str]) -> Points:
    """Return the corners of a curve that is closed, or can be without doubt."""
    points = np.asarray(one.points, dtype=float)
    if len(points) < 3 or not np.isfinite(points).all():
        raise InvalidInput(
            f"{what}: a contour has {len(points)} points or one that is no number; "
            "expected three or more. Draw it again."
        )
    if not one.closed:
        open_by = float(np.linalg.norm(points[-1] - points[0]))
        if open_by > 2 * max(grid.spacing[:2]):
            raise InvalidInput(
                f"{what}: the contour at z = {points[0, 2]:.2f} mm is not closed, its "
                f"ends lie {open_by:.2f} mm apart. Close it in the drawing program."
            )
        notes.append(
            f"the open contour at z = {points[0, 2]:.2f} mm was closed "
            f"({open_by:.2f} mm)"
        )
    return points


def _index(points: Points, grid: Geometry) -> Points:
    """Return where points lie, in voxels along x, y, z."""
    axes = np.array(grid.direction).reshape(3, 3)
    moved = np.linalg.solve(axes, (points - np.array(grid.origin)).T).T
    return np.asarray(moved / np.array(grid.spacing))


def _refuse_oblique(index: Sequence[Points], what: str) -> None:
    tilt = max(float(np.ptp(points[:, 2])) for points in index)
    if tilt > FLAT:
        raise InvalidInput(
            f"{what}: the contours are not in the plane of the slices (off by "
            f"{tilt:.2f} slices). Use the image they were drawn on, and bring the mask "
            "to other images by resampling."
        )


def _planes(index: Sequence[Points], grid: Geometry) -> dict[float, list[Points]]:
    """Group contours by the height of their plane, in slices."""
    same = SAME_PLANE / grid.spacing[2]
    planes: dict[float, list[Points]] = {}
    for points in sorted(index, key=lambda p: float(p[:, 2].mean())):
        height = float(points[:, 2].mean())
        near = next((at for at in reversed(planes) if height - at < same), height)
        planes.setdefault(near, []).append(points)
    return planes


Window = tuple[int, int, int, int]


def _window(index: Sequence[Points]) -> Window:
    """Return the least rectangle around all contours: x0, y0, width, height."""
    every = np.concatenate(index)[:, :2]
    low = np.floor(every.min(axis=0)).astype(int) - 1
    high = np.ceil(every.max(axis=0)).astype(int) + 2
    return int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1])


def _fill(contours: Sequence[Points], window: Window) -> npt.NDArray[np.bool_]:
    try:
        from skimage.draw import polygon2mask
    except ImportError as error:
        raise missing_dependency("scikit-image", "radiomics") from error
    x, y, width, height = window
    plane = np.zeros((height, width), bool)
    for points in contours:
        plane ^= polygon2mask(plane.shape, points[:, 1::-1] - (y, x))
    return plane


def _without_gaps(
    heights: npt.NDArray[np.float64],
    drawn: dict[float, npt.NDArray[np.bool_]],
    step: float,
    grid: Geometry,
    what: str,
    gaps: str,
    notes: list[str],
) -> tuple[npt.NDArray[np.float64], dict[float, npt.NDArray[np.bool_]]]:
    """Look for planes that should hold a contour and do not."""
    wide = [int(i) for i in np.flatnonzero(np.diff(heights) > 1.5 * step)]
    if not wide:
        return heights, drawn
    at = heights[wide[0]]
    place = f"above slice {at:g} ({(at * grid.spacing[2]):.1f} mm from the first)"
    n = sum(round((heights[i + 1] - heights[i]) / step) - 1 for i in wide)
    if gaps == "refuse":
        raise InvalidInput(
            f"{what}: {n} slices between others have no contour, the first {place}. "
            "Draw them, or pass gaps='fill' (from their neighbours) or 'keep' (the "
            "lesion has parts)."
        )
    if gaps == "keep":
        notes.append(f"{n} slices between others have no contour, the first {place}")
        return heights, drawn
    notes.append(f"{n} slices without a contour were filled, the first {place}")
    filled = dict(drawn)
    for i in wide:
        low, high = heights[i], heights[i + 1]
        for between in np.linspace(low, high, round((high - low) / step) + 1)[1:-1]:
            part = (between - low) / (high - low)
            filled[float(between)] = _between(drawn[low], drawn[high], part)
    return np.array(sorted(filled)), filled


def _between(low: Any, high: Any, part: float) -> npt.NDArray[np.bool_]:
    """Interpolate two outlines by their distance maps."""
    near, far = (
        ndimage.distance_transform_edt(plane) - ndimage.distance_transform_edt(~plane)
        for plane in (low, high)
    )
    return np.asarray((1 - part) * near + part * far > 0)


def _place(
    inside: npt.NDArray[np.bool_],
    heights: npt.NDArray[np.float64],
    drawn: dict[float, npt.NDArray[np.bool_]],
    step: float,
    window: Window,
) -> float:
    """Give each slice its nearest plane; return the part of the volume that is lost."""
    n_slices, n_rows, n_columns = inside.shape
    x, y, width, height = window
    rows = slice(max(0, y), min(n_rows, y + height))
    columns = slice(max(0, x), min(n_columns, x + width))
    total = kept = 0
    low, high = int(np.floor(heights[0] - step)), int(np.ceil(heights[-1] + step))
    for k in range(low, high + 1):
        nearest = float(heights[np.argmin(np.abs(heights - k))])
        # Half-way counts for the plane below, so that no slice is taken twice.
        if not -0.5 - 1e-6 <= (nearest - k) / step < 0.5 - 1e-6:
            continue
        plane = drawn[nearest]
        total += int(plane.sum())
        if not 0 <= k < n_slices or rows.start >= rows.stop:
            continue
        if columns.start >= columns.stop:
            continue
        part = plane[
            rows.start - y : rows.stop - y, columns.start - x : columns.stop - x
        ]
        inside[k, rows, columns] = part
        kept += int(part.sum())
    return 1 - kept / total if total else 1.0


def _ends(grid: Geometry) -> Points:
    """Return the corners of a grid in patient coordinates."""
    size, spacing = np.array(grid.size) - 1, np.array(grid.spacing)
    axes = np.array(grid.direction).reshape(3, 3)
    corners = np.array(np.meshgrid(*([0, 1],) * 3)).reshape(3, -1).T
    return np.asarray((corners * size * spacing) @ axes.T + np.array(grid.origin))


def _bounds(points: Points) -> str:
    low, high = points.min(axis=0), points.max(axis=0)
    return (
        ", ".join(
            f"{name} {a:.1f} to {b:.1f}"
            for name, a, b in zip("xyz", low, high, strict=True)
        )
        + " mm"
    )
