import numpy as np
import pandas as pd
import pytest

from sarcfeat import make_y
from sarcfeat.estimators import AttentionMIL, CoxPH
from sarcfeat.evaluate import attention_table, extreme_tiles
from sarcfeat.exceptions import InvalidInput, UnknownName
from sarcfeat.io import BagArray, BagPart, BagRef
from sarcfeat.io.bagfile import write_bag


@pytest.fixture(scope="module")
def fitted():
    """Return a model on C and P of twelve patients, and the patients."""
    rng = np.random.default_rng(3)
    bags = {}
    for i in range(12):
        n = 4 + i
        bags[f"P{i:02}"] = BagArray(
            f"slide {i}",
            rng.normal(size=(n, 2)).astype(np.float32),
            np.column_stack([np.arange(n) * 56, np.full(n, i)]),
            np.arange(n, dtype=np.uint8) % 4,
            ("C", "P", "R"),
        )
    X = pd.DataFrame({"cnn.bag": pd.Series(bags, dtype=object)})
    y = make_y(np.ones(12), rng.exponential(size=12))
    model = AttentionMIL(regions=("C", "P"), epochs=2, width=4, validation=None)
    return model.fit(X, y), X


def test_each_tile_has_its_place_weight_and_rank(fitted):
    model, X = fitted
    table = attention_table(model, X)
    assert set(table["region"]) == {"C", "P"}
    weights = model.attention(X)
    for patient, part in table.groupby("patient"):
        assert part["weight"].sum() == pytest.approx(1, abs=1e-12)
        assert part["weight"].tolist() == weights[patient].tolist()
        assert part["relative"].mean() == pytest.approx(1)
        by_rank = part.sort_values("rank")
        assert by_rank["rank"].tolist() == list(range(1, len(part) + 1))
        assert (np.diff(by_rank["weight"]) <= 0).all()
        assert by_rank["percentile"].iloc[[0, -1]].tolist() == [100, 0]
        # C and P are every fourth tile from the second and the third on.
        assert set(part["x"] // 56 % 4) == {1, 2}
        assert set(part["y"]) == {int(patient[1:])}
        assert set(part["slide"]) == {f"slide {int(patient[1:])}"}


def test_patients_in_any_order_have_the_same_rows(fitted):
    model, X = fitted
    whole = attention_table(model, X)
    some = attention_table(model, X.iloc[[5, 2]])
    assert some["patient"].unique().tolist() == ["P05", "P02"]
    expected = whole[whole["patient"] == "P02"].reset_index(drop=True)
    found = some[some["patient"] == "P02"].reset_index(drop=True)
    pd.testing.assert_frame_equal(found, expected)


def test_tiles_of_several_slides_on_disk_keep_their_places(tmp_path, fitted):
    model, _ = fitted
    rng = np.random.default_rng(8)
    parts = []
    for name, n in (("S1", 9), ("S2", 5)):
        path = tmp_path / f"{name}.safetensors"
        write_bag(
            path,
            rng.normal(size=(n, 2)).astype(np.float32),
            np.column_stack([np.arange(n), np.full(n, n)]),
            {},
            region=np.arange(n, dtype=np.uint8) % 3,
            region_names=("P", "R"),
        )
        parts.append(BagPart(name, str(path), "safetensors", n))
    ref = BagRef("P1", tuple(parts), 2)
    column = pd.Series([ref], index=["P1"], dtype=object)
    table = attention_table(model, pd.DataFrame({"cnn.bag": column}))
    places = table[["slide", "x", "y"]].values.tolist()
    expected = [["S1", x, 9] for x in (1, 4, 7)] + [["S2", x, 5] for x in (1, 4)]
    assert places == expected
    # The weights are those of the tiles alone, whatever slide they are on.
    bag = ref.load(("C", "P"))
    alone = BagArray("P1", bag.features, None, np.full(len(bag), 1, np.uint8), ("P",))
    column = pd.Series([alone], index=["P1"], dtype=object)
    again = attention_table(model, pd.DataFrame({"cnn.bag": column}))
    assert table["weight"].to_numpy() == pytest.approx(again["weight"].to_numpy())


def test_patients_without_tiles_have_no_rows(fitted):
    model, X = fitted
    gone = X.copy()
    gone.iloc[0, 0] = None
    assert "P00" not in set(attention_table(model, gone)["patient"])
    gone.iloc[:, 0] = [None] * 12
    # Nothing but gaps is no column of bags unless it is the one trained on.
    empty = attention_table(model, gone)
    assert list(empty.columns) == list(attention_table(model, X).columns)
    assert len(empty) == 0


def test_models_without_attention_and_patients_twice_are_refused(fitted):
    model, X = fitted
    with pytest.raises(InvalidInput, match=r"CoxPH weighs no tiles\. Pass a fitted"):
        attention_table(CoxPH(), X)
    with pytest.raises(InvalidInput, match="these patients twice: P00"):
        attention_table(model, X.iloc[[0, 0, 1]])


def test_extremes_of_patients_and_of_the_cohort(fitted):
    table = attention_table(*fitted)
    ends = extreme_tiles(table, 3)
    for _, part in ends.groupby("patient"):
        assert not part[["slide", "x"]].duplicated().any()
        high, low = (part[part["end"] == end] for end in ("highest", "lowest"))
        assert high["rank"].tolist() == high["place"].tolist()
        assert low["place"].tolist() == list(range(len(low), 0, -1))
        assert low["weight"].max() <= high["weight"].min()
        assert 0 <= len(high) - len(low) <= 1
    cohort = extreme_tiles(table, 5, over="cohort")
    ordered = table["relative"].sort_values(ascending=False)
    assert cohort["relative"].tolist() == [*ordered[:5], *ordered[-5:]]
    assert cohort["end"].tolist() == ["highest"] * 5 + ["lowest"] * 5
    assert len(extreme_tiles(table.iloc[:0], 5)) == 0


def test_extremes_refuse_what_they_cannot_do(fitted):
    table = attention_table(*fitted)
    with pytest.raises(InvalidInput, match="k is 0; expected"):
        extreme_tiles(table, 0)
    with pytest.raises(UnknownName, match="relativ"):
        extreme_tiles(table, by="relativ")
    with pytest.raises(UnknownName, match="slide"):
        extreme_tiles(table, over="slide")
