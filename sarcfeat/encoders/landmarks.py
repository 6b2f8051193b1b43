"""Landmarks of a standard grey scale, learned from training images (Nyúl)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sarcfeat._validation import missing_dependency
from sarcfeat.exceptions import InputMissing, InvalidInput
from sarcfeat.io import refuse_untrusted

__all__ = ["Landmarks", "body", "sha256_of"]

PERCENTILES = (1.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 99.0)


MOST_BODY = 99.5  # percentile; what is brighter counts as that


@dataclass(frozen=True)
class Landmarks:
    """The standard scale: a grey value for each percentile of the patient's voxels.

    Parameters
    ----------
    percentiles : sequence of float
        Rising percentiles of the voxels of the patient's body.
    values : sequence of float
        Where each lies on the standard scale.
    n_images : int
        How many images they were learned from.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> scans = [np.where(rng.random((4, 9, 9)) < 0.5, 0, gain * rng.random((4, 9, 9)))
    ...          for gain in (100, 900)]
    >>> scale = Landmarks.learn(scans)
    >>> [round(float(np.median(scale.apply(s)[body(s)])) // 10) for s in scans]
    [49, 49]
    """

    percentiles: Sequence[float]
    values: Sequence[float]
    n_images: int

    def __post_init__(self) -> None:
        p, v = np.asarray(self.percentiles, float), np.asarray(self.values, float)
        if p.shape != v.shape or p.ndim != 1 or len(p) < 2 or not np.isfinite(v).all():
            raise InvalidInput(
                f"{p.size} percentiles and {v.size} values; expected one finite value "
                "for each of at least 2 percentiles."
            )
        object.__setattr__(self, "percentiles", tuple(p.tolist()))
        object.__setattr__(self, "values", tuple(v.tolist()))
        inside = p[0] >= 0 and p[-1] <= 100
        if not inside or (np.diff(p) <= 0).any() or (np.diff(v) < 0).any():
            raise InvalidInput(
                f"percentiles {p.tolist()} and values {v.tolist()}; expected both to "
                "rise, percentiles from 0 to 100."
            )

    @classmethod
    def learn(
        cls,
        images: Iterable[npt.ArrayLike],
        *,
        percentiles: Sequence[float] = PERCENTILES,
        scale: tuple[float, float] = (0.0, 1000.0),
    ) -> Landmarks:
        """Learn the scale from training images; never from test patients.

        Parameters
        ----------
        images : iterable of array-like
            Volumes, or paths of image files; one is in memory at a time.
        percentiles : sequence of float
            Which percentiles of the body's voxels are landmarks.
        scale : (low, high)
            Where the first and the last percentile lie on the standard scale.
        """
        mapped = []
        for item in images:
            voxels = _voxels(item)
            found = np.percentile(voxels[body(voxels)], percentiles)
            if not found[-1] > found[0]:
                raise InvalidInput(
                    f"A training image has the same value {found[0]:g} at its lowest "
                    "and highest percentile; leave it out or repair it."
                )
            share = (found - found[0]) / (found[-1] - found[0])
            mapped.append(scale[0] + share * (scale[1] - scale[0]))
        if not mapped:
            raise InvalidInput("No training image was given to learn landmarks from.")
        values = np.mean(mapped, axis=0)
        return cls(tuple(map(float, percentiles)), tuple(values.tolist()), len(mapped))

    def apply(self, voxels: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return the voxels on the standard scale; beyond the ends goes on straight."""
        array = np.asarray(voxels, dtype=float)
        own = np.percentile(array[body(array)], self.percentiles)
        own, first = np.unique(own, return_index=True)
        standard = np.asarray(self.values, dtype=float)[first]
        if len(own) < 2:
            raise InvalidInput(
                f"Nyul: the image has the one value {own[0]:g}; nothing to map."
            )
        out = np.interp(array, own, standard)
        for end, beyond in ((0, array < own[0]), (-1, array > own[-1])):
            near = 1 if end == 0 else -2
            slope = (standard[end] - standard[near]) / (own[end] - own[near])
            out[beyond] = standard[end] + slope * (array[beyond] - own[end])
        return out

    def save(self, path: str | PathLike[str]) -> Path:
        """Write the landmarks as JSON; give the file to the step ``Nyul``."""
        place = Path(path)
        content = {
            "percentiles": list(map(float, self.percentiles)),
            "values": list(map(float, self.values)),
            "n_images": self.n_images,
        }
        place.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        return place

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Landmarks:
        """Read what :meth:`save` wrote."""
        place = Path(path)
        refuse_untrusted(place, "Give the JSON file that Landmarks.save wrote.")
        try:
            held = json.loads(place.read_text(encoding="utf-8"))
            return cls(held["percentiles"], held["values"], int(held["n_images"]))
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidInput(
                f"landmarks {place} do not hold rising percentiles and values "
                f"({error}). Give the file that Landmarks.save wrote."
            ) from error


def body(voxels: npt.NDArray) -> npt.NDArray[np.bool_]:
    """Return where the patient is: brighter than Otsu's threshold between two greys."""
    import SimpleITK

    array = np.asarray(voxels, dtype=float)
    # One bright vessel or metal clip would stretch the histogram's bins.
    low, high = float(array.min()), float(np.percentile(array, MOST_BODY))
    if not high > low:
        return np.ones(array.shape, dtype=bool)
    shown = SimpleITK.GetImageFromArray(np.minimum(array, high).reshape(1, -1))
    found = SimpleITK.OtsuThresholdImageFilter()
    found.SetInsideValue(0)
    found.SetOutsideValue(1)
    found.SetNumberOfThreads(1)
    found.Execute(shown)
    above = array > found.GetThreshold()
    return above if above.any() else np.ones(array.shape, dtype=bool)


def sha256_of(path: str | PathLike[str], what: str, promised: str | None = None) -> str:
    """Return the hash of a file's bytes; refuse another one than was promised."""
    place = Path(fspath(path))
    if not place.is_file():
        raise InputMissing(f"{what} {place} is not there. Correct the path.")
    found = hashlib.sha256(place.read_bytes()).hexdigest()
    if promised is not None and found != promised:
        raise InvalidInput(
            f"{what} {place} has the sha256 {found[:12]}…, but {promised[:12]}… was "
            "promised. Restore the file, or leave sha256 out to accept the new one."
        )
    return found


def _voxels(item: npt.ArrayLike | str | PathLike[str]) -> npt.NDArray[np.float64]:
    if not isinstance(item, (str, PathLike)):
        return np.asarray(item, dtype=float)
    try:
        import SimpleITK
    except ImportError as error:
        raise missing_dependency("SimpleITK", "radiomics") from error
    if not Path(item).is_file():
        raise InputMissing(f"No image file {fspath(item)}. Correct the path.")
    image = SimpleITK.ReadImage(fspath(item), SimpleITK.sitkFloat64)
    return SimpleITK.GetArrayFromImage(image)
