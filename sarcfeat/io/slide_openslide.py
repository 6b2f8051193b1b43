"""Slides that OpenSlide reads: SVS, NDPI, MRXS, generic tiled TIFF and others."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sarcfeat._validation import missing_dependency
from sarcfeat.exceptions import InputCorrupt, InputTooLarge
from sarcfeat.io.slide_level import Level
from sarcfeat.io.slide_tiff import tifffile_reads_better

__all__ = ["OpenSlideSource", "openslide_reads"]

Pixels = npt.NDArray[np.uint8]
LARGEST_TILE = 1 << 26  # pixels; scanners write tiles of 2**14 to 2**20


def openslide_reads(path: str) -> bool:
    """Return whether OpenSlide knows the format and is the reader for it."""
    kind = _openslide().OpenSlide.detect_format(path)
    better = kind == "generic-tiff" and tifffile_reads_better(path)
    return kind is not None and not better


def _openslide() -> Any:
    try:
        import openslide
    except ImportError as error:
        raise missing_dependency("openslide", "wsi") from error
    return openslide


class OpenSlideSource:
    """One open OpenSlide handle.

    After one unreadable tile OpenSlide answers every later question with the same
    error; `reopen` takes a new handle.

    Parameters
    ----------
    path : str
        The slide.

    Raises
    ------
    InputCorrupt
        OpenSlide knows the format and cannot open the file.
    InputTooLarge
        Its tiles are larger than tiles can be.
    """

    reader = "openslide"
    _handle: Any

    def __init__(self, path: str) -> None:
        self.path = path
        self._library = _openslide()
        self._handle = None
        self.reopen()
        try:
            self._look()
        except InputTooLarge:
            self.close()
            raise

    def _look(self) -> None:
        found = dict(self._handle.properties)
        self.found: dict[str, str] = found
        self.levels = tuple(
            Level(int(width), int(height), float(down))
            for (width, height), down in zip(
                self._handle.level_dimensions,
                self._handle.level_downsamples,
                strict=True,
            )
        )
        _check_tiles(self.path, found, len(self.levels))
        x, y = _number(found, "openslide.mpp-x"), _number(found, "openslide.mpp-y")
        self.mpp = None if x is None or y is None else (x, y)
        self.magnification = _number(found, "openslide.objective-power")

    def reopen(self) -> None:
        """Close the handle and open the file anew."""
        self.close()
        try:
            self._handle = self._library.OpenSlide(self.path)
        except self._library.OpenSlideError as error:
            raise InputCorrupt(
                f"{self.path} cannot be opened as a slide: {error}. Copy it again from "
                "its source."
            ) from error

    def close(self) -> None:
        """Let the file go."""
        if self._handle is not None:
            self._handle.close()
            self._handle = None

    def read(self, x: int, y: int, level: int, width: int, height: int) -> Pixels:
        """Return pixels of a level from level-0 position (x, y); white outside."""
        if self._handle is None:
            self.reopen()  # an earlier attempt to open it anew has failed
        try:
            image = self._handle.read_region((x, y), level, (width, height))
        except self._library.OpenSlideError as error:
            self.reopen()
            raise InputCorrupt(
                f"{self.path} cannot be read at x {x}, y {y} (level {level}, {width} × "
                f"{height} pixels): {error}. Copy the file again from its source, or "
                "leave this tile out."
            ) from error
        pixels: Pixels = np.asarray(image)
        alpha = pixels[..., 3]
        if alpha.min() == 255:
            # Colour by colour: seven times as fast as a copy of three of four.
            out = np.empty((*alpha.shape, 3), np.uint8)
            for colour in range(3):
                out[..., colour] = pixels[..., colour]
            return out
        seen = alpha[..., None].astype(np.uint16)
        mixed = (pixels[..., :3] * seen + 255 * (255 - seen) + 127) // 255
        return mixed.astype(np.uint8)


def _check_tiles(path: str, found: dict[str, str], levels: int) -> None:
    """Refuse tiles so large that OpenSlide, having no room, would end the process."""
    for level in range(levels):
        sides = [
            _number(found, f"openslide.level[{level}].tile-{side}") or 0
            for side in ("width", "height")
        ]
        if sides[0] * sides[1] > LARGEST_TILE:
            raise InputTooLarge(
                f"{path} says its tiles have {sides[0]:,.0f} × {sides[1]:,.0f} pixels. "
                "The header is damaged, or the file is no slide: convert it with tiles "
                "of 512."
            )


def _number(found: dict[str, str], key: str) -> float | None:
    try:
        return float(found[key])
    except (KeyError, ValueError):
        return None
