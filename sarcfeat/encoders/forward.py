"""Run a net over pictures: one thread, no gradients, the same bits for any batch.

What is promised: on a CPU the features of a lesion are the same bits for any number of
jobs and whatever else is encoded. To that end torch is kept to one thread and a
lesion's pictures go through the net by themselves, four at a time: with more threads,
or in other company, sums are cut elsewhere and the last digit moves (by 2e-6 of the
mean, measured). More than four at a time is no faster there. A GPU takes the pictures
of many lesions together and promises agreement, not bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from sarcfeat._validation import missing_dependency
from sarcfeat.encoders.pretrained import Weights

__all__ = [
    "LEAST_COSINE",
    "BuildsNet",
    "NetSpec",
    "Precision",
    "forward",
    "one_thread",
    "precision",
]

CPU_BATCH = 4
LEAST_COSINE = 0.999
_PROBES = 4


class BuildsNet(Protocol):
    """What is asked of a net to run it: hashable, and built once a process."""

    @property
    def spatial_dims(self) -> int:
        """2 for pictures, 3 for volumes."""
        ...

    def build(self) -> Any:
        """Return the module with its weights."""
        ...

    def probes(self, n: int) -> npt.NDArray[Any]:
        """Return inputs that are the same on every machine."""
        ...


@dataclass(frozen=True)
class NetSpec:
    """Which net, with which weights, on what input."""

    arch: str
    weights: Weights
    spatial_dims: int
    channels: int
    size: int

    def build(self) -> Any:
        """Return the module with its weights."""
        torch = _torch()
        from sarcfeat import nets

        dims, channels = self.spatial_dims, self.channels
        with torch.random.fork_rng(devices=[]):
            if self.arch == "densenet121":
                net = nets.densenet121(spatial_dims=dims, channels=channels)
            else:
                net = nets.resnet(self.arch, channels=channels)
        weights = self.weights
        if weights.random:
            nets.draw_weights(net, weights.random_state)
        else:
            weights.check()
            state = nets.read_weights(weights.path)
            nets.load_weights(net, state, what=f"{weights.path} for {self.arch}")
        return net

    def probes(self, n: int) -> npt.NDArray[np.float32]:
        """Return pictures of smooth blobs: the same on every machine."""
        from scipy.ndimage import gaussian_filter

        shape = (n, self.channels, *[self.size] * self.spatial_dims)
        noise = np.random.default_rng(0).standard_normal(shape)
        blobs = gaussian_filter(noise, (0, 0, *[self.size / 16] * self.spatial_dims))
        return (blobs / blobs.std()).astype(np.float32)


@dataclass(frozen=True)
class Precision:
    """In what numbers a net is computed here, and how that was decided."""

    name: str
    cosine: float | None = None
    device: str = "cpu"

    def __str__(self) -> str:
        """Return one sentence."""
        if self.cosine is None:
            return f"computed in {self.name} on {self.device}"
        return (
            f"computed in {self.name} on {self.device}: the cosine of bfloat16 and "
            f"float32 features is at least {self.cosine:.6f} on {_PROBES} probes"
        )


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep torch and numpy to one thread: parallelism is over patients."""
    torch = _torch()
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)


def forward(
    spec: BuildsNet,
    pictures: npt.NDArray[Any],
    *,
    how: Precision,
    batch_size: int,
) -> npt.NDArray[np.float64]:
    """Return the penultimate layer, shape (n_pictures, width)."""
    torch = _torch()
    if how.device == "cpu":
        batch_size = CPU_BATCH
    net = _net(spec, how.device)
    found = []
    with torch.inference_mode(), _autocast(how):
        for start in range(0, len(pictures), batch_size):
            batch = torch.from_numpy(pictures[start : start + batch_size])
            batch = batch.to(how.device)
            if spec.spatial_dims == 2:
                batch = batch.contiguous(memory_format=torch.channels_last)
            found.append(net(batch).float().cpu().numpy())
    return np.concatenate(found).astype(np.float64)


def precision(spec: BuildsNet, asked: str, device: str) -> Precision:
    """Decide in what numbers to compute.

    ``auto`` takes bfloat16 where the machine computes it, provided that on fixed smooth
    pictures the features agree with float32's (cosine of each at least 0.999); else
    float32.
    """
    torch = _torch()
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if asked == "float32" or (asked == "auto" and not _has_bfloat16(device)):
        return Precision("float32", None, device)
    return _agreed(spec, device, asked)


@lru_cache(maxsize=8)
def _agreed(spec: BuildsNet, device: str, asked: str) -> Precision:
    probes = spec.probes(_PROBES)
    with one_thread():
        a, b = (
            forward(spec, probes, how=Precision(name, None, device), batch_size=_PROBES)
            for name in ("float32", "bfloat16")
        )
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    least = float(np.min((a * b).sum(axis=1) / np.maximum(lengths, 1e-30)))
    agrees = asked == "bfloat16" or least >= LEAST_COSINE
    return Precision("bfloat16" if agrees else "float32", least, device)


def _has_bfloat16(device: str) -> bool:
    torch = _torch()
    if device.startswith("cuda"):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    told = torch.cpu.get_capabilities()
    return bool(told.get("avx512_bf16") or told.get("amx_bf16") or told.get("bf16"))


@contextmanager
def _autocast(how: Precision) -> Iterator[None]:
    """Compute in bfloat16, or in float32 proper (a GPU's default is TF32)."""
    torch = _torch()
    kind = torch.device(how.device).type
    half = how.name == "bfloat16"
    with (
        torch.autocast(kind, torch.bfloat16, enabled=half),
        torch.backends.cudnn.flags(enabled=True, allow_tf32=False),
    ):
        yield


@lru_cache(maxsize=3)
def _net(spec: BuildsNet, device: str) -> Any:
    """Build a net once a process and keep it."""
    torch = _torch()
    net = spec.build()
    net = net.eval().requires_grad_(False).to(device)
    if spec.spatial_dims == 2:
        net = net.to(memory_format=torch.channels_last)
    return net


def _torch() -> Any:
    try:
        import torch
    except ImportError as error:
        raise missing_dependency("torch", "deep") from error
    return torch
