import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sarcfeat.evaluate import REVIEW_VARIABLES, review_form, review_table
from sarcfeat.exceptions import InvalidInput, UnknownName

NAMES = [f"{i:03}" for i in range(24)]


@pytest.fixture
def tiles():
    rng = np.random.default_rng(0)
    n = 24 * 60
    return pd.DataFrame(
        {
            "patient": np.repeat(NAMES, 60),
            "slide": "S1",
            "x": np.arange(n) * 56,
            "y": 0,
            "region": rng.choice(["C", "P", "R"], n),
            "weight": rng.random(n),
        }
    )


@pytest.fixture
def scores():
    return pd.Series(np.arange(24.0), NAMES)


@pytest.fixture
def cohort():
    held = ["training"] * 12 + ["internal"] * 6 + ["external"] * 6
    return pd.Series(held, NAMES)


def filled(made, seed=1):
    """Fill a form in: necrosis in all tiles of high scores, the rest by chance."""
    rng = np.random.default_rng(seed)
    form = made.form.copy()
    for name, levels in REVIEW_VARIABLES.items():
        form[name] = rng.choice(levels, len(form))
    high = made.key["group"] == "high"
    form["necrosis"] = np.where(high, "present", "absent")
    return form


def test_the_ends_of_training_and_of_validation_are_chosen(tiles, scores, cohort):
    made = review_form(tiles, scores, cohort, random_state=4)
    key = made.key
    assert len(made.form) == 1000
    assert key.groupby("patient").size().unique().tolist() == [50]
    chosen = key.groupby(["chosen_in", "group"])["patient"].unique().map(sorted)
    assert chosen["training", "low"] == NAMES[:5]
    assert chosen["training", "high"] == NAMES[7:12]
    # Internal and external validation are one pool.
    assert chosen["validation", "low"] == NAMES[12:17]
    assert chosen["validation", "high"] == NAMES[19:]
    assert set(key["cohort"]) == {"training", "internal", "external"}
    lowest = key.groupby("patient")["weight"].min()
    for patient in lowest.index:
        held = tiles[tiles["patient"] == patient]["weight"].sort_values()
        assert lowest[patient] == held.iloc[-50]


def test_the_form_is_blind_and_in_random_order(tiles, scores, cohort):
    made = review_form(tiles, scores, cohort, random_state=4)
    assert list(made.form.columns) == ["tile", *REVIEW_VARIABLES]
    assert made.form["tile"].tolist() == [f"T{i:04}" for i in range(1, 1001)]
    assert (made.form[list(REVIEW_VARIABLES)] == "").all(axis=None)
    order = made.key["score"].to_numpy()
    assert abs(stats.spearmanr(order, np.arange(1000))[0]) < 0.1
    again = review_form(tiles, scores, cohort, random_state=4)
    pd.testing.assert_frame_equal(made.key, again.key)
    other = review_form(tiles, scores, cohort, random_state=5)
    assert not made.key["x"].equals(other.key["x"])
    assert set(made.key["x"]) == set(other.key["x"])
    said = made.levels.groupby("variable", sort=False)["level"].agg(tuple).to_dict()
    assert said == REVIEW_VARIABLES


def test_tiles_are_drawn_or_lowest_and_too_few_are_told(tiles, scores, cohort):
    short = tiles.drop(tiles.index[tiles["patient"] == "000"][:55])
    made = review_form(short, scores, cohort, patients=1, tiles=20, choose="lowest")
    assert made.notes == ["000 has 5 tiles, fewer than 20."]
    assert len(made.key) == 65
    assert made.key.query("patient == '023'")["weight"].max() < 0.5
    drawn = review_form(
        tiles.drop(columns="weight"), scores, cohort, tiles=9, choose="random"
    )
    assert len(drawn.key) == 180
    assert not drawn.key.duplicated(["patient", "x"]).any()


