"""Whether the scores of the regions find what was planted, and no more.

``python -m benchmarks.region_scores [--quick] [--json FILE]``

Simulated patients whose hazard is in the tiles of centre and periphery and not in
those around the tumour. The five models are trained on some patients and judged on
others by Harrell's c: C, P and CP must find the hazard, R must not, and adding R must
not matter. Beside attention stands the mean of the tiles in a ridge Cox model.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy.stats import t

from benchmarks.table import arguments, row, write
from sarcfeat.datasets import make_bags
from sarcfeat.estimators import AttentionMIL, MeanPoolCox, RegionScores
from sarcfeat.metrics import concordance
from sarcfeat.survival import check_y

FINDS = ("DL-C", "DL-P", "DL-CP", "DL-CPR")
Cs = dict[str, np.ndarray[Any, Any]]


def held_out(
    estimator: Any, seeds: int, train: int, test: int, tiles: int, dim: int
) -> Cs:
    """Return c of each score in patients held out, one number a seed."""
    found: dict[str, list[float]] = {}
    for seed in range(seeds):
        made = make_bags(train + test, tiles=tiles, dim=dim, seed=seed)
        scores = RegionScores(estimator=estimator, cv=None, random_state=seed)
        scores.fit(made.X.iloc[:train], made.y[:train])
        event, time = check_y(made.y[train:])
        risks = scores.transform(made.X.iloc[train:]).to_numpy().T
        truth = made.truth["slide_risk"].to_numpy()[train:]
        for name, risk in [*zip(scores.models_, risks, strict=True), ("truth", truth)]:
            c = concordance(event, time, risk).c_index
            found.setdefault(name, []).append(float(c))
    return {name: np.array(values) for name, values in found.items()}


def interval(values: np.ndarray[Any, Any]) -> tuple[float, float, float]:
    """Return the mean over seeds and its 95 % interval (Student's t)."""
    mean, n = float(values.mean()), len(values)
    half = float(t.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n))
    return mean, mean - half, mean + half


def rows(*, quick: bool) -> list[dict[str, Any]]:
    """Train and judge the five models on each seed."""
    size = (
        {"seeds": 2, "train": 120, "test": 150, "tiles": 120, "dim": 16}
        if quick
        else {"seeds": 5, "train": 150, "test": 250, "tiles": 1000, "dim": 64}
    )
    net = AttentionMIL(n_tiles=60, validation=None, epochs=8, device="cpu")
    if not quick:
        net = AttentionMIL(n_tiles=300, device="cpu")
    with warnings.catch_warnings():
        # A region in which nothing is found may end on any epoch, or on none.
        warnings.simplefilter("ignore")
        attention, mean = held_out(net, **size), held_out(MeanPoolCox(), **size)
    told = ", ".join(f"{key} {value}" for key, value in size.items())
    found = [_found(name, attention[name], mean[name], told) for name in attention]
    for kind, by in (("attention", attention), ("mean of tiles", mean)):
        change, low, high = interval(by["DL-CPR"] - by["DL-CP"])
        found.append(
            row(
                f"change of c by adding R, {kind}",
                change,
                met=abs(change) < 0.03,
                unit="Harrell's c, held-out patients",
                note=f"95 % interval {low:+.3f} to {high:+.3f}; within ±0.03 wanted",
            )
        )
    return found


def _found(name: str, ours: Any, peer: Any, told: str) -> dict[str, Any]:
    c, low, high = interval(ours)
    met = None
    if name in FINDS:
        met = c > 0.6
    elif name == "DL-R":
        met = abs(c - 0.5) < 0.06
    each = ", ".join(f"{value:.3f}" for value in ours)
    return row(
        f"c of {name}",
        c,
        peer=None if name == "truth" else float(peer.mean()),
        peer_name="mean of the tiles, ridge Cox",
        met=met,
        unit="Harrell's c, held-out patients, mean over seeds",
        note=f"95 % interval {low:.3f} to {high:.3f}; seeds {each}; {told}",
    )


def main() -> None:
    """Run it."""
    options = arguments(str(__doc__))
    write(rows(quick=options.quick), options.json)


if __name__ == "__main__":
    main()
