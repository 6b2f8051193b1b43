"""Whole-slide images: opened by whichever reader can, read at any resolution."""

from __future__ import annotations

from os import PathLike, fspath
from types import TracebackType
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from sarcfeat.exceptions import InputCorrupt, InvalidInput
from sarcfeat.io.itk import check_readable
from sarcfeat.io.memory import check_room
from sarcfeat.io.slide_level import Level, ReadInfo, choose_level
from sarcfeat.io.slide_openslide import OpenSlideSource, openslide_reads
from sarcfeat.io.slide_plain import PlainSource
from sarcfeat.io.slide_properties import (
    check_levels,
    check_mpp,
    kept_properties,
    resolution_of,
)
from sarcfeat.io.slide_tiff import TiffSource, is_tiff

__all__ = ["Level", "ReadInfo", "Slide", "open_slide"]

Pixels = npt.NDArray[np.uint8]
# Windows above this many pixels are asked about before they are read.
LARGE = 1 << 24
# Longest side of the windows that a thumbnail is put together from.
BLOCK = 4096


class Source(Protocol):
    """What a reader of slides offers; see the files ``slide_*.py``."""

    path: str
    reader: str
    found: dict[str, str]
    levels: tuple[Level, ...]
    mpp: tuple[float, float] | None
    magnification: float | None

    def read(self, x: int, y: int, level: int, width: int, height: int) -> Pixels:
        """Return pixels of a level from level-0 position (x, y); white outside."""

    def reopen(self) -> None:
        """Open the file anew."""

    def close(self) -> None:
        """Let the file go."""


def open_slide(path: str | PathLike[str], *, mpp: float | None = None) -> Slide:
    """Open a whole-slide image.

    OpenSlide reads SVS, NDPI, MRXS, generic tiled TIFF and others; tifffile reads
    OME-TIFF and TIFF that OpenSlide refuses; anything else is taken as a picture.

    Parameters
    ----------
    path : str or path
        The file (of MRXS, the ``.mrxs`` beside its folder).
    mpp : float, optional
        Micrometres per pixel of the full resolution, where the file does not say or is
        wrong. It wins, and is recorded in ``Slide.mpp_from``.

    Returns
    -------
    Slide
        A context manager. One for each thread: open the file again in another.

    Raises
    ------
    InputMissing, InputEmpty
        There is no file, or it has no bytes.
    InputCorrupt, InputTooLarge
        It cannot be read as a slide, or says it is larger than can be.
    NoResolution
        It does not say how large its pixels are, or they are not square.
    MissingDependency
        ``pip install 'sarcfeat[wsi]'`` is needed.

    References
    ----------
    Goode et al., OpenSlide: a vendor-neutral software foundation for digital
    pathology, J Pathol Inform 4:27 (2013).

    Examples
    --------
    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "slide.png")
    >>> Image.new("RGB", (300, 200), (230, 180, 210)).save(path)
    >>> open_slide(path)
    Traceback (most recent call last):
    ...
    sarcfeat.exceptions.NoResolution: ...slide.png does not say how large its pixels...
    >>> with open_slide(path, mpp=0.5) as slide:
    ...     print(slide.dimensions, slide.read(0, 0, 64, mpp=1.0).shape)
    ...     print(slide.read_info(1.0))
    (300, 200) (64, 64, 3)
    1 µm/px from level 0 of 0.5 µm/px, reduced 2 times
    """
    name = fspath(path)
    check_readable(name)
    if mpp is not None:
        check_mpp(mpp)
    source = _opened(name)
    try:
        return Slide(source, mpp=mpp)
    except InvalidInput:
        source.close()
        raise


def _opened(path: str) -> Source:
    if openslide_reads(path):
        try:
            return OpenSlideSource(path)
        except InputCorrupt as error:
            # A compression that OpenSlide does not know is no damage.
            if "nsupported" not in str(error) or not is_tiff(path):
                raise
    if is_tiff(path):
        return TiffSource(path)
    return PlainSource(path)


