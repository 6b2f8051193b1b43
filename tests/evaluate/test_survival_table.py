import numpy as np
import pandas as pd
import pytest

from sarcfeat.evaluate import survival_table
from sarcfeat.exceptions import InvalidInput, NoEvents
from sarcfeat.metrics import adjust_p
from sarcfeat.survival import (
    cumulative_incidence,
    gray_test,
    kaplan_meier,
    logrank,
    make_causes,
    make_y,
    pairwise_logrank,
)


@pytest.fixture(scope="module")
def patients():
    rng = np.random.default_rng(5)
    n = 120
    group = rng.choice(["low", "middle", "high"], n)
    time = rng.exponential(np.where(group == "high", 500, 1500))
    end = rng.uniform(200, 2500, n)
    cause = np.where(time <= end, rng.choice([1, 2], n, p=[0.7, 0.3]), 0)
    return group, cause, np.minimum(time, end), rng.choice(["a", "b"], n)


def test_every_number_is_kaplan_meiers(patients):
    group, cause, time, _ = patients
    order = pd.Categorical(group, ["low", "middle", "high"])
    found = survival_table(make_y(cause > 0, time), order, times=[365, 1826])
    assert found.table["group"].drop_duplicates().tolist() == ["low", "middle", "high"]
    for name, part in found.table.groupby("group"):
        mine = group == name
        curve = kaplan_meier(cause[mine] > 0, time[mine])
        np.testing.assert_allclose(part["survival"], curve.at([365, 1826]))
        low, high = curve.interval_at([365, 1826])
        np.testing.assert_allclose(part[["ci_low", "ci_high"]].T, [low, high])
        assert part["n_risk"].tolist() == curve.n_risk_at([365, 1826]).tolist()
        half = curve.quantile(0.5)
        three = part.iloc[0][["median", "median_ci_low", "median_ci_high"]]
        np.testing.assert_allclose(three.astype(float), half)
        assert part["events"].iloc[0] == (cause[mine] > 0).sum()
        reverse = kaplan_meier(cause[mine] == 0, time[mine]).median()
        np.testing.assert_allclose(part["follow_up"].iloc[0], reverse)


def test_the_test_is_the_logrank_stratified_when_asked(patients):
    group, cause, time, site = patients
    y = make_y(cause > 0, time)
    found = survival_table(y, group)
    assert found.test == "Log-rank"
    assert found.p == logrank(cause > 0, time, group).p_value
    pairs = pairwise_logrank(cause > 0, time, group)
    np.testing.assert_allclose(found.pairs["p_adjusted"], adjust_p(pairs["p"], "bh"))
    within = survival_table(y, group, strata=site)
    assert within.test == "Stratified log-rank"
    assert within.p == logrank(cause > 0, time, group, strata=site).p_value
    assert within.df == 2


def test_with_several_causes_it_is_the_incidence_and_grays_test(patients):
    group, cause, time, _ = patients
    found = survival_table(make_causes(cause, time), group, times=[365], cause=2)
    assert found.test == "Gray"
    assert found.p == gray_test(cause, time, group, cause=2).p_value
    part = found.table.set_index("group").loc["low"]
    mine = group == "low"
    curve = cumulative_incidence(cause[mine], time[mine])
    assert part["incidence"] == curve.at([365])[0, curve.causes.index(2)]
    assert part["competing"] == (cause[mine] == 1).sum()
    assert "incidence at 1 year (95 % CI)" in found.formatted()
    two = np.isin(group, ["low", "high"])
    pair = found.pairs.set_index(["a", "b"]).loc[("high", "low")]
    assert pair["p"] == gray_test(cause[two], time[two], group[two], cause=2).p_value


def test_a_horizon_past_the_follow_up_is_said(patients):
    group, cause, time, _ = patients
    found = survival_table(make_y(cause > 0, time), group, times=[9000])
    last = time[group == "low"].max()
    assert any(f"to 9000 days (the longest, {last:.1f} days" in n for n in found.notes)
    assert "not followed so long" in str(found)


def test_one_group_has_no_test_and_a_lost_group_is_counted(patients):
    group, cause, time, _ = patients
    y = make_y(cause > 0, time)
    alone = survival_table(y, times=[365])
    assert alone.test == ""
    assert alone.table["group"].tolist() == ["all patients"]
    holes = pd.Series(group).where(np.arange(120) > 3)
    found = survival_table(y, holes)
    assert "4 of 120 patients have no group and are left out." in found.notes
    assert found.table["n"].sum() == 116


def test_a_median_that_is_not_reached_says_so():
    found = survival_table(make_y([1, 0, 0, 0], [10, 20, 30, 40]))
    assert "not reached" in found.formatted().iloc[0, 3]


def test_wrong_groups_and_causes_are_refused(patients):
    group, cause, time, _ = patients
    with pytest.raises(InvalidInput, match="120 patients and groups has 119"):
        survival_table(make_y(cause > 0, time), group[1:])
    with pytest.raises(NoEvents, match="cause 7"):
        survival_table(make_causes(cause, time), group, cause=7)
