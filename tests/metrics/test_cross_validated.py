import time as clock

import numpy as np
import pytest

from sarcfeat.exceptions import InvalidInput, NoComparablePairs
from sarcfeat.metrics import (
    concordance,
    cross_validated_concordance,
    paired_difference,
)
from sarcfeat.survival import count_pairs
from tests.survival.cohorts import cohort


def out_of_fold(n=60, repeats=3, folds=5, seed=0):
    X, event, time = cohort(n, 2, seed=seed, tied=True)
    rng = np.random.default_rng(seed)
    fold = np.array([rng.permutation(np.arange(n) % folds) for _ in range(repeats)])
    risk = X["clinical.x0"].to_numpy() + rng.normal(0, 0.5, (repeats, n))
    return event, time, risk, fold


def by_definition(event, time, risk, fold, rows):
    """Mean over repeats of the mean over folds, weighted by comparable pairs."""
    repeats = []
    for r in range(len(fold)):
        parts = []
        for k in np.unique(fold[r][fold[r] >= 0]):
            inside = rows[fold[r][rows] == k]  # a patient drawn twice is there twice
            parts.append(count_pairs(event[inside], time[inside], risk[r][inside]))
        pairs = np.array([p.comparable for p in parts])
        c = np.array([p.c_index for p in parts])
        repeats.append(np.average(c[pairs > 0], weights=pairs[pairs > 0]))
    return np.mean(repeats)


def test_point_and_every_resample_are_the_definition():
    event, time, risk, fold = out_of_fold()
    result = cross_validated_concordance(
        event, time, risk, fold, n_bootstrap=20, random_state=3
    )
    rows = np.arange(60)
    expected = by_definition(event, time, risk, fold, rows)
    assert result.c_index == pytest.approx(expected, rel=1e-12)
    drawn = np.random.default_rng(3).multinomial(60, np.full(60, 1 / 60), size=20)
    for value, weight in zip(result.bootstrap, drawn, strict=True):
        resample = np.repeat(rows, weight)
        expected = by_definition(event, time, risk, fold, resample)
        assert value == pytest.approx(expected, rel=1e-12)


def test_interval_holds_the_point_and_is_about_as_wide_as_the_jackknife():
    event, time, risk, fold = out_of_fold(200, folds=2)
    result = cross_validated_concordance(event, time, risk, fold, random_state=0)
    assert result.ci_low < result.c_index < result.ci_high
    one = concordance(event, time, risk[0])
    width = (result.ci_high - result.ci_low) / (one.ci_high - one.ci_low)
    assert 0.7 < width < 1.5


def test_same_seed_same_bits_and_the_global_generator_is_left_alone():
    event, time, risk, fold = out_of_fold()
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    one, two = (
        cross_validated_concordance(event, time, risk, fold, random_state=7)
        for _ in range(2)
    )
    np.testing.assert_array_equal(one.bootstrap, two.bootstrap)
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002


def test_risks_of_different_folds_are_never_compared():
    event, time, risk, fold = out_of_fold()
    moved = risk + 100 * fold  # every fold's model has its own origin
    one = cross_validated_concordance(event, time, risk, fold, random_state=0)
    two = cross_validated_concordance(event, time, moved, fold, random_state=0)
    np.testing.assert_array_equal(one.bootstrap, two.bootstrap)


def test_a_constant_model_is_chance_and_counted():
    event, time, risk, fold = out_of_fold()
    result = cross_validated_concordance(
        event, time, np.zeros_like(risk), fold, random_state=0
    )
    assert (result.c_index, result.ci_low, result.ci_high) == (0.5, 0.5, 0.5)
    assert result.n_constant_folds == 15


def test_a_fold_without_pairs_is_counted_and_left_out():
    event = np.array([1, 1, 1, 0, 0, 0], bool)
    time, risk = np.arange(1.0, 7), np.array([6.0, 5, 4, 3, 2, 1])
    fold = [0, 0, 0, 1, 1, 1]
    result = cross_validated_concordance(event, time, risk, fold, random_state=0)
    assert (result.c_index, result.n_empty_folds) == (1.0, 1)


def test_patients_never_predicted_play_no_part():
    event, time, risk, fold = out_of_fold()
    fold[:, :7] = -1
    risk[:, :7] = np.nan
    result = cross_validated_concordance(event, time, risk, fold, random_state=0)
    rest = cross_validated_concordance(
        event[7:], time[7:], risk[:, 7:], fold[:, 7:], random_state=0
    )
    assert result.c_index == rest.c_index
    np.testing.assert_array_equal(result.bootstrap, rest.bootstrap)


def test_no_pair_at_all_is_nan_with_a_warning():
    with pytest.warns(NoComparablePairs, match="No fold of the 4 patients"):
        result = cross_validated_concordance(
            [0, 0, 0, 0], [1, 2, 3, 4], [1.0, 2, 3, 4], [0, 0, 1, 1], random_state=0
        )
    assert np.isnan([result.c_index, result.ci_low, result.ci_high]).all()


def test_a_difference_is_paired():
    event, time, risk, fold = out_of_fold(150)
    noise = np.random.default_rng(1).normal(size=risk.shape)
    result = paired_difference(event, time, risk, noise, fold, random_state=0)
    singles = [
        cross_validated_concordance(event, time, r, fold, random_state=0)
        for r in (risk, noise)
    ]
    assert result.delta == pytest.approx(singles[0].c_index - singles[1].c_index)
    np.testing.assert_allclose(
        result.bootstrap, singles[0].bootstrap - singles[1].bootstrap, atol=1e-15
    )
    assert result.ci_low > 0
    assert result.p == pytest.approx(2 / 1001)
    back = paired_difference(event, time, noise, risk, fold, random_state=0)
    assert back.delta == -result.delta
    assert back.p == result.p


def test_a_model_does_not_differ_from_itself():
    event, time, risk, fold = out_of_fold()
    result = paired_difference(event, time, risk, risk * 2, fold, random_state=0)
    assert (result.delta, result.ci_low, result.ci_high, result.p) == (0, 0, 0, 1)


def test_p_values_are_uniform_enough_where_nothing_differs():
    small = 0
    for seed in range(60):
        event, time, _, fold = out_of_fold(60, repeats=1, seed=seed)
        a, b = np.random.default_rng(seed).normal(size=(2, 1, 60))
        result = paired_difference(
            event, time, a, b, fold, n_bootstrap=200, random_state=seed
        )
        small += result.p < 0.1
    assert 0 < small < 16  # 6 expected; 16 is four standard errors away


def test_a_thousand_resamples_take_well_under_a_second():
    event, time, risk, fold = out_of_fold(120)
    start = clock.perf_counter()
    cross_validated_concordance(event, time, risk, fold, random_state=0)
    assert clock.perf_counter() - start < 1


def test_shapes_and_nan_are_refused():
    with pytest.raises(
        InvalidInput, match=r"risk has shape \(1, 2\) and fold \(1, 3\)"
    ):
        cross_validated_concordance([1, 1, 0], [1, 2, 3], [1.0, 2], [0, 0, 0])
    with pytest.raises(InvalidInput, match="first: repeat 0, fold 0, patient in row 1"):
        cross_validated_concordance([1, 1, 0], [1, 2, 3], [1.0, np.nan, 2], [0, 0, 0])
