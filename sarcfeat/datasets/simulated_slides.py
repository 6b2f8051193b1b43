"""Simulated slides: drawn tissue whose tumour shows the patient's hazard."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from sarcfeat.datasets.cohort import Cohort
from sarcfeat.datasets.folder import load_folder
from sarcfeat.datasets.layout import SLIDE_PATTERN, write_tables
from sarcfeat.datasets.population import Population, spread_within
from sarcfeat.datasets.simulation_folder import check_whole, is_there, write_manifest
from sarcfeat.datasets.slide_annotations import ANNOTATION_WRITERS
from sarcfeat.datasets.slide_painter import SlideScanner, write_slide
from sarcfeat.datasets.slide_plan import plan_slide
from sarcfeat.datasets.slide_population import (
    SLIDE_ROLES,
    SLIDE_UNITS,
    simulate_slide_population,
)
from sarcfeat.exceptions import InvalidInput

__all__ = ["make_slides"]

# Raise when the same parameters give other files than before.
VERSION = 3
ANNOTATIONS = ("by site", *ANNOTATION_WRITERS)
# Aggressiveness differs between slides of one tumour by so much (standard deviation).
BETWEEN_SLIDES = 0.05
NOTES = (
    "Simulated patients and slides; the true risk is known (truth) and is no variable.",
    "The hazard shows in the centre (C) and the periphery (P), not around them (R).",
    "mfs, lfs: 2 = death without the event.",
)


def make_slides(
    n: int = 40,
    seed: int = 0,
    root: str | Path | None = None,
    *,
    sites: int = 2,
    slides: int = 2,
    size: int = 1536,
    mpp: float = 0.25,
    annotations: str = "by site",
    n_jobs: int | None = None,
) -> Cohort:
    """Simulate sarcoma patients with whole-slide images, outcomes and a known risk.

    Slides are pyramidal TIFFs that OpenSlide opens with resolution and magnification:
    pieces of tissue on glass, fibres, and cells whose number, size, irregularity,
    darkness and mitoses follow the patient's hazard in the centre (C) and periphery (P)
    of the tumour. Around it (R) cells vary as much and say nothing. Hospitals differ in
    stain, glass, sharpness and noise. Regions lie beside each slide.

    Parameters
    ----------
    n : int
        Number of patients.
    seed : int
        Same seed, same bytes, whatever `n_jobs`.
    root : path, optional
        Folder to write, in the layout of :func:`load_folder`. One that already holds
        the same cohort is used as it is. Without it, a temporary folder that lives as
        long as the returned cohort.
    sites : int
        Hospitals, called A (the largest: training and internal validation), B, ….
    slides : int
        Most slides a patient.
    size : int
        Pixels along each side: 1,536 for tests, 40,000 as from a scanner.
    mpp : float
        Micrometres per pixel: 0.25 is 40×, 0.5 is 20×.
    annotations : {"by site", "geojson", "ndpa"}
        QuPath's or Hamamatsu's format; by site: ndpa at A, C, …, geojson elsewhere.
    n_jobs : int, optional
        Processes, as in joblib.

    Returns
    -------
    Cohort
        Endpoints ``mfs``, ``lfs`` (local relapse) and ``os``; ``cohort`` says training,
        internal or external validation. ``truth`` holds ``true_risk`` (log hazard of
        metastasis), ``clinical_risk``, ``slide_risk``, ``aggressiveness`` (0–1, what
        the tumour shows) and ``around`` (0–1, what R shows).

    Raises
    ------
    InvalidInput
        A number out of range.
    CohortError
        `root` holds something else.
    MissingDependency
        ``pip install 'sarcfeat[wsi]'`` is needed.

    Notes
    -----
    Small slides are small: 1,536 pixels of 0.25 µm are 0.4 mm, where a real tumour has
    centimetres. Regions derived from the outline then need widths in proportion. R is
    drawn so far from the tumour that a tile of 224 pixels (of 112 at ``size=768``) with
    its centre in R shows no tumour.

    References
    ----------
    Michot et al. (2025): cohorts, covariates, regions. Ruifrok & Johnston, Anal Quant
    Cytol Histol 23:291 (2001): stain vectors.

    Examples
    --------
    >>> cohort = make_slides(n=6, size=256, slides=1)
    >>> cohort
    <Cohort 'simulated slides': 6 patients, 2 sites; mfs: ...; 6 slides>
    >>> sorted({Path(path).suffix for path in cohort.annotations["path"]})
    ['.geojson', '.ndpa']
    """
    asked = {
        "n": n,
        "seed": seed,
        "sites": sites,
        "slides": slides,
        "size": size,
        "mpp": mpp,
        "annotations": annotations,
    }
    _check(asked)
    folder = Path(tempfile.mkdtemp(prefix="sarcfeat-")) if root is None else Path(root)
    wanted = {
        key: value if isinstance(value, (str, float)) else int(value)
        for key, value in {**asked, "kind": "slides", "version": VERSION}.items()
    }
    if not is_there(folder, wanted):
        write_manifest(folder, wanted, complete=False)
        _write(folder, wanted, n_jobs)
        write_manifest(folder, wanted, complete=True)
    cohort = load_folder(folder)
    if root is None:
        weakref.finalize(cohort, shutil.rmtree, folder, ignore_errors=True)
    return cohort


def _check(asked: Mapping[str, Any]) -> None:
    limits = {
        "n": (1, 9999),
        "seed": (0, 2**63),
        "sites": (1, 26),
        "slides": (1, 20),
        "size": (256, 200_000),
    }
    for name, (low, high) in limits.items():
        check_whole(name, asked[name], low, high)
    if not 0.1 <= asked["mpp"] <= 2:
        raise InvalidInput(
            f"mpp={asked['mpp']!r}; expected micrometres per pixel from 0.1 to 2."
        )
    if asked["annotations"] not in ANNOTATIONS:
        raise InvalidInput(
            f"annotations={asked['annotations']!r}; expected one of {ANNOTATIONS}."
        )


def _write(folder: Path, asked: Mapping[str, Any], n_jobs: int | None) -> None:
    population = simulate_slide_population(asked["n"], asked["sites"], asked["seed"])
    rng = np.random.default_rng([asked["seed"], 6])
    level = population.truth["aggressiveness"].to_numpy()
    # Alike patients get every value of it: what lies around a tumour says nothing of
    # it, in a small cohort either.
    around = spread_within(rng, level, rng.uniform(size=asked["n"]))
    counts = rng.integers(1, asked["slides"] + 1, size=asked["n"])
    scanners = [
        SlideScanner.draw(np.random.default_rng([asked["seed"], 7, site]))
        for site in range(asked["sites"])
    ]
    jobs = []
    for number, patient in enumerate(population.patients.index):
        site = ord(str(population.patients.at[patient, "site"])) - ord("A")
        jobs += [
            delayed(_write_one)(
                folder,
                str(patient),
                slide,
                asked,
                scanners[site],
                _writer(asked["annotations"], site),
                (float(level[number]), float(around[number])),
                [asked["seed"], 8, number, slide],
            )
            for slide in range(1, int(counts[number]) + 1)
        ]
    Parallel(n_jobs=n_jobs)(jobs)
    truth = population.truth.assign(around=around)
    write_tables(_cohort(population, truth), folder, {"slides": SLIDE_PATTERN})


def _writer(annotations: str, site: int) -> str:
    if annotations != "by site":
        return annotations
    return "geojson" if site % 2 else "ndpa"


def _write_one(
    folder: Path,
    patient: str,
    number: int,
    asked: Mapping[str, Any],
    scanner: SlideScanner,
    writer: str,
    levels: tuple[float, float],
    seed: list[int],
) -> None:
    rng = np.random.default_rng([*seed, 9])
    level, around = np.clip(np.array(levels) + rng.normal(0, BETWEEN_SLIDES, 2), 0, 1)
    offset = (int(rng.integers(-8e6, 8e6)), int(rng.integers(-3e6, 3e6)))
    plan = plan_slide(
        seed,
        side=asked["size"],
        mpp=asked["mpp"],
        level=float(level),
        around=float(around),
    )
    name = {"patient": patient, "slide": f"{patient}_S{number}"}
    path = folder / SLIDE_PATTERN.format(**name, ext="tif")
    power = 10 / asked["mpp"]
    write_slide(plan, scanner, path, magnification=power, offset=offset)
    beside = folder / SLIDE_PATTERN.format(**name, ext=writer)
    ANNOTATION_WRITERS[writer](plan, beside, offset)


def _cohort(population: Population, truth: pd.DataFrame) -> Cohort:
    return Cohort(
        name="simulated slides",
        patients=population.patients,
        roles=dict(SLIDE_ROLES),
        units=dict(SLIDE_UNITS),
        outcomes=population.outcomes,
        index_time="surgery_date",
        notes=list(NOTES),
        truth=truth,
        citation="sarcfeat.datasets.make_slides",
    )
