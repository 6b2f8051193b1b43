"""Whatever numbers and names go in come out: every bit, every letter."""

from itertools import count

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sarcfeat import FeatureStore
from tests.store.fakes import OddEncoder, add_files, write_patient

QUICK = settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
NUMBER = count()
# Quiet and signalling NaN with payloads, infinities, zeros, denormals, the extremes.
PATTERNS = (
    *(0x7FF8000000000000, 0x7FF8DEADBEEF0001, 0xFFF8000000000123, 0x7FF0000000000001),
    *(0x7FF0000000000000, 0xFFF0000000000000, 0x8000000000000000, 0x0000000000000000),
    *(0x0000000000000001, 0x800FFFFFFFFFFFFF, 0x7FEFFFFFFFFFFFFF, 0x3FF0000000000001),
)
HOSTILE = (
    "'); DROP TABLE unit; --",
    'f" int; drop table pat; --',
    "nul\x00inside",
    "\x00",
    *("Mean", "mean", "MEAN"),
    "\u202egnp.exe",
    *("שלום", "مرحبا"),
    *("😀", "👩🏽‍⚕️"),
    *(" ", "\n", "\t", "%s", "{0}", "$1", "?", "\\", "a.b", "a/complete=b", "a+b"),
    "e\u0301",
    "é",
    "x" * 10_000,
)


@pytest.fixture
def one(tmp_path):
    """A store of a single patient."""
    write_patient(tmp_path, "P001")
    with FeatureStore(tmp_path / "study") as store:
        store.add_patients(pd.DataFrame({"site": "x"}, index=["P001"]))
        add_files(store, tmp_path)
        yield store


def bits_of(words):
    return np.array(words, dtype=np.uint64).view(np.float64)


def assert_same_bits(store, name, values):
    row = store.matrix(None, features=f"{name}.t1").X.iloc[0, 1:]
    assert row.to_numpy(dtype="<f8").tobytes() == values.tobytes()
    loaded = store.readings(f"{name}.t1").load().iloc[0].to_numpy(dtype="<f8")
    assert loaded.tobytes() == values.tobytes()


def test_fault_055_nan_payloads_infinities_and_zeros_of_an_encoder(one):
    values = bits_of(PATTERNS)
    names = tuple(f"f{i}" for i in range(len(values)))
    one.encode(OddEncoder(names=names, values=values))
    assert_same_bits(one, "fake", values)
    assert one.verify().ok


@QUICK
@given(st.lists(st.integers(0, 2**64 - 1) | st.sampled_from(PATTERNS), min_size=1))
def test_any_64_bits_of_a_table(one, words):
    values = bits_of(words)
    if np.isnan(values).all():  # a row without numbers is a failure, and said
        values = np.append(values, 1.0)
    frame = pd.DataFrame([values], columns=[f"f{i}" for i in range(len(values))])
    name = f"e{next(NUMBER)}"
    frame.insert(0, "patient", "P001")
    one.import_features(frame, extractor=name, sequence="T1", format="wide")
    assert_same_bits(one, name, values)


def assert_same_names(store, name, names):
    columns = [f"{name}.t1.{feature}" for feature in names]
    m = store.matrix(None, features=f"{name}.t1")
    assert list(m.X.columns[1:]) == columns
    assert m.X.iloc[0, 1:].astype(float).tolist() == list(range(len(names)))
    assert list(store.readings(f"{name}.t1").load().columns) == columns
    for at, column in enumerate(columns[:2]):
        assert store.explain("P001", column).value == at
        some = m.complete(column)
        assert store.matrix_by_id(some.matrix_id).X.equals(some.X)
    assert store.status().loc["patients", "count"] == 1


def test_fault_064_hostile_names_of_an_encoder(one):
    values = tuple(float(i) for i in range(len(HOSTILE)))
    one.encode(OddEncoder(names=HOSTILE, values=values))
    assert_same_names(one, "fake", HOSTILE)
    for at, name in enumerate(HOSTILE):
        found = one.matrix(None, features=[f"fake.t1.{name}"]).X
        assert found.iloc[0, 1] == at
    assert one.verify().ok


@QUICK
@given(
    st.lists(
        st.text(min_size=1, max_size=12) | st.sampled_from(HOSTILE[:-1]),
        min_size=1,
        max_size=6,
        unique_by=str.lower,
    )
)
def test_fault_064_any_name_of_a_table(one, names):
    name = f"n{next(NUMBER)}"
    frame = pd.DataFrame(
        [range(len(names))], columns=names, index=["P001"], dtype=float
    )
    one.import_features(
        frame.rename_axis("the patient's own id"),
        extractor=name,
        patient="the patient's own id",
        sequence="T1",
        reader="A",
        session=1,
        format="wide",
    )
    assert_same_names(one, name, names)
