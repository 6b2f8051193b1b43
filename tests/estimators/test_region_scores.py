"""Scores of regions: cross-fitted, scaled, cut; who lacks a region; what is told."""

import warnings

import numpy as np
import pandas as pd
import pytest

from sarcfeat.estimators import AttentionMIL, MeanPoolCox, RegionScores
from sarcfeat.exceptions import InvalidInput, SarcfeatWarning
from sarcfeat.io import BagArray
from sarcfeat.splits import EventStratifiedKFold
from tests.estimators.test_bag_models import NET, cohort


@pytest.fixture(scope="module")
def data():
    return cohort()


def test_region_scores_are_cross_fitted_scaled_and_cut(data):
    X, y, hazard = data
    scores = RegionScores(estimator=MeanPoolCox(cv=3, n_lambda=5), cv=4)
    made = scores.fit_transform(X, y)
    assert list(made.columns) == [f"dl.DL-{r}" for r in ("C", "P", "R", "CP", "CPR")]
    assert list(made.columns) == list(scores.get_feature_names_out())
    np.testing.assert_array_equal(made.min(), -1)
    np.testing.assert_array_equal(made.max(), 1)
    np.testing.assert_array_equal(made.median(), scores.cuts_)
    high = scores.high(made)
    np.testing.assert_array_equal(high, made.to_numpy() >= scores.cuts_.to_numpy())
    assert np.corrcoef(made["dl.DL-CP"], hazard)[0, 1] > 0.7
    assert abs(np.corrcoef(made["dl.DL-R"], hazard)[0, 1]) < 0.5
    # Out of fold: by hand for one score.
    by_hand = np.empty(40)
    seed = int(np.random.RandomState(0).randint(2**31 - 1))
    for train, test in EventStratifiedKFold(4, random_state=seed).split(X, y):
        model = MeanPoolCox(regions=("C",), cv=3, n_lambda=5, random_state=seed)
        by_hand[test] = model.fit(X.iloc[train], y[train]).predict(X.iloc[test])
    low, top = scores.ranges_.loc["DL-C"]
    assert (low, top) == (by_hand.min(), by_hand.max())
    np.testing.assert_allclose(
        made["dl.DL-C"], 2 * (by_hand - low) / (top - low) - 1, atol=1e-12
    )
    whole = scores.transform(X)
    assert not np.allclose(whole, made)
    np.testing.assert_array_equal(scores.high(X), whole >= scores.cuts_.to_numpy())


def test_scores_of_the_same_patients_are_what_transform_gives(data):
    X, y, _ = data
    scores = RegionScores(
        {"C": ("C",)}, estimator=MeanPoolCox(cv=3, n_lambda=5), cv=None, name="paper"
    )
    made = scores.fit_transform(X, y)
    pd.testing.assert_frame_equal(made, scores.transform(X))
    assert scores.n_folds_ == 0
    assert list(made.columns) == ["paper.C"]


def test_patients_without_a_region_get_nan_and_are_counted(data):
    X, y, _ = data
    X = X.copy()
    bag = X["cnn.bag"].iloc[0]
    lacking = BagArray("P0", bag.features, bag.coords, np.full(20, 1, np.uint8), ("C",))
    X["cnn.bag"] = [lacking, None, *X["cnn.bag"].iloc[2:]]
    asked = {"DL-C": ("C",), "DL-R": ("R",), "DL-CR": ("C", "R")}
    scores = RegionScores(asked, estimator=MeanPoolCox(cv=3, n_lambda=5), cv=3)
    with pytest.warns(SarcfeatWarning, match=r"DL-C: 1 \(P1\); DL-R: 2 \(P0, P1\)"):
        made = scores.fit_transform(X, y)
    assert made.iloc[0].isna().tolist() == [False, True, False]
    assert made.iloc[1].isna().all()
    assert not made.iloc[2:].isna().any().any()
    assert scores.missing_.to_dict() == {"DL-C": 1, "DL-R": 2, "DL-CR": 1}
    high = scores.high(made)
    assert high.isna().equals(made.isna())
    with pytest.warns(SarcfeatWarning, match=r"DL-R: 2 \(P0, P1\)"):
        whole = scores.transform(X)
    assert whole.iloc[0].isna().tolist() == [False, True, False]
    # A patient alone is told the same as among others.
    with pytest.warns(SarcfeatWarning, match=r"DL-R: 1 \(P0\)\.") as told:
        pd.testing.assert_frame_equal(scores.transform(X.iloc[:1]), whole.iloc[:1])
    assert told[0].filename == __file__
    with pytest.warns(SarcfeatWarning, match=r"DL-C: 1 \(P1\)"):
        assert scores.transform(X.iloc[[1]]).isna().all(axis=None)
    with pytest.raises(InvalidInput, match=r"no patient has tiles for DL-X \(X\)"):
        RegionScores({"DL-X": ("X",)}, estimator=MeanPoolCox()).fit(X, y)
    # A word is one region, not its letters.
    with pytest.raises(InvalidInput, match=r"no patient has tiles for DL-CP \(CP\)"):
        RegionScores({"DL-CP": "CP"}, estimator=MeanPoolCox()).fit(X, y)


@pytest.mark.slow
def test_attention_scores_are_the_same_for_any_number_of_workers(data, tmp_path):
    X, y, _ = data
    model = AttentionMIL(**{**NET, "epochs": 1}, checkpoint=str(tmp_path))
    made = RegionScores({"DL-C": ("C",)}, estimator=model, cv=2).fit_transform(X, y)
    found = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.glob("*/*/*"))
    assert found == [f"DL-C/fold-{i}/training.safetensors" for i in range(3)]
    model.set_params(checkpoint=None)
    again = RegionScores({"DL-C": ("C",)}, estimator=model, cv=2, n_jobs=2)
    pd.testing.assert_frame_equal(again.fit_transform(X, y), made, check_exact=True)


class Odd(UserWarning):
    """Made of more than words, as other packages' warnings may be."""

    def __init__(self, what, why):
        super().__init__(f"{what}: {why}")


class Grumbling(MeanPoolCox):
    """Warns at every fit, wherever it is fitted."""

    def fit(self, X, y):
        warnings.warn(f"few tiles here: {len(X)}", SarcfeatWarning, stacklevel=2)
        if len(X) == 40:
            warnings.warn("something else", SarcfeatWarning, stacklevel=2)
            warnings.warn(Odd("tiles", "odd"), stacklevel=2)
        return super().fit(X, y)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_what_workers_warn_of_is_told_once(data, n_jobs):
    X, y, _ = data
    model = Grumbling(cv=3, n_lambda=5)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        RegionScores({"DL-C": ("C",)}, estimator=model, cv=2, n_jobs=n_jobs).fit(X, y)
    told = [str(one.message) for one in caught]
    assert told == [
        "RegionScores, DL-C: few tiles here: 40 (and 2 more of its kind)",
        "RegionScores, DL-C: something else",
        "RegionScores, DL-C: tiles: odd [Odd]",
    ]
    assert {one.category for one in caught} == {SarcfeatWarning}
