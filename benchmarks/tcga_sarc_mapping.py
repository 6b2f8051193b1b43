"""How TCGA-SARC's words map to the levels of MSKCC's 2002 nomogram: the whole table.

TCGA names a site as ``Region - Part``, several joined by ``|``. Of several, the first
by `PRECEDENCE` gives the level. A word that is not in these tables is refused by name:
nobody is put somewhere by default. ``outside`` says why a patient is not of the
nomogram's population (adults after complete resection of a localised primary
soft-tissue sarcoma); the formula is still computed, and results are given with and
without these patients.
"""

from __future__ import annotations

import pandas as pd

from sarcfeat._validation import did_you_mean, listed
from sarcfeat.exceptions import InvalidInput

__all__ = [
    "HISTOLOGIES",
    "PLACES",
    "SITES",
    "histology_level",
    "mapping_table",
    "outside_population",
    "site_level",
]

HEAD, TRUNK = "head and neck", "trunk"
UPPER, LOWER = "upper extremity", "lower extremity"
RETRO, VISCERAL = "retro-intra-abdominal", "visceral"

UTERINE = "gynaecological sarcoma: staged and treated apart"

# Part → MSKCC's level, why outside (or ""), and a remark where it could be argued.
# MSKCC counts organs, the genital ones included, as visceral, and shoulder and groin
# to the limbs.
SITES: dict[str, tuple[str, str, str]] = {
    "Chest - Breast": (TRUNK, "", "the breast lies on the chest wall"),
    "Chest - Chest wall": (TRUNK, "", ""),
    "Chest - Lung/pleura": (TRUNK, "", "MSKCC's level is thoracic or trunk"),
    "Chest - Mediastinum": (TRUNK, "", "MSKCC's level is thoracic or trunk"),
    "Chest - Other (please specify": (TRUNK, "", ""),
    "Gynecological - Cervix": (VISCERAL, UTERINE, ""),
    "Gynecological - Other (please specify": (VISCERAL, UTERINE, ""),
    "Gynecological - Ovary": (VISCERAL, UTERINE, ""),
    "Gynecological - Uterus": (VISCERAL, UTERINE, ""),
    "Head and Neck - Head": (HEAD, "", ""),
    "Head and Neck - Neck": (HEAD, "", ""),
    "Head and Neck - Other (please specify": (HEAD, "", ""),
    "Lower Extremity - Foot/ankle": (LOWER, "", ""),
    "Lower Extremity - Groin": (LOWER, "", "TCGA counts the groin to the limb"),
    "Lower Extremity - Lower leg/calf": (LOWER, "", ""),
    "Lower Extremity - Other (please specify": (LOWER, "", ""),
    "Lower Extremity - Thigh/knee": (LOWER, "", ""),
    "Lower abdominal/Pelvic - Bladder": (VISCERAL, "", ""),
    "Lower abdominal/Pelvic - Other (please specify": (RETRO, "", ""),
    "Lower abdominal/Pelvic - Pelvic": (RETRO, "", ""),
    "Lower abdominal/Pelvic - Spermatic Cord": (VISCERAL, "", "genito-urinary"),
    "Retroperitoneum/Upper abdominal - Colon": (VISCERAL, "", ""),
    "Retroperitoneum/Upper abdominal - Gastric": (VISCERAL, "", ""),
    "Retroperitoneum/Upper abdominal - Intraabdominal": (RETRO, "", ""),
    "Retroperitoneum/Upper abdominal - Kidney": (VISCERAL, "", ""),
    "Retroperitoneum/Upper abdominal - Liver": (VISCERAL, "", ""),
    "Retroperitoneum/Upper abdominal - Other (please specify": (RETRO, "", ""),
    "Retroperitoneum/Upper abdominal - Pancreas": (VISCERAL, "", ""),
    "Retroperitoneum/Upper abdominal - Retroperitoneum": (RETRO, "", ""),
    "Retroperitoneum/Upper abdominal - Small Intestines": (VISCERAL, "", ""),
    "Superficial Trunk - Abdominal wall": (TRUNK, "", ""),
    "Superficial Trunk - Back": (TRUNK, "", ""),
    "Superficial Trunk - Buttock": (LOWER, "", "MSKCC counts the limb girdles"),
    "Superficial Trunk - Flank": (TRUNK, "", ""),
    "Upper Extremity - Shoulder/axilla": (UPPER, "", "MSKCC counts the limb girdles"),
    "Upper Extremity - Upper arm/elbow": (UPPER, "", ""),
}
# Of a tumour in several parts the first of these: a large one of the abdomen that also
# names organs is taken as retro-intra-abdominal.
PRECEDENCE = (RETRO, VISCERAL, HEAD, TRUNK, LOWER, UPPER)
# MSKCC's level → the coarser place of the refitted models: few have head or trunk.
PLACES = {
    HEAD: "trunk or head",
    TRUNK: "trunk or head",
    LOWER: "extremity",
    UPPER: "extremity",
    RETRO: RETRO,
    VISCERAL: VISCERAL,
}

