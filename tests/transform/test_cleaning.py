"""The steps that clean a table, and what each says by name."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.impute import KNNImputer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sarcfeat.estimators import CoxPH
from sarcfeat.exceptions import InvalidInput, NothingSelected
from sarcfeat.survival import make_y
from sarcfeat.transform import (
    CorrelationFilter,
    DropConstant,
    DropDuplicates,
    Imputer,
    MedianImputer,
    RobustClip,
    UnivariateLogisticFilter,
    ZScore,
)
from sarcfeat.transform._logistic_each import fit_logistic_each

CLEANERS = [
    DropConstant(),
    DropDuplicates(),
    RobustClip(),
    Imputer(),
    CorrelationFilter(0.95),
    ZScore(),
]


@pytest.fixture
def X():
    rng = np.random.default_rng(0)
    names = [f"radiomics.t1.f{i}" for i in range(6)]
    X = pd.DataFrame(rng.normal(size=(30, 6)), columns=names)
    X["site"] = ["A", "B", "C"] * 10
    return X.set_axis([f"patient-{i}" for i in range(30)])


@pytest.mark.parametrize("step", CLEANERS, ids=lambda step: type(step).__name__)
def test_frame_in_frame_out_with_the_site_untouched(step, X):
    out = step.fit(X).transform(X)
    assert out.index.equals(X.index)
    assert out["site"].tolist() == X["site"].tolist()
    assert list(step.dropped_.columns) == ["feature", "reason"]
    assert list(step.get_feature_names_out()) == list(out.columns)


@pytest.mark.parametrize("step", CLEANERS, ids=lambda step: type(step).__name__)
def test_no_feature_at_all_passes(step, X):
    out = step.fit(X[["site"]]).transform(X[["site"]])
    assert list(out.columns) == ["site"]


def test_fault_055_infinity_names_its_column(X):
    X.loc["patient-3", "radiomics.t1.f2"] = np.inf
    with pytest.raises(InvalidInput, match=r"infinity in 1 columns: radiomics\.t1\.f2"):
        CorrelationFilter().fit(X)


def test_fault_055_missing_is_imputed_inside_the_fold(X):
    y = make_y(np.arange(30) % 4 > 0, np.arange(1.0, 31))
    X = X.drop(columns="site")
    X.iloc[::5, 2] = np.nan
    chain = make_pipeline(Imputer(), CorrelationFilter(), CoxPH())
    grid = GridSearchCV(
        chain, {"imputer__strategy": ["mean", "knn"]}, cv=3, error_score="raise"
    )
    assert np.isfinite(grid.fit(X, y).best_score_)


def test_fault_056_constant_columns_are_dropped_by_name(X):
    X["clinical.grade"] = 2
    later = X.assign(**{"radiomics.t1.f0": 1.0})
    step = DropConstant().fit(X)
    assert step.dropped_.values.tolist() == [
        ["clinical.grade", "one value (2) in the training patients"]
    ]
    assert "radiomics.t1.f0" in step.transform(later)


def test_fault_056_everything_constant_warns(X):
    flat = X.assign(**{name: 1.0 for name in X.columns if name != "site"})
    with pytest.warns(NothingSelected, match=r"All 6 features.*radiomics\.t1\.f0"):
        out = DropConstant().fit(flat).transform(flat)
    assert list(out.columns) == ["site"]


def test_fault_057_duplicates_go_by_name_in_any_order(X):
    X["radiomics.t1.copy"] = X["radiomics.t1.f3"]
    X["radiomics.t1.minus"] = 5 - 0.1 * X["radiomics.t1.f3"]
    step = DropDuplicates().fit(X)
    assert step.dropped_.values.tolist() == [
        ["radiomics.t1.f3", "repeats radiomics.t1.copy (correlation 1)"],
        ["radiomics.t1.minus", "repeats radiomics.t1.copy (correlation -1)"],
    ]
    turned = DropDuplicates().fit(X[X.columns[::-1]])
    assert set(turned.get_feature_names_out()) == set(step.get_feature_names_out())


def test_fault_057_missing_in_other_patients_is_no_duplicate(X):
    X["radiomics.t1.copy"] = X["radiomics.t1.f3"]
    X.loc["patient-4", "radiomics.t1.copy"] = np.nan
    assert DropDuplicates().fit(X).dropped_.empty


def test_fault_057_correlated_columns_name_what_stays(X):
    noise = np.random.default_rng(1).normal(size=30)
    X["radiomics.t1.near"] = X["radiomics.t1.f0"] + 0.05 * noise
    step = CorrelationFilter(0.9).fit(X)
    assert len(step.dropped_) == 1
    kept = step.transform(X).drop(columns="site").corr().abs().to_numpy()
    assert kept[~np.eye(6, dtype=bool)].max() <= 0.9
    assert step.dropped_["reason"].str.contains(r"0\.99\d with radiomics\.t1\.").all()


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000))
def test_pruning_does_not_depend_on_the_order_of_columns_or_rows(seed):
    rng = np.random.default_rng(seed)
    base = rng.normal(size=(20, 3))
    X = pd.DataFrame(base[:, rng.integers(0, 3, 8)] + 0.3 * rng.normal(size=(20, 8)))
    X.columns = [f"f{i}" for i in range(8)]
    kept = set(CorrelationFilter(0.8).fit(X).get_feature_names_out())
    mixed = X.iloc[rng.permutation(20), rng.permutation(8)]
    assert set(CorrelationFilter(0.8).fit(mixed).get_feature_names_out()) == kept


@pytest.mark.parametrize(
    "step",
    [
        MedianImputer(),
        *(Imputer(s) for s in ("mean", "knn", "iterative")),
        DropConstant(),
    ],
    ids=["median", "mean", "knn", "iterative", "drop_constant"],
)
def test_fault_058_all_missing_in_a_fold(step, X):
    X = X.drop(columns="site").assign(**{"radiomics.pet.f0": np.nan})
    later = X.assign(**{"radiomics.pet.f0": 1.0})
    step.fit(X)
    assert step.dropped_.values.tolist() == [
        ["radiomics.pet.f0", "no training patient has a value"]
    ]
    assert "radiomics.pet.f0" not in step.transform(later)


@pytest.mark.parametrize("step", CLEANERS, ids=lambda step: type(step).__name__)
def test_fault_059_columns_are_aligned_by_name(step, X):
    step.fit(X)
    turned = step.transform(X[X.columns[::-1]])
    pd.testing.assert_frame_equal(turned, step.transform(X))


@pytest.mark.parametrize("step", CLEANERS, ids=lambda step: type(step).__name__)
def test_fault_059_a_renamed_column_is_refused_by_name(step, X):
    step.fit(X)
    with pytest.raises(InvalidInput, match=r"lacks 1 of them: radiomics\.t1\.f5"):
        step.transform(X.rename(columns={"radiomics.t1.f5": "radiomics.t1.g5"}))


@pytest.mark.parametrize("step", CLEANERS, ids=lambda step: type(step).__name__)
def test_fault_060_extra_columns_are_never_taken_by_position(step, X):
    step.fit(X)
    more = X.copy()
    more.insert(0, "radiomics.t1.extra", 1e9)
    pd.testing.assert_frame_equal(step.transform(more), step.transform(X))


def test_clipping_is_at_the_robust_limits_of_the_training_patients(X):
    step = RobustClip(width=3).fit(X)
    column = X["radiomics.t1.f1"]
    spread = (column - column.median()).abs().median() * 1.482602218505602
    later = X.assign(**{"radiomics.t1.f1": 1e9})
    expected = column.median() + 3 * spread
    assert step.transform(later)["radiomics.t1.f1"].unique() == pytest.approx(expected)
    row = step.limits_.set_index("feature").loc["radiomics.t1.f1"]
    assert row["high"] == pytest.approx(expected)
    assert row["clipped"] == ((column - column.median()).abs() > 3 * spread).sum()


def test_clipping_leaves_a_feature_without_spread_alone():
    X = pd.DataFrame({"mostly": [0.0] * 9 + [50.0]})
    assert RobustClip().fit(X).transform(X)["mostly"].max() == 50


def test_imputing_is_scikit_learns(X):
    values = X.drop(columns="site")
    values.iloc[::4, 1] = np.nan
    ours = Imputer("knn", n_neighbors=3).fit(values)
    theirs = KNNImputer(n_neighbors=3).fit_transform(values)
    np.testing.assert_array_equal(ours.transform(values), theirs)
    assert ours.imputed_.loc[1].tolist() == ["radiomics.t1.f1", 8, 8 / 30]


def test_logistic_regressions_equal_statsmodels():
    import statsmodels.api as sm

    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 6)) * [1, 10, 0.01, 1, 1, 1] + [0, 100, 0, 0, 0, 0]
    y = (rng.random(80) < 1 / (1 + np.exp(-X[:, 0]))).astype(int)
    each = fit_logistic_each(X, y)
    for j in range(6):
        fit = sm.Logit(y, sm.add_constant(X[:, j])).fit(disp=0, tol=1e-12)
        assert each.coef[j] == pytest.approx(fit.params[1], rel=1e-6)
        assert each.se[j] == pytest.approx(fit.bse[1], rel=1e-6)
        assert each.p_wald[j] == pytest.approx(fit.pvalues[1], rel=1e-6)
        assert each.p_lr[j] == pytest.approx(fit.llr_pvalue, rel=1e-5)


def test_a_separating_feature_is_kept_and_said():
    y = np.repeat(["no", "yes"], 10)
    X = pd.DataFrame({"sure": np.arange(20.0), "flat": 1.0})
    step = UnivariateLogisticFilter().fit(X, y)
    row = step.table_.set_index("feature").loc["sure"]
    assert row["separated"]
    assert row["coef"] == np.inf
    assert row["p"] < 1e-4
    assert step.classes_.tolist() == ["no", "yes"]
    assert step.dropped_["feature"].tolist() == ["flat"]
    assert UnivariateLogisticFilter(1.0).fit(X, y[::-1]).table_["coef"][0] == -np.inf


def test_the_logistic_filter_may_keep_nothing(X):
    y = np.arange(30) % 2
    with pytest.warns(NothingSelected, match="None of 6 features"):
        out = UnivariateLogisticFilter(1e-9).fit(X, y).transform(X)
    assert list(out.columns) == ["site"]


@pytest.mark.parametrize("y", [np.zeros(30), np.arange(30) % 3])
def test_the_logistic_filter_needs_two_classes(X, y):
    with pytest.raises(InvalidInput, match="classes"):
        UnivariateLogisticFilter().fit(X, y)


def test_the_logistic_filter_names_columns_with_missing_values(X):
    X = X.drop(columns="site")
    name = X.columns[0]
    X.iloc[:3, 0] = np.nan
    with pytest.raises(InvalidInput, match=rf"{name} \(3 patients\).*MedianImputer"):
        UnivariateLogisticFilter().fit(X, np.arange(30) % 2)
