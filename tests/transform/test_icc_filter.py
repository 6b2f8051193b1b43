import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from sarcfeat.exceptions import (
    InvalidInput,
    NothingSelected,
    SarcfeatWarning,
    UnknownName,
)
from sarcfeat.metrics.icc import icc
from sarcfeat.store import Readings
from sarcfeat.transform import ICCFilter

NAMES = [f"radiomics.t1.f{i}" for i in range(6)]


class Table:
    """The interface of store.Readings over a frame, with a record of who was asked."""

    def __init__(self, frame):
        self.frame = frame
        self.asked = []

    def load(self, patients=None):
        self.asked.append(list(patients))
        wanted = self.frame.index.get_level_values(0).isin(patients)
        return self.frame[wanted]

    @property
    def feature_names(self):
        return list(self.frame.columns)


def table(values, readers=("A", "B"), patients=None, names=NAMES):
    """Lay (patients, readings, features) out as the store does."""
    if patients is None:
        patients = [f"p{i:02d}" for i in range(len(values))]
    frames = {
        (reader, 1): pd.DataFrame(values[:, i], index=patients, columns=names)
        for i, reader in enumerate(readers)
    }
    stacked = pd.concat(frames, names=["reader", "session", "patient"])
    return stacked.reorder_levels(["patient", "reader", "session"]).sort_index()


@pytest.fixture
def values():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(40, 1, 6))
    noise = np.array([0.05, 0.1, 0.2, 0.6, 1.0, 3.0])
    return truth + noise * rng.normal(size=(40, 2, 6))


@pytest.fixture
def X(values):
    frame = pd.DataFrame(
        values[:, 0], columns=NAMES, index=[f"p{i:02d}" for i in range(40)]
    )
    frame.insert(2, "site", "Bordeaux")
    return frame


def test_keeps_what_agrees_and_reports_every_feature(values, X):
    fitted = ICCFilter(Table(table(values)), threshold=0.9).fit(X)
    expected = icc(values)
    np.testing.assert_allclose(fitted.report_["icc"], expected.value)
    np.testing.assert_allclose(fitted.report_["lower"], expected.lower)
    np.testing.assert_allclose(fitted.report_["upper"], expected.upper)
    assert fitted.report_["n_patients"].tolist() == [40] * 6
    kept = [n for n, v in zip(NAMES, expected.value, strict=True) if v >= 0.9]
    assert 0 < len(kept) < 6
    assert list(fitted.transform(X).columns) == [
        c for c in X.columns if c in {*kept, "site"}
    ]
    assert fitted.dropped_["feature"].tolist() == [n for n in NAMES if n not in kept]
    assert fitted.dropped_["reason"].str.contains(r"ICC\(A,1\) .* < 0.9").all()


def test_the_threshold_itself_is_kept(values, X):
    edge = icc(values).value[3]
    fitted = ICCFilter(Table(table(values)), threshold=edge).fit(X)
    assert fitted.report_["kept"].tolist() == [True] * 4 + [False] * 2


def test_lower_bound_and_form(values, X):
    by_value = ICCFilter(Table(table(values)), threshold=0.75).fit(X)
    by_lower = ICCFilter(Table(table(values)), threshold=0.75, bound="lower").fit(X)
    assert by_lower.report_["kept"].sum() < by_value.report_["kept"].sum()
    assert by_lower.dropped_["reason"].str.startswith("lower limit of").all()
    shifted = values.copy()
    shifted[:, 1] += 5
    readings = Table(table(shifted))
    assert ICCFilter(readings, form="ICC(C,1)").fit(X).report_["kept"].sum() == 4
    with pytest.warns(NothingSelected, match="None of 6 features"):
        nothing = ICCFilter(readings, form="ICC(A,1)").fit(X)
    assert list(nothing.transform(X).columns) == ["site"]


def test_learns_from_the_patients_of_X_only(values, X):
    readings = Table(table(values))
    clean = ICCFilter(readings).fit(X.iloc[:25])
    assert readings.asked == [list(X.index[:25])]
    poisoned = values.copy()
    poisoned[25:] *= 1e6
    again = ICCFilter(Table(table(poisoned))).fit(X.iloc[:25])
    pd.testing.assert_frame_equal(clean.report_, again.report_)

    class Leaky(Table):
        def load(self, patients=None):
            return self.frame

    leaky = ICCFilter(Leaky(table(poisoned))).fit(X.iloc[:25])
    pd.testing.assert_frame_equal(clean.report_, leaky.report_)


def test_a_patient_drawn_twice_counts_once(values, X):
    readings = Table(table(values))
    twice = ICCFilter(readings).fit(pd.concat([X, X.iloc[:5]]))
    pd.testing.assert_frame_equal(twice.report_, ICCFilter(readings).fit(X).report_)


def test_keeps_no_patient_rows(values, X):
    fitted = ICCFilter(Table(table(values))).fit(X)
    learned = {k: v for k, v in vars(fitted).items() if k != "readings"}
    assert b"p07" not in pickle.dumps(learned)


def test_a_table_is_refused_with_the_way_out(values, X):
    with pytest.raises(InvalidInput, match=r"Readings\.from_frame\(table\)"):
        ICCFilter(table(values)).fit(X)
    with pytest.raises(ValueError, match="'readings' parameter of ICCFilter"):
        ICCFilter("radiomics.t1").fit(X)


