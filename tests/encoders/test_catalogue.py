import pytest

from sarcfeat.encoders import canonical, describe, load_params
from sarcfeat.encoders.catalogue import FAMILIES, FILTERS, WITHDRAWN, filtered_names
from sarcfeat.exceptions import UnknownName

radiomics = pytest.importorskip("radiomics")


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_names_are_those_of_pyradiomics(family):
    theirs = radiomics.getFeatureClasses()[family].getFeatureNames()
    ours = FAMILIES[family]
    assert {n for n, row in ours.items() if row.default} == {
        n for n, withdrawn in theirs.items() if not withdrawn
    }
    asked = {n for n, row in ours.items() if not row.default}
    gone = {n for f, n in WITHDRAWN if f == family}
    assert asked | gone == {n for n, withdrawn in theirs.items() if withdrawn}


def test_filters_are_those_of_pyradiomics():
    assert set(FILTERS) == set(radiomics.getImageTypes())


def test_the_published_arithmetic_gives_1834_per_phase():
    names = filtered_names(load_params("dlr_nomogram.yaml"))
    assert len(names) == len(set(names)) == 1834 == 14 + 20 * 91
    assert sum(n.startswith("original_shape_") for n in names) == 14
    images = {n.split("_")[0] for n in names}
    assert len(images) == 20
    assert {"lbp-3D-m1", "lbp-3D-m2", "lbp-3D-k"} <= images
    assert sum(n.startswith("lbp-3D-k_glcm_") for n in names) == 22
    assert not [n for n in names if n.endswith(("glcm_SumAverage", "glcm_MCC"))]


def test_the_features_of_the_published_score_are_there():
    names = set(filtered_names(load_params("dlr_nomogram.yaml")))
    assert {
        "lbp-3D-k_ngtdm_Complexity",
        "original_gldm_LargeDependenceHighGrayLevelEmphasis",
        "lbp-3D-m2_glszm_GrayLevelVariance",
        "original_gldm_LowGrayLevelEmphasis",
        "lbp-3D-m2_gldm_DependenceEntropy",
    } <= names


@pytest.mark.parametrize(
    ("own", "images"),
    [
        (
            {},
            "wavelet-LLH wavelet-LHL wavelet-LHH wavelet-HLL wavelet-HLH wavelet-HHL "
            "wavelet-HHH wavelet-LLL",
        ),
        ({"force2D": True}, "wavelet-LH wavelet-HL wavelet-HH wavelet-LL"),
        (
            {"force2D": True, "level": 2},
            "wavelet-LH wavelet-HL wavelet-HH wavelet2-LH wavelet2-HL wavelet2-HH "
            "wavelet2-LL",
        ),
    ],
)
def test_wavelet_names(own, images):
    params = canonical(
        {"imageType": {"Wavelet": own}, "featureClass": {"firstorder": ["Mean"]}}
    )
    assert filtered_names(params) == [f"{i}_firstorder_Mean" for i in images.split()]


def test_identifiers_are_unique_and_only_for_the_original_image():
    given = [row.ibsi for f in FAMILIES.values() for row in f.values() if row.ibsi]
    assert len(given) == len(set(given)) == 104
    assert all(len(i) == 4 for i in given)
    assert describe("original_firstorder_Mean") == {
        "image_filter": "original",
        "family": "firstorder",
        "ibsi": "Q4LE",
        "unit": "image",
    }
    assert describe("wavelet-LLH_firstorder_Mean")["ibsi"] is None
    assert describe("original_firstorder_Kurtosis")["ibsi"] is None
    assert describe("radiomics.t1.original_shape_MeshVolume")["unit"] == "mm3"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("original_glcm_Contrst", "No glcm feature 'Contrst'. Did you mean 'Contrast'"),
        ("original_glcmm_Contrast", "No feature family 'glcmm'. Did you mean 'glcm'"),
        ("age", "expected <filter>_<family>_<feature>"),
    ],
)
def test_unknown_feature_is_named(name, message):
    with pytest.raises(UnknownName, match=message):
        describe(name)
