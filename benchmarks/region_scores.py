"""Whether the scores of the regions find what was planted, and no more.

``python -m benchmarks.region_scores [--quick] [--only bags|slides] [--json FILE]``

Simulated patients whose hazard is in the tiles of centre and periphery and not in
those around the tumour: bags of numbers, or slides that are drawn, read and encoded by
a net with random weights. The five models are trained on some patients and judged on
others by Harrell's c: C, P and CP must find the hazard, R must not, and adding R must
not matter. Beside attention stands the mean of the tiles in a ridge Cox model.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy.stats import t

from benchmarks.table import arguments, row, write
from sarcfeat.datasets import make_bags, make_slides
from sarcfeat.encoders import SlideTiles
from sarcfeat.estimators import AttentionMIL, MeanPoolCox, RegionScores
from sarcfeat.io import BagArray, named_regions, open_slide, read_annotations
from sarcfeat.metrics import concordance
from sarcfeat.survival import check_y, make_y

FINDS = ("DL-C", "DL-P", "DL-CP", "DL-CPR")
Cs = dict[str, np.ndarray[Any, Any]]
Study = tuple[pd.DataFrame, Any, np.ndarray[Any, Any], Any]


def bags(seed: int, n: int, tiles: int, dim: int) -> Study:
    """Simulate tiles as numbers."""
    made = make_bags(n, tiles=tiles, dim=dim, seed=seed)
    # The files live as long as what was made.
    return made.X, made.y, made.truth["slide_risk"].to_numpy(), made


def slides(seed: int, n: int, size: int, tile: int) -> Study:
    """Draw slides, and encode their tiles by a net that has learned nothing."""
    with tempfile.TemporaryDirectory() as folder:
        cohort = make_slides(
            n, seed, Path(folder) / "cohort", slides=1, size=size, n_jobs=2
        )
        drawn = cohort.annotations.set_index("patient")["path"]
        found = Parallel(n_jobs=2)(
            delayed(encoded)(str(one.patient), one.path, drawn[one.patient], tile)
            for one in cohort.slides.itertuples()
        )
    X = pd.DataFrame({"tiles.bag": pd.Series(found, dtype=object)})
    X.index = pd.Index([one.patient for one in found])
    mfs = cohort.outcomes["mfs"].loc[X.index]
    y = make_y(mfs["event"] == 1, mfs["time"])
    return X, y, cohort.truth.loc[X.index, "slide_risk"].to_numpy(), None


def encoded(patient: str, path: Any, drawn: Any, tile: int) -> BagArray:
    """Return the tiles of one slide, with their regions."""
    with open_slide(path) as slide:
        regions = named_regions(read_annotations(drawn, slide=slide))
    net = SlideTiles("random", net="resnet18", size=tile, n_threads=1, device="cpu")
    one = net.encode_slide(path, regions=regions)
    kept = np.asarray(one.features, dtype=np.float32)
    return BagArray(patient, kept, one.coords, one.region, one.region_names)


def held_out(estimator: Any, studies: list[Study], train: int) -> Cs:
    """Return c of each score in patients held out, one number a study."""
    found: dict[str, list[float]] = {}
    for seed, (X, y, risk, _) in enumerate(studies):
        scores = RegionScores(estimator=estimator, cv=None, random_state=seed)
        scores.fit(X.iloc[:train], y[:train])
        event, time = check_y(y[train:])
        risks = scores.transform(X.iloc[train:]).to_numpy().T
        named = [*zip(scores.models_, risks, strict=True), ("truth", risk[train:])]
        for name, predicted in named:
            known = ~np.isnan(predicted)
            c = concordance(event[known], time[known], predicted[known]).c_index
            found.setdefault(name, []).append(float(c))
    return {name: np.array(values) for name, values in found.items()}


def interval(values: np.ndarray[Any, Any]) -> tuple[float, float, float]:
    """Return the mean over seeds and its 95 % interval (Student's t)."""
    mean, n = float(values.mean()), len(values)
    half = float(t.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n))
    return mean, mean - half, mean + half


def rows(kind: str, *, quick: bool) -> list[dict[str, Any]]:
    """Train and judge the five models on each seed."""
    simulate: Callable[..., Study] = bags if kind == "bags" else slides
    seeds, train, test = (2, 120, 150) if quick else (5, 150, 250)
    size = {"tiles": 120, "dim": 16} if quick else {"tiles": 1000, "dim": 64}
    if kind == "slides":
        train, test = (40, 40) if quick else (120, 100)
        size = {"size": 1024, "tile": 112}
    net = AttentionMIL(n_tiles=300, device="cpu")
    if quick:
        net = AttentionMIL(n_tiles=60, validation=None, epochs=8, device="cpu")
    studies = [simulate(seed, train + test, **size) for seed in range(seeds)]
    with warnings.catch_warnings():
        # A region in which nothing is found may end on any epoch, or on none.
        warnings.simplefilter("ignore")
        attention = held_out(net, studies, train)
        mean = held_out(MeanPoolCox(), studies, train)
    told = {"seeds": seeds, "train": train, "test": test, **size}
    note = ", ".join(f"{key} {value}" for key, value in told.items())
    found = [
        _found(kind, name, attention[name], mean[name], note) for name in attention
    ]
    for how, by in (("attention", attention), ("mean of tiles", mean)):
        change, low, high = interval(by["DL-CPR"] - by["DL-CP"])
        found.append(
            row(
                f"{kind}: change of c by adding R, {how}",
                change,
                met=abs(change) < 0.03,
                unit="Harrell's c, held-out patients",
                note=f"95 % interval {low:+.3f} to {high:+.3f}; within ±0.03 wanted",
            )
        )
    return found


def _found(kind: str, name: str, ours: Any, peer: Any, told: str) -> dict[str, Any]:
    c, low, high = interval(ours)
    met = None
    if name in FINDS:
        met = c > 0.6
    elif name == "DL-R":
        met = abs(c - 0.5) < 0.06
    each = ", ".join(f"{value:.3f}" for value in ours)
    return row(
        f"{kind}: c of {name}",
        c,
        peer=None if name == "truth" else float(peer.mean()),
        peer_name="mean of the tiles, ridge Cox",
        met=met,
        unit="Harrell's c, held-out patients, mean over seeds",
        note=f"95 % interval {low:.3f} to {high:.3f}; seeds {each}; {told}",
    )


def main() -> None:
    """Run it."""
    options = arguments(str(__doc__), sections=("bags", "slides"))
    found: list[dict[str, Any]] = []
    for kind in options.only or ("bags", "slides"):
        found += rows(kind, quick=options.quick)
    write(found, options.json)


if __name__ == "__main__":
    main()
