import numpy as np
import pytest
import SimpleITK

from sarcfeat.encoders import Radiomics, canonical
from sarcfeat.encoders.crop import crop, margin
from sarcfeat.encoders.region import read_region

from .conftest import ellipsoid, write

pytest.importorskip("radiomics")


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Return a small lesion in a corner region of a large image."""
    folder = tmp_path_factory.mktemp("large")
    rng = np.random.default_rng(3)
    voxels = rng.normal(100, 30, size=(60, 120, 130)).astype("float32")
    voxels[:, :, 100:] += 900
    mask = np.zeros(voxels.shape, "uint8")
    mask[24:34, 50:64, 50:66] = ellipsoid((10, 14, 16), (1, 1, 1), 6)
    return (
        write(folder / "image.nii.gz", voxels, spacing=(1.0, 1.0, 1.5)),
        write(folder / "mask.nii.gz", mask, spacing=(1.0, 1.0, 1.5)),
    )


@pytest.mark.parametrize(
    "image_type",
    [
        {"Original": {}},
        {"Gradient": {}},
        {"Wavelet": {"level": 2, "wavelet": "db2"}},
        {"LoG": {"sigma": [1.0, 1.5]}},
        {"LBP2D": {"binWidth": 1}},
        {"LBP3D": {"binWidth": 1}},
    ],
    ids=lambda image_type: next(iter(image_type)),
)
def test_cropped_features_are_the_same_bits(large, image_type):
    params = {
        "imageType": image_type,
        "setting": {"normalize": True, "normalizeScale": 100, "binWidth": 10},
    }
    encoder = Radiomics(params)
    wide = margin(encoder.params, (1.0, 1.0, 1.5))
    image, _ = crop(read_region(*large), wide)
    assert image.GetNumberOfPixels() < 60 * 120 * 130
    whole = Radiomics(params, crop=False).encode(*large)
    np.testing.assert_array_equal(encoder.encode(*large).values, whole.values)


@pytest.mark.parametrize(
    "content",
    [
        {"imageType": {"Original": {}, "Square": {}}},
        {"imageType": {"Exponential": {}}},
        {"setting": {"resampledPixelSpacing": [2, 2, 2]}},
        {"setting": {"preCrop": True}},
    ],
)
def test_the_whole_image_is_kept_where_it_counts(content):
    assert margin(canonical(content), (1.0, 1.0, 1.0)) is None


def test_margin_counts_millimetres_along_each_axis():
    params = canonical({"imageType": {"Original": {}, "LoG": {"sigma": [2.0]}}})
    assert margin(params, (1.0, 1.0, 3.0)) == [48, 48, 16]


def test_crop_stays_inside_the_image(lesion):
    region = read_region(*lesion)
    image, mask = crop(region, [500, 500, 500])
    assert image.GetSize() == region.image.GetSize()
    image, mask = crop(region, [0, 0, 0])
    voxels = SimpleITK.GetArrayFromImage(mask)
    assert voxels.sum() == region.inside.sum()
    assert all(voxels.any(axis=a).any() for a in range(3))
    assert voxels[0].any()
    assert voxels[-1].any()
