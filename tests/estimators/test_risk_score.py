import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, ShuffleSplit, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sarcfeat.estimators.lasso_cox import LassoCox
from sarcfeat.estimators.risk_score import RiskScore
from sarcfeat.exceptions import InvalidInput, NoEvents, NothingSelected
from sarcfeat.splits import EventStratifiedKFold
from sarcfeat.survival import count_pairs, make_y
from tests.estimators.test_lasso_cox import cohort

FIXED = LassoCox(cv=None, lambdas=[0.02])


def test_training_column_is_out_of_fold():
    X, y = cohort()
    score = RiskScore(FIXED, cv=4, random_state=2)
    column = score.fit_transform(X, y)
    folds = list(EventStratifiedKFold(4, random_state=2).split(X, y))
    expected = cross_val_predict(FIXED, X, y, cv=folds)
    assert list(column.columns) == ["risk_score"]
    assert column.index.equals(X.index)
    np.testing.assert_array_equal(column["risk_score"], expected)


def test_new_patients_get_the_model_of_all_training_patients():
    X, y = cohort(n=120)
    score = RiskScore(FIXED, random_state=0, name="rad").fit(X.iloc[:80], y[:80])
    alone = clone(FIXED).fit(X.iloc[:80], y[:80])
    np.testing.assert_array_equal(
        score.transform(X.iloc[80:])["rad"], alone.predict(X.iloc[80:])
    )
    again = RiskScore(FIXED, random_state=0, name="rad")
    again.fit_transform(X.iloc[:80], y[:80])
    pd.testing.assert_frame_equal(again.transform(X), score.transform(X))


def test_under_no_effect_the_cross_fitted_column_knows_nothing():
    """What makes cross-fitting needed: the naive column looks predictive of noise."""
    crossed, naive = [], []
    for seed in range(12):
        X, y = cohort(n=60, p=30, effect=0.0, seed=seed)
        event, time = y["event"], y["time"]
        honest = RiskScore(FIXED, random_state=seed).fit_transform(X, y)
        seen = RiskScore(FIXED, cv=None).fit_transform(X, y)
        crossed.append(count_pairs(event, time, honest["risk_score"]).c_index)
        naive.append(count_pairs(event, time, seen["risk_score"]).c_index)
    error = np.std(crossed, ddof=1) / np.sqrt(len(crossed))
    assert abs(np.mean(crossed) - 0.5) < 3 * error + 0.03
    assert np.mean(naive) > 0.75


