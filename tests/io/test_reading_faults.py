"""Bad images, one test each: the message names the file, nothing is guessed."""

import struct
import zipfile

import numpy as np
import pytest
import SimpleITK
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGLSLossless

from sarcfeat.exceptions import (
    InputCorrupt,
    InputRepaired,
    InputTooLarge,
    InvalidInput,
    UntrustedFile,
)
from sarcfeat.io import find_series, read_series, read_volume, refuse_untrusted
from sarcfeat.io.memory import available_memory
from tests.io.dicom_study import make_slice, malformed, stack, write_slices
from tests.io.test_volume import write

KEY = bytes(range(32))


@pytest.fixture
def voxels():
    return np.random.default_rng(0).normal(size=(4, 5, 6)).astype(np.float32)


def patched(path, offset, form, *values):
    """Change a header in place."""
    data = bytearray(path.read_bytes())
    struct.pack_into(form, data, offset, *values)
    path.write_bytes(data)
    return path


def without_preamble(folder):
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[132:])
    return folder


def test_fault_005_no_preamble_is_read_with_a_warning(tmp_path):
    slices = stack(4)
    folder = without_preamble(write_slices(tmp_path / "in", slices))
    with pytest.warns(InputRepaired, match="4 files have no DICOM preamble") as told:
        found = read_volume(folder)
    assert str(folder) in str(told[0].message)
    np.testing.assert_array_equal(found.array, [one.pixel_array for one in slices])
    series, others = find_series(folder, key=KEY)
    assert (len(series), others) == (1, [])
    with pytest.warns(InputRepaired, match="Patient .* 4 files have no DICOM preamble"):
        read_series(series[0], key=KEY)
    series, others = find_series(folder, key=KEY, strict=True)
    assert (series, len(others)) == ([], 4)


def test_fault_006_a_missing_slice_is_placed(tmp_path):
    slices = stack(5)
    folder = write_slices(tmp_path / "in", [*slices[:2], *slices[3:]])
    with pytest.raises(InvalidInput, match=r"slice is missing .* 3\.00 and 9\.00 mm"):
        read_volume(folder)
    with pytest.raises(InvalidInput, match=str(folder)):
        read_volume(folder)


def test_fault_007_the_same_slice_twice(tmp_path):
    again = make_slice(2)
    again.SOPInstanceUID += ".1"
    folder = write_slices(tmp_path / "twin", [*stack(4), again])
    with pytest.warns(InputRepaired, match="twin: 1 slices are there twice"):
        assert read_volume(folder).array.shape == (4, 6, 5)
    folder = write_slices(tmp_path / "copy", [*stack(4), make_slice(2)])
    with pytest.warns(InputRepaired, match="copy: 1 files are copies"):
        assert read_volume(folder).array.shape == (4, 6, 5)
    again.PixelData = bytes(len(again.PixelData))
    folder = write_slices(tmp_path / "other", [*stack(4), again])
    with pytest.raises(InvalidInput, match="other: two slices lie on one another"):
        read_volume(folder)


def test_fault_008_two_series_in_one_folder_are_listed(tmp_path):
    folder = write_slices(
        tmp_path / "mixed", [*stack(4), *stack(3, series=2, modality="CT")]
    )
    with pytest.raises(InvalidInput, match=r"mixed holds 2 series: MR of 4 .* CT of 3"):
        read_volume(folder)


def test_fault_009_distances_that_change(tmp_path):
    slices = stack(5)
    slices[4].ImagePositionPatient = [0, 0, 13]
    folder = write_slices(tmp_path / "uneven", slices)
    match = r"uneven: .* distance changes between 9\.00 and 13\.00 mm \(4\.000 mm; else"
    with pytest.raises(InvalidInput, match=match):
        read_volume(folder)


def test_fault_010_ct_without_a_scale(tmp_path):
    slices = stack(3, modality="CT")
    del slices[1].RescaleIntercept
    with pytest.raises(InvalidInput, match="ct: the CT has no RescaleIntercept"):
        read_volume(write_slices(tmp_path / "ct", slices))


def test_fault_010_pet_without_what_suv_takes(tmp_path):
    slices = stack(3, modality="PT")
    for one in slices:
        one.Units, one.DecayCorrection = "BQML", "START"
    match = (
        r"pet: no SUV can be computed: .*PatientWeight \(0010,1030\), "
        r"RadionuclideTotalDose \(0018,1074\), RadionuclideHalfLife \(0018,1075\), "
        r"RadiopharmaceuticalStartTime \(0018,1072\), SeriesTime"
    )
    with pytest.raises(InvalidInput, match=match):
        read_volume(write_slices(tmp_path / "pet", slices))


def test_fault_011_mixed_directions(tmp_path):
    slices = stack(4)
    slices[2].ImageOrientationPatient = [0, 1, 0, 1, 0, 0]
    folder = write_slices(tmp_path / "mixed", slices)
    with pytest.raises(InvalidInput, match=r"mixed: .* differ in ImageOrientation"):
        read_volume(folder)


