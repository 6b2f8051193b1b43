"""The nomogram as a journal prints it: a ruler of points, one axis a variable."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from sarcfeat.exceptions import InvalidInput
from sarcfeat.nomogram import Nomogram, Variable, pretty
from sarcfeat.plots.canvas import COLOURS, GREY, TEXT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["nomogram"]

_WIDTH, _EDGE, _MARGIN = 9.0, 0.18, 0.35  # of a new figure, in inches
# In points (1/72 inch):
_TICK = 9  # size of tick texts
_TICK_AT = 6  # from the line to the text of a tick
_LINE = 12  # height of a line of text
_ROOM = 12  # least room between two axes and their texts
_GAP = 4.0  # least distance between two texts
_WRAP = 26  # characters in a line of an axis's name


@dataclass(frozen=True)
class _Scale:
    """One axis: where its ticks lie on the ruler of 0 to 100, and their texts.

    A curve that turns is folded at each turn: its parts are axes under one another,
    `ends` are those of the part's line and `turn` is where it left the part above.
    """

    gid: str
    name: str
    at: tuple[float, ...]
    texts: tuple[str, ...]
    levels: bool = False
    up: bool = False
    strong: bool = False
    ends: tuple[float, ...] = ()
    turn: float | None = None


def _width(text: str, size: float = _TICK) -> float:
    """Return the width of a text in points (1/72 inch), on any backend."""
    from matplotlib.textpath import TextPath

    return float(TextPath((0, 0), text, size=size).get_extents().width)


def _number(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _scales(nomogram: Nomogram) -> list[_Scale]:
    """Return the axes from top to bottom."""
    ruler = tuple(pretty(0, 100))
    texts = tuple(_number(tick) for tick in ruler)
    scales = [_Scale("points", "Points", ruler, texts, up=True, strong=True)]
    for variable in nomogram.variables:
        scales += (
            _folded(nomogram, variable)
            if variable.turns
            else [_plain(nomogram, variable)]
        )
    total = nomogram.total_ticks()
    per_point = 100 / total[-1]
    at = tuple(tick * per_point for tick in total)
    texts = tuple(_number(tick) for tick in total)
    scales.append(_Scale("total", "Total points", at, texts, strong=True))
    for time in nomogram.times or (None,):
        axis = nomogram.probability_axis(time)
        inside = axis[axis["total_points"].between(0, total[-1])]
        scales.append(
            _Scale(
                "probability" if time is None else f"probability:{time:g}",
                _probability(nomogram, time),
                tuple(inside["total_points"] * per_point),
                tuple(_number(p) for p in inside["probability"].astype(float)),
            )
        )
    return scales


def _plain(nomogram: Nomogram, variable: Variable) -> _Scale:
    at = tuple(float(point) for point in nomogram.points_of(variable))
    values = tuple(_number(value) for value in variable.values)
    if variable.width == 0:
        at, values = (0.0,), (f"any ({values[0]}–{values[-1]})",)
    return _Scale(variable.name, variable.title, at, values, variable.discrete)


def _folded(nomogram: Nomogram, variable: Variable) -> list[_Scale]:
    """Return the parts of a curve that turns, each rising or falling only."""
    pairs = [
        (value, (effect - variable.lowest) * nomogram.points_per_lp)
        for value, effect in variable.along
    ]
    ends = [variable.values[0], *variable.turns, variable.values[-1]]
    points = dict(pairs)
    scales = []
    for k, (low, high) in enumerate(pairwise(ends)):
        ticks = [
            (value, point)
            for value, point in pairs
            if value in variable.values
            and (low < value <= high or (k == 0 and value == low))
        ]
        scales.append(
            _Scale(
                f"{variable.name}:{k + 1}" if k else variable.name,
                "" if k else variable.title,
                tuple(point for _, point in ticks),
                tuple(_number(value) for value, _ in ticks),
                up=k == 0,
                ends=(points[low], points[high]),
                turn=points[low] if k else None,
            )
        )
    return scales


def _probability(nomogram: Nomogram, time: float | None) -> str:
    if time is None:
        return f"Probability of {nomogram.event}"
    words = "Cumulative incidence" if nomogram.kind == "incidence" else "Probability"
    late = " (beyond follow-up)" if time in nomogram.late_times else ""
    return f"{words} of {nomogram.event} by {time:g} {nomogram.time_unit}{late}"


@dataclass(frozen=True)
class _Label:
    """A tick's text: `tier` 1, 2 is above the axis, -1, -2 below it."""

    at: float
    text: str
    align: str
    tier: int

    def span(self, per_point: float) -> tuple[float, float]:
        """Return where the text begins and ends, in units of the ruler."""
        width = _width(self.text) * per_point
        left = {"left": 0.0, "center": width / 2, "right": width}[self.align]
        return self.at - left, self.at - left + width


