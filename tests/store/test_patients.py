"""Patients, endpoints and cohorts: what is refused, what is appended."""

import numpy as np
import pandas as pd
import pytest

from sarcfeat import FeatureStore
from sarcfeat.exceptions import (
    CohortError,
    InvalidInput,
    LeakageError,
    SarcfeatWarning,
    UnknownName,
)
from tests.store.fakes import clinical, patients


def commits(store):
    return int(store.status().loc["commits", "count"])


def test_fault_050_duplicate_patient_names_both_rows(store, tmp_path):
    file = tmp_path / "patients.csv"
    file.write_text("patient,age\nP1,61\nP2,50\nP1,62\n")
    with pytest.raises(InvalidInput, match="'P1' is in rows 2 and 4"):
        store.add_patients(file)
    twice = pd.DataFrame({"age": [1, 2]}, index=["P1", "P1 "])
    with pytest.raises(InvalidInput, match="'P1' is in rows 0 and 1"):
        store.add_patients(twice)
    assert store.status().loc["patients", "count"] == 0


def test_fault_051_ids_stay_text_and_near_ones_are_told(store, tmp_path):
    file = tmp_path / "patients.csv"
    file.write_text("patient,age\n007,61\n8,50\n")
    store.add_patients(file)
    with pytest.warns(SarcfeatWarning, match="different patients: 007 and 7"):
        store.add_patients(pd.DataFrame({"age": [40]}, index=[7]))
    held = store.sql("SELECT patient_id FROM patient ORDER BY 1")["patient_id"]
    assert held.tolist() == ["007", "7", "8"]
    with pytest.raises(InvalidInput, match="row 1 has no patient id"):
        store.add_patients(pd.DataFrame({"age": [1, 2]}, index=["P1", None]))


def test_table_without_ids_is_refused(store):
    with pytest.raises(InvalidInput, match="has no patient ids"):
        store.add_patients(pd.DataFrame({"age": [61, 50]}))
    store.add_patients(pd.DataFrame({"patient": ["P1"], "age": [61]}))
    assert store.status().loc["patients", "count"] == 1


def test_fault_052_columns_that_differ_by_case(store):
    table = pd.DataFrame([[1, 2]], columns=["Age", "age"], index=["P1"])
    with pytest.raises(InvalidInput, match=r"Columns 1 and 2 .* 'age'"):
        store.add_patients(table)


def test_adding_the_same_again_changes_nothing(store):
    store.add_patients(clinical(6), index_time="surgery", units={"age": "years"})
    store.add_outcome("mfs", time="mfs_days", event="metastasis")
    before = commits(store)
    store.add_patients(clinical(6), index_time="surgery")
    store.add_outcome("mfs", time="mfs_days", event="metastasis")
    assert commits(store) == before


def test_changed_value_is_appended_and_the_latest_counts(store):
    table = clinical(6)
    store.add_patients(table)
    table.loc["P002", "age"] = 99
    table["grade"] = table["grade"].where(table.index != "P003")
    store.add_patients(table)
    X = store.matrix(None, features="clinical").X
    assert X.loc["P002", "clinical.age"] == 99
    assert pd.isna(X.loc["P003", "clinical.grade"])
    kept = store.sql(
        "SELECT value_num, retired_no FROM clinical WHERE patient_id = 'P002' "
        "AND variable = 'age' ORDER BY commit_no"
    )
    assert len(kept) == 2
    assert kept["retired_no"].notna().tolist() == [True, False]


def test_roles_units_and_text(store):
    store.add_patients(clinical(6), roles={"grade": "treatment"}, index_time="surgery")
    X = store.matrix(None, features=["clinical"]).X
    assert "clinical.grade" not in X
    assert "clinical.surgery" not in X
    X = store.matrix(None, features=["clinical.grade"]).X
    assert list(X["clinical.grade"].cat.categories) == ["2", "3"]
    assert X["site"].tolist()[:2] == ["Bordeaux", "Lyon"]
    with pytest.raises(UnknownName, match="Did you mean 'predictor'"):
        store.add_patients(clinical(6), roles={"grade": "predictors"})
    with pytest.raises(UnknownName, match="No column in the patients' table 'grad'"):
        store.add_patients(clinical(6), roles={"grad": "predictor"})
    with pytest.raises(InvalidInput, match="has the role 'index_time'"):
        store.matrix(None, features="clinical.surgery")


def test_dates_are_not_guessed(store):
    table = clinical(6)
    table["surgery"] = "03/04/2020"
    with pytest.raises(InvalidInput, match="'surgery', patient P001: '03/04/2020'"):
        store.add_patients(table, index_time="surgery")


def test_outcome_codes_and_competing(study):
    m = study.matrix("all", features="clinical", outcome="mfs", competing=True)
    assert m.y["event"].tolist() == [1, 2, 0, 1, 2, 0]
    m = study.matrix("all", features="clinical", outcome="mfs")
    assert m.y["event"].tolist() == [True, False, False, True, False, False]
    assert m.y["time"].tolist() == clinical(6)["mfs_days"].tolist()


