"""X and y: aligned, complete about who is missing, free of the future, frozen."""

import numpy as np
import pandas as pd
import pytest

from sarcfeat import FeatureStore
from sarcfeat.exceptions import InvalidInput, LeakageError, StoreError, UnknownName
from tests.store.fakes import (
    FakeEncoder,
    OddEncoder,
    add_files,
    clinical,
    image_path,
    mask_path,
    patients,
    write_patient,
)

HOSTILE = (
    "'); DROP TABLE unit; --",
    'f" int; drop table pat; --',
    "../../x",
    "nul\x00inside",
    "Mean",
    "mean",
    "שלום",
    "😀",
    "a*[b]?",
    "=cmd|' /C calc'!A0",
    "x" * 10_000,
)


@pytest.fixture
def encoded(study):
    study.encode(FakeEncoder())
    return study


def test_x_and_y(encoded, root):
    m = encoded.matrix("all", features=["fake.t1", "clinical"], outcome="mfs")
    assert list(m.X.columns) == [
        "site",
        "clinical.age",
        "clinical.grade",
        "fake.t1.mean",
        "fake.t1.sd",
    ]
    assert list(m.X.index) == patients(6)
    assert m.X.index.name == "patient"
    assert m.y.dtype.names == ("event", "time")
    assert m.missing.empty
    from sarcfeat.io import read_volume

    image = read_volume(image_path(root, "P001")).array
    region = read_volume(mask_path(root, "P001")).array == 1
    assert m.X.loc["P001", "fake.t1.mean"] == image[region].mean()
    assert m.provenance["feature_sets"]["fake.t1"]["reader"] == "A"
    assert "6 patients × 5 columns, 2 events" in repr(m)


def test_reader_and_session(encoded):
    a = encoded.matrix("all", features="fake.t1").X
    b = encoded.matrix("all", features="fake.t1", reader="B").X
    assert not a["fake.t1.mean"].equals(b["fake.t1.mean"])
    with pytest.raises(UnknownName, match=r"No reader of fake\.t1 'C'"):
        encoded.matrix("all", features="fake.t1", reader="C")
    m = encoded.matrix("all", features="fake.t1", session=2)
    assert m.X["fake.t1.mean"].isna().all()
    assert "no mask of reader A, session 2" in m.missing["reason"].iloc[0]


def test_names_globs_and_near_misses(encoded):
    def columns(features):
        return list(encoded.matrix("all", features=features).X.columns)[1:]

    assert columns("fake.t1.sd") == ["fake.t1.sd"]
    assert columns("fake.*") == ["fake.t1.mean", "fake.t1.sd"]
    assert columns("*.m*") == ["fake.t1.mean"]
    assert columns("clinical.a*") == ["clinical.age"]
    with pytest.raises(UnknownName, match=r"'fake.t2'. Did you mean 'fake.t1'"):
        encoded.matrix("all", features="fake.t2")
    with pytest.raises(UnknownName, match="Did you mean 'age'"):
        encoded.matrix("all", features="clinical.agee")
    with pytest.raises(UnknownName, match=r"endpoint 'mfz'\. Did you mean 'mfs'"):
        encoded.matrix("all", features="clinical", outcome="mfz")
    with pytest.raises(InvalidInput, match="as_of='now'"):
        encoded.matrix("all", features="clinical", as_of="now")


def test_missing_says_who_and_why(study, root):
    mask_path(root, "P004").write_bytes(b"")
    image_path(root, "P005").unlink()
    add_files(study, root)
    study.encode(FakeEncoder())
    with FeatureStore(root / "fresh") as fresh:
        fresh.add_patients(clinical(6))
        add_files(fresh, root)
        fresh.encode(FakeEncoder())
        m = fresh.matrix(None, features="fake.t1")
        told = m.missing.set_index("patient")
        assert list(told.index) == ["P004", "P005"]
        assert set(told["feature_set"]) == {"fake.t1"}
        assert str(mask_path(root, "P004")) in told.loc["P004", "reason"]
        assert str(image_path(root, "P005")) in told.loc["P005", "reason"]
        assert m.X.loc["P004", ["fake.t1.mean", "fake.t1.sd"]].isna().all()
        dropped = fresh.matrix(None, features="fake.t1", missing="drop")
        assert list(dropped.X.index) == ["P001", "P002", "P003", "P006"]


def test_complete_keeps_who_has_everything(study, root):
    mask_path(root, "P004").write_bytes(b"")
    study.encode(FakeEncoder())
    table = clinical(6)
    table["age"] = table["age"].where(table.index != "P006")
    study.add_patients(table, index_time="surgery")
    m = study.matrix("all", features=["fake.t1", "clinical"], outcome="mfs")
    some = m.complete("fake.t1")
    assert list(some.X.index) == [p for p in patients(6) if p != "P004"]
    assert some.y.tolist() == m.y[[0, 1, 2, 4, 5]].tolist()
    assert some.matrix_id not in (m.matrix_id, m.complete("clinical").matrix_id)
    assert len(m.complete(["fake.t1", "clinical.age"]).X) == 4
    with pytest.raises(UnknownName, match=r"column 'fake\.t2'"):
        m.complete("fake.t2")


