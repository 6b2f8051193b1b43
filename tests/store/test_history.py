"""Earlier versions, frozen matrices and what changed between two."""

import subprocess
import sys

import duckdb
import numpy as np
import pandas as pd
import pytest

from sarcfeat import FeatureStore
from sarcfeat.exceptions import InvalidInput, StoreError, UnknownName
from tests.store.fakes import (
    FakeEncoder,
    add_everything,
    add_files,
    clinical,
    mask_path,
    patients,
    write_patient,
    write_volume,
)

FEATURES = ["fake.t1", "clinical"]


def ask(store, **kwargs):
    return store.matrix("all", features=FEATURES, outcome="mfs", **kwargs)


def change_everything(store, root):
    """A seventh patient, another age, an outcome, a redrawn mask, a new cohort."""
    table = clinical(6)
    table.loc["P002", "age"] = 99
    table.loc["P003", "mfs_days"] = 7
    extra = clinical(6).iloc[[0]].set_axis(["P007"], axis=0)
    store.add_patients(pd.concat([table, extra]), index_time="surgery")
    store.add_outcome("mfs", time="mfs_days", event="metastasis", competing="death")
    mask = np.zeros((4, 6, 6), np.uint8)
    mask[1:3, 1:3, 1:3] = 1
    write_volume(mask_path(root, "P001"), mask)
    write_patient(root, "P007", readers=("A", "B"))
    add_files(store, root, readers=("A", "B"))
    store.add_cohort("all")
    store.encode(FakeEncoder())


@pytest.fixture(scope="module")
def aged(tmp_path_factory):
    """A store with a history, its first matrix and what it showed then.

    One for all: these tests look back and change no number in it.
    """
    root = tmp_path_factory.mktemp("aged")
    for patient in patients(6):
        write_patient(root, patient, readers=("A", "B"))
    with FeatureStore(root / "study") as store:
        add_everything(store, root).encode(FakeEncoder())
        first = ask(store)
        readings = store.readings("fake.t1").load()
        change_everything(store, root)
        yield store, first, readings


def test_at_shows_the_store_as_it_was(aged):
    store, first, readings = aged
    then = store.at(first.provenance["store_version"])
    again = ask(then)
    pd.testing.assert_frame_equal(again.X, first.X, check_exact=True)
    assert again.y.tobytes() == first.y.tobytes()
    assert again.matrix_id == first.matrix_id
    pd.testing.assert_frame_equal(then.readings("fake.t1").load(), readings)
    told = then.explain("P001", "fake.t1.mean")
    assert told.value == first.X.loc["P001", "fake.t1.mean"]
    assert (
        then.explain("P002", "clinical.age").value
        == first.X.loc["P002", "clinical.age"]
    )
    assert then.status().loc["patients", "count"] == 6
    assert then.sql("SELECT count(*) AS n FROM patient")["n"].item() == 6
    now = ask(store)
    assert list(now.X.index) == [*patients(6), "P007"]
    assert now.X.loc["P002", "clinical.age"] == 99


def test_at_every_version_never_fails_to_open(aged):
    store, _, _ = aged
    counts = [
        store.at(version).status().loc["units", "count"]
        for version in range(store.version + 1)
    ]
    assert counts[0] == 0
    assert counts[-1] == store.status().loc["units", "count"]


def test_a_view_cannot_be_written_to(aged):
    store, _, _ = aged
    view = store.at(3)
    assert repr(view).endswith("version 3>")
    with pytest.raises(StoreError, match=r"version 3 is read-only"):
        view._open.insert("patient", {"patient_id": "VARCHAR"}, [["P9"]])
    with pytest.raises(StoreError, match=r"version 3 is read-only"):
        view._open.update("DELETE FROM patient")
    with pytest.raises(StoreError, match=r"read-only"), view._open.commit("x"):
        pass
    with pytest.raises(StoreError, match="SELECT"):
        view.sql("DELETE FROM patient")
    with pytest.raises(InvalidInput, match=r"version=10000; .*versions 0 to \d+"):
        store.at(10_000)
    with pytest.raises(InvalidInput, match="version=True"):
        store.at(True)


def test_a_matrix_of_the_past_is_frozen_too(aged):
    store, first, _ = aged
    version = first.provenance["store_version"]
    m = store.at(version).matrix("all", features="clinical.age")
    assert m.provenance["store_version"] == version
    again = store.matrix_by_id(m.matrix_id)
    assert again.X.equals(m.X)


def test_a_view_lets_go_of_the_lock_with_its_store(tmp_path):
    with FeatureStore(tmp_path / "s") as store:
        store.add_patients(clinical(3))
        view = store.at(1)
        assert view.status().loc["patients", "count"] == 3
    # Another process can open it although the view is still in a variable.
    code = "import sys, duckdb; duckdb.connect(sys.argv[1]).close()"
    path = str(tmp_path / "s" / "catalog.duckdb")
    subprocess.run([sys.executable, "-c", code, path], check=True)
    with pytest.raises(duckdb.ConnectionException):
        view.status()


