import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import cross_val_score

from sarcfeat import CoxPH, make_y
from sarcfeat.exceptions import InvalidInput, NoEvents
from sarcfeat.splits import (
    EventStratifiedKFold,
    RepeatedEventStratifiedKFold,
    nested,
)
from tests.survival.cohorts import cohort


def target(event):
    return make_y(event, np.arange(1.0, len(event) + 1))


@given(
    st.lists(st.booleans(), min_size=12, max_size=60).filter(lambda e: sum(e) >= 4),
    st.integers(2, 4),
    st.integers(0, 5),
)
@settings(max_examples=80, deadline=None)
def test_events_and_patients_are_spread_evenly(event, k, seed):
    y, X = target(event), np.zeros((len(event), 1))
    folds = list(EventStratifiedKFold(k, random_state=seed).split(X, y))
    tests = [test for _, test in folds]
    assert sorted(np.concatenate(tests)) == list(range(len(event)))
    events = [int(y["event"][test].sum()) for test in tests]
    sizes = [len(test) for test in tests]
    assert max(events) - min(events) <= 1
    assert max(sizes) - min(sizes) <= 1
    for train, test in folds:
        assert not set(train) & set(test)


def test_rows_of_a_patient_stay_together():
    rng = np.random.default_rng(0)
    patient = np.repeat([f"STS_{i:03d}" for i in range(20)], 3)
    y = target(np.repeat(rng.random(20) < 0.5, 3))
    splitter = EventStratifiedKFold(4, random_state=0)
    for train, test in splitter.split(np.zeros((60, 1)), y, groups=patient):
        assert not set(patient[train]) & set(patient[test])
        assert y["event"][test].any()


def test_a_seed_decides_everything():
    y, X = target([True, False] * 20), np.zeros((40, 1))

    def tests(seed, shuffle=True):
        splitter = EventStratifiedKFold(4, shuffle=shuffle, random_state=seed)
        return [test.tolist() for _, test in splitter.split(X, y)]

    assert tests(1) == tests(1)
    assert tests(1) != tests(2)
    assert tests(1, shuffle=False) == tests(2, shuffle=False)


def test_repeats_differ_and_are_reproducible():
    y, X = target([True, False] * 20), np.zeros((40, 1))
    splitter = RepeatedEventStratifiedKFold(4, n_repeats=3, random_state=5)
    tests = [test.tolist() for _, test in splitter.split(X, y)]
    assert len(tests) == splitter.get_n_splits() == 12
    assert tests == [test.tolist() for _, test in splitter.split(X, y)]
    assert tests[:4] != tests[4:8]
    for repeat in range(3):
        rows = np.concatenate(tests[4 * repeat : 4 * repeat + 4])
        assert sorted(rows) == list(range(40))


def test_fewer_events_than_folds_is_refused_with_the_fold():
    y = target([True, True, False, False, False, False])
    with pytest.raises(
        NoEvents, match=r"5 folds need 5 events and there are 2.*fold 3"
    ):
        list(EventStratifiedKFold(5).split(np.zeros((6, 1)), y))
    patient = ["a", "a", "b", "b", "c", "c"]
    with pytest.raises(NoEvents, match=r"patients \(groups\) with an event"):
        list(EventStratifiedKFold(2).split(np.zeros((6, 1)), y, patient))


def test_bad_parameters_are_refused():
    y, X = target([True, False]), np.zeros((2, 1))
    with pytest.raises(InvalidInput, match="n_splits must be 2 or more; got 1"):
        list(EventStratifiedKFold(1).split(X, y))
    with pytest.raises(InvalidInput, match="y is needed"):
        list(EventStratifiedKFold(2).split(X))
    with pytest.raises(InvalidInput, match="n_repeats must be 1 or more; got 0"):
        list(RepeatedEventStratifiedKFold(2, 0).split(X, y))
    with pytest.raises(InvalidInput, match="expected 2 patients"):
        list(EventStratifiedKFold(2).split(X, y, ["a"]))


def test_scikit_learn_takes_the_splitters():
    X, event, time = cohort(60, 2)
    y = make_y(event, time)
    scores = cross_val_score(
        CoxPH(), X, y, cv=RepeatedEventStratifiedKFold(4, 2, random_state=0)
    )
    assert scores.shape == (8,)
    assert scores.mean() > 0.6
    assert repr(EventStratifiedKFold(3, random_state=1)) == (
        "EventStratifiedKFold(n_splits=3, random_state=1, shuffle=True)"
    )


def test_nested_folds_have_inner_splitters_of_their_own():
    X, event, time = cohort(60, 2)
    y = make_y(event, time)
    splits = list(nested(X, y, outer=4, inner=3, n_repeats=2, random_state=0))
    assert [(s.repeat, s.fold) for s in splits] == [
        (r, f) for r in (0, 1) for f in range(4)
    ]
    assert len({s.inner.random_state for s in splits}) == 8
    for split in splits:
        rows = split.train
        for _, test in split.inner.split(X.iloc[rows], y[rows]):
            assert y["event"][rows[test]].any()
    again = list(nested(X, y, outer=4, inner=3, n_repeats=2, random_state=0))
    assert all((a.test == b.test).all() for a, b in zip(splits, again, strict=True))
    assert [s.inner.random_state for s in again] == [
        s.inner.random_state for s in splits
    ]


def test_nested_names_the_fold_with_too_few_events():
    y = target([True, True, True, False, False, False])
    with pytest.raises(NoEvents, match="repeat 0, fold 0 has 2 events; 3 inner folds"):
        list(nested(pd.DataFrame(index=range(6)), y, outer=3, inner=3, random_state=0))
