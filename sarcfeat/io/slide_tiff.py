"""Slides that only tifffile reads: OME-TIFF with its pyramid, tiled or striped TIFF.

A window is read by decoding the tiles it touches and no others.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Sequence
from os import PathLike, fspath
from typing import Any

import numpy as np
import numpy.typing as npt

from sarcfeat._validation import missing_dependency
from sarcfeat.exceptions import InputCorrupt, InputTooLarge, InvalidInput
from sarcfeat.io.memory import check_room
from sarcfeat.io.slide_level import Level
from sarcfeat.io.tiff_pixels import as_rgb, check_colours, shown_planes
from sarcfeat.io.tiff_scale import tiff_scale

__all__ = ["TiffSource", "is_tiff", "private_tags", "tifffile_reads_better"]

Pixels = npt.NDArray[np.uint8]
MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
AXES = ("YXS", "YX", "SYX")
JPEG = 7
CACHE = 48_000_000  # bytes of decoded tiles kept
# One tile of a slide; a strip as wide as a slide may be larger and is asked about.
TILE = 64_000_000


def is_tiff(path: str | PathLike[str]) -> bool:
    """Return whether a file begins as a TIFF."""
    with open(path, "rb") as file:
        return file.read(4) in MAGIC


def tifffile_reads_better(path: str | PathLike[str]) -> bool:
    """Return whether OpenSlide, which opens a generic TIFF, would not see it whole.

    Of OME-TIFF and other pyramids in sub-directories it sees the first level only, and
    grey of 16 bits it reads wrongly.
    """
    with _opened(fspath(path)) as file:
        try:
            first = file.pages[0]
            wide = first.dtype is not None and first.dtype.itemsize > 1
            return bool(file.is_ome or first.subifds or wide)
        except _broken() as error:
            raise _unreadable(fspath(path), error) from error


def private_tags(path: str, codes: Sequence[int]) -> dict[int, str]:
    """Return those of some tags of the first page that are there, as text."""
    with _opened(path) as file:
        tags = file.pages[0].tags
        return {code: str(tags[code].value) for code in codes if code in tags}


def _opened(path: str) -> Any:
    try:
        import tifffile
    except ImportError as error:
        raise missing_dependency("tifffile", "wsi") from error
    try:
        return tifffile.TiffFile(path)
    except _broken() as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str, error: Exception) -> InputCorrupt:
    return InputCorrupt(
        f"{path} cannot be read as a TIFF: {error}. Copy it again from its source."
    )


def _broken() -> tuple[type[Exception], ...]:
    """Return what the libraries raise on bytes that are not what they should be."""
    # TiffFileError and the codecs' errors are ValueError and RuntimeError.
    return (
        ArithmeticError,
        AttributeError,
        LookupError,
        MemoryError,
        NotImplementedError,
        OSError,
        RuntimeError,
        TypeError,
        ValueError,
        struct.error,
    )


class TiffSource:
    """One open TIFF.

    Parameters
    ----------
    path : str
        The slide.

    Raises
    ------
    InputCorrupt
        It cannot be read, or ends before its last tile.
    InvalidInput
        It is no 8-bit RGB or grey image.
    """

    reader = "tifffile"
    found: dict[str, str]
    levels: tuple[Level, ...]
    mpp: tuple[float, float] | None
    magnification: float | None

    def __init__(self, path: str) -> None:
        self.path = path
        self._file: Any = None
        self._pages: list[Any] = []
        self._cache: OrderedDict[tuple[int, int], Pixels | None] = OrderedDict()
        self._held = 0
        self.reopen()

    def reopen(self) -> None:
        """Close the file and open it anew."""
        self.close()
        self._file = _opened(self.path)
        try:
            self._pages = _pyramid(self.path, self._file)
            first = self._pages[0]
            for page in self._pages:
                _check_page(self.path, page, self._file.filehandle.size)
            self.levels = tuple(
                Level(
                    page.imagewidth,
                    page.imagelength,
                    (
                        first.imagewidth / page.imagewidth
                        + first.imagelength / page.imagelength
                    )
                    / 2,
                )
                for page in self._pages
            )
            number = _slide_series(self.path, self._file)
            self.mpp, self.magnification = tiff_scale(
                self.path, self._file, first, number
            )
        except (InputCorrupt, InputTooLarge, InvalidInput):
            self.close()
            raise
        except _broken() as error:
            self.close()
            raise _unreadable(self.path, error) from error
        self.found = {
            f"tiff.{name}": str(first.tags[name].value)
            for name in ("Make", "Model")
            if name in first.tags
        }

    def close(self) -> None:
        """Let the file and the decoded tiles go."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._pages = []
        self._cache.clear()
        self._held = 0

    def read(self, x: int, y: int, level: int, width: int, height: int) -> Pixels:
        """Return pixels of a level from level-0 position (x, y); white outside."""
        down = self.levels[level].downsample
        left, top = round(x / down), round(y / down)
        page = self._pages[level]
        out = np.full((height, width, 3), 255, np.uint8)
        tall, wide = _segment_size(page)
        rows = range(
            max(top, 0) // tall, -(-min(top + height, page.imagelength) // tall)
        )
        columns = range(
            max(left, 0) // wide, -(-min(left + width, page.imagewidth) // wide)
        )
        for row in rows:
            for column in columns:
                tile = self._tile(level, row, column)
                if tile is not None:
                    _paste(tile, row * tall - top, column * wide - left, out)
        return out

    def _tile(self, level: int, row: int, column: int) -> Pixels | None:
        page = self._pages[level]
        tall, wide = _segment_size(page)
        across = -(-page.imagewidth // wide)
        index = row * across + column
        key = (level, index)
        if key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key]
        try:
            tile = self._decoded(page, index)
        except _broken() as error:
            raise InputCorrupt(
                f"{self.path} cannot be read: tile {column} of row {row} of level "
                f"{level}: {error}. Copy the file again from its source, or leave this "
                "tile out."
            ) from error
        if tile is not None:
            # Tiles at the edge are padded; what lies beyond the image is white.
            tile = tile[
                : page.imagelength - row * tall, : page.imagewidth - column * wide
            ]
        self._cache[key] = tile
        self._held += 0 if tile is None else tile.nbytes
        while self._held > CACHE and len(self._cache) > 1:
            old = self._cache.popitem(last=False)[1]
            self._held -= 0 if old is None else old.nbytes
        return tile

    def _decoded(self, page: Any, index: int) -> Pixels | None:
        per_plane = len(page.dataoffsets)
        if page.planarconfig == 2:
            per_plane //= page.samplesperpixel
        parts = [
            _decoded_segment(self._file.filehandle, page, index + plane * per_plane)
            for plane in range(shown_planes(page))
        ]
        held = [part for part in parts if part is not None]
        if len(held) < len(parts):
            return None
        return as_rgb(held[0] if len(held) == 1 else np.concatenate(held, -1), page)


