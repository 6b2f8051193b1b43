import pandas as pd
import pytest

from sarcfeat.datasets import Cohort, load_folder
from sarcfeat.exceptions import CohortError, UnknownName

PATIENTS = pd.DataFrame(
    {"site": ["H1", "H2", "H1"], "age": [61.0, 48.0, None], "chemo": [0, 1, 1]},
    index=pd.Index(["P1", "P2", "P3"], name="patient"),
)
MFS = pd.DataFrame(
    {"time": [400.0, 90.0, 700.0], "event": [0, 1, 2]}, index=PATIENTS.index
)


def make(**changed):
    parts = {
        "roles": {"chemo": "treatment"},
        "units": {"age": "years"},
        "outcomes": {"mfs": MFS},
        "notes": ["Three patients."],
    }
    return Cohort("three", PATIENTS, **{**parts, **changed})


def test_repr_counts_patients_sites_events_and_sequences(tmp_path):
    there = tmp_path / "P1.nii.gz"
    there.write_bytes(b"x")
    images = pd.DataFrame(
        {
            "patient": ["P1", "P2"],
            "sequence": ["t1", "t1"],
            "path": [str(there), str(tmp_path / "gone.nii.gz")],
        }
    )
    assert repr(make(images=images)) == (
        "<Cohort 'three': 3 patients, 2 sites; mfs: 1 event; t1 1>"
    )


def test_describe_says_what_a_reader_must_know():
    text = make(required=("t1",), citation="nowhere").describe()
    assert "sites: H1 2, H2 1" in text
    assert "mfs: 1 event in 3 patients, 1 competing event" in text
    assert "note: Three patients." in text
    assert "source: nowhere" in text


def test_predictors_leave_out_site_and_treatment():
    assert make().predictors == ["age"]


def test_a_patient_listed_twice_is_refused():
    twice = PATIENTS.iloc[[0, 1, 1]]
    with pytest.raises(CohortError, match="1 patients more than once: P2"):
        Cohort("twice", twice)


def test_a_cohort_without_sites_is_refused():
    with pytest.raises(CohortError, match="no column 'site'"):
        Cohort("none", PATIENTS.drop(columns="site"))


def test_an_outcome_of_a_stranger_is_refused():
    with pytest.raises(CohortError, match=r"'mfs'.*does not list: P9"):
        make(outcomes={"mfs": MFS.rename(index={"P1": "P9"})})


def test_an_unknown_role_shows_the_near_miss():
    with pytest.raises(UnknownName, match="Did you mean 'treatment'"):
        make(roles={"chemo": "treatement"})
    with pytest.raises(UnknownName, match="No column of cohort 'three' 'aeg'"):
        make(roles={"aeg": "predictor"})


def test_write_and_load_round_trip(tmp_path):
    source = tmp_path / "somewhere" / "x.nii.gz"
    source.parent.mkdir()
    source.write_bytes(b"voxels")
    images = pd.DataFrame(
        {"patient": ["P1"], "sequence": ["t1"], "path": [str(source)]}
    )
    masks = pd.DataFrame(
        {
            "patient": ["P1", "P1"],
            "sequence": ["t1", "t1"],
            "reader": ["A", "A"],
            "session": [1, 2],
            "path": [str(source), str(source)],
        }
    )
    cohort = make(images=images, masks=masks, citation='a "quoted" source\\')
    back = load_folder(cohort.write(tmp_path / "out"))
    pd.testing.assert_frame_equal(back.patients, cohort.patients)
    pd.testing.assert_frame_equal(back.outcomes["mfs"], MFS)
    assert (back.name, back.roles, back.units) == ("three", cohort.roles, cohort.units)
    assert (back.notes, back.citation) == (cohort.notes, cohort.citation)
    assert back.masks["session"].tolist() == [1, 2]
    assert back.sequences == {"t1": 1}
    with pytest.raises(CohortError, match=r"already holds a patients.csv"):
        cohort.write(tmp_path / "out")


def test_writing_something_else_than_nifti_is_refused(tmp_path):
    source = tmp_path / "x.nrrd"
    source.write_bytes(b"voxels")
    images = pd.DataFrame(
        {"patient": ["P1"], "sequence": ["t1"], "path": [str(source)]}
    )
    with pytest.raises(CohortError, match=r"x.nrrd is no .nii.gz"):
        make(images=images).write(tmp_path / "out")
