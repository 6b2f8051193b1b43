"""The published feature sets: how many, which, and prepared how."""

import json

import numpy as np
import pytest
import SimpleITK

from sarcfeat.encoders import Preprocess, Radiomics, canonical, load_params, shipped
from sarcfeat.encoders.catalogue import FAMILIES
from sarcfeat.encoders.lifex import DISTANCES, LifexSet
from sarcfeat.exceptions import InputMissing, InvalidInput, ROITooSmall, UnknownName

from .conftest import texture, write

pytest.importorskip("radiomics")

COUNTS = {
    "all_filters.yaml": 14 + 20 * 93,
    "demo.yaml": 14 + 3 * 93,
    "dlr_nomogram.yaml": 14 + 20 * 91,
    "gradient_blending.yaml": 14 + 18 + 22 + 16 + 16 + 14,
    "mri.yaml": 14 + 3 * 93,
    "pet.yaml": 14 + 3 * 93,
    "radiotranscriptomics.yaml": 13 + 46,
    "roinet.yaml": 14 + 12 * 93,
}


def test_counts_of_the_shipped_sets():
    assert {n: len(Radiomics(n).feature_names) for n in shipped()} == COUNTS
    assert COUNTS["gradient_blending.yaml"] == 100
    assert COUNTS["radiotranscriptomics.yaml"] == 59


def test_three_phases_give_5502():
    names = Radiomics("dlr_nomogram.yaml").feature_names
    phases = ("arterial", "venous", "delayed")
    columns = {f"radiomics.{phase}.{name}" for phase in phases for name in names}
    assert len(columns) == 5502


@pytest.mark.parametrize("name", sorted(COUNTS))
def test_every_feature_says_what_it_is(name):
    encoder = Radiomics(name)
    known = {row.ibsi for rows in FAMILIES.values() for row in rows.values()}
    for feature in encoder.feature_names:
        said = encoder.describe_feature(f"radiomics.t1.{feature}")
        assert said["family"] in FAMILIES
        assert said["image_filter"]
        assert said["unit"]
        assert said["ibsi"] in known | {None, "IPH6"}


# --- the chain inside the encoder ----------------------------------------------------

CHAIN = [
    {"Resample": {"spacing_mm": [1.5, 1.5, 3]}},
    {"ZScore": {"scale": 100}},
    {"Resegment": {"range": [-150, 250]}},
    {"BinWidth": {"width": 20}},
]
FEW = {"featureClass": {"shape": [], "firstorder": [], "glcm": []}}


def test_the_chain_is_what_pyradiomics_gets(lesion, tmp_path):
    ours = Radiomics({**FEW, "preprocess": CHAIN}).encode(*lesion)
    before, _ = Preprocess.from_spec(CHAIN).before_levels()
    image, mask = before.apply(*(SimpleITK.ReadImage(str(p)) for p in lesion))
    files = tmp_path / "image.nrrd", tmp_path / "mask.nrrd"
    for volume, file in zip((image, mask), files, strict=True):
        SimpleITK.WriteImage(volume, str(file))
    setting = {"binWidth": 20, "resegmentRange": [-150, 250]}
    theirs = Radiomics({**FEW, "setting": setting}).encode(*files)
    np.testing.assert_array_equal(ours.values, theirs.values)


def test_the_chain_enters_the_fingerprint(tmp_path):
    plain, chained = Radiomics(FEW), Radiomics(FEW, preprocess=CHAIN)
    assert "preprocess" not in plain.fingerprint()["params"]
    params = chained.fingerprint()["params"]
    assert params["preprocess"] == Preprocess.from_spec(CHAIN).spec
    assert json.dumps(params) == json.dumps(
        Radiomics({**FEW, "preprocess": CHAIN}).params
    )
    assert params == canonical(params)
    other = Radiomics(FEW, preprocess=[*CHAIN[:3], {"BinWidth": {"width": 21}}])
    assert other.fingerprint() != chained.fingerprint()


