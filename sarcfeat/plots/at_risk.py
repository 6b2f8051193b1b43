"""The numbers at risk under an axis of time, each below its tick."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sarcfeat.plots.canvas import GREY, TEXT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["write_at_risk"]

_ROW = 14  # height of a row of numbers, in points
_LEFT = 20  # from the axis to the names of the groups
_TOP = 40  # from the axis to the heading of that table


def write_at_risk(
    ax: Axes,
    ticks: Sequence[float],
    names: Mapping[str, str],
    counts: Sequence[Sequence[int]],
) -> None:
    """Write one row a group, in the colour of its curve: `names` to colours.

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
    rows = zip(names.items(), counts, strict=True)
    for row, ((name, colour), numbers) in enumerate(rows, start=1):
        y = -_TOP - _ROW * row
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
