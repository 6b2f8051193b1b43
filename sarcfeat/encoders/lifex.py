"""The features of LIFEx 4.70 [1]_, as far as pyradiomics' definitions give them.

59 for a sequence, as published radiotranscriptomics counts them: 13 first-order, 21 of
the co-occurrence matrix (7 at each of the distances 1, 2, 4), 11 of run lengths, 3 of
grey-tone differences (LIFEx: NGLDM), 11 of zones (LIFEx: GLZLM). 4 of shape on request.

What maps exactly: everything below that is a pyradiomics feature, a root, a logarithm's
base or a constant away from one. What does not:

- LIFEx counts grey levels from the lower bound given (−10000), pyradiomics from the
  lesion's own lowest level. The features that weigh by the level itself (LGRE, HGRE,
  SRLGE, SRHGE, LRLGE, LRHGE, LGZE, HGZE, SZLGE, SZHGE, LZLGE, LZHGE) and Busyness move
  by that; differences of levels do not.
- A distance is Chebyshev's in pyradiomics: at distance 2 it takes every offset whose
  longest component is 2 (49 directions), LIFEx the 13 directions twice as far.
- Compacity is LIFEx's: surface^1.5 / volume.

.. [1] Nioche C et al. LIFEx: a freeware for radiomic feature calculation. Cancer Res
   2018;78:4786-4789.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np

from sarcfeat._validation import pick
from sarcfeat.encoders.catalogue import FAMILIES
from sarcfeat.encoders.region import Region

__all__ = ["LIFEX", "LifexSet"]

DISTANCES = (1, 2, 4)
LOG10_OF_2 = math.log10(2)

# LIFEx name → pyradiomics family and feature, factor, power, offset
_Row = tuple[str, str, float, float, float]


def _plain(family: str, feature: str) -> _Row:
    return family, feature, 1.0, 1.0, 0.0


_FIRST_ORDER: Mapping[str, _Row] = {
    "CONVENTIONAL_min": _plain("firstorder", "Minimum"),
    "CONVENTIONAL_mean": _plain("firstorder", "Mean"),
    "CONVENTIONAL_std": ("firstorder", "Variance", 1.0, 0.5, 0.0),
    "CONVENTIONAL_max": _plain("firstorder", "Maximum"),
    "CONVENTIONAL_Q2": _plain("firstorder", "Median"),
    "HISTO_Skewness": _plain("firstorder", "Skewness"),
    "HISTO_Kurtosis": _plain("firstorder", "Kurtosis"),
    "HISTO_ExcessKurtosis": ("firstorder", "Kurtosis", 1.0, 1.0, -3.0),
    "HISTO_Entropy_log10": ("firstorder", "Entropy", LOG10_OF_2, 1.0, 0.0),
    "HISTO_Entropy_log2": _plain("firstorder", "Entropy"),
    "HISTO_Energy": _plain("firstorder", "Uniformity"),
}
# pyradiomics has no quartile but the median.
_QUARTILES = {"CONVENTIONAL_Q1": 25.0, "CONVENTIONAL_Q3": 75.0}

_GLCM: Mapping[str, _Row] = {
    "Homogeneity": _plain("glcm", "Id"),
    "Energy": _plain("glcm", "JointEnergy"),
    "Contrast": _plain("glcm", "Contrast"),
    "Correlation": _plain("glcm", "Correlation"),
    "Entropy_log10": ("glcm", "JointEntropy", LOG10_OF_2, 1.0, 0.0),
    "Entropy_log2": _plain("glcm", "JointEntropy"),
    "Dissimilarity": _plain("glcm", "DifferenceAverage"),
}

_REST: Mapping[str, _Row] = {
    f"{ours}_{short}": _plain(family, feature)
    for ours, family, features in (
        (
            "GLRLM",
            "glrlm",
            {
                "SRE": "ShortRunEmphasis",
                "LRE": "LongRunEmphasis",
                "LGRE": "LowGrayLevelRunEmphasis",
                "HGRE": "HighGrayLevelRunEmphasis",
                "SRLGE": "ShortRunLowGrayLevelEmphasis",
                "SRHGE": "ShortRunHighGrayLevelEmphasis",
                "LRLGE": "LongRunLowGrayLevelEmphasis",
                "LRHGE": "LongRunHighGrayLevelEmphasis",
                "GLNU": "GrayLevelNonUniformity",
                "RLNU": "RunLengthNonUniformity",
                "RP": "RunPercentage",
            },
        ),
        (
            "NGLDM",
            "ngtdm",
            {
                "Coarseness": "Coarseness",
                "Contrast": "Contrast",
                "Busyness": "Busyness",
            },
        ),
        (
            "GLZLM",
            "glszm",
            {
                "SZE": "SmallAreaEmphasis",
                "LZE": "LargeAreaEmphasis",
                "LGZE": "LowGrayLevelZoneEmphasis",
                "HGZE": "HighGrayLevelZoneEmphasis",
                "SZLGE": "SmallAreaLowGrayLevelEmphasis",
                "SZHGE": "SmallAreaHighGrayLevelEmphasis",
                "LZLGE": "LargeAreaLowGrayLevelEmphasis",
                "LZHGE": "LargeAreaHighGrayLevelEmphasis",
                "GLNU": "GrayLevelNonUniformity",
                "ZLNU": "SizeZoneNonUniformity",
                "ZP": "ZonePercentage",
            },
        ),
    )
    for short, feature in features.items()
}

_SHAPE = (
    "SHAPE_Volume_mL",
    "SHAPE_Volume_vx",
    "SHAPE_Sphericity",
    "SHAPE_Compacity",
)
_SHAPE_UNITS = dict(zip(_SHAPE, ("mL", "1", "1", "1"), strict=True))


@dataclass(frozen=True)
class LifexSet:
    """The 59 features of a sequence, or 63 with shape.

    Examples
    --------
    >>> len(LifexSet(shape=False).names), len(LifexSet(shape=True).names)
    (59, 63)
    >>> LifexSet(shape=False).describe("GLCM_Contrast_d2")["family"]
    'glcm'
    """

    shape: bool

    @cached_property
    def rows(self) -> dict[str, tuple[str, _Row]]:
        """LIFEx name → prefix of the run, and the row that gives the value."""
        found = {name: ("d1_", row) for name, row in _FIRST_ORDER.items()}
        for distance in DISTANCES:
            found.update(
                {
                    f"GLCM_{name}_d{distance}": (f"d{distance}_", row)
                    for name, row in _GLCM.items()
                }
            )
        found.update({name: ("d1_", row) for name, row in _REST.items()})
        return found

    @property
    def names(self) -> list[str]:
        """The features in the order of the values."""
        first = [*_FIRST_ORDER, *_QUARTILES]
        rest = [name for name in self.rows if name not in _FIRST_ORDER]
        return [*first, *rest, *(_SHAPE if self.shape else ())]

    def runs(
        self, setting: Mapping[str, Any]
    ) -> Iterator[tuple[str, dict[str, list[str]], dict[str, Any]]]:
        """Give what pyradiomics is asked for at each distance."""
        for distance in DISTANCES:
            families: dict[str, list[str]] = {}
            for prefix, (family, feature, *_) in self.rows.values():
                if prefix == f"d{distance}_":
                    families.setdefault(family, []).append(feature)
            if self.shape and distance == 1:
                families["shape"] = ["MeshVolume", "SurfaceArea", "Sphericity"]
            unique = {k: sorted(set(v)) for k, v in families.items()}
            # Only the co-occurrence matrix has a distance in LIFEx; the first run's is
            # 1 for the grey-tone differences too.
            yield f"d{distance}_", unique, {"distances": [distance]}

    def derive(self, found: Mapping[str, Any], region: Region) -> dict[str, float]:
        """Return LIFEx's values from pyradiomics' and the lesion itself."""
        import SimpleITK

        values: dict[str, float] = {}
        for name, (
            prefix,
            (family, feature, factor, power, offset),
        ) in self.rows.items():
            key = f"{prefix}original_{family}_{feature}"
            if key in found:
                values[name] = factor * float(found[key]) ** power + offset
        voxels = SimpleITK.GetArrayViewFromImage(region.image)[region.inside]
        for name, percent in _QUARTILES.items():
            values[name] = float(np.percentile(voxels, percent))
        if self.shape and "d1_original_shape_MeshVolume" in found:
            volume = float(found["d1_original_shape_MeshVolume"])
            surface = float(found["d1_original_shape_SurfaceArea"])
            count = int(region.inside.sum())
            voxel = float(np.prod(region.image.GetSpacing()))
            values["SHAPE_Volume_mL"] = count * voxel / 1000
            values["SHAPE_Volume_vx"] = float(count)
            values["SHAPE_Sphericity"] = float(found["d1_original_shape_Sphericity"])
            values["SHAPE_Compacity"] = surface**1.5 / volume
        return values

    def describe(self, name: str) -> dict[str, str | None]:
        """Say what a feature is; the IBSI's identifier where the value is its own."""
        name = pick(name.rsplit(".", 1)[-1], self.names, "LIFEx feature")
        said: dict[str, str | None] = {"image_filter": "original", "ibsi": None}
        if name in _QUARTILES:
            return {**said, "family": "firstorder", "unit": "image"}
        if name in _SHAPE:
            return {**said, "family": "shape", "unit": _SHAPE_UNITS[name]}
        family, feature, factor, power, offset = self.rows[name][1]
        row = FAMILIES[family][feature]
        same = (factor, power, offset) == (1.0, 1.0, 0.0)
        unit = row.unit
        if power != 1.0:
            unit = "image"
        elif factor != 1.0:
            unit = "dit"  # entropy in decimal digits
        # At a longer distance the directions are not the IBSI's 13.
        near = not name.endswith(("_d2", "_d4"))
        ibsi = row.ibsi if same and near else None
        if name == "HISTO_ExcessKurtosis":
            ibsi = "IPH6"
        return {**said, "family": family, "ibsi": ibsi, "unit": unit}


LIFEX: Mapping[str | None, LifexSet] = MappingProxyType(
    {"lifex": LifexSet(shape=False), "lifex+shape": LifexSet(shape=True)}
)
