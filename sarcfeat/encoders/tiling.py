"""A slide cut into tiles: where they lie, in which region, with how much tissue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sarcfeat.exceptions import InvalidInput

__all__ = ["GROUPS", "Block", "Grid", "count_tiles", "tissue_groups"]

GROUPS = ("A", "B", "C", "D")
COUNT_COLUMNS = ("region", "group", "tiles")


@dataclass(frozen=True)
class Block:
    """Neighbouring tiles that are read together.

    Parameters
    ----------
    column, row : int
        Place in the grid of its upper left tile.
    columns, rows : int
        How many tiles it spans.
    tiles : tuple of int
        Which of the grid's tiles are wanted of it, in the grid's order.
    """

    column: int
    row: int
    columns: int
    rows: int
    tiles: tuple[int, ...]


@dataclass(frozen=True)
class Grid:
    """The whole tiles of a slide, from its upper left corner, row by row.

    Nothing overlaps. Where a tile is not a whole number of pixels, each corner is
    rounded by itself, so that the error does not add up: neighbours may share a line
    of pixels, or miss one.

    Parameters
    ----------
    columns, rows : int
        How many tiles.
    side : float
        A tile's side, in pixels of level 0.

    Examples
    --------
    >>> grid = Grid.over((700, 300), 224)
    >>> grid.coords.tolist()
    [[0, 0], [224, 0], [448, 0]]
    >>> grid.centres[1].tolist()
    [336.0, 112.0]
    """

    columns: int
    rows: int
    side: float

    @classmethod
    def over(cls, dimensions: tuple[int, int], side: float) -> Grid:
        """Lay a grid over a slide.

        Parameters
        ----------
        dimensions : (width, height)
            Of level 0, in pixels. A tile that hangs over the edge by half a pixel or
            more is left out.
        side : float
            A tile's side, in pixels of level 0.
        """
        if not side > 0:
            raise InvalidInput(
                f"side is {side!r}; expected pixels of level 0, above 0."
            )
        columns, rows = (int((n + 0.499) // side) for n in dimensions)
        return cls(columns, rows, float(side))

    def __len__(self) -> int:
        return self.columns * self.rows

    @property
    def coords(self) -> npt.NDArray[np.int64]:
        """Upper left corners x, y in pixels of level 0, shape (n, 2)."""
        xs, ys = (
            np.rint(np.arange(n) * self.side).astype(np.int64)
            for n in (self.columns, self.rows)
        )
        return np.stack([np.tile(xs, self.rows), np.repeat(ys, self.columns)], axis=1)

    @property
    def centres(self) -> npt.NDArray[np.float64]:
        """Centres in pixels of level 0: a tile lies where its centre does."""
        return self.coords + self.side / 2

    def blocks(self, wanted: npt.NDArray[Any], across: int) -> Iterator[Block]:
        """Gather the tiles that are wanted in blocks, in one fixed order.

        Parameters
        ----------
        wanted : array of bool, shape (n,)
        across : int
            Tiles along a side of a block.

        Yields
        ------
        Block
            Those with a tile that is wanted, row by row; each tile in one of them.

        Examples
        --------
        >>> grid = Grid.over((500, 400), 100)
        >>> [b.tiles for b in grid.blocks(np.ones(20, bool), 4)]
        [(0, 1, 2, 3, 5, 6, 7, 8, 10, 11, 12, 13, 15, 16, 17, 18), (4, 9, 14, 19)]
        """
        chosen = np.flatnonzero(np.asarray(wanted, np.bool_))
        rows, columns = np.divmod(chosen, max(self.columns, 1))
        per_row = -(-self.columns // across)
        block = rows // across * per_row + columns // across
        order = np.argsort(block, kind="stable")
        for mine in np.split(order, np.flatnonzero(np.diff(block[order])) + 1):
            if len(mine):
                row, column = (
                    across * int(v[mine[0]] // across) for v in (rows, columns)
                )
                yield Block(
                    column,
                    row,
                    min(across, self.columns - column),
                    min(across, self.rows - row),
                    tuple(chosen[mine].tolist()),
                )


def tissue_groups(share: npt.ArrayLike) -> npt.NDArray[np.str_]:
    """Sort tiles by their share of tissue: A, B, C or D.

    A: more than 80 %. B: from 10 to 80 %, both included. C: more than nothing and
    less than 10 %. D: nothing. Shares are taken to six decimals.

    Parameters
    ----------
    share : array of float, shape (n,)

    References
    ----------
    The groups of Michot et al. 2025, who keep the tiles of A and B.

    Examples
    --------
    >>> tissue_groups([1.0, 0.81, 0.8, 0.1, 0.09, 0.0]).tolist()
    ['A', 'A', 'B', 'B', 'C', 'D']
    """
    f = np.round(np.asarray(share, np.float64), 6)
    if not ((f >= 0) & (f <= 1)).all():
        raise InvalidInput("a share of tissue lies outside 0 to 1.")
    return np.select([f > 0.8, f >= 0.1, f > 0], ["A", "B", "C"], "D").astype("U1")


def count_tiles(
    region: npt.NDArray[Any], names: Sequence[str], what: npt.NDArray[Any]
) -> pd.DataFrame:
    """Count tiles by region and group.

    Parameters
    ----------
    region : array of int, shape (n,)
        0: in no region; k: in ``names[k - 1]``.
    names : sequence of str
    what : array of str, shape (n,)
        Group of a tile (A, B, C, D), or why it was left out.

    Returns
    -------
    DataFrame
        Columns region, group, tiles: every group of every region, with 0 where there
        is none, and each reason where it occurs. Region "" is what lies in none. The
        sum is the number of tiles.

    Examples
    --------
    >>> found = count_tiles(np.array([1, 1, 2]), ["C", "P"], np.array(["A", "A", "D"]))
    >>> found[found["tiles"] > 0].to_numpy().tolist()
    [['C', 'A', 2], ['P', 'D', 1]]
    """
    region, what = np.asarray(region), np.asarray(what)
    held = list(enumerate(names, start=1))
    if not held or (region == 0).any():
        held.append((0, ""))
    reasons = sorted(set(what.tolist()) - set(GROUPS))
    rows = [
        (name, group, int(np.count_nonzero((region == k) & (what == group))))
        for k, name in held
        for group in (*GROUPS, *reasons)
    ]
    kept = [row for row in rows if row[2] or row[1] in GROUPS]
    return pd.DataFrame(kept, columns=list(COUNT_COLUMNS))