def test_fault_070_event_codes_are_not_guessed(store):
    table = clinical(6)
    table["status"] = [1, 2, 1, 2, 1, 3]
    table["dead"] = ["yes", "no"] * 3
    store.add_patients(table)
    with pytest.raises(InvalidInput, match=r"'status' holds \{.*3.0: 1.*\}"):
        store.add_outcome("os", time="mfs_days", event="status")
    with pytest.raises(InvalidInput, match="'dead' holds text"):
        store.add_outcome("os", time="mfs_days", event="dead")
    table["mfs_days"] = -3
    with pytest.raises(InvalidInput, match="6 times are negative: P001, P002"):
        store.add_outcome("os", time="mfs_days", event="death", data=table)
    with pytest.raises(UnknownName, match="Did you mean 'mfs_days'"):
        store.add_outcome("os", time="mfs_day", event="death")


def test_outcome_of_patients_unknown_to_the_store(store):
    store.add_patients(clinical(6))
    with pytest.raises(InvalidInput, match=r"2 patients .*: P007, P008"):
        store.add_outcome("os", time="mfs_days", event="death", data=clinical(8))


def test_corrected_outcome_is_appended(store):
    table = clinical(6)
    store.add_patients(table)
    store.add_outcome("os", time="mfs_days", event="death")
    table.loc["P001", "mfs_days"] = 77
    store.add_outcome("os", time="mfs_days", event="death", data=table)
    m = store.matrix(None, features="clinical", outcome="os")
    assert m.y["time"][0] == 77
    assert store.sql("SELECT count(*) AS n FROM outcome")["n"].iloc[0] == 7


def test_fault_077_outcome_columns_never_enter_x(study):
    assert list(study.matrix("all", features="clinical").X) == [
        "site",
        "clinical.age",
        "clinical.grade",
    ]
    for name in ("mfs_days", "metastasis", "death"):
        with pytest.raises(LeakageError, match=f"clinical.{name} is an outcome"):
            study.matrix("all", features=["clinical", f"clinical.{name}"])
    # Adding the table again does not make them predictors.
    study.add_patients(clinical(6), index_time="surgery")
    with pytest.raises(LeakageError):
        study.matrix("all", features="clinical.mfs_days")


def test_cohort_by_query_and_by_ids(store):
    store.add_patients(clinical(6), index_time="surgery")
    store.add_cohort("bordeaux", query="site = 'Bordeaux' AND age >= 0")
    store.add_cohort("two", patients=["P002", "P003"])
    rows = store.matrix("bordeaux", features="clinical").X
    assert set(rows["site"]) == {"Bordeaux"}
    assert list(store.matrix("two", features="clinical").X.index) == ["P002", "P003"]
    before = commits(store)
    store.add_cohort("two", patients=["P003", "P002"])
    assert commits(store) == before
    store.add_cohort("two", patients=["P002"])
    assert store.matrix("two", features="clinical").provenance["cohort_version"] == 2


def test_cohort_errors(store):
    store.add_patients(clinical(6))
    with pytest.raises(CohortError, match="no patients: none of 6"):
        store.add_cohort("none", query="site = 'Paris'")
    with pytest.raises(CohortError, match=r"centre = 1.*they are patient, .*site"):
        store.add_cohort("bad", query="centre = 1")
    with pytest.raises(CohortError, match=r"does not work|more than one"):
        store.add_cohort("bad", query="1 = 1; DROP TABLE patients")
    with pytest.raises(UnknownName, match="1 patients are not in the store: P9"):
        store.add_cohort("bad", patients=["P001", "P9"])
    with pytest.raises(UnknownName, match="No cohort 'trainin'"):
        store.matrix("trainin", features="clinical")


def test_hostile_variable_names_are_data(store):
    names = ["'); DROP TABLE patient; --", 'a"b', "x.y", "é😀", "n" * 10_000]
    table = pd.DataFrame(
        [[float(i) for i in range(len(names))]], columns=names, index=["P1"]
    )
    store.add_patients(table)
    X = store.matrix(None, features="clinical").X
    assert {f"clinical.{name}" for name in names} == set(X.columns) - {"site"}
    for i, name in enumerate(names):
        assert X.loc["P1", f"clinical.{name}"] == i
        one = store.matrix(None, features=[f"clinical.{name}"]).X
        assert list(one.columns) == ["site", f"clinical.{name}"]


def test_numbers_keep_their_bits(tmp_path):
    values = [np.inf, -np.inf, -0.0, 5e-324, 0.1 + 0.2]
    table = pd.DataFrame({"v": values}, index=patients(5))
    with FeatureStore(tmp_path / "s") as store:
        store.add_patients(table)
    with FeatureStore(tmp_path / "s") as store:
        got = store.matrix(None, features="clinical").X["clinical.v"].to_numpy()
    assert got.tobytes() == np.array(values).tobytes()
