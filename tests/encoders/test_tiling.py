import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sarcfeat.encoders.tiling import GROUPS, Grid, count_tiles, tissue_groups
from sarcfeat.exceptions import InvalidInput


def test_the_borders_of_the_tissue_groups():
    share = [1, 0.80001, 0.8, 0.79999, 0.1, 0.09999, 0.00001, 1e-9, 0]
    assert "".join(tissue_groups(share)) == "AABBBCCDD"
    assert "".join(tissue_groups(np.float32([0.8, 0.1]))) == "BB"
    with pytest.raises(InvalidInput, match="outside 0 to 1"):
        tissue_groups([1.2])


@given(st.integers(1, 3000), st.integers(1, 3000), st.floats(20, 500))
@settings(max_examples=60, deadline=None)
def test_tiles_lie_within_the_slide_and_do_not_overlap(width, height, side):
    grid = Grid.over((width, height), side)
    coords = grid.coords
    assert len(coords) == len(grid)
    if len(grid):
        assert (coords[-1] + side <= np.array([width, height]) + 1).all()
        # No room is left for another column or row (before the corners are rounded).
        assert (grid.columns + 1) * side > width + 0.498
        assert (grid.rows + 1) * side > height + 0.498
    steps = np.diff(coords[: grid.columns, 0])
    assert (np.abs(steps - side) <= 1).all()
    assert (
        np.abs(coords[:, 0] - np.arange(len(grid)) % max(grid.columns, 1) * side).max(
            initial=0
        )
        <= 0.5
    )


@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 6), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_blocks_hold_every_wanted_tile_once(columns, rows, across, seed):
    grid = Grid(columns, rows, 10.0)
    wanted = np.random.default_rng(seed).random(len(grid)) < 0.4
    blocks = list(grid.blocks(wanted, across))
    assert sorted(t for b in blocks for t in b.tiles) == np.flatnonzero(wanted).tolist()
    for b in blocks:
        r, c = np.divmod(b.tiles, columns)
        assert ((r >= b.row) & (r < b.row + b.rows)).all()
        assert ((c >= b.column) & (c < b.column + b.columns)).all()


def test_counts_add_up_to_the_tiles_of_the_slide():
    rng = np.random.default_rng(0)
    region = rng.integers(0, 3, 500)
    what = rng.choice([*GROUPS, "blur"], 500)
    found = count_tiles(region, ["C", "P"], what)
    assert found["tiles"].sum() == 500
    assert found["region"].unique().tolist() == ["C", "P", ""]
    row = found[(found["region"] == "P") & (found["group"] == "blur")]
    assert row["tiles"].tolist() == [((region == 2) & (what == "blur")).sum()]
    alone = count_tiles(np.zeros(3), [], np.array(["A", "A", "D"]))
    assert alone.to_numpy().tolist() == [
        ["", "A", 2],
        ["", "B", 0],
        ["", "C", 0],
        ["", "D", 1],
    ]
