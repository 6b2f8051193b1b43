import dataclasses

import matplotlib.pyplot as plt
import numpy as np
import pytest

from sarcfeat import plots
from sarcfeat.exceptions import InvalidInput
from sarcfeat.nomogram import Nomogram, Variable
from tests.plots.layout import assert_apart, assert_inside

TISSUES = {
    "Liposarcoma": 0.0,
    "Leiomyosarcoma": 0.45,
    "Synovial sarcoma": 0.5,
    "UPS": 0.55,
    "Other": 0.9,
    "MPNST": 1.2,
}
NOMOGRAM = Nomogram(
    variables=[
        Variable.numeric("age", 0.021, low=18, high=91, label="Age", unit="years"),
        Variable.numeric(
            "size", -0.001, low=1, high=31, label="Largest diameter of it"
        ),
        Variable.coded("margin", 0.08, levels=(0, 1), label="Positive margin"),
        Variable.categories("tissue", TISSUES, label="Histology"),
        Variable.numeric("score", 1.1, low=-1.3, high=1.6, label="Rad-score"),
        Variable.coded("deep", 0.0, levels=(0, 1), label="Deep"),
    ],
    center=1.9,
    times=[365, 1826],
    baseline_survival=[0.85, 0.52],
    lp_range=(-1.9, 2.4),
    max_time=1700,
    event="metastasis",
    beyond="flag",
)


def axes_of(ax):
    return {line.get_gid(): line for line in ax.lines}


def test_ticks_lie_at_their_points():
    ax = plots.nomogram(NOMOGRAM)
    lines = axes_of(ax)
    for variable in NOMOGRAM.variables[:-1]:
        points = np.sort(NOMOGRAM.points_of(variable))
        np.testing.assert_allclose(lines[variable.name].get_xdata(), points)
    total = NOMOGRAM.total_ticks()
    per_point = 100 / total[-1]
    np.testing.assert_allclose(lines["total"].get_xdata(), np.array(total) * per_point)
    axis = NOMOGRAM.probability_axis(1826)["total_points"] * per_point
    inside = axis[axis.between(0, 100)]
    np.testing.assert_allclose(lines["probability:1826"].get_xdata(), np.sort(inside))


def test_axes_come_in_a_journals_order():
    ax = plots.nomogram(NOMOGRAM)
    heights = [line.get_ydata()[0] for line in ax.lines]
    assert heights == sorted(heights)  # the y axis points down
    assert ax.get_ylim()[0] > ax.get_ylim()[1]
    assert list(axes_of(ax)) == [
        "points",
        *(variable.name for variable in NOMOGRAM.variables),
        "total",
        "probability:365",
        "probability:1826",
    ]


@pytest.mark.parametrize("width", [1.0, 2.5])
def test_no_text_lies_on_another_or_leaves_the_figure(width):
    wide = [
        dataclasses.replace(v, effects=tuple(e * width for e in v.effects))
        if v.name == "tissue"
        else v
        for v in NOMOGRAM.variables
    ]
    ax = plots.nomogram(dataclasses.replace(NOMOGRAM, variables=wide))
    assert_apart(ax.figure)
    assert_inside(ax.figure)


def test_every_level_is_written():
    ax = plots.nomogram(NOMOGRAM)
    written = {t.get_text() for t in ax.texts if t.get_gid() == "tissue:tick"}
    assert written == set(TISSUES)


def test_a_variable_without_effect_and_a_late_horizon_say_so():
    words = " ".join(t.get_text() for t in plots.nomogram(NOMOGRAM).texts)
    assert "any (0–1)" in words
    assert words.replace("\n", " ").count("(beyond follow-up)") == 1


def test_draws_where_it_is_told():
    _, ax = plt.subplots(figsize=(10, 6))
    assert plots.nomogram(NOMOGRAM, ax=ax) is ax
    assert_apart(ax.figure)


def test_a_constant_model_has_no_axis_to_draw():
    constant = dataclasses.replace(NOMOGRAM, variables=NOMOGRAM.variables[-1:])
    with pytest.raises(InvalidInput, match="No variable of this nomogram"):
        plots.nomogram(constant)


def test_close_lets_the_figure_go():
    ax = plots.nomogram(NOMOGRAM)
    plots.close(ax)
    assert plt.get_fignums() == []