def test_form_and_key_are_kept_apart_and_never_replaced(
    tmp_path, tiles, scores, cohort
):
    made = review_form(tiles, scores, cohort, patients=1, tiles=3)
    out = tmp_path / "for the reader"
    with pytest.raises(InvalidInput, match=r"would lie in .*Write it elsewhere"):
        made.to_csv(out, out / "deep" / "key.csv")
    made.to_csv(out, tmp_path / "key.csv")
    told = (out / "review_form.csv").read_text("utf-8-sig")
    assert not set(told.replace("\n", ",").split(",")) & {*NAMES, "S1"}
    assert {path.name for path in out.iterdir()} == {
        "review_form.csv",
        "review_levels.csv",
    }
    with pytest.raises(InvalidInput, match=r"review_form\.csv.* is there already"):
        made.to_csv(out, tmp_path / "other.csv")
    assert not (tmp_path / "other.csv").exists()


def test_the_filled_form_gives_tests_overall_and_by_region(
    tmp_path, tiles, scores, cohort
):
    made = review_form(tiles, scores, cohort)
    made.to_csv(tmp_path / "out", tmp_path / "key.csv")
    path = tmp_path / "out" / "review_form.csv"
    form = filled(made)
    form.loc[[0, 5, 7], "stroma"] = ["", "NA", "?"]
    # As a spreadsheet of another country gives it back, in another order.
    form.iloc[::-1].to_csv(path, index=False, sep=";")
    found = review_table(path, tmp_path / "key.csv", n_permutations=199)
    table = found.table.set_index(["region", "variable"])
    assert table.index.get_level_values(0).unique().tolist() == ["all", "C", "P", "R"]
    assert len(table) == 44
    assert table.loc[("all", "stroma"), "n_missing"] == 3
    assert table.loc[("all", "stroma"), "n"] == 997
    assert table.loc[("all", "necrosis"), "p_adjusted"] < 1e-100
    assert table.loc[("all", "necrosis"), "p_patients"] == pytest.approx(1 / 200)
    assert (table["p_adjusted"] >= table["p"]).all()
    whole = form.merge(made.key, on="tile")
    for region, variable in (("all", "atypia"), ("P", "vessels"), ("R", "cell_type")):
        part = whole if region == "all" else whole[whole["region"] == region]
        counts = pd.crosstab(part[variable], part["group"])
        expected = stats.chi2_contingency(counts, correction=False)
        row = table.loc[(region, variable)]
        assert row["test"] == "Chi-squared"
        assert row["p"] == pytest.approx(expected.pvalue)
        assert row["statistic"] == pytest.approx(expected.statistic)
    counts = found.counts.set_index(["region", "variable", "level", "group"])
    assert counts.loc[("all", "necrosis", "present", "high"), "tiles"] == 500
    assert counts.loc[("all", "necrosis", "present", "low"), "share"] == 0
    assert counts["tiles"].groupby(level=[0, 1]).sum().loc[("all", "stroma")] == 997
    assert "1000 tiles of 20 patients; 3 answers missing." in found.notes
    assert "500 (100 %)" in str(found)
    assert "p by patients" in found.to_html()


def test_small_counts_take_fishers_test_and_alike_patients_are_no_finding():
    patients = np.repeat(list("abcdefgh"), 10)
    key = pd.DataFrame({"tile": [f"T{i}" for i in range(80)], "patient": patients})
    key["group"] = np.where(np.isin(patients, list("abcd")), "low", "high")
    # One patient of the four is full of it: ten tiles, one finding.
    seen = np.where(patients == "h", "present", "absent")
    form = pd.DataFrame({"tile": key["tile"], "necrosis": seen, "vessels": "absent"})
    form.loc[0, "vessels"] = "present"
    asked = dict.fromkeys(("necrosis", "vessels"), ("absent", "present"))
    table = review_table(form, key, variables=asked).table.set_index("variable")
    assert table.loc["necrosis", "p"] < 0.001
    assert table.loc["necrosis", "p_patients"] == 1
    assert table.loc["vessels", "test"] == "Fisher exact"
    assert table.loc["vessels", "p"] == 1
    empty = review_table(
        form.assign(vessels=""), key, variables=asked, n_permutations=0
    )
    row = empty.table.set_index("variable").loc["vessels"]
    assert (row["n"], row["n_missing"]) == (0, 80)
    assert np.isnan([row["p"], row["p_patients"], row["p_adjusted"]]).all()
    assert str(empty)