def test_sigma_is_one_interval_and_shape_keeps_the_drawn_mask(lesion):
    found = Radiomics(FEW, preprocess=[{"Resegment": {"sigma": 1}}]).encode(*lesion)
    whole = Radiomics(FEW).encode(*lesion).to_series()
    image, mask = (
        SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(p))) for p in lesion
    )
    voxels = image[mask > 0].astype(float)
    near = voxels[np.abs(voxels - voxels.mean()) <= voxels.std()]
    s = found.to_series()
    assert s["original_firstorder_Maximum"] == pytest.approx(near.max())
    assert s["original_firstorder_Minimum"] == pytest.approx(near.min())
    assert s["original_shape_VoxelVolume"] == whole["original_shape_VoxelVolume"]


@pytest.mark.parametrize(
    ("setting", "chain", "message"),
    [
        ({"normalize": True}, ["ZScore"], "normalize stands in `setting` beside"),
        ({"binWidth": 5}, [{"BinWidth": {"width": 5}}], "BinWidth and binWidth both"),
        (
            {},
            [{"BinCount": {"count": 8}}, {"BinWidth": {"width": 5}}],
            "BinCount and BinWidth both",
        ),
        ({}, [{"BinCount": {"count": 8}}, "ZScore"], "ZScore comes after BinCount"),
    ],
)
def test_two_places_that_prepare_are_refused(setting, chain, message):
    with pytest.raises(InvalidInput, match=message):
        Radiomics({**FEW, "setting": setting, "preprocess": chain})


def test_a_step_that_fails_names_the_file(lesion, tmp_path):
    flat = write(tmp_path / "P009.nrrd", np.full((20, 32, 36), 5.0))
    with pytest.raises(
        InvalidInput, match=r"P001_mask.* on image .*P009.*: ZScore: all"
    ):
        Radiomics(FEW, preprocess=["ZScore"]).encode(flat, lesion[1])
    chain = [{"Resegment": {"range": [1e6, 2e6]}}]
    with pytest.raises(InvalidInput, match=r"P001_mask.*: Resegment: no voxel"):
        Radiomics(FEW, preprocess=chain).encode(*lesion)
    with pytest.raises(ROITooSmall, match=r"P001_mask.* spans .* × 1 voxels"):
        Radiomics(FEW, preprocess=["SliceSelect"]).encode(*lesion)


def test_a_slice_has_two_dimensional_features(lesion):
    params = {
        "setting": {"force2D": True},
        "featureClass": {"firstorder": [], "shape2D": []},
        "preprocess": ["SliceSelect"],
    }
    assert len(Radiomics(params).encode(*lesion).values) == 27


def test_relative_files_lie_beside_the_parameters(lesion, tmp_path):
    write(tmp_path / "ref.nrrd", texture(seed=1))
    file = tmp_path / "study.yaml"
    file.write_text("preprocess:\n- HistogramMatch: {reference: ref.nrrd}\n")
    step = Radiomics(file).params["preprocess"][0]["HistogramMatch"]
    assert step["reference"] == "ref.nrrd"
    assert len(step["sha256"]) == 64
    file.write_text("preprocess:\n- HistogramMatch: {reference: gone.nrrd}\n")
    with pytest.raises(InputMissing, match=r"gone\.nrrd is not there"):
        Radiomics(file)


def test_bias_field_and_zscore_of_gradient_blending(lesion):
    encoded = Radiomics("gradient_blending").encode(*lesion)
    assert len(encoded.values) == 100
    assert np.isfinite(encoded.values).all()


# --- LIFEx ---------------------------------------------------------------------------


def test_lifex_counts_by_family():
    names = LifexSet(shape=True).names
    assert len(set(names)) == 63
    count = {
        key: sum(n.startswith(key) for n in names)
        for key in ("CONVENTIONAL", "HISTO", "GLCM", "GLRLM", "NGLDM", "GLZLM", "SHAPE")
    }
    assert count == {
        "CONVENTIONAL": 7,
        "HISTO": 6,
        "GLCM": 21,
        "GLRLM": 11,
        "NGLDM": 3,
        "GLZLM": 11,
        "SHAPE": 4,
    }


