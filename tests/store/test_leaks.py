"""Nothing of the future, nothing of the outcome, no time that nobody could die in."""

import numpy as np
import pandas as pd
import pytest

from sarcfeat.exceptions import InvalidInput, LeakageError, UnitMismatch
from sarcfeat.store.scales import scale_alarms
from tests.store.fakes import FakeEncoder, patients

N = 40


@pytest.fixture
def table():
    rng = np.random.default_rng(3)
    days = rng.permutation(np.arange(100, 100 + 30 * N, 30))
    return pd.DataFrame(
        {
            "site": rng.permutation(["Bordeaux", "Lyon"] * (N // 2)),
            "age": rng.integers(30, 80, N).astype(float),
            "grade": rng.choice(["1", "2", "3"], N),
            "size": rng.lognormal(4, 0.3, N),
            "scan": "2020-01-15",
            "diagnosis": "2019-12-01",
            "days": days,
            "dead": rng.permutation([1] * 15 + [0] * (N - 15)),
        },
        index=pd.Index(patients(N), name="patient"),
    )


def fill(store, table, *, origin=None, **more):
    store.add_patients(
        table.assign(**more),
        index_time="scan",
        roles={"diagnosis": "date"} if "diagnosis" in table else None,
    )
    store.add_outcome("os", time="days", event="dead", origin=origin)
    return store


@pytest.mark.parametrize("origin", ["scan", "Scan date", "date_of_scan", None])
def test_an_origin_that_is_the_index_time(store, table, origin):
    m = fill(store, table, origin=origin).matrix(
        None, features="clinical", outcome="os"
    )
    assert len(m.y) == N
    stated = [note for note in m.provenance["notes"] if "is not stated" in note]
    assert len(stated) == (origin is None)


@pytest.mark.parametrize("origin", ["diagnosis", "first treatment"])
def test_fault_075_immortal_time(store, table, origin):
    fill(store, table, origin=origin)
    told = rf"'os' counts from '{origin}'; the index time is 'scan'.*immortal time"
    with pytest.raises(LeakageError, match=told):
        store.matrix(None, features="clinical", outcome="os")
    with pytest.raises(LeakageError, match="immortal"):
        store.matrix(None, features="clinical", outcome="os", origin="surgery")
    m = store.matrix(None, features="clinical", outcome="os", origin=origin)
    assert any("accepted by the caller" in note for note in m.provenance["notes"])
    assert store.matrix_by_id(m.matrix_id).y.tobytes() == m.y.tobytes()


def test_fault_075_an_origin_with_the_same_dates(store, table):
    table["diagnosis"] = table["scan"]
    fill(store, table, origin="diagnosis")
    assert len(store.matrix(None, features="clinical", outcome="os").y) == N


def test_fault_075_death_before_the_scan(store, table):
    table.loc["P007", "days"] = 20
    fill(store, table, origin="diagnosis")
    with pytest.raises(LeakageError, match=r"'os' ends before .*'scan'.*P007"):
        store.matrix(None, features="clinical", outcome="os", origin="diagnosis")


def test_fault_076_after_the_index_time(study):
    study.encode(FakeEncoder())
    study.import_features(
        pd.DataFrame(
            {
                "patient": ["P001", "P002"],
                "depth": [1.0, 2.0],
                "scan": ["2021-06-01", "2019-06-01"],
            }
        ),
        extractor="late",
        sequence="T1",
        format="wide",
        acquired_at="scan",
    )
    m = study.matrix("all", features=["late.t1", "fake.t1"])
    assert m.X["late.t1.depth"].notna().sum() == 1
    told = m.missing.set_index("patient").loc["P001", "reason"]
    assert told == "acquired on 2021-06-01, after the index time 2020-01-15"
    with pytest.raises(LeakageError, match=r"late\.t1\.depth .*P001.*2021-06-01"):
        study.matrix("all", features="late.t1.depth")


@pytest.mark.parametrize(
    "make",
    [
        lambda t: t["days"].astype(float),
        lambda t: -np.log(t["days"].astype(float)),
        lambda t: np.round(t["days"] / 30.44, 1),
        lambda t: t["days"].astype(float).where(t["dead"] == 1),
    ],
    ids=["same", "monotone", "in months", "only of the dead"],
)
def test_fault_077_a_proxy_of_the_time(store, table, make):
    fill(store, table, followup=make(table))
    told = r"clinical\.followup .*(time|value).*'os'.*'followup': 'outcome'"
    with pytest.raises(LeakageError, match=told):
        store.matrix(None, features="clinical", outcome="os")
    store.add_patients(
        table.assign(followup=make(table)),
        index_time="scan",
        roles={"followup": "outcome", "diagnosis": "date"},
    )
    m = store.matrix(None, features="clinical", outcome="os")
    assert "clinical.followup" not in m.X


@pytest.mark.parametrize(
    "make",
    [
        lambda t: t["dead"].astype(float),
        lambda t: 1.0 - t["dead"],
        lambda t: t["dead"].map({0: "alive", 1: "dead"}),
        lambda t: t["dead"].map({0: 7.5, 1: np.nan}),
    ],
    ids=["same", "opposite", "text", "gaps"],
)
def test_fault_077_a_proxy_of_the_event(store, table, make):
    fill(store, table, status=make(table))
    with pytest.raises(LeakageError, match=r"clinical\.status .*event.*'os'"):
        store.matrix(None, features="clinical", outcome="os")


def test_fault_077_a_proxy_among_imported_features(store, table):
    fill(store, table)
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(N, 200)), index=table.index).add_prefix("f")
    store.import_features(frame, extractor="ok", sequence="T1", format="wide")
    store.matrix(None, features=["clinical", "ok.t1"], outcome="os")
    frame["f77"] = np.exp(-table["days"] / 500)
    store.import_features(frame, extractor="bad", sequence="T1", format="wide")
    with pytest.raises(LeakageError, match=r"bad\.t1\.f77 .*order of its time.*'os'"):
        store.matrix(None, features="bad.t1", outcome="os")


