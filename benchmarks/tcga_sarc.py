"""The patients of TCGA-SARC as a study: predictors, outcome, and what is missing."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.tcga_sarc_mapping import (
    PLACES,
    histology_level,
    mapping_table,
    outside_population,
    site_level,
)
from sarcfeat.datasets import load_tcga_sarc
from sarcfeat.exceptions import CohortError
from sarcfeat.io import read_table
from sarcfeat.survival import make_y

__all__ = ["COPY_NUMBER", "IMMUNE", "Study", "data_folder", "load_study", "make_study"]

FOLDER = "tables/tcga_sarc"
# Genes with a copy number, and with an expression, in the table of this cohort.
COPY_NUMBER = (
    *("JUN", "VGLL3", "TERT", "MAP3K5", "UST", "CDKN2A"),
    *("YAP1", "CDKN1B", "PTPRQ", "RB1", "TP53", "MYOCD"),
    *("NF1", "CCNE1", "CEBPA", "ZNF552", "ATRX", "PTEN"),
    *("DDIT3", "CDK4", "HMGA2", "MDM2", "FRS2"),
)
IMMUNE = ("CD274", "CTLA4", "HAVCR2", "LAG3", "PDCD1", "TCF7", "TIGIT")
ENDPOINT = (
    "Overall survival, in days from diagnosis. MSKCC-2002 predicts death of sarcoma by "
    "12 years: deaths of other causes count here as events that it does not mean, few "
    "patients are followed so long, and its probabilities are not expected to be "
    "calibrated for this endpoint; its order of patients can be judged."
)


@dataclass(frozen=True)
class Study:
    """What the models are compared on.

    Attributes
    ----------
    X : DataFrame indexed by patient
        Columns ``clinical.*``, ``cn.*`` and ``immune.*``; NaN where missing.
    y : structured array (event, time)
    outside : Series of str
        Why a patient is not of MSKCC's population, or "".
    mapping : DataFrame
    sarcoma_death : DataFrame or None
        ``time, event``: 1 death of sarcoma, 0 else; of those whose cause is known.
    """

    X: pd.DataFrame
    y: np.ndarray[Any, np.dtype[np.void]]
    outside: pd.Series
    mapping: pd.DataFrame
    sarcoma_death: pd.DataFrame | None

    @property
    def inside(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Who is of MSKCC's population."""
        return (self.outside == "").to_numpy()

    def missing(self) -> pd.DataFrame:
        """Return the inputs that some patients lack, filled in within the folds."""
        # The place is only a coarser location.
        clinical = self.X.filter(regex=r"^clinical\.(?!place)").isna().sum()
        rows = [(name, int(n)) for name, n in clinical.items() if n]
        for block in ("cn", "immune"):
            part = self.X.filter(regex=rf"^{block}\.")
            n = int(part.isna().any(axis=1).sum())
            rows += [(f"{block} (any of {part.shape[1]})", n)] if n else []
        return pd.DataFrame(rows, columns=["input", "patients"])


def data_folder() -> Path:
    """Return the folder of real data: ``SARCFEAT_DATA``, or ../shared/data."""
    for place in (os.environ.get("SARCFEAT_DATA", ""), "../shared/data"):
        if place and any((Path(place) / FOLDER).glob("tcga_sarc_master*.csv")):
            return Path(place)
    raise CohortError(
        f"There is no {FOLDER}/tcga_sarc_master*.csv under SARCFEAT_DATA or "
        "../shared/data. Set SARCFEAT_DATA to the folder that holds it."
    )


def load_study(root: str | Path | None = None) -> Study:
    """Read the real patients.

    Parameters
    ----------
    root : path, optional
        Folder with ``tables/tcga_sarc``; see :func:`data_folder`.
    """
    folder = Path(root) if root is not None else data_folder()
    cohort = load_tcga_sarc(folder)
    raw = _by_patient(folder, "tcga_sarc_master*.csv", cohort.patients.index)
    molecular = _by_patient(folder, "combined_cn_expr*.csv", cohort.patients.index)
    return make_study(
        cohort.patients,
        cohort.outcomes["os"],
        sites=raw["Tumor_Site"],
        codes=raw["short_histo"],
        molecular=molecular,
        sarcoma=raw.get("DSS_status"),
    )


def _by_patient(folder: Path, pattern: str, patients: pd.Index) -> pd.DataFrame:
    """Read the one table of a name, a row a patient of the cohort."""
    found = sorted((folder / FOLDER).glob(pattern))
    if len(found) != 1:
        raise CohortError(
            f"{folder / FOLDER} holds {len(found)} files {pattern}; expected one."
        )
    table = read_table(found[0], index="TCGA_barcode")
    table.index = table.index.astype(str).str.slice(0, 12)
    return table.reindex(patients)


def make_study(
    patients: pd.DataFrame,
    outcome: pd.DataFrame,
    *,
    sites: pd.Series,
    codes: pd.Series,
    molecular: pd.DataFrame,
    sarcoma: pd.Series | None = None,
) -> Study:
    """Lay out a cohort's tables as predictors and outcome.

    Parameters
    ----------
    patients, outcome : DataFrame
        As :func:`sarcfeat.datasets.load_tcga_sarc` has them.
    sites, codes : Series of str
        TCGA's ``Tumor_Site`` and ``short_histo``.
    molecular : DataFrame
        Copy number and expression, with the columns of `COPY_NUMBER` and `IMMUNE`.
    sarcoma : Series, optional
        1 died of sarcoma, 0 not, missing where that is not known.
    """
    margin = patients["margin"].map({"R0": 0.0, "R1": 1.0, "R2": 1.0})
    clinical = pd.DataFrame(
        {
            "age": patients["age"],
            "female": patients["female"],
            "size": patients["size_cm"],
            "deep": patients["deep"],
            "grade": patients["grade"],
            "multifocal": patients["multifocal"],
            "margin": margin,
        }
    ).astype(float)
    clinical["location"] = site_level(sites)
    clinical["place"] = clinical["location"].map(PLACES)
    clinical["histology"] = histology_level(codes)
    clinical["group"] = histology_level(codes, 1)
    blocks = [clinical.add_prefix("clinical.")]
    for block, genes in (("cn", COPY_NUMBER), ("immune", IMMUNE)):
        part = molecular[list(genes)].astype(float)
        blocks.append(part.add_prefix(f"{block}."))
    cause = None
    if sarcoma is not None:
        dead = pd.to_numeric(sarcoma, errors="coerce")
        cause = outcome[["time"]].assign(event=dead).dropna()
    return Study(
        pd.concat(blocks, axis=1),
        make_y(outcome["event"], outcome["time"]),
        outside_population(sites, codes, patients["margin"], patients["age"]),
        mapping_table(sites, codes),
        cause,
    )
