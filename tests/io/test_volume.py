"""Volumes: what is read, how it is identified, what each bad file says."""

import copy
import gzip
import pickle

import numpy as np
import pytest
import SimpleITK

from sarcfeat.exceptions import InputCorrupt, InputEmpty, InputMissing, InvalidInput
from sarcfeat.io import Geometry, VolumeRef, pixel_hash, read_volume


def write(path, array, spacing=(1.0, 1.0, 3.0), origin=(0.0, 0.0, 0.0)):
    image = SimpleITK.GetImageFromArray(array)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    SimpleITK.WriteImage(image, str(path))
    return path


@pytest.fixture
def voxels():
    return np.random.default_rng(0).normal(size=(4, 5, 6)).astype(np.float32)


def test_reads_zyx_and_geometry(tmp_path, voxels):
    volume = read_volume(write(tmp_path / "a.nii.gz", voxels, (1.0, 2.0, 3.0)))
    assert volume.array.shape == (4, 5, 6)
    assert volume.array.dtype == np.float64
    np.testing.assert_array_equal(volume.array, voxels.astype(np.float64))
    assert volume.geometry.size == (6, 5, 4)
    assert volume.spacing == (1.0, 2.0, 3.0)


def test_identity_is_content_not_file(tmp_path, voxels):
    origin = (-12.3, 4.56, 101.7)
    nifti = read_volume(write(tmp_path / "a.nii.gz", voxels, (0.7, 0.7, 3.3), origin))
    nrrd = read_volume(write(tmp_path / "b.nrrd", voxels, (0.7, 0.7, 3.3), origin))
    assert pixel_hash(nifti) == pixel_hash(nrrd)
    other = voxels.copy()
    other[0, 0, 0] += 1e-3
    assert pixel_hash(read_volume(write(tmp_path / "c.nrrd", other))) != pixel_hash(
        read_volume(write(tmp_path / "d.nrrd", voxels))
    )


def test_reference_is_light(tmp_path, voxels):
    ref = VolumeRef(write(tmp_path / "a.nii.gz", voxels))
    assert pickle.loads(pickle.dumps(ref)) == ref == copy.deepcopy(ref)
    assert len({ref, VolumeRef(ref.path)}) == 1
    assert ref.load().array.shape == (4, 5, 6)


def test_fault_001_missing_file(tmp_path):
    with pytest.raises(InputMissing, match=r"t1_image\.nii\.gz"):
        read_volume(tmp_path / "t1_image.nii.gz")


def test_fault_002_zero_bytes(tmp_path):
    path = tmp_path / "t1_image.nii.gz"
    path.touch()
    with pytest.raises(InputEmpty, match=r"t1_image\.nii\.gz has 0 bytes"):
        read_volume(path)


def test_fault_003_truncated(tmp_path, voxels):
    path = write(tmp_path / "t1.nii", np.tile(voxels, (4, 4, 4)))
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InputCorrupt, match=r"t1\.nii is cut off.*, 2000 are there"):
        read_volume(path)


def test_fault_003_truncated_gzip(tmp_path, voxels):
    path = write(tmp_path / "t1.nii.gz", np.tile(voxels, (4, 4, 4)))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputCorrupt, match=r"t1\.nii\.gz is cut off or damaged"):
        read_volume(path)
    path.write_bytes(whole[:-200] + b"x" + whole[-199:])
    with pytest.raises(InputCorrupt, match=r"t1\.nii\.gz is cut off or damaged"):
        read_volume(path)


def test_fault_003_truncated_nrrd(tmp_path, voxels):
    path = write(tmp_path / "t1.nrrd", np.tile(voxels, (4, 4, 4)))
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InputCorrupt, match=r"t1\.nrrd \(2000 bytes\) cannot be read"):
        read_volume(path)


def test_fault_004_not_its_suffix(tmp_path):
    path = tmp_path / "t1.nii.gz"
    path.write_bytes(gzip.compress(b"a letter, not an image" * 40))
    with pytest.raises(InputCorrupt, match=r"t1\.nii\.gz .*cannot be read"):
        read_volume(path)


def test_fault_015_four_dimensions_and_colour(tmp_path, voxels):
    image = SimpleITK.JoinSeries([SimpleITK.GetImageFromArray(voxels)] * 2)
    SimpleITK.WriteImage(image, str(tmp_path / "dynamic.nii.gz"))
    with pytest.raises(InvalidInput, match=r"dynamic\.nii\.gz has 4 dimensions"):
        read_volume(tmp_path / "dynamic.nii.gz")
    colour = SimpleITK.GetImageFromArray(
        np.zeros((3, 4, 5, 3), dtype=np.uint8), isVector=True
    )
    SimpleITK.WriteImage(colour, str(tmp_path / "rgb.nrrd"))
    with pytest.raises(InvalidInput, match=r"rgb\.nrrd has 3 values per voxel"):
        read_volume(tmp_path / "rgb.nrrd")


def test_geometry_round_trip_and_tolerance():
    axes = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    grid = Geometry((6, 5, 4), (1.0, 1.0, 3.0), (0.0, 0.0, 0.0), axes)
    assert Geometry.from_json(grid.to_json()) == grid
    near = Geometry(grid.size, (1.0005, 1.0, 3.0), grid.origin, axes)
    far = Geometry(grid.size, (1.005, 1.0, 3.0), grid.origin, axes)
    assert grid.difference(near) == ""
    assert grid.difference(far) == "spacing (1, 1, 3) mm against (1.005, 1, 3) mm"
