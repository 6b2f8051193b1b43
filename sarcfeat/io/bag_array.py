"""A patient's tiles in memory, used where a reference to files is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sarcfeat.exceptions import InvalidInput
from sarcfeat.io.bag_ref import Bag, draw_tiles

__all__ = ["BagArray"]

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False, repr=False)
class BagArray:
    """All tiles of a patient in memory; it stands in a column of X as a BagRef does.

    For simulations and small cohorts: a column of these is as large as its tiles, and
    is copied to every worker.

    Parameters
    ----------
    patient : str
        Whose.
    features : ndarray of shape (tiles, numbers a tile)
        Floating point.
    coords : ndarray of int, shape (tiles, 2), optional
        Upper left corner of each tile; 0 where nothing is known.
    region : ndarray of uint8, shape (tiles,), optional
        0 for none, k for the k-th of `region_names`.
    region_names : tuple of str

    See Also
    --------
    BagRef : Tiles on disk.

    Examples
    --------
    >>> bag = BagArray("P1", np.zeros((5, 2), np.float32))
    >>> bag
    <BagArray P1: 5 × 2>
    >>> bag.load(n=3, rng=np.random.default_rng(0)).features.shape
    (3, 2)
    """

    patient: str
    features: Array
    coords: Array | None = None
    region: Array | None = None
    region_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.features.ndim != 2 or self.features.dtype.kind != "f":
            raise InvalidInput(
                f"Patient {self.patient}: features have the shape "
                f"{self.features.shape} and type {self.features.dtype}; expected "
                "floating-point numbers (tiles, numbers a tile)."
            )
        for name, array in (("coords", self.coords), ("region", self.region)):
            if array is not None and len(array) != len(self.features):
                raise InvalidInput(
                    f"Patient {self.patient}: {len(self.features):,} tiles have "
                    f"features and {len(array):,} have {name}."
                )

    def __repr__(self) -> str:
        n, dim = self.features.shape
        return f"<BagArray {self.patient}: {n:,} × {dim:,}>"

    @property
    def dim(self) -> int:
        """Numbers a tile."""
        return int(self.features.shape[1])

    def count(self, regions: Sequence[str] | None = None) -> int:
        """Return the number of tiles; see :meth:`BagRef.count`."""
        return len(self._wanted(regions))

    def load(
        self,
        regions: Sequence[str] | None = None,
        n: int | None = None,
        rng: np.random.Generator | None = None,
        *,
        replace: bool = False,
    ) -> Bag:
        """Return all tiles, or `n` of them at random; see :meth:`BagRef.load`."""
        wanted = self._wanted(regions)
        if n is None:
            return self._bag(wanted, None, len(wanted))
        drawn = draw_tiles(len(wanted), n, rng, replace)
        return self._bag(wanted[drawn], n, len(wanted))

    def chunks(self, size: int, regions: Sequence[str] | None = None) -> Iterator[Bag]:
        """Return all tiles, at most `size` at a time; see :meth:`BagRef.chunks`."""
        wanted = self._wanted(regions)
        for start in range(0, len(wanted), size):
            yield self._bag(wanted[start : start + size], None, len(wanted))

    def places(self, regions: Sequence[str] | None = None) -> pd.DataFrame:
        """Tell where every tile lies; see :meth:`BagRef.places`."""
        bag = self.load(regions)
        words = np.array(["", *self.region_names], dtype=object)
        x, y = bag.coords.T
        told = {"slide": self.patient, "x": x, "y": y, "region": words[bag.region]}
        return pd.DataFrame(told)

    def _wanted(self, regions: Sequence[str] | None) -> npt.NDArray[np.int64]:
        if regions is None:
            return np.arange(len(self.features))
        if self.region is None:
            raise InvalidInput(
                f"Patient {self.patient}: its tiles have no regions, and "
                f"{', '.join(regions)} are asked for. Give region and region_names."
            )
        names = self.region_names
        known = [1 + names.index(name) for name in regions if name in names]
        return np.flatnonzero(np.isin(self.region, known))

    def _bag(
        self, rows: npt.NDArray[np.int64], asked: int | None, available: int
    ) -> Bag:
        n = len(rows)
        none = np.zeros(n, np.uint8)
        return Bag(
            features=self.features[rows],
            coords=np.zeros((n, 2), np.int64)
            if self.coords is None
            else np.asarray(self.coords[rows], np.int64),
            slide=np.zeros(n, np.int32),
            slides=(self.patient,),
            region=none if self.region is None else self.region[rows],
            region_names=self.region_names,
            patient=self.patient,
            asked=asked,
            available=available,
        )
