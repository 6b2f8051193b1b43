"""Training on bags of tiles: time of an epoch beside a plain loop, and peak memory.

The plain loop has every tile in memory and judges each batch on its own; ours reads a
sample of each bag from disk and judges against the whole risk set. Both take the same
batches, the same net and one thread. Memory is what a process of its own reached
beyond what it had when the libraries were loaded.

``python -m benchmarks.speed_rows.mil --work DIR [--patients 200] [--tiles 50000]``
measures the large form (10 GB of float16 under DIR, left there and used again).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.table import row
from sarcfeat.io import BagPart, BagRef
from sarcfeat.io.bagfile import write_bag
from sarcfeat.survival import make_y

BATCH, WIDTH = 8, 128
MIB = 2**20


def rows(quick: bool) -> list[dict[str, Any]]:
    """Measure small forms of both; the large one is asked for by itself."""
    epoch = (8, 2_000, 256) if quick else (16, 10_000, 512)
    deep = (3, 10_000, 2048) if quick else (8, 12_000, 2048)
    wide = (4, 20_000, 512) if quick else (16, 50_000, 512)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        return [
            _epoch_row(*epoch, place / "epoch"),
            memory_row(*deep, place / "deep", max_bytes=768 * MIB),
            memory_row(*wide, place / "wide", max_bytes=512 * MIB),
        ]


def write_bags(
    patients: int, tiles: int, dim: int, folder: Path
) -> tuple[list[BagRef], Any]:
    """Write float16 bags that are not there yet; return them with a target."""
    folder.mkdir(parents=True, exist_ok=True)
    refs = []
    for number in range(patients):
        path = folder / f"P{number:04}.safetensors"
        if not path.exists():
            rng = np.random.default_rng([0, number])
            features = rng.standard_normal((tiles, dim), dtype=np.float32)
            coords = np.zeros((tiles, 2), "<i8")
            write_bag(path, features.astype("<f2"), coords, {})
        part = BagPart("S1", str(path), "safetensors", tiles)
        refs.append(BagRef(f"P{number:04}", (part,), dim))
    rng = np.random.default_rng(1)
    event = rng.random(patients) < 0.6
    event[:2] = True
    return refs, make_y(event, rng.exponential(1, patients))


def _epoch_row(patients: int, tiles: int, dim: int, folder: Path) -> dict[str, Any]:
    refs, y = write_bags(patients, 3 * tiles // 2, dim, folder)
    held = [ref.load().features for ref in refs]
    ours, plain = [], []
    for _ in range(3):
        ours += _our_epochs(refs, y, tiles)[1:]
        plain += _plain_epochs(held, y, tiles)[1:]
    mine, theirs = min(ours), min(plain)
    return row(
        f"an epoch of {patients} bags, {tiles:,} of {3 * tiles // 2:,} tiles × {dim:,}",
        mine,
        peer=theirs,
        peer_name="a plain loop on arrays in memory",
        ratio=theirs / mine,
        target=1 / 1.3,
        unit="seconds of processor, one thread and one that reads; target 1.3 times",
        note=f"best of {len(ours)} in turns, median {np.median(ours):.2f} and "
        f"{np.median(plain):.2f}; load {os.getloadavg()[0]:.1f}",
    )


def _net(dim: int) -> Any:
    import torch

    from sarcfeat.nets import BagNet

    torch.manual_seed(0)
    return BagNet(dim, width=WIDTH)


def _our_epochs(refs: list[BagRef], y: Any, tiles: int) -> list[float]:
    """Return the processor time of each epoch of our loop."""
    import torch

    from sarcfeat.nets import Bags, CoxLoss, Recipe, fit

    torch.set_num_threads(1)
    marks: list[float] = []

    def mark(_: Any) -> None:
        marks.append(time.process_time())

    data = Bags(refs, n_tiles=tiles, judged=tiles, max_bytes=8 * 2**30)
    recipe = Recipe(
        epochs=3, batch_size=BATCH, step_size=BATCH, device="cpu", balanced=False
    )
    fit(_net(refs[0].dim), data, y, CoxLoss(), recipe, hooks=[mark])
    return [0.0, *np.diff(marks)]


def _plain_epochs(held: list[Any], y: Any, tiles: int) -> list[float]:
    """Return the processor time of each epoch of a loop as people write it."""
    import torch
    from torch import nn

    torch.set_num_threads(1)
    dim = held[0].shape[1]
    first, head = nn.Linear(dim, WIDTH), nn.Linear(WIDTH, 1)
    seen, gate, weigh = nn.Linear(WIDTH, 64), nn.Linear(WIDTH, 64), nn.Linear(64, 1)
    parts = nn.ModuleList([first, head, seen, gate, weigh])
    optimizer = torch.optim.AdamW(parts.parameters(), lr=1e-3)
    rng = np.random.default_rng(0)
    times = torch.as_tensor(y["time"].copy())
    event = torch.as_tensor(y["event"].copy())
    spent = []
    for _ in range(3):
        start = time.process_time()
        for batch in np.array_split(rng.permutation(len(held)), -(-len(held) // BATCH)):
            risks = []
            for i in batch:
                some = rng.choice(len(held[i]), tiles, replace=False)
                x = torch.from_numpy(held[i][some]).float()
                h = nn.functional.dropout(torch.relu(first(x)), 0.25)
                a = weigh(torch.tanh(seen(h)) * torch.sigmoid(gate(h))).softmax(0)
                risks.append(head((a * h).sum(0)))
            eta, at = torch.cat(risks), times[batch]
            sums = torch.stack([eta[at >= when].logsumexp(0) for when in at])
            loss = -((eta - sums) * event[batch]).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        spent.append(time.process_time() - start)
    return spent


def memory_row(
    patients: int, tiles: int, dim: int, folder: Path, *, max_bytes: int
) -> dict[str, Any]:
    """Train one epoch in a process of its own, predict, and read its peak."""
    write_bags(patients, tiles, dim, folder)
    told = [str(n) for n in (patients, tiles, dim, max_bytes)]
    command = [sys.executable, "-m", "benchmarks.speed_rows.mil", "--child", *told]
    done = subprocess.run(
        [*command, "--work", str(folder)], capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout.splitlines()[-1])
    size = patients * tiles * dim * 2 / MIB
    return row(
        f"memory of training and prediction, {patients} bags of {tiles:,} × {dim:,}",
        found["mib"],
        peer=max_bytes / MIB,
        peer_name="the ceiling asked for (max_bytes)",
        ratio=max_bytes / MIB / found["mib"],
        target=1.0,
        unit="MiB beyond the libraries, at the peak of the process",
        note=f"{size:,.0f} MiB of float16 on disk; 10,000 tiles a patient and epoch; "
        f"{found['seconds']:.0f} s for one epoch, scales, cache and prediction",
    )


def _child(patients: int, tiles: int, dim: int, max_bytes: int, folder: Path) -> None:
    from sarcfeat.estimators import AttentionMIL

    refs, y = write_bags(patients, tiles, dim, folder)
    X = pd.DataFrame({"bag": pd.Series(refs, dtype=object)})
    warm = AttentionMIL(epochs=1, n_tiles=2, width=2, validation=None, device="cpu")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warm.set_params(max_bytes=16 * MIB).fit(X.iloc[:2], y[:2])
        before = _status("VmRSS")
        start = time.perf_counter()
        model = AttentionMIL(
            epochs=1, validation=None, max_bytes=max_bytes, device="cpu"
        )
        model.fit(X, y)
    spent = time.perf_counter() - start
    peak = _status("VmHWM") - before
    print(json.dumps({"mib": peak / 1024, "seconds": spent}))


def _status(field: str) -> int:
    """Return a number of /proc/self/status, in KiB; the peak is of this process."""
    text = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(re.findall(rf"{field}:\s+(\d+)", text)[0])


def main() -> None:
    """Measure the large form, or be the process that is measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=200)
    parser.add_argument("--tiles", type=int, default=50_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--max-bytes", type=int, default=2**30)
    parser.add_argument("--work", type=Path, required=True, help="folder of the bags")
    parser.add_argument("--child", type=int, nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        _child(*options.child, options.work)
        return
    size = (options.patients, options.tiles, options.dim)
    found = memory_row(*size, options.work, max_bytes=options.max_bytes)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
