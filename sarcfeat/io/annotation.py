"""One outline that somebody drew on a slide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sarcfeat._validation import missing_dependency
from sarcfeat.exceptions import InputCorrupt

__all__ = ["Annotation", "areas_of", "circle", "outlined", "shapely_library"]

CIRCLE = 64  # segments a quarter of a circle


@dataclass(frozen=True, eq=False)
class Annotation:
    """An outline with the name its author gave it.

    Parameters
    ----------
    name : str
        Title or class; empty where there is none.
    polygon : shapely Polygon or MultiPolygon
        In pixels of level 0 of the slide.
    kind : str
        What was drawn: ``"freehand"``, ``"circle"``, ``"polygon"``, ….
    notes : tuple of str
        What was repaired: a contour closed, a crossing undone.
    """

    name: str
    polygon: Any
    kind: str
    notes: tuple[str, ...] = ()


def outlined(
    where: str,
    name: str,
    kind: str,
    rings: Sequence[Sequence[npt.NDArray[np.float64]]],
    *,
    opened: bool = False,
) -> Annotation:
    """Build an annotation of one or several polygons, each an outline and its holes.

    Parameters
    ----------
    where : str
        File and annotation, for messages.
    name, kind : str
        See :class:`Annotation`.
    rings : sequence of sequences of arrays (n, 2)
        A polygon each: its outline, then its holes.
    opened : bool
        The contour was drawn open; it is closed and the notes say so.

    Raises
    ------
    InputCorrupt
        Fewer than three points, points that are no numbers, or no area.
    """
    notes = ["an open contour was closed"] if opened else []
    parts = []
    for one in rings:
        polygon, crossed = _polygon_of(where, one)
        parts.append(polygon)
        if crossed and "a contour that crosses itself was repaired" not in notes:
            notes.append("a contour that crosses itself was repaired")
    shapely = shapely_library()
    whole = parts[0] if len(parts) == 1 else shapely.union_all(parts)
    return Annotation(name, whole, kind, tuple(notes))


def _polygon_of(
    where: str, rings: Sequence[npt.NDArray[np.float64]]
) -> tuple[Any, bool]:
    """Return the polygon of an outline and its holes, and whether it was repaired."""
    shapely = shapely_library()
    if not rings:
        raise InputCorrupt(f"{where} has no points. Delete it in the viewer.")
    for ring in rings:
        if not np.isfinite(ring).all():
            raise InputCorrupt(f"{where} has points that are no numbers.")
        places = len(np.unique(ring, axis=0))
        if places < 3:
            raise InputCorrupt(
                f"{where} has {places} different points; an outline has three or more. "
                "Delete it in the viewer."
            )
    polygon = shapely.Polygon(rings[0], rings[1:])
    crossed = not polygon.is_valid
    if crossed:
        polygon = areas_of(shapely.make_valid(polygon))
    if polygon.is_empty or not polygon.area > 0:
        raise InputCorrupt(f"{where} encloses no area. Delete it in the viewer.")
    return polygon, crossed


def areas_of(geometry: Any) -> Any:
    """Keep the polygons of a geometry; lines and points enclose nothing."""
    shapely = shapely_library()
    kinds = ("Polygon", "MultiPolygon")
    parts = [
        part
        for part in getattr(geometry, "geoms", [geometry])
        if part.geom_type in kinds
    ]
    return shapely.union_all(parts) if parts else shapely.Polygon()


def circle(x: float, y: float, radius: float) -> npt.NDArray[np.float64]:
    """Return the outline of a circle."""
    angle = np.linspace(0, 2 * np.pi, 4 * CIRCLE, endpoint=False)
    return np.column_stack([x + radius * np.cos(angle), y + radius * np.sin(angle)])


def shapely_library() -> Any:
    """Return shapely, or say what to install."""
    try:
        import shapely
    except ImportError as error:
        raise missing_dependency("shapely", "wsi") from error
    return shapely