def _free(label: _Label, placed: Sequence[_Label], per_point: float) -> bool:
    low, high = label.span(per_point)
    gap = _GAP * per_point
    for other in placed:
        if other.tier == label.tier:
            left, right = other.span(per_point)
            if low < right + gap and high > left - gap:
                return False
    return True


def _within(label: _Label, bounds: tuple[float, float], per_point: float) -> _Label:
    """Return the label, written to the side where it would leave the figure."""

    def beyond(one: _Label) -> float:
        low, high = one.span(per_point)
        return max(bounds[0] - low, 0.0) + max(high - bounds[1], 0.0)

    sides = [label, replace(label, align="left"), replace(label, align="right")]
    return min(sides, key=beyond)


def _labels(
    scale: _Scale, per_point: float, bounds: tuple[float, float]
) -> list[_Label]:
    """Choose which ticks carry a text, so that no two texts touch or leave the figure.

    The ends come first; ends too close to stand side by side are written outwards.
    Numbers in between are left out where there is no room. Levels are never dropped
    lightly: they go above the axis, then to a second line, as ``rms`` alternates them.
    """
    order = [int(i) for i in np.argsort(scale.at, kind="stable")]
    side = 1 if scale.up else -1
    tiers = (-1, 1, -2, 2) if scale.levels else (side,)

    def label(i: int, align: str, tier: int) -> _Label:
        one = _Label(scale.at[i], scale.texts[i], align, tier)
        return _within(one, bounds, per_point)

    first, last = order[:1], order[-1:]
    ends = [label(i, "center", side) for i in dict.fromkeys([*first, *last])]
    if len(ends) == 2 and not _free(ends[1], ends[:1], per_point):
        ends = [label(first[0], "right", side), label(last[0], "left", side)]
    placed, rest = list(ends), order[1:-1]
    if len(ends) == 2 and not _free(ends[1], ends[:1], per_point):
        placed, rest = ends[:1], [*last, *rest]
    for i in rest:
        for tier in tiers:
            one = label(i, "center", tier)
            if _free(one, placed, per_point):
                placed.append(one)
                break
    return placed


@dataclass(frozen=True)
class _Row:
    """An axis with its texts, and the room it takes in points (1/72 inch)."""

    scale: _Scale
    labels: list[_Label]

    def room(self, side: int) -> float:
        """Return the room above (1) or below (-1) the line."""
        lines = max((side * label.tier for label in self.labels), default=0)
        words = len(textwrap.wrap(self.scale.name, _WRAP)) * _LINE / 2
        return max(_TICK_AT + _LINE * max(lines, 0), words) + _ROOM / 2


def _tick_texts(ax: Axes, row: _Row, y: float) -> None:
    """Write the texts of an axis; a text of the second line gets a leader."""
    for label in row.labels:
        sign, far = (1 if label.tier > 0 else -1), abs(label.tier) > 1
        leader = {"arrowstyle": "-", "lw": 0.6, "color": GREY, "shrinkA": 0}
        text = ax.annotate(
            label.text,
            (label.at, y),
            (0, sign * (_TICK_AT + _LINE * far)),
            textcoords="offset points",
            ha=label.align,
            va="bottom" if sign > 0 else "top",
            fontsize=_TICK,
            annotation_clip=False,
            arrowprops=leader if far else None,
            # The leaders pass behind the texts of the first line.
            bbox={"fc": "white", "ec": "none", "pad": 0.4}
            if row.scale.levels or row.scale.ends
            else None,
            zorder=3 if far else 4,
        )
        text.set_gid(f"{row.scale.gid}:tick")


