"""A small lesion on a small image, written as files."""

import numpy as np
import pytest
import SimpleITK
from scipy.ndimage import gaussian_filter


def ellipsoid(shape=(20, 32, 36), spacing=(3.0, 1.0, 1.0), radius=10.0):
    """Return a ball in millimetres as a boolean array (z, y, x)."""
    axes = [
        (np.arange(n) - (n - 1) / 2) * s for n, s in zip(shape, spacing, strict=True)
    ]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    return z**2 + y**2 + x**2 < radius**2


def write(path, array, spacing=(1.0, 1.0, 3.0), origin=(-10.0, 5.0, 20.0)):
    """Write an array (z, y, x) as an image file and return its path."""
    image = SimpleITK.GetImageFromArray(array)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    SimpleITK.WriteImage(image, str(path))
    return path


def texture(shape=(20, 32, 36), seed=0):
    """Return smooth positive noise, float32."""
    rng = np.random.default_rng(seed)
    noise = gaussian_filter(rng.standard_normal(shape), 1.2)
    return (300 + 600 * noise).astype("float32")


@pytest.fixture(scope="session")
def lesion(tmp_path_factory):
    """Return the paths (image, mask) of one simulated lesion."""
    folder = tmp_path_factory.mktemp("lesion")
    inside = ellipsoid()
    return (
        write(
            folder / "P001_image.nii.gz", (texture() + 100 * inside).astype("float32")
        ),
        write(folder / "P001_mask.nii.gz", inside.astype("uint8")),
    )
