import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from sarcfeat.exceptions import InvalidInput, UnknownName
from sarcfeat.io import (
    open_slide,
    read_annotations,
    write_tiles_geojson,
    write_tiles_tiff,
)
from sarcfeat.io.heat_colours import heat_colours

shapely = pytest.importorskip("shapely")
pytest.importorskip("tifffile")


@pytest.fixture
def slide(tmp_path):
    Image.new("RGB", (1000, 700), (230, 180, 210)).save(tmp_path / "slide.png")
    with open_slide(tmp_path / "slide.png", mpp=0.5) as slide:
        yield slide


@pytest.fixture
def tiles():
    """Return a grid of 8 x 5 tiles of 112 pixels with a gap."""
    grid = [(112 * i, 112 * j) for j in range(5) for i in range(8) if (i, j) != (3, 2)]
    tiles = pd.DataFrame(grid, columns=["x", "y"])
    rng = np.random.default_rng(1)
    tiles["weight"] = rng.dirichlet(np.ones(len(tiles)))
    tiles["percentile"] = 100 * tiles["weight"].rank(pct=True)
    return tiles.assign(
        patient="P1", slide="S1", region=np.where(tiles["x"] < 448, "C", "")
    )


def test_geojson_gives_back_squares_scores_and_regions(tmp_path, tiles):
    path = write_tiles_geojson(tmp_path / "a.geojson", tiles, tile_px=112)
    document = json.loads(path.read_text())
    assert document["type"] == "FeatureCollection"
    assert len(document["features"]) == len(tiles)
    for feature, row in zip(
        document["features"], tiles.itertuples(index=False), strict=True
    ):
        square = shapely.geometry.shape(feature["geometry"])
        assert square.equals(shapely.box(row.x, row.y, row.x + 112, row.y + 112))
        told = feature["properties"]
        assert told["objectType"] == "tile"
        assert told["measurements"]["attention"] == row.weight
        assert told["measurements"]["attention percentile"] == row.percentile
        assert told.get("classification", {"name": ""})["name"] == row.region
        assert told["color"] == heat_colours(row.percentile, 0, 100).tolist()
    assert "P1" not in path.read_text()
    assert [file.name for file in tmp_path.glob("*.part")] == []


def test_annotations_are_read_as_regions_and_tiles_are_not(tmp_path, tiles, slide):
    path = write_tiles_geojson(tmp_path / "a.geojson", tiles, tile_px=112)
    assert read_annotations(path, slide=slide) == []
    write_tiles_geojson(path, tiles, tile_px=112, kind="annotation")
    found = read_annotations(path, slide=slide)
    assert [one.name for one in found] == tiles["region"].tolist()
    corners = [one.polygon.bounds[:2] for one in found]
    assert corners == [tuple(row) for row in tiles[["x", "y"]].to_numpy(dtype=float)]


def test_squares_lie_where_qupath_shows_the_slide(tmp_path, tiles, slide):
    area = {"x": "40", "y": "30", "width": "960", "height": "670"}
    slide.properties.update({f"openslide.bounds-{k}": v for k, v in area.items()})
    path = tmp_path / "a.geojson"
    inside = tiles[(tiles["x"] > 0) & (tiles["y"] > 0)]
    write_tiles_geojson(path, inside, tile_px=112, kind="annotation", slide=slide)
    first = json.loads(path.read_text())["features"][0]["geometry"]["coordinates"]
    assert first[0][0] == [112 - 40, 112 - 30]
    found = [one.polygon.bounds[:2] for one in read_annotations(path, slide=slide)]
    assert found == [tuple(row) for row in inside[["x", "y"]].to_numpy(dtype=float)]


def test_a_column_of_ones_own_is_coloured_from_its_own_ends(tmp_path, tiles):
    tiles = tiles[["x", "y"]].assign(grade=np.arange(39.0))
    path = write_tiles_geojson(
        tmp_path / "a.geojson", tiles, tile_px=112, column="grade"
    )
    told = [f["properties"] for f in json.loads(path.read_text())["features"]]
    assert told[0]["color"] == [68, 1, 84]
    assert told[-1]["color"] == [253, 231, 37]
    assert told[-1]["measurements"] == {"grade": 38.0}
    one = write_tiles_geojson(path, tiles[:1], tile_px=112, column="grade")
    only = json.loads(one.read_text())["features"][0]["properties"]
    assert only["color"] == [33, 144, 141]
    none = write_tiles_geojson(path, tiles[:0], tile_px=112, column="grade")
    assert json.loads(none.read_text())["features"] == []


def test_the_tiff_lies_over_the_slide(tmp_path, tiles, slide):
    path = write_tiles_tiff(tmp_path / "heat.tif", tiles, slide, tile_px=112)
    with open_slide(path) as heat:
        assert heat.reader == "openslide"
        assert heat.mpp == pytest.approx(0.5 * 112 / 8, rel=1e-4)
        assert heat.dimensions == (71, 50)
        for row in tiles.itertuples(index=False):
            x, y = (row.x + 56) // 14, (row.y + 56) // 14
            shade = heat_colours(row.percentile, 0, 100)
            assert (heat.read(x, y, 1)[0, 0] == shade).all()
        assert (heat.read((336 + 56) // 14, (224 + 56) // 14, 2) == 255).all()
        assert (heat.read(65, 10, 2) == 255).all()
        drawn = (heat.read(0, 0, heat.dimensions) != 255).any(axis=2).sum()
    assert drawn == 39 * 64


def test_the_tiff_has_a_pyramid_of_the_resolution_asked(tmp_path, tiles, slide):
    path = write_tiles_tiff(tmp_path / "h.tif", tiles, slide, tile_px=112, mpp=0.5)
    with open_slide(path) as heat:
        assert heat.dimensions == slide.dimensions
        assert [round(level.downsample) for level in heat.levels] == [1, 2, 4]
        assert heat.mpp == pytest.approx(0.5, rel=1e-4)
        shade = heat_colours(tiles["percentile"][0], 0, 100)
        assert (heat.read(0, 0, 112) == shade).all()
        assert (heat.read(0, 0, 28, mpp=2.0) == shade).all()


def test_tiles_of_two_slides_or_outside_the_slide_are_refused(tmp_path, tiles, slide):
    path = tmp_path / "a"
    two = pd.concat([tiles, tiles.assign(slide="S2")])
    with pytest.raises(InvalidInput, match=r"2 slides: S1, S2\. Pass the rows of one"):
        write_tiles_geojson(path, two, tile_px=112)
    with pytest.raises(InvalidInput, match=r"row 0: x 1120, y 0 lies outside .*1000 ×"):
        write_tiles_tiff(path, tiles.assign(x=1120), slide, tile_px=112)
    broken = tiles.assign(weight=tiles["weight"].where(tiles.index != 2))
    with pytest.raises(InvalidInput, match=r"row 2: x, y and weight are .* nan"):
        write_tiles_geojson(path, broken, tile_px=112, column="weight")
    with pytest.raises(InvalidInput, match=r"lacks wieght\. Did you mean 'weight'"):
        write_tiles_geojson(path, tiles, tile_px=112, column="wieght")
    with pytest.raises(InvalidInput, match="tile_px=0; give the side"):
        write_tiles_geojson(path, tiles, tile_px=0)
    with pytest.raises(InvalidInput, match=r"mpp=0\.01 makes a picture of 50,000"):
        write_tiles_tiff(path, tiles, slide, tile_px=112, mpp=0.01)
    with pytest.raises(UnknownName, match="tiles"):
        write_tiles_geojson(path, tiles, tile_px=112, kind="tiles")
    assert list(tmp_path.glob("a*")) == []
