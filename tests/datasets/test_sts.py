import hashlib
import shutil
import zipfile
from pathlib import Path
from xml.sax.saxutils import escape

import pandas as pd
import pytest

from sarcfeat.datasets import fetch, load_sts, sts
from sarcfeat.datasets.sheet import clinical_from_sheet, read_sheet
from sarcfeat.exceptions import CohortError, InputCorrupt

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def write_sheet(path, rows):
    """Write the smallest .xlsx: numbers as numbers, text as shared strings."""
    shared = sorted({cell for row in rows for cell in row if isinstance(cell, str)})
    lines = []
    for i, row in enumerate(rows, start=1):
        cells = []
        for j, cell in enumerate(row):
            at = f'r="{chr(65 + j)}{i}"'
            if isinstance(cell, str):
                cells.append(f'<c {at} t="s"><v>{shared.index(cell)}</v></c>')
            elif cell is not None:
                cells.append(f"<c {at}><v>{cell}</v></c>")
        lines.append(f'<row r="{i}">{"".join(cells)}</row>')
    strings = "".join(f"<si><t>{escape(text)}</t></si>" for text in shared)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "xl/worksheets/sheet1.xml",
            f'<worksheet xmlns="{MAIN}"><sheetData>{"".join(lines)}</sheetData>'
            "</worksheet>",
        )
        archive.writestr("xl/sharedStrings.xml", f'<sst xmlns="{MAIN}">{strings}</sst>')


def as_sheet(clinical):
    """Write a clinical table the way the TCIA collection's spreadsheet does."""
    header = [
        "Patient ID",
        "Age",
        "Sex",
        "Histological type",
        "MSKCC type",
        "Site of primary STS",
        "Grade",
        "Time – diagnosis to MRI scan (days)",
        "Treatment",
        "Outcome (recurrence, mets)",
        "Time – diagnosis to outcome (days)",
        "Status (NED, AWD, D)",
        "Time – diagnosis to last follow-up (days)",
    ]
    rows = [header]
    for patient, row in clinical.iterrows():
        progressed = row["progression_event"] == 1
        time = (
            row["met_time_days"] if row["met_event"] else row["progression_time_days"]
        )
        rows.append(
            [
                patient,
                row["age"],
                row["sex"],
                row["histology"],
                row["mskcc_type"],
                row["site"],
                row["grade"] if isinstance(row["grade"], str) else "N/A",
                -12,
                row["treatment"],
                row["outcome"],
                time if progressed else "--",
                row["status"],
                row["os_time_days"],
            ]
        )
    notes = [
        "Status: No Evidence of Disease (NED), Alive With Disease (AWD), Dead (D)."
    ]
    return [*rows, [None], ["NOTES"], notes]


@pytest.fixture
def mirror(tmp_path):
    """A mirror of three made-up patients, two of them with all they should have."""
    table = pd.DataFrame(
        {
            "age": [59.0, 61.0, 47.0],
            "sex": ["Male", "Female", "Female"],
            "histology": ["leiomyosarcoma"] * 3,
            "mskcc_type": ["Leiomyosarcoma"] * 3,
            "site": ["left thigh", "right buttock", "left hand"],
            "grade": ["High", None, "Low"],
            "treatment": [
                "Radiotherapy + Surgery",
                "Surgery + Chemotherapy",
                "Surgery",
            ],
            "outcome": ["Mets – arms", "--", "Recurrence – regional"],
            "status": ["AWD", "D", "NED"],
            "os_time_days": [845.0, 501.0, 600.0],
            "os_event": [0, 1, 0],
            "met_event": [1, 0, 0],
            "lung_met_event": [0, 0, 0],
            "met_time_days": [266.0, 501.0, 600.0],
            "progression_event": [1, 0, 1],
            "progression_time_days": [266.0, 501.0, 66.0],
        },
        index=pd.Index(["STS_101", "STS_102", "STS_103"], name="patient_id"),
    )
    (tmp_path / "tables" / "sts").mkdir(parents=True)
    table.to_csv(tmp_path / sts.CLINICAL)
    for name in ("STS_101/PET", "STS_102/PET", "STS_102/MR_T1"):
        for kind in ("image", "mask"):
            path = tmp_path / "images" / "sts" / f"{name}_{kind}.nii.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
    return tmp_path


