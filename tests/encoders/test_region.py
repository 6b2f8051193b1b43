"""Faults 1-4, 14, 15, 26-34 of the catalogue: refused, with the file's name."""

import gzip

import numpy as np
import pytest
import SimpleITK

from sarcfeat.encoders import Radiomics
from sarcfeat.encoders.region import read_region
from sarcfeat.exceptions import (
    EmptyROI,
    GeometryMismatch,
    InputCorrupt,
    InputEmpty,
    InputMissing,
    InvalidInput,
    LabelMissing,
    NonFiniteVoxels,
    ROITooSmall,
)

from .conftest import ellipsoid, texture, write

pytest.importorskip("radiomics")

PLAIN = {"setting": {"binWidth": 25}, "featureClass": {"firstorder": [], "glcm": []}}


@pytest.fixture
def encoder():
    return Radiomics(PLAIN)


def test_fault_001_missing_file(lesion, tmp_path, encoder):
    with pytest.raises(InputMissing, match=r"No mask file .*P002_mask\.nii\.gz"):
        encoder.encode(lesion[0], tmp_path / "P002_mask.nii.gz")
    with pytest.raises(InputMissing, match=r"No image file .*P002\.nii"):
        encoder.encode(tmp_path / "P002.nii", lesion[1])


def test_fault_002_zero_bytes(lesion, tmp_path, encoder):
    empty = tmp_path / "P002_mask.nii.gz"
    empty.touch()
    with pytest.raises(InputEmpty, match=r"P002_mask\.nii\.gz has 0 bytes"):
        encoder.encode(lesion[0], empty)


def test_fault_003_truncated_nifti_is_not_read_as_zeros(lesion, tmp_path, encoder):
    whole = lesion[0].read_bytes()
    cut = tmp_path / "cut.nii.gz"
    cut.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputCorrupt, match=r"cut\.nii\.gz is cut off or damaged"):
        encoder.encode(cut, lesion[1])
    raw = tmp_path / "raw.nii"
    raw.write_bytes(gzip.decompress(whole)[:50_000])
    size = 352 + 4 * 20 * 32 * 36
    with pytest.raises(InputCorrupt, match=f"promises {size} bytes .* 50000 are there"):
        encoder.encode(raw, lesion[1])


def test_fault_004_not_what_the_suffix_says(lesion, tmp_path, encoder):
    text = tmp_path / "notes.nrrd"
    text.write_text("not an image\n" * 20)
    with pytest.raises(InputCorrupt, match=r"notes\.nrrd \(260 bytes\) cannot"):
        encoder.encode(lesion[0], text)


def test_fault_014_not_a_number(lesion, tmp_path, encoder):
    voxels = texture()
    voxels[10, 16, 18] = np.nan
    voxels[10, 16, 19] = np.inf
    inside = write(tmp_path / "inside.nrrd", voxels)
    with pytest.raises(NonFiniteVoxels, match=r"inside\.nrrd: 2 of \d+ voxels"):
        encoder.encode(inside, lesion[1])
    voxels = texture()
    voxels[0, 0, 0] = np.nan
    outside = write(tmp_path / "outside.nrrd", voxels)
    encoded = encoder.encode(outside, lesion[1])
    assert np.isfinite(encoded.values).all()
    assert "1 voxels outside the lesion are not finite." in encoded.warnings
    with pytest.raises(NonFiniteVoxels, match="1 voxels around the lesion"):
        Radiomics("demo.yaml").encode(outside, lesion[1])


def test_fault_015_four_dimensions_and_colours(lesion, tmp_path, encoder):
    series = tmp_path / "series.nii.gz"
    volumes = [SimpleITK.ReadImage(str(lesion[0]))] * 2
    SimpleITK.WriteImage(SimpleITK.JoinSeries(volumes), str(series))
    with pytest.raises(InvalidInput, match=r"series\.nii\.gz has 4 dimensions"):
        encoder.encode(series, lesion[1])
    colour = tmp_path / "colour.nrrd"
    SimpleITK.WriteImage(SimpleITK.Compose(volumes), str(colour))
    with pytest.raises(InvalidInput, match=r"2 values per voxel"):
        encoder.encode(colour, lesion[1])


def test_fault_026_empty_mask(lesion, tmp_path, encoder):
    mask = write(tmp_path / "void.nii.gz", np.zeros((20, 32, 36), "uint8"))
    with pytest.raises(EmptyROI, match=r"void\.nii\.gz is empty"):
        encoder.encode(lesion[0], mask)


def test_fault_027_too_few_voxels(lesion, tmp_path, encoder):
    voxels = np.zeros((20, 32, 36), "uint8")
    voxels[10, 16, 18] = 1
    one = write(tmp_path / "one.nii.gz", voxels)
    with pytest.raises(ROITooSmall, match=r"one\.nii\.gz .* 1 voxel\(s\).* least 8"):
        encoder.encode(lesion[0], one)
    asked = {**PLAIN, "setting": {"binWidth": 25, "minimumROISize": 5000}}
    with pytest.raises(ROITooSmall, match="expected at least 5000"):
        Radiomics(asked).encode(*lesion)
    voxels[9:12, 15:18, 17:20] = 1
    few = write(tmp_path / "few.nii.gz", voxels)
    assert (
        "27 voxels; texture is unstable" in encoder.encode(lesion[0], few).warnings[0]
    )


