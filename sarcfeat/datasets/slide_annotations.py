"""A simulated slide's regions, written as a pathologist's programme would."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np

from sarcfeat.datasets.slide_plan import SlidePlan
from sarcfeat.io.annotation import shapely_library

__all__ = ["ANNOTATION_WRITERS", "write_geojson", "write_ndpa"]

NAMES: Mapping[str, str] = {"C": "Centre", "P": "Periphery", "R": "Peritumoral"}
COLOURS: Mapping[str, tuple[int, int, int]] = {
    "C": (200, 30, 30),
    "P": (240, 160, 20),
    "R": (40, 120, 200),
}


def write_geojson(plan: SlidePlan, path: Path, offset: tuple[int, int]) -> None:
    """Write regions as QuPath exports them: polygons with holes, in pixels.

    Parameters
    ----------
    plan : SlidePlan
    path : Path
    offset : tuple of int
        Not needed here; see :func:`write_ndpa`.
    """
    shapely = shapely_library()
    features = []
    for name, polygon in zip(plan.regions.names, plan.regions.polygons, strict=True):
        told = {"name": NAMES[name], "color": list(COLOURS[name])}
        features.append(
            {
                "type": "Feature",
                "id": f"{name}-{plan.seed[-1]}",
                "geometry": json.loads(shapely.to_geojson(polygon)),
                "properties": {"objectType": "annotation", "classification": told},
            }
        )
    document = {"type": "FeatureCollection", "features": features}
    path.write_text(json.dumps(document) + "\n", encoding="utf-8")


def write_ndpa(plan: SlidePlan, path: Path, offset: tuple[int, int]) -> None:
    """Write regions as NDP.view does: outlines in nanometres on the glass.

    A freehand outline has no holes, so the periphery is drawn as the whole tumour (the
    centre within it counts first) and the surroundings as pieces side by side.

    Parameters
    ----------
    plan : SlidePlan
    path : Path
    offset : tuple of int
        Centre of the scan from the centre of the glass, nanometres.
    """
    states: list[str] = []
    for name, polygon in zip(plan.regions.names, plan.regions.polygons, strict=True):
        pieces = _pieces(polygon) if name == "R" else [polygon]
        for piece in pieces:
            states.append(_state(len(states) + 1, plan, name, piece, offset))
    text = '<?xml version="1.0" encoding="utf-8" standalone="yes"?>\n'
    text += "<annotations>\n" + "\n".join(states) + "\n</annotations>\n"
    path.write_text(text, encoding="utf-8")


def _pieces(ring: Any) -> list[Any]:
    """Cut what surrounds something into pieces without holes."""
    shapely = shapely_library()
    left, top, right, bottom = ring.bounds
    middle = (left + right) / 2
    halves = [
        shapely.intersection(ring, shapely.box(*side))
        for side in ((left, top, middle, bottom), (middle, top, right, bottom))
    ]
    parts = [part for half in halves for part in getattr(half, "geoms", [half])]
    return [part for part in parts if part.area > 0]


def _state(
    number: int, plan: SlidePlan, name: str, polygon: Any, offset: tuple[int, int]
) -> str:
    ring = np.asarray(polygon.exterior.coords)[:-1]
    nanometres = (ring - plan.side / 2) * 1000 * plan.mpp + offset
    points = "".join(
        f"<point><x>{round(x)}</x><y>{round(y)}</y></point>" for x, y in nanometres
    )
    red, green, blue = COLOURS[name]
    return (
        f'<ndpviewstate id="{number}"><title>{escape(NAMES[name])}</title><details/>'
        "<coordformat>nanometers</coordformat><lens>5</lens>"
        f"<x>{offset[0]}</x><y>{offset[1]}</y><z>0</z><showtitle>0</showtitle>"
        '<annotation type="freehand" displayname="AnnotateFreehand" '
        f'color="#{red:02x}{green:02x}{blue:02x}"><measuretype>0</measuretype>'
        f"<closed>1</closed><pointlist>{points}</pointlist></annotation></ndpviewstate>"
    )


ANNOTATION_WRITERS: Mapping[str, Callable[[SlidePlan, Path, tuple[int, int]], None]] = {
    "geojson": write_geojson,
    "ndpa": write_ndpa,
}
