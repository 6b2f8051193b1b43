"""Plain pictures (PNG, JPEG, untiled TIFF) taken as slides of one level."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from sarcfeat.exceptions import InputCorrupt, InputTooLarge
from sarcfeat.io.memory import check_room
from sarcfeat.io.slide_level import Level

__all__ = ["PlainSource"]

Pixels = npt.NDArray[np.uint8]
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")


class PlainSource:
    """One picture in memory.

    Parameters
    ----------
    path : str
        The picture.

    Raises
    ------
    InputCorrupt
        It is none, or is cut off.
    InputTooLarge
        It has more pixels than a picture without tiles may have.
    """

    reader = "plain"
    mpp: tuple[float, float] | None = None
    magnification: float | None = None

    def __init__(self, path: str) -> None:
        self.path = path
        self.found: dict[str, str] = {}
        self._pixels = _decoded(path)
        height, width = self._pixels.shape[:2]
        self.levels: tuple[Level, ...] = (Level(width, height, 1.0),)

    def reopen(self) -> None:
        """Read the picture anew."""
        self._pixels = _decoded(self.path)

    def close(self) -> None:
        """Let the pixels go."""
        self._pixels = np.empty((0, 0, 3), np.uint8)

    def read(self, x: int, y: int, level: int, width: int, height: int) -> Pixels:
        """Return pixels from position (x, y); white outside."""
        out = np.full((height, width, 3), 255, np.uint8)
        rows, columns = self._pixels.shape[:2]
        top, left = max(y, 0), max(x, 0)
        bottom, right = min(y + height, rows), min(x + width, columns)
        if top < bottom and left < right:
            out[top - y : bottom - y, left - x : right - x] = self._pixels[
                top:bottom, left:right
            ]
        return out


def _decoded(path: str) -> Pixels:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                return _as_rgb(path, image)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise InputTooLarge(
            f"{path} is a picture without tiles and too large for one: {error} "
            "Convert it into a pyramidal TIFF."
        ) from error
    except UnidentifiedImageError as error:
        raise InputCorrupt(
            f"{path} is no slide and no picture that can be read (OpenSlide's formats, "
            "OME-TIFF, TIFF, PNG, JPEG). Copy it again from its source."
        ) from error
    except (InputCorrupt, InputTooLarge):
        raise
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise InputCorrupt(
            f"{path} cannot be read as a picture: {error}. Copy it again from its "
            "source."
        ) from error


def _as_rgb(path: str, image: Image.Image) -> Pixels:
    if image.mode not in MODES:
        raise InputCorrupt(
            f"{path} has pixels of kind {image.mode!r}; expected 8 bits a colour. "
            "Convert it to RGB."
        )
    check_room(path, image.size, 4)
    if image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info:
        seen = image.convert("RGBA")
        white = Image.new("RGB", image.size, (255, 255, 255))
        white.paste(seen, mask=seen.getchannel("A"))
        return np.asarray(white)
    return np.asarray(image.convert("RGB"))
