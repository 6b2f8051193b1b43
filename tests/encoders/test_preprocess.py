"""The chain: canonical, fingerprinted, the same bits, and each step's definition."""

import json

import numpy as np
import pytest
import SimpleITK
from scipy.ndimage import gaussian_filter

from sarcfeat.encoders import Landmarks, Preprocess
from sarcfeat.encoders.geometry_steps import CropToROI, Parts, Resample, SliceSelect
from sarcfeat.encoders.intensity_steps import (
    N4,
    HistogramMatch,
    Nyul,
    Range,
    Round,
    ZScore,
)
from sarcfeat.encoders.landmarks import body
from sarcfeat.encoders.level_steps import BinCount, BinWidth, Resegment
from sarcfeat.encoders.preprocess import STEPS
from sarcfeat.exceptions import EmptyROI, InputMissing, InvalidInput, UnknownName

from .conftest import ellipsoid, texture, write

SHAPE = (20, 32, 36)


def pair(array=None, inside=None, spacing=(1.0, 1.0, 3.0), origin=(-10.0, 5.0, 20.0)):
    """Return a SimpleITK image and mask of one lesion."""
    images = []
    for voxels in (
        texture() if array is None else array,
        (ellipsoid() if inside is None else inside).astype("uint8"),
    ):
        image = SimpleITK.GetImageFromArray(voxels)
        image.SetSpacing(spacing)
        image.SetOrigin(origin)
        images.append(image)
    return tuple(images)


def values(image):
    return SimpleITK.GetArrayFromImage(image)


# --- the chain -----------------------------------------------------------------------


def test_the_spec_is_canonical_json_and_builds_the_same_chain():
    short = Preprocess.from_spec([{"Resample": {"spacing_mm": (2, 2, 2)}}, "ZScore"])
    long = Preprocess.from_spec(
        [
            {"Resample": {"mask": "nearest", "spacing_mm": [2.0, 2, 2.0]}},
            {"ZScore": {"scale": 1, "within": "image"}},
        ]
    )
    assert short == long
    assert json.dumps(short.spec) == json.dumps(long.spec)
    assert Preprocess.from_spec(json.loads(json.dumps(short.spec))) == short
    assert Preprocess([Resample([2, 2, 2]), ZScore()]) == short
    assert Preprocess([ZScore(), Resample([2, 2, 2])]) != short
    assert Preprocess.from_spec(short) is short
    assert not Preprocess.from_spec(None)


def test_infinite_ranges_survive_json():
    chain = Preprocess([Resegment(range=(-np.inf, 400))])
    again = Preprocess.from_spec(json.loads(json.dumps(chain.spec, allow_nan=False)))
    assert again == chain
    assert again.steps[0].range == (-np.inf, 400.0)


def test_a_yaml_file_with_a_list_under_preprocess(tmp_path):
    file = tmp_path / "chain.yaml"
    file.write_text("preprocess:\n- ZScore: {within: body}\n- CropToROI:\n")
    assert Preprocess.from_spec(file) == Preprocess([ZScore("body"), CropToROI()])
    with pytest.raises(InputMissing, match=r"absent\.yaml"):
        Preprocess.from_spec(tmp_path / "absent.yaml")


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        (["Zscore"], UnknownName, "No preprocessing step 'Zscore'. Did you mean 'ZSc"),
        ([{"N4": {"shrnk": 2}}], UnknownName, "No parameter of N4 'shrnk'.*'shrink'"),
        ([{"Resample": None}], InvalidInput, "Resample: .*spacing_mm"),
        ([{"Resample": {"spacing_mm": [1, 1]}}], InvalidInput, "expected 3 numbers"),
        ([{"ZScore": {"within": "bodi"}}], UnknownName, "Did you mean 'body'"),
        ([{"BinWidth": {"width": 0}}], InvalidInput, "BinWidth: width is 0"),
        ([{"Range": {"low": 5, "high": 5}}], InvalidInput, "Range: low 5"),
        ([{"BinCount": 32}], InvalidInput, "BinCount: 32 is no list of parameters"),
        ([7], InvalidInput, "step 7 is not one name"),
        (7, InvalidInput, "preprocess holds int 7"),
        ([{"Resegment": {}}], InvalidInput, "Resegment: give range, sigma"),
        ([{"N4": {"iterations": []}}], InvalidInput, "N4: shrink is 4"),
        ([{"CropToROI": {"margin_mm": -1}}], InvalidInput, "margin_mm is -1"),
        ([{"SliceSelect": {"which": "last"}}], UnknownName, "slice of SliceSelect"),
    ],
)
def test_what_does_not_fit_is_named(spec, error, message):
    with pytest.raises(error, match=message):
        Preprocess.from_spec(spec)


def test_what_is_no_step_is_refused():
    with pytest.raises(InvalidInput, match="'x' is no preprocessing step"):
        Preprocess(["x"])


