"""Outlines drawn on slides: Hamamatsu NDPA, QuPath GeoJSON, ASAP XML."""

from __future__ import annotations

from os import PathLike, fspath
from pathlib import Path

from sarcfeat.exceptions import InputCorrupt, InputTooLarge, InvalidInput
from sarcfeat.io.annotation import Annotation
from sarcfeat.io.annotations_asap import read_asap
from sarcfeat.io.annotations_geojson import read_geojson
from sarcfeat.io.annotations_ndpa import read_ndpa
from sarcfeat.io.itk import check_readable
from sarcfeat.io.safe_xml import parse_xml
from sarcfeat.io.slide import Slide

__all__ = ["Annotation", "read_annotations"]

LARGEST = 200_000_000  # bytes; outlines of regions need a few kilobytes


def read_annotations(
    path: str | PathLike[str], *, slide: Slide | None = None
) -> list[Annotation]:
    """Read the outlines that somebody drew on a slide, in pixels of level 0.

    Parameters
    ----------
    path : str or path
        An ``.ndpa`` of NDP.view, a ``.geojson`` of QuPath or an ``.xml`` of ASAP; what
        it is, its content tells.
    slide : Slide, optional
        The open slide. NDPA needs it, since it has nanometres on the glass; QuPath's
        outlines need it where the scanner left glass out (MRXS, Leica), since QuPath
        counts from the scanned area. Where it is given, an outline that lies outside
        it is refused: it is another slide's.

    Returns
    -------
    list of Annotation
        In the order of the file. Rulers, arrows and points are left out.

    Raises
    ------
    InputMissing, InputEmpty
        There is no file, or it has no bytes.
    InputCorrupt
        It is none of these formats, or an outline cannot be read; the message names
        file and annotation.
    UntrustedFile
        Its XML declares entities.
    InvalidInput
        NDPA without its slide, or an outline outside the slide.

    Examples
    --------
    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "drawn.geojson")
    >>> with open(path, "w") as file:
    ...     _ = file.write('''[{"type": "Feature", "geometry": {"type": "Polygon",
    ...         "coordinates": [[[0, 0], [40, 0], [40, 30], [0, 0]]]},
    ...         "properties": {"classification": {"name": "Centre"}}}]''')
    >>> [(a.name, a.kind, a.polygon.area) for a in read_annotations(path)]
    [('Centre', 'polygon', 600.0)]
    """
    name = fspath(path)
    check_readable(name)
    size = Path(name).stat().st_size
    if size > LARGEST:
        raise InputTooLarge(
            f"{name} has {size:,} bytes; annotations have {LARGEST:,} at most. Export "
            "the regions alone, without cells and detections."
        )
    data = Path(name).read_bytes()
    annotations = _parsed(name, data, slide)
    if slide is not None:
        for number, one in enumerate(annotations, start=1):
            _check_place(name, number, one, slide)
    return annotations


def _parsed(path: str, data: bytes, slide: Slide | None) -> list[Annotation]:
    text = data.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text[:1] in (b"{", b"["):
        try:
            return read_geojson(path, text.decode("utf-8"), slide)
        except UnicodeDecodeError as error:
            raise InputCorrupt(f"{path} is no UTF-8 text: {error}.") from error
    if text[:1] != b"<" and data[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        raise InputCorrupt(
            f"{path} holds no annotations: expected NDPA, GeoJSON or ASAP's XML, and "
            f"it begins with {text[:12]!r}."
        )
    root = parse_xml(data, path)
    if root.tag == "annotations":
        return read_ndpa(path, root, slide)
    if root.tag == "ASAP_Annotations":
        return read_asap(path, root)
    raise InputCorrupt(
        f"{path} is XML with the root {root.tag!r}; expected 'annotations' (NDPA) or "
        "'ASAP_Annotations'."
    )


def _check_place(path: str, number: int, one: Annotation, slide: Slide) -> None:
    left, top, right, bottom = one.polygon.bounds
    width, height = slide.dimensions
    if right < 0 or bottom < 0 or left > width or top > height:
        raise InvalidInput(
            f"{path}: annotation {number} ({one.name!r}) lies at x {left:.0f} to "
            f"{right:.0f}, y {top:.0f} to {bottom:.0f}; {slide.path} has {width} × "
            f"{height} pixels. Give the slide it was drawn on."
        )
