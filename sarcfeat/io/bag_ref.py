"""A patient's tiles, as a light reference that stands in a column of X."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sarcfeat._validation import listed
from sarcfeat.exceptions import InputCorrupt, InputMissing, InvalidInput
from sarcfeat.io.bagfile import BagFile, open_bag
from sarcfeat.io.hdf5 import HDF5Bag, open_hdf5

__all__ = ["Bag", "BagPart", "BagRef", "draw_tiles"]

Array = npt.NDArray[Any]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Bag:
    """Some or all tiles of a patient, in memory.

    Parameters
    ----------
    features : ndarray of shape (tiles, numbers a tile)
        In the type they are kept in (float16 stays float16).
    coords : ndarray of int64, shape (tiles, 2)
        Upper left corner (x, y) of each tile in pixels of level 0.
    slide : ndarray of int32, shape (tiles,)
        Position of each tile's slide in `slides`.
    slides : tuple of str
        The slides' names.
    region : ndarray of uint8, shape (tiles,)
        0 for none, k for the k-th of `region_names`.
    region_names : tuple of str
        Of all slides together.
    patient : str
        Whose.
    asked : int, optional
        Tiles asked for; None for all.
    available : int, optional
        Tiles there are (in the regions asked for).
    """

    features: Array
    coords: Array
    slide: Array
    slides: tuple[str, ...]
    region: Array
    region_names: tuple[str, ...]
    patient: str
    asked: int | None = None
    available: int | None = None

    def __len__(self) -> int:
        return len(self.features)

    @property
    def fewer(self) -> bool:
        """Whether there are fewer tiles than were asked for."""
        known = self.asked is not None and self.available is not None
        return known and self.available < self.asked  # type: ignore[operator]

    def __repr__(self) -> str:
        n, dim = self.features.shape
        note = f", fewer than the {self.asked:,} asked for" if self.fewer else ""
        return (
            f"<Bag of {self.patient}: {n:,} × {dim:,} from {len(self.slides)} slides"
            f"{note}>"
        )


@dataclass(frozen=True)
class BagPart:
    """One slide's tiles on disk.

    Parameters
    ----------
    slide : str
        Its name.
    path : str
        The file.
    layout : {"safetensors", "trident", "clam", "stamp"}
        Who wrote it: this package, or the tool of that name (HDF5).
    tiles : int
        How many it holds.
    labels : str, optional
        Of another tool's bag: a bag of no numbers with each tile's place in pixels of
        level 0 and its region.
    """

    slide: str
    path: str
    layout: str
    tiles: int
    labels: str | None = None


@dataclass(frozen=True)
class BagRef:
    """A light reference to all tiles of a patient; it stands in a column of X.

    Several slides are one pool: none is preferred, and each tile counts once. It is
    read when asked, never when it is copied, pickled or sliced with its column.

    Parameters
    ----------
    patient : str
        Whose.
    parts : tuple of BagPart
        One a slide.
    dim : int
        Numbers a tile.

    Examples
    --------
    >>> part = BagPart("S1", "bags/P1_S1.safetensors", "safetensors", 1200)
    >>> BagRef("P1", (part,), 512)
    <BagRef P1: 1,200 × 512 in 1 slides>
    """

    patient: str
    parts: tuple[BagPart, ...]
    dim: int

    def __repr__(self) -> str:
        return (
            f"<BagRef {self.patient}: {self.count():,} × {self.dim:,} in "
            f"{len(self.parts)} slides>"
        )

    def count(self, regions: Sequence[str] | None = None) -> int:
        """Return the number of tiles (in some regions).

        Parameters
        ----------
        regions : sequence of str, optional
            Names of regions; with them the files are looked into.

        Returns
        -------
        int
        """
        if regions is None:
            return sum(part.tiles for part in self.parts)
        return sum(held.count for held in self._held(regions))

    def load(
        self,
        regions: Sequence[str] | None = None,
        n: int | None = None,
        rng: np.random.Generator | None = None,
        *,
        replace: bool = False,
    ) -> Bag:
        """Read all tiles, or `n` of them at random, in the order of the files.

        Parameters
        ----------
        regions : sequence of str, optional
            Only tiles of these regions.
        n : int, optional
            So many, drawn over all slides with equal chance. Where there are fewer,
            all of them, and the bag says so (``fewer``).
        rng : Generator, optional
            Draws them; needed with `n`.
        replace : bool
            Draw with replacement, so that there are `n` whatever there is.

        Returns
        -------
        Bag

        Raises
        ------
        InputMissing, InputCorrupt
            A file is gone or no longer what it was; patient and slide are named.
        InvalidInput
            Regions are asked of a slide whose tiles have none.
        """
        held = self._held(regions)
        total = sum(one.count for one in held)
        if n is None:
            return self._read(held, np.arange(total), None, total)
        return self._read(held, draw_tiles(total, n, rng, replace), n, total)

    def chunks(self, size: int, regions: Sequence[str] | None = None) -> Iterator[Bag]:
        """Read all tiles, in order, at most `size` at a time.

        Parameters
        ----------
        size : int
            Most tiles in memory.
        regions : sequence of str, optional
            Only tiles of these regions.

        Yields
        ------
        Bag
        """
        if size < 1:
            raise InvalidInput(f"size is {size}; expected a number of tiles from 1.")
        held = self._held(regions)
        total = sum(one.count for one in held)
        for start in range(0, total, size):
            rows = np.arange(start, min(start + size, total))
            yield self._read(held, rows, None, total)

    def places(self, regions: Sequence[str] | None = None) -> pd.DataFrame:
        """Tell where every tile lies, without reading its features.

        Parameters
        ----------
        regions : sequence of str, optional
            Only tiles of these regions.

        Returns
        -------
        DataFrame
            ``slide, x, y, region`` (empty text for none), in the order of
            :meth:`load`.
        """
        parts = []
        for part, one in zip(self.parts, self._held(regions), strict=True):
            rows = slice(None) if one.wanted is None else one.wanted
            coords = one.coords()[rows]
            words = np.array(["", *one.names], dtype=object)
            codes = np.zeros(len(coords), np.uint8)
            if one.codes is not None:
                codes = one.codes[rows]
            told = {"slide": part.slide, "x": coords[:, 0], "y": coords[:, 1]}
            parts.append(pd.DataFrame({**told, "region": words[codes]}))
        if not parts:
            return pd.DataFrame(columns=["slide", "x", "y", "region"])
        return pd.concat(parts, ignore_index=True)

    def _held(self, regions: Sequence[str] | None) -> list[_Held]:
        return [_open(self, part, regions) for part in self.parts]

    def _read(
        self, held: list[_Held], rows: Rows, asked: int | None, available: int
    ) -> Bag:
        """Read the tiles of these places in the pool, which ascend."""
        names = tuple(dict.fromkeys(name for one in held for name in one.names))
        types = [one.file.dtype for one in held] or [np.dtype(np.float32)]
        n = len(rows)
        bag = Bag(
            features=np.empty((n, self.dim), np.result_type(*types)),
            coords=np.empty((n, 2), np.int64),
            slide=np.empty(n, np.int32),
            slides=tuple(part.slide for part in self.parts),
            region=np.zeros(n, np.uint8),
            region_names=names,
            patient=self.patient,
            asked=asked,
            available=available,
        )
        done = start = 0
        for number, one in enumerate(held):
            first, last = np.searchsorted(rows, (start, start + one.count))
            mine = rows[first:last] - start
            here = slice(done, done + len(mine))
            if len(mine):
                one.read_into(bag, here, mine)
            bag.slide[here] = number
            done, start = here.stop, start + one.count
        return bag


def draw_tiles(
    total: int, n: int, rng: np.random.Generator | None, replace: bool = False
) -> Rows:
    """Draw the places of `n` of `total` tiles, ascending.

    Parameters
    ----------
    total : int
        Tiles there are.
    n : int
        Tiles wanted; all are taken where there are fewer.
    rng : Generator
    replace : bool
        Draw with replacement.

    Returns
    -------
    ndarray of int64

    Examples
    --------
    >>> draw_tiles(3, 5, None)
    array([0, 1, 2])
    >>> len(draw_tiles(3, 5, np.random.default_rng(0), replace=True))
    5
    """
    if n < 1:
        raise InvalidInput(f"n is {n}; expected a number of tiles, or None for all.")
    if total == 0 or (n >= total and not replace):
        return np.arange(total)
    if rng is None:
        raise InvalidInput(
            f"{n:,} of {total:,} tiles are to be drawn: pass rng, such as "
            "np.random.default_rng(0)."
        )
    return np.sort(rng.choice(total, n, replace=replace, shuffle=False))


@dataclass(frozen=True)
class _Held:
    """A slide's file, opened, and which of its tiles are wanted (None: all)."""

    who: str
    file: BagFile | HDF5Bag
    codes: Array | None
    wanted: Rows | None
    names: tuple[str, ...] = field(default=())
    labels: BagFile | None = None

    def coords(self) -> Array:
        return (self.labels or self.file).coords()

    @property
    def count(self) -> int:
        return self.file.n if self.wanted is None else len(self.wanted)

    def read_into(self, bag: Bag, here: slice, mine: Rows) -> None:
        rows = mine if self.wanted is None else self.wanted[mine]
        # Tiles drawn twice are read once.
        once, back = np.unique(rows, return_inverse=True)
        try:
            if len(once) == len(rows):
                self._features(rows, bag.features[here])
            else:
                out = np.empty((len(once), self.file.dim), self.file.dtype)
                self._features(once, out)
                bag.features[here] = out[back]
            bag.coords[here] = self.coords()[rows]
        except (InputMissing, InputCorrupt) as error:
            raise type(error)(f"{self.who}: {error}") from error
        if self.codes is not None:
            bag.region[here] = _renamed(self.codes[rows], self.names, bag.region_names)

    def _features(self, rows: Rows, out: Array) -> None:
        self.file.features(None if len(rows) == self.file.n else rows, out)


