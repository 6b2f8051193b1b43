"""What the encoders that are nets have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt

from sarcfeat._validation import pick
from sarcfeat.encoders.encoded import Encoded
from sarcfeat.encoders.forward import NetSpec, Precision, forward, one_thread, precision
from sarcfeat.encoders.identity import (
    check_count,
    check_name,
    code_hash,
    package_version,
)
from sarcfeat.encoders.lesion_pictures import image_list, read_lesion
from sarcfeat.encoders.preprocess import Preprocess
from sarcfeat.encoders.pretrained import find_weights
from sarcfeat.encoders.region import Region
from sarcfeat.exceptions import InvalidInput, SarcfeatError

__all__ = ["DeepEncoder", "Item"]

Path_ = str | PathLike[str]
Images = Path_ | Sequence[Path_]
Item = tuple[Images, Path_, int | None]
Floats = npt.NDArray[np.float64]

# The files whose text decides a value; their hash is part of the fingerprint.
_CODE = (
    "../nets/densenet.py",
    "../nets/resnet.py",
    "../nets/weights.py",
    "cnn2d.py",
    "deep.py",
    "densenet3d.py",
    "forward.py",
    "geometry_steps.py",
    "intensity_steps.py",
    "landmarks.py",
    "lesion_pictures.py",
    "level_steps.py",
    "prepared.py",
    "preprocess.py",
    "region.py",
    "sampling.py",
)

_PRECISIONS = ("auto", "float32", "bfloat16")


class DeepEncoder(ABC):
    """A net whose penultimate layer is the features of a lesion."""

    _WIDTHS: dict[str, int]
    _DIMS: int

    def __init__(
        self,
        arch: str,
        *,
        weights: Path_ | None,
        random_state: int | None,
        channels: int,
        size: int,
        margin: float,
        masked: bool,
        window: tuple[float, float] | None,
        preprocess: Any,
        precision: str,
        device: str,
        batch_size: int,
        label: int,
        name: str | None,
    ) -> None:
        self.arch = pick(arch, self._WIDTHS, "architecture")
        self.name = arch if name is None else name
        check_name(self.name)
        self.label = label
        self.size = check_count(size, "size", 8)
        self.batch_size = check_count(batch_size, "batch_size", 1)
        self.margin = float(margin)
        if not self.margin >= 0:
            raise InvalidInput(f"margin is {margin!r}; expected millimetres from 0.")
        self.masked = bool(masked)
        self.window = None if window is None else _window(window)
        self.preprocess = Preprocess.from_spec(preprocess)
        self.precision = pick(precision, _PRECISIONS, "precision")
        self.device = device
        self.weights = find_weights(weights, random_state, arch)
        self._spec = NetSpec(arch, self.weights, self._DIMS, channels, self.size)

    def __repr__(self) -> str:
        kind = "random weights, " if self.weights.random else ""
        width = self._WIDTHS[self.arch]
        return f"<{type(self).__name__} {self.name!r}: {kind}{width} features>"

    @property
    def feature_names(self) -> list[str]:
        """Names of the features, ``f0001`` on, in the order of the layer."""
        return [f"f{k:04d}" for k in range(1, self._WIDTHS[self.arch] + 1)]

    @property
    def version(self) -> str:
        """Libraries whose change could change a value."""
        told = [(p, package_version(p, "deep")) for p in ("torch", "monai")]
        return ", ".join(f"{p} {'.'.join(v.split('.')[:2])}" for p, v in told)

    @property
    def params(self) -> dict[str, Any]:
        """Everything that decides the values, as plain JSON types."""
        return {
            "arch": self.arch,
            "weights": "random" if self.weights.random else "file",
            "random_state": self.weights.random_state,
            "size": self.size,
            "margin_mm": self.margin,
            "masked": self.masked,
            "window": None if self.window is None else list(self.window),
            "preprocess": self.preprocess.spec,
            "precision": self._how().name,
            **self._own_params(),
        }

    @property
    def notes(self) -> list[str]:
        """What a report must say of this encoder, in plain sentences."""
        said = [f"{self.name}: {self.arch} {self._how()}."]
        if self.weights.random:
            said.insert(
                0,
                f"{self.name}: the weights of {self.arch} are random "
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
            ``code``.
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
        """Say what a feature is: a place in the penultimate layer of the net."""
        family = f"{self.arch}, penultimate layer"
        return {"image_filter": None, "family": family, "ibsi": None, "unit": None}

    def encode(
        self, image_path: Images, mask_path: Path_, *, label: int | None = None
    ) -> Encoded:
        """Compute the features of one lesion.

        Parameters
        ----------
        image_path : path, or sequence of paths
            The image; as many as the encoder takes at once.
        mask_path : path
            On the grid of the first image.
        label : int, optional
            Which number in the mask is the lesion; default `self.label`.

        Returns
        -------
        Encoded

        Raises
        ------
        InputMissing, InputEmpty, InputCorrupt, InvalidInput
            A file is not there, has no bytes, is cut off, or is not a 3-D image.
        GeometryMismatch, EmptyROI, LabelMissing, ROITooSmall, NonFiniteVoxels
            The mask does not fit the image, or the lesion is not fit to be shown.
        MissingDependency
            torch or MONAI is not installed.
        """
        found = self.encode_many([(image_path, mask_path, label)])[0]
        if isinstance(found, SarcfeatError):
            raise found
        return found

    def encode_many(self, items: Iterable[Item]) -> list[Encoded | SarcfeatError]:
        """Compute many lesions, whose pictures go through the net together.

        On a GPU, that is; on a CPU a lesion alone is as fast, and goes alone.

        Parameters
        ----------
        items : iterable of (image path or paths, mask path, label or None)

        Returns
        -------
        list
            In the order given: the features, or the error of a lesion that has none.
            On a CPU they are the same bits whatever else is in the list.
        """
        found: list[Encoded | SarcfeatError] = []
        waiting: list[tuple[int, Region, npt.NDArray[np.float32]]] = []
        how = self._how()
        full = 1 if how.device == "cpu" else self.batch_size
        with one_thread():
            for k, item in enumerate(items):
                try:
                    region, pictures = self._show(*item)
                except SarcfeatError as error:
                    found.append(error)
                    continue
                found.append(Encoded([], np.empty(0)))
                waiting.append((k, region, pictures.astype(np.float32)))
                if sum(len(p) for _, _, p in waiting) >= full:
                    self._settle(waiting, found, how)
            self._settle(waiting, found, how)
        return found

    def pictures(
        self, image_path: Images, mask_path: Path_, *, label: int | None = None
    ) -> npt.NDArray[np.float32]:
        """Return what the net is shown of a lesion, one item a slice (or one cube).

        Parameters
        ----------
        image_path, mask_path, label
            As of :meth:`encode`.
        """
        return self._show(image_path, mask_path, label)[1].astype(np.float32)

    def _show(
        self, image: Images, mask: Path_, label: int | None
    ) -> tuple[Region, Floats]:
        number, why = self._n_images()
        paths = image_list(
            image, number, f"{type(self).__name__} {self.name!r}", why=why
        )
        region, arrays = read_lesion(
            paths,
            mask,
            label=self.label if label is None else label,
            chain=self.preprocess,
        )
        return region, self._pictures(arrays, region)

    def _settle(self, waiting: list[Any], found: list[Any], how: Precision) -> None:
        """Run what waits through the net and write it where it belongs."""
        if not waiting:
            return
        layer = forward(
            self._spec,
            np.concatenate([pictures for _, _, pictures in waiting]),
            how=how,
            batch_size=self.batch_size,
        )
        ends = np.cumsum([len(pictures) for _, _, pictures in waiting])
        rows = np.split(layer, ends[:-1])
        for (k, region, _), mine in zip(waiting, rows, strict=True):
            found[k] = Encoded(self.feature_names, self._pool(mine), region.warnings)
        waiting.clear()

    def _how(self) -> Precision:
        return precision(self._spec, self.precision, self.device)

    @abstractmethod
    def _n_images(self) -> tuple[int, str]:
        """Return how many images are taken at once, and what to do otherwise."""

    @abstractmethod
    def _own_params(self) -> dict[str, Any]:
        """Return the parameters that this kind of encoder adds."""

    @abstractmethod
    def _pictures(self, arrays: list[Floats], region: Region) -> Floats:
        """Return the net's inputs, one or more a lesion."""

    def _pool(self, layer: Floats) -> Floats:
        """Return one vector of a lesion's pictures."""
        return layer[0]


def _window(window: Any) -> tuple[float, float]:
    low, high = (float(v) for v in window)
    if not low < high:
        raise InvalidInput(
            f"window is {window!r}; expected (low, high) with low < high."
        )
    return low, high
