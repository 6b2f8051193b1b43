import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline

from sarcfeat import CoxPH, make_y
from sarcfeat.exceptions import InvalidInput, NoEvents, NothingSelected
from sarcfeat.metrics import adjust_p
from sarcfeat.transform import UnivariateCoxFilter
from tests.survival.cohorts import cohort


@pytest.fixture
def study():
    X, event, time = cohort(100, 2, tied=True)
    noise = np.random.default_rng(9).normal(size=(100, 6))
    for j in range(6):
        X[f"radiomics.noise{j}"] = noise[:, j]
    return X, make_y(event, time)


@pytest.mark.parametrize("test", ["wald", "lr", "score"])
def test_p_is_that_of_a_cox_model_of_the_feature(study, test):
    X, y = study
    table = UnivariateCoxFilter(test=test, adjust="none").fit(X, y).table_
    for row in table.itertuples():
        model = CoxPH().fit(X[[row.feature]], y)
        statistic = {"wald": "wald_test_", "lr": "lr_test_", "score": "score_test_"}
        assert row.p == pytest.approx(getattr(model, statistic[test])[2], rel=1e-6)
        assert row.hazard_ratio == pytest.approx(model.summary_["hazard_ratio"].iloc[0])
        assert row.ci_low == pytest.approx(model.summary_["ci_low"].iloc[0])


def test_signal_is_kept_and_the_rest_listed(study):
    X, y = study
    selector = UnivariateCoxFilter(alpha=0.05).fit(X, y)
    kept = list(selector.get_feature_names_out())
    assert "clinical.x0" in kept
    assert selector.table_.set_index("feature")["kept"].sum() == len(kept)
    assert set(selector.dropped_["feature"]) == set(X) - set(kept)
    assert selector.dropped_["reason"].str.contains("adjusted p = .* > 0.05").all()
    out = selector.transform(X)
    pd.testing.assert_frame_equal(out, X[kept])


@pytest.mark.parametrize("adjust", ["bh", "bonferroni", "holm", "none"])
def test_adjustments(study, adjust):
    X, y = study
    table = UnivariateCoxFilter(adjust=adjust).fit(X, y).table_
    np.testing.assert_allclose(table["p_adjusted"], adjust_p(table["p"], adjust))
    assert (table["kept"] == (table["p_adjusted"] <= 0.05)).all()


def test_the_scale_of_a_feature_does_not_matter(study):
    X, y = study
    one = UnivariateCoxFilter().fit(X, y)
    two = UnivariateCoxFilter().fit(X * 1e6 - 3, y)
    np.testing.assert_allclose(one.table_["p"], two.table_["p"], rtol=1e-6)


def test_site_passes_untouched(study):
    X, y = study
    X = X.assign(site=np.where(np.arange(100) % 2, "Bordeaux", "Lyon"))
    selector = UnivariateCoxFilter().fit(X, y)
    assert "site" in selector.transform(X)
    assert "site" not in set(selector.table_["feature"])


def test_nothing_kept_is_a_result(study):
    X, y = study
    noise = X.filter(like="noise")
    with pytest.warns(NothingSelected, match="None of 6 features"):
        selector = UnivariateCoxFilter(alpha=1e-9).fit(noise, y)
    assert selector.transform(noise).shape == (100, 0)
    assert selector.transform(noise).index.equals(noise.index)
    with pytest.warns(NothingSelected, match="X has no column"):
        CoxPH().fit(selector.transform(noise), y)
    with pytest.warns(NothingSelected, match="None of 0 features"):
        UnivariateCoxFilter().fit(noise.iloc[:, :0], y)


def test_a_constant_feature_is_dropped_with_its_reason(study):
    X, y = study
    selector = UnivariateCoxFilter(alpha=1.0).fit(X.assign(flat=2.0), y)
    assert selector.dropped_["feature"].tolist() == ["flat"]
    assert selector.dropped_["reason"].str.contains("constant").all()
    assert selector.table_.set_index("feature").loc["flat", "p"] == 1


def test_what_it_learns_comes_from_the_training_patients_only(study):
    X, y = study
    model = make_pipeline(UnivariateCoxFilter(alpha=0.2), CoxPH())
    model.fit(X.iloc[:60], y[:60])
    alone = UnivariateCoxFilter(alpha=0.2).fit(X.iloc[:60], y[:60])
    pd.testing.assert_frame_equal(model[0].table_, alone.table_)
    assert model.score(X.iloc[60:], y[60:]) > 0.5


def test_missing_values_are_named(study):
    X, y = study
    X = X.copy()
    X.loc[3, "clinical.x1"] = np.nan
    with pytest.raises(InvalidInput, match=r"NaN in 1 columns: clinical\.x1 \(1 pat"):
        UnivariateCoxFilter().fit(X, y)


def test_an_outcome_is_needed(study):
    X, y = study
    with pytest.raises(InvalidInput, match="requires y"):
        UnivariateCoxFilter().fit(X)
    with pytest.raises(NoEvents, match="0 events among 100"):
        UnivariateCoxFilter().fit(X, make_y(np.zeros(100, bool), y["time"]))