def test_fault_028_one_slice_with_three_dimensional_features(lesion, tmp_path, encoder):
    voxels = np.zeros((20, 32, 36), "uint8")
    voxels[10] = ellipsoid()[10]
    flat = write(tmp_path / "flat.nii.gz", voxels)
    with pytest.raises(ROITooSmall, match=r"× 1 voxels .*too flat for 3-D.* force2D"):
        encoder.encode(lesion[0], flat)
    in_plane = Radiomics({**PLAIN, "setting": {"binWidth": 25, "force2D": True}})
    assert len(in_plane.encode(lesion[0], flat).values) == 42


def test_fault_028_flat_after_resampling(lesion, tmp_path):
    voxels = np.zeros((20, 32, 36), "uint8")
    voxels[9:11, 8:24, 8:24] = 1
    thin = write(tmp_path / "thin.nii.gz", voxels)
    coarse = Radiomics({"setting": {"resampledPixelSpacing": [2, 2, 12]}})
    with pytest.raises(ROITooSmall, match=r"thin\.nii\.gz .*too few dimensions"):
        coarse.encode(lesion[0], thin)


def test_fault_029_label_absent(lesion, tmp_path, encoder):
    voxels = 2 * ellipsoid().astype("uint8")
    voxels[0, 0, 0] = 7
    mask = write(tmp_path / "two.nii.gz", voxels)
    with pytest.raises(
        LabelMissing, match=r"two\.nii\.gz .*label 1; labels present: 2, 7"
    ):
        encoder.encode(lesion[0], mask)
    by_call = encoder.encode(lesion[0], mask, label=2).values
    np.testing.assert_array_equal(by_call, encoder.encode(*lesion).values)
    by_default = Radiomics(PLAIN, label=2).encode(lesion[0], mask).values
    np.testing.assert_array_equal(by_default, by_call)


def test_fault_030_geometry_mismatch(lesion, tmp_path, encoder):
    voxels = ellipsoid().astype("uint8")
    mask = write(tmp_path / "moved.nii.gz", voxels, spacing=(1.0, 1.0, 5.0))
    message = r"moved\.nii\.gz .*spacing \(1, 1, 3\) mm against \(1, 1, 5\) mm"
    with pytest.raises(GeometryMismatch, match=message):
        encoder.encode(lesion[0], mask)


def test_fault_030_resampling_must_be_asked_for(lesion, tmp_path):
    doubled = np.repeat(ellipsoid().astype("uint8"), 2, axis=0)
    mask = write(
        tmp_path / "fine.nii.gz",
        doubled,
        spacing=(1.0, 1.0, 1.5),
        origin=(-10.0, 5.0, 20.0 - 0.75),
    )
    asked = Radiomics({**PLAIN, "setting": {"binWidth": 25, "correctMask": True}})
    encoded = asked.encode(lesion[0], mask)
    np.testing.assert_array_equal(
        encoded.values, Radiomics(PLAIN).encode(*lesion).values
    )
    assert "The mask was resampled" in encoded.warnings[0]


def test_fault_031_rounding_of_headers_is_accepted(lesion, tmp_path, encoder):
    voxels = ellipsoid().astype("uint8")
    mask = write(tmp_path / "near.nrrd", voxels, origin=(-10.0004, 5.0, 20.0))
    np.testing.assert_array_equal(
        encoder.encode(lesion[0], mask).values, encoder.encode(*lesion).values
    )


def test_fault_032_lesion_outside_the_image(lesion, tmp_path):
    voxels = ellipsoid().astype("uint8")
    mask = write(tmp_path / "far.nrrd", voxels, origin=(9.0, 5.0, 20.0))
    with pytest.raises(GeometryMismatch, match=r"far\.nrrd .*mL lie in the image"):
        read_region(lesion[0], mask, resample_mask=True)


def test_fault_033_probabilities(lesion, tmp_path, encoder):
    soft = (0.7 * ellipsoid()).astype("float32")
    mask = write(tmp_path / "soft.nii.gz", soft)
    with pytest.raises(InvalidInput, match=r"soft\.nii\.gz holds fractions"):
        encoder.encode(lesion[0], mask)
    whole = write(tmp_path / "whole.nii.gz", ellipsoid().astype("float32"))
    assert len(encoder.encode(lesion[0], whole).values) == 42


def test_fault_035_two_parts_are_noted(lesion, tmp_path, encoder):
    voxels = ellipsoid().astype("uint8")
    voxels[:2, :2, :2] = 1
    mask = write(tmp_path / "parts.nii.gz", voxels)
    assert (
        "The lesion has 2 separate parts." in encoder.encode(lesion[0], mask).warnings
    )


def test_a_lesion_without_contrast_is_noted(lesion, tmp_path, encoder):
    image = write(tmp_path / "grey.nii.gz", np.full((20, 32, 36), 5, "int16"))
    encoded = encoder.encode(image, lesion[1])
    assert any("have the value 5" in w for w in encoded.warnings)


def test_parameters_for_another_kind_of_image_do_not_take_all_memory(lesion, tmp_path):
    message = r"P001_mask.* bin width of 0\.25 .* grey levels; expected at most 2000"
    bright = write(tmp_path / "bright.nrrd", 100 * texture())
    with pytest.raises(InvalidInput, match=message):
        Radiomics("pet.yaml").encode(bright, lesion[1])
    shape_only = {"setting": {"binWidth": 0.01}, "featureClass": {"shape": []}}
    assert len(Radiomics(shape_only).encode(*lesion).values) == 14
    scaled = {**PLAIN, "setting": {"normalize": True, "binWidth": 0.001}}
    with pytest.raises(InvalidInput, match=r"bin width of 0\.001"):
        Radiomics(scaled).encode(*lesion)
