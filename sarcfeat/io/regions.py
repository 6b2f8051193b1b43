"""Regions of a tumour on a slide: centre, periphery and what lies around it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sarcfeat._validation import missing_dependency
from sarcfeat.exceptions import InvalidInput

__all__ = ["Regions"]


def _shapely() -> Any:
    try:
        import shapely
    except ImportError as error:
        raise missing_dependency("shapely", "wsi") from error
    return shapely


@dataclass(frozen=True, eq=False)
class Regions:
    """Named regions of one slide, in pixels of level 0.

    Where regions overlap, the one that is named first has the point: a periphery may be
    drawn as the whole tumour, and the centre inside it still is the centre. A border
    belongs to the region that it encloses.

    Parameters
    ----------
    names : tuple of str
        The regions in order of precedence, such as ``("C", "P", "R")``.
    polygons : tuple of shapely Polygon or MultiPolygon
        Their areas; holes are left out of a region.
    notes : tuple of str
        What was repaired or decided on the way, such as contours that were closed.

    Examples
    --------
    >>> import shapely
    >>> tumour, centre = shapely.box(0, 0, 100, 100), shapely.box(30, 30, 70, 70)
    >>> regions = Regions(("C", "P"), (centre, tumour))
    >>> regions.label([[50, 50], [10, 10], [200, 200]]).tolist()
    [1, 2, 0]
    >>> regions.areas(mpp=1000.0)
    {'C': 1600.0, 'P': 8400.0}
    """

    names: tuple[str, ...]
    polygons: tuple[Any, ...]
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        """Refuse names and areas that do not go together."""
        object.__setattr__(self, "names", tuple(str(name) for name in self.names))
        object.__setattr__(self, "polygons", tuple(self.polygons))
        object.__setattr__(self, "notes", tuple(self.notes))
        if len(self.names) != len(self.polygons):
            raise InvalidInput(
                f"{len(self.names)} names for {len(self.polygons)} regions; give one "
                "name each."
            )
        if len(set(self.names)) < len(self.names) or "" in self.names:
            raise InvalidInput(
                f"Regions are called {list(self.names)}; expected names that differ "
                "and are not empty."
            )
        if len(self.names) > 255:
            raise InvalidInput(f"{len(self.names)} regions; 255 at most.")

    def __eq__(self, other: object) -> bool:
        """Compare names and areas."""
        return isinstance(other, Regions) and self.sha256 == other.sha256

    def __hash__(self) -> int:
        return hash(self.sha256)

    def __repr__(self) -> str:
        return f"<Regions {', '.join(self.names) or 'none'}>"

    def label(self, points: npt.ArrayLike) -> npt.NDArray[np.uint8]:
        """Return the region in which each point lies.

        Parameters
        ----------
        points : array of shape (n, 2)
            x and y in pixels of level 0, such as the centres of tiles.

        Returns
        -------
        ndarray of uint8, shape (n,)
            0 = in none, k = in ``names[k - 1]``.
        """
        shapely = _shapely()
        places = np.asarray(points, dtype=np.float64)
        if places.size == 0:
            return np.zeros(0, np.uint8)
        if places.ndim != 2 or places.shape[1] != 2:
            raise InvalidInput(
                f"Points have the shape {places.shape}; expected (n, 2): x and y."
            )
        codes = np.zeros(len(places), np.uint8)
        left = np.arange(len(places))
        for code, polygon in enumerate(self.polygons, start=1):
            if not len(left) or polygon.is_empty:
                continue
            shapely.prepare(polygon)
            inside = shapely.intersects_xy(polygon, places[left, 0], places[left, 1])
            codes[left[inside]] = code
            left = left[~inside]
        return codes

    def areas(self, mpp: float) -> dict[str, float]:
        """Return the area of each region in mm², each point counted once.

        Parameters
        ----------
        mpp : float
            Micrometres per pixel of level 0.
        """
        shapely = _shapely()
        taken = shapely.Polygon()
        areas = {}
        for name, polygon in zip(self.names, self.polygons, strict=True):
            own = shapely.difference(polygon, taken)
            areas[name] = float(own.area) * (mpp / 1000) ** 2
            taken = shapely.union(taken, polygon)
        return areas

    @property
    def sha256(self) -> str:
        """Identify the regions by names, order and areas (not by the notes)."""
        told = self.to_dict()
        del told["notes"]
        text = json.dumps(told, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists and text for JSON; :meth:`from_dict` takes them back."""
        shapely = _shapely()
        return {
            "names": list(self.names),
            "polygons": [
                json.loads(shapely.to_geojson(shapely.normalize(polygon)))
                for polygon in self.polygons
            ],
            "notes": list(self.notes),
        }

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Regions:
        """Build regions from what :meth:`to_dict` gave.

        Raises
        ------
        InvalidInput
            It is something else.
        """
        shapely = _shapely()
        try:
            polygons: Sequence[Any] = [
                shapely.from_geojson(json.dumps(one)) for one in told["polygons"]
            ]
            return cls(
                tuple(told["names"]), tuple(polygons), tuple(told.get("notes", ()))
            )
        except (KeyError, TypeError, shapely.errors.ShapelyError) as error:
            raise InvalidInput(
                f"These are no regions: {error!r}; expected what Regions.to_dict gives."
            ) from error
