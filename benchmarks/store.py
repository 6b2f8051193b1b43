"""The store beside the files people keep features in, in the same run.

``python -m benchmarks.store [--quick] [--only NAME] [--json FILE]``

Ours and the peers take turns. A time is the best of several runs; the note says the
median, the processor time and how busy the machine was (a load above its cores makes
times on the clock too long).
"""

from __future__ import annotations

import os
import tempfile
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
from benchmarks.timing import Times, interleaved, measure
from sarcfeat.store import FeatureStore
from sarcfeat.store.results import append_results
from sarcfeat.store.units import Result, Task, register_extractor, todo

Rows = list[dict[str, Any]]


def limit(name: str, times: Times, most: float, *, note: str = "") -> dict[str, Any]:
    """Return a row whose target is a time at most."""
    told = " ".join(filter(None, [f"target: at most {most:g} ms.", note, str(times)]))
    ours = times.best
    return row(name, ours, target=most, met=ours <= most, unit="ms", note=told)


def matrix_rows(folder: Path, n: int, p: int, seed: int) -> Rows:
    """Time the matrix: join, order, leak checks, hash and freeze, no cached copy."""
    frame = random_frame(n, p, seed)
    peers = [peer for peer in PEERS if peer.installed()]
    places = {peer.name: peer.write(folder, frame) for peer in peers}
    with FeatureStore(folder / "matrix") as store:
        add_patients(store, n, seed)

        def bring_in() -> None:
            store.import_features(frame, extractor="r", sequence="T1", format="wide")

        def ours() -> Any:
            # Nothing of a matrix is kept between calls but DuckDB's own pages.
            return store.matrix(None, features="r.t1", outcome="mfs")

        filled = measure(bring_in, 1)
        works: dict[str, tuple[Callable[[], Any], int]] = {"ours": (ours, 15)}
        for peer in peers:
            works[peer.name] = (_reader(peer, places[peer.name]), peer.repeats)
        times = interleaved(works)

    def opened() -> None:
        with FeatureStore(folder / "matrix") as store:
            store.matrix(None, features="r.t1", outcome="mfs")

    title = f"matrix {n} × {p} to pandas"
    whole = measure(opened, 3)
    name = f"{title}, opening and closing the store too"
    rows = [
        limit(title, times["ours"], 150.0),
        row(name, whole.best, unit="ms", note=str(whole)),
    ]
    for peer in PEERS:
        if peer in peers:
            rows.append(_beside(title, times["ours"], times[peer.name], peer))
        else:
            name = f"{title} beside {peer.name}"
            rows.append(row(name, times["ours"].best, unit="ms", note="not installed"))
    rows.append(row(f"import {n} × {p}", filled.best, unit="ms", note=str(filled)))
    return rows


def _reader(peer: Peer, place: Path) -> Callable[[], Any]:
    return lambda: peer.read(place)


def _beside(title: str, ours: Times, theirs: Times, peer: Peer) -> dict[str, Any]:
    notes = [peer.note, "no join, hash, leak check or provenance", str(theirs)]
    return row(
        f"{title} beside {peer.name}",
        ours.best,
        peer=theirs.best,
        peer_name=peer.name,
        ratio=theirs.best / ours.best,
        target=20.0 if peer.habit else None,
        unit="ms",
        note="; ".join(filter(None, notes)),
    )


def upsert_row(folder: Path, p: int, seed: int) -> dict[str, Any]:
    """Time one unit of p features, committed and on the disk."""
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
        times = measure(one, 60)
    # Not the best: it may be the one that waited least for the disk.
    ours = times.median
    note = f"target: at most 10 ms. the median {times}"
    met = ours <= 10.0
    return row("single-unit upsert", ours, target=10.0, met=met, unit="ms", note=note)