def change(mirror, column, value):
    path = mirror / sts.CLINICAL
    table = pd.read_csv(path, dtype=str)
    table.loc[1, column] = value
    table.to_csv(path, index=False)


def test_any_patients_of_the_layout_are_loaded(mirror):
    cohort = load_sts(mirror)
    assert cohort.patients.index.tolist() == ["STS_101", "STS_102", "STS_103"]
    assert cohort.sites == ["McGill"]
    assert cohort.patients["high_grade"].tolist() == [1, 0, 0]
    assert cohort.patients["location_group"].tolist() == [
        "lower limb",
        "girdle",
        "upper limb",
    ]
    assert any("STS_102" in note and "high_grade" in note for note in cohort.notes)


def test_a_death_that_comes_first_is_a_competing_event(mirror):
    outcomes = load_sts(mirror).outcomes
    assert outcomes["mfs"]["event"].tolist() == [1, 2, 0]
    assert outcomes["lung_mfs"]["event"].tolist() == [0, 2, 0]
    assert outcomes["pfs"]["event"].tolist() == [1, 2, 1]
    assert outcomes["os"]["event"].tolist() == [0, 1, 0]


def test_missing_required_files_are_listed_with_their_path(mirror):
    cohort = load_sts(mirror)
    assert cohort.required == ("PET",)
    assert cohort.sequences == {"MR_T1": 1, "PET": 2}
    path = cohort.images.query("patient == 'STS_103'")["path"].item()
    assert path == str(mirror / "images/sts/STS_103/PET_image.nii.gz")
    (mirror / "images/sts/STS_102/MR_T1_mask.nii.gz").unlink()
    (mirror / "images/sts/STS_101/PET_image.nii.gz").unlink()
    again = load_sts(mirror)
    assert len(again.images) == len(again.masks) == 4
    assert not Path(again.images["path"][0]).exists()


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        (
            "sex",
            "F",
            "line 3, column 'sex', patient STS_102: 'F' is not Female or Male",
        ),
        ("grade", "G2", "patient STS_102: 'G2' is not Low, Intermediate, High"),
        (
            "met_event",
            "yes",
            "column 'met_event', patient STS_102: 'yes' is not 0 or 1",
        ),
        ("met_time_days", "0", "'0.0' is not a number of days above 0"),
        ("age", "old", "'old' is not an age in years"),
    ],
)
def test_a_wrong_cell_is_named(mirror, column, value, message):
    change(mirror, column, value)
    with pytest.raises(CohortError, match=message):
        load_sts(mirror)


def test_missing_columns_and_a_missing_table_are_named(mirror):
    path = mirror / sts.CLINICAL
    pd.read_csv(path).drop(columns=["met_event"]).to_csv(path, index=False)
    with pytest.raises(CohortError, match="lacks the columns met_event"):
        load_sts(mirror)
    path.unlink()
    with pytest.raises(CohortError, match=r"holds no tables/sts/sts_clinical.csv"):
        load_sts(mirror)


def test_the_real_cohort(real_data, monkeypatch):
    monkeypatch.setenv("SARCFEAT_DATA", str(real_data))
    cohort = load_sts()
    assert len(cohort.patients) == 34
    assert cohort.sequences == {"CT": 5, "MR_T1": 18, "PET": 34}
    events = {name: (t["event"] == 1).sum() for name, t in cohort.outcomes.items()}
    assert events == {"mfs": 16, "lung_mfs": 14, "pfs": 18, "os": 10}
    assert cohort.predictors == ["age", "female", "high_grade"]
    assert cohort.patients[cohort.predictors].notna().all(axis=None)
    assert all(Path(path).is_file() for path in cohort.images["path"])
    assert len(cohort.images) == len(cohort.masks) == 57
    assert not any("differ from the pinned source" in note for note in cohort.notes)


