"""Soft-tissue sarcomas of the extremities with PET, MR and CT (TCIA, McGill)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from sarcfeat._validation import listed
from sarcfeat.datasets.cohort import Cohort
from sarcfeat.datasets.fetch import checksum_notes, data_root, download, read_registry
from sarcfeat.datasets.folder import expect_files
from sarcfeat.datasets.layout import find_files
from sarcfeat.datasets.sheet import clinical_from_sheet
from sarcfeat.datasets.table import as_numbers, read_patient_table, refuse, require
from sarcfeat.exceptions import CohortError

__all__ = ["load_sts"]

CLINICAL = "tables/sts/sts_clinical.csv"
SHEET = "tables/sts/INFOclinical_STS.xlsx"
PATTERNS: Mapping[str, str] = {
    "images": "images/sts/{patient}/{sequence}_image.nii.gz",
    "masks": "images/sts/{patient}/{sequence}_mask.nii.gz",
}
# The pinned public source: the commit is part of each address.
ADDRESSES: Mapping[str, str] = {
    "images/sts/": "https://raw.githubusercontent.com/theibsi/data_sets/"
    "6da96021bc91faf4c0cb7fd7fa56a4225d2064a8/ibsi_validation/nifti/",
    "tables/sts/": "https://raw.githubusercontent.com/Agampreet25/sarcoma-multimodal/"
    "f0a765a9dc7389db55575c8a587c4cfb78804493/sarcoma_multimodal_ai/",
}
REQUIRED = ("PET",)
CITATION = (
    "TCIA Soft-tissue-Sarcoma (Vallières 2015, doi 10.7937/K9/TCIA.2015.7GO2GSKS; "
    "Phys Med Biol 60:5471), CC BY 3.0; NIfTI by the IBSI (theibsi/data_sets)"
)
# Endpoint: columns with the event and with the time in days from diagnosis.
ENDPOINTS: Mapping[str, tuple[str, str]] = {
    "mfs": ("met_event", "met_time_days"),
    "lung_mfs": ("lung_met_event", "met_time_days"),
    "pfs": ("progression_event", "progression_time_days"),
    "os": ("os_event", "os_time_days"),
}
CLINICAL_COLUMNS = (
    "age",
    "sex",
    "grade",
    "histology",
    "mskcc_type",
    "site",
    "treatment",
)
ROLES: Mapping[str, str] = {
    "age": "predictor",
    "female": "predictor",
    "high_grade": "predictor",
    "grade": "description",
    "histology": "description",
    "mskcc_type": "description",
    "location": "description",
    "location_group": "description",
    "radiotherapy": "treatment",
    "chemotherapy": "treatment",
}
UNITS: Mapping[str, str] = {
    "age": "years",
    "female": "0/1",
    "high_grade": "0/1",
    "radiotherapy": "0/1",
    "chemotherapy": "0/1",
}
UPPER_LIMB = ("arm", "biceps", "hand", "forearm", "elbow", "wrist", "shoulder", "scap")
GIRDLE = ("buttock", "pelvis", "groin", "hip", "glute", "inguinal")


def load_sts(root: str | Path | None = None) -> Cohort:
    """Load the soft-tissue sarcomas of the extremities of McGill University (TCIA).

    PET for all patients, T1-weighted MR and CT for some; one contour of the gross
    tumour each. Endpoints: ``mfs`` (distant metastasis), ``lung_mfs``, ``pfs``
    (recurrence or metastasis) and ``os``, in days from diagnosis.

    Parameters
    ----------
    root : path, optional
        Folder with ``images/sts/<patient>/<sequence>_image.nii.gz`` and
        ``_mask.nii.gz`` and with ``tables/sts/sts_clinical.csv``; every patient of
        that table is loaded. Default: the folder that ``SARCFEAT_DATA`` names, else
        the pinned public source, downloaded once (150 MB) and checked by sha256.

    Returns
    -------
    Cohort
        PET is required: its path is listed for every patient, there or not. MR_T1 and
        CT are listed where they exist. Files that differ from the pinned ones are
        named in ``notes`` and used.

    Raises
    ------
    CohortError
        No such folder, no clinical table, or the source cannot be reached.
    InputCorrupt
        A download that is not the pinned file.

    Notes
    -----
    Numeric predictors for a small number of events: ``age``, ``female`` and
    ``high_grade`` (1 = documented as high grade; intermediate, low *and unknown* are
    0, and ``notes`` names the unknown ones). A death without metastasis is a competing
    event (2) of ``mfs`` and ``lung_mfs``; a metastasis outside the lung ends
    follow-up for ``lung_mfs``.

    References
    ----------
    Vallières et al., Phys Med Biol 60:5471 (2015), doi 10.1088/0031-9155/60/14/5471.

    Examples
    --------
    >>> cohort = load_sts("data")  # doctest: +SKIP
    >>> cohort  # doctest: +SKIP
    <Cohort 'sts': 34 patients, 1 site; mfs: 16 events, ...; CT 5, MR_T1 18, PET 34>
    """
    folder = data_root(root)
    if folder is None:
        folder = fetch_sts(cache_folder())
    path = folder / CLINICAL
    if not path.is_file():
        raise CohortError(
            f"{folder} holds no {CLINICAL}. Give the folder that holds tables/ and "
            "images/, or no folder to download the cohort."
        )
    table = read_patient_table(path, "patient_id")
    patients, notes = _patients(path, table)
    images, masks = (
        found[found["patient"].isin(patients.index)]
        for found in (find_files(folder, kind, PATTERNS[kind]) for kind in PATTERNS)
    )
    images, masks = expect_files(
        folder, images, masks, patients.index, REQUIRED, PATTERNS
    )
    files = [
        Path(p).relative_to(folder).as_posix() for p in [*images.path, *masks.path]
    ]
    notes += checksum_notes(folder, read_registry("sts"), files)
    return Cohort(
        name="sts",
        patients=patients,
        roles=dict(ROLES),
        units=dict(UNITS),
        outcomes=_outcomes(path, table),
        images=images,
        masks=masks,
        required=REQUIRED,
        notes=notes,
        citation=CITATION,
    )


def cache_folder() -> Path:
    """Return the per-user folder that downloads are kept in."""
    import pooch

    return Path(pooch.os_cache("sarcfeat"))


def fetch_sts(folder: Path) -> Path:
    """Download the cohort into a folder laid out like a local mirror.

    The clinical CSV is derived from the pinned spreadsheet of the TCIA collection.
    """
    download(read_registry("sts"), folder, ADDRESSES)
    if not (folder / CLINICAL).is_file():
        table = clinical_from_sheet(folder / SHEET)
        table.to_csv(folder / CLINICAL, lineterminator="\n", encoding="utf-8")
    return folder


def _patients(path: Path, table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Choose, rename and code the clinical columns; the hospital is the site."""
    require(path, table, [*CLINICAL_COLUMNS, *sum(ENDPOINTS.values(), ())])
    sex = table["sex"].astype("str").str.lower()
    refuse(path, table["sex"], ~sex.isin(["female", "male"]), "Female or Male")
    treatment = table["treatment"].fillna("").astype("str").str.lower()
    grade = table["grade"]
    refuse(
        path,
        grade,
        grade.notna() & ~grade.isin(["Low", "Intermediate", "High"]),
        "Low, Intermediate, High or empty",
    )
    patients = pd.DataFrame(
        {
            "site": "McGill",
            "age": as_numbers(path, table["age"], "an age in years"),
            "female": (sex == "female").astype(np.int64),
            "high_grade": (grade == "High").astype(np.int64),
            "grade": grade,
            "histology": table["histology"],
            "mskcc_type": table["mskcc_type"],
            "location": table["site"],
            "location_group": table["site"].map(_location_group),
            "radiotherapy": treatment.str.contains("radio").astype(np.int64),
            "chemotherapy": treatment.str.contains("chemo").astype(np.int64),
        },
        index=table.index,
    )
    notes = [
        "One hospital (McGill University Health Centre); times from diagnosis.",
        "The column 'site' of the source is the tumour's place; here: location.",
    ]
    unknown = grade.index[grade.isna()]
    if len(unknown):
        notes.append(
            f"Grade is unknown for {len(unknown)} patients ({listed(unknown)}): "
            "high_grade = 1 means documented as high grade, so theirs is 0."
        )
    return patients, notes


def _location_group(text: object) -> str | None:
    """Group the tumour's place: upper limb, girdle (hip, groin), else lower limb."""
    if not isinstance(text, str):
        return None
    for group, words in (("girdle", GIRDLE), ("upper limb", UPPER_LIMB)):
        if any(word in text.lower() for word in words):
            return group
    return "lower limb"


def _outcomes(path: Path, table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Build the endpoints; a death that comes first is a competing event."""
    outcomes = {}
    for endpoint, (event_column, time_column) in ENDPOINTS.items():
        event = as_numbers(path, table[event_column], "0 or 1")
        refuse(path, table[event_column], ~event.isin([0, 1]), "0 or 1")
        time = as_numbers(path, table[time_column], "a number of days")
        refuse(path, table[time_column], ~(time > 0), "a number of days above 0")
        event = event.astype(np.int64)
        if endpoint != "os":
            died_first = (
                (event == 0)
                & (table["os_event"] == 1)
                & (time >= table["os_time_days"])
            )
            event = event.mask(died_first, 2)
        outcomes[endpoint] = pd.DataFrame({"time": time.astype(float), "event": event})
    return outcomes
