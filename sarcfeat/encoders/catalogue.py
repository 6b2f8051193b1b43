"""Every radiomics feature by name, before anything is computed.

pyradiomics leaves a feature out without an error when a filter cannot run. Names
known beforehand are what a silent gap is measured against.

Per family: feature, IBSI identifier (``-`` where the definition is not IBSI's), unit.
``image`` is the unit of the (filtered) image: HU, SUV or arbitrary. ``+`` in front
marks a feature that is computed only when asked for by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from types import MappingProxyType
from typing import Any

from sarcfeat._validation import pick
from sarcfeat.exceptions import UnknownName

__all__ = [
    "FAMILIES",
    "FILTERS",
    "WITHDRAWN",
    "Feature",
    "describe",
    "filtered_names",
]


@dataclass(frozen=True)
class Feature:
    """One row of the catalogue."""

    ibsi: str | None
    unit: str
    default: bool


# Identifiers: Zwanenburg et al., IBSI reference manual, checked against pyradiomics'
# own table (featuresDict_IBSIv7.tsv, by meaning: it swaps Idm, Idmn and Idn) and, for
# GLRLM, GLSZM and GLDM, DICOM's context groups 7475, 7476 and 7501. Kurtosis has none:
# pyradiomics does not subtract 3 as the IBSI does. TotalEnergy, MCC and the in-plane
# diameters are not defined there.
_TABLES = {
    "shape": """
        Elongation Q3CK 1
        Flatness N17B 1
        LeastAxisLength 7J51 mm
        MajorAxisLength TDIC mm
        Maximum2DDiameterColumn - mm
        Maximum2DDiameterRow - mm
        Maximum2DDiameterSlice - mm
        Maximum3DDiameter L0JK mm
        MeshVolume RNU0 mm3
        MinorAxisLength P9VJ mm
        Sphericity QCFX 1
        SurfaceArea C0JK mm2
        SurfaceVolumeRatio 2PR5 1/mm
        VoxelVolume YEKZ mm3
        +Compactness1 SKGS 1
        +Compactness2 BQWJ 1
        +SphericalDisproportion KRCK 1
    """,
    "shape2D": """
        Elongation - 1
        MajorAxisLength - mm
        MaximumDiameter - mm
        MeshSurface - mm2
        MinorAxisLength - mm
        Perimeter - mm
        PerimeterSurfaceRatio - 1/mm
        PixelSurface - mm2
        Sphericity - 1
        +SphericalDisproportion - 1
    """,
    "firstorder": """
        10Percentile QG58 image
        90Percentile 8DWT image
        Energy N8CA image2
        Entropy TLU2 bit
        InterquartileRange SALO image
        Kurtosis - 1
        Maximum 84IY image
        Mean Q4LE image
        MeanAbsoluteDeviation 4FUA image
        Median Y12H image
        Minimum 1GSF image
        Range 2OJQ image
        RobustMeanAbsoluteDeviation 1128 image
        RootMeanSquared 5ZWQ image
        Skewness KE2A 1
        TotalEnergy - image2.mm3
        Uniformity BJ5W 1
        Variance ECT3 image2
        +StandardDeviation - image
    """,
    "glcm": """
        Autocorrelation QWB0 1
        ClusterProminence AE86 1
        ClusterShade 7NFM 1
        ClusterTendency DG8W 1
        Contrast ACUI 1
        Correlation NI2N 1
        DifferenceAverage TF7R 1
        DifferenceEntropy NTRS bit
        DifferenceVariance D3YU 1
        Id IB1Z 1
        Idm WF0Z 1
        Idmn 1QCO 1
        Idn NDRX 1
        Imc1 R8DG 1
        Imc2 JN9H 1
        InverseVariance E8JP 1
        JointAverage 60VM 1
        JointEnergy 8ZQL 1
        JointEntropy TU9B bit
        MCC - 1
        MaximumProbability GYBY 1
        SumAverage ZGXS 1
        SumEntropy P6QZ bit
        SumSquares UR99 1
    """,
    "glrlm": """
        GrayLevelNonUniformity R5YN 1
        GrayLevelNonUniformityNormalized OVBL 1
        GrayLevelVariance 8CE5 1
        HighGrayLevelRunEmphasis G3QZ 1
        LongRunEmphasis W4KF 1
        LongRunHighGrayLevelEmphasis 3KUM 1
        LongRunLowGrayLevelEmphasis IVPO 1
        LowGrayLevelRunEmphasis V3SW 1
        RunEntropy HJ9O bit
        RunLengthNonUniformity W92Y 1
        RunLengthNonUniformityNormalized IC23 1
        RunPercentage 9ZK5 1
        RunVariance SXLW 1
        ShortRunEmphasis 22OV 1
        ShortRunHighGrayLevelEmphasis GD3A 1
        ShortRunLowGrayLevelEmphasis HTZT 1
    """,
    "glszm": """
        GrayLevelNonUniformity JNSA 1
        GrayLevelNonUniformityNormalized Y1RO 1
        GrayLevelVariance BYLV 1
        HighGrayLevelZoneEmphasis 5GN9 1
        LargeAreaEmphasis 48P8 1
        LargeAreaHighGrayLevelEmphasis J17V 1
        LargeAreaLowGrayLevelEmphasis YH51 1
        LowGrayLevelZoneEmphasis XMSY 1
        SizeZoneNonUniformity 4JP3 1
        SizeZoneNonUniformityNormalized VB3A 1
        SmallAreaEmphasis 5QRC 1
        SmallAreaHighGrayLevelEmphasis HW1V 1
        SmallAreaLowGrayLevelEmphasis 5RAI 1
        ZoneEntropy GU8N bit
        ZonePercentage P30P 1
        ZoneVariance 3NSA 1
    """,
    "gldm": """
        DependenceEntropy FCBV bit
        DependenceNonUniformity Z87G 1
        DependenceNonUniformityNormalized OKJI 1
        DependenceVariance DNX2 1
        GrayLevelNonUniformity FP8K 1
        GrayLevelVariance 1PFV 1
        HighGrayLevelEmphasis OAE7 1
        LargeDependenceEmphasis IMOQ 1
        LargeDependenceHighGrayLevelEmphasis 9QMG 1
        LargeDependenceLowGrayLevelEmphasis NBZI 1
        LowGrayLevelEmphasis TL9H 1
        SmallDependenceEmphasis SODN 1
        SmallDependenceHighGrayLevelEmphasis JA6D 1
        SmallDependenceLowGrayLevelEmphasis EQ3F 1
    """,
    "ngtdm": """
        Busyness NQ30 1
        Coarseness QCDE 1
        Complexity HDEZ 1
        Contrast 65HE 1
        Strength 1X9X 1
    """,
}


def _parse(table: str) -> Mapping[str, Feature]:
    features = {}
    for line in table.split("\n"):
        if line.strip():
            name, ibsi, unit = line.split()
            features[name.lstrip("+")] = Feature(
                None if ibsi == "-" else ibsi, unit, not name.startswith("+")
            )
    return MappingProxyType(features)


FAMILIES: Mapping[str, Mapping[str, Feature]] = MappingProxyType(
    {family: _parse(table) for family, table in _TABLES.items()}
)

# Names that older pyradiomics had and this one answers with nothing at all.
WITHDRAWN = MappingProxyType(
    {
        ("glcm", "Dissimilarity"): "it equals DifferenceAverage",
        ("glcm", "Homogeneity1"): "it equals Id",
        ("glcm", "Homogeneity2"): "it equals Idm",
        ("glcm", "SumVariance"): "it equals ClusterTendency",
        ("gldm", "DependencePercentage"): "it is always 1",
        (
            "gldm",
            "GrayLevelNonUniformityNormalized",
        ): "it equals firstorder Uniformity",
    }
)


def _log(settings: Mapping[str, Any]) -> list[str]:
    return [
        f"log-sigma-{str(sigma).replace('.', '-')}-mm-3D" for sigma in settings["sigma"]
    ]


def _wavelet(settings: Mapping[str, Any]) -> list[str]:
    levels = settings.get("level", 1)
    axes = 2 if settings.get("force2D", False) else 3
    bands = ["".join(letters) for letters in product("LH", repeat=axes)]
    prefix = ["wavelet" if n == 1 else f"wavelet{n}" for n in range(1, levels + 1)]
    details = [f"{p}-{band}" for p in prefix for band in bands[1:]]
    return [*details, f"{prefix[-1]}-{bands[0]}"]


def _lbp3d(settings: Mapping[str, Any]) -> list[str]:
    levels = settings.get("lbp3DLevels", 2)
    return [*(f"lbp-3D-m{n}" for n in range(1, levels + 1)), "lbp-3D-k"]


# Filters in the order in which their features are listed.
FILTERS = MappingProxyType(
    {
        "Original": lambda settings: ["original"],
        "LoG": _log,
        "Wavelet": _wavelet,
        "Square": lambda settings: ["square"],
        "SquareRoot": lambda settings: ["squareroot"],
        "Logarithm": lambda settings: ["logarithm"],
        "Exponential": lambda settings: ["exponential"],
        "Gradient": lambda settings: ["gradient"],
        "LBP2D": lambda settings: ["lbp-2D"],
        "LBP3D": _lbp3d,
    }
)


def filtered_names(params: Mapping[str, Any]) -> list[str]:
    """List every feature that canonical parameters ask for, in canonical order.

    Shape comes first and only once: it does not depend on grey levels. Then, per
    filtered image, family by family in the order of :data:`FAMILIES`.
    """
    families = params["featureClass"]
    names = [
        f"original_{family}_{feature}"
        for family in ("shape", "shape2D")
        for feature in families.get(family, ())
    ]
    grey = [f for f in FAMILIES if f in families and not f.startswith("shape")]
    for image_type, images in FILTERS.items():
        if image_type not in params["imageType"]:
            continue
        settings = {**params["setting"], **params["imageType"][image_type]}
        names += [
            f"{image}_{family}_{feature}"
            for image in images(settings)
            for family in grey
            for feature in families[family]
        ]
    return names


def describe(name: str) -> dict[str, str | None]:
    """Say what a feature is from its name.

    Parameters
    ----------
    name : str
        A feature name, with or without its feature set in front.

    Returns
    -------
    dict
        ``image_filter``, ``family``, ``ibsi`` (identifier of the Image Biomarker
        Standardisation Initiative; None for filtered images and where the definition
        is not IBSI's) and ``unit`` (``image`` = unit of the image itself).

    Raises
    ------
    UnknownName
        No radiomics feature has this name.

    Examples
    --------
    >>> describe("original_glcm_Contrast")
    {'image_filter': 'original', 'family': 'glcm', 'ibsi': 'ACUI', 'unit': '1'}
    """
    parts = name.rsplit(".", 1)[-1].split("_")
    if len(parts) != 3:
        raise UnknownName(
            f"{name!r} is no radiomics feature; expected <filter>_<family>_<feature>, "
            "such as 'original_glcm_Contrast'."
        )
    image_filter, family, feature = parts
    pick(family, FAMILIES, "feature family")
    pick(feature, FAMILIES[family], f"{family} feature")
    row = FAMILIES[family][feature]
    ibsi = row.ibsi if image_filter == "original" else None
    return {
        "image_filter": image_filter,
        "family": family,
        "ibsi": ibsi,
        "unit": row.unit,
    }
