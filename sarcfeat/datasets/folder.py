"""Read a cohort from a folder; say exactly which part of it is wrong."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sarcfeat._validation import did_you_mean, listed
from sarcfeat.datasets.cohort import IMAGE_COLUMNS, MASK_COLUMNS, ROLES, Cohort
from sarcfeat.datasets.layout import PATTERNS, SLIDE_PATTERN, find_files
from sarcfeat.datasets.slide_files import find_slides
from sarcfeat.datasets.table import (
    as_dates,
    as_numbers,
    line_of,
    read_patient_table,
    refuse,
)
from sarcfeat.exceptions import CohortError

__all__ = ["load_folder"]

KNOWN_PATTERNS: Mapping[str, str] = {**PATTERNS, "slides": SLIDE_PATTERN}
SETTINGS: Mapping[str, type] = {
    "name": str,
    "index_time": str,
    "required": list,
    "notes": list,
    "citation": str,
    "patterns": dict,
    "units": dict,
    "roles": dict,
}


def load_folder(root: str | Path) -> Cohort:
    r"""Load a cohort from a folder of tables and images.

    Any part may be missing::

        patients.csv   one row a patient: patient, site (the hospital), dates and
                       clinical columns; an empty cell is a missing value
        outcomes.csv   patient, and for each endpoint <endpoint>_time (days from the
                       index time) and <endpoint>_event (0 follow-up ended, 1 event,
                       2 competing event such as death); both empty: no follow-up
        images/        images/{patient}/{sequence}.nii.gz
        masks/         masks/{reader}/{patient}/{sequence}.nii.gz, lesion = 1
        slides/        slides/{patient}/{slide}.{ext} (svs, ndpi, mrxs, tif, …), and
                       annotations of the same name (ndpa, geojson, xml)
        cohort.toml    name = "…", index_time = "surgery_date", required = ["t1"],
                       notes = ["…"], citation = "…", and the tables
                       [patterns] images = "…", masks = "…" (fields patient, sequence,
                       and for masks reader and session), slides = "…" (fields patient,
                       slide, ext),
                       [units] age = "years", [roles] chemotherapy = "treatment"
        truth.csv      the true risk of simulated patients (never a clinical variable)

    Without ``patients.csv`` the patients are those of ``outcomes.csv`` and of the
    images. Without a ``site`` column all patients are of one site.

    Parameters
    ----------
    root : path
        The folder.

    Returns
    -------
    Cohort
        Images of patients that ``patients.csv`` does not list are left out and named
        in ``dropped``. A sequence that ``cohort.toml`` requires is listed for every
        patient, whether its file exists or not.

    Raises
    ------
    CohortError
        A part that is there and cannot be used: the message names the file, line,
        column and value and says what was expected.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     patients, outcomes = Path(name, "patients.csv"), Path(name, "outcomes.csv")
    ...     _ = patients.write_text("patient,site,age\nP1,H1,61\n")
    ...     _ = outcomes.write_text("patient,mfs_time,mfs_event\nP1,90,1\n")
    ...     cohort = load_folder(name)
    >>> cohort.outcomes["mfs"]
             time  event
    patient
    P1       90.0      1
    """
    root = Path(root)
    if not root.is_dir():
        raise CohortError(f"No cohort folder {root}. Give an existing folder.")
    settings = _read_settings(root / "cohort.toml")
    patterns = {**KNOWN_PATTERNS, **settings.get("patterns", {})}
    images = find_files(root, "images", patterns["images"])
    masks = find_files(root, "masks", patterns["masks"])
    slides, annotations = find_slides(root, patterns["slides"])
    name = settings.get("name", root.resolve().name)
    outcomes = _read_outcomes(root / "outcomes.csv")
    patients, notes = _read_patients(
        root, settings, outcomes, {*images["patient"], *slides["patient"]}
    )
    _check_strangers(root / "outcomes.csv", outcomes, patients.index)
    (images, masks, slides, annotations), dropped = _leave_out_strangers(
        (images, masks, slides, annotations), patients.index
    )
    required = tuple(settings.get("required", ()))
    images, masks = expect_files(
        root, images, masks, patients.index, required, patterns
    )
    return Cohort(
        name=name,
        patients=patients,
        roles=settings.get("roles", {}),
        units=settings.get("units", {}),
        outcomes=outcomes,
        images=images,
        masks=masks,
        index_time=settings.get("index_time"),
        required=required,
        dropped=dropped,
        notes=[*settings.get("notes", []), *notes],
        truth=_read_truth(root / "truth.csv"),
        citation=settings.get("citation", ""),
        slides=slides,
        annotations=annotations,
    )


def expect_files(
    root: Path,
    images: pd.DataFrame,
    masks: pd.DataFrame,
    patients: pd.Index,
    required: tuple[str, ...],
    patterns: Mapping[str, str],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Add the files that should exist: what cannot be read can then be named.

    Each required sequence of each patient is an image; each image has a contour of
    at least the first reader; each contour has an image.
    """
    reader = min(masks["reader"], default="A")
    wanted = {(patient, sequence) for patient in patients for sequence in required}
    drawn = set(zip(masks["patient"], masks["sequence"], strict=True))
    seen = set(zip(images["patient"], images["sequence"], strict=True))
    wanted |= drawn | seen
    more_images, more_masks = [], []
    for patient, sequence in sorted(wanted):
        row = {"patient": patient, "sequence": sequence, "reader": reader, "session": 1}
        if (patient, sequence) not in seen:
            path = str(root / patterns["images"].format(**row))
            more_images.append({**row, "path": path})
        if (patient, sequence) not in drawn:
            path = str(root / patterns["masks"].format(**row))
            more_masks.append({**row, "path": path})
    return (
        _appended(images, more_images, IMAGE_COLUMNS),
        _appended(masks, more_masks, MASK_COLUMNS),
    )