def test_every_step_documents_its_parameters():
    from dataclasses import fields

    for name, step in STEPS.items():
        for item in fields(step):
            if not item.name.startswith("_"):
                assert item.name in step.__doc__.split("Parameters")[1], name


def test_two_runs_give_the_same_bits_and_leave_the_input_alone():
    image, mask = pair(texture() + 500)
    before = values(image).copy(), values(mask).copy()
    chain = Preprocess.from_spec(
        [
            {"Resample": {"spacing_mm": [2, 2, 2], "image": "bspline"}},
            {"N4": {"iterations": [5, 5]}},
            "ZScore",
            {"Range": {"low": -1, "high": 1}},
            {"CropToROI": {"margin_mm": 4}},
        ]
    )
    one, other = chain.apply(image, mask), chain.apply(image, mask)
    np.testing.assert_array_equal(values(one[0]), values(other[0]))
    np.testing.assert_array_equal(values(one[1]), values(other[1]))
    np.testing.assert_array_equal(values(image), before[0])
    np.testing.assert_array_equal(values(mask), before[1])
    assert one[0].GetSize() == one[1].GetSize()


def test_any_number_above_zero_is_the_lesion():
    image, mask = pair(inside=3 * ellipsoid())
    assert set(np.unique(values(Preprocess().apply(image, mask)[1]))) == {0, 1}
    other = pair(np.zeros((4, 4, 4)), np.ones((4, 4, 4)))[1]
    with pytest.raises(InvalidInput, match="expected one grid"):
        Preprocess().apply(image, other)


# --- geometry ------------------------------------------------------------------------


def test_resampling_aligns_the_centres_and_covers_the_image():
    image, mask = pair()
    out, _ = Resample([1, 1, 4]).apply(image, mask)
    assert out.GetSize() == (36, 32, 15)
    assert out.GetSpacing() == (1.0, 1.0, 4.0)
    centre = [
        i.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in i.GetSize()])
        for i in (image, out)
    ]
    np.testing.assert_allclose(centre[0], centre[1])
    same, kept = Resample([0, 0, 0]).apply(image, mask)
    np.testing.assert_allclose(values(same), values(image), rtol=1e-6)
    np.testing.assert_array_equal(values(kept), values(mask))


@pytest.mark.parametrize("kind", ["linear", "bspline"])
def test_a_straight_ramp_stays_straight(kind):
    ramp = np.broadcast_to(np.arange(36.0), SHAPE).copy()
    image, mask = pair(ramp)
    out, _ = Resample([0.5, 0, 0], image=kind).apply(image, mask)
    inner = values(out)[:, :, 20:-20]
    np.testing.assert_allclose(np.diff(inner, axis=2), 0.5, atol=1e-4)


def test_whole_numbers_are_not_cut_off_and_a_turned_grid_keeps_its_place():
    image, mask = pair(np.arange(np.prod(SHAPE)).reshape(SHAPE).astype("int16"))
    turn = (0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0)
    for each in (image, mask):
        each.SetDirection(turn)
    out, moved = Resample([0.5, 0, 0]).apply(image, mask)
    assert "float" in out.GetPixelIDTypeAsString()
    assert out.GetDirection() == turn
    assert values(moved).sum() == 2 * values(mask).sum()


def test_a_linear_mask_keeps_what_is_half_inside():
    inside = np.zeros((6, 6, 6))
    inside[2:4, 2:4, 2:4] = 1
    image, mask = pair(np.zeros((6, 6, 6)), inside, (1.0, 1.0, 1.0))
    _, fine = Resample([0.5, 0.5, 0.5], mask="linear").apply(image, mask)
    assert set(np.unique(values(fine))) == {0, 1}
    assert values(fine).sum() < 8 * 8  # the corners of the cube are less than half
    assert values(fine).sum() > 6 * 8


def test_crop_keeps_the_margin_in_millimetres():
    image, mask = pair()
    cut, kept = CropToROI(3.0).apply(image, mask)
    inside = values(mask)
    z, y, x = (np.flatnonzero(inside.any(axis=a)) for a in ((1, 2), (0, 2), (0, 1)))
    assert cut.GetSize() == (len(x) + 6, len(y) + 6, len(z) + 2)
    assert values(kept).sum() == inside.sum()
    assert CropToROI(1e4).apply(image, mask)[0].GetSize() == image.GetSize()


def test_slice_selection():
    inside = np.zeros(SHAPE)
    inside[3, 5:20, 5:20] = 1
    inside[4:11, 10:12, 10:12] = 1
    image, mask = pair(inside=inside)
    for which, z in (("largest", 3), ("middle", 6)):
        cut, kept = SliceSelect(which).apply(image, mask)
        np.testing.assert_array_equal(values(cut), values(image)[z : z + 1])
        np.testing.assert_array_equal(values(kept), values(mask)[z : z + 1])


