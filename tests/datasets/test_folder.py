import pandas as pd
import pytest

from sarcfeat.datasets import load_folder
from sarcfeat.exceptions import CohortError

FILES = {
    "patients.csv": "patient,site,surgery_date,age,grade\n"
    "007,Lyon,2019-05-31,61,2\nP2,Bordeaux,2020-01-02,,3\n",
    "outcomes.csv": "patient,mfs_time,mfs_event,os_time,os_event\n"
    "007,400,0,,\nP2,90.5,2,90.5,1\n",
    "images/007/t1.nii.gz": "",
    "images/P2/t1.nii.gz": "",
    "masks/A/007/t1.nii.gz": "",
    "masks/A/P2/t1.nii.gz": "",
    "masks/B/007/t1.nii.gz": "",
    "cohort.toml": 'name = "two"\nindex_time = "surgery_date"\nrequired = ["t1"]\n'
    '[units]\nage = "years"\n[roles]\ngrade = "description"\n',
}


@pytest.fixture
def write(tmp_path):
    def write_files(changed=()):
        """Write FILES with some changed, added, or left out (None)."""
        for name, text in {**FILES, **dict(changed)}.items():
            if text is not None:
                path = tmp_path / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
        return tmp_path

    return write_files


def test_every_part_is_read(write):
    cohort = load_folder(write())
    assert cohort.name == "two"
    assert cohort.patients.index.tolist() == ["007", "P2"]
    assert cohort.patients["surgery_date"].iloc[0] == pd.Timestamp("2019-05-31")
    assert cohort.patients["age"].isna().tolist() == [False, True]
    assert cohort.outcomes["mfs"]["event"].tolist() == [0, 2]
    assert cohort.outcomes["os"].index.tolist() == ["P2"]
    assert cohort.sequences == {"t1": 2}
    assert cohort.masks["reader"].tolist() == ["A", "B", "A"]
    assert cohort.predictors == ["age"]
    assert cohort.notes == []


@pytest.mark.parametrize("part", ["patients.csv", "outcomes.csv", "cohort.toml"])
def test_any_table_may_be_missing(write, part):
    files = {part: None}
    if part == "patients.csv":
        files["cohort.toml"] = None
    cohort = load_folder(write(files))
    assert cohort.patients.index.tolist() == ["007", "P2"]


def test_images_may_be_missing(write):
    gone = {name: None for name in FILES if "/" in name}
    cohort = load_folder(write({**gone, "cohort.toml": None}))
    assert cohort.images.empty
    assert cohort.masks.empty


def test_without_sites_all_are_of_one(write):
    patients = "patient,age\n007,61\nP2,50\n"
    cohort = load_folder(write({"patients.csv": patients, "cohort.toml": None}))
    assert len(cohort.sites) == 1
    assert "No column 'site'" in cohort.notes[0]


def test_a_required_file_that_is_missing_is_listed(write):
    gone = {"images/P2/t1.nii.gz": None, "masks/A/P2/t1.nii.gz": None}
    cohort = load_folder(write(gone))
    assert cohort.images["patient"].tolist() == ["007", "P2"]
    assert cohort.sequences == {"t1": 1}
    path = cohort.masks.query("patient == 'P2'")["path"].item()
    assert path.endswith("masks/A/P2/t1.nii.gz")


def test_images_of_strangers_are_left_out_and_said(write):
    cohort = load_folder(write({"images/P9/t1.nii.gz": ""}))
    assert cohort.dropped["patient"].tolist() == ["P9"]
    assert "P9" not in set(cohort.images["patient"])


def test_patterns_of_ones_own(write):
    toml = (
        "[patterns]\nimages = 'mri/{patient}_{sequence}.nii.gz'\n"
        "masks = 'rois/{patient}/{sequence}_{reader}{session}.nii.gz'\n"
    )
    files = {
        "cohort.toml": toml,
        "mri/P2_t2.nii.gz": "",
        "rois/P2/t2_B2.nii.gz": "",
    }
    cohort = load_folder(write(files))
    assert cohort.images["sequence"].tolist() == ["t2"]
    assert cohort.masks[["reader", "session"]].to_numpy().tolist() == [["B", 2]]


