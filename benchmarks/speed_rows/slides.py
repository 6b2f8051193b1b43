"""Tiles of a slide: cut and read beside bare OpenSlide, encoded beside the bare net.

The slide is drawn: tissue in an ellipse on white glass, as a pyramid of JPEG tiles that
OpenSlide opens. Ours finds the tissue, lays the grid, reads the tiles in it, judges
each by its sharpness and hands it over in order; the peer reads the same squares at the
same places and does nothing with them. Each reading thread has the slide open once, on
both sides. Encoding is the whole way from the file to the bag; its peer is the net
alone on as many pictures in memory.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.speed_rows.deep import BATCHES, bare_net
from benchmarks.table import row
from benchmarks.timing import Times, interleaved
from sarcfeat.encoders import SlideTiles, TissueRule
from sarcfeat.encoders.tile_quality import fault_of_tile
from sarcfeat.encoders.tile_reading import lay_out, read_tiles
from sarcfeat.io import open_slide

SIZE = 224
THREADS = 2
MPP = 0.25
RATE = "tiles per second"


def rows(quick: bool) -> list[dict[str, Any]]:
    """Time reading on a large slide and encoding on a small one, in turns."""
    side, repeats, tiles = (4096, 2, 3) if quick else (12_288, 11, 5)
    with tempfile.TemporaryDirectory() as folder:
        large, small = (
            draw_slide(Path(folder) / f"{n}.tif", n) for n in (side, tiles * SIZE)
        )
        return [*_reading(large, repeats), _encoding(small, repeats)]


def _reading(path: Path, repeats: int) -> list[dict[str, Any]]:
    places = _kept(path)
    works = {
        **{f"ours {k}": (_ours(path, k), repeats) for k in (1, THREADS)},
        **{f"bare {k}": (_bare(path, places, k), repeats) for k in (1, THREADS)},
    }
    times = interleaved(works)
    n = len(places)
    one, two, bare_one, bare_two = (
        times[f"{who} {k}"] for who in ("ours", "bare") for k in (1, THREADS)
    )
    mine, theirs = (1000 * n / min(t.processor) for t in (one, bare_one))
    together, alone, peer = (1000 * n / t.best for t in (two, one, bare_two))
    return [
        row(
            f"tissue, grid, reading and checks of {n} tiles, one thread",
            mine,
            peer=theirs,
            peer_name="OpenSlide's read_region at the same places",
            ratio=mine / theirs,
            target=0.7,
            unit=f"{RATE} of processor",
            note=f"ours {one}; peer {bare_one}",
        ),
        row(
            f"the same, {THREADS} threads",
            together,
            peer=peer,
            peer_name=f"OpenSlide's read_region in {THREADS} threads",
            ratio=together / peer,
            target=0.7,
            unit=f"{RATE} on the clock",
            note=f"ours {two}; peer {bare_two}",
        ),
        row(
            f"{THREADS} threads beside one",
            together,
            peer=alone,
            peer_name="ours in one thread",
            ratio=together / alone,
            unit=f"{RATE} on the clock",
            note=f"OpenSlide alone goes {bare_one.best / bare_two.best:.2f} times as "
            f"fast in {THREADS} threads as in one",
        ),
    ]


def _encoding(path: Path, repeats: int) -> dict[str, Any]:
    encoder = SlideTiles(
        "random",
        net="resnet50",
        mpp=MPP,
        keep=("A", "B", "C"),
        n_threads=1,
        precision="float32",
        device="cpu",
    )
    n = len(encoder.encode_slide(path))
    works = {"ours": (lambda: encoder.encode_slide(path), repeats)}
    works |= {f"bare {b}": (bare_net(n, b), repeats) for b in BATCHES}
    for work, _ in works.values():
        work()  # the first call builds the net and fills the caches
    times = interleaved(works)
    peer: Times = min(
        (times[f"bare {b}"] for b in BATCHES), key=lambda t: min(t.processor)
    )
    mine, theirs = (1000 * n / min(t.processor) for t in (times["ours"], peer))
    return row(
        f"ResNet-50 of a slide's {n} tiles, from the file to the bag",
        mine,
        peer=theirs,
        peer_name="the net alone, on pictures in memory",
        ratio=mine / theirs,
        target=0.9,
        unit=f"{RATE} of processor, one thread computes",
        note=f"ours {times['ours']}; peer {peer}",
    )


def _layout(path: Path) -> tuple[Any, npt.NDArray[np.bool_]]:
    rule = TissueRule()
    with open_slide(path) as slide:
        layout = lay_out(slide, mpp=MPP, size=SIZE, rule=rule)
    return layout, np.isin(layout.group, ("A", "B")) & (layout.ink <= rule.pen)


def _kept(path: Path) -> list[tuple[int, int]]:
    layout, wanted = _layout(path)
    return [(int(x), int(y)) for x, y in layout.grid.coords[wanted]]


def _ours(path: Path, threads: int) -> Callable[[], int]:
    rule = TissueRule()

    def work() -> int:
        layout, wanted = _layout(path)
        level = layout.tissue.threshold

        def prepare(tile: Any) -> Any:
            fault = fault_of_tile(tile, rule, level)
            return tile if fault is None else fault

        return sum(
            len(block)
            for block in read_tiles(
                path, layout, wanted, n_threads=threads, prepare=prepare
            )
        )

    return work


def _bare(path: Path, places: list[tuple[int, int]], threads: int) -> Callable[[], int]:
    import openslide

    def read(mine: list[tuple[int, int]]) -> int:
        with openslide.OpenSlide(path) as slide:
            for place in mine:
                np.asarray(slide.read_region(place, 0, (SIZE, SIZE)))
        return len(mine)

    def work() -> int:
        if threads == 1:
            return read(places)
        cut = -(-len(places) // threads)
        parts = [places[k : k + cut] for k in range(0, len(places), cut)]
        with ThreadPoolExecutor(threads) as pool:
            return sum(pool.map(read, parts))

    return work


def draw_slide(path: Path, side: int) -> Path:
    """Write a square slide of tissue in an ellipse, 0.25 µm per pixel, four levels."""
    import tifffile
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(0)
    noise = rng.standard_normal((2, 1024, 1024))
    spots, grain = (gaussian_filter(n, s) for n, s in zip(noise, (4, 1), strict=True))
    eosin = 0.9 + 0.1 * grain / grain.std() + 0.15 * spots / spots.std()
    amount = np.stack([0.9 * (spots / spots.std() > 1), np.maximum(eosin, 0.3)])
    dyes = np.array([[0.56, 0.22], [0.72, 0.80], [0.41, 0.56]])
    patch = 240 * np.exp(-np.einsum("cd,dhw->hwc", dyes, amount))
    times = -(-side // 1024)
    picture = np.tile(patch.astype(np.uint8), (times, times, 1))[:side, :side]
    y, x = np.ogrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    picture = np.where((x**2 + 1.3 * y**2 < 0.9)[..., None], picture, np.uint8(244))
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        for level in range(4):
            per_cm = 1e4 / (MPP * 4**level)
            file.write(
                np.ascontiguousarray(picture[:: 4**level, :: 4**level]),
                tile=(256, 256),
                photometric="rgb",
                compression="jpeg",
                compressionargs={"level": 85},
                resolution=(per_cm, per_cm),
                resolutionunit="CENTIMETER",
                subfiletype=int(level > 0),
            )
    return path
