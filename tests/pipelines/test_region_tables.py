"""The tables of Michot 2025: grades, cuts, agreement."""

import numpy as np
import pandas as pd
import pytest

from pipelines.region_relations import agreement, one_sided, relations
from pipelines.region_tables import Cases, cases, grades
from pipelines.study import Options, Study
from sarcfeat.datasets import Cohort
from sarcfeat.exceptions import InvalidInput
from sarcfeat.metrics import kappa

SCORES = ("DL-C", "DL-CP")


@pytest.fixture
def study(tmp_path):
    said = []
    made = Study(Options("region_mil", out=tmp_path), said.append)
    made.said = said
    return made


def made_cohort(n=60):
    rng = np.random.default_rng(0)
    ids = pd.Index([f"P{i}" for i in range(n)], name="patient")
    first = rng.integers(1, 4, n)
    patients = pd.DataFrame(
        {
            "site": "A",
            "cohort": np.repeat(["training", "elsewhere"], n // 2),
            "grade": first.astype(float),
            "grade_second": np.clip(first + rng.integers(-1, 2, n), 1, 3),
            "size_mm": rng.gamma(4, 20, n),
            "chemotherapy": rng.integers(0, 2, n),
        },
        index=ids,
    )
    patients.loc["P3", "grade"] = np.nan
    mfs = pd.DataFrame(
        {"time": rng.exponential(900, n), "event": rng.choice([0, 1, 2], n)}, ids
    )
    units = {"size_mm": "mm", "chemotherapy": "0/1"}
    return Cohort("c", patients, outcomes={"mfs": mfs}, units=units)


def made_cases(cohort):
    where = pd.Series(
        pd.Categorical(cohort.patients["cohort"], ["training", "elsewhere"]),
        cohort.patients.index,
    )
    return cases(cohort, "mfs", where, cohort.patients.index)


def test_a_grade_is_a_number_or_a_word_and_nothing_else():
    told = pd.Series([1, 2.0, "III", " II ", None], list("abcde"), name="grade")
    assert grades(told).tolist()[:4] == ["I", "II", "III", "II"]
    assert grades(told).isna().tolist() == [False] * 4 + [True]
    with pytest.raises(InvalidInput, match="Patient b: grade is '4'; expected 1, 2 or"):
        grades(pd.Series([1, 4], list("ab"), name="grade"))


def test_the_second_grade_and_the_cohort_are_no_covariates():
    these = made_cases(made_cohort())
    assert list(these.data) == ["grade", "size_mm", "chemotherapy", "grade II-III"]
    assert these.units == {"size_mm": "mm"}
    assert (these.y["event"] == (these.outcomes["mfs"]["event"] == 1)).all()
    assert pd.isna(these.data.loc["P3", "grade"])
    assert pd.isna(these.data.loc["P3", "grade II-III"])


def test_a_cohort_on_one_side_of_the_cut_is_said_with_the_next_step():
    where = pd.Series(pd.Categorical(["training"] * 20 + ["elsewhere"] * 20))
    groups = pd.DataFrame(
        {
            "DL-C": ["low", "high"] * 10 + ["high"] * 19 + ["low"],
            "DL-P": ["low", "high"] * 20,
        }
    )
    sites = pd.Series(["A"] * 20 + ["B"] * 20)
    (told,) = one_sided(groups, where, sites, None)
    assert told.startswith("elsewhere: nearly all patients fall on one side of the tr")
    assert "(19 of 20 high by DL-C)" in told
    assert told.endswith("--stain macenko.")
    assert (
        "(macenko) did not change that" in one_sided(groups, where, sites, "macenko")[0]
    )
    # Of the same hospital it is no stain.
    (told,) = one_sided(groups, where, pd.Series("A", where.index), None)
    assert "stain" not in told
    assert "median of out-of-fold scores" in told
    # Everybody in training, or seven patients, are no sign of a stain.
    assert one_sided(groups[:27], where[:27], sites[:27], None) == []


def test_agreement_is_weighted_kappa_of_two_grades(study):
    cohort = made_cohort()
    agreement(study, cohort, made_cases(cohort))
    (section,) = study.sections.values()
    frame = section.tables[0].frame.set_index("cohort")
    known = cohort.patients.drop("P3")
    found = kappa(known["grade"].astype(int), known["grade_second"], weights="linear")
    assert frame.loc["all patients", "n"] == 59
    assert frame["weighted kappa (95 % CI)"].iloc[0].startswith(f"{found.value:.3f} (")
    study.sections.clear()
    without = cohort.patients.drop(columns="grade_second")
    agreement(study, Cohort("c", without), made_cases(cohort))
    assert not study.sections


def test_scores_and_groups_are_held_against_size_and_grade(study):
    these = made_cases(made_cohort())
    rng = np.random.default_rng(1)
    ids = these.data.index
    scores = pd.DataFrame(rng.normal(size=(60, 2)), ids, list(SCORES))
    worse = these.data["grade"].eq("III").to_numpy()
    scores.loc[worse, "DL-CP"] += 2
    words = np.where(scores > 0.5, "high", "low")
    groups = pd.DataFrame(words, ids, list(SCORES))
    relations(study, scores, groups, these, "out of fold")
    tables = {t.caption: t.frame for t in study.sections["Scores"].tables}
    high = tables["High scores by level, n (%)"].set_index("level")
    n = int(worse.sum())
    count = int((groups.loc[worse, "DL-CP"] == "high").sum())
    assert high.loc["III", "DL-CP"].startswith(f"{count} of {n} (")
    assert float(high.loc["p of the test", "DL-CP"].strip("<")) <= 0.05
    differ = tables["Pairs of levels that differ"]
    assert set(differ["score"]) == {"DL-CP"}
    assert len(study.pictures) == 1  # the grade; there is no histotype
    text = "\n".join(study.said)
    assert "* out of fold" in text
    line = next(row for row in text.splitlines() if row.startswith("DL-C   size_mm"))
    assert "Spearman" in line


def test_some_patients_of_the_cases():
    these = made_cases(made_cohort())
    mine = these.data["grade"].eq("II").to_numpy()
    part = these.of(mine)
    assert isinstance(part, Cases)
    assert len(part.y) == len(part.data) == mine.sum()
    assert part.train.sum() == (these.train & mine).sum()
