"""How pathologists write the names of a tumour's regions."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

from sarcfeat.exceptions import InvalidInput

__all__ = ["REGION_SPELLINGS", "plain_name", "spellings_of"]

# English, French, German, Italian, Spanish, Portuguese; spaces, hyphens, accents, case
# and a number at the end do not count ("Centre 2", "Péri-tumoral").
REGION_SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "C": (
        "C",
        "centre",
        "center",
        "central",
        "core",
        "tumour centre",
        "tumor center",
        "tumour core",
        "tumor core",
        "coeur",
        "zentrum",
        "tumorzentrum",
        "centro",
    ),
    "P": (
        "P",
        "periphery",
        "peripheral",
        "margin",
        "invasive margin",
        "tumour periphery",
        "tumor periphery",
        "périphérie",
        "périphérique",
        "marge",
        "peripherie",
        "rand",
        "tumorrand",
        "periferia",
        "periferico",
        "margine",
        "margen",
    ),
    "R": (
        "R",
        "ring",
        "peritumoral",
        "peritumoural",
        "peritumoral region",
        "peritumoural region",
        "peritumoral ring",
        "peritumoural ring",
        "péritumorale",
        "tumorumgebung",
        "umgebung",
        "peritumorale",
        "anneau",
        "anello",
        "anillo",
    ),
}


def plain_name(name: str) -> str:
    """Return a name without what differs between people who mean the same.

    Examples
    --------
    >>> plain_name("Péri-tumoral 02"), plain_name("  CENTRE"), plain_name("C1")
    ('peritumoral', 'centre', 'c')
    """
    text = unicodedata.normalize("NFKD", name.replace("œ", "oe").replace("Œ", "oe"))
    text = "".join(c for c in text if not unicodedata.combining(c)).casefold()
    text = re.sub(r"[\W_]+", "", text)
    # A number at the end counts copies, unless the name is a number.
    return re.sub(r"\d+$", "", text) or text


def spellings_of(
    names: Mapping[str, str | Sequence[str]] | None,
) -> dict[str, str]:
    """Return the region of each spelling; a region's own name is always one.

    Parameters
    ----------
    names : mapping of region to one or several spellings, optional
        None for ``REGION_SPELLINGS``.

    Raises
    ------
    InvalidInput
        One spelling stands for two regions.
    """
    told = REGION_SPELLINGS if names is None else names
    found: dict[str, str] = {}
    for region, spellings in told.items():
        several = [spellings] if isinstance(spellings, str) else list(spellings)
        for spelling in [region, *several]:
            key = plain_name(str(spelling))
            if found.setdefault(key, str(region)) != str(region):
                raise InvalidInput(
                    f"{spelling!r} stands for the regions {found[key]!r} and "
                    f"{region!r}; give it to one of them."
                )
    return found
