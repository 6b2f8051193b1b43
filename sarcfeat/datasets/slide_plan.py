"""What a simulated slide shows and where: pieces of tissue, tumour, regions, cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sarcfeat.io import Regions
from sarcfeat.io.annotation import shapely_library

__all__ = ["Cells", "SlidePlan", "draw_cells", "plan_slide"]

Array = npt.NDArray[Any]

KINDS = ("round", "long", "two pieces", "with a lumen")
GRID = 256  # cells are drawn square by square, so that any window can be painted alone
# Nuclei in 100 × 100 µm: tissue outside, around the tumour, and in it from the least to
# the most aggressive.
PLAIN, AROUND, TUMOUR = 10.0, (12.0, 55.0), (22.0, 85.0)
DENSEST = TUMOUR[1]
VERTICES = 10
# Radii of centre and tumour in shares of the tissue's; R begins so far (µm, at most a
# share of the radius) from the tumour that its tiles do not show tumour at their edge.
CORE, WHOLE = 0.34, 0.56
GAP, GAP_SHARE = 45.0, 0.24


@dataclass(frozen=True, eq=False)
class SlidePlan:
    """One slide before it is painted.

    Parameters
    ----------
    side : int
        Pixels of level 0 along each side.
    mpp : float
        Micrometres per pixel.
    kind : str
        The shape of the tissue, one of ``KINDS``.
    tissue : shapely geometry
        All tissue; the rest is glass.
    tumour : shapely Polygon
        The outline a pathologist would draw.
    whole : shapely Polygon
        The tumour and the tissue around it; other pieces are elsewhere.
    regions : Regions
        C, P and R; R keeps clear of the tumour.
    level, around : float
        Aggressiveness of the tumour (0–1), and a number of the same kind for R that has
        nothing to do with it.
    seed : list of int
        Of everything random in it.
    """

    side: int
    mpp: float
    kind: str
    tissue: Any
    tumour: Any
    whole: Any
    regions: Regions
    level: float
    around: float
    seed: list[int]


@dataclass(frozen=True, eq=False)
class Cells:
    """Nuclei of a window: outlines (n, vertices, 2) in level-0 pixels, and darkness."""

    outlines: Array
    darkness: Array


def plan_slide(
    seed: list[int], *, side: int, mpp: float, level: float, around: float
) -> SlidePlan:
    """Lay out one slide.

    Parameters
    ----------
    seed : list of int
        Same seed, same slide.
    side : int
        Pixels along each side.
    mpp : float
        Micrometres per pixel.
    level, around : float
        See :class:`SlidePlan`.
    """
    shapely = shapely_library()
    rng = np.random.default_rng([*seed, 0])
    kind = str(rng.choice(KINDS))
    stretch = (1.0, 0.72) if kind == "long" else (1.0, 0.94)
    radius = 0.43 * side
    centre = np.full(2, side / 2)
    if kind == "two pieces":
        radius, centre = 0.38 * side, np.array([0.42, 0.56]) * side
    wave = _wave(rng)
    angle = rng.uniform(0, np.pi)

    def shape(share: float) -> Any:
        return shapely.Polygon(_blob(wave, centre, share * radius, stretch, angle))

    whole, tumour, core = shape(1.0), shape(WHOLE), shape(CORE)
    tissue = whole
    if kind == "two pieces":
        piece = _blob(
            _wave(rng), np.array([0.87, 0.14]) * side, 0.1 * side, (1, 0.8), 0
        )
        tissue = shapely.union(tissue, shapely.Polygon(piece))
    if kind == "with a lumen":
        place = centre + 0.55 * radius * np.array([np.cos(angle), np.sin(angle)])
        lumen = _blob(_wave(rng), place, 0.09 * side, (1, 0.6), angle)
        tissue = shapely.difference(tissue, shapely.Polygon(lumen))
    clear = tumour.buffer(min(GAP / mpp, GAP_SHARE * radius))
    regions = Regions(
        ("C", "P", "R"),
        (core, shapely.difference(tumour, core), shapely.difference(whole, clear)),
    )
    return SlidePlan(
        side=side,
        mpp=mpp,
        kind=kind,
        tissue=tissue,
        tumour=tumour,
        whole=whole,
        regions=regions,
        level=level,
        around=around,
        seed=[int(s) for s in seed],
    )


def _wave(rng: np.random.Generator) -> Array:
    """Draw what makes an outline other than an ellipse."""
    orders = np.arange(2, 7)
    return np.column_stack(
        [orders, rng.uniform(0.008, 0.035, 5), rng.uniform(0, 2 * np.pi, 5)]
    )


def _blob(
    wave: Array,
    centre: Array,
    radius: float,
    stretch: tuple[float, float],
    angle: float,
) -> Array:
    turn = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    order, size, phase = wave.T[:, :, None]
    out = radius * (1 + (size * np.cos(order * turn + phase)).sum(axis=0))
    x, y = out * np.cos(turn) * stretch[0], out * np.sin(turn) * stretch[1]
    cos, sin = np.cos(angle), np.sin(angle)
    return np.round(centre + np.column_stack([cos * x - sin * y, sin * x + cos * y]), 1)


def draw_cells(plan: SlidePlan, left: int, top: int, width: int, height: int) -> Cells:
    """Draw the nuclei of a window: the same ones whatever window they are seen in."""
    parts = [
        _square(plan, column, row)
        for row in range(max(top, 0) // GRID, -(-(top + height) // GRID))
        for column in range(max(left, 0) // GRID, -(-(left + width) // GRID))
    ]
    drawn = np.concatenate(parts)
    inside, whole, tumour = (
        _within(shape, drawn) for shape in (plan.tissue, plan.whole, plan.tumour)
    )
    level = np.where(tumour, plan.level, np.where(whole, plan.around, 0.0))
    span = np.where(
        tumour[:, None], TUMOUR, np.where(whole[:, None], AROUND, (PLAIN, PLAIN))
    )
    density = inside * (span[:, 0] + (span[:, 1] - span[:, 0]) * level)
    kept = drawn[:, 2] < density / DENSEST
    return _shaped(plan, drawn[kept], level[kept], tumour[kept])


def _within(shape: Any, drawn: Array) -> Array:
    shapely = shapely_library()
    shapely.prepare(shape)
    return np.asarray(shapely.contains_xy(shape, drawn[:, 0], drawn[:, 1]))


def _square(plan: SlidePlan, column: int, row: int) -> Array:
    """Draw candidates of one square: x, y, chance, and what shapes a nucleus."""
    rng = np.random.default_rng([*plan.seed, 1, column, row])
    expected = DENSEST * (GRID * plan.mpp / 100) ** 2
    drawn = rng.uniform(size=(int(rng.poisson(expected)), 8 + VERTICES))
    drawn[:, :2] = GRID * (drawn[:, :2] + [column, row])
    return drawn


def _shaped(plan: SlidePlan, drawn: Array, level: Array, tumour: Array) -> Cells:
    """Give nuclei size, form and darkness; atypia and mitoses follow the level."""
    atypia = np.where(tumour, level, 0.15)
    size, form, turn, dark, fate = drawn[:, 3:8].T
    mitosis = tumour & (fate < 0.002 + 0.05 * level)
    radius = (2.9 + 1.6 * atypia) * np.exp((0.25 + 0.7 * atypia) * (size - 0.5))
    # Spindle cells where tissue is calm, round and polygonal ones where it is not.
    ratio = 1 + (1.9 - 1.3 * atypia) * form
    long, short = radius * np.sqrt(ratio), radius / np.sqrt(ratio)
    long = np.where(mitosis, 5.0, long) / plan.mpp
    short = np.where(mitosis, 1.5, short) / plan.mpp
    # Fibres have a direction, and calm cells keep to it.
    angle = plan.seed[-1] + np.pi * (turn - 0.5) * (0.35 + 0.65 * atypia)
    around = np.linspace(0, 2 * np.pi, VERTICES, endpoint=False)
    rough = 1 + (0.08 + 0.45 * atypia)[:, None] * (drawn[:, 8:] - 0.5)
    x = long[:, None] * np.cos(around) * rough
    y = short[:, None] * np.sin(around) * rough
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    outlines = np.stack(
        [
            drawn[:, 0, None] + cos * x - sin * y,
            drawn[:, 1, None] + sin * x + cos * y,
        ],
        axis=-1,
    )
    darkness = 0.45 + 0.3 * atypia + 0.2 * (dark - 0.5) * (0.5 + atypia)
    # Inflammation around a tumour: dark nuclei too, which say nothing.
    darkness = np.where(tumour, darkness, darkness + 0.2 * level)
    return Cells(outlines, np.where(mitosis, 1.0, np.clip(darkness, 0.2, 0.95)))
