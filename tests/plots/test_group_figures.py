"""The figures of groups, cut-offs and tables of Cox models."""

import numpy as np
import pandas as pd
import pytest

from sarcfeat import CoxPH, make_y, metrics, plots
from sarcfeat.evaluate import cox_table
from sarcfeat.exceptions import InvalidInput, UnknownName
from sarcfeat.survival import (
    cumulative_incidence,
    gray_test,
    make_causes,
    maximally_selected_logrank,
)
from sarcfeat.transform import OptimalCut
from tests.plots.layout import assert_apart, assert_inside
from tests.plots.survival_data import simulated


@pytest.fixture(scope="module")
def patients():
    event, time, risks, _, _ = simulated()
    rng = np.random.default_rng(1)
    cause = np.where(event, rng.choice([1, 2], len(event), p=[0.7, 0.3]), 0)
    grade = np.where(
        risks["good"] > 0.4, "III", np.where(risks["good"] > -0.5, "II", "I")
    )
    X = pd.DataFrame(
        {**risks, "grade": grade, "size (cm)": rng.gamma(4, 2, len(event))}
    )
    return X, cause, time


def in_place(ax):
    assert_inside(ax.figure)
    assert_apart(ax.figure)


def test_incidence_is_aalen_johansens_with_the_numbers_at_risk(patients):
    X, cause, time = patients
    order = pd.Categorical(X["grade"], ["III", "II", "I"])
    ax = plots.cumulative_incidence(make_causes(cause, time), order, horizon=1500)
    steps = [one for one in ax.lines if one.get_drawstyle() == "steps-post"]
    for drawn, name in zip(steps, ["III", "II", "I"], strict=True):
        mine = (X["grade"] == name).to_numpy()
        curve = cumulative_incidence(cause[mine], time[mine])
        at, height = drawn.get_data()
        np.testing.assert_allclose(height[1:-1], curve.at(at[1:-1])[:, 0])
        counts = {
            text.xy[0]: int(text.get_text())
            for text in ax.texts
            if (text.get_gid() or "").startswith(f"at-risk:{name}:")
        }
        assert counts == {t: int((time[mine] >= t).sum()) for t in ax.get_xticks()}
    p = gray_test(cause, time, X["grade"]).p_value
    title = ax.get_legend().get_title().get_text()
    assert title == (f"Gray p = {p:.2f}" if p > 0.1 else f"Gray p = {p:.3f}")
    in_place(ax)


def test_other_causes_are_drawn_dashed_when_asked(patients):
    X, cause, time = patients
    ax = plots.cumulative_incidence(make_causes(cause, time), cause=2, others=True)
    dashed = ax.lines[1]
    assert dashed.get_linestyle() == "--"
    curve = cumulative_incidence(cause, time)
    assert dashed.get_ydata()[-1] == pytest.approx(curve.incidence[-1, 0])
    in_place(ax)
    with pytest.raises(InvalidInput, match="150 patients and groups has 149"):
        plots.cumulative_incidence(make_causes(cause, time), X["grade"][1:])


def test_hazard_ratios_are_those_of_the_table(patients):
    X, cause, time = patients
    found = cox_table(X, make_y(cause > 0, time), multivariable=["good", "grade"])
    ax = plots.hazard_ratios(found)
    rows = found.table[found.table["multi_hr"].notna()]
    labels = [text.get_text() for text in ax.get_yticklabels()]
    assert labels == ["good", "grade: I", "grade: II", "grade: III"]
    dots = next(one for one in ax.lines if one.get_marker() == "s")
    fitted = rows[rows["multi_ci_low"].notna()]
    np.testing.assert_array_equal(dots.get_xdata(), fitted["multi_hr"])
    ends = [path.vertices[:, 0] for path in ax.collections[0].get_paths()]
    np.testing.assert_array_equal(ends, fitted[["multi_ci_low", "multi_ci_high"]])
    texts = [text.get_text() for text in ax.texts]
    first = rows.iloc[0]
    assert texts[0].startswith(
        f"{first['multi_hr']:.2f} ({first['multi_ci_low']:.2f}–"
        f"{first['multi_ci_high']:.2f})"
    )
    assert texts[1] == "1 (reference)"
    assert ax.get_xscale() == "log"
    low, high = ax.get_xlim()
    assert low < 1 < high
    in_place(ax)
    alone = plots.hazard_ratios(found, model="univariable")
    assert len(alone.get_yticklabels()) == len(found.table)
    in_place(alone)