def test_answers_of_hands_and_spreadsheets_are_understood():
    key = pd.DataFrame({"tile": list("ABCD"), "patient": list("wxyz")})
    key["group"] = ["low", "low", "high", "high"]
    form = pd.DataFrame(
        {
            "Tile": list("ABCD"),
            "comment": ["", "unclear", "", ""],
            "Cellularity ": ["< 10 %", "10-50", "10 – 50%", ">50"],
            "ATYPIA": [0.0, 1.0, 2.0, np.nan],
        }
    )
    asked = {name: REVIEW_VARIABLES[name] for name in ("cellularity", "atypia")}
    found = review_table(form, key, variables=asked, n_permutations=0)
    tiles = found.counts.query("variable == 'cellularity'")["tiles"]
    assert tiles.tolist() == [1, 0, 1, 1, 0, 1]
    assert found.table["n_missing"].tolist() == [0, 1]


def test_wrong_answers_are_named_with_row_and_column(tmp_path, tiles, scores, cohort):
    made = review_form(tiles, scores, cohort, patients=1, tiles=4)
    form = filled(made)
    form.loc[2, "stroma"] = "mixoid"
    form.loc[5, "atypia"] = "3"
    form.to_csv(tmp_path / "form.csv", index=False)
    # The header is row 1, as in a spreadsheet.
    with pytest.raises(
        InvalidInput,
        match=r"form\.csv: 2 answers are none(.|\n)*row 4 \(tile T003\), column "
        r"'stroma': 'mixoid'; expected absent / .* Did you mean 'myxoid'\?(.|\n)*"
        r"row 7 \(tile T006\), column 'atypia': '3'; expected 0 / 1 / 2",
    ):
        review_table(tmp_path / "form.csv", made.key)
    with pytest.raises(InvalidInput, match=r"tile 'T999' is not in the key"):
        review_table(filled(made).replace({"tile": {"T001": "T999"}}), made.key)
    with pytest.raises(InvalidInput, match="tile 'T002' is on rows 1 and 2"):
        review_table(filled(made).replace({"tile": {"T001": "T002"}}), made.key)
    with pytest.raises(InvalidInput, match=r"lacks vessels\..*Leave the header"):
        review_table(filled(made).drop(columns="vessels"), made.key)
    part = review_table(filled(made)[3:], made.key, n_permutations=0)
    assert "3 tiles of the key are not in the form: T001, T002, T003." in part.notes


def test_keys_and_choices_that_do_not_fit_are_refused(tiles, scores, cohort):
    made = review_form(tiles, scores, cohort, patients=1, tiles=4)
    form = filled(made)
    with pytest.raises(InvalidInput, match="The key lacks group"):
        review_table(form, made.key.drop(columns="group"))
    with pytest.raises(InvalidInput, match=r"groups \['low'\]; expected low and high"):
        review_table(form, made.key.assign(group="low"))
    with pytest.raises(InvalidInput, match="A patient of the key is in both groups"):
        review_table(form, made.key.assign(patient="one"))
    with pytest.raises(InvalidInput, match="these tiles twice: T001"):
        review_table(form, pd.concat([made.key, made.key[:1]]))
    with pytest.raises(InvalidInput, match=r"No variable can be called 'tile'"):
        review_table(form, made.key, variables={"tile": "ab"})
    with pytest.raises(InvalidInput, match=r"'x' has an answer twice"):
        review_form(tiles, scores, cohort, variables={"x": ("A", "a ")})
    with pytest.raises(InvalidInput, match=r"12 patients of training .* 14 are needed"):
        review_form(tiles, scores, cohort, patients=7)
    with pytest.raises(InvalidInput, match="and no score: 003"):
        review_form(tiles, scores.replace(3, np.nan), cohort)
    with pytest.raises(UnknownName, match=r"Training.*Did you mean 'training'"):
        review_form(tiles, scores, cohort, training="Training")
    with pytest.raises(InvalidInput, match="table lacks region"):
        review_form(tiles.drop(columns="region"), scores, cohort)
    with pytest.raises(InvalidInput, match="table lacks weight"):
        review_form(tiles.drop(columns="weight"), scores, cohort)
    with pytest.raises(InvalidInput, match="tiles is 0; expected a number from 1"):
        review_form(tiles, scores, cohort, tiles=0)
    with pytest.raises(InvalidInput, match="scores has patients twice: 000"):
        review_form(tiles, pd.concat([scores, scores[:1]]), cohort)
