import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from sarcfeat import make_y
from sarcfeat.exceptions import InvalidInput
from sarcfeat.plots import kaplan_meier
from sarcfeat.survival import kaplan_meier as estimate
from sarcfeat.survival import logrank
from tests.plots.layout import assert_apart, assert_inside


@pytest.fixture
def patients():
    rng = np.random.default_rng(3)
    group = rng.choice(["high", "low"], 90)
    time = rng.exponential(np.where(group == "high", 500, 1200)).round() + 1
    end = rng.uniform(300, 2500, 90).round()
    return make_y(time <= end, np.minimum(time, end)), group


def at_risk(ax):
    """Return {group: {tick: number}} as written under the axis."""
    table = {}
    for text in ax.texts:
        if (text.get_gid() or "").startswith("at-risk:"):
            _, group, tick = text.get_gid().split(":")
            assert text.xy[0] == pytest.approx(float(tick), rel=1e-4)
            table.setdefault(group, {})[text.xy[0]] = int(text.get_text())
    return table


def test_numbers_at_risk_stand_under_the_ticks_and_equal_the_counts(patients):
    y, group = patients
    ax = kaplan_meier(y, group)
    for name in ("high", "low"):
        mine = group == name
        curve = estimate(y["event"][mine], y["time"][mine])
        written = at_risk(ax)[name]
        assert list(written) == ax.get_xticks().tolist()
        assert list(written.values()) == curve.n_risk_at(list(written)).tolist()
        assert written[0.0] == mine.sum()


def test_curves_are_kaplan_meiers(patients):
    y, group = patients
    ax = kaplan_meier(y, group, horizon=700)
    steps = [line for line in ax.lines if line.get_drawstyle() == "steps-post"]
    assert len(steps) == 2
    assert ax.get_xlim() == (0, 700)
    for line, name in zip(steps, ("high", "low"), strict=True):
        mine = group == name
        curve = estimate(y["event"][mine], y["time"][mine])
        time, survival = line.get_data()
        assert time.max() == 700
        np.testing.assert_allclose(survival[1:-1], curve.at(time[1:-1]))
        assert line.get_label() == (
            f"{name} (n = {mine.sum()}, events = {y['event'][mine].sum()})"
        )


def test_censored_patients_are_ticked(patients):
    y, group = patients
    ax = kaplan_meier(y, group)
    ticks = [line for line in ax.lines if line.get_marker() == "|"]
    times = np.concatenate([line.get_xdata() for line in ticks])
    assert set(times) == set(y["time"][~y["event"]])


def test_the_p_value_is_the_log_ranks_unless_given(patients):
    y, group = patients
    p = logrank(y["event"], y["time"], group).p_value
    title = kaplan_meier(y, group).get_legend().get_title().get_text()
    assert title == ("Log-rank p < 0.001" if p < 0.001 else f"Log-rank p = {p:.3f}")
    given = kaplan_meier(y, group, p_value=0.0456).get_legend().get_title().get_text()
    assert given == "Log-rank p = 0.046"
    alone = kaplan_meier(y, np.full(len(y), "all"))
    assert alone.get_legend().get_title().get_text() == ""


def test_groups_keep_the_order_of_a_categorical(patients):
    y, group = patients
    ordered = pd.Categorical(group, categories=["low", "absent", "high"])
    handles = kaplan_meier(y, ordered).get_legend().get_texts()
    assert [text.get_text().split()[0] for text in handles] == ["low", "high"]


def test_days_are_read_as_years_and_months_as_they_are(patients):
    y, group = patients
    ax = kaplan_meier(y, group)
    assert ax.get_xlabel() == "Time (years)"
    labels = [float(label.get_text()) for label in ax.get_xticklabels()]
    np.testing.assert_allclose(ax.get_xticks(), np.array(labels) * 365.25)
    months = kaplan_meier(y, group, time_unit="months")
    assert months.get_xlabel() == "Time (months)"


def test_every_text_has_its_place(patients):
    y, group = patients
    longer = np.where(group == "high", "high predicted risk", "low predicted risk")
    figure = kaplan_meier(y, longer).figure
    assert_inside(figure)
    assert_apart(figure)


def test_draws_where_it_is_told(patients):
    y, group = patients
    _, (left, right) = plt.subplots(1, 2)
    assert kaplan_meier((y["event"], y["time"]), group, ax=right) is right
    assert not left.lines
    bare = kaplan_meier(y, group, ax=left, at_risk=False)
    assert at_risk(bare) == {}


def test_the_band_goes_on_to_the_end_of_a_curve_that_falls_to_zero():
    ax = kaplan_meier(make_y([1, 1, 1], [10, 20, 40]), ["a", "a", "a"])
    ends = ax.collections[0].get_paths()[0].vertices[:, 0]
    assert ends.max() == 40


def test_refuses_groups_of_another_length(patients):
    y, group = patients
    with pytest.raises(InvalidInput, match="90 patients and groups has 89"):
        kaplan_meier(y, group[1:])
