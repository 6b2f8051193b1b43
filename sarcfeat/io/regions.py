"""Regions of a tumour on a slide: centre, periphery and what lies around it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from sarcfeat._validation import did_you_mean, listed, pick
from sarcfeat.exceptions import InvalidInput, UnknownName
from sarcfeat.io.annotation import Annotation, areas_of
from sarcfeat.io.annotation import shapely_library as _shapely
from sarcfeat.io.region_spellings import REGION_SPELLINGS, plain_name, spellings_of
from sarcfeat.io.slide_properties import check_mpp

__all__ = ["REGION_SPELLINGS", "Regions", "derive_regions", "named_regions"]

# Segments a quarter of a circle: 10 mm from a margin is 10 mm to a fifth of a micron.
ROUND = 128


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


def named_regions(
    annotations: Iterable[Annotation],
    names: Mapping[str, str | Sequence[str]] | None = None,
    *,
    ignore: Sequence[str] = (),
) -> Regions:
    """Return the regions that annotations name.

    Several annotations of one region make one. Where regions overlap, the one listed
    first in `names` has the point (by default the centre before the periphery before
    the ring).

    Parameters
    ----------
    annotations : iterable of Annotation
        As :func:`read_annotations` gives them.
    names : mapping of region to spellings, optional
        Such as ``{"C": ["centre", "core"], "P": "periphery"}``. Case, accents, spaces,
        hyphens and a number at the end do not count. By default C, P and R in six
        languages (``REGION_SPELLINGS``).
    ignore : sequence of str
        Names that mark something else, such as ``["artefact", "scale bar"]``.

    Returns
    -------
    Regions
        Every region of `names`, in that order, empty where nobody drew it.

    Raises
    ------
    UnknownName
        An annotation has a name that is none of these; all such names are listed.

    Examples
    --------
    >>> import shapely
    >>> drawn = [
    ...     Annotation("Periphery", shapely.box(0, 0, 9, 9), "freehand"),
    ...     Annotation("Centre 1", shapely.box(3, 3, 6, 6), "freehand"),
    ... ]
    >>> regions = named_regions(drawn)
    >>> regions.names, regions.label([[4, 4], [1, 1]]).tolist()
    (('C', 'P', 'R'), [1, 2])
    >>> named_regions([Annotation("Center", drawn[0].polygon, "freehand")],
    ...               {"C": "Zentrum"})
    Traceback (most recent call last):
    ...
    sarcfeat.exceptions.UnknownName: ...'Center'... Did you mean 'Zentrum'? ...
    """
    shapely = _shapely()
    spellings = spellings_of(names)
    order = list(REGION_SPELLINGS if names is None else names)
    passed = {plain_name(name) for name in ignore}
    parts: dict[str, list[Any]] = {region: [] for region in order}
    notes, unknown = [], []
    for one in annotations:
        key = plain_name(one.name)
        if key in passed:
            notes.append(f"{one.name!r} was left out, as asked")
        elif key in spellings:
            parts[spellings[key]].append(one.polygon)
            notes += [f"{one.name!r}: {note}" for note in one.notes]
        else:
            unknown.append(one.name)
    if unknown:
        _refuse_unknown(unknown, names, order)
    polygons = tuple(shapely.union_all(parts[region]) for region in order)
    return Regions(tuple(order), polygons, tuple(notes))


def _refuse_unknown(
    unknown: list[str],
    names: Mapping[str, str | Sequence[str]] | None,
    order: list[str],
) -> NoReturn:
    known: list[str] = []
    for region, told in (REGION_SPELLINGS if names is None else names).items():
        known += [region, *([told] if isinstance(told, str) else told)]
    lowered = {name.casefold(): name for name in known}
    told = sorted({repr(name) for name in unknown})
    hint = did_you_mean(unknown[0].casefold(), lowered)
    for low, name in lowered.items():
        hint = hint.replace(f"{low!r}", f"{name!r}")
    raise UnknownName(
        f"No region goes by the annotation's name {listed(told, 12)}.{hint} Regions: "
        f"{listed(order, 12)}. Say what it means with names={{region: spelling}}, or "
        "that it means nothing here with ignore=[name]."
    )


def derive_regions(
    annotations: Iterable[Annotation],
    *,
    mpp: float,
    periphery: float = 10.0,
    ring: float = 10.0,
    outline: str | None = None,
    slide_size: tuple[int, int] | None = None,
) -> Regions:
    """Return centre, periphery and surroundings of a tumour from its outline alone.

    The periphery P is what lies inside, up to `periphery` millimetres from the margin;
    the centre C is deeper; the ring R lies outside, up to `ring` millimetres away.

    Parameters
    ----------
    annotations : iterable of Annotation
        The tumour's outline; several pieces of one tumour are taken together.
    mpp : float
        Micrometres per pixel of level 0.
    periphery, ring : float
        Widths in millimetres; ``ring=0`` for no ring.
    outline : str, optional
        The name of the annotations that are the tumour, where there are others too.
    slide_size : tuple of int, optional
        Width and height of level 0; the ring ends there.

    Returns
    -------
    Regions
        C, P and R. C is empty in a tumour that is nowhere that deep.

    Raises
    ------
    InvalidInput
        No annotation, several names and no `outline`, or a width that is none.
    UnknownName
        Nothing is called `outline`.

    References
    ----------
    Michot et al. (2025): centre "deeper than 10 mm", periphery 0–10 mm.

    Examples
    --------
    >>> import shapely
    >>> tumour = Annotation("tumour", shapely.box(0, 0, 300, 300), "freehand")
    >>> regions = derive_regions([tumour], mpp=100.0)  # 30 mm a side
    >>> {name: round(area) for name, area in regions.areas(100.0).items()}
    {'C': 100, 'P': 800, 'R': 1514}
    """
    shapely = _shapely()
    pixel = check_mpp(mpp) / 1000
    for name, width in (("periphery", periphery), ("ring", ring)):
        if not (np.isfinite(width) and width >= 0) or (
            name == "periphery" and not width
        ):
            raise InvalidInput(f"{name}={width!r}; expected millimetres, such as 10.")
    chosen = _outlines(list(annotations), outline)
    tumour = shapely.union_all([one.polygon for one in chosen])
    centre = tumour.buffer(-periphery / pixel, quad_segs=ROUND)
    around = tumour.buffer(ring / pixel, quad_segs=ROUND) if ring else shapely.Polygon()
    around = shapely.difference(around, tumour)
    if slide_size is not None:
        around = shapely.intersection(around, shapely.box(0, 0, *slide_size))
    notes = [f"{one.name!r}: {note}" for one in chosen for note in one.notes]
    notes.append(
        f"derived from the outline ({len(chosen)} drawn): periphery {periphery:g} mm, "
        f"ring {ring:g} mm, {mpp:.6g} µm per pixel"
    )
    shapes = (centre, shapely.difference(tumour, centre), around)
    return Regions(
        ("C", "P", "R"), tuple(areas_of(one) for one in shapes), tuple(notes)
    )


def _outlines(annotations: list[Annotation], outline: str | None) -> list[Annotation]:
    if not annotations:
        raise InvalidInput("There is no annotation to derive regions from.")
    names = sorted({one.name for one in annotations})
    if outline is None:
        if len({plain_name(name) for name in names}) > 1:
            raise InvalidInput(
                f"The annotations are called {listed(map(repr, names))}; say which is "
                f"the tumour with outline={names[0]!r} or another of them."
            )
        return annotations
    key = plain_name(outline)
    chosen = [one for one in annotations if plain_name(one.name) == key]
    if not chosen:
        pick(outline, names, "annotation")
    return chosen
