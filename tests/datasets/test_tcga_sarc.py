import pandas as pd
import pytest

from sarcfeat.datasets import load_tcga_sarc
from sarcfeat.datasets.tcga_sarc import COLUMNS
from sarcfeat.exceptions import CohortError

ROW = {
    "TCGA_barcode": "TCGA-3B-A9HI-01",
    "age_at_diagnosis": 68,
    "gender": "MALE",
    "pathologic_tumor_size": 8.0,
    "Pathology_review_depth": "deep",
    "FNCLCC_grade": 3,
    "disease_multifocal_indicator": "[Unknown]",
    "Tumor_Site": "Upper Extremity - Upper arm/elbow",
    "short_histo": "UPS",
    "history_other_malignancy": "No",
    "residual_tumor": "R1",
    "radiation_treatment_adjuvant": "NO",
    "pharmaceutical_tx_adjuvant": "YES",
    "OS_days": 1521,
    "os_event": 0,
    "RFS_days": 606,
    "rfs_event": 1,
    "distant_recurrence": "Distant Metastasis",
    "distant_recurrence_days": 791,
}


@pytest.fixture
def write(tmp_path):
    def write_table(**changed):
        folder = tmp_path / "tables" / "tcga_sarc"
        folder.mkdir(parents=True, exist_ok=True)
        other = {**ROW, "TCGA_barcode": "TCGA-DX-AAAA-01", **changed}
        pd.DataFrame([ROW, other]).to_csv(
            folder / "tcga_sarc_master_mine.csv", index=False
        )
        return tmp_path

    return write_table


def test_any_patients_of_the_layout_are_loaded(write):
    cohort = load_tcga_sarc(
        write(distant_recurrence=None, distant_recurrence_days=None, os_event=1)
    )
    assert cohort.patients.index.tolist() == ["TCGA-3B-A9HI", "TCGA-DX-AAAA"]
    assert cohort.sites == ["3B", "DX"]
    assert cohort.outcomes["dm"].to_numpy().tolist() == [[791, 1], [1521, 2]]
    assert cohort.patients["multifocal"].isna().all()
    assert cohort.patients["chemotherapy"].tolist() == [1, 1]
    assert cohort.patients["location"].tolist() == ["upper limb"] * 2


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"TCGA_barcode": "DX-AAAA"}, "'DX-AAAA' is not a TCGA barcode"),
        ({"FNCLCC_grade": 4}, "column 'FNCLCC_grade'.*'4' is not 1, 2 or 3"),
        ({"gender": "x"}, "line 3, column 'gender'.*'x' is not FEMALE or MALE"),
        ({"distant_recurrence_days": None}, "empty cell is not the day of the distant"),
        (
            {"OS_days": None, "distant_recurrence": None},
            "Follow-up is missing for TCGA-DX",
        ),
    ],
)
def test_a_wrong_cell_is_named(write, changed, message):
    with pytest.raises(CohortError, match=message):
        load_tcga_sarc(write(**changed))


def test_missing_columns_are_named(write):
    root = write()
    path = root / "tables" / "tcga_sarc" / "tcga_sarc_master_mine.csv"
    pd.read_csv(path).drop(columns=["RFS_days", "gender"]).to_csv(path, index=False)
    with pytest.raises(CohortError, match="lacks the columns gender, RFS_days"):
        load_tcga_sarc(root)
    assert set(ROW) - {"TCGA_barcode"} == set(COLUMNS)


def test_without_a_folder_the_error_says_where_the_table_is(tmp_path, monkeypatch):
    monkeypatch.delenv("SARCFEAT_DATA", raising=False)
    with pytest.raises(CohortError, match=r"set SARCFEAT_DATA.*weighted-trees"):
        load_tcga_sarc()
    with pytest.raises(CohortError, match="holds 0 files tcga_sarc_master"):
        load_tcga_sarc(tmp_path)


def test_the_real_cohort(real_data):
    cohort = load_tcga_sarc(real_data)
    assert len(cohort.patients) == 137
    assert len(cohort.sites) == 29
    events = {name: (t["event"] == 1).sum() for name, t in cohort.outcomes.items()}
    assert events == {"os": 52, "rfs": 79, "dm": 45}
    assert cohort.images.empty
    assert cohort.roles["margin"] == "postoperative"
    assert not any("differ from the pinned source" in note for note in cohort.notes)
    missing = cohort.patients.isna().sum()
    assert missing[["size_cm", "deep", "multifocal", "margin"]].tolist() == [
        4,
        14,
        11,
        12,
    ]
    assert "tumor_status" not in cohort.patients.columns
    dm, os = cohort.outcomes["dm"], cohort.outcomes["os"]
    assert (dm["time"] <= os["time"]).all()
    assert ((dm["event"] == 2) <= (os["event"] == 1)).all()