def _appended(
    table: pd.DataFrame, rows: list[dict[str, Any]], columns: tuple[str, ...]
) -> pd.DataFrame:
    records = table.to_dict("records") + rows
    whole = pd.DataFrame(records, columns=list(columns))
    by = [name for name in columns if name != "path"]
    return whole.sort_values(by, ignore_index=True, kind="stable")


def _read_settings(path: Path) -> dict[str, Any]:
    """Read cohort.toml; refuse what it does not know, with the near miss."""
    if not path.exists():
        return {}
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CohortError(f"{path} is no valid TOML: {error}.") from error
    for key, value in settings.items():
        if key not in SETTINGS:
            raise CohortError(
                f"{path}: unknown setting {key!r}.{did_you_mean(key, SETTINGS)} "
                f"Known: {', '.join(SETTINGS)}."
            )
        if not isinstance(value, SETTINGS[key]):
            kind = {"str": "text", "list": "a list", "dict": "a table"}
            raise CohortError(
                f"{path}: {key} = {value!r} should be {kind[SETTINGS[key].__name__]}."
            )
    _check_choices(
        path, "patterns", settings.get("patterns", {}), KNOWN_PATTERNS, keys=True
    )
    _check_choices(path, "roles", settings.get("roles", {}), ROLES, keys=False)
    return settings


def _check_choices(
    path: Path, table: str, pairs: dict[str, str], known: Any, *, keys: bool
) -> None:
    for key, value in pairs.items():
        choice = key if keys else value
        if choice not in known:
            raise CohortError(
                f"{path}, [{table}]: {key} = {value!r}: unknown {choice!r}."
                f"{did_you_mean(choice, known)} Known: {', '.join(known)}."
            )


def _read_outcomes(path: Path) -> dict[str, pd.DataFrame]:
    """Read outcomes.csv into one table an endpoint."""
    if not path.exists():
        return {}
    table = read_patient_table(path)
    outcomes = {}
    for column in table.columns:
        endpoint, _, kind = column.rpartition("_")
        other = {"time": "event", "event": "time"}.get(kind)
        if not endpoint or other is None:
            raise CohortError(
                f"{path}, column {column!r}: expected <endpoint>_time or "
                "<endpoint>_event, such as mfs_time and mfs_event."
            )
        if f"{endpoint}_{other}" not in table.columns:
            raise CohortError(
                f"{path} has the column {column!r} and not {endpoint}_{other}; an "
                "endpoint needs both."
            )
        if kind == "time":
            outcomes[endpoint] = _read_endpoint(path, table, endpoint)
    return outcomes


