"""The clinical spreadsheet of the TCIA Soft-tissue-Sarcoma collection, as a table.

An .xlsx file is a zip of XML; the one sheet is read with the standard library, so that
one table costs no further dependency.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd

from sarcfeat._validation import listed
from sarcfeat.exceptions import CohortError, InputCorrupt

__all__ = ["clinical_from_sheet", "read_sheet"]

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
# What a header of the sheet starts with, letters only.
HEADERS: Mapping[str, str] = {
    "patient_id": "patientid",
    "age": "age",
    "sex": "sex",
    "histology": "histolog",
    "mskcc_type": "mskcctype",
    "site": "site",
    "grade": "grade",
    "treatment": "treatment",
    "outcome": "outcome",
    "status": "status",
    "time_to_outcome": "timediagnosistooutcome",
    "follow_up": "timediagnosistolastfollowup",
}
MISSING = ("", "N/A", "NA", "--", "-", "–")


def read_sheet(path: Path) -> pd.DataFrame:
    """Read the first sheet of an .xlsx file as text; its first row is the header.

    Raises
    ------
    InputCorrupt
        The file is no spreadsheet.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            shared = _shared_strings(archive)
            sheet = ElementTree.fromstring(archive.read("xl/worksheets/sheet1.xml"))
    except (zipfile.BadZipFile, KeyError, ElementTree.ParseError) as error:
        raise InputCorrupt(f"{path} is no .xlsx spreadsheet: {error}.") from error
    rows = [
        {_column(cell): _text(cell, shared) for cell in row.iter(f"{MAIN}c")}
        for row in sheet.iter(f"{MAIN}row")
    ]
    table = pd.DataFrame(rows[1:]).fillna("")
    return table.rename(columns=rows[0])


def clinical_from_sheet(path: Path) -> pd.DataFrame:
    """Derive the clinical table of the cohort from the collection's spreadsheet.

    The outcome is free text: "Mets – lungs", "Recurrence – regional" or "--". A
    metastasis is an outcome that names mets; progression is any outcome. Without one,
    the time is that of the last follow-up. ``Status`` D means dead.

    Returns
    -------
    DataFrame
        Indexed by patient id, columns as ``sts_clinical.csv``.
    """
    sheet = read_sheet(path)
    columns = {name: _find(sheet, path, start) for name, start in HEADERS.items()}
    sheet = sheet.rename(columns={found: name for name, found in columns.items()})
    sheet = sheet[sheet["patient_id"].str.fullmatch(r"STS_\d{3}")]
    sheet = sheet.set_index("patient_id")[[n for n in HEADERS if n != "patient_id"]]
    outcome = sheet["outcome"].str.lower()
    mets = outcome.str.contains("met")
    progressed = ~sheet["outcome"].str.strip().isin(MISSING)
    follow_up = _days(path, sheet["follow_up"])
    to_outcome = _days(path, sheet["time_to_outcome"].where(progressed, ""))
    known = sheet.apply(lambda c: c.str.strip().where(~c.str.strip().isin(MISSING)))
    return pd.DataFrame(
        {
            **{name: known[name] for name in ("age", "sex", "histology")},
            **{name: known[name] for name in ("mskcc_type", "site", "grade")},
            "treatment": known["treatment"],
            "outcome": sheet["outcome"],
            "status": known["status"],
            "os_time_days": follow_up,
            "os_event": (known["status"] == "D").astype(int),
            "met_event": mets.astype(int),
            "lung_met_event": (mets & outcome.str.contains("lung")).astype(int),
            "met_time_days": to_outcome.where(mets, follow_up),
            "progression_event": progressed.astype(int),
            "progression_time_days": to_outcome.where(progressed, follow_up),
        }
    )


def _shared_strings(archive: zipfile.ZipFile) -> list[str]:
    if "xl/sharedStrings.xml" not in archive.namelist():
        return []
    root = ElementTree.fromstring(archive.read("xl/sharedStrings.xml"))
    return ["".join(t.itertext()) for t in root.iter(f"{MAIN}si")]


def _column(cell: ElementTree.Element) -> str:
    return re.sub(r"\d+", "", cell.get("r", ""))


def _text(cell: ElementTree.Element, shared: list[str]) -> str:
    if cell.get("t") == "inlineStr":
        return "".join(cell.itertext())
    value = cell.findtext(f"{MAIN}v", default="")
    return shared[int(value)] if cell.get("t") == "s" else value


def _find(sheet: pd.DataFrame, path: Path, start: str) -> str:
    """Find the one column whose letters start as expected."""
    letters = {name: re.sub(r"[^a-z]", "", str(name).lower()) for name in sheet.columns}
    found = [name for name, text in letters.items() if text.startswith(start)]
    if len(found) != 1:
        raise CohortError(
            f"{path}: expected one column that starts with {start!r} (letters only); "
            f"found {len(found)}. The sheet has: {listed(sheet.columns, 20)}."
        )
    return found[0]


def _days(path: Path, text: pd.Series) -> pd.Series:
    days = pd.to_numeric(text.str.strip().replace("", None), errors="coerce")
    wrong = text.index[days.isna() & (text.str.strip() != "")]
    if len(wrong):
        raise CohortError(
            f"{path}, column {text.name!r}, patient {wrong[0]}: {text[wrong[0]]!r} is "
            "no number of days."
        )
    return days.astype(float)
