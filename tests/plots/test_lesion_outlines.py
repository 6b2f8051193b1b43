import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.contour import ContourSet

from sarcfeat.exceptions import EmptyROI, InvalidInput
from sarcfeat.plots import lesion_outlines
from tests.plots.layout import assert_inside


def lesion(z=6, row=20, column=30, radius=6.1, shape=(12, 40, 60)):
    grid = np.mgrid[: shape[0], : shape[1], : shape[2]]
    centre = np.array([z, row, column])[:, None, None, None]
    return np.sqrt(((grid - centre) ** 2).sum(axis=0)) < radius


@pytest.fixture
def volumes():
    image = np.random.default_rng(0).normal(size=(12, 40, 60))
    readers = {"A": lesion(), "B": lesion(column=31)}
    return [("p1", image, readers), ("p2", image, {"B": lesion(z=3, row=2)})]


def outlines(ax):
    return [artist for artist in ax.get_children() if isinstance(artist, ContourSet)]


def test_the_slice_with_the_largest_lesion_is_shown(volumes):
    axes = lesion_outlines(volumes, margin=None)
    assert [ax.get_title() for ax in axes] == [
        "p1\nslice 7 of 12",
        "p2\nslice 4 of 12",
    ]
    np.testing.assert_array_equal(axes[0].images[0].get_array(), volumes[0][1][6])


def test_each_reader_has_an_outline_around_the_mask(volumes):
    ax = lesion_outlines(volumes, margin=None)[0]
    assert len(outlines(ax)) == 2
    rows, columns = np.nonzero(volumes[0][2]["A"][6])
    drawn = outlines(ax)[0].get_paths()[0].vertices
    assert drawn[:, 0].min() == pytest.approx(columns.min() - 0.5)
    assert drawn[:, 0].max() == pytest.approx(columns.max() + 0.5)
    assert drawn[:, 1].max() == pytest.approx(rows.max() + 0.5)


def test_a_lesion_at_the_edge_has_a_closed_outline(volumes):
    ax = lesion_outlines(volumes, margin=None)[1]
    path = outlines(ax)[0].get_paths()[0].vertices
    np.testing.assert_allclose(path[0], path[-1])
    assert path[:, 1].min() == pytest.approx(-0.5)
    assert ax.get_ylim() == (39.5, -0.5)


def test_a_reader_has_one_colour_in_every_picture(volumes):
    first, second = lesion_outlines(volumes)
    of_b = [outlines(first)[1], outlines(second)[0]]
    colours = [tuple(outline.get_edgecolor()[0]) for outline in of_b]
    assert colours[0] == colours[1]
    (legend,) = first.figure.legends
    assert [t.get_text() for t in legend.get_texts()] == ["Reader A", "Reader B"]
    assert_inside(first.figure)


def test_the_margin_crops_to_a_square_around_the_lesion(volumes):
    ax = lesion_outlines(volumes[:1], margin=0.5)[0]
    height, width = ax.images[0].get_array().shape
    assert height == width
    assert 20 < height < 30


def test_pixels_keep_their_shape(volumes):
    ax = lesion_outlines(volumes[:1], spacing=[(3.0, 1.0)])[0]
    assert ax.get_aspect() == 3.0


def test_a_constant_image_is_drawn():
    mask = lesion()
    assert lesion_outlines([("p1", np.ones(mask.shape), {"A": mask})])


def test_draws_where_it_is_told(volumes):
    _, axes = plt.subplots(1, 3)
    assert lesion_outlines(volumes, ax=axes) == list(axes[:2])


def test_refuses_what_cannot_be_drawn(volumes):
    title, image, masks = volumes[0]
    with pytest.raises(EmptyROI, match="p1: the masks of A hold no voxel"):
        lesion_outlines([(title, image, {"A": np.zeros_like(image)})])
    with pytest.raises(
        InvalidInput, match=r"p1: the mask of reader A .*\(11, 40, 60\)"
    ):
        lesion_outlines([(title, image, {"A": masks["A"][1:]})])
    with pytest.raises(InvalidInput, match="0 volumes"):
        lesion_outlines([])
