import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2
from sklearn.datasets import make_classification

from sarcfeat.exceptions import InvalidInput
from sarcfeat.survival import count_pairs, make_y
from sarcfeat.transform import MRMR, UnivariateCoxFilter
from sarcfeat.transform._association import (
    concordance_with,
    correlation_with,
    mutual_information,
)


@pytest.fixture
def data():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(80, 12))
    X[:, 1] = X[:, 0] + 0.1 * rng.normal(size=80)
    risk = X[:, 0] + 0.7 * X[:, 5]
    times = rng.exponential(np.exp(-risk)) * 300
    censoring = rng.exponential(400, size=80)
    y = make_y(times <= censoring, np.minimum(times, censoring))
    names = [f"radiomics.t1.f{i}" for i in range(12)]
    return pd.DataFrame(X, columns=names), y, risk


def textbook(relevance, between, k):
    """mRMR as one reads it: no caching, no tricks."""
    chosen = [int(np.argmax(relevance))]
    while len(chosen) < k:
        rest = [j for j in range(len(relevance)) if j not in chosen]
        score = [relevance[j] - between[j, chosen].mean() for j in rest]
        chosen.append(rest[int(np.argmax(score))])
    return chosen


def test_greedy_equals_the_textbook(data):
    X, y, _ = data
    selector = MRMR(k=6).fit(X, y)
    with np.errstate(divide="ignore"):
        between = mutual_information(np.corrcoef(X.to_numpy().T))
    order = textbook(selector.relevance_, between, 6)
    assert selector.selected_ == list(X.columns[order])
    assert selector.ranking_[order].tolist() == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("tied", [False, True])
def test_concordance_with_survival_equals_pair_by_pair(data, tied):
    X, y, _ = data
    values = X.to_numpy().round(0 if tied else 12)
    y = y.copy()
    y["time"] = np.ceil(y["time"] / 50)
    ours = concordance_with(values, (y["event"], y["time"]))
    rude = concordance_with(values, (y["event"], y["time"]), ties="mRMRe")
    for j in range(values.shape[1]):
        same = wins = pairs = 0
        for a in np.flatnonzero(y["event"]):
            for b in np.flatnonzero(y["time"] > y["time"][a]):
                pairs += 1
                wins += values[a, j] > values[b, j]
                same += values[a, j] == values[b, j]
        assert ours[j] == pytest.approx(2 * (wins + same / 2) / pairs - 1, abs=1e-12)
        assert rude[j] == pytest.approx(2 * wins / pairs - 1, abs=1e-12)


def test_concordance_agrees_with_the_c_index_where_times_differ(data):
    X, y, _ = data
    ours = concordance_with(X.to_numpy(), (y["event"], y["time"]))
    for j, name in enumerate(X):
        c = count_pairs(y["event"], y["time"], X[name].to_numpy()).c_index
        assert ours[j] == pytest.approx(2 * c - 1, abs=1e-12)


def test_many_patients_do_not_overflow_the_counts():
    x = np.arange(1200.0)[:, None]
    assert concordance_with(x, np.arange(1200.0)) == pytest.approx([1.0])
    assert concordance_with(-x, np.arange(1200) >= 600) == pytest.approx([-1.0])


def test_auto_reads_the_kind_of_outcome(data):
    X, y, risk = data
    values = X.to_numpy()
    survival = MRMR().fit(X, y).relevance_
    np.testing.assert_allclose(
        survival, mutual_information(concordance_with(values, (y["event"], y["time"])))
    )
    number = MRMR().fit(X, risk).relevance_
    np.testing.assert_allclose(
        number, mutual_information(correlation_with(values, risk))
    )
    label = np.where(risk > 0, "high", "low")
    two = MRMR().fit(X, label).relevance_
    np.testing.assert_allclose(
        two, mutual_information(concordance_with(values, (risk > 0).astype(int)))
    )
    np.testing.assert_allclose(two, MRMR().fit(X, risk > 0).relevance_)


def test_outcome_that_does_not_fit_is_refused(data):
    X, y, risk = data
    three = pd.cut(risk, 3, labels=["a", "b", "c"]).astype(str)
    with pytest.raises(InvalidInput, match="kind 'classes'; choose 'f_classif'"):
        MRMR().fit(X, three)
    assert len(MRMR(k=3, relevance="f").fit(X, three).selected_) == 3
    with pytest.raises(InvalidInput, match="kind 'survival'; choose 'concordance'"):
        MRMR(relevance="f").fit(X, y)
    with pytest.raises(ValueError, match="the target y is None"):
        MRMR().fit(X)
    with pytest.raises(InvalidInput, match="X has 80 rows and y has 79"):
        MRMR().fit(X, y[:-1])
    with pytest.raises(ValueError, match="NaN"):
        MRMR().fit(X, np.where(risk > 1, np.nan, risk))
    with pytest.raises(ValueError, match="'k' parameter of MRMR"):
        MRMR(k=0).fit(X, y)


@pytest.mark.parametrize("task", ["classif", "regression"])
def test_fcq_equals_mrmr_selection(task):
    mrmr = pytest.importorskip("mrmr", reason="mrmr-selection is not installed")
    X, y = make_classification(
        n_samples=60, n_features=15, n_informative=5, random_state=0
    )
    X = pd.DataFrame(X, columns=[f"f{i}" for i in range(15)])
    if task == "regression":
        y = X.to_numpy() @ np.linspace(-1, 1, 15)
        theirs = mrmr.mrmr_regression(
            X, pd.Series(y), K=8, n_jobs=1, show_progress=False
        )
    else:
        theirs = mrmr.mrmr_classif(X, pd.Series(y), K=8, n_jobs=1, show_progress=False)
    fcq = MRMR(k=8, relevance="f", redundancy="correlation", scheme="quotient")
    assert fcq.fit(X, y).selected_ == theirs


