import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import KFold, cross_val_score

from sarcfeat.estimators import CoxPH
from sarcfeat.estimators.fine_gray import FineGray
from sarcfeat.exceptions import (
    InvalidInput,
    NoEvents,
    NothingSelected,
    SarcfeatWarning,
)
from sarcfeat.survival import fit_fine_gray, make_causes, make_y
from tests.survival.test_competing import competing


def data(n=150, seed=0):
    X, status, time = competing(n, seed=seed, tied=True)
    X = pd.DataFrame(X, columns=["clinical.age", "clinical.size", "clinical.depth"])
    return X, make_causes(status, time)


def test_it_is_the_kernel_and_predicts_its_incidence():
    X, y = data()
    model, fit = FineGray().fit(X, y), fit_fine_gray(X, y["event"], y["time"])
    np.testing.assert_allclose(model.coef_, fit.coef, rtol=1e-9)
    np.testing.assert_allclose(model.se_, fit.se, rtol=1e-9)
    times = [2.0, 6.0, 11.0]
    np.testing.assert_allclose(
        model.predict_cumulative_incidence(X, times),
        fit.incidence(X.to_numpy(), times),
        rtol=1e-8,
    )
    assert model.n_events_ + model.n_competing_ == (y["event"] > 0).sum()
    assert model.events_per_variable_ == model.n_events_ / 3


def test_higher_predictions_are_a_higher_incidence_and_a_better_score():
    X, y = data(300)
    model = FineGray().fit(X, y)
    risk, incidence = model.predict(X), model.predict_cumulative_incidence(X, [8.0])
    assert (np.argsort(risk) == np.argsort(incidence[:, 0])).all()
    assert model.score(X, y) > 0.6
    scores = cross_val_score(FineGray(), X, y, cv=KFold(3), error_score="raise")
    assert (scores > 0.5).all()


def test_without_other_causes_it_is_breslows_cox():
    X, y = data()
    plain = make_y(y["event"] > 0, y["time"])
    model, cox = FineGray().fit(X, plain), CoxPH(ties="breslow").fit(X, plain)
    np.testing.assert_allclose(model.coef_, cox.coef_, rtol=1e-7)
    assert model.score(X, plain) == pytest.approx(cox.score(X, plain))
    np.testing.assert_allclose(
        model.predict_survival_function(X, [5.0]),
        cox.predict_survival_function(X, [5.0]),
        rtol=1e-6,
    )


def test_the_other_cause_is_another_model():
    X, y = data(300)
    one, two = FineGray(1).fit(X, y), FineGray(2).fit(X, y)
    assert one.n_events_ == two.n_competing_
    assert np.sign(one.coef_[0]) != np.sign(two.coef_[0])


def test_columns_that_say_nothing_new_get_no_coefficient():
    X, y = data()
    more = X.assign(flat=1.0, twice=2 * X["clinical.age"] + 3)
    with pytest.warns(SarcfeatWarning, match="flat, twice: constant, or given by"):
        model = FineGray().fit(more, y)
    np.testing.assert_allclose(model.coef_[:3], FineGray().fit(X, y).coef_, rtol=1e-7)
    assert model.coef_[3:].tolist() == [0, 0]
    with pytest.warns(NothingSelected, match="no column that varies"):
        empty = FineGray().fit(X[[]], y)
    assert np.ptp(empty.predict(X)) == 0


def test_fault_074_a_cause_must_occur_and_y_must_hold_causes():
    X, y = data()
    with pytest.raises(NoEvents, match=r"cause 5; the causes that occur are \[1, 2\]"):
        FineGray(5).fit(X, y)
    with pytest.raises(
        InvalidInput, match=r"as sarcfeat\.survival\.make_causes builds"
    ):
        FineGray().fit(X, np.arange(len(X)))
    with pytest.raises(InvalidInput, match="X has 10 rows and y has 150"):
        FineGray().fit(X[:10], y)
    with pytest.raises(InvalidInput, match="competing risks choose one cause"):
        CoxPH().fit(X, y)
