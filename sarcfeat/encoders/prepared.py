"""A lesion after preprocessing, and what is left for the extractor to discretise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sarcfeat.encoders.level_steps import BinCount, BinWidth, Resegment
from sarcfeat.encoders.preprocess import Preprocess, Step
from sarcfeat.encoders.region import Region
from sarcfeat.exceptions import InvalidInput

__all__ = ["check_chain", "level_settings", "prepare"]

# pyradiomics' own preprocessing: beside a chain its order would be anyone's guess.
_OWN = ("normalize", "resampledPixelSpacing", "resegmentRange")


def check_chain(chain: Preprocess, setting: Mapping[str, Any], where: str) -> None:
    """Refuse two places that say how an image is prepared.

    Raises
    ------
    InvalidInput
        pyradiomics' own preprocessing beside a chain, or two discretisations.
    """
    if not chain:
        return
    twice = [key for key in _OWN if key in setting]
    if twice:
        raise InvalidInput(
            f"{where}: {', '.join(twice)} stands in `setting` beside `preprocess`. "
            "Write Resample, ZScore and Resegment as steps of the chain instead."
        )
    bins = [s for s in chain.before_levels()[1] if isinstance(s, (BinCount, BinWidth))]
    given = [key for key in ("binCount", "binWidth") if key in setting]
    if len(bins) > 1 or (bins and given):
        names = [type(s).__name__ for s in bins] + given
        raise InvalidInput(
            f"{where}: {' and '.join(names)} both cut grey levels. Keep one of them."
        )


def prepare(region: Region, chain: Preprocess) -> Region:
    """Return the lesion after the steps; the one given is not changed."""
    import SimpleITK

    try:
        image, mask = chain.apply(region.image, region.mask)
    except InvalidInput as error:
        raise type(error)(f"{region.what}: {error}") from error
    inside = SimpleITK.GetArrayFromImage(mask) != 0
    return Region(image, mask, inside, region.what, list(region.warnings))


def level_settings(levels: Iterable[Step], region: Region) -> dict[str, Any]:
    """Return Resegment, BinWidth and BinCount as pyradiomics' settings.

    Every way to resegment keeps one interval of grey values, so that it can be given
    as a range: shape is then measured on the mask as drawn, intensity and texture on
    what lies in the interval.
    """
    found: dict[str, Any] = {}
    for step in levels:
        if isinstance(step, BinWidth):
            found["binWidth"] = step.width
        elif isinstance(step, BinCount):
            found["binCount"] = step.count
        elif isinstance(step, Resegment):
            try:
                low, high = step.interval(region.image, region.mask)
            except InvalidInput as error:
                raise type(error)(f"{region.what}: {error}") from error
            before = found.get("resegmentRange", (low, high))
            found["resegmentRange"] = [max(low, before[0]), min(high, before[1])]
    return found