class Slide:
    """A slide that is open; :func:`open_slide` makes it.

    Attributes
    ----------
    path : str
        The file.
    reader : str
        ``"openslide"``, ``"tifffile"`` or ``"plain"``.
    dimensions : tuple of int
        Width and height of level 0, the full resolution.
    mpp : float
        Micrometres per pixel of level 0.
    mpp_xy : tuple of float
        The same along x and along y, which may differ by 1 %.
    mpp_from : str
        ``"file"``, or ``"given"`` where the caller said it.
    magnification : float or None
        Of the objective, such as 40, where the file says.
    levels : tuple of Level
        The pyramid; ``downsample`` is level-0 pixels per pixel.
    properties : dict
        What the file says of scanner and optics. Free text, names, dates, the label and
        the overview picture stay in the file.
    """

    def __init__(self, source: Source, *, mpp: float | None = None) -> None:
        self._source = source
        self.path = source.path
        self.reader = source.reader
        self.levels = check_levels(source.path, source.levels)
        self.dimensions = (self.levels[0].width, self.levels[0].height)
        self.mpp = resolution_of(source.path, source.mpp, mpp)
        told = source.mpp if mpp is None else None
        self.mpp_xy = (self.mpp, self.mpp) if told is None else told
        self.mpp_from = "file" if mpp is None else "given"
        self.magnification = source.magnification
        self.properties = kept_properties(source.found)
        self._infos: dict[float, ReadInfo] = {}

    def __enter__(self) -> Slide:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        width, height = self.dimensions
        return (
            f"<Slide {self.path!r}: {width:,} × {height:,} px of {self.mpp:.4g} µm, "
            f"{len(self.levels)} levels, {self.reader}>"
        )

    @property
    def bounds(self) -> tuple[int, int, int, int]:
        """Where the scanned area lies: x, y, width and height in pixels of level 0.

        Smaller than the slide where the scanner left glass out (MRXS, Leica).
        """
        told = [
            self.properties.get(f"openslide.bounds-{name}", "")
            for name in ("x", "y", "width", "height")
        ]
        if not all(text.isdigit() for text in told):
            return (0, 0, *self.dimensions)
        x, y, width, height = map(int, told)
        return x, y, width, height

    def close(self) -> None:
        """Let the file go."""
        self._source.close()

    def reopen(self) -> Slide:
        """Open the file anew, as after a tile that could not be read.

        A failed :meth:`read` has done so already.
        """
        self._source.reopen()
        return self

    def read_info(self, mpp: float | None = None) -> ReadInfo:
        """Say which level is read for a resolution, and whether it is resized.

        Parameters
        ----------
        mpp : float, optional
            Micrometres per pixel; None for level 0.
        """
        wanted = self.mpp if mpp is None else mpp
        if wanted not in self._infos:
            self._infos[wanted] = choose_level(self.levels, self.mpp, check_mpp(wanted))
        return self._infos[wanted]

    def read(
        self, x: int, y: int, size: int | tuple[int, int], *, mpp: float | None = None
    ) -> Pixels:
        """Return a square of pixels.

        Parameters
        ----------
        x, y : int
            Upper left corner, in pixels of level 0.
        size : int, or (width, height)
            Pixels to return, at the resolution asked.
        mpp : float, optional
            Micrometres per pixel; None for level 0. Where no level has it, the next
            finer one is reduced (area mean by whole factors, else Lanczos).

        Returns
        -------
        ndarray of uint8, shape (height, width, 3)
            White outside the slide.

        Raises
        ------
        InputCorrupt
            The pixels cannot be decoded; the slide has been opened anew.
        InputTooLarge
            The window does not fit into memory.
        """
        width, height = size if isinstance(size, tuple) else (size, size)
        info = self.read_info(mpp)
        wide = -(-round(width * info.scale * 1e6) // 1_000_000)
        tall = -(-round(height * info.scale * 1e6) // 1_000_000)
        if min(width, height, wide, tall) < 1:
            raise InvalidInput(f"size={size!r}; expected one pixel or more.")
        if wide * tall > LARGE:
            check_room(f"The window asked of {self.path}", (wide, tall), 8)
        pixels = self._source.read(int(x), int(y), info.level, wide, tall)
        return _resized(pixels, width, height, info.scale)

    def thumbnail(self, longest: int = 1024) -> Pixels:
        """Return the whole slide, small.

        Parameters
        ----------
        longest : int
            Pixels of its longer side; never more than the slide has.
        """
        down = max(max(self.dimensions) / longest, 1.0)
        width, height = (max(round(side / down), 1) for side in self.dimensions)
        mpp = self.mpp * down
        block = max(int(BLOCK / self.read_info(mpp).scale), 1)
        out = np.full((height, width, 3), 255, np.uint8)
        for top in range(0, height, block):
            for left in range(0, width, block):
                wide, tall = min(block, width - left), min(block, height - top)
                out[top : top + tall, left : left + wide] = self.read(
                    round(left * down), round(top * down), (wide, tall), mpp=mpp
                )
        return out


def _resized(pixels: Pixels, width: int, height: int, scale: float) -> Pixels:
    if scale == 1.0:
        return pixels
    image: Any = Image.fromarray(pixels)
    if scale == round(scale):
        return np.asarray(image.reduce(int(scale)))
    box = (
        0.0,
        0.0,
        min(width * scale, pixels.shape[1]),
        min(height * scale, pixels.shape[0]),
    )
    return np.asarray(image.resize((width, height), Image.Resampling.LANCZOS, box=box))
