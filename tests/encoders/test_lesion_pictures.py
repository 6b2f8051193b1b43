import numpy as np
import pytest

from sarcfeat.encoders.lesion_pictures import (
    grey_range,
    lesion_box,
    lesion_slices,
    read_lesion,
    scaled,
    slice_of,
    square,
)
from sarcfeat.encoders.preprocess import Preprocess
from sarcfeat.exceptions import GeometryMismatch, NonFiniteVoxels
from tests.encoders.conftest import ellipsoid, texture, write

TOLD = {"size": 8, "margin": 0.0, "masked": False, "window": (0.0, 4.0)}


def lesion():
    """A 4 × 6 box in slices 2 to 4, the middle one wider."""
    inside = np.zeros((7, 12, 14), bool)
    inside[2:5, 3:7, 4:10] = True
    inside[4, 3:9, 4:10] = True
    array = np.random.default_rng(0).random(inside.shape)
    return array, inside


def test_slices_stand_for_the_lesion_even_in_two_parts():
    inside = np.zeros((9, 2, 2), bool)
    inside[[1, 2, 7], 0, 0] = True
    inside[[1, 7], 1, 1] = True
    assert slice_of(inside, "middle") == [2]
    assert slice_of(inside, "largest") == [1]  # of two as large, nearest and lowest
    assert slice_of(inside, "all") == [1, 2, 7]


def test_channels_are_what_they_are_said_to_be():
    array, inside = lesion()
    other = [array, array + 1, array + 2]

    def planes(channels, images):
        return lesion_slices(
            images, inside, (1, 1, 3), slices="middle", channels=channels, **TOLD
        )[0]

    grey = planes("grey", [array])
    assert grey.shape == (3, 8, 8)
    assert (grey[0] == grey[1]).all()
    below, at, above = planes("neighbours", [array])
    assert (at == grey[0]).all()
    assert not np.allclose(below, at)
    assert not np.allclose(above, at)
    phases = planes("phases", other)
    np.testing.assert_allclose(phases[2] - phases[0], 0.5, atol=1e-12)


def test_neighbours_stop_at_the_end_of_the_image():
    array, inside = lesion()
    below, at, _ = lesion_slices(
        [array[3:]],
        inside[3:],
        (1, 1, 3),
        slices="all",
        channels="neighbours",
        **TOLD,
    )[0]
    assert (below == at).all()


def test_the_square_is_one_in_millimetres_and_holds_the_margin():
    inside = np.zeros((10, 10), bool)
    inside[2:6, 3:5] = True  # 4 × 2 pixels of 1 × 3 mm: 4 × 6 mm
    (y0, y1), (x0, x1) = square(inside, (1.0, 3.0), 3.0)
    assert ((y1 - y0) * 1.0, (x1 - x0) * 3.0) == (12.0, 12.0)
    assert ((y0 + y1) / 2, (x0 + x1) / 2) == (4.0, 4.0)


def test_grey_values_become_0_to_1_by_the_lesion_or_by_a_window():
    array = np.array([[[0.0, 10.0, 20.0, 40.0]]])
    inside = np.array([[[False, True, True, False]]])
    assert grey_range(array, inside, None) == (10.0, 20.0)
    assert scaled(array, (10.0, 20.0)).ravel().tolist() == [0, 0, 1, 1]
    assert grey_range(array, inside, (0, 40)) == (0, 40)
    assert scaled(array, (0, 40)).ravel().tolist() == [0, 0.25, 0.5, 1]
    assert (scaled(np.full((1, 1, 4), 7), (7.0, 7.0)) == 0).all()


def test_masking_paints_the_surroundings_black():
    array, inside = lesion()
    told = {**TOLD, "masked": True, "margin": 2.0}
    picture = lesion_slices(
        [array + 1], inside, (1, 1, 3), slices="largest", channels="grey", **told
    )[0, 0]
    assert picture[0].max() == 0
    assert picture[4, 4] > 0
    cube = lesion_box([array, array], inside, (1, 1, 3), **{**told, "margin": 0.0})
    assert cube.shape == (2, 8, 8, 8)
    assert (cube[:, 0, -1] == 0).all()  # a corner that only the widest slice fills


def test_a_second_sequence_comes_onto_the_grid_of_the_first(tmp_path):
    shape, inside = (20, 32, 36), ellipsoid()
    t1 = write(tmp_path / "t1.nii.gz", texture())
    mask = write(tmp_path / "mask.nii.gz", inside.astype("uint8"))
    ramp = np.broadcast_to(np.arange(72.0) / 2, (20, 64, 72)).astype("float32")
    t2 = write(
        tmp_path / "t2.nii.gz", ramp, spacing=(0.5, 0.5, 3.0), origin=(-10, 5, 20)
    )
    region, (_, second) = read_lesion([t1, t2], mask, label=1, chain=Preprocess())
    assert second.shape == shape
    np.testing.assert_allclose(second[10, 10, :30], np.arange(30.0), atol=1e-5)
    assert any("t2.nii.gz was resampled" in w for w in region.warnings)


def test_a_mask_of_another_grid_and_broken_voxels_are_refused(tmp_path, lesion):
    small = write(tmp_path / "small.nii.gz", np.ones((4, 4, 4), "uint8"))
    with pytest.raises(GeometryMismatch, match=r"small\.nii\.gz"):
        read_lesion([lesion[0]], small, label=1, chain=Preprocess())
    image = texture()
    image[0, 0, 0] = np.nan
    bad = write(tmp_path / "bad.mha", image)
    with pytest.raises(NonFiniteVoxels, match=r"bad\.mha"):
        read_lesion([bad], lesion[1], label=1, chain=Preprocess())


def test_the_chain_is_applied(lesion):
    chain = Preprocess.from_spec([{"Resample": {"spacing_mm": [2, 2, 3]}}])
    region, (array,) = read_lesion([lesion[0]], lesion[1], label=1, chain=chain)
    assert region.image.GetSpacing() == (2.0, 2.0, 3.0)
    assert array.shape == region.inside.shape
