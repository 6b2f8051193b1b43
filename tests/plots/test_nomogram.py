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


def test_long_names_of_levels_stay_within_the_figure():
    names = {
        "Dedifferentiated liposarcoma of the retroperitoneum": 0.0,
        "Undifferentiated pleomorphic sarcoma": 3.0,
    }
    wide = Variable.categories("tissue", names, label="Histology")
    ax = plots.nomogram(dataclasses.replace(NOMOGRAM, variables=[wide]))
    assert_apart(ax.figure)
    assert_inside(ax.figure)
    assert {t.get_text() for t in ax.texts if t.get_gid() == "tissue:tick"} == {*names}


def test_every_level_is_written():
    ax = plots.nomogram(NOMOGRAM)
    written = {t.get_text() for t in ax.texts if t.get_gid() == "tissue:tick"}
    assert written == set(TISSUES)


def test_a_variable_without_effect_and_a_late_horizon_say_so():
    incidence = dataclasses.replace(NOMOGRAM, kind="incidence")
    words = " ".join(t.get_text() for t in plots.nomogram(incidence).texts)
    assert "any (0–1)" in words
    assert "Cumulative incidence of metastasis by 365" in words.replace("\n", " ")
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


BENT = Variable.spline(
    "age",
    [-0.08, 0.125, -0.92],
    [38.0, 56.6, 64.0, 70.2],
    low=34,
    high=81,
    label="Age",
    unit="years",
)


def test_a_curve_that_turns_is_folded_where_it_turns():
    nomogram = dataclasses.replace(NOMOGRAM, variables=[BENT, *NOMOGRAM.variables[1:]])
    ax = plots.nomogram(nomogram)
    lines = axes_of(ax)
    assert len(BENT.turns) == 2
    parts = ["age", "age:2", "age:3"]
    drawn = np.concatenate([lines[part].get_xdata() for part in parts])
    np.testing.assert_allclose(np.sort(drawn), np.sort(nomogram.points_of(BENT)))
    for part, turn in zip(parts[1:], BENT.turns, strict=True):
        effect = BENT.effect_at(turn)
        at = (effect - BENT.lowest) * nomogram.points_per_lp
        np.testing.assert_allclose(lines[f"{part}:turn"].get_xdata(), at)
        heights = [
            lines[p].get_ydata()[0] for p in (parts[parts.index(part) - 1], part)
        ]
        assert lines[f"{part}:turn"].get_ydata().tolist() == heights
    for part in parts:  # each rises or falls only
        ticks = [t for t in ax.texts if t.get_gid() == f"{part}:tick"]
        place = [t.xy[0] for t in sorted(ticks, key=lambda t: float(t.get_text()))]
        assert place in (sorted(place), sorted(place, reverse=True))
    written = [t.get_text() for t in ax.texts if str(t.get_gid()).startswith("age")]
    assert len(written) == len(set(written))
    assert_apart(ax.figure)
    assert_inside(ax.figure)


def test_a_logistic_nomogram_has_one_axis_of_probability_and_its_note():
    odds = dataclasses.replace(
        NOMOGRAM,
        kind="logistic",
        times=(),
        baseline_survival=(),
        center=2.5,
        note="Sarculator (refit)",
    )
    ax = plots.nomogram(odds)
    lines = axes_of(ax)
    assert list(lines)[-1] == "probability"
    axis = odds.probability_axis()
    per_point = 100 / odds.total_ticks()[-1]
    np.testing.assert_allclose(
        lines["probability"].get_xdata(), axis["total_points"] * per_point
    )
    words = [t.get_text() for t in ax.texts]
    assert "Probability of metastasis" in [w.replace("\n", " ") for w in words]
    assert words[-1] == "Sarculator (refit)"
    assert_apart(ax.figure)
    assert_inside(ax.figure)


def test_goes_into_a_journals_file(tmp_path):
    figure = plots.nomogram(NOMOGRAM).figure
    for kind, start in {"svg": b"<?xml", "pdf": b"%PDF", "png": b"\x89PNG"}.items():
        file = tmp_path / f"nomogram.{kind}"
        figure.savefig(file)
        assert file.read_bytes().startswith(start)