def test_fault_035_the_parts_of_a_lesion_by_choice():
    inside = np.zeros(SHAPE)
    inside[3:6, 5:12, 5:12] = 1
    inside[10, 20:22, 20:22] = 1
    image, mask = pair(inside=inside)
    assert Parts().apply(image, mask)[1] is mask
    cut, kept = Parts("largest").apply(image, mask)
    assert cut is image
    larger = inside.copy()
    larger[10] = 0
    np.testing.assert_array_equal(values(kept), larger)
    assert kept.GetSpacing() == mask.GetSpacing()
    with pytest.raises(InvalidInput, match="2 separate parts of 147, 4 voxels"):
        Parts("refuse").apply(image, mask)
    whole = pair()
    assert Parts("refuse").apply(*whole)[1] is whole[1]


def test_the_middle_of_two_parts_is_a_slice_with_lesion():
    inside = np.zeros(SHAPE)
    inside[2, 5:9, 5:9] = 1
    inside[17, 5:9, 5:9] = 1
    _, kept = SliceSelect("middle").apply(*pair(inside=inside))
    assert values(kept).any()


def test_a_lesion_that_vanishes_names_the_step():
    inside = np.zeros(SHAPE)
    inside[1, 1, 1] = 1
    with pytest.raises(EmptyROI, match="Resample: nothing is left of the lesion"):
        Preprocess([Resample([7, 7, 7])]).apply(*pair(inside=inside))
    with pytest.raises(EmptyROI, match="CropToROI: the mask holds no voxel"):
        CropToROI().apply(*pair(inside=np.zeros(SHAPE)))


# --- grey values ---------------------------------------------------------------------


@pytest.mark.parametrize("within", ["image", "body", "mask"])
def test_zscore_within(within):
    voxels = np.where(ellipsoid(radius=16), 800, 0) + texture() / 50
    image, mask = pair(voxels)
    out = values(ZScore(within).apply(image, mask)[0])
    where = {
        "image": np.ones(SHAPE, bool),
        "body": ellipsoid(radius=16),
        "mask": ellipsoid(),
    }[within]
    assert abs(out[where].mean()) < 1e-9
    assert abs(out[where].std() - 1) < 1e-9
    hundred = values(ZScore(within, scale=100).apply(image, mask)[0])
    np.testing.assert_allclose(hundred, 100 * out)


def test_zscore_of_one_value_is_refused():
    with pytest.raises(InvalidInput, match="ZScore: all 23040 voxels of the image"):
        ZScore().apply(*pair(np.full(SHAPE, 3.0)))


def test_range_reaches_both_ends():
    image, mask = pair()
    out = values(Range(-10000, 10000).apply(image, mask)[0])
    assert (out.min(), out.max()) == (-10000, 10000)
    np.testing.assert_allclose(
        np.corrcoef(out.ravel(), values(image).ravel())[0, 1], 1.0
    )
    cut = values(Range(0, 1, percentiles=(1, 99)).apply(image, mask)[0])
    assert (cut == 0).mean() == pytest.approx(0.01, abs=0.002)
    with pytest.raises(InvalidInput, match="Range: the mask has the one value 5"):
        Range(within="mask").apply(*pair(np.full(SHAPE, 5.0)))


def test_n4_takes_the_shading_out():
    rng = np.random.default_rng(0)
    true = np.where(ellipsoid(radius=14), 300.0, 200.0) + rng.normal(0, 3, SHAPE)
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij")
    shading = np.exp(0.35 * x + 0.25 * y - 0.2 * z)
    out = values(N4(2, within="image").apply(*pair(true * shading))[0])
    tissue = ellipsoid(radius=12)
    before = (true * shading)[tissue]
    assert out[tissue].std() / out[tissue].mean() < 0.3 * before.std() / before.mean()
    with pytest.raises(InvalidInput, match="N4: no voxel above 0"):
        N4(within="image").apply(*pair(np.full(SHAPE, -1.0)))


def test_histogram_matching_gives_the_reference_its_quantiles(tmp_path):
    reference = write(tmp_path / "reference.nii.gz", 5 * texture(seed=1) + 4000)
    step = HistogramMatch(reference, above_mean=False, points=20)
    out = values(step.apply(*pair(texture() + 1000))[0])
    wanted = np.percentile(5 * texture(seed=1) + 4000, [10, 50, 90])
    np.testing.assert_allclose(np.percentile(out, [10, 50, 90]), wanted, rtol=0.01)


