import matplotlib.pyplot as plt
import numpy as np
import pytest

from sarcfeat.exceptions import InvalidInput
from sarcfeat.plots import preprocessing
from tests.plots.layout import assert_inside


@pytest.fixture
def stages():
    rng = np.random.default_rng(0)
    image, mask = rng.normal(100, 20, (6, 30, 30)), np.zeros((6, 30, 30))
    mask[2:5, 8:20, 8:20] = 1
    coarse = image[:, ::2, ::2], mask[:, ::2, ::2]
    return [("before", image, mask), ("after", (coarse[0] - 100) / 20, coarse[1])]


def test_slices_above_histograms(stages):
    axes = preprocessing(stages, spacing=[(1.0, 1.0), (2.0, 2.0)])
    assert len(axes) == 4
    assert [ax.get_title().split("\n")[0] for ax in axes[:2]] == ["before", "after"]
    counts = [sum(bar.get_height() for bar in ax.patches) for ax in axes[2:]]
    assert counts == [mask.sum() for _, _, mask in stages]
    inside = stages[1][1][stages[1][2] > 0]
    assert axes[3].get_xlabel().startswith(f"lesion: mean {inside.mean():.4g}")
    assert_inside(axes[0].figure)
    plt.close("all")


def test_axes_of_ones_own(stages):
    _, grid = plt.subplots(2, 2)
    assert preprocessing(stages, ax=grid.ravel())[0] is grid[0, 0]
    with pytest.raises(InvalidInput, match="got 2 stages and 3 axes"):
        preprocessing(stages, ax=grid.ravel()[:3])
    with pytest.raises(InvalidInput, match="got 0 stages"):
        preprocessing([])
    plt.close("all")
