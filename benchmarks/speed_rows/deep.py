"""ResNet-50 features of a lesion, from files to vector, beside the bare net.

Ours reads an image and a mask, checks them, cuts the slices and runs the net; the peer
is the forward pass alone on as many pictures that lie in memory already. Both have one
thread: in a store, parallelism is over patients.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.table import row
from benchmarks.timing import Times, interleaved
from sarcfeat.encoders import CNN2D

SIZE = 224
BATCHES = (4, 16)  # what the encoder takes on a CPU, and what people write


def rows(quick: bool) -> list[dict[str, Any]]:
    """Time both in turns on every slice of a lesion, and on its middle slice."""
    slices, repeats = (12, 2) if quick else (24, 5)
    with tempfile.TemporaryDirectory() as folder:
        image, mask = _lesion(Path(folder), slices)
        told = {"weights": "random", "random_state": 0, "precision": "float32"}
        whole, one = (
            CNN2D("resnet50", slices=which, device="cpu", **told)
            for which in ("all", "middle")
        )
        works = {
            "whole": (lambda: whole.encode(image, mask), repeats),
            "one": (lambda: one.encode(image, mask), repeats),
            "bare one": (bare_net(1, 1), repeats),
            **{f"bare {b}": (bare_net(slices, b), repeats) for b in BATCHES},
        }
        for work, _ in works.values():
            work()  # the first call builds the net and fills the caches
        times = interleaved(works)
    peer = min((times[f"bare {b}"] for b in BATCHES), key=lambda t: min(t.processor))
    return [
        _row(
            f"ResNet-50, {slices} slices of a lesion", slices, times["whole"], peer, 0.9
        ),
        _row("ResNet-50, one slice", 1, times["one"], times["bare one"], None),
    ]


def _row(
    name: str, n: int, ours: Times, peer: Times, target: float | None
) -> dict[str, Any]:
    # Processor time: the machine may be shared, and one thread waits for nothing.
    mine, theirs = (1000 * n / min(t.processor) for t in (ours, peer))
    return row(
        name,
        mine,
        peer=theirs,
        peer_name="the net alone, on pictures in memory",
        ratio=mine / theirs,
        target=target,
        unit="pictures per second of processor, one thread",
        note=f"ours with reading and checks; ours {ours}; peer {peer}",
    )


def bare_net(n: int, batch: int) -> Any:
    """Return a forward pass of `n` pictures, as fast as torch has it on a CPU."""
    import torch

    from sarcfeat.encoders.forward import one_thread
    from sarcfeat.nets import draw_weights, resnet

    net = resnet("resnet50").eval().to(memory_format=torch.channels_last)
    draw_weights(net, 0)
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randn(n, 3, SIZE, SIZE, generator=generator)
    parts = [
        p.contiguous(memory_format=torch.channels_last) for p in pictures.split(batch)
    ]

    def work() -> None:
        with one_thread(), torch.inference_mode():
            for part in parts:
                net(part)

    return work


def _lesion(folder: Path, slices: int) -> tuple[Path, Path]:
    """Write an image of 256 × 256 × 40 and a lesion through some of its slices."""
    import SimpleITK

    rng = np.random.default_rng(0)
    image = rng.normal(300, 60, size=(40, 256, 256)).astype(np.int16)
    inside = np.zeros(image.shape, np.uint8)
    start = (40 - slices) // 2
    inside[start : start + slices, 80:180, 90:170] = 1
    paths = (folder / "image.nii.gz", folder / "mask.nii.gz")
    for path, array in zip(paths, (image, inside), strict=True):
        volume = SimpleITK.GetImageFromArray(array)
        volume.SetSpacing((1.0, 1.0, 4.0))
        SimpleITK.WriteImage(volume, str(path))
    return paths