def test_inside_a_pipeline_and_a_column_transformer():
    X, y = cohort(n=120, effect=1.5)
    X = X.assign(**{"clinical.age": np.linspace(40, 80, 120)})
    features = [name for name in X if name.startswith("radiomics")]
    inner = make_pipeline(StandardScaler(), FIXED)
    chain = ColumnTransformer(
        [
            ("rad", RiskScore(inner, random_state=0), features),
            ("clin", "passthrough", ["clinical.age"]),
        ],
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    model = make_pipeline(chain, FIXED)
    model.fit(X, y)
    assert list(model[:-1].transform(X).columns) == ["risk_score", "clinical.age"]
    assert model[-1].feature_names_in_.tolist() == ["risk_score", "clinical.age"]
    assert count_pairs(y["event"], y["time"], model.predict(X)).c_index > 0.7


def test_array_in_array_out():
    X, y = cohort()
    score = RiskScore(FIXED, random_state=0)
    column = score.fit_transform(X.to_numpy(), y)
    assert isinstance(column, np.ndarray)
    assert column.shape == (80, 1)
    framed = RiskScore(FIXED, random_state=0).set_output(transform="pandas")
    assert list(framed.fit_transform(X.to_numpy(), y).columns) == ["risk_score"]


def test_text_column_reaches_the_estimator():
    X, y = cohort()
    numbers = ColumnTransformer([("keep", "passthrough", list(X.columns))])
    score = RiskScore(make_pipeline(numbers, FIXED), random_state=0)
    column = score.fit_transform(X.assign(site="A"), y)
    assert column.shape == (80, 1)
    assert score.n_features_in_ == X.shape[1] + 1


def test_constant_folds_are_counted_and_said_once():
    X, y = cohort(effect=0.0, seed=1)
    score = RiskScore(LassoCox(cv=None, lambdas=[5.0]), cv=4, random_state=0)
    with pytest.warns(NothingSelected) as said:
        column = score.fit_transform(X, y)
    assert score.constant_folds_ == 4
    assert score.is_constant_
    assert np.ptp(column["risk_score"]) == 0
    messages = [str(w.message) for w in said]
    assert [m for m in messages if "4 of 4 folds" in m] == [
        "RiskScore: the model of 4 of 4 folds selected nothing; the patients held out "
        "there share one risk."
    ]
    assert len(messages) == 2


def test_frame_without_columns():
    X, y = cohort()
    score = RiskScore(LassoCox(cv=3, random_state=0), random_state=0)
    with pytest.warns(NothingSelected):
        column = score.fit_transform(X[[]], y)
    assert column.shape == (80, 1)
    assert score.is_constant_


def test_columns_are_aligned_by_name():
    X, y = cohort()
    score = RiskScore(FIXED, random_state=0).fit(X, y)
    shuffled = X.iloc[:, ::-1].assign(extra=0.0)
    pd.testing.assert_frame_equal(score.transform(shuffled), score.transform(X))
    with pytest.raises(InvalidInput, match=r"lacks 1 of them: radiomics\.t1\.f0"):
        score.transform(X.iloc[:, 1:])


def test_same_seed_same_column():
    X, y = cohort()
    one, two = (
        RiskScore(LassoCox(cv=3, random_state=1), random_state=5).fit_transform(X, y)
        for _ in range(2)
    )
    pd.testing.assert_frame_equal(one, two)


def test_splitters_and_labels():
    X, y = cohort()
    label = np.arange(80) % 4
    one = RiskScore(FIXED, cv=label).fit_transform(X, y)
    order = np.argsort(label, kind="stable")
    blocks = RiskScore(FIXED, cv=KFold(4)).fit_transform(X.iloc[order], y[order])
    pd.testing.assert_frame_equal(blocks.loc[X.index], one)
    with pytest.raises(InvalidInput, match="each must be held out once"):
        RiskScore(FIXED, cv=ShuffleSplit(3, random_state=0)).fit_transform(X, y)


def test_too_few_events():
    X, y = cohort(n=30)
    y = make_y(np.arange(30) < 2, y["time"])
    with pytest.raises(NoEvents, match="2 events among 30 patients; at least 3"):
        RiskScore(FIXED, random_state=0).fit_transform(X, y)


def test_fold_without_enough_events_is_named():
    X, y = cohort(n=30)
    y = make_y(np.arange(30) < 4, y["time"])
    label = (np.arange(30) >= 3).astype(int)
    with pytest.raises(NoEvents, match="holds 1 events") as error:
        RiskScore(FIXED, cv=label).fit_transform(X, y)
    assert error.value.__notes__ == ["In fold 1 of 2 of RiskScore."]


def test_parameters_are_checked():
    X, y = cohort()
    with pytest.raises(ValueError, match="'estimator' parameter of RiskScore"):
        RiskScore("lasso").fit(X, y)
    with pytest.raises(ValueError, match="'cv' parameter of RiskScore"):
        RiskScore(FIXED, cv=1).fit(X, y)


@pytest.mark.parametrize("method", ["auto", "decision_function"])
def test_a_classifier_gives_its_probability(method):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(80, 4)), columns=list("abcd"))
    y = np.where(X["a"] + rng.normal(size=80) > 0, "yes", "no")
    chain = make_pipeline(StandardScaler(), LogisticRegression())
    score = RiskScore(chain, cv=4, random_state=0, method=method)
    column = score.fit_transform(X, y)["risk_score"]
    model = clone(chain).fit(X, y)
    if method == "auto":
        expected = model.predict_proba(X)[:, 1]
        assert column.between(0, 1).all()
    else:
        expected = model.decision_function(X)
    np.testing.assert_allclose(score.transform(X)["risk_score"], expected)
    assert (column != expected).all()
    assert np.corrcoef(column, expected)[0, 1] > 0.8
    with pytest.raises(InvalidInput, match="two classes; y has 3"):
        score.fit(X, np.arange(80) % 3)
