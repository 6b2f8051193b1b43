"""Where on the glass a slide was scanned, as Hamamatsu's scanners note it."""

from __future__ import annotations

from sarcfeat.exceptions import InvalidInput
from sarcfeat.io.slide import Slide
from sarcfeat.io.slide_tiff import is_tiff, private_tags

__all__ = ["OFFSET_TAGS", "slide_offset"]

# Private TIFF tags of NDPI: X and Y offset from the centre of the slide, nanometres.
OFFSET_TAGS = (65422, 65423)
PROPERTIES = ("hamamatsu.XOffsetFromSlideCentre", "hamamatsu.YOffsetFromSlideCentre")


def slide_offset(slide: Slide) -> tuple[float, float]:
    """Return the centre of the scan from the centre of the glass, x and y in nm.

    Raises
    ------
    InvalidInput
        The slide does not say.
    """
    told = [slide.properties.get(name) for name in PROPERTIES]
    if None in told and is_tiff(slide.path):
        found = private_tags(slide.path, OFFSET_TAGS)
        told = [found.get(tag) for tag in OFFSET_TAGS]
    try:
        x, y = (float(value) for value in told if value is not None)
    except ValueError as error:
        raise InvalidInput(
            f"{slide.path} does not say where on the glass it was scanned "
            f"({PROPERTIES[0]}), so NDPA annotations cannot be placed. Give the NDPI "
            "file, or export the annotations as GeoJSON."
        ) from error
    return x, y
