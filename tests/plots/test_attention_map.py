import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PolyCollection
from PIL import Image

from sarcfeat.exceptions import InvalidInput
from sarcfeat.io import Regions, open_slide
from sarcfeat.io.heat_colours import heat_colours
from sarcfeat.plots import attention_map
from tests.plots.layout import assert_inside

shapely = pytest.importorskip("shapely")


@pytest.fixture
def path(tmp_path):
    Image.new("RGB", (800, 600), (230, 180, 210)).save(tmp_path / "private name.png")
    return tmp_path / "private name.png"


@pytest.fixture
def tiles():
    x, y = np.meshgrid(np.arange(0, 400, 100), np.arange(0, 300, 100))
    tiles = pd.DataFrame({"x": x.ravel(), "y": y.ravel()})
    return tiles.assign(percentile=np.linspace(0, 100, 12), weight=np.arange(12) / 66)


def heat_of(ax):
    (heat,) = [c for c in ax.collections if isinstance(c, PolyCollection)]
    return heat


def test_tiles_are_drawn_where_they_lie_in_the_colours_of_the_files(path, tiles):
    regions = Regions(("C",), (shapely.box(200, 100, 400, 300),))
    with open_slide(path, mpp=1.0) as slide:
        ax = attention_map(slide, tiles, tile_px=100, regions=regions, alpha=1.0)
    ax.figure.canvas.draw()
    heat = heat_of(ax)
    boxes = [p.get_extents().bounds for p in heat.get_paths()]
    assert boxes == [(x, y, 100, 100) for x, y in tiles[["x", "y"]].to_numpy()]
    expected = heat_colours(tiles["percentile"], 0, 100) / 255
    assert np.abs(heat.get_facecolor()[:, :3] - expected).max() < 0.02
    assert ax.get_legend().get_texts()[0].get_text() == "C, 0.040 mm²"
    (bar,) = [a for a in ax.figure.axes if a is not ax]
    assert bar.get_ylabel() == "Attention, percentile of the patient's tiles"
    assert bar.get_ylim() == (0, 100)
    assert ax.get_title() == ""
    assert_inside(ax.figure)


def test_other_scores_have_their_own_ends(path, tiles):
    with open_slide(path, mpp=1.0) as slide:
        ax = attention_map(slide, tiles, tile_px=100, column="weight", title="P7")
    assert heat_of(ax).get_clim() == (0, 11 / 66)
    assert ax.get_title() == "P7"
    assert_inside(ax.figure)


def test_cover_beyond_one_is_refused(path, tiles):
    with open_slide(path, mpp=1.0) as slide:
        with pytest.raises(InvalidInput, match=r"alpha=2; expected a cover"):
            attention_map(slide, tiles, tile_px=100, alpha=2)
        with pytest.raises(InvalidInput, match="lacks score"):
            attention_map(slide, tiles, tile_px=100, column="score")