def encode_row(folder: Path, n: int, seed: int) -> dict[str, Any]:
    """Time an encode that finds nothing to do."""
    write_volumes(folder / "volumes", n)
    with FeatureStore(folder / "encode") as store:
        add_patients(store, n, seed)
        root = folder / "volumes"
        store.add_images(root, pattern="{patient}/{sequence}_image.nii", progress=False)
        store.add_masks(root, pattern="{patient}/{sequence}_mask.nii", progress=False)
        first = store.encode(Instant(), progress=False)
        times = measure(lambda: store.encode(Instant(), progress=False), 5)
    note = f"the first encode of {first.encoded} units took {first.seconds:.1f} s;"
    return limit(f"no-op encode of {n} units", times, 500.0, note=note)


def todo_row(folder: Path, n: int) -> dict[str, Any]:
    """Time the list of what is missing."""
    with FeatureStore(folder / "todo") as store:
        everyone = names(n)
        patients = pd.DataFrame({"site": "x"}, index=pd.Index(everyone, name="patient"))
        store.add_patients(patients)
        add_catalogue_rows(store, n)
        db = store._open
        extractor = register_extractor(db, Instant())
        times = measure(lambda: todo(db, extractor, everyone, None), 15)
    return limit(f"to-do list of {n} units", times, 50.0)


def _import_wide(store: FeatureStore, frame: pd.DataFrame) -> Callable[[], Any]:
    return lambda: store.import_features(
        frame, extractor="rna", sequence="RNA", format="wide"
    )


def _matrix_of(store: FeatureStore, features: str) -> Callable[[], Any]:
    return lambda: store.matrix(None, features=features, outcome="mfs")


def expression_rows(folder: Path, n: int, p: int, seed: int) -> Rows:
    """Time a wide table in and out."""
    frame = random_frame(n, p, seed)
    into, out = Times(), Times()
    # A store of its own each time: the same table again would change nothing.
    for turn in range(2):
        with FeatureStore(folder / f"expression{turn}") as store:
            add_patients(store, n, seed)
            times = interleaved(
                {
                    "in": (_import_wide(store, frame), 1),
                    "out": (_matrix_of(store, "rna.rna"), 2),
                }
            )
        into.add(times["in"])
        out.add(times["out"])
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
        times = interleaved(
            {
                "ours": (lambda: store.tiles("P00001", n=n), 25),
                "raw": (lambda: np.load(folder / "slide.npy"), 25),
            }
        )
    ours, raw = times["ours"], times["raw"]
    return row(
        f"{n} tiles × {dim} of one slide, warm",
        ours.best,
        peer=raw.best,
        peer_name="raw npy",
        ratio=raw.best / ours.best,
        target=0.5,
        unit="ms",
        note=f"target: within 2 × of the raw read; ours {ours}; raw {raw}",
    )


SECTIONS = ("matrix", "upsert", "encode", "todo", "expression", "tiles")


def section(name: str, folder: Path, quick: bool, seed: int) -> Rows:
    """Fill the stores of one section and time them."""
    n, p = (200, 300) if quick else (1800, 1834)
    if name == "matrix":
        return matrix_rows(folder, n, p, seed)
    if name == "upsert":
        return [upsert_row(folder, p, seed)]
    if name == "encode":
        return [encode_row(folder, 100 if quick else 1800, seed)]
    if name == "todo":
        return [todo_row(folder, 1000 if quick else 10_000)]
    if name == "expression":
        return expression_rows(folder, *((50, 5000) if quick else (300, 60_000)), seed)
    return [tiles_row(folder, 1000 if quick else 10_000, 512, seed)]


def main() -> None:
    """Fill stores in a temporary folder and time them."""
    options = arguments(__doc__ or "", SECTIONS)
    load = "processes that want a core; above the cores, times are too long"
    rows = [row("load of the machine at the start", os.getloadavg()[0], unit=load)]
    with tempfile.TemporaryDirectory() as made:
        for name in options.only or SECTIONS:
            rows += section(name, Path(made), options.quick, options.seed)
    rows.append(row("load of the machine at the end", os.getloadavg()[0], unit=load))
    write(rows, options.json)


if __name__ == "__main__":
    main()