def test_a_reference_is_known_by_its_bytes_not_its_folder(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one = write(tmp_path / "a" / "ref.nrrd", texture(seed=1))
    other = write(tmp_path / "b" / "ref.nrrd", texture(seed=1))
    first = Preprocess([HistogramMatch(one)])
    assert first == Preprocess([HistogramMatch(other)])
    assert str(tmp_path) not in json.dumps(first.spec)
    again = Preprocess.from_spec(first.spec, folder=tmp_path / "b")
    assert again == first
    write(other, texture(seed=2))
    with pytest.raises(InvalidInput, match=r"ref\.nrrd has the sha256 .* promised"):
        again.apply(*pair())
    with pytest.raises(InputMissing, match=r"reference .*ref\.nrrd is not there"):
        Preprocess.from_spec(first.spec, folder=tmp_path)


def test_a_reference_can_be_given_later(tmp_path):
    reference = write(tmp_path / "r.nrrd", texture(seed=1))
    open_ = Preprocess.from_spec(["HistogramMatch"])
    with pytest.raises(InvalidInput, match="no reference image is named"):
        open_.apply(*pair())
    given = open_.with_files({"reference": reference})
    assert given == Preprocess([HistogramMatch(reference)])
    assert given == Preprocess.from_spec(open_.spec, files={"reference": reference})


def test_nyul_puts_scanners_on_one_scale_and_learns_from_what_it_is_given(tmp_path):
    inside = ellipsoid(radius=15)
    scans = [
        np.where(inside, gain * (2 + texture(seed=s) / 900) + shift, 0)
        for s, (gain, shift) in enumerate([(100, 0), (300, 50), (70, 20)])
    ]
    scale = Landmarks.learn(scans[:2])
    assert scale.n_images == 2
    file = scale.save(tmp_path / "landmarks.json")
    assert Landmarks.load(file) == scale
    chain = Preprocess([Nyul(file)])
    medians = [
        np.median(values(chain.apply(*pair(scan))[0])[body(scan)]) for scan in scans
    ]
    assert np.ptp(medians) < 60  # of a scale from 0 to 1000
    assert np.ptp([np.median(scan[body(scan)]) for scan in scans]) > 300
    assert chain.spec[0]["Nyul"]["landmarks"] == "landmarks.json"
    file.write_text('{"percentiles": [1, 0], "values": [0, 1], "n_images": 1}')
    with pytest.raises(InvalidInput, match=r"landmarks\.json do not hold rising"):
        Nyul(file)


def test_beyond_the_landmarks_goes_on_straight():
    scale = Landmarks((10.0, 50.0, 90.0), (0.0, 400.0, 1000.0), 1)
    voxels = gaussian_filter(np.random.default_rng(1).normal(0, 1, SHAPE), 1)
    voxels[0, 0, 0] = 100.0
    out = scale.apply(voxels)
    order = np.argsort(voxels, axis=None)
    assert (np.diff(out.ravel()[order]) >= 0).all()
    assert out[0, 0, 0] > 2000


def test_round_is_half_up():
    out = Round().apply(*pair(np.array([[[0.5, 1.5, -0.5, 2.4]]]), np.ones((1, 1, 4))))
    assert values(out[0]).ravel().tolist() == [1, 2, 0, 2]


# --- grey levels ---------------------------------------------------------------------


def test_bins_are_those_of_pyradiomics():
    radiomics = pytest.importorskip("radiomics")
    image, mask = pair()
    voxels, inside = values(image).astype(float), values(mask) > 0
    for step, setting in ((BinWidth(25), {"binWidth": 25}), (BinCount(32), {})):
        if not setting:
            setting = {"binCount": 32}
        theirs, _ = radiomics.imageoperations.binImage(voxels, inside, **setting)
        ours = values(step.apply(image, mask)[0])
        np.testing.assert_array_equal(ours[inside], theirs[inside])


def test_resegmentation_by_range_then_sigma():
    image, mask = pair()
    voxels, inside = values(image).astype(float), values(mask) > 0
    _, kept = Resegment(range=(0, 600)).apply(image, mask)
    np.testing.assert_array_equal(
        values(kept) > 0, inside & (voxels >= 0) & (voxels <= 600)
    )
    _, kept = Resegment(sigma=1.5).apply(image, mask)
    chosen = voxels[inside]
    near = np.abs(voxels - chosen.mean()) <= 1.5 * chosen.std()
    np.testing.assert_array_equal(values(kept) > 0, inside & near)
    with pytest.raises(EmptyROI, match="Resegment: no voxel of the lesion"):
        Resegment(range=(1e6, 2e6)).apply(image, mask)


def test_levels_come_last_for_an_extractor_that_cuts_by_itself():
    chain = Preprocess([ZScore(), Resegment(sigma=3), BinWidth(0.1)])
    before, levels = chain.before_levels()
    assert before == Preprocess([ZScore()])
    assert levels == (Resegment(sigma=3), BinWidth(0.1))
    with pytest.raises(InvalidInput, match="ZScore comes after BinWidth"):
        Preprocess([BinWidth(1), ZScore()]).before_levels()
