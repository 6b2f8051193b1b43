import numpy as np
import pandas as pd
import pytest

from sarcfeat.exceptions import InvalidInput
from sarcfeat.survival import (
    RiskSets,
    cox_state,
    logrank,
    logrank_trend,
    pairwise_logrank,
)
from tests.survival.cohorts import cohort


def test_trend_of_two_groups_is_the_logrank():
    _, event, time = cohort(60, 1, tied=True)
    group = np.arange(60) % 2
    trend = logrank_trend(event, time, group)
    plain = logrank(event, time, group)
    assert trend.statistic == pytest.approx(plain.statistic)
    stratum = np.arange(60) % 3
    trend = logrank_trend(event, time, group, strata=stratum)
    plain = logrank(event, time, group, strata=stratum)
    assert trend.statistic == pytest.approx(plain.statistic)


def test_trend_without_ties_is_the_score_test_of_cox():
    X, event, time = cohort(70, 1)
    score = X["clinical.x0"].rank().to_numpy() // 20
    state = cox_state([0.0], score[:, None].astype(float), RiskSets(event, time))
    u, i = state.score()[0], state.information()[0, 0]
    found = logrank_trend(event, time, score)
    assert found.statistic == pytest.approx(u * u / i)
    assert found.direction == pytest.approx(u)


def test_trend_refuses_a_missing_score():
    with pytest.raises(InvalidInput, match="1 patients have no score"):
        logrank_trend([1, 1], [1, 2], [1, np.nan])


def test_trend_takes_an_ordered_category_and_refuses_one_without_order():
    _, event, time = cohort(60, 1)
    grade = np.arange(60) % 3
    named = pd.Series(np.array(["low", "mid", "high"])[grade])
    ordered = named.astype(pd.CategoricalDtype(["low", "mid", "high"], ordered=True))
    found = logrank_trend(event, time, ordered)
    assert found == logrank_trend(event, time, grade)
    with pytest.raises(InvalidInput, match=r"groups are low, mid, high. Give numbers"):
        logrank_trend(event, time, named)
    ordered.iloc[0] = None
    with pytest.raises(InvalidInput, match="1 patients have no score"):
        logrank_trend(event, time, ordered)


def test_pairs_are_the_tests_of_two_groups():
    _, event, time = cohort(60, 1)
    group = np.array(["a", "b", "c"])[np.arange(60) % 3]
    table = pairwise_logrank(event, time, group)
    rows = np.isin(group, ["a", "c"])
    one = logrank(event[rows], time[rows], group[rows])
    found = table.set_index(["a", "b"]).loc[("a", "c")]
    assert found["p"] == pytest.approx(one.p_value)
    assert len(table) == 3
