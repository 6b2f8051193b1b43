"""Simulated sarcoma patients: clinical variables, tissue and what became of them.

The margins follow the tables of two published cohorts:

- Crombé 2024 (npj Precis Oncol 8:129, 10.1038/s41698-024-00616-8), Table 1, 225
  patients with MRI: age, sex, histology, size, depth, location, grade, treatment,
  margins; "metastatic relapses occurred in 70/225 (31.1%) patients. MFS probability
  at 2 and 5 years was 78.9% and 66.4%".
- Michot 2025, Tables 1 and 2, 308 patients: hazard ratios for metastasis-free
  survival of age (1.03 a year), size (1.01 a mm) and grade III against I (3.08).

The hazard of metastasis is a clinical part plus an imaging part; the latter is a
property of the tissue (heterogeneity, necrosis, rim) that the phantoms are made of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

__all__ = ["Population", "simulate_population", "spread_within"]

DAYS_PER_YEAR = 365.25
FIRST_SURGERY = np.datetime64("2008-01-01")  # Crombé 2024: "between 2008 and 2020"
LAST_SURGERY = np.datetime64("2020-12-31")
DATA_LOCK = np.datetime64("2022-06-30")

# Crombé 2024, Table 1, column "All (N = 225)".
HISTOLOGY: Mapping[str, int] = {
    "UPS": 71,
    "leiomyosarcoma": 24,
    "myxoid/round cell liposarcoma": 22,
    "synovial sarcoma": 16,
    "dedifferentiated liposarcoma": 15,
    "myxofibrosarcoma": 13,
    "rhabdomyosarcoma": 13,
    "pleomorphic liposarcoma": 12,
    "sarcoma NOS": 9,
    "solitary fibrous tumour": 7,
    "extraskeletal myxoid chondrosarcoma": 6,
    "undifferentiated sarcoma, other": 5,
    "low-grade fibromyxoid sarcoma": 4,
    "other": 4,
    "MPNST": 3,
    "angiosarcoma": 1,
}
DEPTH: Mapping[str, int] = {"deep": 136, "both": 80, "superficial": 9}
LOCATION: Mapping[str, int] = {
    "lower limb": 126,
    "trunk": 39,
    "girdle": 34,
    "upper limb": 26,
}
MARGIN: Mapping[str, int] = {"R0": 144, "R1": 76, "R2": 1}
GRADE_CUTS = (30 / 222, 106 / 222)  # I 30, II 76, III 116 of 222
MEN = 120 / 225
PERFORMANCE_1 = 45 / 225
RADIOTHERAPY = 194 / 225
CHEMOTHERAPY = 124 / 225
# Age 59.5 ± 16.4 years, 18–95: a beta distribution on that range with that mean and SD.
AGE_RANGE = (18.0, 95.0)
AGE_SHAPE = (2.413, 2.065)
# Size 98.4 ± 52.3 mm, median 87, 19–289: a log-normal with that median and mean.
SIZE_MEDIAN, SIZE_LOG_SD = 87.0, 0.56
SIZE_RANGE = (19.0, 289.0)

# Log hazard of metastasis. The clinical effects are smaller than the univariable ones
# of Michot 2025 because part of those is the tissue's.
AGE_EFFECT = 0.013  # a year
SIZE_EFFECT = 0.0036  # a mm
GRADE_EFFECT = (0.0, 0.35, 0.72)  # grade I, II, III
TISSUE_EFFECT: Mapping[str, float] = {  # a standard deviation
    "heterogeneity": 0.60,
    "necrosis": 0.55,
    "rim": 0.35,
}
# A Weibull whose mixture over patients gives 78.9 % at 2 and 66.4 % at 5 years.
WEIBULL_SHAPE, WEIBULL_SCALE_YEARS = 0.76, 49.0
# Death without metastasis, the competing event: older patients more often.
DEATH_RATE = 0.012  # a year, at 60 years of age
DEATH_AGE_EFFECT = 0.05  # a year of age
DEATH_AFTER_METASTASIS = 0.55  # a year
LOSS_RATE = 0.08  # a year


@dataclass(frozen=True)
class Population:
    """Simulated patients before any image is made; every table has the same index."""

    patients: pd.DataFrame
    outcomes: dict[str, pd.DataFrame]
    truth: pd.DataFrame


def simulate_population(
    n: int, sites: int, seed: int, *, shares: Sequence[float] | None = None
) -> Population:
    """Draw patients, their tissue and their outcomes.

    Parameters
    ----------
    n : int
        Number of patients.
    sites : int
        Number of hospitals; the first is the largest, and case mix differs a little.
    seed : int
        Same seed, same patients.
    shares : sequence of float, optional
        Of the hospitals; by default each is smaller than the one before.

    Examples
    --------
    >>> population = simulate_population(5, sites=2, seed=0)
    >>> list(population.truth.columns[:3])
    ['true_risk', 'clinical_risk', 'imaging_risk']
    """
    rng = np.random.default_rng([seed, 0])
    ids = pd.Index([f"SIM{i:04d}" for i in range(1, n + 1)], name="patient")
    site = _draw_site(rng, n, sites, shares)
    patients, tissue = _draw_patients(rng, n, site)
    risk = _log_hazard(patients, tissue)
    outcomes = _draw_outcomes(rng, patients, risk)
    patients = pd.DataFrame(patients).set_index(ids)
    truth = pd.concat([risk, pd.DataFrame(tissue)], axis=1).set_index(ids)
    return Population(
        patients, {k: v.set_index(ids) for k, v in outcomes.items()}, truth
    )


def _spread(rng: np.random.Generator, n: int) -> np.ndarray:
    """Draw n numbers from (0, 1), one from each n-th of it, in random order.

    Each is uniform, and together they have no gaps: a cohort of 100 already has the
    margins of a large one (Latin hypercube sampling).
    """
    return (rng.permutation(n) + rng.uniform(1e-9, 1 - 1e-9, n)) / n


def spread_within(
    rng: np.random.Generator, first: np.ndarray, second: np.ndarray
) -> np.ndarray:
    """Draw from (0, 1), spread out among patients alike in two numbers.

    Strata of 48 patients by the first number, in each strata of 8 by the second.
    """
    n = len(first)
    rank = np.empty(n, dtype=np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(n)
    order = np.lexsort((second, rank // 48))
    drawn = np.empty(n)
    for start in range(0, n, 8):
        block = order[start : start + 8]
        drawn[block] = _spread(rng, len(block))
    return drawn


def _normal(rng: np.random.Generator, n: int) -> np.ndarray:
    return stats.norm.ppf(_spread(rng, n))


def _draw_site(
    rng: np.random.Generator, n: int, sites: int, shares: Sequence[float] | None
) -> np.ndarray:
    """Assign hospitals, larger ones first: weights 1, 1/√2, 1/√3, …."""
    given = 1 / np.sqrt(np.arange(1, sites + 1)) if shares is None else shares
    weights = np.asarray(given, dtype=float)
    cuts = np.cumsum(weights / weights.sum())[:-1]
    return np.searchsorted(cuts, _spread(rng, n))


def _draw_patients(
    rng: np.random.Generator, n: int, site: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Draw clinical variables and tissue.

    Heterogeneity, necrosis and rim go together (correlation about 0.25), as in
    aggressive tumours; large tumours have more necrosis, and grade follows tissue a
    little.
    """
    normal = {name: _normal(rng, n) for name in ("age", "size", "grade")}
    aggressive = _normal(rng, n)
    mixed = {name: 0.5 * aggressive + 0.866 * _normal(rng, n) for name in TISSUE_EFFECT}
    mixed["necrosis"] = 0.20 * normal["size"] + 0.98 * mixed["necrosis"]
    normal["grade"] = (
        0.16 * mixed["heterogeneity"]
        + 0.12 * mixed["necrosis"]
        + 0.97 * normal["grade"]
    )
    # Case mix: mean age differs by up to 2 years between hospitals.
    age_shift = np.cos(2.4 * site) * 0.06
    patients = {
        "site": np.array([f"H{k + 1}" for k in site]),
        "surgery_date": _draw_dates(rng, n),
        "age": _beta_age(normal["age"] + age_shift),
        "male": (_spread(rng, n) < MEN).astype(np.int64),
        "size_mm": _size(normal["size"]),
        "grade": 1
        + np.searchsorted(GRADE_CUTS, stats.norm.cdf(normal["grade"])).astype(np.int64),
        "performance_1": (_spread(rng, n) < PERFORMANCE_1).astype(np.int64),
        "depth": _choose(rng, n, DEPTH),
        "location": _choose(rng, n, LOCATION),
        "histology": _choose(rng, n, HISTOLOGY),
        "radiotherapy": (_spread(rng, n) < RADIOTHERAPY).astype(np.int64),
        "chemotherapy": (_spread(rng, n) < CHEMOTHERAPY).astype(np.int64),
        "margin": _choose(rng, n, MARGIN),
    }
    uniform = {name: stats.norm.cdf(z) for name, z in mixed.items()}
    tissue = {
        "heterogeneity": uniform["heterogeneity"],  # 0 smooth … 1 coarse contrasts
        "necrosis": 0.60 * uniform["necrosis"],  # fraction of the lesion
        "rim": uniform["rim"],  # 0 no enhancing rim … 1 marked
    }
    return patients, tissue


