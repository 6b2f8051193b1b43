"""Simulated bags hold what was planted, in C and P and not in R."""

import numpy as np
import pytest

from sarcfeat.datasets import make_bags
from sarcfeat.exceptions import CohortError, InvalidInput
from sarcfeat.metrics import concordance


@pytest.fixture(scope="module")
def made():
    return make_bags(n=240, tiles=60, dim=8, seed=1)


def c_index(made, values):
    return concordance(made.y["event"], made.y["time"], values).c_index


def test_the_share_of_hot_tiles_follows_the_hazard_in_c_and_p_only(made):
    truth = made.truth.fillna(0.0)
    assert c_index(made, truth["slide_risk"]) > 0.7
    for region, low, high in (("C", 0.65, 0.9), ("P", 0.65, 0.9), ("R", 0.43, 0.57)):
        assert low < c_index(made, truth[f"hot_{region}"]) < high
    assert abs(np.corrcoef(truth["hot_R"], truth["slide_risk"])[0, 1]) < 0.15


def test_hot_tiles_are_told_in_the_order_of_the_bag(made):
    patient = made.X.index[3]
    bag = made.X.at[patient, "simulated.bag"].load()
    hot = made.hot(patient)
    assert len(hot) == len(bag)
    for code, name in enumerate(bag.region_names, start=1):
        share = hot[bag.region == code].mean()
        assert share == pytest.approx(made.truth.at[patient, f"hot_{name}"])


def test_same_seed_same_bytes_and_a_folder_is_used_again(tmp_path):
    asked = {"n": 5, "tiles": 20, "dim": 8, "seed": 3}
    first = make_bags(**asked, root=tmp_path / "a")
    second = make_bags(**asked, root=tmp_path / "b")
    files = sorted(p.relative_to(first.root) for p in first.root.rglob("*.*"))
    assert len(files) > 10
    for name in files:
        assert (first.root / name).read_bytes() == (second.root / name).read_bytes()
    before = {p: p.stat().st_mtime_ns for p in first.root.rglob("*.*")}
    again = make_bags(**asked, root=tmp_path / "a")
    assert {p: p.stat().st_mtime_ns for p in first.root.rglob("*.*")} == before
    assert again.X["simulated.bag"].equals(first.X["simulated.bag"])
    with pytest.raises(CohortError, match="holds a cohort simulated with"):
        make_bags(**{**asked, "seed": 4}, root=tmp_path / "a")


def test_three_cohorts_and_three_endpoints(made):
    counts = made.patients["cohort"].value_counts()
    assert counts.sort_values().index.tolist() == [
        "internal validation",
        "external validation",
        "training",
    ]
    sites = made.patients.groupby("cohort")["site"].unique()
    assert sites["training"].tolist() == sites["internal validation"].tolist() == ["A"]
    assert sites["external validation"].tolist() == ["B"]
    assert set(made.outcomes) == {"mfs", "lfs", "os"}
    for table in made.outcomes.values():
        assert 0.1 < (table["event"] == 1).mean() < 0.6
    assert (made.outcomes["mfs"]["event"] == 2).any()


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"hot": 0.9}, "hot=0.9"),
        ({"dim": 2}, "dim must be a whole number from 8"),
        ({"dtype": "int8"}, "dtype='int8'"),
        ({"strength": -1}, "strength=-1"),
    ],
)
def test_numbers_out_of_range(changed, told):
    with pytest.raises(InvalidInput, match=told):
        make_bags(**{"n": 4, **changed})
