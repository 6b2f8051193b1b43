import numpy as np
import pandas as pd
import pytest
from PIL import Image

from sarcfeat.exceptions import InputMissing, InvalidInput, NoResolution
from sarcfeat.io import tile_pictures, write_tile_pictures


@pytest.fixture
def slides(tmp_path):
    """Return two slides of one name whose pixels tell where they are."""
    rows = []
    for number, patient in enumerate(("P1", "P2")):
        y, x = np.mgrid[:200, :320]
        pixels = np.stack([x // 2, y, np.full_like(x, 100 * number)], axis=-1)
        path = tmp_path / f"{patient}.png"
        Image.fromarray(pixels.astype(np.uint8)).save(path)
        rows.append({"patient": patient, "slide": "S1", "path": str(path)})
    return pd.DataFrame(rows)


@pytest.fixture
def tiles():
    places = {"x": [64, 0, 300, 128], "y": [32, 0, 190, 64]}
    return pd.DataFrame({"patient": ["P2", "P1", "P2", "P1"], "slide": "S1", **places})


def test_pictures_are_those_of_the_places_in_the_order_given(slides, tiles):
    pictures = tile_pictures(tiles, slides, tile_um=16, pixels=32, mpp=0.5)
    for picture, row in zip(pictures, tiles.itertuples(), strict=True):
        expected = np.full((32, 32, 3), 255, np.uint8)
        with Image.open(slides.set_index("patient")["path"][row.patient]) as image:
            held = np.asarray(image)[row.y : row.y + 32, row.x : row.x + 32]
        expected[: held.shape[0], : held.shape[1]] = held
        assert (picture == expected).all()


def test_tiles_are_reduced_and_enlarged_to_the_size_asked(slides, tiles):
    told = {"tile_um": 16, "mpp": 0.5}
    whole = tile_pictures(tiles[:2], slides, pixels=32, **told)
    small = tile_pictures(tiles[:2], slides, pixels=8, **told)
    means = whole.reshape(2, 8, 4, 8, 4, 3).mean(axis=(2, 4))
    assert np.abs(small - means).max() <= 0.5
    large = tile_pictures(tiles[:2], slides, pixels=64, **told)
    assert large.shape == (2, 64, 64, 3)
    assert np.abs(large.mean(axis=(1, 2)) - whole.mean(axis=(1, 2))).max() < 0.5


def test_the_files_of_a_form_tell_their_number_only(tmp_path, slides, tiles):
    key = tiles.assign(tile=["T001", "T002", "T003", "T004"])
    told = {"tile_um": 16, "pixels": 32, "mpp": 0.5}
    paths = write_tile_pictures(tmp_path / "out", key, slides, **told)
    assert [path.name for path in paths] == [f"T00{i}.png" for i in range(1, 5)]
    pictures = tile_pictures(tiles, slides, **told)
    for path, picture in zip(paths, pictures, strict=True):
        with Image.open(path) as image:
            assert (np.asarray(image) == picture).all()
            assert image.info == {}
    with pytest.raises(InvalidInput, match="key lacks tile"):
        write_tile_pictures(tmp_path, tiles, slides)


def test_slides_without_a_path_are_named(slides, tiles):
    with pytest.raises(InvalidInput, match=r"no path of S1 of P1\. Give a row"):
        tile_pictures(tiles, slides[1:], mpp=0.5)
    with pytest.raises(InvalidInput, match="no path of S1 of P2, S1 of P1"):
        tile_pictures(tiles, {"S2": slides["path"][0]}, mpp=0.5)
    with pytest.raises(NoResolution, match=r"P2\.png does not say"):
        tile_pictures(tiles, slides)
    with pytest.raises(InputMissing, match="gone"):
        tile_pictures(tiles, {"S1": "gone.png"}, mpp=0.5)
    with pytest.raises(InvalidInput, match="tiles lacks x"):
        tile_pictures(tiles.drop(columns="x"), slides)
    with pytest.raises(InvalidInput, match="tile_um=-1; give the side"):
        tile_pictures(tiles, slides, tile_um=-1)
    with pytest.raises(InvalidInput, match="pixels=0; expected"):
        tile_pictures(tiles, slides, pixels=0)