def _draw_dates(rng: np.random.Generator, n: int) -> np.ndarray:
    days = int((LAST_SURGERY - FIRST_SURGERY) / np.timedelta64(1, "D"))
    since = np.floor((days + 1) * _spread(rng, n))
    dates = FIRST_SURGERY + since.astype("timedelta64[D]")
    return dates.astype("datetime64[s]")


def _beta_age(normal: np.ndarray) -> np.ndarray:
    low, high = AGE_RANGE
    share = stats.beta.ppf(stats.norm.cdf(normal), *AGE_SHAPE)
    return np.round(low + (high - low) * share, 1)


def _size(normal: np.ndarray) -> np.ndarray:
    """Return log-normal sizes in mm, cut to the published range by its quantiles."""
    low, high = (
        stats.norm.cdf(np.log(mm / SIZE_MEDIAN) / SIZE_LOG_SD) for mm in SIZE_RANGE
    )
    kept = stats.norm.ppf(low + (high - low) * stats.norm.cdf(normal))
    return np.round(SIZE_MEDIAN * np.exp(SIZE_LOG_SD * kept), 0)


def _choose(rng: np.random.Generator, n: int, counts: Mapping[str, int]) -> np.ndarray:
    names = np.array(list(counts))
    weights = np.array(list(counts.values()), dtype=float)
    shares = np.cumsum(weights / weights.sum())[:-1]
    return names[np.searchsorted(shares, _spread(rng, n))]