def test_images_and_masks(study, root):
    pairs = study.images_and_masks("all")
    assert len(pairs) == 12
    assert pairs.iloc[1].tolist() == [
        "P001",
        "T1",
        "B",
        1,
        1,
        str(image_path(root, "P001")),
        str(mask_path(root, "P001", reader="B")),
    ]


def test_not_encoded_yet_is_said(encoded, root):
    write_patient(root, "P007")
    add_files(encoded, root)
    m = encoded.matrix(None, features="fake.t1")
    assert m.missing.to_numpy().tolist() == [
        ["P007", "fake.t1", "not encoded yet: run store.encode(...)"]
    ]


def test_patients_without_follow_up_are_dropped_and_listed(encoded):
    table = clinical(6)
    table.loc["P003", "mfs_days"] = np.nan
    encoded.add_outcome("os", time="mfs_days", event="death", data=table)
    m = encoded.matrix("all", features="fake.t1", outcome="os")
    assert list(m.X.index) == [p for p in patients(6) if p != "P003"]
    assert len(m.y) == 5
    assert m.missing.to_numpy().tolist() == [["P003", "outcome.os", "no follow-up"]]


def test_same_request_same_id_and_bits(encoded, tmp_path):
    ask = {"features": ["fake.t1", "clinical"], "outcome": "mfs"}
    first, again = encoded.matrix("all", **ask), encoded.matrix("all", **ask)
    assert first.matrix_id == again.matrix_id
    assert first.provenance == again.provenance
    other = encoded.matrix("all", features=["fake.t1"], outcome="mfs")
    assert other.matrix_id != first.matrix_id
    table = clinical(6)
    table.loc["P001", "age"] += 1
    encoded.add_patients(table, index_time="surgery")
    changed = encoded.matrix("all", **ask)
    assert changed.matrix_id != first.matrix_id
    frozen = encoded.sql("SELECT n_rows, n_cols, len(unit_ids) AS units FROM matrix")
    assert frozen.iloc[0].tolist() == [6, 5, 6]


def test_fault_061_two_extractors_of_one_name(encoded):
    other = FakeEncoder(params={"bin": 50})
    encoded.encode(other)
    with pytest.raises(StoreError, match=r"2 extractors gave 'fake.t1'") as caught:
        encoded.matrix("all", features="fake.t1")
    ids = encoded.sql("SELECT extractor_id FROM extractor")["extractor_id"]
    assert all(name in str(caught.value) for name in ids)
    for name in ids:
        m = encoded.matrix("all", features="fake.t1", extractor=name[:8])
        assert m.provenance["feature_sets"]["fake.t1"]["extractor_id"] == name
        assert encoded.readings("fake.t1", extractor=name).feature_names == [
            "fake.t1.mean",
            "fake.t1.sd",
        ]
    with pytest.raises(UnknownName, match="No extractor 'zz'"):
        encoded.matrix("all", features="fake.t1", extractor="zz")


def test_fault_064_hostile_feature_names_are_data(study):
    values = tuple(float(i) for i in range(len(HOSTILE)))
    study.encode(OddEncoder(names=HOSTILE, values=values))
    X = study.matrix("all", features="fake.t1").X
    assert list(X.columns) == ["site", *(f"fake.t1.{name}" for name in HOSTILE)]
    assert X.iloc[0, 1:].astype(float).tolist() == list(values)
    for name in HOSTILE:
        one = study.matrix("all", features=[f"fake.t1.{name}"]).X
        assert list(one.columns) == ["site", f"fake.t1.{name}"]
        assert (
            study.explain("P001", f"fake.t1.{name}").value
            == values[HOSTILE.index(name)]
        )
    loaded = study.readings("fake.t1").load()
    assert list(loaded.columns) == [f"fake.t1.{name}" for name in HOSTILE]
    assert study.status().loc["units", "count"] == 12


def test_fault_055_every_bit_comes_back(study):
    values = (np.nan, np.inf, -np.inf, -0.0, 5e-324, 0.1 + 0.2, 1e308)
    names = tuple("abcdefg")
    study.encode(OddEncoder(names=names, values=values))
    row = study.matrix("all", features="fake.t1").X.iloc[0, 1:]
    assert row.to_numpy(dtype="<f8").tobytes() == np.array(values).tobytes()
    loaded = study.readings("fake.t1").load().iloc[0].to_numpy(dtype="<f8")
    assert loaded.tobytes() == np.array(values).tobytes()
    held = study.sql("SELECT n_missing FROM feature_vector")["n_missing"]
    assert set(held) == {1}


