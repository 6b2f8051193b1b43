"""Contours on voxels: holes, keyholes, parts, gaps and other grids."""

import numpy as np
import pytest

from sarcfeat.exceptions import (
    EmptyROI,
    GeometryMismatch,
    InputCorrupt,
    InvalidInput,
    UnknownName,
)
from sarcfeat.io import Geometry, read_mask, read_volume, region_names
from sarcfeat.io.contours import Contour, rasterise
from tests.io.dicom_masks import make_rtstruct, save, square

AXES = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
GRID = Geometry((12, 12, 6), (1.5, 1.5, 3.0), (0.0, 0.0, 0.0), AXES)


def curves(*corners, closed=True):
    return [Contour(np.array(points, float), closed) for points in corners]


def on_grid(contours, grid=GRID, **more):
    return rasterise(contours, grid, what="rt.dcm", **more)


def test_an_inner_contour_is_a_hole_and_others_are_parts():
    found = on_grid(curves(square(3, 2, 8), square(3, 4, 6), square(3, 10, 10))).inside
    expected = np.zeros((6, 12, 12), bool)
    expected[1, 2:9, 2:9] = True
    expected[1, 4:7, 4:7] = False
    expected[1, 10, 10] = True
    np.testing.assert_array_equal(found, expected)


def test_the_channel_of_a_keyhole_has_no_width():
    outer, inner = square(0, 2, 8), square(0, 4, 6)
    keyhole = [*outer, outer[0], *inner[:1], *inner[:0:-1], inner[0]]
    found = on_grid(curves(keyhole)).inside
    np.testing.assert_array_equal(found, on_grid(curves(outer, inner)).inside)


def test_a_turned_grid_gets_the_same_voxels():
    axes = (0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0)
    turned = Geometry(GRID.size, GRID.spacing, GRID.origin, axes)
    triangle = [(1.0, 1.0, 3.0), (14.0, 2.0, 3.0), (3.0, 9.0, 3.0)]
    plain = on_grid(curves(triangle)).inside
    swapped = on_grid(curves(triangle), turned).inside
    np.testing.assert_array_equal(swapped, plain.transpose(0, 2, 1))


@pytest.mark.parametrize(("thickness", "n"), [(1.0, 9), (1.5, 6), (3.0, 3), (6.0, 1)])
def test_the_volume_is_kept_on_slices_of_another_thickness(thickness, n):
    stack = curves(*(square(3 * k, 2, 5) for k in (1, 2, 3)))
    grid = Geometry((12, 12, 20), (1.5, 1.5, thickness), (0, 0, 0), AXES)
    found = on_grid(stack, grid).inside
    assert found.any(axis=(1, 2)).sum() == n
    assert set(found.sum(axis=(1, 2))) == {0, 16}


def test_fault_038_a_gap_is_refused_filled_or_kept():
    stack = curves(square(3, 2, 5), square(6, 2, 5), square(12, 2, 7), square(15, 2, 7))
    with pytest.raises(
        InvalidInput, match=r"rt\.dcm: 1 slices between .*above slice 2"
    ):
        on_grid(stack)
    kept = on_grid(stack, gaps="keep")
    assert kept.inside.any(axis=(1, 2)).tolist() == [0, 1, 1, 0, 1, 1]
    assert "1 slices between others have no contour" in kept.notes[0]
    filled = on_grid(stack, gaps="fill")
    assert filled.inside.sum(axis=(1, 2))[[2, 4]].tolist() == [16, 36]
    assert 16 <= filled.inside[3].sum() <= 36
    assert "1 slices without a contour were filled" in filled.notes[0]
    with pytest.raises(InvalidInput, match="gaps='ignore'"):
        on_grid(stack, gaps="ignore")


def test_fault_038_an_open_contour_is_closed_or_refused():
    nearly = [*square(3, 2, 5), (2.25, 3.0, 3)]
    found = on_grid(curves(nearly, closed=False))
    np.testing.assert_array_equal(found.inside, on_grid(curves(square(3, 2, 5))).inside)
    assert "the open contour at z = 3.00 mm was closed (0.75 mm)" in found.notes
    with pytest.raises(InvalidInput, match=r"rt\.dcm: .* z = 3\.00 mm is not closed"):
        on_grid(curves(square(3, 2, 5), closed=False))


def test_fault_032_contours_outside_the_image_show_both_bounds():
    match = (
        r"rt\.dcm: 100 % of the lesion lies outside .* Contours x 29\.2 to 35\.2.*"
        r"image x 0\.0 to 16\.5"
    )
    with pytest.raises(GeometryMismatch, match=match):
        on_grid(curves(square(3, 20, 23)))
    with pytest.raises(GeometryMismatch, match="100 %"):
        on_grid(curves(square(300, 2, 3)))
    with pytest.raises(GeometryMismatch, match="33 % of the lesion"):
        on_grid(curves(*(square(z, 2, 5) for z in (12, 15, 18))))


def test_contours_across_the_slices_are_refused():
    tilted = [(3.0, 3.0, 3.0), (9.0, 3.0, 6.0), (6.0, 9.0, 4.0)]
    with pytest.raises(InvalidInput, match=r"rt\.dcm: .* not in the plane"):
        on_grid(curves(tilted))


def test_a_region_is_chosen_and_its_names_are_in_no_message(tmp_path):
    regions = {"GTV Zzcanary": [square(3, 2, 5)], "node": [square(6, 1, 2)]}
    path = save(make_rtstruct(regions), tmp_path / "rt.dcm")
    assert region_names(path) == list(regions)
    assert read_mask(path, GRID, roi="^gtv").inside.sum() == 16
    for roi, kind in ((None, InvalidInput), ("bone", UnknownName)):
        with pytest.raises(kind, match=r"rt\.dcm has 2 regions") as told:
            read_mask(path, GRID, roi=roi)
        assert "Zzcanary" not in str(told.value)
    with pytest.raises(GeometryMismatch, match=r"rt\.dcm lies in another frame"):
        read_mask(path, GRID, roi="node", frame="1.2.3")
    empty = save(make_rtstruct({"GTV": []}), tmp_path / "empty.dcm")
    with pytest.raises(EmptyROI, match=r"empty\.dcm"):
        read_mask(empty, GRID)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises((InputCorrupt, InvalidInput, UnknownName), match=r"rt\.dcm"):
        read_mask(path, GRID)


@pytest.mark.parametrize("sequence", ["CT", "MR_T1", "PET"])
def test_a_real_structure_set_equals_the_published_mask(real_data, sequence):
    home = real_data / "dicom" / "STS_008" / sequence
    published = real_data / "images" / "sts" / "STS_008"
    image = read_volume(home / "image")
    nifti = read_volume(published / f"{sequence}_image.nii.gz")
    assert image.geometry.difference(nifti.geometry) == ""
    np.testing.assert_array_equal(image.array, nifti.array)
    contours = next((home / "mask").iterdir())
    found = read_mask(contours, image.geometry)
    mask = read_volume(published / f"{sequence}_mask.nii.gz").array > 0
    np.testing.assert_array_equal(found.inside, mask)
    assert found.notes == []


def test_a_real_mask_goes_to_the_other_sequences(real_data):
    published = real_data / "images" / "sts" / "STS_008"
    source = next((real_data / "dicom" / "STS_008" / "MR_T1" / "mask").iterdir())
    for sequence in ("CT", "PET"):
        mask = read_volume(published / f"{sequence}_mask.nii.gz")
        found = read_mask(source, mask.geometry, resample=True).inside
        both = (found & (mask.array > 0)).sum()
        assert 2 * both / (found.sum() + mask.array.sum()) > 0.99
