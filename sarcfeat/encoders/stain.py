"""Stain normalisation: every slide as if it were dyed like the training slides."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sarcfeat._validation import pick
from sarcfeat.encoders.stain_colour import LEAST, apply_stain, stain_state, stained
from sarcfeat.encoders.tile_reading import sample_tiles
from sarcfeat.encoders.tissue import TissueRule
from sarcfeat.exceptions import InputCorrupt, InputMissing, InvalidInput

__all__ = ["StainNormaliser"]

Pixels = npt.NDArray[np.uint8]
Path_ = str | PathLike[str]
METHODS = ("macenko", "reinhard")
_PER_SOURCE = 100_000  # stained pixels taken of one slide or picture


class StainNormaliser:
    """Give every slide the stains of the training slides.

    It learns from training slides only, and what it learned is part of the fingerprint
    of the encoder that uses it: fitted on other slides it makes other features. Within
    cross-validation the slides of the held-back fold must not be among those it is
    fitted on; the plain way is one reference fitted on a few slides of the training
    centre, or none.

    Parameters
    ----------
    method : {"macenko", "reinhard"}
        Macenko: the two dyes are found in optical density, and each slide's are
        replaced. Reinhard: means and standard deviations of CIELAB are matched.
    n_tiles : int
        Tiles looked at of a slide, evenly spread over its tissue.
    mpp : float
        µm per pixel at which slides are looked at in :meth:`fit`.

    Attributes
    ----------
    state_ : dict
        What was learned, in plain numbers.
    n_fitted_ : int
        Slides or pictures it was learned from.

    References
    ----------
    Macenko M et al. A method for normalizing histology slides for quantitative
    analysis. ISBI 2009. Reinhard E et al. Color transfer between images. IEEE Comput
    Graph Appl 2001;21:34-41.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> dyes = np.array([[0.65, 0.07], [0.70, 0.99], [0.29, 0.11]])
    >>> amounts = rng.uniform(0.1, 1.2, size=(2, 64 * 64))
    >>> picture = (240 * np.exp(-dyes @ amounts)).T.reshape(64, 64, 3).astype(np.uint8)
    >>> normaliser = StainNormaliser("macenko").fit([picture])
    >>> bool(abs(normaliser.transform(picture).astype(int) - picture).max() < 25)
    True
    """

    def __init__(
        self, method: str = "macenko", *, n_tiles: int = 32, mpp: float = 0.5
    ) -> None:
        self.method = pick(method, METHODS, "method of stain normalisation")
        if not isinstance(n_tiles, int) or n_tiles < 1:
            raise InvalidInput(
                f"n_tiles is {n_tiles!r}; expected a whole number from 1."
            )
        self.n_tiles = n_tiles
        self.mpp = float(mpp)
        self.state_: dict[str, Any] = {}
        self.n_fitted_ = 0

    def __repr__(self) -> str:
        fitted = f"fitted on {self.n_fitted_}" if self.state_ else "not fitted"
        return f"<StainNormaliser {self.method!r}, {fitted}>"

    def fit(self, sources: Iterable[Path_ | Pixels]) -> StainNormaliser:
        """Learn the stains of the training slides; each weighs the same.

        Parameters
        ----------
        sources : iterable of paths of slides, or of pictures
            A picture is uint8 of shape (height, width, 3).

        Returns
        -------
        StainNormaliser

        Raises
        ------
        InvalidInput
            A slide or picture has no stain to learn from; it is named.
        """
        taken = []
        for k, source in enumerate(sources):
            if isinstance(source, np.ndarray):
                what = f"picture {k + 1}"
                colours = stained(_checked(source, what))
            else:
                what = str(source)
                tiles = sample_tiles(
                    source, self.n_tiles, mpp=self.mpp, rule=TissueRule()
                )
                colours = stained(
                    np.concatenate(
                        [
                            np.empty((0, 3), np.uint8),
                            *(tile.reshape(-1, 3) for tile in tiles),
                        ]
                    )
                )
            if len(colours) < LEAST:
                raise InvalidInput(
                    f"{what} has {len(colours):,} stained pixels; {LEAST} are needed. "
                    "Leave it out of the slides that the normaliser is fitted on."
                )
            taken.append(_spread(colours))
        if not taken:
            raise InvalidInput("No slide or picture to learn the stains from.")
        least = min(len(colours) for colours in taken)
        pool = np.concatenate([_spread(colours, least) for colours in taken])
        self.state_ = stain_state(pool, self.method, what="the training slides")
        self.n_fitted_ = len(taken)
        return self

    def of(self, pictures: Iterable[Pixels], *, what: str) -> dict[str, Any]:
        """Return the stains of one slide, from some of its tiles.

        Parameters
        ----------
        pictures : iterable of ndarray of uint8
        what : str
            The slide, for messages.
        """
        parts = [stained(p) for p in pictures]
        pool = np.concatenate([np.empty((0, 3), np.uint8), *parts])
        return stain_state(_spread(pool), self.method, what=what)

    def transform(
        self, picture: Pixels, *, source: Mapping[str, Any] | None = None
    ) -> Pixels:
        """Return a picture with the stains of the training slides.

        Parameters
        ----------
        picture : ndarray of uint8, shape (height, width, 3)
        source : dict, optional
            The stains of its slide (:meth:`of`); without, those of the picture itself.
        """
        if not self.state_:
            raise InvalidInput(
                "This StainNormaliser has not learned any stains. Call fit(slides) "
                "with training slides, or from_json(file)."
            )
        picture = _checked(picture, "the picture")
        own = self.of([picture], what="the picture") if source is None else dict(source)
        return apply_stain(picture, own, self.state_)

    def to_dict(self) -> dict[str, Any]:
        """Return method and state as plain JSON types; part of a fingerprint."""
        return {
            "method": self.method,
            "n_tiles": self.n_tiles,
            "mpp": self.mpp,
            "state": self.state_,
            "n_fitted": self.n_fitted_,
        }

    @property
    def sha256(self) -> str:
        """Hash of what was learned."""
        text = json.dumps(self.to_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_json(self, path: Path_) -> None:
        """Write it to a file."""
        text = json.dumps(self.to_dict(), sort_keys=True, indent=2)
        Path(path).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def from_json(cls, path: Path_) -> StainNormaliser:
        """Read what :meth:`to_json` wrote.

        Raises
        ------
        InputMissing, InputCorrupt
            There is no such file, or it holds something else.
        """
        place = Path(path)
        if not place.is_file():
            raise InputMissing(f"No stain normaliser {place}. Correct the path.")
        try:
            return cls.from_dict(json.loads(place.read_text(encoding="utf-8")))
        except (ValueError, KeyError, TypeError) as error:
            raise InputCorrupt(
                f"{place} holds no stain normaliser ({error}). Fit it again and write "
                "it with to_json."
            ) from error

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> StainNormaliser:
        """Build it from what :meth:`to_dict` returned."""
        made = cls(told["method"], n_tiles=told["n_tiles"], mpp=told["mpp"])
        shapes = {"dyes": (3, 2), "most": (2,), "mean": (3,), "sd": (3,)}
        keys = ("dyes", "most") if made.method == "macenko" else ("mean", "sd")
        for key in keys if told["state"] else ():
            values = np.asarray(told["state"][key], np.float64)
            if values.shape != shapes[key] or not np.isfinite(values).all():
                raise InvalidInput(
                    f"{key} has the shape {values.shape}, or is not finite"
                )
            made.state_[key] = values.tolist()
        made.n_fitted_ = int(told["n_fitted"])
        return made


def _spread(colours: Pixels, most: int = _PER_SOURCE) -> Pixels:
    """Return at most so many pixels, evenly spread: no draw, so nothing to seed."""
    if len(colours) <= most:
        return colours
    return colours[np.arange(most) * len(colours) // most]


def _checked(picture: Any, what: str) -> Pixels:
    if (
        not isinstance(picture, np.ndarray)
        or picture.dtype != np.uint8
        or picture.ndim != 3
        or picture.shape[2] != 3
    ):
        shape = getattr(picture, "shape", None)
        raise InvalidInput(
            f"{what} is {type(picture).__name__} of shape {shape}; expected uint8 of "
            "shape (height, width, 3): red, green and blue."
        )
    return picture
