"""One slide on its way to a bag: laid out, read, computed, accounted for."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sarcfeat._validation import listed
from sarcfeat.encoders.encoded_slide import EncodedSlide
from sarcfeat.encoders.forward import Precision
from sarcfeat.encoders.tile_features import tile_features
from sarcfeat.encoders.tile_nets import TileSpec
from sarcfeat.encoders.tile_quality import fault_of_tile
from sarcfeat.encoders.tile_reading import ReadTile, lay_out, read_tiles, sampled
from sarcfeat.encoders.tiling import count_tiles
from sarcfeat.exceptions import (
    InputCorrupt,
    InvalidInput,
    MostlyBlurred,
    NonFiniteTiles,
    NoTissue,
)
from sarcfeat.io.regions import Regions
from sarcfeat.io.slide import open_slide

if TYPE_CHECKING:
    from sarcfeat.encoders.slide_tiles import SlideTiles

__all__ = ["SlideJob"]

Progress = Callable[[int, int], None]
_NOT_FINITE = "not finite"


class SlideJob:
    """Encode one slide with an encoder's settings.

    Parameters
    ----------
    encoder : SlideTiles
    spec : TileSpec
    how : Precision
    path : str
    mpp : float or None
        The slide's µm per pixel, where it does not say.
    """

    def __init__(
        self,
        encoder: SlideTiles,
        spec: TileSpec,
        how: Precision,
        path: str,
        mpp: float | None,
    ) -> None:
        self._encoder, self._spec, self._how = encoder, spec, how
        self._path, self._mpp = path, mpp
        self._said: list[str] = []
        self._source: dict[str, Any] | None = None
        with open_slide(path, mpp=mpp) as slide:
            self.layout = lay_out(
                slide, mpp=encoder.mpp, size=encoder.size, rule=encoder.tissue
            )
            self._reason = self.layout.group.astype("U10")
            held = np.isin(self.layout.group, encoder.keep)
            self._reason[held & (self.layout.ink > encoder.tissue.pen)] = "pen"
            self._held = held & (self._reason != "pen")
            if encoder.stain is not None and self._held.any():
                self._source = self._stains(slide)
        self._region = np.zeros(len(self.layout.grid), np.uint8)
        self._names: tuple[str, ...] = ()
        self._bad: list[ReadTile] = []

    def tiles(
        self, regions: Regions | None, progress: Progress | None = None
    ) -> Iterator[list[ReadTile]]:
        """Read the tiles that are kept, block by block."""
        wanted = self._wanted(regions)
        total, done = int(wanted.sum()), 0
        for block in read_tiles(
            self._path,
            self.layout,
            wanted,
            mpp=self._mpp,
            n_threads=self._encoder.n_threads,
            prepare=self._prepare,
        ):
            yield block
            done += len(block)
            self._refuse_damage(total)
            if progress is not None:
                progress(done, total)

    def run(
        self, regions: Regions | None, progress: Progress | None = None
    ) -> EncodedSlide:
        """Encode the slide."""
        encoder = self._encoder
        index, features = tile_features(
            self.tiles(regions, progress),
            self._spec,
            how=self._how,
            batch_size=encoder.batch_size,
            n_threads=encoder.n_threads,
            dtype=np.dtype(encoder.dtype),
            left_out=self._leave_out,
        )
        index, features = self._finite(index, features)
        self._warn(index)
        grid = self.layout.grid
        return EncodedSlide(
            features=features,
            coords=grid.coords[index].astype(np.int32),
            region=self._region[index],
            region_names=self._names,
            tissue=self.layout.share[index].astype(np.float32),
            counts=count_tiles(self._region, self._names, self._reason),
            bad=self._bad_table(),
            warnings=self._said,
            reader=self.layout.reader,
            mpp=self.layout.slide_mpp,
            tile_px=grid.side,
            sampling=self.layout.how,
        )

    def _wanted(self, regions: Regions | None) -> npt.NDArray[np.bool_]:
        if regions is None:
            return self._held
        self._names = tuple(regions.names)
        self._region = np.asarray(regions.label(self.layout.grid.centres), np.uint8)
        return self._held & (self._region > 0)

    def _prepare(self, tile: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8] | str:
        """Check a tile and give it the stains asked for, in a reader's thread."""
        encoder = self._encoder
        fault = fault_of_tile(tile, encoder.tissue, self.layout.tissue.threshold)
        if fault is not None:
            return fault
        if encoder.stain is None or self._source is None:
            return tile
        return encoder.stain.transform(tile, source=self._source)

    def _stains(self, slide: Any) -> dict[str, Any] | None:
        """Learn the slide's own stains; a slide with too little keeps its colours."""
        stain = self._encoder.stain
        if stain is None:
            return None
        full = self._held & (self.layout.group == "A")
        among = np.flatnonzero(full if full.any() else self._held)
        tiles = sampled(slide, self.layout, among, stain.n_tiles)
        try:
            return stain.of(tiles, what=self._path)
        except InvalidInput as error:
            self._said.append(f"{error} Its stains are left as they are.")
            return None

    def _leave_out(self, tile: ReadTile) -> None:
        self._reason[tile.index] = tile.reason
        if tile.reason == "corrupt":
            self._bad.append(tile)

    def _refuse_damage(self, total: int) -> None:
        most = self._encoder.max_bad
        if self._bad and len(self._bad) > most * total:
            places = [
                f"x {x}, y {y}"
                for x, y in self.layout.grid.coords[[t.index for t in self._bad[:3]]]
            ]
            raise InputCorrupt(
                f"{self._path}: {len(self._bad):,} of {total:,} tiles cannot be read, "
                f"more than max_bad={most:g} allows; at {listed(places)}. First: "
                f"{self._bad[0].detail} Copy the slide again from the scanner, or "
                "allow more with max_bad."
            )

    def _finite(
        self, index: npt.NDArray[np.int64], features: npt.NDArray[Any]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
        """Refuse tiles with NaN or infinite features, or leave them out."""
        good = np.isfinite(features).all(axis=1)
        if good.all():
            return index, features
        lost = index[~good]
        x, y = self.layout.grid.coords[lost[0]]
        dtype = self._encoder.dtype
        if self._encoder.nan == "raise":
            raise NonFiniteTiles(
                f"{self._path}: {len(lost):,} of {len(index):,} tiles have NaN or "
                f"infinite features in {dtype}, the first at x {x}, y {y}. Use "
                "dtype='float32' if they overflow float16 (above 65,504), or leave "
                "these tiles out with nan='drop'."
            )
        self._said.append(
            f"{len(lost):,} of {len(index):,} tiles have NaN or infinite features in "
            f"{dtype} and are left out."
        )
        self._reason[lost] = _NOT_FINITE
        self._bad += [ReadTile(int(k), None, _NOT_FINITE) for k in lost]
        return index[good], features[good]

    def _bad_table(self) -> pd.DataFrame:
        bad = sorted(self._bad, key=lambda tile: tile.index)
        coords = self.layout.grid.coords[[tile.index for tile in bad]]
        reasons = [f"{t.reason}: {t.detail}" if t.detail else t.reason for t in bad]
        return pd.DataFrame(
            {"x": coords[:, 0], "y": coords[:, 1], "reason": reasons}
        ).astype({"x": "int64", "y": "int64", "reason": object})

    def _warn(self, index: npt.NDArray[np.int64]) -> None:
        """Write down what a reader of the numbers should know."""
        said, layout, net = self._said, self.layout, self._encoder.net
        if layout.upsampled:
            said.append(f"The slide is coarser than asked: {layout.how}.")
        shown = layout.slide_mpp if layout.mpp is None else layout.mpp
        if net.mpp is not None and abs(shown / net.mpp - 1) > 0.1:
            said.append(
                f"{net.name} was trained at {net.mpp:g} µm per pixel; these tiles have "
                f"{shown:g}."
            )
        corrupt = sum(tile.reason == "corrupt" for tile in self._bad)
        if corrupt:
            said.append(
                f"{corrupt:,} tiles cannot be read and are left out; the slide was "
                "opened anew after each."
            )
        self._warn_blur(len(index))
        held = set(self._region[index].tolist())
        empty = [name for k, name in enumerate(self._names, 1) if k not in held]
        if empty and len(index):
            said.append(f"No tile is kept in region {listed(empty)}.")
        if not len(index):
            self._warn_empty()

    def _warn_blur(self, kept: int) -> None:
        """Say that the rule for blur may not be made for this slide."""
        left_out = int(np.count_nonzero(self._reason == "blur"))
        if left_out <= kept:
            return
        least = self._encoder.tissue.blur
        message = (
            f"{self._path}: {left_out:,} of {left_out + kept:,} tiles with tissue are "
            f"left out as out of focus (sharpness below {least:g}). If they are sharp, "
            "as in fluorescence or from a soft scanner, keep them with "
            "tissue=TissueRule(blur=0)."
        )
        self._said.append(message)
        warnings.warn(message, MostlyBlurred, stacklevel=5)

    def _warn_empty(self) -> None:
        message = f"NoTissue: {self._path} {self._why_empty()}"
        self._said.append(message)
        warnings.warn(message, NoTissue, stacklevel=5)

    def _why_empty(self) -> str:
        grid = self.layout.grid
        if not len(grid):
            return f"is smaller than one tile of {grid.side:.4g} of its pixels."
        counts = pd.Series(self._reason).value_counts().sort_index()
        told = listed([f"{n:,} {what}" for what, n in counts.items()])
        where = f" in regions {listed(self._names)}" if self._names else ""
        return (
            f"has no tile of group {listed(self._encoder.keep)}{where}; its tiles: "
            f"{told}. Look at the slide; a pale or fluorescent one needs another "
            "TissueRule."
        )
