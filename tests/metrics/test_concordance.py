import numpy as np
import pytest
from sksurv.metrics import concordance_index_censored

from sarcfeat.exceptions import InvalidInput, NoComparablePairs
from sarcfeat.metrics import concordance
from tests.survival.cohorts import cohort


def test_c_is_that_of_scikit_survival():
    X, event, time = cohort(80, 1, tied=True)
    risk = X["clinical.x0"].round(1)
    result = concordance(event, time, risk)
    theirs = concordance_index_censored(event, time, risk, tied_tol=0)
    assert result.c_index == pytest.approx(theirs[0], rel=1e-13)
    assert result.n_comparable == sum(theirs[1:4])
    assert result.ci_low < result.c_index < result.ci_high


def test_influence_is_the_derivative_by_the_weights():
    X, event, time = cohort(30, 1, tied=True)
    risk, step = X["clinical.x0"].to_numpy(), 1e-6
    result = concordance(event, time, risk)
    for i in (0, 7, 29):
        weight = np.ones(30)
        weight[i] += step
        moved = concordance(event, time, risk, sample_weight=weight).c_index
        slope = (moved - result.c_index) / step
        assert result.influence[i] == pytest.approx(slope, abs=1e-5)
    assert result.se == pytest.approx(np.sqrt((result.influence**2).sum()))


def test_weight_two_is_the_patient_twice():
    X, event, time = cohort(30, 1, seed=1)
    risk = X["clinical.x0"].to_numpy()
    twice = np.r_[np.arange(30), 4]
    weight = np.ones(30)
    weight[4] = 2
    assert concordance(
        event, time, risk, sample_weight=weight
    ).c_index == pytest.approx(
        concordance(event[twice], time[twice], risk[twice]).c_index
    )


def test_strata_are_not_compared():
    X, event, time = cohort(40, 1)
    risk = X["clinical.x0"].to_numpy()
    half = np.arange(40) < 20
    parts = [concordance(event[h], time[h], risk[h]) for h in (half, ~half)]
    both = concordance(event, time, risk, strata=half)
    pooled = sum(p.c_index * p.n_comparable for p in parts)
    assert both.c_index == pytest.approx(pooled / both.n_comparable)


def test_until_leaves_out_later_events():
    result = concordance([1, 1, 1], [1.0, 2.0, 3.0], [3, 1, 2], until=1)
    assert result.n_comparable == 2
    assert result.c_index == 1


def test_a_constant_risk_is_chance():
    result = concordance([1, 1, 0], [1.0, 2.0, 3.0], [0, 0, 0])
    assert (result.c_index, result.se) == (0.5, 0)


def test_no_pair_is_nan_with_a_warning():
    with pytest.warns(NoComparablePairs, match="No pair of the 2 patients"):
        result = concordance([0, 0], [1.0, 2.0], [1, 2])
    assert np.isnan(result.c_index)
    assert result.n_comparable == 0


def test_lengths_that_differ_are_refused():
    with pytest.raises(InvalidInput, match="got 3 risks"):
        concordance([1, 1], [1.0, 2.0], [1, 2, 3])


@pytest.mark.parametrize(
    ("time_weight", "expected"),
    [
        ("S", [0.764822997, 0.079225853, 0.689189189, 0.179473340]),
        ("S/G", [0.759867906, 0.089108333, 0.639275766, 0.209443282]),
        ("n/G2", [0.759867906, 0.089108333, 0.639275766, 0.209443282]),
    ],
)
def test_weights_of_time_are_of_the_weighted_stratum_as_in_r(time_weight, expected):
    # concordance(Surv(time, event) ~ m [+ strata(s)], d, weights = w, reverse = TRUE,
    # timewt = ...): c and its error, without and with strata; survival 3.5.
    time = [1, 2, 2, 3, 4, 4, 5, 6, 6, 7, 8, 9]
    event = [1, 1, 0, 1, 0, 1, 1, 1, 0, 0, 1, 1]
    marker = [5, 3, 4, 4, 2, 5, 1, 2, 3, 1, 2, 0]
    weight = [1, 2, 0.5, 1, 1.5, 1, 3, 1, 0.5, 2, 1, 1]
    given = {"sample_weight": weight, "time_weight": time_weight}
    one = concordance(event, time, marker, **given)
    within = concordance(event, time, marker, strata=[1, 2] * 6, **given)
    found = [one.c_index, one.se, within.c_index, within.se]
    assert found == pytest.approx(expected, rel=1e-7)
