"""Nets that turn a tile into numbers: those here, and an open list for any other."""

from __future__ import annotations

import hashlib
import inspect
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sarcfeat._validation import pick
from sarcfeat.encoders.cnn2d import IMAGENET_MEAN, IMAGENET_SD
from sarcfeat.encoders.identity import check_count, check_name
from sarcfeat.encoders.pretrained import Weights
from sarcfeat.encoders.source import bare_source
from sarcfeat.encoders.tile_model import build_tile_model
from sarcfeat.exceptions import InvalidInput

__all__ = ["TileNet", "TileSpec", "known_tile_nets", "register_tile_net", "tile_net"]

KINDS = ("module", "onnx", "torchscript")


@dataclass(frozen=True)
class TileNet:
    """What is declared of a net: :func:`register_tile_net` makes it.

    Attributes
    ----------
    name : str
    factory : callable or None
        Builds the net, without weights; None where the file holds the whole net.
    dimension : int
        Numbers a tile.
    kind : {"module", "torchscript", "onnx"}
    size : int or None
        Pixels along a side of the tile that it takes; None for any.
    mean, sd : tuple of float
        What is taken from red, green and blue in 0…1, and what they are divided by.
    mpp : float or None
        µm per pixel that it was trained at; another is warned of.
    version : str
    published : bool
        One of those here, whose files torchvision publishes.
    """

    name: str
    factory: Callable[[], Any] | None
    dimension: int
    kind: str = "module"
    size: int | None = None
    mean: tuple[float, ...] = IMAGENET_MEAN
    sd: tuple[float, ...] = IMAGENET_SD
    mpp: float | None = None
    version: str = ""
    published: bool = field(default=False, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return what decides the values, as plain JSON types."""
        return {
            "name": self.name,
            "kind": self.kind,
            "dimension": self.dimension,
            "size": self.size,
            "mean": list(self.mean),
            "sd": list(self.sd),
            "version": self.version,
            "factory": None if self.published else _factory_hash(self.factory),
        }


@dataclass(frozen=True)
class TileSpec:
    """A net with its weights, for tiles of a size; see :mod:`.forward`."""

    net: TileNet
    weights: Weights
    size: int
    spatial_dims: int = 2

    def build(self) -> Any:
        """Return the module; it takes uint8 tiles as they were read."""
        return build_tile_model(self.net, self.weights, self.size)

    def probes(self, n: int) -> npt.NDArray[Any]:
        """Return pictures that every machine draws alike, dark spots on pink."""
        from scipy.ndimage import gaussian_filter

        noise = np.random.default_rng(0).standard_normal((n, 3, self.size, self.size))
        spots = gaussian_filter(noise, (0, 0, *[self.size / 32] * 2))
        spots /= spots.std()
        pink = np.reshape((200.0, 140.0, 185.0), (3, 1, 1))
        return np.clip(pink + 35 * spots, 0, 255).astype(np.uint8)


def register_tile_net(
    name: str,
    factory: Callable[[], Any] | None = None,
    *,
    dimension: int,
    kind: str = "module",
    size: int | None = 224,
    mean: Sequence[float] = IMAGENET_MEAN,
    sd: Sequence[float] = IMAGENET_SD,
    mpp: float | None = None,
    version: str = "",
    replace: bool = False,
) -> TileNet:
    """Make a net known by name, so that ``SlideTiles(net=name)`` can use it.

    Foundation encoders (UNI2, CONCH, CTransPath, Virchow and others) are used this way:
    their architecture comes from a function of yours and their weights from a file on
    your disk; nothing is downloaded, and their licences are yours to keep.

    Parameters
    ----------
    name : str
    factory : callable, optional
        Takes nothing and returns the ``torch.nn.Module`` without weights; a function of
        a module, so that worker processes find it. What it returns takes (tiles, 3,
        size, size) and gives (tiles, `dimension`): choose the class token, or append
        the mean of the patches, within it. Left out for ``torchscript`` and ``onnx``.
    dimension : int
        Numbers a tile. A net that gives another number is refused.
    kind : {"module", "torchscript", "onnx"}
        ``module``: weights of `factory` in a .safetensors or .pth file, read without
        running code. ``torchscript`` holds code: only files from people you trust, and
        ``SlideTiles(trusted=True)`` says so. ``onnx`` needs onnxruntime.
    size : int or None
        Pixels along a side of the tile that it takes; None for any.
    mean, sd : three floats
        Its transform: (colour in 0…1 minus `mean`) divided by `sd`.
    mpp : float, optional
        µm per pixel that it was trained at.
    version : str
        Yours, part of the fingerprint beside the factory's own code.
    replace : bool
        Take the place of a net of that name.

    Returns
    -------
    TileNet

    Raises
    ------
    InvalidInput
        The name is taken, or what is declared cannot be.

    Examples
    --------
    >>> def tiny():
    ...     from torch import nn
    ...     return nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten())
    >>> net = register_tile_net("tiny", tiny, dimension=12, size=None, replace=True)
    >>> net.dimension
    12
    >>> "tiny" in list(known_tile_nets()["name"])
    True
    """
    check_name(name)
    pick(kind, KINDS, "kind of net")
    if name in _KNOWN and not (replace and not _KNOWN[name].published):
        raise InvalidInput(
            f"a net named {name!r} is known already. Take another name"
            f"{'' if _KNOWN[name].published else ', or pass replace=True'}."
        )
    if (factory is not None) != (kind == "module") or not (
        factory is None or callable(factory)
    ):
        raise InvalidInput(
            f"net {name!r} of the kind {kind!r} has the factory {factory!r}; expected "
            "a function that returns the torch.nn.Module for 'module', and none for "
            "the others, whose file holds the net."
        )
    check_count(dimension, f"dimension of net {name!r}", 1)
    if size is not None:
        check_count(size, f"size of net {name!r}", 1)
    net = TileNet(
        name,
        factory,
        dimension,
        kind,
        size,
        _colours(mean, f"mean of net {name!r}"),
        _colours(sd, f"sd of net {name!r}", least=1e-6),
        None if mpp is None else float(mpp),
        str(version),
    )
    _KNOWN[name] = net
    return net


def tile_net(net: str | TileNet) -> TileNet:
    """Return a net by its name.

    Raises
    ------
    UnknownName
        There is none; the message lists those there are.

    Examples
    --------
    >>> tile_net("resnet50").dimension
    2048
    """
    if isinstance(net, TileNet):
        return net
    return _KNOWN[pick(net, sorted(_KNOWN), "net for tiles")]


def known_tile_nets() -> pd.DataFrame:
    """List the nets known here.

    Returns
    -------
    DataFrame
        Columns name, dimension, size, kind, mpp.

    Examples
    --------
    >>> known_tile_nets().set_index("name").loc["densenet121", "dimension"]
    np.int64(1024)
    """
    rows = [(n.name, n.dimension, n.size, n.kind, n.mpp) for n in _KNOWN.values()]
    return pd.DataFrame(rows, columns=["name", "dimension", "size", "kind", "mpp"])


def _published(name: str) -> Any:
    from sarcfeat import nets

    if name == "densenet121":
        return nets.densenet121(spatial_dims=2, channels=3)
    return nets.resnet(name)


_KNOWN = {
    name: TileNet(name, partial(_published, name), width, published=True)
    for name, width in (("resnet18", 512), ("resnet50", 2048), ("densenet121", 1024))
}


def _factory_hash(factory: Any) -> str | None:
    """Return what a factory's own code is, without comments; None where unknown."""
    while isinstance(factory, partial):
        factory = factory.func
    try:
        source = textwrap.dedent(inspect.getsource(factory))
        return hashlib.sha256(bare_source(source).encode()).hexdigest()
    except (OSError, TypeError, SyntaxError, IndentationError):
        return None


def _colours(
    values: Sequence[float], name: str, least: float = -np.inf
) -> tuple[float, ...]:
    found = tuple(float(v) for v in values)
    if len(found) != 3 or not all(np.isfinite(v) and v >= least for v in found):
        raise InvalidInput(
            f"{name} is {values!r}; expected three numbers, for red, green and blue"
            f"{'' if least < 0 else ', above 0'}."
        )
    return found
