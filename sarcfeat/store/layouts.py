"""What the columns of other tools' feature tables mean."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from sarcfeat._validation import listed
from sarcfeat.exceptions import InvalidInput

__all__ = ["FORMATS", "Layout", "describe", "layout_of"]

FORMATS = ("auto", "pyradiomics", "lifex", "mirp", "captk", "wide")
# One pattern a tool; `sequence` is the prefix that tables of several sequences carry.
PATTERNS = {
    "pyradiomics": re.compile(
        r"(?:(?P<sequence>.+?)_)?(?P<name>(?P<filter>original|wavelet\d*-[LH]+|"
        r"log-sigma-[\d.-]+-mm(?:-[23]D)?|square|squareroot|logarithm|exponential|"
        r"gradient|lbp-2D|lbp-3D-\w+?)_(?P<family>shape2D|shape|firstorder|glcm|glrlm|"
        r"glszm|gldm|ngtdm)_\w+)"
    ),
    "lifex": re.compile(
        r"(?P<name>(?P<family>MORPHOLOGICAL|LOCAL_INTENSITY_BASED|LOCAL_INTENSITY|"
        r"INTENSITY-BASED-RIM|INTENSITY-BASED|INTENSITY-HISTOGRAM|"
        r"INTENSITY-VOLUME-HISTOGRAM|CONVENTIONAL|DISCRETIZED|DISCRETIZED_HISTO|SHAPE|"
        r"GLCM|GLRLM|GLSZM|GLZLM|NGTDM|NGLDM)_[^(\[]+)"
        r"(?:\(IBSI:(?P<ibsi>\w+)\))?(?:\((?P<unit_>[^)]*)\))?(?:\[(?P<unit>[^\]]*)\])?"
    ),
    "captk": re.compile(
        r"(?P<sequence>.+?)_(?P<name>(?P<family>Intensity|Histogram|Volumetric|"
        r"Morphologic|GLCM|GLRLM|GLSZM|NGTDM|NGLDM|LBP|Lattice|Collage|Gabor|Laws|"
        r"EdgeEnhancement|FractalDimension|PowerSpectrum)_.+)"
    ),
    "mirp": re.compile(
        r"(?P<name>(?:(?P<filter>.+?)_)?"
        r"(?P<family>morph|loc|stat|ivh|ih|cm|rlm|szm|dzm|ngt|ngl)_.+)"
    ),
}
PROVENANCE = {
    "pyradiomics": ("diagnostics_",),
    "lifex": ("INFO_", "PARAM_", "PARAMS_"),
    "mirp": ("image_", "mask_", "sample_", "diag_"),
}
LEAST = 3


@dataclass(frozen=True)
class Layout:
    """Which columns are features, and of which sequence.

    Attributes
    ----------
    format : str
        The tool.
    features : dict of column to (prefix, feature)
        The prefix is a sequence or "" where the columns carry none.
    provenance : list of str
        Columns that say how the numbers were made.
    ignored : list of str
        All other columns.
    """

    format: str
    features: dict[str, tuple[str, str]]
    provenance: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)


def layout_of(
    names: Sequence[str], asked: str, keys: Sequence[str], source: str
) -> Layout:
    """Sort the columns of a table.

    Parameters
    ----------
    names : sequence of str
        All columns.
    asked : str
        One of `FORMATS`.
    keys : sequence of str
        Columns that say who, which reader and when: never features.
    source : str
        The table, for messages.

    Raises
    ------
    InvalidInput
        The columns fit no tool (or not the one asked for).
    """
    left = [name for name in names if name not in keys]
    if asked == "wide":
        return Layout("wide", {name: ("", name) for name in left})
    tools = list(PATTERNS) if asked == "auto" else [asked]
    found = {tool: _features(left, tool) for tool in tools}
    tool = max(found, key=lambda name: len(found[name]))
    if len(found[tool]) < (LEAST if asked == "auto" else 1):
        looked = "pyradiomics, LIFEx, MIRP or CaPTk" if asked == "auto" else asked
        raise InvalidInput(
            f"{source} has no columns named as {looked} names features; it has "
            f"{listed(left, 8)}. If each column is a feature, say format='wide'."
        )
    told = PROVENANCE.get(tool, ())
    provenance = [n for n in left if told and n.startswith(told)]
    features = {n: f for n, f in found[tool].items() if n not in provenance}
    ignored = [n for n in left if n not in features and n not in provenance]
    return Layout(tool, features, provenance, ignored)


def _features(names: Sequence[str], tool: str) -> dict[str, tuple[str, str]]:
    found = {}
    for name in names:
        match = PATTERNS[tool].fullmatch(name)
        if match is not None:
            groups = match.groupdict()
            feature = groups["name"] if tool != "lifex" else groups["name"].strip()
            found[name] = (groups.get("sequence") or "", feature)
    return found


def describe(column: str, tool: str) -> dict[str, str | None]:
    """Return image_filter, family, ibsi and unit, as far as a column's name tells.

    Examples
    --------
    >>> describe("GLCM_JointMaximum(IBSI:GYBY)[]", "lifex")["ibsi"]
    'GYBY'
    """
    match = PATTERNS[tool].fullmatch(column) if tool in PATTERNS else None
    groups = match.groupdict() if match is not None else {}
    return {
        "image_filter": groups.get("filter"),
        "family": groups.get("family"),
        "ibsi": groups.get("ibsi") if groups.get("ibsi") != "No" else None,
        "unit": groups.get("unit") or groups.get("unit_") or None,
    }
