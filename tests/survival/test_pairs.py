import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sksurv.metrics import concordance_index_censored

from sarcfeat.exceptions import InvalidInput
from sarcfeat.survival import count_pairs, pairs_of_each

patients = st.lists(
    st.tuples(st.booleans(), st.integers(1, 6), st.integers(-3, 3), st.integers(0, 3)),
    min_size=0,
    max_size=25,
)


def columns(rows):
    event, time, risk, weight = (np.array(c) for c in zip(*rows, strict=True))
    return event.astype(bool), time.astype(float), risk.astype(float), weight * 1.0


def one_by_one(event, time, risk, weight, factor):
    """The definition, pair by pair."""
    found = np.zeros(5)
    for i in np.flatnonzero(event):
        for j in range(len(event)):
            w = weight[i] * weight[j] * factor[i]
            later = time[j] > time[i] or (time[j] == time[i] and not event[j])
            if later:
                found[1 - int(np.sign(risk[i] - risk[j]))] += w
            elif i < j and event[j] and time[i] == time[j]:
                found[4 if risk[i] == risk[j] else 3] += w
    concordant, tied, discordant, tied_time, tied_both = found
    return [concordant, discordant, tied, tied_time, tied_both]


def as_list(pairs):
    return [
        pairs.concordant,
        pairs.discordant,
        pairs.tied_risk,
        pairs.tied_time,
        pairs.tied_both,
    ]


@given(patients.filter(len))
@settings(max_examples=150, deadline=None)
def test_counts_are_those_of_the_definition(rows):
    event, time, risk, weight = columns(rows)
    ones = np.ones(len(event))
    expected = one_by_one(event, time, risk, ones, ones)
    assert as_list(count_pairs(event, time, risk)) == expected
    expected = one_by_one(event, time, risk, weight, time)
    got = as_list(count_pairs(event, time, risk, weight, event_weight=time))
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)


@given(patients.filter(len))
@settings(max_examples=60, deadline=None)
def test_only_the_order_of_the_risks_counts(rows):
    event, time, risk, _ = columns(rows)
    counted = count_pairs(event, time, risk)
    assert count_pairs(event, time, np.exp(risk) + 7) == counted
    turned = count_pairs(event, time, -risk)
    assert turned.concordant == counted.discordant
    assert turned.tied_risk == counted.tied_risk


def test_c_is_that_of_scikit_survival():
    rng = np.random.default_rng(3)
    for n in (7, 50, 400):
        event, time = rng.random(n) < 0.6, rng.integers(1, n, n) * 1.0
        risk = rng.normal(size=n).round(1)
        ours, theirs = (
            count_pairs(event, time, risk),
            concordance_index_censored(event, time, risk, tied_tol=0),
        )
        assert ours.c_index == pytest.approx(theirs[0], rel=1e-13)
        assert (ours.concordant, ours.discordant, ours.tied_risk) == theirs[1:4]


def test_pairs_of_each_add_up_to_twice_the_pairs():
    event, time = [True, True, False, True], [1.0, 2.0, 2.0, 3.0]
    risk = [0.3, 0.3, 0.9, 0.1]
    concordant, discordant, tied = pairs_of_each(event, time, risk)
    pairs = count_pairs(event, time, risk)
    assert concordant.sum() == 2 * pairs.concordant
    assert discordant.sum() == 2 * pairs.discordant
    assert tied.sum() == 2 * pairs.tied_risk


@pytest.mark.parametrize(
    ("event", "time"), [([], []), ([False, False], [1, 2]), ([True, True], [3, 3])]
)
def test_no_comparable_pair_is_nan(event, time):
    pairs = count_pairs(event, time, np.zeros(len(event)))
    assert pairs.comparable == 0
    assert np.isnan(pairs.c_index)


def test_bad_input_is_named():
    with pytest.raises(InvalidInput, match="1 of 2 risks are NaN"):
        count_pairs([True, True], [1, 2], [np.nan, 1])
    with pytest.raises(InvalidInput, match=r"one length.*\(3,\)"):
        count_pairs([True, True], [1, 2], [1, 2, 3])
    with pytest.raises(InvalidInput, match="sample_weight must be finite"):
        count_pairs([True, True], [1, 2], [1, 2], [1, -1])
