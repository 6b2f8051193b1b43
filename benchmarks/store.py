"""The store beside the files people keep features in, in the same run.

``python -m benchmarks.store [--quick] [--json FILE]``
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.peers import PEERS, Peer
from benchmarks.stores import (
    Instant,
    add_catalogue_rows,
    add_patients,
    names,
    random_frame,
    write_volumes,
)
from benchmarks.table import arguments, row, write
from sarcfeat.store import FeatureStore
from sarcfeat.store.units import Result, Task, append_results, register_extractor, todo

Rows = list[dict[str, Any]]


def best(work: Callable[[], Any], repeats: int = 5) -> float:
    """Return the shortest of several wall-clock times in milliseconds."""
    found = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return 1000 * min(found)


def limit(name: str, ours: float, most: float, **more: Any) -> dict[str, Any]:
    """Return a row whose target is a time at most."""
    note = " ".join(
        filter(None, [f"target: at most {most:g} ms.", more.pop("note", "")])
    )
    return row(name, ours, target=most, met=ours <= most, unit="ms", note=note, **more)


def matrix_rows(folder: Path, n: int, p: int, seed: int) -> Rows:
    """Time the matrix: join, order, leak checks, hash and freeze, no cached copy."""
    frame = random_frame(n, p, seed)
    with FeatureStore(folder / "matrix") as store:
        add_patients(store, n, seed)
        start = time.perf_counter()
        store.import_features(frame, extractor="r", sequence="T1", format="wide")
        filled = 1000 * (time.perf_counter() - start)
        # Nothing of a matrix is kept between calls but DuckDB's own pages.
        ours = best(lambda: store.matrix(None, features="r.t1", outcome="mfs"), 7)
    start = time.perf_counter()
    with FeatureStore(folder / "matrix") as store:
        store.matrix(None, features="r.t1", outcome="mfs")
    opened = 1000 * (time.perf_counter() - start)
    title = f"matrix {n} × {p} to pandas"
    rows = [
        limit(title, ours, 150.0, note="best of 7"),
        row(f"{title}, opening and closing the store too", opened, unit="ms"),
    ]
    rows += [_beside(title, ours, peer, folder, frame) for peer in PEERS]
    rows.append(row(f"import {n} × {p}", filled, unit="ms"))
    return rows


def _beside(
    title: str, ours: float, peer: Peer, folder: Path, frame: pd.DataFrame
) -> dict[str, Any]:
    if not peer.installed():
        return row(f"{title} beside {peer.name}", ours, unit="ms", note="not installed")
    place = peer.write(folder, frame)
    theirs = best(lambda: peer.read(place), 1 if peer.slow else 3)
    return row(
        f"{title} beside {peer.name}",
        ours,
        peer=theirs,
        peer_name=peer.name,
        ratio=theirs / ours,
        target=20.0 if peer.habit else None,
        unit="ms",
        note=None if peer.habit else "no join, hash, leak check or provenance",
    )


def upsert_row(folder: Path, p: int, seed: int) -> dict[str, Any]:
    """Time one unit of p features, committed."""
    rng = np.random.default_rng(seed)
    encoder = Instant(n=p)
    with FeatureStore(folder / "upsert") as store:
        add_patients(store, 10, seed)
        db = store._open
        extractor = register_extractor(db, encoder)
        columns = tuple(names(p, "f"))

        def one() -> None:
            mark = rng.bytes(16).hex()
            task = Task(mark, mark, mark, "P00001", "T1", "A", 1, 1, "image", "mask")
            result = Result(task, 0.0, columns, rng.normal(size=p))
            append_results(db, encoder, extractor, "run", [result])

        one()
        times = [best(one, 1) for _ in range(30)]
    note = f"median of 30; longest {max(times):.1f} ms"
    return limit("single-unit upsert", float(np.median(times)), 10.0, note=note)


def encode_row(folder: Path, n: int, seed: int) -> dict[str, Any]:
    """Time an encode that finds nothing to do."""
    write_volumes(folder / "volumes", n)
    with FeatureStore(folder / "encode") as store:
        add_patients(store, n, seed)
        root = folder / "volumes"
        store.add_images(root, pattern="{patient}/{sequence}_image.nii", progress=False)
        store.add_masks(root, pattern="{patient}/{sequence}_mask.nii", progress=False)
        first = store.encode(Instant(), progress=False)
        ours = best(lambda: store.encode(Instant(), progress=False), 3)
    note = f"the first encode of {first.encoded} units took {first.seconds:.1f} s"
    return limit(f"no-op encode of {n} units", ours, 500.0, note=note)


def todo_row(folder: Path, n: int) -> dict[str, Any]:
    """Time the list of what is missing."""
    with FeatureStore(folder / "todo") as store:
        patients = pd.DataFrame({"site": "x"}, index=pd.Index(names(n), name="patient"))
        store.add_patients(patients)
        add_catalogue_rows(store, n)
        db = store._open
        extractor = register_extractor(db, Instant())
        ours = best(lambda: todo(db, extractor, names(n), None), 5)
    return limit(f"to-do list of {n} units", ours, 50.0)


def expression_rows(folder: Path, n: int, p: int, seed: int) -> Rows:
    """Time a wide table in and out."""
    frame = random_frame(n, p, seed)
    with FeatureStore(folder / "expression") as store:
        add_patients(store, n, seed)

        def bring_in() -> None:
            store.import_features(frame, extractor="rna", sequence="RNA", format="wide")

        into = best(bring_in, 1)
        out = best(lambda: store.matrix(None, features="rna.rna", outcome="mfs"), 2)
    return [
        limit(f"expression {n} × {p} in", into, 5000.0),
        limit(f"expression {n} × {p} to pandas", out, 5000.0),
    ]


def tiles_row(folder: Path, n: int, dim: int, seed: int) -> dict[str, Any]:
    """Time all tiles of one slide beside a raw npy file, both warm."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, dim)).astype(np.float32)
    coords = rng.integers(0, 100_000, size=(n, 2))
    np.save(folder / "slide.npy", features)
    with FeatureStore(folder / "tiles") as store:
        add_patients(store, 10, seed)
        store.add_bag("P00001", "slide", features, coords, extractor="uni")
        ours = best(lambda: np.array(store.tiles("P00001", n=n).features), 7)
    theirs = best(lambda: np.load(folder / "slide.npy"), 7)
    return row(
        f"{n} tiles × {dim} of one slide, warm",
        ours,
        peer=theirs,
        peer_name="raw npy",
        ratio=theirs / ours,
        target=0.5,
        unit="ms",
        note="target: within 2 × of the raw read",
    )


def main() -> None:
    """Fill stores in a temporary folder and time them."""
    options = arguments(__doc__ or "")
    quick = options.quick
    n, p = (200, 300) if quick else (1800, 1834)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        rows = [
            row(
                "load of the machine at the start",
                os.getloadavg()[0],
                unit="processes that want a core; above the cores, times are too long",
            ),
            *matrix_rows(folder, n, p, options.seed),
            upsert_row(folder, p, options.seed),
            encode_row(folder, 100 if quick else 1800, options.seed),
            todo_row(folder, 1000 if quick else 10_000),
            *expression_rows(folder, *((50, 5000) if quick else (300, 60_000)), seed=0),
            tiles_row(folder, 1000 if quick else 10_000, 512, options.seed),
        ]
    write(rows, options.json)


if __name__ == "__main__":
    main()
