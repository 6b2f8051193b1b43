"""How large the pixels of a TIFF are, as its tags or its OME description say."""

from __future__ import annotations

import math
from typing import Any

from sarcfeat.io.safe_xml import parse_xml

__all__ = ["tiff_scale"]

MICROMETRES = {
    "nm": 1e-3,
    "µm": 1.0,
    "μm": 1.0,
    "um": 1.0,
    "mm": 1e3,
    "cm": 1e4,
    "m": 1e6,
}
PER_UNIT = {2: 25_400.0, 3: 10_000.0}  # micrometres in an inch, in a centimetre


def tiff_scale(
    path: str, file: Any, page: Any
) -> tuple[tuple[float, float] | None, float | None]:
    """Return µm per pixel along x and y, and the magnification, as far as told."""
    if file.is_ome:
        return _ome_scale(path, file.ome_metadata)
    unit = PER_UNIT.get(int(page.tags.valueof("ResolutionUnit", 2)))
    across = _ratio(page.tags.valueof("XResolution"))
    down = _ratio(page.tags.valueof("YResolution"))
    if unit is None or not across or not down:
        return None, None
    return (unit / across, unit / down), None


def _ratio(value: Any) -> float | None:
    if not isinstance(value, tuple) or len(value) != 2 or not value[0] or not value[1]:
        return None
    return float(value[0]) / float(value[1])


def _ome_scale(path: str, text: str) -> tuple[tuple[float, float] | None, float | None]:
    root = parse_xml(text, f"{path} (its OME description)")
    sizes: list[float] = []
    magnification = None
    for element in root.iter():
        tag = element.tag.rpartition(":")[2].rpartition("}")[2]
        if tag == "Pixels" and not sizes:
            sizes = [_micrometres(element.attrib, axis) for axis in "XY"]
        if tag == "Objective" and magnification is None:
            magnification = _positive(element.get("NominalMagnification"))
    if len(sizes) == 2 and all(size > 0 for size in sizes):
        return (sizes[0], sizes[1]), magnification
    return None, magnification


def _micrometres(told: dict[str, str], axis: str) -> float:
    unit = MICROMETRES.get(told.get(f"PhysicalSize{axis}Unit", "µm"), 0.0)
    return (_positive(told.get(f"PhysicalSize{axis}")) or 0.0) * unit


def _positive(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number > 0 else None