def _read_endpoint(path: Path, table: pd.DataFrame, endpoint: str) -> pd.DataFrame:
    time_column, event_column = f"{endpoint}_time", f"{endpoint}_event"
    time = as_numbers(path, table[time_column], "a number of days, 0 or more")
    event = as_numbers(path, table[event_column], "0, 1 or 2")
    refuse(path, table[time_column], time < 0, "a number of days, 0 or more")
    known = "0 (follow-up ended), 1 (event) or 2 (competing event)"
    refuse(path, table[event_column], event.notna() & ~event.isin([0, 1, 2]), known)
    half = time.isna() != event.isna()
    if half.any():
        patient = half.index[half][0]
        empty = time_column if pd.isna(time[patient]) else event_column
        raise CohortError(
            f"{path}, line {line_of(table, patient)}, patient {patient}: {empty} is "
            f"empty and the other column of {endpoint} is not. Fill in both or neither."
        )
    kept = pd.DataFrame({"time": time, "event": event}).dropna()
    return kept.astype({"time": float, "event": np.int64})


def _read_patients(
    root: Path,
    settings: dict[str, Any],
    outcomes: dict[str, pd.DataFrame],
    pictured: set[str],
) -> tuple[pd.DataFrame, list[str]]:
    """Read patients.csv, or gather the patients from the other parts."""
    path = root / "patients.csv"
    notes = []
    if path.exists():
        table = read_patient_table(path)
    else:
        ids = pictured.union(*(t.index for t in outcomes.values()))
        if not ids:
            raise CohortError(
                f"{root} holds no patients.csv, no outcomes.csv and no image that "
                f"fits {settings.get('patterns', PATTERNS).get('images')!r}."
            )
        table = pd.DataFrame(index=pd.Index(sorted(ids), name="patient"))
        notes.append("No patients.csv: the patients are those of the other files.")
    site = _sites(path, table, settings, root, notes)
    dates = {c for c, role in settings.get("roles", {}).items() if role == "date"}
    dates |= {settings["index_time"]} if "index_time" in settings else set()
    units = settings.get("units", {})
    for title, columns in (
        ("[units]", units),
        ("[roles]", settings.get("roles", {})),
        ("index_time", dates),
    ):
        _check_columns(root, title, columns, table)
    clinical = {}
    for column in table.columns.drop("site", errors="ignore"):
        if column in dates:
            clinical[column] = as_dates(path, table[column])
        elif column in units:
            clinical[column] = as_numbers(
                path, table[column], f"a number ({units[column]}: cohort.toml, [units])"
            )
        else:
            clinical[column] = table[column]
    return pd.DataFrame({"site": site, **clinical}, index=table.index), notes


def _sites(
    path: Path,
    table: pd.DataFrame,
    settings: dict[str, Any],
    root: Path,
    notes: list[str],
) -> pd.Series | str:
    if "site" not in table.columns:
        notes.append("No column 'site': all patients are taken as of one site.")
        return str(settings.get("name", root.resolve().name))
    refuse(path, table["site"], table["site"].isna(), "the name of a hospital")
    return table["site"]


def _check_columns(root: Path, title: str, columns: Any, table: pd.DataFrame) -> None:
    for column in columns:
        if column not in table.columns:
            raise CohortError(
                f"{root / 'cohort.toml'}, {title}: patients.csv has no column "
                f"{column!r}.{did_you_mean(column, table.columns)}"
            )


def _check_strangers(
    path: Path, outcomes: dict[str, pd.DataFrame], patients: pd.Index
) -> None:
    strangers = sorted({p for t in outcomes.values() for p in t.index} - set(patients))
    if strangers:
        raise CohortError(
            f"{path}, column 'patient': {listed(strangers)} not in patients.csv."
            f"{did_you_mean(strangers[0], patients)} Correct the id or add the row."
        )


def _leave_out_strangers(
    tables: tuple[pd.DataFrame, ...], patients: pd.Index
) -> tuple[list[pd.DataFrame], pd.DataFrame]:
    found = {patient for table in tables for patient in table["patient"]}
    strangers = sorted(found - set(patients))
    reason = "images, masks or slides and no row in patients.csv"
    dropped = pd.DataFrame(
        [{"patient": patient, "reason": reason} for patient in strangers],
        columns=["patient", "reason"],
    )
    kept = [
        table[table["patient"].isin(patients)].reset_index(drop=True)
        for table in tables
    ]
    return kept, dropped


def _read_truth(path: Path) -> pd.DataFrame | None:
    return read_patient_table(path) if path.exists() else None