def _renamed(codes: Array, mine: Sequence[str], pool: Sequence[str]) -> Array:
    """Return codes that count in the names of the pool."""
    table = np.array([0, *(1 + pool.index(name) for name in mine)], np.uint8)
    return np.asarray(table[codes])


def _open(bag: BagRef, part: BagPart, regions: Sequence[str] | None) -> _Held:
    who = f"Patient {bag.patient}, slide {part.slide}"
    try:
        file: BagFile | HDF5Bag = (
            open_bag(part.path)
            if part.layout == "safetensors"
            else open_hdf5(part.path)
        )
        if (file.n, file.dim) != (part.tiles, bag.dim):
            raise InputCorrupt(
                f"{part.path} holds {file.n:,} × {file.dim:,} numbers; the reference "
                f"says {part.tiles:,} × {bag.dim:,}. Make the matrix again."
            )
        labels = None if part.labels is None else open_bag(part.labels)
        if labels is not None and labels.n != file.n:
            raise InputCorrupt(
                f"{part.labels} places {labels.n:,} tiles; {part.path} holds "
                f"{file.n:,}. Add the bag again with store.add_bags."
            )
        names: tuple[str, ...] = ()
        codes: Array | None = None
        told = labels or file
        if isinstance(told, BagFile):
            names, codes = told.region_names, told.region()
    except (InputMissing, InputCorrupt) as error:
        raise type(error)(f"{who}: {error}") from error
    if regions is None:
        return _Held(who, file, codes, None, names, labels)
    if codes is None:
        raise InvalidInput(
            f"{who}: its tiles have no regions ({part.path}), and {listed(regions)} "
            "are asked for. Add the slide's annotations and encode it again, or ask "
            "for all tiles with regions=None."
        )
    known = [1 + names.index(name) for name in regions if name in names]
    wanted = np.flatnonzero(np.isin(codes, known))
    return _Held(who, file, codes, wanted, names, labels)
