"""What a slide's file says of itself, without what it says of the patient."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from sarcfeat.exceptions import InputCorrupt, InvalidInput, NoResolution
from sarcfeat.io.slide_level import Level

__all__ = ["check_levels", "check_mpp", "kept_properties", "resolution_of"]

# Labels, file names, free text, user names and dates stay in the file.
KEPT = (
    "aperio.AppMag",
    "aperio.MPP",
    "aperio.ScanScope ID",
    "hamamatsu.NDP.S/N",
    "hamamatsu.Product",
    "hamamatsu.SourceLens",
    "hamamatsu.XOffsetFromSlideCentre",
    "hamamatsu.YOffsetFromSlideCentre",
    "openslide.bounds-height",
    "openslide.bounds-width",
    "openslide.bounds-x",
    "openslide.bounds-y",
    "openslide.level-count",
    "openslide.mpp-x",
    "openslide.mpp-y",
    "openslide.objective-power",
    "openslide.quickhash-1",
    "openslide.vendor",
    "tiff.Make",
    "tiff.Model",
    "tiff.ResolutionUnit",
    "tiff.XResolution",
    "tiff.YResolution",
)
PLAIN = re.compile(r"[\w .+/()-]{1,64}")
# Pixels of light microscopes; 72 dpi in a file's header is a screen, not a scanner.
FINEST, COARSEST = 0.02, 20.0
# A slide that was reduced may have more; 250 are nanometres all the same.
GIVEN = 100.0
SQUARE = 0.01
LONGEST = 4_000_000


def kept_properties(found: Mapping[str, str]) -> dict[str, str]:
    """Return the properties that are known and cannot hold a patient's name.

    Examples
    --------
    >>> kept_properties({"openslide.vendor": "aperio", "aperio.User": "J. Doe"})
    {'openslide.vendor': 'aperio'}
    """
    told = {key: str(found[key]).strip() for key in KEPT if key in found}
    return {key: value for key, value in told.items() if PLAIN.fullmatch(value)}


def resolution_of(
    path: str, found: tuple[float, float] | None, given: float | None
) -> float:
    """Return µm per pixel of level 0: what was given, or what the file says.

    Parameters
    ----------
    path : str
        For the message.
    found : tuple of float, optional
        Along x and y, as the file says.
    given : float, optional
        As the caller says; it wins.

    Raises
    ------
    NoResolution
        Nobody says, the file says what no microscope has, or pixels are not square.
    InvalidInput
        The caller says what no microscope has.

    Examples
    --------
    >>> resolution_of("a.svs", (0.2498, 0.2502), None)
    0.25
    """
    if given is not None:
        if not FINEST <= check_mpp(given) <= GIVEN:
            raise InvalidInput(
                f"mpp={given!r} for {path}; expected micrometres per pixel of the full "
                f"resolution, {FINEST:g} to {GIVEN:g}, such as 0.25 (250 nm) at 40×."
            )
        return check_mpp(given)
    if found is None:
        raise NoResolution(
            f"{path} does not say how large its pixels are. Give mpp=, the micrometres "
            "per pixel of the full resolution (about 0.25 at 40×, 0.5 at 20×)."
        )
    x, y = found
    told = f"{path} says its pixels are {x:.6g} × {y:.6g} µm"
    if not all(FINEST <= side <= COARSEST for side in found):
        raise NoResolution(
            f"{told}, which no slide scanner makes ({FINEST:g} to {COARSEST:g} µm). "
            "Give mpp=, the micrometres per pixel of the full resolution."
        )
    if abs(x - y) > SQUARE * (x + y) / 2:
        raise NoResolution(
            f"{told}; square pixels are expected (within 1 %). If the file is wrong, "
            "give mpp=, the micrometres per pixel of the full resolution."
        )
    return (x + y) / 2


def check_mpp(value: float) -> float:
    """Return a resolution in µm per pixel, or refuse what is none."""
    number = float(value) if isinstance(value, (int, float)) else math.nan
    if isinstance(value, bool) or not (math.isfinite(number) and number > 0):
        raise InvalidInput(
            f"mpp={value!r}; expected micrometres per pixel above 0, such as 0.25."
        )
    return number


def check_levels(path: str, levels: tuple[Level, ...]) -> tuple[Level, ...]:
    """Return the levels of a pyramid, or refuse sizes that no slide has."""
    if not levels:
        raise InputCorrupt(f"{path} holds no image. Copy it again from its source.")
    for number, one in enumerate(levels):
        if not (
            0 < one.width <= LONGEST
            and 0 < one.height <= LONGEST
            and math.isfinite(one.downsample)
        ):
            raise InputCorrupt(
                f"{path} says its level {number} has {one.width:,} × {one.height:,} "
                f"pixels; a side has 1 to {LONGEST:,}. The header is damaged: copy "
                "the file again."
            )
    return levels
