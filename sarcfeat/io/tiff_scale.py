"""How large the pixels of a TIFF are, as its tags or its OME description say."""

from __future__ import annotations

import math
from typing import Any
from xml.etree.ElementTree import Element

from sarcfeat.io.safe_xml import parse_xml

__all__ = ["tiff_scale"]

MICROMETRES = {
    "pm": 1e-6,
    "Å": 1e-4,
    "nm": 1e-3,
    "µm": 1.0,
    "μm": 1.0,
    "um": 1.0,
    "mm": 1e3,
    "cm": 1e4,
    "dm": 1e5,
    "m": 1e6,
    "in": 25_400.0,
}
PER_UNIT = {2: 25_400.0, 3: 10_000.0}  # micrometres in an inch, in a centimetre
Scale = tuple[float, float] | None


def tiff_scale(
    path: str, file: Any, page: Any, number: int
) -> tuple[Scale, float | None]:
    """Return µm per pixel along x and y, and the magnification, as far as told.

    Parameters
    ----------
    path : str
        For the message.
    file : tifffile.TiffFile
    page : tifffile.TiffPage
        Level 0 of the slide.
    number : int
        Which of the file's images it is.
    """
    scale: Scale = None
    magnification = None
    if file.is_ome:
        scale, magnification = _ome_scale(path, file.ome_metadata, page, number)
    return scale or _tag_scale(page), magnification


def _tag_scale(page: Any) -> Scale:
    unit = PER_UNIT.get(int(page.tags.valueof("ResolutionUnit", 2)))
    across = _ratio(page.tags.valueof("XResolution"))
    down = _ratio(page.tags.valueof("YResolution"))
    if unit is None or not across or not down:
        return None
    return unit / across, unit / down


def _ratio(value: Any) -> float | None:
    if not isinstance(value, tuple) or len(value) != 2 or not value[0] or not value[1]:
        return None
    return float(value[0]) / float(value[1])


def _ome_scale(
    path: str, text: str, page: Any, number: int
) -> tuple[Scale, float | None]:
    root = parse_xml(text, f"{path} (its OME description)")
    told = [element.attrib for element in root.iter() if _tag(element) == "Pixels"]
    size = str(page.imagewidth), str(page.imagelength)
    # The label and the macro picture have a scale of their own.
    mine = [one for one in told if (one.get("SizeX"), one.get("SizeY")) == size]
    if told[number : number + 1] and told[number] in mine:
        mine = [told[number]]
    sizes = [_micrometres(mine[0], axis) for axis in "XY"] if mine else [0.0]
    powers = (
        _positive(element.get("NominalMagnification"))
        for element in root.iter()
        if _tag(element) == "Objective"
    )
    magnification = next((power for power in powers if power is not None), None)
    return (sizes[0], sizes[1]) if min(sizes) > 0 else None, magnification


def _tag(element: Element) -> str:
    return element.tag.rpartition(":")[2].rpartition("}")[2]


def _micrometres(told: dict[str, str], axis: str) -> float:
    unit = MICROMETRES.get(told.get(f"PhysicalSize{axis}Unit", "µm"), 0.0)
    return (_positive(told.get(f"PhysicalSize{axis}")) or 0.0) * unit


def _positive(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number > 0 else None
