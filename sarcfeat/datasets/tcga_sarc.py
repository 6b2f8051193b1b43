"""Adult sarcomas of The Cancer Genome Atlas: clinical table, no images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from sarcfeat._validation import listed
from sarcfeat.datasets.cohort import Cohort
from sarcfeat.datasets.fetch import checksum_notes, data_root, read_registry
from sarcfeat.datasets.table import as_numbers, read_patient_table, refuse, require
from sarcfeat.exceptions import CohortError

__all__ = ["load_tcga_sarc"]

FOLDER = "tables/tcga_sarc"
PREFIX = "tcga_sarc_master"
SOURCE = (
    "https://github.com/kmccoy3/weighted-trees at commit 1ceae068b8f9, "
    "3.2_Real-Data-Analysis/data/SARC_Master_Patient_Table.xlsx, sheet 1"
)
CITATION = (
    "TCGA-SARC, NCI GDC open access; Cell 171:950 (2017), "
    "doi 10.1016/j.cell.2017.10.014"
)
HISTOLOGY: Mapping[str, str] = {
    "DDLPS": "dedifferentiated liposarcoma",
    "UPS": "undifferentiated pleomorphic sarcoma",
    "STLMS": "leiomyosarcoma, soft tissue",
    "ULMS": "leiomyosarcoma, gynaecological",
    "MFS": "myxofibrosarcoma",
    "SS": "synovial sarcoma",
    "MPNST": "malignant peripheral nerve sheath tumour",
}
# What `Tumor_Site` starts with; the first match wins.
LOCATION: Mapping[str, str] = {
    "Lower Extremity": "lower limb",
    "Upper Extremity": "upper limb",
    "Retroperitoneum": "retroperitoneum/abdomen",
    "Gynecological": "gynaecological/pelvic",
    "Lower abdominal": "gynaecological/pelvic",
    "Chest": "trunk",
    "Superficial Trunk": "trunk",
    "Head and Neck": "head and neck",
}
COLUMNS = (
    "age_at_diagnosis",
    "gender",
    "pathologic_tumor_size",
    "Pathology_review_depth",
    "FNCLCC_grade",
    "disease_multifocal_indicator",
    "Tumor_Site",
    "short_histo",
    "history_other_malignancy",
    "residual_tumor",
    "radiation_treatment_adjuvant",
    "pharmaceutical_tx_adjuvant",
    "OS_days",
    "os_event",
    "RFS_days",
    "rfs_event",
    "distant_recurrence",
    "distant_recurrence_days",
)
ROLES: Mapping[str, str] = {
    "age": "predictor",
    "female": "predictor",
    "size_cm": "predictor",
    "deep": "predictor",
    "grade": "predictor",
    "multifocal": "predictor",
    "location": "description",
    "histology": "description",
    "other_malignancy": "description",
    "margin": "postoperative",
    "radiotherapy": "treatment",
    "chemotherapy": "treatment",
}
UNITS: Mapping[str, str] = {
    "age": "years",
    "female": "0/1",
    "size_cm": "cm",
    "deep": "0/1",
    "grade": "FNCLCC grade 1-3",
    "multifocal": "0/1",
    "other_malignancy": "0/1",
    "radiotherapy": "0/1",
    "chemotherapy": "0/1",
}
NOTES = (
    "Times are days from diagnosis. rfs counts relapse or death; dm counts distant "
    "metastasis, and death without it is the competing event (2).",
    "Size, grade and depth were read on the surgical specimen; the margin is known "
    "only after surgery (role postoperative); treatment was adjuvant.",
    "site is the tissue source site of the barcode: many hospitals have few patients.",
    "Outcome-like columns of the source (tumor status, new tumor event, treatment "
    "outcome, sites of recurrence) are left out.",
)


def load_tcga_sarc(root: str | Path | None = None) -> Cohort:
    """Load the sarcoma patients of TCGA-SARC: clinical variables and follow-up.

    Endpoints: ``os``, ``rfs`` (relapse or death) and ``dm`` (distant metastasis, death
    without it as competing event 2), in days from diagnosis. No images.

    Parameters
    ----------
    root : path, optional
        Folder with ``tables/tcga_sarc/tcga_sarc_master*.csv``; every patient of that
        table is loaded. Default: the folder that ``SARCFEAT_DATA`` names.

    Returns
    -------
    Cohort
        ``size_cm``, ``multifocal``, ``deep`` and the treatments are missing (NaN)
        where the source does not know them. The predictors are numbers; histology
        and location are text (role ``description``) and enter a model by name only.

    Raises
    ------
    CohortError
        No folder is given, or it holds no such table. The source publishes the table
        as a spreadsheet without a checksum of ours, so it is not downloaded.

    References
    ----------
    Cancer Genome Atlas Research Network, Cell 171:950 (2017).

    Examples
    --------
    >>> cohort = load_tcga_sarc("data")  # doctest: +SKIP
    >>> cohort  # doctest: +SKIP
    <Cohort 'tcga-sarc': 137 patients, 29 sites; os: 52 events, ...; no images>
    """
    path = _find_table(root)
    table = read_patient_table(path, "TCGA_barcode")
    require(path, table, COLUMNS)
    # TCGA-3B-A9HI-01: source site 3B, participant A9HI, primary tumour 01.
    parts = table.index.str.extract(r"^(TCGA-(\w{2})-\w{4})(?:-\d{2}\w?)?$")
    refuse(
        path,
        table.index.to_series().rename("TCGA_barcode"),
        pd.Series(parts[0].isna().to_numpy(), table.index),
        "a TCGA barcode such as TCGA-3B-A9HI-01",
    )
    outcomes = _outcomes(path, table)
    patients = _patients(path, table, parts[1].to_numpy())
    ids = pd.Index(parts[0], name="patient")
    return Cohort(
        name="tcga-sarc",
        patients=patients.set_index(ids),
        roles=dict(ROLES),
        units=dict(UNITS),
        outcomes={name: found.set_index(ids) for name, found in outcomes.items()},
        notes=[*NOTES, *_check_sum(path)],
        citation=CITATION,
    )


def _find_table(root: str | Path | None) -> Path:
    folder = data_root(root)
    if folder is None:
        raise CohortError(
            "TCGA-SARC is read from a local folder: give root or set SARCFEAT_DATA to "
            f"a folder with {FOLDER}/{PREFIX}*.csv. The table is {SOURCE}, saved as "
            "CSV."
        )
    found = sorted((folder / FOLDER).glob(f"{PREFIX}*.csv"))
    if len(found) != 1:
        raise CohortError(
            f"{folder / FOLDER} holds {len(found)} files {PREFIX}*.csv; expected one. "
            f"The table is {SOURCE}, saved as CSV."
        )
    return found[0]


def _check_sum(path: Path) -> list[str]:
    registry = read_registry("tcga_sarc")
    file = f"{FOLDER}/{path.name}"
    return checksum_notes(path.parents[2], registry, [file])


def _patients(path: Path, table: pd.DataFrame, site: np.ndarray) -> pd.DataFrame:
    sex = table["gender"].astype("str").str.upper()
    refuse(path, table["gender"], ~sex.isin(["FEMALE", "MALE"]), "FEMALE or MALE")
    grade = as_numbers(path, table["FNCLCC_grade"], "1, 2 or 3")
    refuse(path, table["FNCLCC_grade"], ~grade.isin([1, 2, 3]), "1, 2 or 3")
    histology = table["short_histo"].map(HISTOLOGY).fillna(table["short_histo"])
    margin = table["residual_tumor"].where(table["residual_tumor"] != "RX")
    return pd.DataFrame(
        {
            "site": site,
            "age": as_numbers(path, table["age_at_diagnosis"], "an age in years"),
            "female": (sex == "FEMALE").astype(np.int64),
            "size_cm": as_numbers(path, table["pathologic_tumor_size"], "a size in cm"),
            "deep": _coded(table["Pathology_review_depth"], "deep", "superficial"),
            "grade": grade.astype(np.int64),
            "multifocal": _coded(table["disease_multifocal_indicator"]),
            "location": table["Tumor_Site"].map(_location),
            "histology": histology,
            "other_malignancy": _coded(table["history_other_malignancy"]),
            "margin": margin,
            "radiotherapy": _coded(table["radiation_treatment_adjuvant"]),
            "chemotherapy": _coded(table["pharmaceutical_tx_adjuvant"]),
        },
        index=table.index,
    )


def _coded(column: pd.Series, yes: str = "yes", no: str = "no") -> pd.Series:
    """Code a two-valued column as 1 and 0; anything else, "[Unknown]", is missing."""
    return column.str.lower().map({yes: 1.0, no: 0.0})


def _location(text: object) -> str | None:
    if not isinstance(text, str):
        return None
    groups = [group for start, group in LOCATION.items() if text.startswith(start)]
    return groups[0] if groups else "other"


def _outcomes(path: Path, table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Build os, rfs and dm; without distant recurrence follow-up is that of os."""
    columns = {
        name: as_numbers(path, table[name], "a number of days")
        for name in ("OS_days", "RFS_days", "distant_recurrence_days")
    }
    follow_up = columns["OS_days"]
    died = as_numbers(path, table["os_event"], "0 or 1") == 1
    relapsed = as_numbers(path, table["rfs_event"], "0 or 1") == 1
    distant = table["distant_recurrence"] == "Distant Metastasis"
    time = columns["distant_recurrence_days"].where(distant, follow_up)
    refuse(
        path,
        table["distant_recurrence_days"],
        distant & columns["distant_recurrence_days"].isna(),
        "the day of the distant metastasis",
    )
    code = distant.astype(np.int64).mask(~distant & died, 2)
    return {
        "os": _endpoint(follow_up, died),
        "rfs": _endpoint(columns["RFS_days"], relapsed),
        "dm": _endpoint(time, code),
    }


def _endpoint(time: pd.Series, event: pd.Series) -> pd.DataFrame:
    if time.isna().any():
        raise CohortError(
            f"Follow-up is missing for {listed(time.index[time.isna()])}."
        )
    return pd.DataFrame({"time": time.astype(float), "event": event.astype(np.int64)})
