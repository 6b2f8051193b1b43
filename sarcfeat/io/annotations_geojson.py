"""Outlines exported by QuPath, or by anything else that writes GeoJSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sarcfeat.exceptions import InputCorrupt
from sarcfeat.io.annotation import Annotation, outlined, shapely_library
from sarcfeat.io.slide import Slide

__all__ = ["read_geojson"]

# What QuPath finds by itself; regions are annotations. Version 0.2 wrote class names
# as id ("PathCellObject"), later ones objectType.
FOUND = ("cell", "detection", "tile", "root", "tmacore")
KINDS = ("Polygon", "MultiPolygon", "LineString", "GeometryCollection")
BESIDE = 0.02  # share of the slide by which an outline may hang over its edge


def read_geojson(path: str, text: str, slide: Slide | None = None) -> list[Annotation]:
    """Return the outlines of a GeoJSON document; points and objects found are left out.

    QuPath shows the scanned area of a slide alone and counts pixels from its corner;
    its outlines are moved to where they lie on the whole slide.

    Raises
    ------
    InputCorrupt
        It is no JSON, no GeoJSON, or an outline cannot be one.

    References
    ----------
    RFC 7946; QuPath's object export, qupath.readthedocs.io; its ``QuPathTypeAdapters``
    and ``OpenslideImageServer``.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputCorrupt(f"{path} is no JSON: {error}. Export it again.") from error
    annotations, qupath = [], False
    features = _nested(_features(path, document))
    for number, feature in enumerate(features, start=1):
        told = _properties(feature)
        kind = _object_type(feature)
        qupath |= kind is not None or "isLocked" in told
        if kind in FOUND:
            continue
        name = _name(told)
        where = f"{path}: annotation {number} ({name!r})"
        geometry = feature.get("geometry")
        if not isinstance(geometry, dict):
            raise InputCorrupt(f"{where} has no geometry.")
        if geometry.get("type") in KINDS and not _is_ruler(geometry):
            annotations.append(_read_one(where, name, geometry))
    return _moved(annotations, slide) if qupath and slide is not None else annotations


def _moved(annotations: list[Annotation], slide: Slide) -> list[Annotation]:
    """Move outlines from QuPath's picture, the scanned area, onto the whole slide."""
    x, y, width, height = slide.bounds
    if not annotations or not (x or y):
        return annotations
    shapely = shapely_library()
    left, top, right, bottom = shapely.total_bounds([a.polygon for a in annotations])
    over = BESIDE * max(width, height)
    if min(left, top) < -over or right > width + over or bottom > height + over:
        return annotations  # drawn on the whole slide: QuPath's --no-crop
    note = f"QuPath counts from the scanned area: moved by {x} and {y} pixels"
    return [
        replace(
            one,
            polygon=shapely.transform(
                one.polygon, lambda points: np.add(points, (x, y))
            ),
            notes=(*one.notes, note),
        )
        for one in annotations
    ]


def _nested(features: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield features and, after each, those that QuPath put within it."""
    for feature in features:
        yield feature
        within = _properties(feature).get("childObjects")
        if isinstance(within, list):
            yield from _nested([one for one in within if isinstance(one, dict)])


def _properties(feature: dict[str, Any]) -> dict[str, Any]:
    properties = feature.get("properties")
    return properties if isinstance(properties, dict) else {}


def _object_type(feature: dict[str, Any]) -> str | None:
    """Return what an object is in QuPath, or None where it is none of QuPath's."""
    told = _properties(feature)
    kind = told.get("objectType", told.get("object_type"))
    if kind is None:
        known = str(feature.get("id", ""))
        if not known.endswith("Object"):
            return None
        kind = known.removeprefix("Path").removesuffix("Object")
    return str(kind).lower().replace("_", "")


def _is_ruler(geometry: dict[str, Any]) -> bool:
    held = geometry.get("coordinates")
    straight = isinstance(held, list) and len(held) == 2
    return geometry.get("type") == "LineString" and straight


def _features(path: str, document: Any) -> list[dict[str, Any]]:
    if isinstance(document, dict):
        kind = document.get("type")
        if kind == "FeatureCollection":
            document = document.get("features")
        elif kind == "Feature":
            document = [document]
        elif kind in KINDS:
            document = [{"geometry": document}]
    if not isinstance(document, list) or not all(
        isinstance(one, dict) and "geometry" in one for one in document
    ):
        raise InputCorrupt(
            f"{path} is no GeoJSON: expected a FeatureCollection, or a list of "
            "features with a geometry."
        )
    return document


def _name(told: dict[str, Any]) -> str:
    """Return the class, or else the name, of an object of QuPath."""
    kind = told.get("classification")
    if isinstance(kind, dict):
        kind = kind.get("name") or " ".join(map(str, kind.get("names") or []))
    return str(kind or told.get("name") or "").strip()


def _read_one(where: str, name: str, geometry: dict[str, Any]) -> Annotation:
    rings, opened = [], False
    for part in _parts(where, geometry):
        kind, held = part.get("type"), part.get("coordinates")
        polygons = {"Polygon": [held], "LineString": [[held]], "MultiPolygon": held}
        for polygon in _list(where, polygons.get(str(kind))):
            outline = [_ring(where, ring) for ring in _list(where, polygon)]
            opened |= any(bool((ring[0] != ring[-1]).any()) for ring in outline)
            rings.append(outline)
    if not rings:
        raise InputCorrupt(f"{where} has no points. Delete it in the viewer.")
    return outlined(where, name, "polygon", rings, opened=opened)


def _parts(where: str, geometry: dict[str, Any]) -> list[dict[str, Any]]:
    if geometry.get("type") != "GeometryCollection":
        return [geometry]
    parts = _list(where, geometry.get("geometries"))
    return [part for part in parts if isinstance(part, dict) and "coordinates" in part]


def _list(where: str, held: Any) -> list[Any]:
    if not isinstance(held, list):
        raise InputCorrupt(f"{where} has coordinates that are no list.")
    return held


def _ring(where: str, held: Any) -> npt.NDArray[np.float64]:
    try:
        ring = np.array([point[:2] for point in held], np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputCorrupt(
            f"{where} has coordinates that are no points: {error}."
        ) from error
    if ring.ndim != 2 or ring.shape[1] != 2:
        raise InputCorrupt(f"{where} has coordinates that are no points.")
    return ring
