"""The demo's cohort: which one, what it needs, and how it enters a store."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pandas as pd

from sarcfeat.datasets import Cohort, load_folder, load_sts, make_cohort
from sarcfeat.encoders import Radiomics, write_perturbed_mask
from sarcfeat.exceptions import CohortError, InvalidInput
from sarcfeat.store import EncodeReport, FeatureStore, Matrix, Readings, add_tables

__all__ = ["DemoStudy", "Prepared", "choose_study", "prepare", "simulated_study"]

PERTURBED = "perturbed"
FEWEST_WITH_SEQUENCE = 10


@dataclass(frozen=True)
class DemoStudy:
    """A cohort with what the demo does to it.

    Attributes
    ----------
    cohort : Cohort
    endpoint : str
    clinical : tuple of str
        Names of the clinical predictors, such as ``clinical.age``.
    params : dict of sequence to radiomics parameter file
    """

    cohort: Cohort
    endpoint: str
    clinical: tuple[str, ...]
    params: dict[str, str]

    @property
    def store_name(self) -> str:
        """Folder name of the study's store: one for each place its images lie in."""
        paths = [os.path.abspath(str(path)) for path in self.cohort.images["path"]]
        place = blake2b(os.path.commonpath(paths).encode(), digest_size=4).hexdigest()
        return f"{self.cohort.name}-{place}"

    @property
    def feature_sets(self) -> tuple[str, ...]:
        """Addresses of the feature sets, one a sequence."""
        return tuple(f"radiomics.{name.lower()}" for name in self.params)


def _numeric_predictors(cohort: Cohort) -> tuple[str, ...]:
    """Return the clinical variables that a Cox model can take as they are."""
    return tuple(
        f"clinical.{name}"
        for name in cohort.patients.columns
        if name != "site"
        and cohort.roles.get(name, "predictor") == "predictor"
        and pd.api.types.is_numeric_dtype(cohort.patients[name])
    )


def _params_for(cohort: Cohort, given: str | None) -> dict[str, str]:
    """Choose a shipped parameter file for each sequence; PET has its own scale."""
    counts = cohort.images.groupby("sequence")["patient"].nunique()
    kept = [
        str(name)
        for name, n in counts.items()
        if name in cohort.required or n >= max(FEWEST_WITH_SEQUENCE, 0.5 * counts.max())
    ]
    if not kept:
        raise CohortError(
            f"Cohort {cohort.name!r} has no images; the demo needs images and masks."
        )
    kept.sort(key=lambda name: (name not in cohort.required, name))
    return {
        name: given or ("pet.yaml" if name.upper().startswith("PET") else "mri.yaml")
        for name in kept
    }


def choose_study(
    name: str | None,
    *,
    folder: Path,
    quick: bool = False,
    seed: int = 0,
    params: str | None = None,
) -> DemoStudy:
    """Load the cohort that the demo runs on.

    Parameters
    ----------
    name : {"simulated", "sts"} or folder, optional
        By default the real sarcomas where ``SARCFEAT_DATA`` is set, else simulated.
    folder : path
        Where a simulated cohort is written.
    quick : bool
        A smaller simulated cohort.
    seed : int
        Seed of the simulated cohort.
    params : str, optional
        Radiomics parameter file for every sequence; by default ``pet.yaml`` for PET,
        ``mri.yaml`` for the others and ``demo.yaml`` for simulated patients.
    """
    data = os.environ.get("SARCFEAT_DATA")
    if name is None:
        name = "simulated"
        if data:
            name = "sts" if (Path(data) / "images" / "sts").is_dir() else data
    if name == "simulated":
        return simulated_study(60 if quick else 120, folder=folder, seed=seed)
    if name == "sts":
        return _study_of(load_sts(), params)
    if Path(name).is_dir():
        return _study_of(load_folder(name), params)
    raise InvalidInput(
        f"No cohort {name!r}: expected 'simulated', 'sts' or a folder of the layout in "
        "the README."
    )


def simulated_study(n: int, *, folder: Path, seed: int = 0) -> DemoStudy:
    """Return the demo's study of `n` simulated patients, written under `folder`."""
    root = folder / f"simulated-n{n}-seed{seed}"
    cohort = make_cohort(n, sites=3, readers=2, seed=seed, root=root)
    return _study_of(cohort, "demo.yaml")