def _decoded_segment(handle: Any, page: Any, index: int) -> Pixels | None:
    count = page.databytecounts[index]
    if not count:
        return None
    handle.seek(page.dataoffsets[index])
    data = handle.read(count)
    if len(data) < count:
        raise ValueError(f"{count:,} bytes expected, {len(data):,} there")
    if page.compression == JPEG:
        _check_jpeg(data, page)
    told = {"jpegtables": page.jpegtables, "jpegheader": page.jpegheader}
    pixels = page.decode(data, index, **told)[0]
    return None if pixels is None else pixels[0]


def _check_jpeg(data: bytes, page: Any) -> None:
    """Refuse a JPEG that says it is larger than its tile, before it is decoded."""
    height, width = _jpeg_size(data)
    tall, wide = _segment_size(page)
    if height > tall or width > wide:
        raise ValueError(f"its JPEG has {width} × {height} pixels, not {wide} × {tall}")


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Return height and width of the first frame; 0, 0 where there is none."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, at + 5)
            return int(height), int(width)
        if marker == 0xFF:
            at += 1
            continue
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return 0, 0


def _segment_size(page: Any) -> tuple[int, int]:
    if page.is_tiled:
        return int(page.tilelength), int(page.tilewidth)
    rows = min(int(page.rowsperstrip), int(page.imagelength))
    return max(rows, 1), int(page.imagewidth)


def _paste(tile: Pixels, top: int, left: int, out: Pixels) -> None:
    height, width = tile.shape[:2]
    rows = slice(max(top, 0), min(top + height, out.shape[0]))
    columns = slice(max(left, 0), min(left + width, out.shape[1]))
    if rows.start < rows.stop and columns.start < columns.stop:
        out[rows, columns] = tile[
            rows.start - top : rows.stop - top,
            columns.start - left : columns.stop - left,
        ]


def _slide_series(path: str, file: Any) -> int:
    """Return which image is the slide: the largest; the others are label and macro."""
    if not file.series:
        raise InputCorrupt(f"{path} holds no image. Copy it again from its source.")
    pages = [series.keyframe for series in file.series]
    areas = [page.imagewidth * page.imagelength for page in pages]
    return areas.index(max(areas))


def _pyramid(path: str, file: Any) -> list[Any]:
    """Return the first page of each level of the slide."""
    series = file.series[_slide_series(path, file)]
    if series.axes not in AXES:
        raise InvalidInput(
            f"{path} has the axes {series.axes} and the shape {series.shape}; expected "
            "one RGB or grey image. Export the brightfield image alone; red, green and "
            "blue as channels of their own become one with raw2ometiff --rgb."
        )
    pages = [level.keyframe for level in series.levels]
    # tifffile finds levels that are two, three or four times as coarse, no others.
    within = pages[0].pages if pages[0].subifds else ()
    copies = [page for page in file.pages if page.subfiletype & 1]
    for page in [*within, *copies]:
        if _is_copy(page.keyframe, pages[0], pages[-1]):
            pages.append(page.keyframe)
    return pages


def _is_copy(page: Any, first: Any, last: Any) -> bool:
    down = first.imagewidth / page.imagewidth
    same = abs(first.imagelength / page.imagelength / down - 1) < 0.02
    return bool(same and page.is_tiled and page.imagewidth < last.imagewidth)


def _check_page(path: str, page: Any, size: int) -> None:
    check_colours(path, page)
    tall, wide = _segment_size(page)
    if min(tall, wide) < 1:
        raise InputCorrupt(f"{path} has tiles of {wide} × {tall} pixels.")
    if tall * wide * page.samplesperpixel > TILE:
        if page.is_tiled:
            raise InputTooLarge(
                f"{path} says its tiles have {wide:,} × {tall:,} pixels. The header is "
                "damaged, or the file is no slide: convert it with tiles of 512."
            )
        check_room(path, (wide, tall), int(page.samplesperpixel))
    expected = -(-page.imagelength // tall) * -(-page.imagewidth // wide)
    if page.planarconfig == 2:
        expected *= page.samplesperpixel
    counts, offsets = page.databytecounts, page.dataoffsets
    if len(counts) != expected or len(offsets) != expected:
        raise InputCorrupt(
            f"{path} lists {len(offsets):,} tiles of {expected:,}. The header is "
            "damaged: copy the file again."
        )
    end = max((a + b for a, b in zip(offsets, counts, strict=True)), default=0)
    if end > size:
        raise InputCorrupt(
            f"{path} is cut off: its last tile ends at byte {end:,}, the file at "
            f"{size:,}. Copy it again from its source."
        )
