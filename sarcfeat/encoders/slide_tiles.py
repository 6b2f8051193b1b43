"""A slide as a bag of tiles, each a vector of numbers that a net made of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sarcfeat._validation import pick
from sarcfeat.encoders.encoded_slide import EncodedSlide
from sarcfeat.encoders.forward import Precision, one_thread, precision
from sarcfeat.encoders.identity import (
    check_count,
    check_name,
    code_hash,
    package_version,
)
from sarcfeat.encoders.pretrained import SUFFIXES, Weights, find_weights
from sarcfeat.encoders.slide_job import SlideJob
from sarcfeat.encoders.stain import StainNormaliser
from sarcfeat.encoders.tile_nets import TileNet, TileSpec, tile_net
from sarcfeat.encoders.tiling import GROUPS
from sarcfeat.encoders.tissue import TissueRule
from sarcfeat.exceptions import InvalidInput, UntrustedFile
from sarcfeat.io.regions import Regions

__all__ = ["SlideTiles"]

Path_ = str | PathLike[str]

# The files whose text decides a value; their hash is part of the fingerprint.
_CODE = (
    "../io/slide.py",
    "../io/slide_level.py",
    "../io/slide_openslide.py",
    "../io/slide_plain.py",
    "../io/slide_tiff.py",
    "../io/tiff_pixels.py",
    "../nets/densenet.py",
    "../nets/resnet.py",
    "../nets/weights.py",
    "forward.py",
    "overview.py",
    "slide_job.py",
    "slide_tiles.py",
    "stain.py",
    "stain_colour.py",
    "tile_features.py",
    "tile_model.py",
    "tile_quality.py",
    "tile_reading.py",
    "tiling.py",
    "tissue.py",
)
_LIBRARIES = (
    ("torch", "deep"),
    ("monai", "deep"),
    ("openslide-python", "wsi"),
    ("tifffile", "wsi"),
)


class SlideTiles:
    """Features of a slide, tile by tile.

    The tissue is found on a small picture of the slide; the slide is cut into squares
    that do not overlap; those with enough tissue, within a region where regions are
    given, are read, checked and shown to a net, whose penultimate layer is the tile's
    features. A tile belongs to the region that holds its centre.

    Parameters
    ----------
    weights : path, "random" or None
        A file with the net's weights (.safetensors or .pth; for nets registered as
        TorchScript or ONNX that file); None: what ``SARCFEAT_WEIGHTS`` says.
        ``"random"`` has learned nothing and is there to try things out.
    net : str
        ``"resnet50"`` (2,048 numbers a tile), ``"resnet18"`` (512), ``"densenet121"``
        (1,024), or one of your own: see
        :func:`~sarcfeat.encoders.register_tile_net`.
    mpp : float or None
        µm per pixel of the tiles: 0.25 is 40×. A slide that is coarser is enlarged,
        with a warning. None: as each slide is.
    size : int
        Pixels along a side of a tile.
    keep : sequence of {"A", "B", "C", "D"}
        Tissue groups that are encoded: A above 80 % tissue, B 10 to 80 %, C below.
    tissue : TissueRule, optional
        What counts as tissue; what pen, blur and background are left out.
    stain : StainNormaliser, path of its JSON or None
        Fitted on training slides; each slide's own stains are taken from 32 of its
        tiles.
    max_bad : float
        Share of a slide's tiles that may be unreadable; above it the slide fails.
    nan : {"raise", "drop"}
        Refuse a slide with tiles whose features are NaN or infinite in `dtype`, or
        leave these tiles out, counted and listed.
    dtype : {"float16", "float32"}
        In what features are kept.
    n_threads : int
        Threads that read, each with the slide open once; on a CPU as many compute.
    batch_size : int
        Tiles through a GPU at a time.
    precision : {"auto", "float32", "bfloat16"}
        As of :class:`~sarcfeat.encoders.CNN2D`.
    device : str
        ``auto`` takes the GPU where there is one.
    trusted : bool
        Say that a TorchScript file comes from people you trust: it holds code.
    random_state : int
        With ``weights="random"``: the same number gives the same weights.
    name : str, optional
        Name of the feature set; default `net`.

    Attributes
    ----------
    kind : str
        ``"slide"``.
    notes : list of str
        What a report must say: random weights, precision.

    Notes
    -----
    On a CPU the features are the same bits for any `n_threads` and `batch_size`.

    References
    ----------
    The tiles of Michot et al. 2025: 224 × 224 pixels at 40×, groups A and B.

    Examples
    --------
    >>> encoder = SlideTiles("random", net="resnet18")
    >>> encoder
    <SlideTiles 'resnet18': random weights, 512 numbers a tile of 224 px at 0.25 µm>
    >>> encoder.kind
    'slide'
    """

    kind = "slide"

    def __init__(
        self,
        weights: Path_ | None = None,
        *,
        net: str | TileNet = "resnet50",
        mpp: float | None = 0.25,
        size: int = 224,
        keep: Sequence[str] = ("A", "B"),
        tissue: TissueRule | None = None,
        stain: StainNormaliser | Path_ | None = None,
        max_bad: float = 0.1,
        nan: str = "raise",
        dtype: str = "float16",
        n_threads: int = 2,
        batch_size: int = 64,
        precision: str = "auto",
        device: str = "auto",
        trusted: bool = False,
        random_state: int = 0,
        name: str | None = None,
    ) -> None:
        self.net = tile_net(net)
        self.name = self.net.name if name is None else name
        check_name(self.name)
        self.mpp = _positive(mpp)
        self.size = check_count(size, "size", 16)
        if self.net.size not in (None, self.size):
            raise InvalidInput(
                f"net {self.net.name!r} takes tiles of {self.net.size} pixels, size is "
                f"{size}. Pass size={self.net.size}."
            )
        self.keep = tuple(pick(group, GROUPS, "tissue group") for group in keep)
        self.tissue = TissueRule() if tissue is None else tissue
        self.stain = _stain(stain)
        self.max_bad = _share(max_bad)
        self.nan = pick(nan, ("raise", "drop"), "choice for NaN")
        self.dtype = pick(dtype, ("float16", "float32"), "dtype")
        self.n_threads = check_count(n_threads, "n_threads", 1)
        self.batch_size = check_count(batch_size, "batch_size", 1)
        self.precision = pick(precision, ("auto", "float32", "bfloat16"), "precision")
        self.device = device
        self.weights = _weights(self.net, weights, random_state, trusted=trusted)
        self._spec = TileSpec(self.net, self.weights, self.size)

    def __repr__(self) -> str:
        kind = "random weights, " if self.weights.random else ""
        at = "its own resolution" if self.mpp is None else f"{self.mpp:g} µm"
        return (
            f"<SlideTiles {self.name!r}: {kind}{self.net.dimension:,} numbers a tile "
            f"of {self.size} px at {at}>"
        )

    @property
    def dim(self) -> int:
        """Numbers a tile."""
        return self.net.dimension

    @property
    def feature_names(self) -> list[str]:
        """Names of the numbers, ``f0001`` on, in the order of the layer."""
        return [f"f{k:04d}" for k in range(1, self.net.dimension + 1)]

    @property
    def version(self) -> str:
        """Libraries whose change could change a value."""
        told = [
            (p, package_version(p, extra))
            for p, extra in _LIBRARIES
            if p != "monai" or self.net.published
        ]
        return ", ".join(f"{p} {'.'.join(v.split('.')[:2])}" for p, v in told)

    @property
    def params(self) -> dict[str, Any]:
        """Everything that decides the values, as plain JSON types."""
        return {
            "net": self.net.to_dict(),
            "weights": "random" if self.weights.random else "file",
            "random_state": self.weights.random_state,
            "mpp": self.mpp,
            "size": self.size,
            "keep": sorted(set(self.keep)),
            "tissue": self.tissue.to_dict(),
            "stain": None if self.stain is None else self.stain.to_dict(),
            "max_bad": self.max_bad,
            "nan": self.nan,
            "dtype": self.dtype,
            "precision": self._how().name,
        }

    @property
    def notes(self) -> list[str]:
        """What a report must say of this encoder, in plain sentences."""
        said = [f"{self.name}: {self.net.name} {self._how()}."]
        if self.weights.random:
            said.insert(
                0,
                f"{self.name}: the weights of {self.net.name} are random "
                f"(random_state={self.weights.random_state}); it has learned nothing.",
            )
        return said

    def fingerprint(self) -> dict[str, Any]:
        """Say in plain JSON types what decides the values.

        Returns
        -------
        dict
            ``name``, ``version``, ``params``, ``weights_sha256`` (of the file; None
            for random weights, which follow from ``params``), ``random_weights`` and
            ``code``. Another weights file under the same name is another extractor.
        """
        return {
            "name": self.name,
            "version": self.version,
            "params": self.params,
            "weights_sha256": self.weights.sha256,
            "random_weights": self.weights.random,
            "code": code_hash(_CODE),
        }

    def describe_feature(self, name: str) -> dict[str, str | None]:
        """Say what a number is: a place in the penultimate layer of the net."""
        family = f"{self.net.name}, penultimate layer, of a tile"
        return {"image_filter": None, "family": family, "ibsi": None, "unit": None}

    def encode_slide(
        self,
        path: Path_,
        *,
        regions: Regions | None = None,
        mpp: float | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> EncodedSlide:
        """Compute the features of one slide's tiles.

        Parameters
        ----------
        path : path
            The slide.
        regions : Regions, optional
            What was annotated; tiles whose centre lies in no region are left out.
        mpp : float, optional
            The slide's µm per pixel, where the file does not say.
        progress : callable, optional
            Called with the number of tiles done and in all.

        Returns
        -------
        EncodedSlide
            Without rows, and with the warning :class:`~sarcfeat.exceptions.NoTissue`,
            where no tile is kept.

        Raises
        ------
        InputMissing, InputEmpty, InputCorrupt, NoResolution
            The file is not there, has no bytes, cannot be read (or too many of its
            tiles cannot), or does not say how large its pixels are.
        NonFiniteTiles
            Features are NaN or infinite.
        MissingDependency
            torch, MONAI or a reader of slides is not installed.
        """
        how = self._how()
        with one_thread():
            return SlideJob(self, self._spec, how, fspath(path), mpp).run(
                regions, progress
            )

    def read_tiles(
        self,
        path: Path_,
        *,
        regions: Regions | None = None,
        mpp: float | None = None,
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
        """Return what the net is shown: tiles as they are kept, before its transform.

        Parameters
        ----------
        path, regions, mpp
            As of :meth:`encode_slide`.

        Returns
        -------
        coords : ndarray of int64, shape (n, 2)
        tiles : ndarray of uint8, shape (n, size, size, 3)
            All in memory: for small slides, and to look at.
        """
        job = SlideJob(self, self._spec, Precision("float32"), fspath(path), mpp)
        tiles = [t for block in job.tiles(regions) for t in block]
        kept = sorted((t for t in tiles if t.pixels is not None), key=lambda t: t.index)
        pixels = [t.pixels for t in kept if t.pixels is not None]
        empty = np.empty((0, self.size, self.size, 3), np.uint8)
        return (
            job.layout.grid.coords[[t.index for t in kept]],
            np.stack(pixels) if pixels else empty,
        )

    def _how(self) -> Precision:
        return precision(self._spec, self.precision, self.device)


def _weights(
    net: TileNet, weights: Path_ | None, random_state: int, *, trusted: bool
) -> Weights:
    drawn = isinstance(weights, str) and weights == "random"
    if net.kind == "module":
        return find_weights(weights, random_state if drawn else None, net.name)
    if drawn:
        raise InvalidInput(
            f"net {net.name!r} is a file of the kind {net.kind!r}, which holds its "
            "weights; it has no random ones. Pass weights=FILE."
        )
    if net.kind == "torchscript" and not trusted:
        raise UntrustedFile(
            f"net {net.name!r} is TorchScript, which is code that runs when it is "
            f"opened; weights are {weights!r}. If the file comes from people you "
            "trust, pass trusted=True."
        )
    suffixes = (".onnx",) if net.kind == "onnx" else SUFFIXES[1:]
    return find_weights(weights, None, net.name, suffixes=suffixes)


def _stain(stain: StainNormaliser | Path_ | None) -> StainNormaliser | None:
    if isinstance(stain, str | Path):
        stain = StainNormaliser.from_json(stain)
    if stain is not None and not (isinstance(stain, StainNormaliser) and stain.state_):
        raise InvalidInput(
            f"stain is {stain!r}; expected a StainNormaliser that is fitted on "
            "training slides, or the path of its JSON."
        )
    return stain


def _positive(mpp: float | None) -> float | None:
    if mpp is None:
        return None
    if not isinstance(mpp, int | float) or not 0.01 <= mpp <= 100:
        raise InvalidInput(
            f"mpp is {mpp!r}; expected µm per pixel, such as 0.25 for 40×, or None for "
            "each slide's own."
        )
    return float(mpp)


def _share(value: Any) -> float:
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InvalidInput(f"max_bad is {value!r}; expected a share from 0 to 1.")
    return float(value)