def test_a_strong_predictor_is_no_proxy(store, table):
    rng = np.random.default_rng(0)
    noisy = -np.log(table["days"]) + rng.normal(0, 0.1, N)
    binary = table["dead"].copy()
    binary.iloc[0] = 1 - binary.iloc[0]
    fill(store, table, marker=noisy, ulceration=binary.astype(float))
    m = store.matrix(None, features="clinical", outcome="os")
    assert {"clinical.marker", "clinical.ulceration"} <= set(m.X)


def test_future_test(store):
    """Everything known a day past the index time: nothing may be left."""
    table = pd.DataFrame(
        {
            "age": np.arange(6.0) + 40,
            "grade": list("232323"),
            "surgery": "2020-01-15",
            "told": "2020-01-16",
        },
        index=pd.Index(patients(6), name="patient"),
    )
    known = {"age": "told", "grade": "told"}
    store.add_patients(table, index_time="surgery", known_at=known)
    scans = pd.DataFrame(
        {"patient": patients(6), "x": 1.0, "told": table["told"].array}
    )
    store.import_features(
        scans, extractor="t", sequence="T1", format="wide", acquired_at="told"
    )
    m = store.matrix(None, features=["clinical", "t.t1"])
    assert list(m.X.columns) == ["site", "clinical.age", "clinical.grade", "t.t1.x"]
    assert m.X.drop(columns="site").isna().all().all()
    assert len(m.missing) == 18
    assert len(store.missing(None, "clinical.age")) == 6
    table["told"] = "2020-01-15"
    store.add_patients(table, index_time="surgery", known_at=known)
    assert store.matrix(None, features="clinical.age").missing.empty


def test_several_dated_values_of_one_variable(store):
    """Each variable is looked up on its own, the latest by the index time."""

    def visit(date, ldh, ecog, surgery="2020-01-15"):
        frame = pd.DataFrame(
            {"ldh": [ldh], "ecog": [ecog], "visit": [date], "surgery": [surgery]},
            index=pd.Index(["P1"], name="patient"),
        )
        known = {"ldh": "visit", "ecog": "visit"}
        store.add_patients(frame, index_time="surgery", known_at=known)

    visit("2019-11-01", 200.0, 1.0)
    visit("2020-03-01", 500.0, 3.0)
    # An old value of one variable must not hide behind a new one of another.
    visit("2019-12-01", 250.0, np.nan)
    m = store.matrix(None, features="clinical")
    assert m.X.loc["P1", "clinical.ldh"] == 250.0
    assert m.X.loc["P1", "clinical.ecog"] == 1.0
    assert store.explain("P1", "clinical.ldh").value == 250.0
    before = store.version
    visit("2019-12-01", 250.0, np.nan)
    assert store.version == before
    # A correction of one date replaces that date's value alone.
    visit("2019-12-01", 260.0, np.nan)
    assert store.matrix(None, features="clinical.ldh").X.iloc[0, 1] == 260.0
    n = store.sql("SELECT count(*) AS n FROM clinical WHERE variable = 'ldh'")
    live = store.sql(
        "SELECT count(*) AS n FROM clinical WHERE variable = 'ldh' "
        "AND retired_no IS NULL"
    )
    assert (n["n"][0], live["n"][0]) == (4, 3)
    visit("2019-11-01", 200.0, 1.0, surgery="2020-06-01")
    assert store.matrix(None, features="clinical.ldh").X.iloc[0, 1] == 500.0


