"""The figures of metrics: what is drawn is what metrics computed, nothing else."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from sarcfeat import metrics, plots
from sarcfeat.exceptions import InvalidInput
from tests.plots.layout import assert_apart, assert_inside
from tests.plots.survival_data import simulated


@pytest.fixture(scope="module")
def cohort():
    return simulated()


def line(ax, label):
    return next(one for one in ax.lines if one.get_label() == label)


def in_place(ax):
    assert_inside(ax.figure)
    assert_apart(ax.figure)


def test_calibration_draws_the_groups_the_curve_and_everybody(cohort):
    event, time, _, times, survival = cohort
    p = survival["good"][:, 2]
    found = metrics.survival_calibration(event, time, p, times[2])
    groups = metrics.calibration_groups(event, time, p, times[2])
    ax = plots.calibration(p, found, groups=groups, what="survival at 1000 days")
    smooth = line(ax, "smooth")
    np.testing.assert_array_equal(smooth.get_xdata(), np.sort(p))
    np.testing.assert_array_equal(smooth.get_ydata(), found.curve[np.argsort(p)])
    dots = line(ax, "groups (95 % CI)")
    np.testing.assert_array_equal(dots.get_xdata(), groups["predicted"])
    np.testing.assert_array_equal(dots.get_ydata(), groups["observed"])
    ends = [path.vertices[:, 1] for path in ax.collections[0].get_paths()]
    np.testing.assert_array_equal(ends, groups[["ci_low", "ci_high"]])
    counts, _ = np.histogram(p, bins=40, range=(0, 1))
    heights = np.array([bar.get_height() for bar in ax.patches])
    np.testing.assert_allclose(heights / heights.max(), counts / counts.max())
    assert f"slope {found.slope:.2f}" in ax.texts[0].get_text()
    assert f"ICI {found.ici:.3f}" in ax.texts[0].get_text()
    assert ax.get_xlabel() == "Predicted survival at 1000 days"
    in_place(ax)


def test_calibration_of_a_yes_or_no_outcome(cohort):
    rng = np.random.default_rng(0)
    p = rng.uniform(0.02, 0.3, 200)
    found = metrics.calibration(rng.uniform(size=200) < p, p)
    ax = plots.calibration(p, found, what="response", whole=False)
    assert ax.get_xlim()[1] < 0.6
    assert f"in the large {found.in_the_large:.2f}" in ax.texts[0].get_text()
    in_place(ax)
    with pytest.raises(InvalidInput, match="curve is of 200 patients and predicted"):
        plots.calibration(p[1:], found)
    with pytest.raises(InvalidInput, match="got float"):
        plots.calibration(p, 0.9)


def test_decision_curve_draws_the_net_benefit_of_the_table(cohort):
    event, time, _, times, survival = cohort
    risks = {name: 1 - s[:, 2] for name, s in survival.items()}
    table = metrics.decision_curve_survival(
        event, time, risks, times[2], n_bootstrap=20, random_state=0
    )
    ax = plots.decision_curve(table, xlim=(0.1, 0.6))
    for label, model in {"treat all": "all", "good": "good"}.items():
        part = table[(table["model"] == model) & table["threshold"].between(0.1, 0.6)]
        np.testing.assert_array_equal(line(ax, label).get_ydata(), part["net_benefit"])
    assert len(ax.collections) == 2
    assert ax.get_xlim() == (0.1, 0.6)
    in_place(ax)
    with pytest.raises(InvalidInput, match="lacks net_benefit"):
        plots.decision_curve(table.drop(columns="net_benefit"))


def test_auc_and_brier_over_time_are_those_of_metrics(cohort):
    event, time, risks, times, survival = cohort
    areas = {
        n: metrics.time_dependent_auc(event, time, r, times) for n, r in risks.items()
    }
    ax = plots.time_dependent_auc(areas)
    for name, one in areas.items():
        np.testing.assert_array_equal(line(ax, name).get_xdata(), times)
        np.testing.assert_array_equal(line(ax, name).get_ydata(), one.auc)
    low = ax.collections[0].get_paths()[0].vertices[:, 1].min()
    assert low == pytest.approx(areas["good"].ci_low.min())
    assert ax.get_ylim()[0] < low
    in_place(ax)
    scores = {n: metrics.brier(event, time, s, times) for n, s in survival.items()}
    everybody = metrics.brier_reference(event, time, times)
    scores["Kaplan-Meier"] = metrics.brier(event, time, everybody, times)
    ax = plots.brier_curve(scores, reference="Kaplan-Meier")
    for name, one in scores.items():
        np.testing.assert_array_equal(line(ax, name).get_ydata(), one.brier)
    assert line(ax, "Kaplan-Meier").get_linestyle() == "--"
    assert len(ax.collections) == 2
    in_place(ax)
    with pytest.raises(InvalidInput, match="'KM' is none of the results"):
        plots.brier_curve(scores, reference="KM")
    with pytest.raises(InvalidInput, match=r"TimeDependentAUC.*got Brier for 'good'"):
        plots.time_dependent_auc(scores)


def test_a_time_past_the_follow_up_ends_the_line(cohort):
    event, time, risks, times, _ = cohort
    late = np.r_[times, 1e6]
    with pytest.warns(UserWarning, match="follow-up"):
        found = metrics.time_dependent_auc(event, time, risks["good"], late)
    ax = plots.time_dependent_auc(found)
    assert len(line(ax, "model").get_xdata()) == len(times)


def test_roc_draws_both_kinds_with_their_areas(cohort):
    event, time, risks, times, _ = cohort
    curves = {
        n: metrics.time_dependent_roc(event, time, r, times[2])
        for n, r in risks.items()
    }
    areas = {
        n: metrics.time_dependent_auc(event, time, r, [times[2]])
        for n, r in risks.items()
    }
    ax = plots.roc(curves, areas=areas)
    drawn = ax.lines[1]
    np.testing.assert_array_equal(drawn.get_xdata(), curves["good"].false_positive)
    np.testing.assert_array_equal(drawn.get_ydata(), curves["good"].true_positive)
    one = areas["good"]
    text = ax.get_legend().get_texts()[0].get_text()
    assert text == (
        f"good: {one.auc[0]:.2f} ({one.ci_low[0]:.2f}–{one.ci_high[0]:.2f})"
    )
    in_place(ax)
    curve = metrics.roc(event, risks["good"])
    ax = plots.roc(curve, areas=metrics.delong(event, risks["good"]))
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), curve.sensitivity[::-1])
    assert np.all(np.diff(ax.lines[1].get_xdata()) >= 0)
    with pytest.raises(InvalidInput, match="got list"):
        plots.roc([1, 2])


def test_every_figure_draws_where_it_is_told(cohort):
    event, time, risks, times, survival = cohort
    _, axes = plt.subplots(1, 3)
    auc = metrics.time_dependent_auc(event, time, risks["good"], times)
    assert plots.time_dependent_auc(auc, ax=axes[0]) is axes[0]
    assert plots.roc(metrics.roc(event, risks["good"]), ax=axes[1]) is axes[1]
    assert plots.calibration(survival["good"][:, 0], ax=axes[2]) is axes[2]
