import numpy as np
import pandas as pd
import pingouin
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sarcfeat.exceptions import InvalidInput, UnknownName
from sarcfeat.metrics.icc import FORMS, icc

# Shrout and Fleiss 1979, table 2: six targets, four judges.
SHROUT_FLEISS = np.array(
    [
        [9, 2, 5, 8],
        [6, 1, 3, 2],
        [8, 4, 6, 8],
        [7, 1, 2, 6],
        [10, 5, 6, 9],
        [6, 2, 4, 7],
    ]
)


@pytest.fixture
def readings():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(30, 1, 8))
    return truth + rng.normal(scale=np.linspace(0.1, 2, 8), size=(30, 3, 8))


@pytest.mark.parametrize(
    ("form", "printed"),
    [
        ("ICC(1,1)", 0.17),
        ("ICC(A,1)", 0.29),
        ("ICC(C,1)", 0.71),
        ("ICC(1,k)", 0.44),
        ("ICC(A,k)", 0.62),
        ("ICC(C,k)", 0.91),
    ],
)
def test_equals_the_table_of_shrout_and_fleiss(form, printed):
    assert icc(SHROUT_FLEISS, form=form).value == pytest.approx(printed, abs=0.005)


@pytest.mark.filterwarnings("ignore:The inplace keyword")
def test_equals_pingouin(readings):
    long = pd.DataFrame(
        [(i, j, readings[i, j, 2]) for i in range(30) for j in range(3)],
        columns=["patient", "reader", "value"],
    )
    table = pingouin.intraclass_corr(long, "patient", "reader", "value")
    theirs = table.set_index("Type")
    for form in FORMS:
        ours = icc(readings[:, :, 2], form=form)
        row = theirs.loc[form]
        assert ours.value == pytest.approx(row["ICC"], rel=1e-10)
        assert ours.f == pytest.approx(row["F"], rel=1e-10)
        assert (ours.df1, ours.df2) == (row["df1"], row["df2"])
        assert ours.p == pytest.approx(row["pval"], rel=1e-6)
        # pingouin rounds its interval to two decimals
        assert [ours.lower, ours.upper] == pytest.approx(list(row["CI95"]), abs=0.0051)


@pytest.mark.parametrize("form", FORMS)
def test_features_together_equal_features_one_by_one(readings, form):
    together = icc(readings, form=form)
    for j in range(readings.shape[2]):
        alone = icc(readings[:, :, j], form=form)
        assert together.value[j] == pytest.approx(alone.value, rel=1e-12)
        assert together.lower[j] == pytest.approx(alone.lower, rel=1e-12)
        assert together.upper[j] == pytest.approx(alone.upper, rel=1e-12)
        assert together.p[j] == pytest.approx(alone.p, rel=1e-12)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("k", [2, 3, 5])
def test_identical_readings_agree_perfectly(readings, form, k):
    found = icc(np.repeat(readings[:, :1], k, axis=1) + 0.1, form=form)
    for field in (found.value, found.lower, found.upper):
        assert (field == 1).all()
    assert (found.p == 0).all()


def test_a_constant_offset_costs_agreement_and_not_consistency(readings):
    shifted = np.stack([readings[:, 0], readings[:, 0] + 9], axis=1)
    np.testing.assert_allclose(icc(shifted, form="ICC(C,1)").value, 1, rtol=1e-12)
    assert (icc(shifted, form="ICC(A,1)").value < 0.5).all()


@pytest.mark.parametrize("form", FORMS)
def test_fault_084_zero_variance_is_nan(form):
    found = icc(np.full((10, 2, 1), 0.1), form=form)
    assert np.isnan([found.value[0], found.lower[0], found.upper[0]]).all()


def test_fault_084_negative_is_not_clipped():
    values = np.array([[1.0, 3.0], [2.0, 2.0], [3.0, 1.0], [1.5, 2.4]])
    assert icc(values, form="ICC(A,1)").value < -0.5


def test_fault_084_a_missing_reading_leaves_out_its_patient_for_that_feature(readings):
    holed = readings.copy()
    holed[4, 1, 0] = np.nan
    holed[[7, 9], 2, 3] = np.nan, np.inf
    found = icc(holed)
    assert found.n.tolist() == [29, 30, 30, 28, 30, 30, 30, 30]
    whole = icc(np.delete(readings[:, :, 3], [7, 9], axis=0))
    assert found.value[3] == pytest.approx(whole.value, rel=1e-12)
    assert found.upper[3] == pytest.approx(whole.upper, rel=1e-12)


def test_no_complete_patient_is_nan_and_n_is_0(readings):
    readings[:, 0, 0] = np.nan
    found = icc(readings)
    assert found.n[0] == 0
    assert np.isnan(found.value[0])
    assert np.isfinite(found.value[1:]).all()


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    scale=st.floats(1e-3, 1e3),
    shift=st.floats(-1e3, 1e3),
    form=st.sampled_from(FORMS),
)
def test_unit_of_measurement_and_order_of_patients_do_not_matter(
    seed, scale, shift, form
):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(12, 1)) + rng.normal(size=(12, 3))
    before = icc(values, form=form)
    after = icc(rng.permutation(scale * values + shift), form=form)
    assert after.value == pytest.approx(before.value, rel=1e-6, abs=1e-6)
    assert after.lower <= after.value + 1e-9
    assert after.value <= after.upper + 1e-9
    assert after.upper <= 1 + 1e-12


def test_wider_interval_at_a_higher_level(readings):
    narrow, wide = icc(readings, level=0.9), icc(readings, level=0.99)
    assert (wide.lower < narrow.lower).all()
    assert (wide.upper > narrow.upper).all()


def test_argument_errors(readings):
    with pytest.raises(UnknownName, match=r"No form of ICC 'ICC\(2,1\)'"):
        icc(readings, form="ICC(2,1)")
    with pytest.raises(InvalidInput, match=r"got shape \(30, 1\)"):
        icc(readings[:, :1, 0])
    with pytest.raises(InvalidInput, match="level must lie between 0 and 1"):
        icc(readings, level=95)


def test_does_not_write_into_the_readings(readings):
    readings.setflags(write=False)
    icc(readings)
