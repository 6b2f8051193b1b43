import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score

from sarcfeat.exceptions import InvalidInput, NothingSelected, UnknownName
from sarcfeat.store import Readings
from sarcfeat.transform import KappaFilter
from tests.transform.test_icc_filter import table

NAMES = ["mri.necrosis", "mri.contour", "mri.grade"]


@pytest.fixture
def values():
    """Two readers of 40 patients: nearly alike, at random, and near misses."""
    rng = np.random.default_rng(0)
    necrosis = rng.choice(["yes", "no"], size=40)
    again = necrosis.copy()
    again[:3] = np.where(again[:3] == "yes", "no", "yes")
    grade = rng.integers(1, 4, size=40)
    near = np.clip(grade + (rng.random(40) < 0.4), 1, 3)
    first = [necrosis, rng.choice(["smooth", "lobulated"], 40), grade]
    second = [again, rng.choice(["smooth", "lobulated"], 40), near]
    found = np.empty((40, 2, 3), dtype=object)
    for j, (a, b) in enumerate(zip(first, second, strict=True)):
        found[:, 0, j], found[:, 1, j] = a, b
    return found


def readings(values, readers=("A", "B")):
    return Readings.from_frame(table(values, readers, names=NAMES))


@pytest.fixture
def X(values):
    index = [f"p{i:02d}" for i in range(40)]
    return pd.DataFrame(values[:, 0], columns=NAMES, index=index).assign(site="Lyon")


def test_keeps_what_readers_agree_on(values, X):
    kept = KappaFilter(readings(values), threshold=0.7).fit(X)
    assert list(kept.transform(X)) == ["mri.necrosis", "site"]
    pd.testing.assert_frame_equal(kept.transform(X), X[["mri.necrosis", "site"]])
    theirs = [
        cohen_kappa_score(values[:, 0, j].astype(str), values[:, 1, j].astype(str))
        for j in range(3)
    ]
    np.testing.assert_allclose(kept.report_["kappa"], theirs, rtol=1e-12)
    assert kept.report_["n_patients"].tolist() == [40, 40, 40]
    assert kept.dropped_["reason"].str.match(r"kappa -?0\.\d+ < 0.7").all()


def test_near_misses_get_credit_where_asked_for(values, X):
    plain = KappaFilter(readings(values), threshold=-1).fit(X).report_
    weighted = KappaFilter(readings(values), threshold=-1, weights="quadratic")
    report = weighted.fit(X).report_
    assert report["kappa"][2] > plain["kappa"][2] + 0.1
    theirs = cohen_kappa_score(
        values[:, 0, 2].astype(int), values[:, 1, 2].astype(int), weights="quadratic"
    )
    assert report["kappa"][2] == pytest.approx(theirs)
    lower = KappaFilter(readings(values), threshold=0.8, bound="lower")
    with pytest.warns(NothingSelected, match="has kappa of at least 0.8"):
        assert lower.fit(X).transform(X).columns.tolist() == ["site"]


def test_learns_from_the_patients_of_X_only(values, X):
    poisoned = values.copy()
    poisoned[20:] = "other"
    clean = KappaFilter(readings(values), threshold=-1).fit(X.iloc[:20])
    again = KappaFilter(readings(poisoned), threshold=-1).fit(X.iloc[:20])
    pd.testing.assert_frame_equal(clean.report_, again.report_, check_exact=True)


def test_fault_084_missing_and_constant_categories(values, X):
    values[:4, 1, 0] = None
    values[:, :, 1] = "smooth"
    report = KappaFilter(readings(values)).fit(X).report_
    assert report["n_patients"].tolist() == [36, 40, 40]
    assert np.isnan(report["kappa"][1])
    assert report["reason"][1] == "kappa cannot be computed: no variance"


def test_fault_085_a_category_first_seen_later_passes(values, X):
    kept = KappaFilter(readings(values), threshold=0.7).fit(X)
    later = X.iloc[:2].assign(**{"mri.necrosis": ["partly", "yes"]})
    assert kept.transform(later)["mri.necrosis"].tolist() == ["partly", "yes"]


def test_two_readings_are_chosen_among_three(values, X):
    three = np.concatenate([values, values[:, :1]], axis=1)
    with pytest.raises(InvalidInput, match=r"there are 3 .*Choose two by readers="):
        KappaFilter(readings(three, "ABC")).fit(X)
    same = KappaFilter(readings(three, "ABC"), readers=["A", "C"])
    with pytest.warns(UserWarning, match="every kappa is 1"):
        assert (same.fit(X).report_["kappa"] == 1).all()
    with pytest.raises(UnknownName, match="'D'"):
        KappaFilter(readings(three, "ABC"), readers=["A", "D"]).fit(X)
