import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sksurv.linear_model import CoxnetSurvivalAnalysis

from sarcfeat.estimators._partial_likelihood import BreslowLikelihood, Stacked
from sarcfeat.estimators.lasso_cox import LassoCox
from sarcfeat.exceptions import (
    FewEvents,
    InvalidInput,
    NoEvents,
    NotConverged,
    NothingSelected,
)
from sarcfeat.splits import EventStratifiedKFold
from sarcfeat.survival import RiskSets, cox_state, make_y


def cohort(n=80, p=8, seed=0, effect=1.0, decimals=3):
    """Patients whose hazard depends on the first two of `p` features."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        rng.normal(size=(n, p)) * np.linspace(0.1, 10, p),
        index=[f"P{i:03d}" for i in range(n)],
        columns=[f"radiomics.t1.f{j}" for j in range(p)],
    )
    Z = X / X.std()
    time = rng.exponential(np.exp(-effect * (Z.iloc[:, 0] - Z.iloc[:, 1])))
    censored = rng.exponential(2.0, n)
    time, event = np.minimum(time, censored), time <= censored
    return X, make_y(event, np.round(time, decimals) + 10.0**-decimals)


def violation(X, y, coef, lam, l1_ratio=1.0, factor=1.0):
    """Return the largest departure from the optimality conditions, over lambda."""
    event, time = y["event"], y["time"]
    Z = ((X - X.mean()) / X.std(ddof=0)).to_numpy()
    beta = coef * X.std(ddof=0).to_numpy()
    at_risk = time[None, :] >= time[event][:, None]
    risk = np.exp(Z @ beta)
    means = (at_risk * risk) @ Z / (at_risk @ risk)[:, None]
    gradient = -(Z[event] - means).sum(axis=0) / len(time)
    gradient = gradient + lam * (1 - l1_ratio) * factor * beta
    bound = lam * l1_ratio * factor
    zero = np.maximum(np.abs(gradient) - bound, 0)
    return (
        np.where(beta == 0, zero, np.abs(gradient + bound * np.sign(beta))).max() / lam
    )


def test_every_penalty_meets_its_optimality_conditions():
    X, y = cohort(n=60, p=90)
    model = LassoCox(cv=3, random_state=0).fit(X, y)
    worst = [
        violation(X, y, model.coef_path_[:, k], lam)
        for k, lam in enumerate(model.lambdas_)
    ]
    assert len(worst) > 50
    assert max(worst) < 1e-6


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(12, 50),
    p=st.integers(2, 30),
    l1_ratio=st.sampled_from([0.1, 0.5, 1.0]),
    share=st.floats(0.05, 0.9),
    decimals=st.integers(0, 3),
)
def test_optimality_conditions_on_any_data(seed, n, p, l1_ratio, share, decimals):
    X, y = cohort(n, p, seed, decimals=decimals)
    if y["event"].sum() < 2:
        return
    largest = violation(X, y, np.zeros(p), 1.0, l1_ratio=0.0) / l1_ratio
    lam = share * largest
    if lam < 1e-6:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NothingSelected)
        model = LassoCox(l1_ratio, cv=None, lambdas=[lam]).fit(X, y)
    assert violation(X, y, model.coef_, lam, l1_ratio) < 1e-6


def test_collinear_columns_are_solved():
    X, y = cohort(n=50, p=5)
    X["copy"] = X.iloc[:, 0]
    X["sum"] = X.iloc[:, 0] + X.iloc[:, 1]
    model = LassoCox(cv=3, random_state=0).fit(X, y)
    for k, lam in enumerate(model.lambdas_):
        assert violation(X, y, model.coef_path_[:, k], lam) < 1e-6


def test_screening_changes_nothing(monkeypatch):
    X, y = cohort(n=60, p=120, seed=3)
    plain = LassoCox(cv=3, random_state=0).fit(X, y)
    monkeypatch.setattr("sarcfeat.estimators._cox_path.SCREEN_ABOVE", 10)
    screened = LassoCox(cv=3, random_state=0).fit(X, y)
    np.testing.assert_allclose(screened.coef_path_, plain.coef_path_, atol=1e-5)
    np.testing.assert_allclose(screened.cvm_, plain.cvm_, rtol=1e-6)


@pytest.mark.parametrize("l1_ratio", [0.3, 1.0])
def test_path_equals_scikit_survival(l1_ratio):
    X, y = cohort(n=100, p=15, seed=4)
    ours = LassoCox(l1_ratio, cv=3, random_state=0, lambda_min_ratio=0.01).fit(X, y)
    spread = X.std(ddof=0).to_numpy()
    theirs = CoxnetSurvivalAnalysis(
        l1_ratio=l1_ratio, alphas=ours.lambdas_, tol=1e-12, max_iter=10**6
    ).fit((X - X.mean()) / spread, y)
    np.testing.assert_allclose(
        ours.coef_path_ * spread[:, None], theirs.coef_, atol=2e-5
    )


def test_kernel_equals_the_cox_kernel_of_survival():
    """Also for a data set that was filled up beside a longer one."""
    X, y = cohort(n=70, p=3, decimals=1)
    beta = np.array([0.5, -0.3, 0.01])
    sizes = (70, 45)
    fast = [BreslowLikelihood.of(y["event"][:n], y["time"][:n]) for n in sizes]
    Z = np.zeros((2, 70, 3))
    for k, n in enumerate(sizes):
        Z[k, :n] = X.to_numpy()[:n][fast[k].order]
    stacked = Stacked.of(fast)
    state = stacked.state(Z @ beta)
    information = stacked.information(state, Z)
    for k, n in enumerate(sizes):
        sets = RiskSets(y["event"][:n], y["time"][:n], ties="breslow")
        slow = cox_state(beta, X.to_numpy()[:n], sets)
        assert state.log_likelihood[k] == pytest.approx(slow.loglik, rel=1e-12)
        np.testing.assert_allclose(state.residual[k] @ Z[k], slow.score(), rtol=1e-9)
        np.testing.assert_allclose(information[k], slow.information(), rtol=1e-9)
        deviance = fast[k].deviances(Z[k, :n] @ beta[:, None])
        assert deviance[0] == pytest.approx(2 * (fast[k].saturated - slow.loglik))


def test_curve_equals_its_definition():
    """Cross-validation written out fold by fold, on the folds' own paths."""
    X, y = cohort(n=60, p=6, decimals=1)
    fold = np.arange(60) % 5
    model = LassoCox(cv=fold).fit(X, y)
    event, time = y["event"], y["time"]

    def deviance(rows, coef):
        sets = RiskSets(event[rows], time[rows], ties="breslow")
        loglik = cox_state(coef, X.to_numpy()[rows], sets).loglik
        deaths = sets.n_deaths
        return 2 * (-(deaths * np.log(deaths)).sum() - loglik)

    raw, weight = [], []
    for k in range(5):
        train = np.flatnonzero(fold != k)
        inner = (np.arange(48) % 3).tolist()
        part = LassoCox(cv=inner).fit(X.iloc[train], y[train])
        coef = np.array(
            [
                np.interp(model.lambdas_, part.lambdas_[::-1], row[::-1])
                for row in part.coef_path_
            ]
        ).T
        events = event[fold == k].sum()
        weight.append(events)
        raw.append(
            [(deviance(np.arange(60), c) - deviance(train, c)) / events for c in coef]
        )
    mean = np.average(raw, axis=0, weights=weight)
    spread = np.average((raw - mean) ** 2, axis=0, weights=weight)
    np.testing.assert_allclose(model.cvm_, mean, rtol=1e-6)
    np.testing.assert_allclose(model.cvsd_, np.sqrt(spread / 4), rtol=1e-4)
    assert model.lambda_min_ == model.lambdas_[np.argmin(mean)]
    line = (model.cvm_ + model.cvsd_)[np.argmin(mean)]
    assert model.lambda_1se_ == model.lambdas_[model.cvm_ <= line].max()


