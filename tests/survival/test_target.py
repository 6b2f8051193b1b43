import numpy as np
import pandas as pd
import pytest
from sksurv.util import Surv

from sarcfeat import check_y, make_y
from sarcfeat.exceptions import InvalidInput, NoComparablePairs, NoEvents
from sarcfeat.survival import SurvivalMixin, make_causes


class Risk(SurvivalMixin):
    def predict(self, X):
        return np.asarray(X)[:, 0]


def test_make_y_builds_the_layout_of_scikit_survival():
    y = make_y(pd.Series([1, 0]), pd.Series([3, 4]))
    theirs = Surv.from_arrays([1, 0], [3.0, 4.0])
    assert y.dtype == theirs.dtype
    np.testing.assert_array_equal(y, theirs)


def test_caller_keeps_its_arrays():
    event = np.array([True, False])
    y = make_y(event, [1, 2])
    y["event"][:] = False
    assert event[0]


@pytest.mark.parametrize(
    "event", [[1, 2], ["yes", "no"], [1, np.nan], ["dead", "alive"]]
)
def test_event_codes_are_not_guessed(event):
    with pytest.raises(InvalidInput, match="not guessed"):
        make_y(event, [1, 2])


def test_patients_with_bad_times_are_named():
    event = [1, 1, 0]
    with pytest.raises(InvalidInput, match="1 times are missing or infinite: STS_002"):
        make_y(
            event, pd.Series([1, np.nan, 3], index=["STS_001", "STS_002", "STS_003"])
        )
    with pytest.raises(InvalidInput, match=r"1 times are negative: row 2 .*-3"):
        make_y(event, [1, 2, -3])
    with pytest.raises(InvalidInput, match="times are 0: row 0"):
        make_y(event, [0, 2, 3])
    assert make_y(event, [0, 2, 3], zero="keep")["time"][0] == 0
    with pytest.raises(InvalidInput, match=r"\(2,\) and time \(3,\)"):
        make_y([1, 0], [1, 2, 3])


def test_check_y_takes_what_scikit_survival_makes():
    event, time = check_y(Surv.from_arrays([1, 0], [3.0, 4.0], "cens", "t"), n=2)
    assert event.tolist() == [True, False]
    assert time.tolist() == [3.0, 4.0]
    event, _ = check_y(pd.DataFrame({"event": [1, 0], "time": [1, 2]}))
    assert event.tolist() == [True, False]


def test_check_y_refuses():
    with pytest.raises(InvalidInput, match="structured array"):
        check_y(np.array([1.0, 2.0]))
    with pytest.raises(InvalidInput, match="X has 3 rows and y has 2"):
        check_y(make_y([1, 0], [1, 2]), n=3)
    with pytest.raises(NoEvents, match="0 events among 2 patients"):
        check_y(make_y([0, 0], [1, 2]), min_events=1)


def test_score_is_c_and_takes_weights():
    X, y = np.array([[3.0], [1.0], [2.0]]), make_y([1, 1, 0], [1, 2, 3])
    assert Risk().score(X, y) == pytest.approx(2 / 3)
    # Without the third patient one concordant pair is left.
    assert Risk().score(X, y, sample_weight=[1, 1, 0]) == 1.0


def test_score_without_pairs_is_nan_and_says_so():
    with pytest.warns(NoComparablePairs, match="No pair of the 2 patients"):
        assert np.isnan(Risk().score(np.zeros((2, 1)), make_y([0, 0], [1, 2])))


def test_times_are_plain_numbers():
    with pytest.raises(InvalidInput, match=r"dtype timedelta64.*\.dt\.days"):
        make_y([1, 0], pd.Series(pd.to_timedelta([3, 5], unit="D")))
    with pytest.raises(InvalidInput, match="no numbers: row 1"):
        make_y([1, 0], ["3", "unknown"])


@pytest.mark.parametrize("build", [make_y, make_causes])
def test_two_columns_of_patients_in_another_order_are_refused(build):
    event = pd.Series([1, 0], index=["P1", "P2"])
    time = pd.Series([5.0, 9.0], index=["P2", "P1"])
    with pytest.raises(InvalidInput, match="row 0 is 'P1' of one and 'P2'"):
        build(event, time)
    assert build(event, time.to_numpy())["time"].tolist() == [5.0, 9.0]
