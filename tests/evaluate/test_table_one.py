import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sarcfeat.evaluate import table_one
from sarcfeat.exceptions import InvalidInput, UnknownName


@pytest.fixture(scope="module")
def patients():
    rng = np.random.default_rng(2)
    n = 90
    data = pd.DataFrame(
        {
            "cohort": np.repeat(["train", "test", "external"], 30),
            "age": rng.normal(60, 12, n),
            "size": rng.gamma(1, 40, n),
            "grade": rng.choice(["I", "II", "III"], n),
            "necrosis": rng.integers(0, 2, n).astype(float),
            "code": rng.integers(1, 4, n).astype(float),
            "name": [f"patient {i}" for i in range(n)],
        },
        index=[f"P{i}" for i in range(n)],
    )
    data.loc[["P1", "P40"], "age"] = np.nan
    data.loc["P2", "grade"] = None
    return data


def test_each_variable_has_the_test_that_fits_it(patients):
    found = table_one(patients, by="cohort", categorical=["code"])
    first = found.table.drop_duplicates("variable").set_index("variable")
    assert first["test"].to_dict() == {
        "age": "ANOVA",
        "size": "Kruskal-Wallis",
        "grade": "Chi-squared",
        "necrosis": "Chi-squared",
        "code": "Chi-squared",
    }
    groups = [g for _, g in patients.groupby("cohort")]
    age = stats.f_oneway(*(g["age"].dropna() for g in groups)).pvalue
    assert first.loc["age", "p"] == pytest.approx(age)
    size = stats.kruskal(*(g["size"] for g in groups)).pvalue
    assert first.loc["size", "p"] == pytest.approx(size)
    counts = pd.crosstab(patients["grade"], patients["cohort"])
    grade = stats.chi2_contingency(counts, correction=False).pvalue
    assert first.loc["grade", "p"] == pytest.approx(grade)
    adjusted = stats.false_discovery_control(first["p"])
    np.testing.assert_allclose(first["p_adjusted"], adjusted)
    assert "name" not in first.index
    assert any("Left out" in n and "name" in n for n in found.notes)


def test_numbers_and_shares_are_those_of_the_patients(patients):
    found = table_one(patients, by="cohort")
    table = found.table.set_index(["variable", "level"])
    train = patients[patients["cohort"] == "train"]
    mean, sd = train["age"].mean(), train["age"].std()
    assert table.loc[("age", ""), "train (n = 30)"] == f"{mean:.1f} ({sd:.1f})"
    assert table.loc[("age", "missing"), "overall (n = 90)"] == "2"
    assert table.loc[("age", ""), "missing"] == 2
    q1, half, q3 = patients["size"].quantile([0.25, 0.5, 0.75])
    text = table.loc[("size", ""), "overall (n = 90)"]
    assert text == f"{half:.1f} [{q1:.1f} to {q3:.1f}]"
    known = train["grade"].dropna()
    count = int((known == "II").sum())
    share = f"{count} ({100 * count / len(known):.0f} %)"
    assert table.loc[("grade", "II"), "train (n = 30)"] == share
    summary = found.summary.query("variable == 'grade' and level == 'II'")
    row = summary.set_index("group").loc["train (n = 30)"]
    assert (row["n"], row["missing"], row["count"]) == (29, 1, count)


def test_pairs_follow_a_test_of_three_groups(patients):
    pairs = table_one(patients, by="cohort").pairs.set_index(["variable", "a", "b"])
    everyone = [g["age"].dropna() for _, g in patients.groupby("cohort")]
    tukey = stats.tukey_hsd(*everyone).pvalue[1, 2]
    row = pairs.loc[("age", "train", "test")]
    assert row["test"] == "Tukey"
    assert row["p_adjusted"] == pytest.approx(tukey)
    size = pairs.loc["size"]
    assert (size["test"] == "Mann-Whitney").all()
    np.testing.assert_allclose(
        size["p_adjusted"], stats.false_discovery_control(size["p"])
    )


def test_a_sparse_category_is_fishers_and_two_groups_are_t_or_ranks(patients):
    two = patients[patients["cohort"] != "external"].copy()
    two["rare"] = np.r_[["yes"] * 3, ["no"] * 57]
    found = table_one(two, by="cohort").table.drop_duplicates("variable")
    tests = found.set_index("variable")["test"]
    assert tests["rare"] == "Fisher exact"
    assert tests["age"] == "Welch t-test"
    assert tests["size"] == "Mann-Whitney"
    p = found.set_index("variable").loc["rare", "p"]
    assert p == pytest.approx(stats.fisher_exact([[0, 3], [30, 27]]).pvalue)