def _standardised(uniform: np.ndarray) -> np.ndarray:
    """Centre and scale a uniform variable on (0, 1) to mean 0 and SD 1."""
    return (uniform - 0.5) * np.sqrt(12)


def _log_hazard(
    patients: Mapping[str, np.ndarray], tissue: Mapping[str, np.ndarray]
) -> pd.DataFrame:
    clinical = (
        AGE_EFFECT * (patients["age"] - 60)
        + SIZE_EFFECT * (patients["size_mm"] - SIZE_MEDIAN)
        + np.asarray(GRADE_EFFECT)[patients["grade"] - 1]
    )
    imaging = (
        TISSUE_EFFECT["heterogeneity"] * _standardised(tissue["heterogeneity"])
        + TISSUE_EFFECT["necrosis"] * _standardised(tissue["necrosis"] / 0.60)
        + TISSUE_EFFECT["rim"] * _standardised(tissue["rim"])
    )
    return pd.DataFrame(
        {
            "true_risk": clinical + imaging,
            "clinical_risk": clinical,
            "imaging_risk": imaging,
        }
    )


def _draw_outcomes(
    rng: np.random.Generator, patients: Mapping[str, np.ndarray], risk: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    """Draw metastasis, death and end of follow-up; keep what would be seen."""
    n = len(risk)
    log_hazard = risk["true_risk"].to_numpy()
    drawn = spread_within(rng, log_hazard, risk["clinical_risk"].to_numpy())
    clock = -np.log(drawn) * np.exp(-log_hazard)
    metastasis = WEIBULL_SCALE_YEARS * clock ** (1 / WEIBULL_SHAPE)
    death_rate = DEATH_RATE * np.exp(DEATH_AGE_EFFECT * (patients["age"] - 60))
    other_death = -np.log(_spread(rng, n)) / death_rate
    death = np.minimum(
        other_death, metastasis + rng.exponential(size=n) / DEATH_AFTER_METASTASIS
    )
    lock = (DATA_LOCK - patients["surgery_date"]).astype("timedelta64[D]").astype(float)
    end = np.minimum(lock / DAYS_PER_YEAR, -np.log(_spread(rng, n)) / LOSS_RATE)
    first = np.minimum.reduce([metastasis, other_death, end])
    mfs_event = np.where(first == metastasis, 1, np.where(first == other_death, 2, 0))
    last = np.minimum(death, end)
    return {
        "mfs": _outcome(first, mfs_event),
        "os": _outcome(last, (last == death).astype(np.int64)),
    }


def _outcome(years: np.ndarray, event: np.ndarray) -> pd.DataFrame:
    days = np.maximum(np.ceil(years * DAYS_PER_YEAR), 1.0)
    return pd.DataFrame({"time": days, "event": event.astype(np.int64)})
