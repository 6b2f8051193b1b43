import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from PIL import Image

from sarcfeat.exceptions import InvalidInput
from sarcfeat.io import Regions, open_slide
from sarcfeat.plots import slide_regions
from tests.plots.layout import assert_inside

shapely = pytest.importorskip("shapely")


@pytest.fixture
def path(tmp_path):
    Image.new("RGB", (800, 600), (230, 180, 210)).save(tmp_path / "private name.png")
    return tmp_path / "private name.png"


@pytest.fixture
def regions():
    core, whole = shapely.box(200, 200, 400, 400), shapely.box(100, 100, 500, 500)
    return Regions(("C", "P", "R"), (core, whole, shapely.Polygon()))


def test_regions_are_outlined_and_named_with_areas_and_tiles(path, regions):
    tiles = [[250, 250], [110, 110], [450, 450], [600, 0]]
    with open_slide(path, mpp=100.0) as slide:
        ax = slide_regions(slide, regions, tiles=tiles, tile_px=50)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "C, 400 mm², 1 tile",
        "P, 1200 mm², 2 tiles",
        "R, 0 mm², 0 tiles",
    ]
    drawn = [line.get_xydata() for line in ax.lines if line.get_label()[0] == "_"]
    assert any(shapely.Polygon(d).area == 200**2 for d in drawn if len(d) == 5)
    (squares,) = [c for c in ax.collections if isinstance(c, PolyCollection)]
    assert len(squares.get_paths()) == 4
    assert squares.get_paths()[1].get_extents().bounds == (110, 110, 50, 50)
    faces = squares.get_facecolor()
    assert len(np.unique(faces, axis=0)) == 3
    assert ax.get_xlim() == (0, 800)
    assert ax.get_ylim() == (600, 0)
    assert_inside(ax.figure)


def test_the_name_of_the_file_is_not_shown_and_the_bar_is_round(path):
    with open_slide(path, mpp=2.0) as slide:
        ax = slide_regions(slide)
    assert ax.get_title() == ""
    assert [text.get_text() for text in ax.texts] == ["200 µm"]
    (bar,) = [line for line in ax.lines if line.get_label() == "_scale"]
    assert np.ptp(bar.get_xdata()) * 2.0 == pytest.approx(200)
    with open_slide(path, mpp=20.0) as slide:
        assert slide_regions(slide, title="P7").texts[0].get_text() == "2 mm"


def test_tiles_need_their_size(path):
    with open_slide(path, mpp=1.0) as slide:
        with pytest.raises(InvalidInput, match="tile_px=None; give the side"):
            slide_regions(slide, tiles=[[0, 0]])
        with pytest.raises(InvalidInput, match=r"shape \(3,\); expected \(n, 2\)"):
            slide_regions(slide, tiles=[1, 2, 3], tile_px=9)
        ax = slide_regions(slide, tiles=[], tile_px=9)
    assert len(ax.collections[0].get_paths()) == 0