def test_the_same_patients_are_compared_pair_by_pair():
    rng = np.random.default_rng(2)
    before = pd.DataFrame({"patient": range(30), "when": "1 before"})
    before["volume"] = rng.normal(100, 20, 30)
    before["oedema"] = rng.choice(["no", "yes"], 30)
    after = before.assign(
        when="2 after", volume=before["volume"] + rng.normal(5, 4, 30)
    )
    after["oedema"] = np.where(np.arange(30) < 6, "yes", before["oedema"])
    rows = pd.concat([after.sample(frac=1, random_state=0), before])
    found = table_one(rows, by="when", paired="patient").table
    first = found.drop_duplicates("variable").set_index("variable")
    assert first.loc["volume", "test"] == "Paired t-test"
    p = stats.ttest_rel(after["volume"], before["volume"]).pvalue
    assert first.loc["volume", "p"] == pytest.approx(p)
    assert first.loc["oedema", "test"] == "McNemar"
    third = before.assign(when="3 late", volume=before["volume"] ** 2 / 90)
    found = table_one(pd.concat([rows, third]), by="when", paired="patient").table
    first = found.drop_duplicates("variable").set_index("variable")
    three = (before["volume"], after["volume"], third["volume"])
    p = stats.friedmanchisquare(*three).pvalue
    assert first.loc["volume", "test"] == "Friedman"
    assert first.loc["volume", "p"] == pytest.approx(p)
    assert first.loc["oedema", "test"] == "not tested"


def test_what_cannot_be_tested_is_said(patients):
    data = patients[["cohort", "age"]].copy()
    data.loc[data["cohort"] != "train", "age"] = np.nan
    found = table_one(data, by="cohort")
    assert found.table["test"].iloc[0] == "not tested"
    assert "age: not tested (values in 1 group only)." in found.notes
    assert "no value" in found.table.iloc[0].tolist()
    lost = patients.assign(cohort=patients["cohort"].where(patients["age"] > 50))
    first = table_one(lost, by="cohort").notes[0]
    assert first.endswith("patients have no cohort and are left out.")


def test_without_groups_nothing_is_tested(patients):
    found = table_one(patients, variables=["age", "grade"], labels={"age": "Age (y)"})
    assert list(found.formatted().columns) == ["variable", "level", "overall (n = 90)"]
    assert found.table["variable"].iloc[0] == "Age (y)"
    coded = table_one(patients, variables=["code"])
    assert "Name them in categorical=" in coded.notes[0]
    assert ".0 [" in coded.table.iloc[0, 3]
    assert not found.table["test"].any()


def test_columns_of_every_kind_and_name_are_described():
    data = pd.DataFrame(
        {
            0: pd.array([1, 2, 3, None, 5, 6] * 4, dtype="Int64"),
            "flag": pd.array([True, None, False] * 8, dtype="boolean"),
            "text": pd.array(["x", None, "y"] * 8, dtype="string"),
            "mixed": [1, "a"] * 12,
            "seen": pd.date_range("2020-01-01", periods=24),
            "g": ["a", "b", "a"] * 8,
        }
    )
    found = table_one(data, by="g")
    assert found.table["variable"].drop_duplicates().tolist() == [
        "0",
        "flag",
        "text",
        "mixed",
    ]
    assert found.table.iloc[0]["missing"] == 4
    assert "seen" in found.notes[0]


def test_wrong_questions_are_refused(patients):
    with pytest.raises(UnknownName, match=r"No column 'cohorts'.*'cohort'"):
        table_one(patients, by="cohorts")
    with pytest.raises(InvalidInput, match=r"by= takes the name of a column.*Series"):
        table_one(patients, by=patients["cohort"])
    with pytest.raises(InvalidInput, match="by= must say the occasion"):
        table_one(patients, paired="name")
    twice = pd.concat([patients, patients.iloc[:1]])
    with pytest.raises(InvalidInput, match="'patient 0' has more than one row"):
        table_one(twice, by="cohort", paired="name")
    with pytest.raises(InvalidInput, match="more than once: age"):
        table_one(patients[["age", "size", "age"]])
    endless = patients.assign(
        size=patients["size"].replace({patients["size"].max(): np.inf})
    )
    who = patients["size"].idxmax()
    with pytest.raises(InvalidInput, match=f"size of patient '{who}' is infinite"):
        table_one(endless)
    with pytest.raises(InvalidInput, match="at least one patient"):
        table_one(patients.iloc[:0])