def test_features_never_read_twice(values, X):
    X = X.assign(**{"radiomics.t2.f0": 1.0})
    readings = Table(table(values))
    with pytest.raises(
        InvalidInput, match=r"1 of 7 features .* never read twice: radiomics\.t2\.f0"
    ):
        ICCFilter(readings).fit(X)
    dropped = ICCFilter(readings, missing="drop").fit(X)
    assert dropped.report_.iloc[-1]["reason"] == "never read twice"
    assert "radiomics.t2.f0" not in dropped.transform(X)
    kept = ICCFilter(readings, missing="keep").fit(X)
    assert "radiomics.t2.f0" in kept.transform(X)
    assert kept.report_.iloc[-1]["n_patients"] == 0
    assert np.isnan(kept.report_.iloc[-1]["icc"])


def test_too_few_patients(values, X):
    some = table(values)
    some = some.drop(index=[(f"p{i:02d}", "B", 1) for i in range(3, 40)])
    with pytest.raises(
        InvalidInput, match=r"3 of the 40 patients .* at least 5 .*B.*: 3 patients"
    ):
        ICCFilter(Table(some)).fit(X)
    with pytest.raises(InvalidInput, match=r"have 1 \(reader, session\)"):
        ICCFilter(Table(some.xs("A", level="reader", drop_level=False))).fit(X)
    with pytest.raises(InvalidInput, match=r"have 0 \(reader, session\): none"):
        ICCFilter(Table(some)).fit(X.set_axis(range(40)))


def test_fault_084_missing_readings_are_counted(values, X):
    values[:38, 1, 1] = np.nan
    values[:, :, 2] = 0.1
    fitted = ICCFilter(Table(table(values))).fit(X)
    assert fitted.report_["n_patients"].tolist() == [40, 2, 40, 40, 40, 40]
    reasons = fitted.report_["reason"]
    assert reasons[1] == "2 patients with every reading"
    assert reasons[2] == "ICC(A,1) cannot be computed: no variance"
    assert fitted.report_["kept"].tolist()[:3] == [True, False, False]


def test_fault_037_identical_masks_warn(values, X):
    values[:, 1] = values[:, 0]
    with pytest.warns(SarcfeatWarning, match="Are the masks copies"):
        ICCFilter(Table(table(values))).fit(X)


def test_sessions_are_readings_too(values, X):
    sessions = table(values).rename(index={"B": "A"}, level="reader")
    sessions.index = pd.MultiIndex.from_tuples(
        [(p, "A", 1 + (i % 2)) for i, (p, _, _) in enumerate(sessions.index)],
        names=sessions.index.names,
    )
    fitted = ICCFilter(Table(sessions)).fit(X)
    np.testing.assert_allclose(fitted.report_["icc"], icc(values).value)
    with pytest.raises(InvalidInput, match="are there twice"):
        ICCFilter(Table(pd.concat([sessions, sessions.iloc[:2]]))).fit(X)


def test_array_is_matched_by_position(values, X):
    readings = Table(table(values, patients=[str(i) for i in range(40)]))
    fitted = ICCFilter(readings).fit(values[:30, 0])
    np.testing.assert_allclose(fitted.report_["icc"], icc(values[:30]).value)
    assert fitted.transform(values[30:, 0]).shape == (10, fitted.get_support().sum())
    with pytest.raises(InvalidInput, match=r"array of 5 columns .* have 6"):
        ICCFilter(readings).fit(values[:, 0, :5])


def test_frame_without_features_passes(values, X):
    fitted = ICCFilter(Table(table(values))).fit(X[["site"]])
    assert fitted.transform(X[["site"]]).equals(X[["site"]])
    assert fitted.report_.empty


def test_clone_and_set_output(values, X):
    filter_ = clone(ICCFilter(Table(table(values)), threshold=0.8))
    framed = filter_.set_output(transform="pandas").fit_transform(X)
    assert list(framed.columns) == list(filter_.get_feature_names_out())
    assert framed.index.equals(X.index)


def test_readings_of_the_store_module(values, X):
    readings = Readings.from_frame(table(values))
    fitted = ICCFilter(readings).fit(X)
    np.testing.assert_allclose(fitted.report_["icc"], icc(values).value)
    assert clone(fitted).readings is readings


def test_intra_and_inter_reader(values, X):
    """Reader A twice, reader B once: each question takes its own readings."""
    first = table(values)
    again = table(values[:, :1] + 5.0, readers=("A",))
    again.index = again.index.set_levels([2], level="session")
    readings = Readings.from_frame(pd.concat([first, again]))
    inter = ICCFilter(readings, sessions=[1], threshold=0.5).fit(X)
    expected = icc(values).value
    np.testing.assert_allclose(inter.report_["icc"], expected)
    intra = ICCFilter(readings, readers=["A"], form="ICC(C,1)").fit(X)
    np.testing.assert_allclose(intra.report_["icc"], 1)
    shifted = ICCFilter(readings, readers=["A"], threshold=-1).fit(X)
    assert (shifted.report_["icc"] < 0.6).all()
    with pytest.raises(UnknownName, match="'C'"):
        ICCFilter(readings, readers=["A", "C"]).fit(X)
    with pytest.raises(InvalidInput, match="needs two readings"):
        ICCFilter(readings, readers=["B"]).fit(X)


def test_readings_of_a_deep_encoder(values, X):
    """A network's features are named by number; the filter asks no more of them."""
    names = [f"densenet.t1.x{i:04d}" for i in range(6)]
    deep = X.set_axis([*names[:2], "site", *names[2:]], axis=1)
    readings = Readings.from_frame(table(values, names=names))
    report = ICCFilter(readings, threshold=0.9).fit(deep).report_
    np.testing.assert_allclose(report["icc"], icc(values).value)
    assert report["feature"].tolist() == names
