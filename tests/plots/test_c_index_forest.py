import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from sarcfeat.exceptions import InvalidInput
from sarcfeat.plots import c_index_forest
from tests.plots.layout import assert_apart, assert_inside

TABLE = pd.DataFrame(
    {
        "model": ["clinical", "radiomics", "combined (rad-score + clinical)", "none"],
        "c_index": [0.61, 0.58, 0.67, np.nan],
        "ci_low": [0.50, 0.44, 0.55, np.nan],
        "ci_high": [0.72, 0.71, 0.78, np.nan],
    }
)


def test_dots_intervals_and_numbers():
    ax = c_index_forest(TABLE)
    dots = next(line for line in ax.lines if line.get_marker() == "o")
    np.testing.assert_array_equal(dots.get_xdata(), TABLE["c_index"])
    ends = [path.vertices[:, 0] for path in ax.collections[0].get_paths()]
    np.testing.assert_array_equal(ends[1], [0.44, 0.71])
    assert [label.get_text() for label in ax.get_yticklabels()] == list(TABLE["model"])
    written = [text.get_text() for text in ax.texts]
    assert written[0] == "0.61 (0.50–0.72)"
    assert written[3] == "not estimable"


def test_the_line_of_chance_is_always_in_sight():
    better = TABLE.iloc[:3].assign(ci_low=[0.7, 0.7, 0.7], c_index=0.75, ci_high=0.9)
    ax = c_index_forest(better)
    reference = next(line for line in ax.lines if line.get_linestyle() == "--")
    assert list(reference.get_xdata()) == [0.5, 0.5]
    assert ax.get_xlim()[0] < 0.5


def test_the_first_model_is_on_top_and_every_text_has_its_place():
    ax = c_index_forest(TABLE)
    assert ax.get_ylim()[0] > ax.get_ylim()[1]
    assert_inside(ax.figure)
    assert_apart(ax.figure)


def test_names_come_from_name_or_the_index():
    by_index = TABLE.iloc[:2].set_index("model")
    named = TABLE.iloc[:2].rename(columns={"model": "name"})
    for table in (by_index, named):
        labels = c_index_forest(table).get_yticklabels()
        assert [label.get_text() for label in labels] == ["clinical", "radiomics"]


def test_draws_where_it_is_told():
    _, ax = plt.subplots()
    assert c_index_forest(TABLE, ax=ax) is ax


def test_refuses_a_table_without_intervals():
    with pytest.raises(InvalidInput, match="lacks ci_low"):
        c_index_forest(TABLE.drop(columns="ci_low"))
    with pytest.raises(InvalidInput, match="0 rows"):
        c_index_forest(TABLE.iloc[:0])