def test_an_infinite_ratio_and_few_events_are_said(patients):
    X, cause, time = patients
    event = cause[:40] > 0
    margin = np.where(event, "R1", "R0")
    margin[:4] = "R1"
    few = X.iloc[:40].assign(margin=margin)
    found = cox_table(few, make_y(event, time[:40]), multivariable=list(few))
    ax = plots.hazard_ratios(found)
    texts = [text.get_text() for text in ax.texts]
    firth = found.table.query("level == 'R1'")["firth_hr"].iloc[0]
    assert texts[-1].startswith(f"infinite; Firth {firth:.1f} (")
    assert "fewer than 10" in ax.get_xlabel()
    assert np.isfinite(ax.get_xlim()).all()
    in_place(ax)


def test_hazard_ratios_of_a_fitted_model(patients):
    X, cause, time = patients
    model = CoxPH().fit(X[["good", "size (cm)"]], make_y(cause > 0, time))
    ax = plots.hazard_ratios(model.summary_)
    labels = [text.get_text() for text in ax.get_yticklabels()]
    assert labels == ["good", "size (cm)"]
    assert ax.get_xlabel() == "Hazard ratio (95 % CI)"
    few = CoxPH(level=0.9).fit(
        X[["good", "size (cm)"]][:20], make_y(cause[:20] > 0, time[:20])
    )
    label = plots.hazard_ratios(few.summary_).get_xlabel()
    assert label.startswith("Hazard ratio (90 % CI)\n")
    assert f"{few.events_per_variable_:.1f} events per variable of the model" in label
    with pytest.raises(InvalidInput, match="no multivariable model"):
        plots.hazard_ratios(model.summary_, model="multivariable")
    with pytest.raises(UnknownName, match="No model 'multi'"):
        plots.hazard_ratios(model.summary_, model="multi")
    with pytest.raises(InvalidInput, match="got CoxPH"):
        plots.hazard_ratios(model)


def test_the_search_of_a_cut_is_drawn_whole(patients):
    X, cause, time = patients
    cut = OptimalCut().fit(X[["good", "size (cm)"]], make_y(cause > 0, time))
    ax = plots.cut_search(cut, "size (cm)")
    search = cut.search_[cut.search_["feature"] == "size (cm)"]
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), search["cut"])
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), search["statistic"])
    assert ax.lines[1].get_xdata()[0] == cut.cuts_["size (cm)"]
    row = cut.table_.set_index("feature").loc["size (cm)"]
    assert f"cut {row['cut']:.4g}" in ax.texts[0].get_text()
    assert f"{row['p']:.3f}"[:4] in ax.texts[0].get_text()
    in_place(ax)
    alone = maximally_selected_logrank(cause > 0, time, X["good"])
    assert plots.cut_search(alone).lines[1].get_xdata()[0] == alone.cut
    with pytest.raises(UnknownName, match="No feature with a cut 'age'"):
        plots.cut_search(cut, "age")
    with pytest.raises(InvalidInput, match="got DataFrame"):
        plots.cut_search(cut.search_)


def test_every_patient_is_a_dot_in_his_group(patients):
    X, _, _ = patients
    score = X["good"].where(np.arange(len(X)) != 5)
    groups = {g: score[X["grade"] == g] for g in ("I", "II", "III")}
    found = metrics.compare_groups(groups)
    ax = plots.score_by_group(score, X["grade"], comparison=found, ylabel="DL-C")
    dots = [one for one in ax.collections if len(one.get_offsets()) > 5]
    for place, (drawn, name) in enumerate(zip(dots, groups, strict=True)):
        known = groups[name].dropna()
        np.testing.assert_allclose(drawn.get_offsets()[:, 1], known)
        assert np.abs(drawn.get_offsets()[:, 0] - place).max() < 0.2
    assert ax.get_xticklabels()[0].get_text() == f"I\n(n = {groups['I'].notna().sum()})"
    assert ax.get_title().startswith(found.test.name)
    in_place(ax)
    with pytest.raises(InvalidInput, match="one score and one group"):
        plots.score_by_group(score, X["grade"][1:])
    with pytest.raises(InvalidInput, match="both a score and a group"):
        plots.score_by_group([np.nan], ["a"])


def test_a_forest_of_any_metric():
    table = pd.DataFrame(
        {"delta": [0.04, -0.1], "ci_low": [-0.02, -0.2], "ci_high": [0.1, 0.01]},
        index=["combined", "radiomics"],
    )
    ax = plots.forest(table, value="delta", reference=0, xlabel="Difference")
    dots = next(one for one in ax.lines if one.get_marker() == "o")
    np.testing.assert_array_equal(dots.get_xdata(), table["delta"])
    assert [text.get_text() for text in ax.get_yticklabels()] == list(table.index)
    assert ax.texts[1].get_text() == "-0.10 (-0.20 to 0.01)"
    in_place(ax)
    with pytest.raises(InvalidInput, match="lacks value"):
        plots.forest(table)