def test_finds_the_features_that_matter():
    X, y = cohort(n=150, p=20, effect=1.5)
    model = LassoCox(rule="1se", random_state=0).fit(X, y)
    assert model.selected_[:2] == ["radiomics.t1.f0", "radiomics.t1.f1"]
    assert model.coef_[0] > 0 > model.coef_[1]
    assert model.score(X, y) > 0.8
    table = model.coef_table_
    assert table["coef_standardised"].abs().is_monotonic_decreasing
    np.testing.assert_allclose(
        table["coef_standardised"],
        table["coef"] * X.std(ddof=0)[table["feature"]].to_numpy(),
    )
    np.testing.assert_allclose(model.predict(X), X.to_numpy() @ model.coef_)


def test_same_seed_same_model_and_global_generator_untouched():
    X, y = cohort()
    np.random.seed(1)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    one, two = (LassoCox(cv=5, random_state=7).fit(X, y) for _ in range(2))
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002
    np.testing.assert_array_equal(one.cvm_, two.cvm_)
    np.testing.assert_array_equal(one.coef_, two.coef_)


def test_units_of_a_feature_do_not_matter():
    X, y = cohort()
    scale = np.logspace(-4, 4, X.shape[1])
    one = LassoCox(cv=5, random_state=0).fit(X, y)
    two = LassoCox(cv=5, random_state=0).fit(X * scale, y)
    np.testing.assert_allclose(two.coef_ * scale, one.coef_, rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(two.predict(X * scale), one.predict(X), atol=1e-6)


def test_without_standardize_units_do_matter():
    X, y = cohort(p=4)
    one = LassoCox(cv=None, lambdas=[0.05], standardize=False).fit(X, y)
    two = LassoCox(cv=None, lambdas=[0.05], standardize=False).fit(X * 10, y)
    assert np.abs(two.coef_ * 10 - one.coef_).max() > 0.01


def test_order_of_patients_and_columns_does_not_matter():
    X, y = cohort()
    rng = np.random.default_rng(0)
    rows, columns = rng.permutation(len(X)), rng.permutation(X.shape[1])
    fold = np.arange(len(X)) % 5
    one = LassoCox(cv=fold).fit(X, y)
    two = LassoCox(cv=fold[rows]).fit(X.iloc[rows, columns], y[rows])
    np.testing.assert_allclose(two.coef_, one.coef_[columns], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(two.predict(X), one.predict(X), atol=1e-6)


def test_array_and_frame_give_the_same_model():
    X, y = cohort()
    frame = LassoCox(cv=5, random_state=0).fit(X, y)
    array = LassoCox(cv=5, random_state=0).fit(X.to_numpy(), y)
    np.testing.assert_array_equal(frame.coef_, array.coef_)
    assert array.selected_[0] == "x0"


def test_columns_are_aligned_by_name():
    X, y = cohort()
    model = LassoCox(cv=5, random_state=0).fit(X, y)
    shuffled = X.iloc[:, ::-1].assign(extra=1.0)
    np.testing.assert_array_equal(model.predict(shuffled), model.predict(X))
    with pytest.raises(InvalidInput, match=r"lacks 1 of them: radiomics\.t1\.f3"):
        model.predict(X.drop(columns="radiomics.t1.f3"))


def test_penalty_factor_zero_keeps_a_feature_in():
    X, y = cohort(p=6)
    model = LassoCox(cv=5, penalty_factor=[1, 1, 1, 1, 1, 0], random_state=0).fit(X, y)
    assert (model.coef_path_[5] != 0).all()
    assert model.nonzero_[0] == 1
    assert model.deviance_ratio_[0] > 0


def test_penalty_factor_must_fit():
    X, y = cohort(p=6)
    with pytest.raises(InvalidInput, match=r"shape \(6,\); got shape \(2,\)"):
        LassoCox(penalty_factor=[1, 1]).fit(X, y)
    with pytest.raises(InvalidInput, match="none below 0"):
        LassoCox(penalty_factor=[1, 1, 1, 1, 1, -1]).fit(X, y)
    with pytest.raises(InvalidInput, match="Use CoxPH"):
        LassoCox(penalty_factor=np.zeros(6)).fit(X, y)


def test_nothing_selected_is_a_result():
    X, y = cohort(effect=0.0, seed=1)
    with pytest.warns(NothingSelected, match=r"none of the 8 features .*80 patients"):
        model = LassoCox(rule="1se", random_state=0).fit(X, y)
    assert model.is_constant_
    assert model.selected_ == []
    assert model.coef_table_.empty
    assert np.ptp(model.predict(X)) == 0
    assert model.score(X, y) == 0.5


def test_frame_without_columns_is_a_constant_model():
    X, y = cohort()
    with pytest.warns(NothingSelected, match="X has no column"):
        model = LassoCox(random_state=0).fit(X[[]], y)
    np.testing.assert_array_equal(model.predict(X), np.zeros(len(X)))
    with pytest.raises(ValueError, match="0 feature"):
        LassoCox().fit(np.empty((len(X), 0)), y)


def test_constant_columns_are_left_out_and_named():
    X, y = cohort(p=4)
    model = LassoCox(cv=5, random_state=0).fit(X.assign(flat=0.1), y)
    plain = LassoCox(cv=5, random_state=0).fit(X, y)
    assert model.dropped_.to_dict("list") == {
        "feature": ["flat"],
        "reason": ["constant"],
    }
    np.testing.assert_array_equal(model.coef_, [*plain.coef_, 0.0])


def test_columns_that_are_all_constant():
    X, y = cohort(p=2)
    with pytest.warns(NothingSelected):
        model = LassoCox(random_state=0).fit(X * 0 + 3.0, y)
    assert model.is_constant_
    assert len(model.dropped_) == 2


def test_survival_curves():
    X, y = cohort(n=200)
    model = LassoCox(random_state=0).fit(X, y)
    times = [0.0, 0.2, 0.5, 1.0, 50.0]
    curves = model.predict_survival_function(X, times)
    assert curves.shape == (200, 5)
    assert (curves[:, 0] == 1).all()
    assert (np.diff(curves, axis=1) <= 0).all()
    assert (curves >= 0).all()
    worse = np.argsort(model.predict(X))
    assert (np.diff(curves[worse, 2]) <= 1e-12).all()


def test_folds_by_number_labels_and_splitter_agree():
    X, y = cohort()
    splitter = EventStratifiedKFold(4, random_state=3)
    label = np.empty(len(X), dtype=int)
    for k, (_, test) in enumerate(splitter.split(X, y)):
        label[test] = k
    number = LassoCox(cv=4, random_state=3).fit(X, y)
    for cv in (splitter, label, pd.Series(label).astype(str)):
        np.testing.assert_allclose(LassoCox(cv=cv).fit(X, y).cvm_, number.cvm_)
    assert number.n_folds_ == 4


@pytest.mark.filterwarnings("ignore::sarcfeat.exceptions.NothingSelected")
def test_fewer_events_than_folds():
    X, y = cohort(n=40)
    y = make_y(np.arange(40) < 4, y["time"])
    with pytest.warns(FewEvents, match="10 folds were asked for and there are 4 event"):
        model = LassoCox(l1_ratio=0.5, random_state=0).fit(X, y)
    assert model.n_folds_ == 4


def test_folds_without_an_event_are_left_out():
    X, y = cohort(n=40)
    fold = np.repeat(np.arange(4), 10)
    y = make_y(y["event"] & (fold != 2), y["time"])
    with pytest.warns(FewEvents, match="1 of 4 folds have no event"):
        model = LassoCox(cv=fold).fit(X, y)
    assert model.n_folds_ == 3
    with pytest.raises(NoEvents, match="1 of 2 folds have an event on both sides"):
        LassoCox(cv=FirstOnly()).fit(X, y)


class FirstOnly:
    """A splitter whose second test set is a single censored patient."""

    def split(self, X, y, groups=None):
        rows = np.arange(len(y))
        censored = int(np.flatnonzero(~y["event"])[0])
        yield rows[20:], rows[:20]
        yield rows[rows != censored], np.array([censored])


@pytest.mark.parametrize("events", [0, 1])
def test_too_few_events(events):
    X, y = cohort(n=30)
    y = make_y(np.arange(30) < events, y["time"])
    with pytest.raises(NoEvents, match=f"y holds {events} events among 30 patients"):
        LassoCox().fit(X, y)


def test_text_columns_are_named():
    X, y = cohort()
    with pytest.raises(InvalidInput, match=r"works with numbers, and site hold text"):
        LassoCox().fit(X.assign(site="A"), y)


def test_parameters_are_checked():
    X, y = cohort()
    with pytest.raises(InvalidInput, match=r"pass lambdas=\[0\.1\], say"):
        LassoCox(cv=None).fit(X, y)
    with pytest.raises(InvalidInput, match=r"not negative; got \[-1\]"):
        LassoCox(lambdas=[-1]).fit(X, y)
    with pytest.raises(InvalidInput, match=r"one label a patient, shape \(80,\)"):
        LassoCox(cv=[0, 1, 0]).fit(X, y)
    with pytest.raises(InvalidInput, match="one label only"):
        LassoCox(cv=np.zeros(80)).fit(X, y)
    with pytest.raises(ValueError, match="'rule' parameter of LassoCox"):
        LassoCox(rule="best").fit(X, y)
    with pytest.raises(ValueError, match="'l1_ratio' parameter of LassoCox"):
        LassoCox(-0.1).fit(X, y)


def test_path_that_cannot_be_finished_ends_with_a_warning():
    X, y = cohort(n=40, p=100)
    with pytest.warns(NotConverged, match=r"path ended at lambda .* Raise max_iter"):
        model = LassoCox(cv=3, max_iter=3, random_state=0).fit(X, y)
    assert model.coef_path_.shape[1] == len(model.lambdas_) == len(model.cvm_) < 100


def test_callers_data_is_left_alone_and_clone_is_unfitted():
    X, y = cohort()
    values, target = X.copy(), y.copy()
    model = LassoCox(cv=3, random_state=0).fit(X, y)
    pd.testing.assert_frame_equal(X, values)
    np.testing.assert_array_equal(y, target)
    assert not hasattr(clone(model), "coef_")


def test_c_index_as_measure():
    X, y = cohort(n=120, effect=1.5)
    model = LassoCox(measure="c_index", cv=5, random_state=0).fit(X, y)
    assert model.lambda_min_ == model.lambdas_[np.argmax(model.cvm_)]
    assert 0.7 < model.cvm_.max() < 1
    assert model.lambda_1se_ >= model.lambda_min_


@pytest.mark.filterwarnings("ignore::sarcfeat.exceptions.NotConverged")
def test_coefficients_that_run_away_end_the_path():
    """A column that orders the deaths has no finite coefficient without penalty."""
    X, y = cohort(n=30, p=4)
    X["oracle"] = -np.log(y["time"])
    y = make_y(np.ones(30), y["time"])
    model = LassoCox(cv=3, lambdas=np.logspace(-1, -9, 30), random_state=0).fit(X, y)
    assert np.isfinite(model.coef_path_).all()
    assert np.isfinite(model.cvm_).all()
    worst = [
        violation(X, y, model.coef_path_[:, k], lam)
        for k, lam in enumerate(model.lambdas_)
        if lam > 1e-4
    ]
    assert max(worst) < 1e-6


def test_wide_data_give_the_same_bits_from_any_number_of_workers(monkeypatch):
    monkeypatch.setattr("sarcfeat.estimators._cox_path.SCREEN_ABOVE", 5)
    X, y = cohort(seed=2, n=60, p=12)
    one = LassoCox(cv=3, n_lambda=10, random_state=0).fit(X, y)
    two = LassoCox(cv=3, n_lambda=10, random_state=0, n_jobs=2).fit(X, y)
    np.testing.assert_array_equal(one.coef_path_, two.coef_path_)
    np.testing.assert_array_equal(one.cvm_, two.cvm_)


def test_weights_are_those_of_glmnet():
    # R: i<-0:59; x<-cbind(a=sin(i),b=cos(1.7*i),c=sin(0.3*i*i))
    # t<-((i*37)%%101)*exp(-1.2*sin(i))+1; e<-as.numeric(i%%3!=0)
    # cv.glmnet(x, Surv(t,e), family="cox", weights=1+i%%4, foldid=i%%5+1, thresh=1e-14)
    i = np.arange(60)
    X = pd.DataFrame({"a": np.sin(i), "b": np.cos(1.7 * i), "c": np.sin(0.3 * i * i)})
    y = make_y(i % 3 != 0, ((i * 37) % 101) * np.exp(-1.2 * np.sin(i)) + 1)
    model = LassoCox(cv=i % 5).fit(X, y, sample_weight=1 + i % 4)
    assert model.lambda_min_ == pytest.approx(0.103291694567, rel=1e-6)
    assert model.lambda_1se_ == pytest.approx(0.261882094701, rel=1e-6)
    np.testing.assert_allclose(
        model.coef_, [1.09411810933, 0.03870717066, 0], atol=1e-6
    )
    np.testing.assert_allclose(
        model.cvm_[[0, 4, 9]], [3.132171312, 3.042595002, 2.980938911], rtol=1e-6
    )
    assert model.nulldev_ == pytest.approx(613.587454724)


def test_a_weight_is_a_number_of_patients():
    X, y = cohort(n=60)
    weight = np.arange(60) % 3
    rows = np.repeat(np.arange(60), weight)
    one = LassoCox(cv=None, lambdas=[0.05])
    counted = clone(one).fit(X, y, sample_weight=weight)
    repeated = clone(one).fit(X.iloc[rows], y[rows])
    np.testing.assert_allclose(counted.coef_, repeated.coef_, atol=1e-10)
    np.testing.assert_allclose(
        counted.predict_survival_function(X[:3], [0.5, 1.0]),
        repeated.predict_survival_function(X[:3], [0.5, 1.0]),
        atol=1e-10,
    )
    with pytest.raises(InvalidInput, match="60 finite numbers that are not negative"):
        clone(one).fit(X, y, sample_weight=-weight)
    with pytest.raises(NoEvents, match="0 events"):
        clone(one).fit(X, y, sample_weight=~y["event"])