def test_the_twin_of_a_selected_feature_comes_last(data):
    X, y, _ = data
    X = X.assign(twin=X["radiomics.t1.f5"])
    selected = MRMR(k=99).fit(X, y).selected_
    assert len(selected) == 13
    # A tie goes to the earlier column.
    assert selected.index("radiomics.t1.f5") < 3
    assert selected[-1] == "twin"


def test_constant_columns_have_no_relevance(data):
    X, y, risk = data
    X = X.assign(constant=0.1)
    for target, relevance in ((y, "auto"), (risk, "auto"), (risk, "f")):
        selector = MRMR(relevance=relevance).fit(X, target)
        assert selector.relevance_[-1] == 0
    assert list(MRMR(k=3).fit(X[["constant"]], y).selected_) == ["constant"]


def test_transform_keeps_the_order_of_X_and_the_site(data):
    X, y, _ = data
    X.insert(3, "site", "A")
    selector = MRMR(k=4).fit(X, y)
    kept = selector.transform(X)
    assert "site" in kept
    assert list(kept.columns) == [c for c in X if c in {*selector.selected_, "site"}]
    assert kept.equals(X[kept.columns])
    assert len(selector.dropped_) == 8
    assert set(selector.dropped_["feature"]) | set(kept.columns) == set(X.columns)


def test_frame_without_features_passes(data):
    X, y, _ = data
    selector = MRMR().fit(X[[]], y)
    assert selector.selected_ == []
    assert selector.transform(X[[]]).shape == (80, 0)


def test_missing_values_are_refused(data):
    X, y, _ = data
    X.iloc[3, 2] = np.nan
    with pytest.raises(ValueError, match="Input X contains NaN"):
        MRMR().fit(X, y)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), scale=st.floats(0.01, 100))
def test_rescaled_and_reordered_columns_give_the_same_choice(seed, scale):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(25, 6)), columns=list("abcdef"))
    y = rng.normal(size=25)  # a concordance could tie
    plain = MRMR(k=4).fit(X, y).selected_
    order = rng.permutation(6)
    changed = (scale * X + 3).iloc[:, order]
    assert MRMR(k=4).fit(changed, y).selected_ == plain


@pytest.mark.slow
def test_sixty_thousand_features_in_seconds():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 60_000))
    y = make_y(rng.random(300) < 0.5, rng.exponential(size=300))
    start = time.process_time()
    MRMR(k=25).fit(X, y)
    assert time.process_time() - start < 60


def test_cox_and_c_index_as_relevance(data):
    X, y, _ = data
    by_cox = MRMR(k=4, relevance="cox").fit(X, y)
    filtered = UnivariateCoxFilter(alpha=1, test="lr").fit(X, y).table_
    # The likelihood ratio is 2n times the relevance, and gives the p-value.
    p = chi2.sf(2 * len(X) * by_cox.relevance_, 1)
    np.testing.assert_allclose(p, filtered["p"], rtol=1e-8)
    by_c = MRMR(k=4, relevance="c_index", redundancy="correlation").fit(X, y)
    event, time = y["event"], y["time"]
    c = [count_pairs(event, time, X[name].to_numpy()).c_index for name in X]
    np.testing.assert_allclose(by_c.relevance_, np.abs(2 * np.array(c) - 1), atol=1e-12)
    for selector in (by_cox, by_c):
        assert selector.selected_[0] in {"radiomics.t1.f0", "radiomics.t1.f1"}
        assert "radiomics.t1.f5" in selector.selected_


def test_nearest_neighbours_find_what_is_no_line(data):
    X, _, _ = data
    y = (X["radiomics.t1.f3"].abs() > 0.7).astype(int).to_numpy()
    selector = MRMR(k=1, relevance="mutual_information", random_state=0).fit(X, y)
    assert selector.selected_ == ["radiomics.t1.f3"]
    again = MRMR(k=1, relevance="mutual_information", random_state=0).fit(X, y)
    np.testing.assert_array_equal(selector.relevance_, again.relevance_)


def test_relevance_that_needs_another_outcome_says_so(data):
    X, y, risk = data
    with pytest.raises(InvalidInput, match="'cox' does not fit a target of kind 'con"):
        MRMR(relevance="cox").fit(X, risk)
    with pytest.raises(InvalidInput, match="'mutual_information' does not fit"):
        MRMR(relevance="mutual_information").fit(X, y)


def test_fcq_and_fcd_of_a_number(data):
    mrmr = pytest.importorskip("mrmr", reason="mrmr-selection is not installed")
    X, _, risk = data
    theirs = mrmr.mrmr_regression(
        X,
        pd.Series(risk, index=X.index),
        K=6,
        n_jobs=1,
        show_progress=False,
        denominator="mean",
    )
    fcq = MRMR(k=6, relevance="f", redundancy="correlation", scheme="quotient")
    assert fcq.fit(X, risk).selected_ == theirs
    fcd = MRMR(k=6, relevance="f", redundancy="correlation").fit(X, risk)
    relevance, between = fcd.relevance_, np.abs(np.corrcoef(X.T))
    assert [X.columns.get_loc(n) for n in fcd.selected_] == textbook(
        relevance, between, 6
    )