def test_a_repaired_mask_of_the_real_cohort_is_noted(real_data, tmp_path):
    shutil.copytree(real_data / "tables" / "sts", tmp_path / "tables" / "sts")
    for patient in ("STS_001", "STS_002"):
        to = tmp_path / "images" / "sts" / patient
        shutil.copytree(real_data / "images" / "sts" / patient, to)
        for path in to.iterdir():
            path.chmod(0o644)
    (tmp_path / "images/sts/STS_001/PET_mask.nii.gz").write_bytes(b"redrawn")
    notes = load_sts(tmp_path).notes
    assert "1 local files differ" in notes[-1]
    assert "STS_001/PET_mask.nii.gz" in notes[-1]


def test_the_spreadsheet_gives_the_clinical_table(real_data, tmp_path):
    """The derivation from free text, against the table of the local mirror."""
    clinical = pd.read_csv(real_data / sts.CLINICAL, index_col="patient_id")
    write_sheet(tmp_path / "sheet.xlsx", as_sheet(clinical))
    derived = clinical_from_sheet(tmp_path / "sheet.xlsx")
    derived.to_csv(tmp_path / "derived.csv")
    again = pd.read_csv(tmp_path / "derived.csv", index_col="patient_id")
    pd.testing.assert_frame_equal(again, clinical, check_like=True)


def test_a_spreadsheet_with_other_columns_is_refused(tmp_path):
    path = tmp_path / "sheet.xlsx"
    write_sheet(path, [["Patient ID", "Age"], ["STS_001", 50]])
    assert read_sheet(path).to_dict("list") == {
        "Patient ID": ["STS_001"],
        "Age": ["50"],
    }
    with pytest.raises(CohortError, match="one column that starts with 'sex'"):
        clinical_from_sheet(path)
    path.write_bytes(b"no zip")
    with pytest.raises(InputCorrupt, match=r"no .xlsx spreadsheet"):
        clinical_from_sheet(path)


def test_without_a_mirror_the_cohort_is_downloaded(
    mirror, tmp_path, monkeypatch, serve
):
    """The whole path on a source served by this machine: download, derive, load."""
    source = tmp_path / "source"
    (source / "nifti").mkdir(parents=True)
    shutil.copytree(mirror / "images" / "sts" / "STS_102", source / "nifti" / "STS_102")
    clinical = pd.read_csv(mirror / sts.CLINICAL, index_col="patient_id").iloc[[1]]
    write_sheet(source / "INFOclinical_STS.xlsx", as_sheet(clinical))
    files = {
        f"images/sts/{p.relative_to(source / 'nifti').as_posix()}": p
        for p in sorted((source / "nifti").rglob("*.nii.gz"))
    } | {sts.SHEET: source / "INFOclinical_STS.xlsx"}
    registry = pd.DataFrame(
        {
            "bytes": [p.stat().st_size for p in files.values()],
            "sha256": [
                hashlib.sha256(p.read_bytes()).hexdigest() for p in files.values()
            ],
        },
        index=pd.Index(files, name="file"),
    )
    base = serve(source)
    monkeypatch.delenv("SARCFEAT_DATA", raising=False)
    monkeypatch.setattr(fetch, "RETRIES", 0)
    monkeypatch.setattr(sts, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(sts, "read_registry", lambda name: registry)
    addresses = {"images/sts/": f"{base}nifti/", "tables/sts/": base}
    monkeypatch.setattr(sts, "ADDRESSES", addresses)
    cohort = load_sts()
    assert repr(cohort) == (
        "<Cohort 'sts': 1 patient, 1 site; mfs: 0 events, lung_mfs: 0 events, "
        "pfs: 0 events, os: 1 event; MR_T1 1, PET 1>"
    )
    assert (tmp_path / "cache" / sts.CLINICAL).is_file()
