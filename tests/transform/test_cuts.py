import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sarcfeat import make_y
from sarcfeat.exceptions import InvalidInput, NothingSelected
from sarcfeat.survival import maximally_selected_logrank
from sarcfeat.transform import MedianCut, OptimalCut


@pytest.fixture
def cohort():
    rng = np.random.default_rng(4)
    n = 80
    X = pd.DataFrame(
        {
            "dl.score": rng.normal(size=n),
            "clinical.size": rng.gamma(4, 2, n).round(),
            "site": np.where(np.arange(n) % 2, "Lyon", "Bordeaux"),
        },
        index=[f"P{i}" for i in range(n)],
    )
    hazard = np.exp(1.5 * (X["dl.score"] > 0.5))
    return X, make_y(rng.random(n) < 0.8, rng.exponential(900 / hazard) + 1)


def test_the_median_is_that_of_the_training_patients(cohort):
    X, _ = cohort
    train, test = X.iloc[:40], X.iloc[40:]
    cut = MedianCut().fit(train)
    assert cut.cuts_["dl.score"] == train["dl.score"].median()
    out = cut.transform(test)
    assert list(out.columns) == list(X.columns)
    median = train["clinical.size"].median()
    high = test["clinical.size"] >= median
    np.testing.assert_array_equal(out["clinical.size"], high.astype(float))
    # A patient on the cut is high.
    assert (test["clinical.size"] == median).any()


def test_a_missing_value_stays_missing_and_an_empty_column_goes(cohort):
    X, y = cohort
    X = X.assign(empty=np.nan)
    X.loc["P3", "dl.score"] = np.nan
    for cut in (MedianCut(), OptimalCut()):
        out = cut.fit(X, y).transform(X)
        assert out["dl.score"].isna().sum() == 1
        assert "empty" not in out
        assert cut.dropped_["feature"].tolist() == ["empty"]
    assert "no patient with a value" in cut.dropped_["reason"][0]
    assert cut.table_.set_index("feature").loc["dl.score", "n_missing"] == 1


def test_the_optimal_cut_is_that_of_its_search(cohort):
    X, y = cohort
    cut = OptimalCut("lausen-1994", min_share=0.2).fit(X, y)
    alone = maximally_selected_logrank(
        y["event"], y["time"], X["dl.score"], method="lausen-1994", min_share=0.2
    )
    row = cut.table_.set_index("feature").loc["dl.score"]
    assert row["cut"] == cut.cuts_["dl.score"] == alone.cut
    assert row["p"] == alone.p_value
    assert row["higher_is_worse"]
    assert 0.2 < alone.cut < 0.9
    search = cut.search_[cut.search_["feature"] == "dl.score"]
    assert search["statistic"].max() == alone.statistic
    assert row["n_high"] == cut.transform(X)["dl.score"].sum()


def test_arrays_are_cut_as_frames_are(cohort):
    X, y = cohort
    numbers = X.drop(columns="site")
    of_frame = OptimalCut().fit(numbers, y).transform(numbers).to_numpy()
    of_array = OptimalCut().fit(numbers.to_numpy(), y).transform(numbers.to_numpy())
    np.testing.assert_array_equal(of_frame, of_array)


def test_the_same_seed_gives_the_same_p(cohort):
    X, y = cohort
    one, two, other = (
        OptimalCut("permutation", n_permutations=99, random_state=seed).fit(X, y)
        for seed in (0, 0, 1)
    )
    pd.testing.assert_frame_equal(one.table_, two.table_)
    assert not one.table_["p"].equals(other.table_["p"])


def test_a_column_that_cannot_be_cut_is_dropped_and_says_why(cohort):
    X, y = cohort
    constant = X[["site"]].assign(one=1.0)
    with pytest.warns(NothingSelected, match="None of 1 columns can be cut"):
        cut = OptimalCut().fit(constant, y)
    assert "1 distinct values" in cut.dropped_["reason"][0]
    assert list(cut.transform(constant).columns) == ["site"]
    with pytest.raises(InvalidInput, match="requires y"):
        OptimalCut().fit(X)


@given(st.integers(0, 1000), st.sampled_from(["lausen-schumacher", "contal-oquigley"]))
@settings(max_examples=10, deadline=None)
def test_a_monotone_change_of_the_score_changes_neither_groups_nor_p(seed, method):
    rng = np.random.default_rng(seed)
    score = rng.normal(size=40).round(1)
    y = make_y(rng.random(40) < 0.7, rng.exponential(size=40).round(1) + 0.1)
    one = OptimalCut(method).fit(score[:, None], y)
    other = OptimalCut(method).fit(np.exp(3 * score)[:, None], y)
    # Between two scores the cut lies midway, so only the patients' groups agree.
    np.testing.assert_array_equal(
        one.transform(score[:, None]), other.transform(np.exp(3 * score)[:, None])
    )
    assert one.table_["p"].iloc[0] == pytest.approx(other.table_["p"].iloc[0])
