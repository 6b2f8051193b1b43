"""What an encoder of slides gives back: a bag of tiles, and what became of the rest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sarcfeat.exceptions import InvalidInput

__all__ = ["EncodedSlide"]


@dataclass(frozen=True, eq=False)
class EncodedSlide:
    """The tiles of one slide as numbers, row by row of the slide.

    Attributes
    ----------
    features : ndarray of shape (n, dimension)
        In the encoder's `dtype`. No rows where the slide has no tissue.
    coords : ndarray of int32, shape (n, 2)
        x and y of the upper left corner, in pixels of level 0.
    region : ndarray of uint8, shape (n,)
        0: in none; k: in ``region_names[k - 1]``.
    region_names : tuple of str
    tissue : ndarray of float32, shape (n,)
        Share of each tile that is tissue.
    counts : DataFrame
        Columns region, group, tiles: all tiles of the slide, by region ("" for none)
        and tissue group (A, B, C, D). A tile that would have been kept but for
        ``pen``, ``blur``, ``background``, ``corrupt`` or ``not finite`` stands under
        that instead. The sum is the number of tiles of the slide.
    bad : DataFrame
        Columns x, y, reason: tiles that could not be read or computed.
    warnings : list of str
        What a reader of the numbers should know, in plain sentences.
    reader : str
        What read the slide.
    mpp : float
        µm per pixel of the slide's level 0.
    tile_px : float
        A tile's side in pixels of level 0.
    sampling : str
        Which level was read, and what was done to it.
    """

    features: npt.NDArray[Any]
    coords: npt.NDArray[np.int32]
    region: npt.NDArray[np.uint8]
    region_names: tuple[str, ...]
    tissue: npt.NDArray[np.float32]
    counts: pd.DataFrame
    bad: pd.DataFrame
    warnings: list[str] = field(default_factory=list)
    reader: str = ""
    mpp: float = float("nan")
    tile_px: float = float("nan")
    sampling: str = ""

    def __post_init__(self) -> None:
        n = len(self.features)
        for name in ("coords", "region", "tissue"):
            if len(getattr(self, name)) != n:
                raise InvalidInput(
                    f"{n} rows of features and {len(getattr(self, name))} of {name}; "
                    "expected one of each a tile."
                )

    def __len__(self) -> int:
        return len(self.features)

    def __repr__(self) -> str:
        n, dim = self.features.shape
        return f"<EncodedSlide: {n:,} tiles × {dim:,}, {len(self.bad):,} bad>"
