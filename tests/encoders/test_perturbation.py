import numpy as np
import pytest
import SimpleITK
from hypothesis import given, settings
from hypothesis import strategies as st

from sarcfeat.encoders import perturb_mask, write_perturbed_mask
from sarcfeat.encoders.perturbation import dice, random_field, signed_distance
from sarcfeat.exceptions import EmptyROI, InvalidInput, LabelMissing

from .conftest import ellipsoid, write

GRIDS = {
    "MR": ((14, 40, 40), (3.3, 1.0, 1.0)),
    "isotropic": ((40, 40, 40), (1.0, 1.0, 1.0)),
    "PET": ((18, 14, 14), (3.27, 4.7, 4.7)),
}


@pytest.mark.parametrize("grid", GRIDS)
def test_dice_is_that_of_two_readers(grid):
    shape, spacing = GRIDS[grid]
    ball = ellipsoid(shape, spacing, 14.0)
    overlaps = [
        dice(ball, perturb_mask(ball, spacing, random_state=seed)) for seed in range(60)
    ]
    assert 0.87 < np.median(overlaps) < 0.95
    assert np.mean([0.85 <= d <= 0.97 for d in overlaps]) > 0.85
    assert min(overlaps) >= 0.75


def test_contours_grow_and_shrink_about_the_same():
    shape, spacing = GRIDS["MR"]
    ball = ellipsoid(shape, spacing, 14.0)
    ratio = [
        perturb_mask(ball, spacing, random_state=seed).sum() / ball.sum()
        for seed in range(60)
    ]
    assert 0.93 < np.mean(ratio) < 1.07
    assert min(ratio) < 0.95
    assert max(ratio) > 1.05


def test_the_seed_decides_and_the_callers_mask_is_not_written_to():
    shape, spacing = GRIDS["MR"]
    ball = ellipsoid(shape, spacing)
    before = ball.copy()
    a = perturb_mask(ball, spacing, random_state=5)
    np.testing.assert_array_equal(a, perturb_mask(ball, spacing, random_state=5))
    assert (a != perturb_mask(ball, spacing, random_state=6)).any()
    np.testing.assert_array_equal(ball, before)


def test_the_image_around_the_lesion_does_not_count():
    shape, spacing = GRIDS["MR"]
    ball = ellipsoid(shape, spacing, 8.0)
    wide = np.pad(ball, 7)
    np.testing.assert_array_equal(
        perturb_mask(wide, spacing, random_state=3)[7:-7, 7:-7, 7:-7],
        perturb_mask(ball, spacing, random_state=3),
    )


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), voxels=st.integers(1, 40))
def test_never_empty_however_small_or_ragged(seed, voxels):
    rng = np.random.default_rng(seed)
    mask = np.zeros((7, 8, 9), bool)
    mask.flat[rng.choice(mask.size, voxels, replace=False)] = True
    moved = perturb_mask(mask, (5.0, 1.0, 1.0), random_state=seed)
    assert moved.any()
    assert dice(mask, moved) >= 0.75


def test_a_lesion_that_fills_its_image_stays():
    full = np.ones((3, 4, 5), bool)
    np.testing.assert_array_equal(
        perturb_mask(full, (1.0, 1.0, 1.0), random_state=0), full
    )


def test_distance_is_to_the_face_between_voxels():
    slab = np.zeros((5, 5, 12), bool)
    slab[:, :, 4:8] = True
    along = signed_distance(slab, (3.0, 1.0, 2.0))[2, 2]
    np.testing.assert_allclose(along[2:10], [-3, -1, 1, 3, 3, 1, -1, -3])


def test_field_has_mean_zero_and_sd_one():
    rng = np.random.default_rng(0)
    field = random_field((60, 60, 60), (2.0, 3.0, 1.0), rng)
    assert abs(field.mean()) < 0.1
    assert field.std() == pytest.approx(1.0, abs=0.05)
    step = np.corrcoef(field[:-1].ravel(), field[1:].ravel())[0, 1]
    assert step == pytest.approx(np.exp(-1 / (4 * 2.0**2)), abs=0.02)


def test_errors_say_what_is_wrong():
    ball = ellipsoid()
    with pytest.raises(EmptyROI, match="no contour"):
        perturb_mask(np.zeros((3, 3, 3)), (1, 1, 1), random_state=0)
    with pytest.raises(InvalidInput, match=r"shape \(32, 36\)"):
        perturb_mask(ball[0], (1, 1, 1), random_state=0)
    with pytest.raises(InvalidInput, match=r"spacing \[1.0, 0.0, 1.0\]"):
        perturb_mask(ball, (1, 0, 1), random_state=0)
    with pytest.raises(InvalidInput, match="sd is 0"):
        perturb_mask(ball, (1, 1, 1), random_state=0, sd=0)


def test_written_mask_keeps_grid_type_label_and_other_labels(tmp_path):
    voxels = 3 * ellipsoid().astype("int16")
    voxels[:2] = 9
    source = write(tmp_path / "reader_a.nii.gz", voxels)
    before = source.read_bytes()
    target = write_perturbed_mask(
        source, tmp_path / "sub" / "reader_b.nii.gz", random_state=1, label=3
    )
    a, b = SimpleITK.ReadImage(str(source)), SimpleITK.ReadImage(str(target))
    assert b.GetPixelID() == a.GetPixelID()
    for side in ("GetSize", "GetSpacing", "GetOrigin", "GetDirection"):
        assert getattr(a, side)() == getattr(b, side)()
    moved = SimpleITK.GetArrayFromImage(b)
    assert set(np.unique(moved)) == {0, 3, 9}
    np.testing.assert_array_equal(moved == 9, voxels == 9)
    assert 0.85 < dice(voxels == 3, moved == 3) < 0.97
    assert source.read_bytes() == before
    again = write_perturbed_mask(
        source, tmp_path / "again.nii.gz", random_state=1, label=3
    )
    np.testing.assert_array_equal(
        SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(again))), moved
    )
    with pytest.raises(LabelMissing, match=r"reader_a\.nii\.gz .*label 1"):
        write_perturbed_mask(source, tmp_path / "no.nii.gz", random_state=1)
