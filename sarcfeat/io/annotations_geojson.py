"""Outlines exported by QuPath, or by anything else that writes GeoJSON."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt

from sarcfeat.exceptions import InputCorrupt
from sarcfeat.io.annotation import Annotation, outlined

__all__ = ["read_geojson"]

# What QuPath finds by itself; regions are annotations.
FOUND = ("cell", "detection", "tile", "root")
KINDS = ("Polygon", "MultiPolygon", "LineString", "GeometryCollection")


def read_geojson(path: str, text: str) -> list[Annotation]:
    """Return the outlines of a GeoJSON document; points and objects found are left out.

    Raises
    ------
    InputCorrupt
        It is no JSON, no GeoJSON, or an outline cannot be one.

    References
    ----------
    RFC 7946; QuPath's object export, qupath.readthedocs.io.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputCorrupt(f"{path} is no JSON: {error}. Export it again.") from error
    annotations = []
    for number, feature in enumerate(_features(path, document), start=1):
        properties = feature.get("properties")
        told: dict[str, Any] = properties if isinstance(properties, dict) else {}
        if str(told.get("objectType", "annotation")).lower() in FOUND:
            continue
        name = _name(told)
        where = f"{path}: annotation {number} ({name!r})"
        geometry = feature.get("geometry")
        if not isinstance(geometry, dict):
            raise InputCorrupt(f"{where} has no geometry.")
        if geometry.get("type") in KINDS:
            annotations.append(_read_one(where, name, geometry))
    return annotations


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
