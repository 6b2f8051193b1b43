"""Which feature of ours stands for which tag of the IBSI's reference tables."""

from __future__ import annotations

import re

# tag without its aggregation → family and feature of pyradiomics
SHAPE = {
    "morph_volume": "MeshVolume",
    "morph_vol_approx": "VoxelVolume",
    "morph_area_mesh": "SurfaceArea",
    "morph_av": "SurfaceVolumeRatio",
    "morph_comp_1": "Compactness1",
    "morph_comp_2": "Compactness2",
    "morph_sph_dispr": "SphericalDisproportion",
    "morph_sphericity": "Sphericity",
    "morph_diam": "Maximum3DDiameter",
    "morph_pca_maj_axis": "MajorAxisLength",
    "morph_pca_min_axis": "MinorAxisLength",
    "morph_pca_least_axis": "LeastAxisLength",
    "morph_pca_elongation": "Elongation",
    "morph_pca_flatness": "Flatness",
}
FIRST_ORDER = {
    "stat_mean": "Mean",
    "stat_var": "Variance",
    "stat_skew": "Skewness",
    "stat_kurt": "Kurtosis",
    "stat_median": "Median",
    "stat_min": "Minimum",
    "stat_p10": "10Percentile",
    "stat_p90": "90Percentile",
    "stat_max": "Maximum",
    "stat_iqr": "InterquartileRange",
    "stat_range": "Range",
    "stat_mad": "MeanAbsoluteDeviation",
    "stat_rmad": "RobustMeanAbsoluteDeviation",
    "stat_energy": "Energy",
    "stat_rms": "RootMeanSquared",
    "ih_entropy": "Entropy",
    "ih_uniformity": "Uniformity",
}
_TEXTURE = {
    "cm glcm": """
        joint_max MaximumProbability    joint_avg JointAverage
        joint_var SumSquares            joint_entr JointEntropy
        diff_avg DifferenceAverage      diff_var DifferenceVariance
        diff_entr DifferenceEntropy     sum_avg SumAverage
        sum_var ClusterTendency         sum_entr SumEntropy
        energy JointEnergy              contrast Contrast
        dissimilarity DifferenceAverage inv_diff Id
        inv_diff_norm Idn               inv_diff_mom Idm
        inv_diff_mom_norm Idmn          inv_var InverseVariance
        corr Correlation                auto_corr Autocorrelation
        clust_tend ClusterTendency      clust_shade ClusterShade
        clust_prom ClusterProminence    info_corr1 Imc1
        info_corr2 Imc2
    """,
    "rlm glrlm": """
        sre ShortRunEmphasis            lre LongRunEmphasis
        lgre LowGrayLevelRunEmphasis    hgre HighGrayLevelRunEmphasis
        srlge ShortRunLowGrayLevelEmphasis
        srhge ShortRunHighGrayLevelEmphasis
        lrlge LongRunLowGrayLevelEmphasis
        lrhge LongRunHighGrayLevelEmphasis
        glnu GrayLevelNonUniformity     glnu_norm GrayLevelNonUniformityNormalized
        rlnu RunLengthNonUniformity     rlnu_norm RunLengthNonUniformityNormalized
        r_perc RunPercentage            gl_var GrayLevelVariance
        rl_var RunVariance              rl_entr RunEntropy
    """,
    "szm glszm": """
        sze SmallAreaEmphasis           lze LargeAreaEmphasis
        lgze LowGrayLevelZoneEmphasis   hgze HighGrayLevelZoneEmphasis
        szlge SmallAreaLowGrayLevelEmphasis
        szhge SmallAreaHighGrayLevelEmphasis
        lzlge LargeAreaLowGrayLevelEmphasis
        lzhge LargeAreaHighGrayLevelEmphasis
        glnu GrayLevelNonUniformity     glnu_norm GrayLevelNonUniformityNormalized
        zsnu SizeZoneNonUniformity      zsnu_norm SizeZoneNonUniformityNormalized
        z_perc ZonePercentage           gl_var GrayLevelVariance
        zs_var ZoneVariance             zs_entr ZoneEntropy
    """,
    "ngl gldm": """
        lde SmallDependenceEmphasis     hde LargeDependenceEmphasis
        lgce LowGrayLevelEmphasis       hgce HighGrayLevelEmphasis
        ldlge SmallDependenceLowGrayLevelEmphasis
        ldhge SmallDependenceHighGrayLevelEmphasis
        hdlge LargeDependenceLowGrayLevelEmphasis
        hdhge LargeDependenceHighGrayLevelEmphasis
        glnu GrayLevelNonUniformity     dcnu DependenceNonUniformity
        dcnu_norm DependenceNonUniformityNormalized
        gl_var GrayLevelVariance        dc_var DependenceVariance
        dc_entr DependenceEntropy
    """,
    "ngt ngtdm": """
        coarseness Coarseness           contrast Contrast
        busyness Busyness               complexity Complexity
        strength Strength
    """,
}

# How a matrix of several directions or slices becomes one value → our settings.
# pyradiomics averages over directions, or merges them where weights are asked for.
AGGREGATIONS: dict[str, dict[str, object]] = {
    "3d_avg": {},
    "3d_comb": {"weightingNorm": "no_weighting"},
    "2_5d_avg": {"force2D": True},
    "2_5d_comb": {"force2D": True, "weightingNorm": "no_weighting"},
    "3d": {},
    "2_5d": {"force2D": True},
}
_DIRECTED = ("glcm", "glrlm")

# Other spellings of the same tables.
_SPELLINGS = (
    (re.compile(r"_d1(?=_)"), ""),
    (re.compile(r"_a0(\.0)?(?=_)"), ""),
    (re.compile(r"2\.5d"), "2_5d"),
    (re.compile(r"_2d_s_mrg$"), "_2d_comb"),
    (re.compile(r"_2_5d_d_mrg$"), "_2_5d_avg"),
    (re.compile(r"_2_5d_v_mrg$"), "_2_5d_comb"),
    (re.compile(r"_3d_v_mrg$"), "_3d_comb"),
)


def canonical_tag(tag: str) -> str:
    """Return a tag in one spelling.

    >>> canonical_tag("cm_joint_max_d1_2.5d_d_mrg"), canonical_tag("szm_sze_3D")
    ('cm_joint_max_2_5d_avg', 'szm_sze_3d')
    """
    tag = tag.strip().lower()
    for pattern, better in _SPELLINGS:
        tag = pattern.sub(better, tag)
    return tag


def offered() -> dict[str, tuple[str, str]]:
    """Return tag → (aggregation, our feature) for all that pyradiomics defines."""
    found = {tag: ("", f"original_shape_{name}") for tag, name in SHAPE.items()}
    found.update(
        {tag: ("", f"original_firstorder_{name}") for tag, name in FIRST_ORDER.items()}
    )
    for key, table in _TEXTURE.items():
        prefix, family = key.split()
        words = table.split()
        for short, name in zip(words[::2], words[1::2], strict=True):
            for way in AGGREGATIONS:
                if ("_avg" in way or "_comb" in way) == (family in _DIRECTED):
                    tag = f"{prefix}_{short}_{way}"
                    found[tag] = (way, f"original_{family}_{name}")
    return found