def _draw(ax: Axes, row: _Row, y: float, above: float | None) -> None:
    """Draw one axis: its name, its line, its ticks and the texts that find room."""
    from matplotlib.lines import TICKDOWN, TICKUP

    scale = row.scale
    if scale.name:
        ax.text(
            0.0,
            y,
            textwrap.fill(scale.name, _WRAP),
            transform=ax.get_yaxis_transform(),
            va="center",
            fontsize=TEXT,
            fontweight="bold" if scale.strong else "normal",
        )
    colour = COLOURS[0] if scale.strong else "black"
    (line,) = ax.plot(
        sorted(scale.at),
        [y] * len(scale.at),
        color=colour,
        lw=1.2,
        marker=TICKUP if scale.up else TICKDOWN,
        ms=5,
    )
    line.set_gid(scale.gid)
    if scale.ends:
        (whole,) = ax.plot(scale.ends, [y, y], color=colour, lw=1.2)
        whole.set_gid(f"{scale.gid}:line")
    if scale.turn is not None and above is not None:
        (fold,) = ax.plot([scale.turn] * 2, [above, y], color=colour, lw=1.2, zorder=1)
        fold.set_gid(f"{scale.gid}:turn")
    if not scale.at and not scale.ends:
        text = "none of 0.05 to 0.95 is reached"
        ax.text(0, y, text, va="center", color=GREY, fontsize=_TICK)
    _tick_texts(ax, row, y)


def _name_width(scale: _Scale) -> float:
    """Return how wide the name of an axis is, in inches."""
    lines = textwrap.wrap(scale.name, _WRAP)
    return 1.12 * max((_width(line, TEXT) for line in lines), default=0.0) / 72


def _new_axes(height: float) -> Axes:
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=(_WIDTH, height + 2 * _EDGE))
    edge = (_EDGE / _WIDTH, _EDGE / (height + 2 * _EDGE))
    return figure.add_axes((*edge, 1 - 2 * edge[0], 1 - 2 * edge[1]))


def nomogram(nomogram: Nomogram, *, ax: Axes | None = None) -> Axes:
    """Draw a nomogram: read the points of each value, add them, read the probability.

    Parameters
    ----------
    nomogram : Nomogram
    ax : Axes, optional
        Where to draw, at its final size (the texts are placed for it); a new figure
        where not given.

    Returns
    -------
    Axes
        Its x axis is the ruler of 0 to 100 points; each axis of the nomogram is a
        line whose ``gid`` is ``points``, a variable's name, ``total`` or
        ``probability:<time>`` (``probability`` of a logistic model). A spline that
        rises and falls is folded where it turns, its further parts below the first.

    Raises
    ------
    InvalidInput
        A nomogram in which no variable matters: there is no axis to draw.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sarcfeat.nomogram import Variable
    >>> age = Variable.numeric("age", 0.03, low=20, high=80, unit="years")
    >>> ax = nomogram(
    ...     Nomogram(variables=[age], center=1.5, times=[730], baseline_survival=[0.7])
    ... )
    >>> [line.get_gid() for line in ax.lines]
    ['points', 'age', 'total', 'probability:730']
    >>> plt.close(ax.figure)
    """
    if not nomogram.points_per_lp:
        raise InvalidInput(
            "No variable of this nomogram changes the risk, so there is no axis to "
            "draw: every patient has the baseline probability (see predict)."
        )
    scales = _scales(nomogram)
    width = _WIDTH - 2 * _EDGE
    if ax is not None:
        width = ax.get_window_extent().width / ax.figure.dpi
    names = max(_name_width(scale) for scale in scales) + _MARGIN
    per_inch = 100 / max(width - names - _MARGIN, 1.0)
    right = 100 + _MARGIN * per_inch
    rows = []
    for scale in scales:
        left = (_name_width(scale) + _GAP / 72 - names) * per_inch
        rows.append(_Row(scale, _labels(scale, per_inch / 72, (left, right))))
    steps = [above.room(-1) + below.room(1) for above, below in pairwise(rows)]
    at = np.r_[0.0, np.cumsum(steps)] + rows[0].room(1)
    height = float(at[-1] + rows[-1].room(-1)) + (_LINE if nomogram.note else 0)
    ax = _new_axes(height / 72) if ax is None else ax
    ax.set_axis_off()
    ax.set_xlim(-names * per_inch, right)
    ax.set_ylim(height, 0)
    for row, y, above in zip(rows, at, [None, *at[:-1]], strict=True):
        _draw(ax, row, float(y), above)
    if nomogram.note:
        ax.text(
            0.0,
            height,
            nomogram.note,
            transform=ax.get_yaxis_transform(),
            va="bottom",
            color=GREY,
            fontsize=_TICK,
        )
    return ax