@pytest.mark.parametrize(
    ("part", "text", "message"),
    [
        (
            "patients.csv",
            "pat,site\n007,Lyon\n",
            r"patients.csv has no column 'patient'",
        ),
        ("patients.csv", "", r"patients.csv has no rows and no header"),
        (
            "patients.csv",
            "patient,site\n007,Lyon\n007,Lyon\n",
            r"patients.csv: patient 007 is on the lines 2, 3",
        ),
        (
            "patients.csv",
            "patient,site\n,Lyon\n",
            "line 2: the column 'patient' is empty",
        ),
        (
            "patients.csv",
            FILES["patients.csv"].replace("Bordeaux", ""),
            "line 3, column 'site', patient P2: an empty cell is not the name",
        ),
        (
            "patients.csv",
            FILES["patients.csv"].replace("61", "6l"),
            r"line 2, column 'age', patient 007: '6l' is not a number \(years",
        ),
        (
            "patients.csv",
            FILES["patients.csv"].replace("2019-05-31", "31.5.19"),
            r"line 2, column 'surgery_date', patient 007: '31.5.19' is not a date",
        ),
        (
            "outcomes.csv",
            "patient,mfs_time\n007,400\n",
            "has the column 'mfs_time' and not mfs_event",
        ),
        (
            "outcomes.csv",
            "patient,relapse\n007,1\n",
            "column 'relapse': expected <endpoint>_time or",
        ),
        (
            "outcomes.csv",
            "patient,mfs_time,mfs_event\n007,-3,1\n",
            "line 2, column 'mfs_time', patient 007: '-3' is not a number of days",
        ),
        (
            "outcomes.csv",
            "patient,mfs_time,mfs_event\n007,30,3\n",
            "column 'mfs_event', patient 007: '3' is not 0",
        ),
        (
            "outcomes.csv",
            "patient,mfs_time,mfs_event\n007,30,dead\n",
            "'dead' is not 0, 1 or 2",
        ),
        (
            "outcomes.csv",
            "patient,mfs_time,mfs_event\n007,,1\n",
            "line 2, patient 007: mfs_time is empty",
        ),
        (
            "outcomes.csv",
            "patient,mfs_time,mfs_event\n0O7,30,1\n",
            "0O7 not in patients.csv. Did you mean '007'",
        ),
        ("cohort.toml", "name = two\n", r"cohort.toml is no valid TOML.*line 1"),
        ("cohort.toml", "nme = 'x'\n", "unknown setting 'nme'. Did you mean 'name'"),
        ("cohort.toml", "required = 't1'\n", "required = 't1' should be a list"),
        ("cohort.toml", "[roles]\nage = 'predicter'\n", "Did you mean 'predictor'"),
        (
            "cohort.toml",
            "[units]\naeg = 'years'\n",
            "no column 'aeg'. Did you mean 'age'",
        ),
        ("cohort.toml", "index_time = 'surgery'\n", "index_time: patients.csv has no"),
        ("cohort.toml", "[patterns]\nimage = 'x'\n", "Did you mean 'images'"),
        (
            "cohort.toml",
            "[patterns]\nimages = 'i/{patient}.nii.gz'\n",
            r"of images must hold \{patient\} and \{sequence\}",
        ),
        (
            "cohort.toml",
            "[patterns]\nmasks = 'm/{patient}/{sequence}/{phase}.nii.gz'\n",
            "it holds phase",
        ),
        (
            "cohort.toml",
            "[patterns]\nmasks = 'masks/{sequence}.nii.gz{patient'\n",
            r"The pattern .* of masks",
        ),
    ],
)
def test_an_error_names_the_part_that_is_wrong(write, part, text, message):
    with pytest.raises(CohortError, match=message):
        load_folder(write({part: text}))


def test_a_session_that_is_no_number_is_named(write):
    toml = "[patterns]\nmasks = 'masks/{session}/{patient}/{sequence}.nii.gz'\n"
    with pytest.raises(CohortError, match="the session 'A' is no number"):
        load_folder(write({"cohort.toml": toml}))


def test_no_folder_and_an_empty_folder(tmp_path):
    with pytest.raises(CohortError, match="No cohort folder"):
        load_folder(tmp_path / "nowhere")
    with pytest.raises(CohortError, match=r"holds no patients.csv, no outcomes.csv"):
        load_folder(tmp_path)
