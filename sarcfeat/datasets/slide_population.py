"""Simulated patients with slides: three cohorts, three endpoints, one planted hazard.

Covariates, metastasis and death are those of :mod:`sarcfeat.datasets.population`, whose
part of the hazard that images carry is what slides carry here. Local relapse follows
the margin, radiotherapy and, weakly, the slide. Shares of hospitals and of cohorts as
in Michot et al. (2025), 308 patients: one hospital, 213, split into training (149) and
internal validation (64); another, 95, for external validation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import stats

from sarcfeat.datasets.population import DAYS_PER_YEAR, Population, simulate_population

__all__ = ["COHORTS", "SLIDE_ROLES", "SLIDE_UNITS", "simulate_slide_population"]

COHORTS = ("training", "internal validation", "external validation")
FIRST_SITE = 213 / 308
TRAINING = 149 / 213
LOCAL_RATE = 0.045  # relapses a year, margin R0, with radiotherapy
LOCAL_EFFECT: Mapping[str, float] = {"R1": 0.6, "no radiotherapy": 0.5, "slide": 0.25}
# Another pathologist gives so many tumours the grade beside the first one's.
OTHER_GRADE = 0.35
SITES = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

SLIDE_UNITS: Mapping[str, str] = {
    "age": "years",
    "male": "0/1",
    "size_mm": "mm",
    "grade": "FNCLCC grade 1-3",
    "grade_second": "FNCLCC grade 1-3",
    "radiotherapy": "0/1",
    "chemotherapy": "0/1",
}
SLIDE_ROLES: Mapping[str, str] = {
    "cohort": "description",
    "grade_second": "description",
    "surgery_date": "date",
    "age": "predictor",
    "male": "predictor",
    "size_mm": "predictor",
    "grade": "predictor",
    "depth": "predictor",
    "location": "predictor",
    "histology": "predictor",
    "radiotherapy": "treatment",
    "chemotherapy": "treatment",
    "margin": "postoperative",
}


def simulate_slide_population(n: int, sites: int, seed: int) -> Population:
    """Draw patients, their outcomes (mfs, lfs, os) and what their slides shall show.

    Parameters
    ----------
    n : int
        Number of patients.
    sites : int
        Hospitals, called A (the largest), B, …; 26 at most.
    seed : int
        Same seed, same patients.

    Returns
    -------
    Population
        ``truth`` has ``true_risk`` (log hazard of metastasis), its parts
        ``clinical_risk`` and ``slide_risk``, and ``aggressiveness``, the rank of the
        latter between 0 and 1.

    Examples
    --------
    >>> population = simulate_slide_population(40, sites=2, seed=0)
    >>> population.patients["cohort"].value_counts().tolist()
    [20, 12, 8]
    >>> sorted(population.outcomes)
    ['lfs', 'mfs', 'os']
    """
    rest = (1 - FIRST_SITE) / max(sites - 1, 1)
    shares = [FIRST_SITE, *[rest] * (sites - 1)]
    drawn = simulate_population(n, sites, seed, shares=shares)
    rng = np.random.default_rng([seed, 3])
    patients = drawn.patients.drop(columns="performance_1")
    letters = {f"H{k + 1}": SITES[k] for k in range(sites)}
    patients["site"] = patients["site"].map(letters)
    patients["histology"] = _common(patients["histology"])
    patients.insert(1, "cohort", _cohorts(rng, patients["site"].to_numpy()))
    patients["grade_second"] = _second(seed, patients["grade"].to_numpy())
    truth = _truth(drawn.truth)
    outcomes = {
        "mfs": drawn.outcomes["mfs"],
        "lfs": _local(rng, patients, truth, drawn.outcomes["os"]),
        "os": drawn.outcomes["os"],
    }
    return replace(drawn, patients=patients, outcomes=outcomes, truth=truth)


def _second(seed: int, grade: np.ndarray) -> np.ndarray:
    """Draw what another pathologist says: mostly the same, else the grade beside it."""
    rng = np.random.default_rng([seed, 4])
    away = np.where(
        grade == 1, 1, np.where(grade == 3, -1, rng.choice([-1, 1], len(grade)))
    )
    return grade + away * (rng.random(len(grade)) < OTHER_GRADE)


def _truth(drawn: pd.DataFrame) -> pd.DataFrame:
    truth = drawn[["true_risk", "clinical_risk", "imaging_risk"]]
    truth = truth.rename(columns={"imaging_risk": "slide_risk"})
    risk = truth["slide_risk"].to_numpy()
    rank = (stats.rankdata(risk) - 0.5) / len(risk)
    return truth.assign(aggressiveness=rank)


def _common(histology: pd.Series) -> pd.Series:
    """Keep the types that are frequent enough for a table of hazard ratios."""
    kept = (
        "UPS",
        "leiomyosarcoma",
        "myxoid/round cell liposarcoma",
        "synovial sarcoma",
        "dedifferentiated liposarcoma",
        "myxofibrosarcoma",
    )
    return histology.where(histology.isin(kept), "other")


def _cohorts(rng: np.random.Generator, site: np.ndarray) -> np.ndarray:
    """Split the first hospital into training and internal validation."""
    names = np.array(COHORTS, dtype=object)
    which = np.full(len(site), 2)
    first = rng.permutation(np.flatnonzero(site == "A"))
    cut = round(len(first) * TRAINING)
    which[first[:cut]], which[first[cut:]] = 0, 1
    return names[which]


def _local(
    rng: np.random.Generator,
    patients: pd.DataFrame,
    truth: pd.DataFrame,
    survival: pd.DataFrame,
) -> pd.DataFrame:
    """Draw local relapse; death is a competing event."""
    spread = stats.norm.ppf(truth["aggressiveness"].to_numpy())
    log_rate = (
        np.log(LOCAL_RATE)
        + LOCAL_EFFECT["R1"] * (patients["margin"] != "R0").to_numpy()
        + LOCAL_EFFECT["no radiotherapy"] * (patients["radiotherapy"] == 0).to_numpy()
        + LOCAL_EFFECT["slide"] * spread
    )
    relapse = rng.exponential(size=len(patients)) / np.exp(log_rate) * DAYS_PER_YEAR
    relapse = np.maximum(np.ceil(relapse), 1.0)
    last, died = survival["time"].to_numpy(), survival["event"].to_numpy() == 1
    event = np.where(relapse <= last, 1, np.where(died, 2, 0))
    told = {"time": np.minimum(relapse, last), "event": event.astype(np.int64)}
    return pd.DataFrame(told, index=patients.index)
