"""Outlines drawn in ASAP (Automated Slide Analysis Platform), as XML."""

from __future__ import annotations

from xml.etree.ElementTree import Element

import numpy as np

from sarcfeat.exceptions import InputCorrupt
from sarcfeat.io.annotation import Annotation, outlined

__all__ = ["read_asap"]

NO_AREA = ("Dot", "PointSet", "Measurement")


def read_asap(path: str, root: Element) -> list[Annotation]:
    """Return the outlines of an ASAP document; dots and rulers mark no area.

    The name is that of the group; an annotation in no group has its own.

    Raises
    ------
    InputCorrupt
        An outline has too few points, or points that are no numbers.

    References
    ----------
    github.com/computationalpathologygroup/ASAP.
    """
    annotations = []
    for number, drawn in enumerate(root.iter("Annotation"), start=1):
        kind = drawn.get("Type", "")
        if kind in NO_AREA:
            continue
        group = (drawn.get("PartOfGroup") or "").strip()
        own = (drawn.get("Name") or "").strip()
        name = own if group in ("", "None") else group
        where = f"{path}: annotation {number} ({own or name!r})"
        points = sorted(
            (_point(where, one) for one in drawn.iterfind("Coordinates/Coordinate")),
            key=lambda point: point[0],
        )
        if not points:
            raise InputCorrupt(f"{where} has no points. Delete it in the viewer.")
        ring = np.array([point[1:] for point in points], np.float64)
        annotations.append(outlined(where, name, kind.lower(), [[ring]]))
    return annotations


def _point(where: str, element: Element) -> tuple[float, float, float]:
    told = [element.get(key) for key in ("Order", "X", "Y")]
    try:
        # Some systems write a comma for the decimal point.
        order, x, y = (float((text or "").replace(",", ".")) for text in told)
    except ValueError as error:
        raise InputCorrupt(
            f"{where} has a point with Order, X, Y = {told}; expected numbers."
        ) from error
    return order, x, y
