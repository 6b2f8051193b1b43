import numpy as np
import pandas as pd
import pytest

from sarcfeat.datasets import make_slides
from sarcfeat.evaluate import extreme_tiles
from sarcfeat.exceptions import InvalidInput, UnknownName
from sarcfeat.io import tile_pictures
from sarcfeat.plots import contact_sheet
from tests.plots.layout import assert_inside, texts

pytest.importorskip("openslide")


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return make_slides(n=2, size=256, slides=1, root=tmp_path_factory.mktemp("slides"))


@pytest.fixture
def tiles(cohort):
    """Return sixteen tiles of each slide with scores that differ."""
    grid = [(64 * i, 64 * j) for j in range(4) for i in range(4)]
    parts = [
        pd.DataFrame(grid, columns=["x", "y"]).assign(
            patient=row.patient, slide=row.slide
        )
        for row in cohort.slides.itertuples()
    ]
    table = pd.concat(parts, ignore_index=True)
    table["relative"] = np.random.default_rng(2).exponential(size=32)
    return table.assign(region=np.where(table["x"] < 128, "C", "P"))


def test_each_patient_has_the_highest_and_the_lowest_with_labels(cohort, tiles):
    ends = extreme_tiles(tiles, 5)
    ax = contact_sheet(ends, cohort.slides, tile_um=16, pixels=64, columns=4)
    first, second = cohort.slides["patient"]
    shown = [text.get_text() for text in ax.texts]
    assert [text for text in shown if ", " in text] == [
        f"{first}, highest",
        f"{first}, lowest",
        f"{second}, highest",
        f"{second}, lowest",
    ]
    top = ends.iloc[0]
    assert shown[1] == f"{top['region']}  {top['relative']:.1f}×"
    assert len(ax.images) == 20
    pictures = tile_pictures(ends, cohort.slides, tile_um=16, pixels=64)
    for image, picture in zip(ax.images, pictures, strict=True):
        assert (np.asarray(image.get_array()) == picture).all()
    boxes = [tuple(image.get_extent()) for image in ax.images]
    assert len(set(boxes)) == 20
    # Four in a row, the fifth below the first.
    assert boxes[4][0] == boxes[0][0]
    assert boxes[4][3] > boxes[0][2]
    assert_inside(ax.figure)


def test_labels_keep_off_their_neighbours(cohort, tiles):
    ends = extreme_tiles(tiles, 6, over="cohort")
    ax = contact_sheet(ends, cohort.slides, tile_um=16, over="cohort", columns=6)
    found = texts(ax.figure)
    assert found[0][0].get_text() == "highest"
    assert ends["patient"][0] in found[1][0].get_text()
    for one, box in found:
        for other, beside in found:
            assert one is other or not box.overlaps(beside), one.get_text()
    assert_inside(ax.figure)


def test_a_blind_sheet_tells_numbers_only(cohort, tiles):
    key = tiles[:7].assign(tile=[f"T{i:03}" for i in range(1, 8)], end="highest")
    ax = contact_sheet(key, cohort.slides, tile_um=16, blinded=True, columns=3)
    assert [text.get_text() for text in ax.texts] == key["tile"].tolist()
    assert ax.get_title() == ""
    with pytest.raises(InvalidInput, match="blind sheet needs the column 'tile'"):
        contact_sheet(tiles, cohort.slides, blinded=True)


def test_sheets_that_cannot_be_drawn_are_refused(cohort, tiles):
    with pytest.raises(InvalidInput, match="0 tiles; a sheet has 1 to 600"):
        contact_sheet(tiles[:0], cohort.slides)
    with pytest.raises(UnknownName, match="weight"):
        contact_sheet(tiles, cohort.slides, score="weight")
    with pytest.raises(InvalidInput, match="columns=0"):
        contact_sheet(tiles, cohort.slides, columns=0)
