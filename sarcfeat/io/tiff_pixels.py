"""The pixels of a TIFF as red, green and blue; what lies under glass is white."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sarcfeat.exceptions import InvalidInput

__all__ = ["as_rgb", "check_colours", "shown_planes"]

Pixels = npt.NDArray[np.uint8]
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, YCBCR = 0, 1, 2, 6
# These keep the numbers as they are; the others turn YCbCr into RGB on the way.
LOSSLESS = (1, 5, 8, 32773, 32946, 34925, 50000)
PREMULTIPLIED, UNASSOCIATED = 1, 2


def check_colours(path: str, page: Any) -> None:
    """Refuse colours that are neither RGB nor grey of 8 bits.

    Parameters
    ----------
    path : str
        For the message.
    page : tifffile.TiffPage

    Raises
    ------
    InvalidInput
    """
    if page.dtype != np.uint8:
        raise InvalidInput(
            f"{path} has pixels of kind {page.dtype}; expected 8 bits a colour. "
            "Convert it to 8-bit RGB."
        )
    kind = int(page.photometric)
    known = kind in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB) or (
        kind == YCBCR and page.compression not in LOSSLESS
    )
    if not known:
        name = getattr(page.photometric, "name", kind)
        raise InvalidInput(
            f"{path} has colours of the kind {name}; expected RGB or grey. Convert it "
            "to 8-bit RGB."
        )


def shown_planes(page: Any) -> int:
    """Return how many colour planes are read: one, three, or four with transparency."""
    if page.planarconfig != 2 or page.samplesperpixel < 2:
        return 1
    colours = 3 if page.samplesperpixel >= 3 else 1
    return colours + int(_transparency(page) is not None)


def as_rgb(pixels: npt.NDArray[Any], page: Any) -> Pixels:
    """Return red, green and blue, over white where the picture is transparent.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, samples)
        As they were decoded.
    page : tifffile.TiffPage
        Says what the samples are.
    """
    colours = 3 if pixels.shape[-1] >= 3 else 1
    kind = _transparency(page)
    alpha = None
    if kind is not None and pixels.shape[-1] > colours:
        alpha = pixels[..., colours : colours + 1]
    seen = pixels[..., :colours]
    if page.photometric == WHITE_IS_ZERO:
        seen = 255 - seen
    if alpha is not None and alpha.size and alpha.min() < 255:
        share = alpha.astype(np.uint16)
        light = seen * (np.uint16(255) if kind == PREMULTIPLIED else share)
        mixed = (light + 255 * (255 - share) + 127) // 255
        seen = np.minimum(mixed, 255).astype(np.uint8)
    if colours == 1:
        seen = np.repeat(seen, 3, axis=-1)
    return np.ascontiguousarray(seen)


def _transparency(page: Any) -> int | None:
    """Return how the first sample after the colours is mixed, if it is alpha."""
    extra = [int(kind) for kind in getattr(page, "extrasamples", ())]
    return extra[0] if extra and extra[0] in (PREMULTIPLIED, UNASSOCIATED) else None
