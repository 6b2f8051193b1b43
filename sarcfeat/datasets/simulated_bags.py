"""Simulated bags of tiles: features on disk, a planted hazard, and the truth beside."""

from __future__ import annotations

import itertools
import shutil
import tempfile
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sarcfeat.datasets.population import Population
from sarcfeat.datasets.simulation_folder import check_whole, is_there, write_manifest
from sarcfeat.datasets.slide_population import simulate_slide_population
from sarcfeat.exceptions import InvalidInput
from sarcfeat.io import BagPart, BagRef
from sarcfeat.io.bagfile import open_bag, write_bag
from sarcfeat.survival import make_y

__all__ = ["SimulatedBags", "make_bags"]

# Raise when the same parameters give other files than before.
VERSION = 1
COLUMN = "simulated.bag"
REGIONS = ("C", "P", "R")
# Michot et al. (2025): 38, 35 and 18 thousand tiles a patient.
SHARES = np.array([38, 35, 18]) / 91
TISSUES = 4  # stroma, cells, necrosis, fat: what tiles are, whatever the prognosis
TISSUE_SPREAD = 1.0
SITE_SHIFT = 0.15
TILE = 224
DTYPES = ("float16", "float32")
Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class SimulatedBags:
    """Patients whose tiles carry a known hazard.

    Attributes
    ----------
    X : DataFrame indexed by patient id
        ``site``, the clinical variables as ``clinical.age`` … and the light references
        in ``simulated.bag``.
    y : structured array (event, time)
        Metastasis-free survival, death censored.
    patients : DataFrame indexed by patient id
        The clinical variables by their short names, and ``cohort``: training, internal
        validation (same hospital) or external validation.
    outcomes : dict of endpoint to DataFrame
        mfs, lfs and os, with competing events (2).
    truth : DataFrame
        ``true_risk``, its parts ``clinical_risk`` and ``slide_risk``, and the share of
        hot tiles in each region (``hot_C``, ``hot_P``, ``hot_R``).
    root : Path
        Where the bags lie.
    """

    X: pd.DataFrame
    y: Array
    patients: pd.DataFrame
    outcomes: dict[str, pd.DataFrame]
    truth: pd.DataFrame
    root: Path

    def __repr__(self) -> str:
        tiles = sum(ref.count() for ref in self.X[COLUMN])
        return (
            f"<SimulatedBags: {len(self.X)} patients, {tiles:,} tiles of "
            f"{self.X[COLUMN].iloc[0].dim} numbers>"
        )

    def hot(self, patient: str) -> npt.NDArray[np.bool_]:
        """Return which tiles of a patient are hot, in the order of ``BagRef.load``."""
        return np.asarray(np.load(self.root / "hot" / f"{patient}.npy"), dtype=bool)