def dated(root, store, acquired, known, n=4):
    """Patients of 2020-01-15 with one image and one marker of given dates."""
    store.add_patients(
        pd.DataFrame(
            {
                "site": "Bordeaux",
                "surgery": "2020-01-15",
                "marker": [float(i) for i in range(n)],
                "drawn": known,
            },
            index=patients(n),
        ),
        index_time="surgery",
        known_at={"marker": "drawn"},
    )
    images = pd.DataFrame(
        [[p, "T1", str(image_path(root, p))] for p in patients(n)],
        columns=["patient", "sequence", "path"],
    ).assign(acquired_at=acquired)
    masks = images.assign(path=[str(mask_path(root, p)) for p in patients(n)])
    assert store.add_images(images).failed == 0
    assert store.add_masks(masks.drop(columns="acquired_at")).failed == 0
    store.add_cohort("all", patients=patients(n))
    store.encode(FakeEncoder(), cohort="all")


def test_future_values_are_excluded_and_listed(root, store):
    dates = ["2020-01-14", "2020-01-15", "2020-01-16", "2020-01-10"]
    dated(root, store, acquired=dates, known=dates)
    m = store.matrix("all", features=["fake.t1", "clinical"])
    assert m.X["fake.t1.mean"].isna().tolist() == [False, False, True, False]
    assert m.X["clinical.marker"].isna().tolist() == [False, False, True, False]
    told = m.missing.set_index("feature_set")
    assert told["patient"].tolist() == ["P003", "P003"]
    assert told.loc["fake.t1", "reason"] == (
        "acquired on 2020-01-16, after the index time 2020-01-15"
    )
    assert told.loc["clinical.marker", "reason"] == (
        "known on 2020-01-16, after the index time 2020-01-15"
    )
    free = store.matrix("all", features=["fake.t1", "clinical"], as_of=None)
    assert free.X.notna().all().all()


def test_fault_076_asked_by_name_is_an_error(root, store):
    dates = ["2020-01-14", "2020-01-15", "2020-01-16", "2020-01-10"]
    dated(root, store, acquired=dates, known=dates)
    with pytest.raises(LeakageError, match=r"clinical.marker .* P003"):
        store.matrix("all", features=["clinical.marker"])
    with pytest.raises(LeakageError, match=r"fake.t1.mean .* P003"):
        store.matrix("all", features=["fake.t1.mean"])


def test_future_test_everything_a_day_late_is_all_missing(root, store):
    late = ["2020-01-16"] * 4
    dated(root, store, acquired=late, known=late)
    m = store.matrix("all", features=["fake.t1", "clinical"])
    assert m.X.drop(columns="site").isna().all().all()
    assert len(m.missing) == 8
    assert store.readings("fake.t1", cohort="all").load().empty


def test_written_after_the_index_time(root, store):
    early = ["2020-01-14"] * 4
    dated(root, store, acquired=early, known=early)
    m = store.matrix("all", features=["fake.t1", "clinical"], as_of="written")
    assert m.X.drop(columns="site").isna().all().all()


def test_postoperative_without_a_date_is_not_assumed_early(store):
    table = clinical(3).assign(margin=[0, 1, 2])
    store.add_patients(table, index_time="surgery", roles={"margin": "postoperative"})
    with pytest.raises(LeakageError, match=r"clinical.margin .* not stated by"):
        store.matrix(None, features="clinical.margin")
    X = store.matrix(None, features="clinical.margin", as_of=None).X
    assert X["clinical.margin"].tolist() == [0, 1, 2]


def test_images_without_dates_are_said(encoded):
    m = encoded.matrix("all", features="fake.t1")
    assert m.X["fake.t1.mean"].notna().all()
    assert m.provenance["notes"] == [
        "6 images of fake.t1 carry no acquisition date and are taken as acquired by "
        "the index time"
    ]


def test_latest_image_before_the_index_time_speaks(root, store):
    write_patient(root, "P001", sequence="late", readers=("A",))
    early = ["2020-01-14"] * 4
    dated(root, store, acquired=early, known=early)
    before = store.matrix("all", features="fake.t1").X.loc["P001", "fake.t1.mean"]
    for date, expect_same in (("2020-02-01", True), ("2020-01-15", False)):
        row = [["P001", "T1", str(image_path(root, "P001", "late")), date]]
        names = ["patient", "sequence", "path", "acquired_at"]
        images = pd.DataFrame(row, columns=names)
        masks = images.assign(path=str(mask_path(root, "P001", "late")))
        assert store.add_images(images).failed == 0
        assert store.add_masks(masks.assign(session=1)).failed == 0
        store.encode(FakeEncoder())
        value = store.matrix("all", features="fake.t1").X.loc["P001", "fake.t1.mean"]
        assert bool(value == before) is expect_same
