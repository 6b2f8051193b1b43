"""A column of bags as data for a net: a sample to train on, all tiles to predict."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from sarcfeat._validation import listed
from sarcfeat.exceptions import InvalidInput
from sarcfeat.nets.ahead import ahead
from sarcfeat.nets.attention import Ragged, TileStream

__all__ = ["BagLike", "Bags"]

Rows = npt.NDArray[np.intp]
# By type: an integer to look at it with, and the bits that are all set in NaN and inf.
BITS = {2: (np.uint16, 0x7C00), 4: (np.uint32, 0x7F800000), 8: (np.uint64, 0x7FF << 52)}

# More tiles at a time are no faster; fewer only where memory asks for it.
PIECE = 8192


class BagLike(Protocol):
    """What a reference to a bag can do, such as :class:`sarcfeat.io.BagRef`."""

    @property
    def patient(self) -> str:
        """Whose it is."""
        ...

    @property
    def dim(self) -> int:
        """Numbers a tile."""
        ...

    def count(self, regions: Sequence[str] | None = None) -> int:
        """Return the number of tiles."""
        ...

    def load(
        self,
        regions: Sequence[str] | None = None,
        n: int | None = None,
        rng: np.random.Generator | None = None,
        *,
        replace: bool = False,
    ) -> Any:
        """Return tiles with ``features``."""
        ...

    def chunks(self, size: int, regions: Sequence[str] | None = None) -> Iterator[Any]:
        """Return all tiles, in pieces."""
        ...


class Bags:
    """Patients that are bags of tiles on disk.

    Parameters
    ----------
    bags : sequence of BagRef
        One a patient.
    regions : sequence of str, optional
        Only tiles of these regions.
    n_tiles : int, optional
        Tiles drawn from each bag each time it is trained on; None takes all.
    judged : int, optional
        Tiles to judge a patient by in the course of training: always the same ones.
        None takes all tiles, in pieces.
    replace : bool
        Draw with replacement where there are fewer.
    max_bytes : int
        What one piece of a bag may take, with what the net makes of it.
    held : int
        Numbers that the net holds of each tile, for the ceiling
        (:meth:`BagNet.held`).
    random_state : int
        Chooses the tiles that patients are judged by.

    Raises
    ------
    InvalidInput
        A patient without tiles, or of another number of features; all are named.
    """

    prefetch = True

    def __init__(
        self,
        bags: Sequence[BagLike],
        *,
        regions: Sequence[str] | None = None,
        n_tiles: int | None = 10_000,
        judged: int | None = None,
        replace: bool = False,
        max_bytes: int = 1024**3,
        held: int = 1280,
        random_state: int = 0,
    ) -> None:
        self.bags = list(bags)
        self.regions = None if regions is None else tuple(regions)
        self.n_tiles, self.judged, self.replace = n_tiles, judged, replace
        self.random_state = random_state
        self.counts = np.array([bag.count(self.regions) for bag in self.bags], int)
        self._refuse()
        self.dim = self.bags[0].dim if self.bags else 0
        # Half the ceiling: a piece is pooled in double precision.
        most = max_bytes // (2 * bytes_per_tile(self.dim, held))
        self.piece = int(np.clip(most, 1, PIECE))

    def __len__(self) -> int:
        return len(self.bags)

    def load(self, rows: Rows, rng: np.random.Generator | None) -> Ragged | TileStream:
        """Return a sample of each bag; or, without `rng`, what it is judged by."""
        if rng is None and self.judged is None:
            return TileStream([self.pieces(row) for row in rows])
        n = self.n_tiles if rng is not None else self.judged
        tiles: npt.NDArray[Any] | None = None
        offsets = np.cumsum([0, *(self._size(row, n) for row in rows)])
        for i, row in enumerate(rows):
            own = rng or np.random.default_rng([self.random_state, int(row)])
            part = self._checked(
                self.bags[row].load(self.regions, n, own, replace=self.replace)
            )
            if tiles is None:
                tiles = np.empty((offsets[-1], part.shape[1]), part.dtype)
            elif np.result_type(tiles, part) != tiles.dtype:
                tiles = tiles.astype(np.result_type(tiles, part))
            tiles[offsets[i] : offsets[i + 1]] = part
        return Ragged(torch.from_numpy(tiles), tuple(offsets.tolist()))

    def some(self, n: int, rng: np.random.Generator) -> Iterator[npt.NDArray[Any]]:
        """Return `n` tiles of each patient, at random; all where there are fewer."""
        for bag in self.bags:
            yield self._checked(bag.load(self.regions, n, rng))

    def mark(self) -> str:
        """Return a hash of who is read and how, with a tile of each bag."""
        how = (self.regions, self.n_tiles, self.judged, self.replace, self.random_state)
        told = hashlib.sha256(repr(how).encode())
        for bag, count in zip(self.bags, self.counts, strict=True):
            told.update(repr((bag.patient, int(count), bag.dim)).encode())
            told.update(next(iter(bag.chunks(1, self.regions))).features.tobytes())
        return told.hexdigest()[:16]

    def pieces(self, row: int) -> Iterator[torch.Tensor]:
        """Return all tiles of one patient, in pieces within the ceiling."""
        found = self.bags[row].chunks(self.piece, self.regions)
        # A thread for one piece would have nothing to read ahead.
        for bag in ahead(found) if self.counts[row] > self.piece else found:
            yield torch.from_numpy(self._checked(bag))

    def _size(self, row: int, n: int | None) -> int:
        count = int(self.counts[row])
        return count if n is None else n if self.replace else min(n, count)

    def _checked(self, bag: Any) -> npt.NDArray[Any]:
        bad = count_bad(bag.features)
        if bad:
            raise InvalidInput(
                f"Patient {bag.patient}: {bad:,} of {len(bag.features):,} tiles have "
                "NaN or infinite numbers (often float16 that ran over). Extract them "
                "again in float32, or leave these tiles out (nan='drop' of add_bag)."
            )
        features: npt.NDArray[Any] = bag.features
        return features

    def _refuse(self) -> None:
        none = [b.patient for b, n in zip(self.bags, self.counts, strict=True) if not n]
        if none:
            where = "" if self.regions is None else f" in {', '.join(self.regions)}"
            raise InvalidInput(
                f"{len(none)} patients have no tiles{where}: {listed(none)}. Leave "
                "them out, or extract their slides."
            )
        dims = {bag.dim for bag in self.bags}
        if len(dims) > 1:
            of = {bag.dim: bag.patient for bag in self.bags}
            raise InvalidInput(
                "Bags have different numbers a tile: "
                + ", ".join(f"{dim} (patient {of[dim]})" for dim in sorted(dims))
                + ". They come from different encoders; choose one."
            )


def bytes_per_tile(dim: int, held: int) -> int:
    """Return what a tile takes while a net is trained on it.

    Two batches of features are at hand (one is read while the other is used), in
    float32 at worst, beside what the net holds of them, there and back.
    """
    return 4 * (2 * dim + held)


def count_bad(features: npt.NDArray[Any]) -> int:
    """Count the tiles with NaN or infinite numbers, by their bits: faster for float16.

    Examples
    --------
    >>> count_bad(np.array([[1, 2], [np.nan, 3], [4, np.inf]], np.float16))
    2
    """
    kind, exponent = BITS[features.dtype.itemsize]
    bad = 0
    for start in range(0, len(features), 1024):
        bits = np.ascontiguousarray(features[start : start + 1024]).view(kind)
        full = (bits & kind(exponent)) == kind(exponent)
        if full.any():
            bad += int(full.any(axis=1).sum())
    return bad