def test_fault_011_a_left_handed_grid_is_turned_round(tmp_path, voxels):
    image = SimpleITK.GetImageFromArray(voxels)
    image.SetSpacing((1, 2, 3))
    image.SetOrigin((4, 5, 6))
    image.SetDirection((1, 0, 0, 0, 1, 0, 0, 0, -1))
    path = tmp_path / "left.nrrd"
    SimpleITK.WriteImage(image, str(path))
    with pytest.warns(InputRepaired, match=r"left\.nrrd has a left-handed grid"):
        found = read_volume(path)
    np.testing.assert_array_equal(found.array, voxels[::-1])
    assert found.origin == (4, 5, 6 - 3 * 3)
    assert found.direction == (1, 0, 0, 0, 1, 0, 0, 0, 1)
    text = path.read_bytes().replace(b"(0,0,-3)", b"(0,0,0) ")
    path.write_bytes(text)
    with pytest.raises(InvalidInput, match=r"left\.nrrd"):
        read_volume(path)


def test_fault_012_two_places(tmp_path, voxels):
    path = write(tmp_path / "t1.nii", voxels)
    read_volume(path)
    data = path.read_bytes()
    if struct.unpack_from("<h", data, 254)[0] == 0:  # there must be both
        patched(path, 254, "<h", 1)
    row = struct.unpack_from("<4f", path.read_bytes(), 280)
    patched(path, 280, "<4f", *row[:3], row[3] + 7.5)
    match = (
        r"t1\.nii says in two ways where it lies, 7\.5 mm apart: qform \[.* sform \["
    )
    with pytest.raises(InvalidInput, match=match):
        read_volume(path)


@pytest.mark.parametrize("side", [0.0, -1.0, float("nan")])
def test_fault_013_sides_that_cannot_be(tmp_path, voxels, side):
    path = patched(write(tmp_path / "t1.nii", voxels), 88, "<f", side)
    with pytest.raises(InvalidInput, match=r"t1\.nii has a voxel spacing of 1, 1, "):
        read_volume(path)
    slices = stack(3)
    with malformed():
        for one in slices:
            one.PixelSpacing = [1.5, side]
        folder = write_slices(tmp_path / "in", slices)
    with pytest.raises(InvalidInput, match="in: PixelSpacing is"):
        read_volume(folder)


def test_fault_015_a_colour_series(tmp_path):
    slices = stack(3)
    for one in slices:
        one.SamplesPerPixel = 3
    with pytest.raises(InvalidInput, match="colour: the slices are in colour"):
        read_volume(write_slices(tmp_path / "colour", slices))


def test_fault_017_a_codec_that_is_not_there(tmp_path):
    slices = stack(3)
    for one in slices:
        one.file_meta.TransferSyntaxUID = JPEGLSLossless
        one.PixelData = encapsulate([b"\xff\xd8\xff\xd9"])
        one["PixelData"].VR = "OB"
    folder = write_slices(tmp_path / "packed", slices)
    with pytest.raises(InputCorrupt, match=r"packed.*pylibjpeg\[all\]"):
        read_volume(folder)


@pytest.mark.parametrize("suffix", ["nii", "nii.gz", "nrrd"])
def test_fault_018_a_header_that_promises_too_much(tmp_path, voxels, suffix):
    path = tmp_path / f"bomb.{suffix}"
    if suffix == "nrrd":
        head = "NRRD0004\ntype: short\ndimension: 3\nsizes: 1000000 1000000 10\n"
        head += "encoding: gzip\nendian: little\n\n"
        path.write_bytes(head.encode() + b"\x1f\x8b\x08\0\0")
    else:
        import gzip

        plain = write(tmp_path / "plain.nii", voxels)
        patched(plain, 42, "<3h", 32767, 32767, 32767)
        data = plain.read_bytes()
        path.write_bytes(gzip.compress(data) if suffix.endswith("gz") else data)
    before = available_memory()
    with pytest.raises(InputTooLarge, match=rf"bomb\.{suffix} (says it )?has"):
        read_volume(path)
    assert available_memory() > before - 2e9


def test_fault_018_a_slice_that_promises_too_much(tmp_path):
    slices = stack(3)
    for one in slices:
        one.Rows = one.Columns = 65_000
    folder = write_slices(tmp_path / "bomb", slices)
    with pytest.raises(InputTooLarge, match=r"bomb.* 65,000 × 65,000"):
        read_volume(folder)


def test_fault_019_larger_than_memory(tmp_path, voxels, monkeypatch):
    path = write(tmp_path / "large.nrrd", np.zeros((20, 100, 100), np.float32))
    monkeypatch.setenv("SARCFEAT_MEMORY", "0.001")
    match = (
        r"large\.nrrd has 100 × 100 × 20 voxels and needs 0\.0024 GB of memory; "
        r"0\.001 GB are available\. .*SARCFEAT_MEMORY"
    )
    with pytest.raises(InputTooLarge, match=match):
        read_volume(path)
    monkeypatch.setenv("SARCFEAT_MEMORY", "lots")
    with pytest.raises(InvalidInput, match="SARCFEAT_MEMORY='lots'"):
        read_volume(path)


def test_fault_022_archives_are_not_unpacked(tmp_path):
    path = tmp_path / "t1_image.nii.gz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../outside.txt", "x")
    with pytest.raises((InputCorrupt, UntrustedFile), match=r"t1_image\.nii\.gz"):
        read_volume(path)
    assert not (tmp_path.parent.parent / "outside.txt").exists()
    refuse_untrusted(path, "")
