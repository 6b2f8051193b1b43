import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sarcfeat.evaluate import associations
from sarcfeat.exceptions import InvalidInput, UnknownName
from sarcfeat.metrics import adjust_p, correlation


@pytest.fixture(scope="module")
def cohort():
    rng = np.random.default_rng(8)
    n = 80
    data = pd.DataFrame(
        {
            "size": rng.gamma(2, 3, n),
            "grade": rng.choice([1.0, 2.0, 3.0], n),
            "histotype": rng.choice(["UPS", "LMS", "LPS"], n),
        },
        index=[f"P{i}" for i in range(n)],
    )
    scores = pd.DataFrame(
        {"DL-C": data["size"] / 5 + rng.normal(size=n), "DL-P": rng.gamma(0.7, 1, n)},
        index=data.index,
    )
    return scores, data


def test_numbers_are_correlated_and_categories_compared(cohort):
    scores, data = cohort
    found = associations(scores, data, categorical=["grade"])
    table = found.table.set_index(["score", "variable"])
    rho = correlation(
        scores["DL-C"], data["size"], method="spearman", interval="bonett-wright"
    )
    row = table.loc[("DL-C", "size")]
    assert row["test"] == "Spearman"
    assert (row["correlation"], row["ci_low"], row["p"]) == (
        rho.value,
        rho.ci_low,
        rho.p,
    )
    groups = [g for _, g in scores["DL-P"].groupby(data["grade"])]
    row = table.loc[("DL-P", "grade")]
    assert row["test"] == "Kruskal-Wallis"
    assert row["p"] == pytest.approx(stats.kruskal(*groups).pvalue)
    assert ("DL-C", "DL-P") in table.index
    np.testing.assert_allclose(table["p_adjusted"], adjust_p(table["p"], "bh"))
    after = found.pairs.query("score == 'DL-P' and variable == 'grade'")
    assert len(after) == 3
    level = found.levels.set_index(["score", "variable", "level"])
    ups = scores.loc[data["histotype"] == "UPS", "DL-C"]
    median = level.loc[("DL-C", "histotype", "UPS"), "median"]
    assert median == pytest.approx(ups.median())


def test_scores_are_joined_by_patient_and_the_lost_counted(cohort):
    scores, data = cohort
    shuffled = scores["DL-C"].sample(frac=1, random_state=0).iloc[:70]
    found = associations(shuffled, data[["size"]])
    both = data.loc[shuffled.index, "size"]
    rho = stats.spearmanr(shuffled, both).statistic
    assert found.table["correlation"].iloc[0] == pytest.approx(rho)
    assert "10 patients have no score." in found.notes


def test_an_array_is_taken_in_the_order_of_the_data(cohort):
    scores, data = cohort
    one = associations(scores["DL-C"].to_numpy(), data, variables=["size"])
    two = associations(scores["DL-C"], data, variables=["size"])
    assert one.table["p"].tolist() == two.table["p"].tolist()
    assert one.table["score"].tolist() == ["score"]


def test_what_cannot_be_tested_is_said(cohort):
    scores, data = cohort
    data = data.assign(one=1.0, rare=np.where(np.arange(80) < 3, 1.5, np.nan))
    data["rare"] += np.arange(80)
    found = associations(scores["DL-C"], data[["one", "rare"]])
    reasons = found.table.set_index("variable")["reason"].to_dict()
    assert reasons["rare"] == "3 patients have both"
    assert "1 group only" in reasons["one"]
    assert found.table["p"].isna().all()


def test_wrong_questions_are_refused(cohort):
    scores, data = cohort
    with pytest.raises(UnknownName, match="No column 'sizes'"):
        associations(scores, data, variables=["sizes"])
    with pytest.raises(InvalidInput, match="No patient has both"):
        associations(scores, data.set_axis(range(80)))
    with pytest.raises(InvalidInput, match=r"data: P0"):
        associations(scores, pd.concat([data, data.iloc[:1]]))
    with pytest.raises(InvalidInput, match="one score, or a Series"):
        associations(np.zeros(3), data)
