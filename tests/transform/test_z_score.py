import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import StandardScaler

from sarcfeat.exceptions import InvalidInput, NothingSelected
from sarcfeat.transform import ZScore


@pytest.fixture
def X():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(3, 2, size=(20, 3)), columns=["a", "b", "c"])
    frame.index = [f"p{i}" for i in range(20)]
    frame.insert(1, "site", ["A", "B"] * 10)
    return frame


def test_equals_standard_scaler(X):
    names = ["a", "b", "c"]
    ours = ZScore().fit(X.iloc[:12]).transform(X.iloc[12:])
    theirs = StandardScaler().fit(X.iloc[:12][names]).transform(X.iloc[12:][names])
    np.testing.assert_allclose(ours[names], theirs, rtol=1e-12)
    assert list(ours.columns) == list(X.columns)
    assert ours["site"].equals(X["site"].iloc[12:])
    assert ours.index.equals(X.index[12:])


def test_fault_056_constant_in_training_is_dropped_and_named(X):
    X.loc[X.index[:12], "b"] = 0.1
    scaler = ZScore().fit(X.iloc[:12])
    assert scaler.dropped_.values.tolist() == [
        ["b", "one value in the training patients"]
    ]
    assert list(scaler.transform(X.iloc[12:]).columns) == ["a", "site", "c"]
    assert list(scaler.get_feature_names_out()) == ["a", "site", "c"]


def test_fault_056_constant_only_later_is_kept(X):
    X.loc[X.index[12:], "b"] = 7.0
    later = ZScore().fit(X.iloc[:12]).transform(X.iloc[12:])
    assert later["b"].nunique() == 1
    assert np.isfinite(later["b"]).all()


def test_missing_values_stay_missing(X):
    X.iloc[0, 0] = np.nan
    scaled = ZScore().fit_transform(X)
    assert scaled["a"].isna().tolist() == [True] + [False] * 19
    assert scaled["a"].mean() == pytest.approx(0, abs=1e-12)


def test_frame_without_features_passes(X):
    only_site = X[["site"]]
    assert ZScore().fit_transform(only_site).equals(only_site)
    empty = ZScore().fit_transform(X[[]])
    assert empty.shape == (20, 0)
    assert empty.index.equals(X.index)
    with pytest.raises(ValueError, match=r"0 feature\(s\)"):
        ZScore().fit(np.empty((20, 0)))


def test_all_constant_warns_and_passes_no_feature(X):
    X[["a", "b", "c"]] = 1.0
    with pytest.warns(NothingSelected, match="All 3 features"):
        scaler = ZScore().fit(X)
    assert list(scaler.transform(X).columns) == ["site"]


def test_text_is_refused_by_name(X):
    with pytest.raises(InvalidInput, match="hold no numbers: scanner"):
        ZScore().fit(X.rename(columns={"site": "scanner"}))
    passed = ZScore(passthrough=["scanner"]).fit_transform(
        X.rename(columns={"site": "scanner"})
    )
    assert passed["scanner"].equals(X["site"].rename("scanner"))


def test_a_column_twice_is_refused(X):
    with pytest.raises(InvalidInput, match="more than once: a"):
        ZScore().fit(X.rename(columns={"b": "a"}))


def test_caller_keeps_his_frame(X):
    before = X.copy()
    scaled = ZScore().fit_transform(X)
    scaled.loc[:, "a"] = 0.0
    pd.testing.assert_frame_equal(X, before)


def test_set_output_and_array(X):
    values = X[["a", "b"]].to_numpy()
    assert isinstance(ZScore().fit_transform(values), np.ndarray)
    framed = ZScore().set_output(transform="pandas").fit_transform(values)
    assert list(framed.columns) == ["x0", "x1"]


def test_learns_from_training_rows_only(X):
    scaler = ZScore().fit(X.iloc[:12])
    X.iloc[12:, [0, 2, 3]] *= 1e6
    poisoned = ZScore().fit(X.iloc[:12])
    assert (scaler.mean_ == poisoned.mean_).all()
    assert (scaler.scale_ == poisoned.scale_).all()
