import json

import pytest
import yaml

from sarcfeat.encoders import canonical, load_params, shipped
from sarcfeat.encoders.parameters import _GLOBAL
from sarcfeat.exceptions import InputMissing, InvalidInput, UnknownName


@pytest.mark.parametrize("name", shipped())
def test_shipped_files_are_their_own_canonical_form(name):
    params = load_params(name)
    assert canonical(params) == params
    assert json.loads(json.dumps(params)) == params


def test_every_setting_of_pyradiomics_is_known():
    radiomics = pytest.importorskip("radiomics")
    schema, _ = radiomics.getParameterValidationFiles()
    with open(schema, encoding="utf-8") as file:
        theirs = yaml.safe_load(file)["mapping"]["setting"]["mapping"]
    # label_channel: a mask with several values per voxel is refused instead.
    assert set(theirs) - set(_GLOBAL) == {"label_channel"}
    assert set(_GLOBAL) <= set(theirs)


def test_order_spelling_and_silent_keys_do_not_count(tmp_path):
    a = tmp_path / "a.yaml"
    a.write_text(
        "setting: {binWidth: 25, label: 1, normalize: true, resegmentRange: null}\n"
        "imageType: {LoG: {sigma: [4.0, 2.0]}, Original: {}}\n"
        "featureClass: {ngtdm: null, glcm: [Contrast, Autocorrelation]}\n"
    )
    b = tmp_path / "b.yaml"
    b.write_text(
        "featureClass: {glcm: [Autocorrelation, Contrast, Contrast], ngtdm: []}\n"
        "imageType: {Original: null, LoG: {sigma: [2.0, 4.0]}}\n"
        "setting: {additionalInfo: false, normalize: true, binWidth: 25.0}\n"
    )
    assert json.dumps(load_params(a)) == json.dumps(load_params(b))


def test_nothing_given_is_the_original_image_and_every_family():
    params = canonical({})
    assert params["imageType"] == {"Original": {}}
    assert sum(len(v) for v in params["featureClass"].values()) == 107
    assert "shape2D" not in params["featureClass"]


def test_interpolator_null_means_no_resampling():
    params = canonical(
        {"setting": {"interpolator": None, "resampledPixelSpacing": [1, 1, 1]}}
    )
    assert params["setting"] == {}


def test_the_callers_dict_is_not_written_to():
    given = {"setting": {"binWidth": 25, "label": 2}, "imageType": {"Original": None}}
    before = json.dumps(given)
    canonical(given)
    assert json.dumps(given) == before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"settings": {}}, "No section 'settings'. Did you mean 'setting'"),
        (
            {"setting": {"binwidth": 25}},
            "No setting 'binwidth'. Did you mean 'binWidth'",
        ),
        ({"imageType": {"Log": {}}}, "No image filter 'Log'. Did you mean 'LoG'"),
        (
            {"featureClass": {"glcmm": []}},
            "No feature class 'glcmm'. Did you mean 'glcm'",
        ),
        (
            {"featureClass": {"glcm": ["Contrst"]}},
            "No glcm feature 'Contrst'. Did you mean 'Contrast'",
        ),
        # pyradiomics would ignore these two in silence
        (
            {"imageType": {"Wavelet": {"normalize": True}}},
            "imageType Wavelet: No setting 'normalize'",
        ),
        (
            {"imageType": {"Wavelet": {"sigma": [1.0]}}},
            "imageType Wavelet: No setting 'sigma'",
        ),
    ],
)
def test_unknown_names_are_refused_with_the_near_miss(content, message):
    with pytest.raises(UnknownName, match=message):
        canonical(content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"setting": {"binWidth": 0}}, "binWidth is 0; expected a number above 0"),
        ({"setting": {"binWidth": True}}, "binWidth is True"),
        ({"setting": {"resampledPixelSpacing": [1, 1]}}, "expected a list of 3"),
        ({"setting": {"force2Ddimension": 3}}, "an integer ≥ 0 and ≤ 2"),
        ({"setting": {"weightingNorm": "l2"}}, "one of euclidean, manhattan"),
        ({"setting": [1]}, "expected keys with values"),
        ({"featureClass": {"glcm": "Contrast"}}, "expected a list of features"),
        ({"voxelSetting": {"kernelRadius": 2}}, "one value per lesion"),
        # pyradiomics would leave each of these out, or ignore it, in silence
        ({"imageType": {"LoG": {}}}, "LoG needs sigma"),
        ({"featureClass": {"shape2D": []}}, "needs setting force2D: true"),
        (
            {"featureClass": {"glcm": ["Homogeneity1"]}},
            "glcm Homogeneity1 is withdrawn.* equals Id",
        ),
        ({"setting": {"binWidth": 25, "binCount": 32}}, "binWidth is ignored"),
        (
            {
                "setting": {"binCount": 32},
                "imageType": {"Wavelet": {"binWidth": 5}},
            },
            r"binWidth is ignored where binCount is given \(Wavelet\)",
        ),
        (
            {"imageType": {"Wavelet": {"binWidth": 5, "binCount": 32}}},
            "Keep one of them",
        ),
        ({"setting": {"normalizeScale": 100}}, "no effect without normalize"),
        (
            {"setting": {"interpolator": "sitkLinear"}},
            "no effect without resampledPixelSpacing",
        ),
        ({"setting": {"sigma": [1.0]}}, "sigma is set, but no filter"),
    ],
)
def test_what_would_be_ignored_or_does_not_fit_is_refused(content, message):
    with pytest.raises(InvalidInput, match=message):
        canonical(content)


def test_a_filter_may_have_a_bin_count_beside_a_general_width():
    params = canonical(
        {"setting": {"binWidth": 25}, "imageType": {"Wavelet": {"binCount": 32}}}
    )
    assert params["imageType"]["Wavelet"] == {"binCount": 32}


def test_missing_file_lists_what_is_shipped():
    with pytest.raises(InputMissing, match=r"Did you mean 'mri\.yaml'.*all_filters"):
        load_params("mri.yml")


def test_fault_106_yaml_that_constructs_objects_is_not_executed(tmp_path):
    path = tmp_path / "evil.yaml"
    path.write_text("setting: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(InvalidInput, match=r"evil\.yaml is not YAML"):
        load_params(path)
