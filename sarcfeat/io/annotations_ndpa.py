"""Outlines drawn in Hamamatsu's NDP.view (``.ndpa``)."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

import numpy as np

from sarcfeat.exceptions import InputCorrupt, InvalidInput
from sarcfeat.io.annotation import Annotation, circle, outlined
from sarcfeat.io.slide import Slide
from sarcfeat.io.slide_offset import slide_offset

__all__ = ["read_ndpa"]

# Rulers, arrows and pins mark no area.
NO_AREA = ("linearmeasure", "pointer", "pin", "line", "angle")


def read_ndpa(path: str, root: Element, slide: Slide | None) -> list[Annotation]:
    """Return the outlines of an NDPA document in pixels of level 0.

    The file has nanometres from the centre of the glass slide; where the scan lies on
    it, the slide says (``hamamatsu.XOffsetFromSlideCentre``, nanometres):
    px = (x − offset) / (1000 · mpp) + width / 2.

    Raises
    ------
    InvalidInput
        Without the slide, or one that does not say where on the glass it was scanned.
    InputCorrupt
        An outline has no points or no name tags that can be read.

    References
    ----------
    OpenSlide's notes on the format, openslide.org/formats/hamamatsu.
    """
    if slide is None:
        raise InvalidInput(
            f"{path} has nanometres on the glass; give slide=, the open slide, so that "
            "they become pixels."
        )
    offset = slide_offset(slide)
    annotations = []
    for number, state in enumerate(root.iter("ndpviewstate"), start=1):
        name = (state.findtext("title") or "").strip()
        where = f"{path}: annotation {state.get('id', number)} ({name!r})"
        unit = (state.findtext("coordformat") or "nanometers").strip()
        if unit != "nanometers":
            raise InputCorrupt(f"{where} has coordinates in {unit!r}, not nanometers.")
        for drawn in state.iter("annotation"):
            kind = drawn.get("type", "")
            if kind not in NO_AREA:
                annotations.append(_read_one(where, name, kind, drawn, slide, offset))
    return annotations


def _read_one(
    where: str,
    name: str,
    kind: str,
    drawn: Element,
    slide: Slide,
    offset: tuple[float, float],
) -> Annotation:
    scale = 1000 * np.array(slide.mpp_xy)
    centre = np.array(slide.dimensions) / 2
    if kind == "circle":
        x, y, radius = (_number(where, drawn, tag) for tag in ("x", "y", "radius"))
        middle = (np.array([x, y]) - offset) / scale + centre
        ring = circle(middle[0], middle[1], abs(radius) / (1000 * slide.mpp))
        return outlined(where, name, kind, [[ring]])
    points: list[Any] = [
        [_number(where, point, "x"), _number(where, point, "y")]
        for point in drawn.iterfind("pointlist/point")
    ]
    if not points:
        raise InputCorrupt(f"{where} of type {kind!r} has no points.")
    ring = (np.array(points, np.float64) - offset) / scale + centre
    # A contour that ends where it began is closed, whatever the flag says.
    opened = drawn.findtext("closed", "1").strip() == "0" and bool(
        (ring[0] != ring[-1]).any()
    )
    return outlined(where, name, kind, [[ring]], opened=opened)


def _number(where: str, element: Element, tag: str) -> float:
    text = element.findtext(tag)
    try:
        return float(text or "")
    except ValueError as error:
        raise InputCorrupt(f"{where} has {tag}={text!r}; expected a number.") from error