def _study_of(cohort: Cohort, params: str | None = None) -> DemoStudy:
    endpoint = "mfs" if "mfs" in cohort.outcomes else next(iter(cohort.outcomes), None)
    if endpoint is None:
        raise CohortError(f"Cohort {cohort.name!r} has no outcome.")
    return DemoStudy(
        cohort, endpoint, _numeric_predictors(cohort), _params_for(cohort, params)
    )


@dataclass(frozen=True)
class Prepared:
    """A study in its store, ready to be modelled.

    Attributes
    ----------
    matrix : Matrix
        The patients that have the required feature sets and the outcome.
    readings : Readings
    report : EncodeReport
    perturbed : bool
        Whether the second reading is a perturbed contour.
    pairs : DataFrame
        ``patient, sequence, reader, session, image_path, mask_path``.
    """

    matrix: Matrix
    readings: Readings
    report: EncodeReport
    perturbed: bool
    pairs: pd.DataFrame


def prepare(
    store: FeatureStore,
    study: DemoStudy,
    *,
    n_jobs: int,
    progress: bool,
    say: Callable[[str], Any] = print,
) -> Prepared:
    """Fill a store with a study, encode what is missing and fetch the matrix."""
    fill_store(store, study)
    perturbed = add_second_reading(store, study, Path(store.path) / "perturbed")
    report = encode_study(store, study, n_jobs=n_jobs, progress=progress, say=say)
    name = study.cohort.name
    matrix = store.matrix(
        name,
        features=[*study.feature_sets, *study.clinical],
        outcome=study.endpoint,
        extractor=report.extractors,
    )
    needed = [
        address
        for sequence, address in zip(study.params, study.feature_sets, strict=True)
        if sequence in study.cohort.required
    ] or [study.feature_sets[0]]
    return Prepared(
        matrix=matrix.complete(needed),
        readings=store.readings(
            list(study.feature_sets), cohort=name, extractor=report.extractors
        ),
        report=report,
        perturbed=perturbed,
        pairs=store.images_and_masks(name),
    )


def fill_store(store: FeatureStore, study: DemoStudy) -> None:
    """Add the tables, images and masks of a cohort; what is there is skipped."""
    cohort = study.cohort
    add_tables(store, cohort)
    wanted = list(study.params)
    store.add_images(cohort.images[cohort.images["sequence"].isin(wanted)])
    store.add_masks(cohort.masks[cohort.masks["sequence"].isin(wanted)])
    store.add_cohort(cohort.name, patients=list(cohort.patients.index))


def add_second_reading(store: FeatureStore, study: DemoStudy, folder: Path) -> bool:
    """Stand in for a second reader where there is one: perturb each contour.

    The perturbed mask is a file of its own, named by the content of the mask it comes
    from, with reader "perturbed"; a repaired mask so gets a new second reading.

    Only masks that the store accepted are perturbed: a patient whose mask cannot be
    read fails once, for the reader who drew it.

    Returns
    -------
    bool
        Whether contours were perturbed.
    """
    if study.cohort.masks["reader"].nunique() > 1:
        return False
    masks = store.images_and_masks(study.cohort.name)
    masks = masks[masks["reader"] != PERTURBED]
    rows = []
    for row in masks.itertuples():
        source = Path(str(row.mask_path))
        digest = blake2b(source.read_bytes(), digest_size=8).hexdigest()
        seed = int(
            blake2b(f"{row.patient}/{row.sequence}".encode()).hexdigest()[:8], 16
        )
        target = folder / str(row.patient) / f"{row.sequence}_{digest}_mask.nii.gz"
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            write_perturbed_mask(source, target, random_state=seed)
        rows.append(
            {
                "patient": row.patient,
                "sequence": row.sequence,
                "reader": PERTURBED,
                "session": 1,
                "path": str(target),
            }
        )
    if rows:
        store.add_masks(pd.DataFrame(rows))
    return bool(rows)


def encode_study(
    store: FeatureStore,
    study: DemoStudy,
    *,
    n_jobs: int,
    progress: bool,
    say: Callable[[str], Any],
) -> EncodeReport:
    """Encode every sequence; return one report over all of them."""
    reports = []
    for sequence, params in study.params.items():
        reports.append(
            store.encode(
                Radiomics(params, name="radiomics"),
                cohort=study.cohort.name,
                sequences=[sequence],
                n_jobs=n_jobs,
                progress=progress,
            )
        )
        say(f"{sequence}: {reports[-1]}")
    return EncodeReport.merge(reports)
