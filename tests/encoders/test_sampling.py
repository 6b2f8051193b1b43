import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sarcfeat.encoders.sampling import sample_box, sampling_weights


@pytest.mark.parametrize("size", [5, 16, 40])
def test_a_whole_image_is_resized_as_torch_does(size):
    image = np.random.default_rng(0).normal(size=(21, 17))
    ours = sample_box(image, [(0, 21), (0, 17)], (size, size))
    theirs = torch.nn.functional.interpolate(
        torch.tensor(image)[None, None], (size, size), mode="bilinear", antialias=True
    )[0, 0]
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


@settings(max_examples=50, deadline=None)
@given(
    st.integers(1, 30),
    st.floats(-20, 20),
    st.floats(0.5, 60),
    st.integers(1, 30),
)
def test_pixels_are_averages_of_voxels_or_nothing(n, low, span, size):
    weights = sampling_weights(n, low, low + span, size)
    total = weights.sum(axis=1)
    assert ((np.abs(total - 1) < 1e-9) | (total == 0)).all()
    assert (weights >= 0).all()


def test_the_same_grid_is_left_as_it_is_and_outside_is_nothing():
    image = np.arange(6.0).reshape(2, 3) + 1
    np.testing.assert_allclose(sample_box(image, [(0, 2), (0, 3)], (2, 3)), image)
    wider = sample_box(image, [(-1, 3), (0, 3)], (4, 3))
    np.testing.assert_allclose(wider, np.pad(image, ((1, 1), (0, 0))))
