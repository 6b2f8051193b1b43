"""Incidence and survival by group, cohort by cohort."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from sarcfeat import plots
from tests.plots.layout import assert_apart, assert_inside


def test_a_group_keeps_its_colour_where_the_other_has_no_patient():
    rng = np.random.default_rng(0)
    outcome = pd.DataFrame(
        {"time": rng.exponential(900, 40), "event": rng.choice([0, 1, 1, 2], 40)}
    )
    words = np.where(np.arange(40) < 30, ["low", "high"] * 20, "high")
    groups = pd.Series(pd.Categorical(words, ["low", "high"]))
    cohort = pd.Series(np.repeat(["training", "external"], [30, 10]))
    axes = plots.cohort_curves(outcome, groups, cohort)
    titles = [ax.get_title().split(" (")[0] for ax in axes[0]]
    both, one = titles.index("training"), titles.index("external")
    for row in axes:
        named = {text.get_text(): text for text in row[both].texts}
        curves = {line.get_label().split(" ")[0]: line for line in row[both].lines}
        high = curves["high"].get_color()
        assert high != curves["low"].get_color()
        assert row[one].lines[0].get_color() == high
        assert named["high"].get_color() == high
        assert {text.get_text(): text for text in row[one].texts}[
            "high"
        ].get_color() == high
    plt.close(axes[0, 0].figure)


def test_long_names_of_groups_stand_apart():
    names = ["dedifferentiated liposarcoma", "myxoid/round cell liposarcoma", "UPS"]
    groups = pd.Series(np.repeat(names, 6))
    ax = plots.score_by_group(np.linspace(-1, 1, 18), groups)
    assert_inside(ax.figure)
    assert_apart(ax.figure)
    plt.close(ax.figure)