def test_fault_066_centimetres_at_one_site(store, table):
    lyon = table["site"] == "Lyon"
    table.loc[lyon, "size"] /= 10
    fill(store, table)
    told = r"clinical\.size is ×1e-?1 at (Lyon|Bordeaux) .*(Bordeaux|Lyon)"
    with pytest.warns(UnitMismatch, match=told):
        m = store.matrix(None, features="clinical")
    assert any("×1e" in note for note in m.provenance["notes"])


def alarms(X):
    return scale_alarms(X["site"], X.columns[1:], X.iloc[:, 1:].to_numpy())


def test_fault_066_a_variable_in_two_units_is_refused(store):
    first = pd.DataFrame({"size": [5.0, 7.5, 4.0]}, index=["P1", "P2", "P3"])
    store.add_patients(first, units={"size": "cm"})
    second = pd.DataFrame({"size": [60.0]}, index=["P4"])
    before = store.version
    with pytest.raises(InvalidInput, match="'size' is in mm here, and in cm") as told:
        store.add_patients(second, units={"size": "mm"})
    assert "3 patients of the store (P1, P2, P3)" in str(told.value)
    assert "units={'size': 'cm'}" in str(told.value)
    assert store.version == before
    store.add_patients(second / 10, units={"size": "cm"})
    # A table that gives every value anew may change the unit.
    whole = pd.concat([first * 10, second])
    store.add_patients(whole, units={"size": "mm"})
    X = store.matrix(None, features="clinical.size").X
    assert X["clinical.size"].tolist() == [50.0, 75.0, 40.0, 60.0]
    units = store.sql("SELECT DISTINCT unit FROM clinical WHERE retired_no IS NULL")
    assert units["unit"].tolist() == ["mm"]


def test_fault_066_values_of_other_dates_stay_in_their_unit(store):
    table = pd.DataFrame({"size": [5.0], "seen": ["2020-01-01"]}, index=["P1"])
    store.add_patients(table, known_at={"size": "seen"}, units={"size": "cm"})
    later = pd.DataFrame({"size": [60.0], "seen": ["2020-06-01"]}, index=["P1"])
    with pytest.raises(InvalidInput, match=r"'size' is in mm .* in cm for 1 patients"):
        store.add_patients(later, known_at={"size": "seen"}, units={"size": "mm"})
    same = later.assign(seen="2020-01-01")
    store.add_patients(same, known_at={"size": "seen"}, units={"size": "mm"})


def test_fault_066_an_imported_feature_in_two_units_is_refused(store, tmp_path):
    store.add_patients(pd.DataFrame({"site": "x"}, index=["P1", "P2"]))
    names = [f"MORPHOLOGICAL_{n}(IBSI:AAAA)" for n in ("A", "B", "C")]
    for patient, unit in (("P1", "mm"), ("P2", "cm")):
        cells = ",".join(f"{name}[{unit}]" for name in names)
        text = f"patient,{cells}\n{patient},1,2,3\n"
        (tmp_path / f"{unit}.csv").write_text(text)
    store.import_features(tmp_path / "mm.csv", extractor="old", sequence="CT")
    with pytest.raises(InvalidInput, match=r"'MORPHOLOGICAL_A' of old\.ct") as told:
        store.import_features(tmp_path / "cm.csv", extractor="old", sequence="CT")
    for words in ("in cm here", f"in mm in {tmp_path / 'mm.csv'}", "cm.csv"):
        assert words in str(told.value)
    store.import_features(tmp_path / "cm.csv", extractor="new", sequence="CT")
    store.import_features(tmp_path / "mm.csv", extractor="old", sequence="CT")


def test_fault_066_alarms_and_none_where_none_is_due():
    rng = np.random.default_rng(0)
    n, p = 90, 300
    site = np.repeat(["a", "b", "c"], n // 3)
    X = pd.DataFrame(rng.lognormal(0, 0.5, (n, p)) * 10.0 ** rng.integers(-4, 5, p))
    X.columns = [f"f{i}" for i in range(p)]
    # Real differences between sites: up to a factor of 4, and other spreads.
    X.loc[site == "b"] *= 4
    X["f9"] = rng.lognormal(0, 4, n)
    X["negative"] = -X["f1"]
    X["zero"] = 0.0
    X["gap"] = np.nan
    X.insert(0, "site", site)
    assert alarms(X) == []
    X.loc[site == "c", "f5"] *= 1000
    X.loc[site == "c", "negative"] /= 100
    found = {(a.feature, a.batch, a.power) for a in alarms(X)}
    assert found == {("f5", "c", 3), ("negative", "c", -2)}
