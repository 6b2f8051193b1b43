import numpy as np
import pytest

from sarcfeat.exceptions import InvalidInput
from sarcfeat.plots import close, consensus
from sarcfeat.transform import ConsensusClustering
from tests.plots.layout import assert_inside


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(0)
    group = rng.integers(0, 3, 40)
    X = 2 * rng.normal(size=(3, 20))[group] + rng.normal(size=(40, 20))
    return ConsensusClustering(3, n_resamples=60, random_state=0).fit(X)


@pytest.fixture
def axes(fitted):
    axes = consensus(fitted)
    yield axes
    close(axes[0])


def test_the_heatmap_holds_the_consensus_group_by_group(axes, fitted):
    drawn = np.asarray(axes[0].images[0].get_array())
    assert np.sort(drawn.ravel()) == pytest.approx(
        np.sort(fitted.consensus_[3].ravel())
    )
    sizes = np.bincount(fitted.labels_)
    first = drawn[: sizes[0], : sizes[0]]
    assert first.mean() > drawn[: sizes[0], sizes[0] :].mean() + 0.5
    texts = [label.get_text() for label in axes[0].get_yticklabels()]
    assert texts == [f"group {i}\n(n = {n})" for i, n in enumerate(sizes)]


def test_one_distribution_a_k_and_the_chosen_one_named(axes, fitted):
    names = [line.get_label() for line in axes[1].lines]
    assert names == ["K = 2", "K = 3 (chosen)", "K = 4", "K = 5", "K = 6"]
    assert all(line.get_ydata()[-1] == 1 for line in axes[1].lines)
    np.testing.assert_allclose(
        axes[2].lines[0].get_ydata(), fitted.table_["delta_area"]
    )


def test_tracking_has_a_row_for_each_k(axes, fitted):
    drawn = np.asarray(axes[3].images[0].get_array())
    assert [len(set(row)) for row in drawn.tolist()] == [2, 3, 4, 5, 6]


def test_every_text_lies_inside(axes):
    assert_inside(axes[0].figure)


def test_not_fitted():
    with pytest.raises(InvalidInput, match="lacks consensus_"):
        consensus(ConsensusClustering())
