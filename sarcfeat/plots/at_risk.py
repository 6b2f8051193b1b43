"""The numbers at risk under an axis of time, each below its tick."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sarcfeat.plots.canvas import COLOURS, GREY, TEXT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["write_at_risk"]

_ROW = 14  # height of a row of numbers, in points
_LEFT = 20  # from the axis to the names of the groups
_TOP = 40  # from the axis to the heading of that table


def write_at_risk(
    ax: Axes,
    ticks: Sequence[float],
    names: Sequence[str],
    counts: Sequence[Sequence[int]],
) -> None:
    """Write one row a group, in the colour of its curve.

    Each number carries the id ``at-risk:<group>:<time>``.
    """
    below: dict[str, Any] = {
        "textcoords": "offset points",
        "fontsize": TEXT,
        "va": "center",
        "annotation_clip": False,
    }
    edge = ax.transAxes
    ax.annotate(
        "At risk",
        (0, 0),
        (-_LEFT, -_TOP),
        xycoords=edge,
        ha="right",
        color=GREY,
        **below,
    )
    for row, (name, numbers) in enumerate(zip(names, counts, strict=True), start=1):
        y = -_TOP - _ROW * row
        colour = COLOURS[(row - 1) % len(COLOURS)]
        ax.annotate(
            name, (0, 0), (-_LEFT, y), xycoords=edge, ha="right", color=colour, **below
        )
        for tick, number in zip(ticks, numbers, strict=True):
            text = ax.annotate(
                str(number),
                (tick, 0),
                (0, y),
                xycoords=ax.get_xaxis_transform(),
                ha="center",
                **below,
            )
            text.set_gid(f"at-risk:{name}:{tick:g}")