@pytest.fixture(scope="module")
def lifex(lesion, tmp_path_factory):
    reference = write(tmp_path_factory.mktemp("ref") / "r.nrrd", texture(seed=1) + 500)
    encoder = Radiomics("radiotranscriptomics.yaml", files={"reference": reference})
    return encoder, encoder.encode(*lesion).to_series()


def test_lifex_of_a_lesion(lifex):
    encoder, s = lifex
    assert list(s.index) == LifexSet(shape=False).names
    assert np.isfinite(s).all()
    assert -10000 <= s["CONVENTIONAL_min"] < s["CONVENTIONAL_Q1"]
    assert s["CONVENTIONAL_Q1"] < s["CONVENTIONAL_Q2"] < s["CONVENTIONAL_Q3"]
    assert s["CONVENTIONAL_Q3"] < s["CONVENTIONAL_max"] <= 10000
    np.testing.assert_allclose(
        s["GLCM_Entropy_log10_d2"], s["GLCM_Entropy_log2_d2"] / np.log2(10)
    )
    assert s["HISTO_ExcessKurtosis"] == s["HISTO_Kurtosis"] - 3
    # texture is lost with distance
    assert s["GLCM_Correlation_d1"] > s["GLCM_Correlation_d4"]
    assert encoder.fingerprint()["params"]["featureSet"] == "lifex"


def test_lifex_equals_pyradiomics_where_it_maps(lesion):
    chain = [{"BinWidth": {"width": 25}}]
    ours = Radiomics({"featureSet": "lifex+shape", "preprocess": chain})
    s = ours.encode(*lesion).to_series()
    for distance in DISTANCES:
        plain = Radiomics({"setting": {"binWidth": 25, "distances": [distance]}})
        t = plain.encode(*lesion).to_series()
        assert s[f"GLCM_Homogeneity_d{distance}"] == t["original_glcm_Id"]
        if distance == 1:
            assert s["GLZLM_ZP"] == t["original_glszm_ZonePercentage"]
            assert s["NGLDM_Busyness"] == t["original_ngtdm_Busyness"]
            assert s["CONVENTIONAL_std"] ** 2 == pytest.approx(
                t["original_firstorder_Variance"]
            )
            ml = t["original_shape_VoxelVolume"] / 1000
            assert s["SHAPE_Volume_mL"] == pytest.approx(ml)


def test_distances_are_chebyshevs():
    from radiomics import cMatrices

    size = np.array([9, 9, 9])
    for distance, directions in ((1, 13), (2, 49)):
        angles = cMatrices.generate_angles(size, np.array([distance]), False, False, 0)
        assert len(angles) == directions


def test_lifex_without_a_reference_says_what_to_give(lesion):
    encoder = Radiomics("radiotranscriptomics.yaml")
    with pytest.raises(InvalidInput, match=r"no reference image is named.*files="):
        encoder.encode(*lesion)


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        ({"featureSet": "lifx"}, UnknownName, "No feature set 'lifx'. Did you mean"),
        (
            {"featureSet": "lifex", "featureClass": {"glcm": []}},
            InvalidInput,
            "featureSet lifex has its own features",
        ),
        (
            {"featureSet": "lifex", "imageType": {"Wavelet": {}}},
            InvalidInput,
            "Remove featureClass and imageType",
        ),
    ],
)
def test_a_set_has_its_own_features(content, error, message):
    with pytest.raises(error, match=message):
        canonical(content)


def test_unknown_lifex_feature_is_named():
    with pytest.raises(UnknownName, match="No LIFEx feature 'GLCM_Contrst_d1'"):
        LifexSet(shape=False).describe("GLCM_Contrst_d1")


def test_the_shipped_files_load_by_bare_name():
    assert load_params("roinet") == load_params("roinet.yaml")