def make_bags(
    n: int = 150,
    tiles: int = 200,
    dim: int = 32,
    seed: int = 0,
    root: str | Path | None = None,
    *,
    sites: int = 2,
    slides: int = 2,
    hot: float = 0.2,
    strength: float = 3.0,
    dtype: str = "float16",
) -> SimulatedBags:
    """Simulate patients with bags of tiles, as an encoder of slides would leave them.

    Tiles are of four tissues in shares of the patient's own, in three regions (centre
    C, periphery P, surroundings R), with a shift by hospital. Some tiles are *hot*:
    they lie `strength` further along one direction. In C and P their share follows the
    patient's hazard, from none to twice `hot`; in R it is `hot` on average and says
    nothing. So a model of C or P can find the hazard, and one of R must not.

    Parameters
    ----------
    n : int
        Number of patients.
    tiles : int
        Mean number of tiles a patient.
    dim : int
        Numbers a tile, 8 or more.
    seed : int
        Same seed, same bytes.
    root : path, optional
        Folder to write. One that already holds the same bags is used as it is. Without
        it, a temporary folder that lives as long as what is returned.
    sites : int
        Hospitals, called A, B, ….
    slides : int
        Most slides a patient.
    hot : float
        Mean share of hot tiles, above 0 and to 0.5.
    strength : float
        How far hot tiles lie off the others, in standard deviations of one number;
        0 plants nothing.
    dtype : {"float16", "float32"}

    Returns
    -------
    SimulatedBags

    Raises
    ------
    InvalidInput
        A number out of range.
    CohortError
        `root` holds something else.

    Notes
    -----
    In large cohorts Harrell's c of ``slide_risk`` for mfs, deaths censored, is about
    0.77, and of clinical variables alone 0.63.

    References
    ----------
    Michot et al. (2025): cohorts, regions and tiles a patient.

    Examples
    --------
    >>> made = make_bags(n=12, tiles=50, dim=8, seed=0)
    >>> made
    <SimulatedBags: 12 patients, ... tiles of 8 numbers>
    >>> bag = made.X["simulated.bag"].iloc[0].load(regions=["C"])
    >>> bag.features.shape[1], bag.region_names
    (8, ('C', 'P', 'R'))
    """
    asked = {
        "n": n,
        "tiles": tiles,
        "dim": dim,
        "seed": seed,
        "sites": sites,
        "slides": slides,
        "hot": hot,
        "strength": strength,
        "dtype": dtype,
    }
    _check(asked)
    folder = Path(tempfile.mkdtemp(prefix="sarcfeat-")) if root is None else Path(root)
    wanted = {
        key: value if isinstance(value, (str, float)) else int(value)
        for key, value in {**asked, "version": VERSION}.items()
    }
    population = simulate_slide_population(n, sites, seed)
    if not is_there(folder, wanted):
        write_manifest(folder, wanted, complete=False)
        _write(folder, population, wanted)
        write_manifest(folder, wanted, complete=True)
    made = _gathered(folder, population)
    if root is None:
        weakref.finalize(made, shutil.rmtree, folder, ignore_errors=True)
    return made


def _check(asked: Mapping[str, Any]) -> None:
    limits = {
        "n": (1, 99_999),
        "tiles": (10, 10_000_000),
        "dim": (8, 100_000),
        "sites": (1, 26),
        "slides": (1, 100),
        "seed": (0, 2**63),
    }
    for name, (low, high) in limits.items():
        check_whole(name, asked[name], low, high)
    if not 0 < asked["hot"] <= 0.5:
        raise InvalidInput(f"hot={asked['hot']!r}; expected a share above 0, to 0.5.")
    if not (np.isfinite(asked["strength"]) and asked["strength"] >= 0):
        raise InvalidInput(f"strength={asked['strength']!r}; expected 0 or more.")
    if asked["dtype"] not in DTYPES:
        raise InvalidInput(f"dtype={asked['dtype']!r}; expected one of {DTYPES}.")


def _write(folder: Path, population: Population, asked: Mapping[str, Any]) -> None:
    directions = _directions(asked["seed"], asked["dim"], asked["sites"])
    (folder / "hot").mkdir(parents=True, exist_ok=True)
    rows = []
    for number, patient in enumerate(population.patients.index):
        rng = np.random.default_rng([asked["seed"], 4, number])
        level = float(population.truth.at[patient, "aggressiveness"])
        site = ord(str(population.patients.at[patient, "site"])) - ord("A")
        region, is_hot = _plan(rng, asked, level)
        np.save(folder / "hot" / f"{patient}.npy", is_hot)
        cuts = _cuts(rng, len(region), asked["slides"])
        # One rotation of tissues a patient, whatever the number of slides.
        shares = rng.dirichlet(np.full(TISSUES, 3.0))
        for slide, (first, last) in enumerate(cuts, start=1):
            here = slice(first, last)
            features = _features(
                rng, directions, site, shares, is_hot[here], asked["strength"]
            )
            write_bag(
                folder / "bags" / f"{patient}_S{slide}.safetensors",
                np.ascontiguousarray(
                    features, np.dtype(asked["dtype"]).newbyteorder("<")
                ),
                _places(last - first),
                {"encoder": "simulated", "slide": f"{patient}_S{slide}"},
                region=region[here],
                region_names=REGIONS,
            )
            rows.append((patient, f"{patient}_S{slide}", last - first))
    table = pd.DataFrame(rows, columns=["patient", "slide", "tiles"])
    table.to_csv(folder / "slides.csv", index=False, lineterminator="\n")