# TCGA's code → MSKCC's level, the group of the refitted models, why outside, remark.
HISTOLOGIES: dict[str, tuple[str, str, str, str]] = {
    "DDLPS": ("liposarcoma", "liposarcoma", "", "dedifferentiated"),
    "MFS": ("mfh", "UPS or MFS", "", "in 2002 myxoid malignant fibrous histiocytoma"),
    "MPNST": ("mpnst", "other", "", ""),
    "SS": ("synovial", "other", "", ""),
    "STLMS": ("leiomyosarcoma", "leiomyosarcoma", "", "of soft tissue"),
    "ULMS": ("leiomyosarcoma", "gynaecological leiomyosarcoma", UTERINE, ""),
    "UPS": ("mfh", "UPS or MFS", "", "in 2002 malignant fibrous histiocytoma"),
}
# FNCLCC grade → MSKCC's two grades; depth as 0/1 → MSKCC's two depths.
GRADES = {1: "low", 2: "high", 3: "high"}
DEPTHS = {0: "superficial", 1: "deep"}


def _parts(site: str, patient: object) -> list[str]:
    parts = [part.strip() for part in site.split("|")]
    for part in parts:
        if part not in SITES:
            raise InvalidInput(
                f"Patient {patient}: the site {part!r} is not in the table of "
                f"TCGA-SARC's sites.{did_you_mean(part, SITES)} Add it to "
                "benchmarks/tcga_sarc_mapping.py with MSKCC's level."
            )
    return parts


def site_level(sites: pd.Series) -> pd.Series:
    """Return MSKCC's site of each patient; missing where TCGA's is."""
    found = []
    for patient, site in sites.items():
        if not isinstance(site, str):
            found.append(float("nan"))
            continue
        levels = [SITES[part][0] for part in _parts(site, patient)]
        found.append(min(levels, key=PRECEDENCE.index))
    return pd.Series(found, sites.index, dtype=object, name="location")


def histology_level(codes: pd.Series, column: int = 0) -> pd.Series:
    """Return MSKCC's histology of each patient, or with 1 the group of the refits."""
    for patient, code in codes.items():
        if code not in HISTOLOGIES:
            raise InvalidInput(
                f"Patient {patient}: the histology {code!r} is not in the table; it "
                f"has {listed(HISTOLOGIES)}. Add it to "
                "benchmarks/tcga_sarc_mapping.py with MSKCC's level."
            )
    return codes.map(lambda code: HISTOLOGIES[code][column]).astype(object)


def outside_population(
    sites: pd.Series, codes: pd.Series, margin: pd.Series, age: pd.Series
) -> pd.Series:
    """Return why each patient is outside MSKCC's population, or "".

    The barcodes of TCGA-SARC are of primary tumours (01), so no local recurrence is
    among them; whether there were metastases at diagnosis is not in the table.
    """
    found = []
    for patient, site in sites.items():
        parts = _parts(site, patient) if isinstance(site, str) else []
        why = [SITES[part][1] for part in parts] + [HISTOLOGIES[codes[patient]][2]]
        if margin[patient] == "R2":
            why.append("macroscopic tumour left behind (R2)")
        if not 16 <= age[patient] <= 100:
            why.append("younger than 16 years or older than 100")
        found.append("; ".join(dict.fromkeys(filter(None, why))))
    return pd.Series(found, sites.index, dtype=object, name="outside_population")


def mapping_table(sites: pd.Series, codes: pd.Series) -> pd.DataFrame:
    """Return the table as used: TCGA's word, MSKCC's level, patients, remarks."""
    counts = sites.dropna().str.split("|").explode().str.strip().value_counts()
    rows = [
        ("site", part, level, int(counts.get(part, 0)), outside, remark)
        for part, (level, outside, remark) in SITES.items()
    ]
    number = codes.value_counts()
    rows += [
        ("histology", code, level, int(number.get(code, 0)), outside, remark)
        for code, (level, _, outside, remark) in HISTOLOGIES.items()
    ]
    rows += [("FNCLCC grade", str(k), v, None, "", "") for k, v in GRADES.items()]
    names = ["input", "tcga", "mskcc", "patients", "outside", "remark"]
    return pd.DataFrame(rows, columns=names)