def test_frozen_matrix_comes_back_bit_for_bit(aged):
    store, first, _ = aged
    before = store.version
    again = store.matrix_by_id(first.matrix_id)
    assert store.version == before
    assert again.matrix_id == first.matrix_id
    assert (
        again.X.to_numpy(dtype=object).tolist()
        == first.X.to_numpy(dtype=object).tolist()
    )
    assert again.y.tobytes() == first.y.tobytes()
    assert store.matrix_by_id(first.matrix_id[:10]).matrix_id == first.matrix_id
    with pytest.raises(UnknownName, match="0 frozen matrices have the id 'zz'"):
        store.matrix_by_id("zz")


def test_complete_patients_of_a_frozen_matrix_come_back_too(aged):
    store, first, _ = aged
    asked = ["fake.t1", "clinical.age"]
    some = first.complete(asked).complete("clinical.age")
    assert some.matrix_id.startswith(f"{first.matrix_id}/complete=fake.t1+clinical")
    again = store.matrix_by_id(some.matrix_id)
    assert again.matrix_id == some.matrix_id
    assert again.X.equals(some.X)
    assert again.y.tobytes() == some.y.tobytes()
    short = some.matrix_id.replace(first.matrix_id, first.matrix_id[:10])
    assert store.matrix_by_id(short).matrix_id == some.matrix_id
    told = store.diff(some.matrix_id, ask(store).complete(asked))
    assert "value" in set(told["what"])
    with pytest.raises(UnknownName, match="0 frozen matrices have the id 'zz'"):
        store.matrix_by_id("zz/complete=fake.t1")


def test_frozen_matrix_with_a_follow_up_of_zero_days(study):
    table = pd.DataFrame({"t": [0.0, 9, 8], "e": [0, 1, 1]}, index=patients(3))
    study.add_outcome("os", time="t", event="e", data=table)
    m = study.matrix("all", features="clinical", outcome="os", zero="keep")
    assert study.matrix_by_id(m.matrix_id).y.tobytes() == m.y.tobytes()


def test_frozen_matrix_whose_numbers_were_touched_is_refused(study):
    study.encode(FakeEncoder())
    store, first = study, ask(study)
    with store._open.commit("bit rot"):
        store._open.update(
            "UPDATE clinical SET value_num = 1 WHERE patient_id = 'P004' "
            "AND variable = 'age'"
        )
    with pytest.raises(StoreError, match=f"{first.matrix_id}.*cannot be made again"):
        store.matrix_by_id(first.matrix_id)


def test_diff_names_what_changed(aged):
    store, first, _ = aged
    now = ask(store)
    table = store.diff(first.matrix_id, now)
    rows = {
        (r.what, r.patient, r.feature, r.change): (r.old, r.new)
        for r in table.itertuples()
    }
    assert ("patient", "P007", None, "added") in rows
    age = rows["value", "P002", "clinical.age", "changed"]
    assert age == (first.X.loc["P002", "clinical.age"], 99.0)
    assert rows["outcome", "P003", None, "changed"][1][1] == 7.0
    mean = rows["value", "P001", "fake.t1.mean", "changed"]
    assert mean == (
        first.X.loc["P001", "fake.t1.mean"],
        now.X.loc["P001", "fake.t1.mean"],
    )
    old, new = rows["unit", "P001", "fake.t1", "changed"]
    assert old != new
    assert rows["unit", "P007", "fake.t1", "added"][0] is None
    changed = table[table["what"] == "value"]
    assert set(changed["patient"]) == {"P001", "P002"}
    back = store.diff(now, first)
    assert ("patient", "P007", "removed") in set(
        back[["what", "patient", "change"]].itertuples(index=False, name=None)
    )
    assert store.diff(first, first.matrix_id).empty


def test_diff_of_other_columns(study):
    a = study.matrix("all", features="clinical.age")
    b = study.matrix("all", features="clinical.grade")
    found = study.diff(a, b)[["what", "feature", "change"]].values.tolist()
    assert found == [
        ["feature", "clinical.age", "removed"],
        ["feature", "clinical.grade", "added"],
    ]


def test_a_published_copy_looks_back_too(aged):
    store, first, _ = aged
    store.publish()
    with FeatureStore(store.path, read_only=True) as copy:
        assert copy.matrix_by_id(first.matrix_id).y.tobytes() == first.y.tobytes()
        version = first.provenance["store_version"]
        assert copy.at(version).status().loc["patients", "count"] == 6
        assert copy.diff(first, first.matrix_id).empty
        assert copy.verify().ok
        with pytest.raises(StoreError, match="read only"):
            copy.gc()
        with pytest.raises(StoreError, match="read only"):
            copy.erase("P001", reason="x")