def _directions(seed: int, dim: int, sites: int) -> dict[str, Array]:
    """Draw what all patients share: the hot direction, tissues and hospitals."""
    rng = np.random.default_rng([seed, 5])
    hot = rng.normal(size=dim)
    hot /= np.linalg.norm(hot)
    tissues = TISSUE_SPREAD * rng.normal(size=(TISSUES, dim))
    shifts = SITE_SHIFT * rng.normal(size=(sites, dim))
    for rows in (tissues, shifts):
        # Tissue and hospital say nothing of what is hot.
        rows -= np.outer(rows @ hot, hot)
    return {"hot": hot, "tissues": tissues, "shifts": shifts}


def _plan(
    rng: np.random.Generator, asked: Mapping[str, Any], level: float
) -> tuple[Array, Array]:
    """Draw the region of each tile of a patient, and which tiles are hot."""
    count = max(round(asked["tiles"] * np.exp(rng.normal(-0.03, 0.25))), 10)
    region = rng.choice(3, size=count, p=SHARES).astype(np.uint8) + np.uint8(1)
    around = float(rng.uniform())  # R has hot tiles too; they say nothing
    share = 2 * asked["hot"] * np.array([level, level, around])
    is_hot = rng.uniform(size=count) < share[region - 1]
    return region, is_hot


def _cuts(rng: np.random.Generator, count: int, most: int) -> list[tuple[int, int]]:
    """Cut a patient's tiles into one to `most` slides."""
    parts = int(rng.integers(1, most + 1))
    edges = np.linspace(0, count, parts + 1).round().astype(int)
    return [(int(a), int(b)) for a, b in itertools.pairwise(edges)]


def _features(
    rng: np.random.Generator,
    directions: Mapping[str, Array],
    site: int,
    shares: Array,
    is_hot: Array,
    strength: float,
) -> Array:
    count, dim = len(is_hot), len(directions["hot"])
    features = rng.standard_normal((count, dim), dtype=np.float32)
    tissue = rng.choice(TISSUES, size=count, p=shares)
    features += directions["tissues"].astype(np.float32)[tissue]
    features += directions["shifts"].astype(np.float32)[site]
    features[is_hot] += (strength * directions["hot"]).astype(np.float32)
    return features


def _places(count: int) -> npt.NDArray[np.int64]:
    side = max(int(np.ceil(np.sqrt(count))), 1)
    index = np.arange(count, dtype=np.int64)
    return TILE * np.column_stack([index % side, index // side])


def _gathered(folder: Path, population: Population) -> SimulatedBags:
    table = pd.read_csv(folder / "slides.csv", dtype={"patient": str, "slide": str})
    dim = None
    refs, hot = {}, {}
    for patient, rows in table.groupby("patient", sort=False):
        parts = tuple(
            BagPart(
                slide=str(row.slide),
                path=str(folder / "bags" / f"{row.slide}.safetensors"),
                layout="safetensors",
                tiles=int(row.tiles),
            )
            for row in rows.itertuples()
        )
        dim = dim or open_bag(parts[0].path).dim
        refs[patient] = BagRef(str(patient), parts, dim)
        hot[patient] = _hot_shares(folder, refs[patient])
    clinical = population.patients.drop(columns=["site", "cohort", "surgery_date"])
    X = pd.concat(
        [population.patients[["site"]], clinical.add_prefix("clinical.")], axis=1
    )
    X[COLUMN] = pd.Series(refs, dtype=object).reindex(X.index)
    mfs = population.outcomes["mfs"]
    return SimulatedBags(
        X=X,
        y=make_y(mfs["event"] == 1, mfs["time"]),
        patients=population.patients,
        outcomes=population.outcomes,
        truth=population.truth.join(pd.DataFrame(hot).T),
        root=folder,
    )


def _hot_shares(folder: Path, ref: BagRef) -> dict[str, float]:
    is_hot = np.load(folder / "hot" / f"{ref.patient}.npy")
    region = ref.places()["region"].to_numpy()
    return {
        f"hot_{name}": float(is_hot[region == name].mean())
        if (region == name).any()
        else np.nan
        for name in REGIONS
    }
