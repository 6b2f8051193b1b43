"""Estimates with their intervals, one row each: any metric of any models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sarcfeat._validation import listed
from sarcfeat.exceptions import InvalidInput
from sarcfeat.plots.canvas import COLOURS, GREY, TEXT, new_axes, quiet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["forest"]


def _names(table: pd.DataFrame) -> list[str]:
    for column in ("model", "name", "metric"):
        if column in table:
            return [str(name) for name in table[column]]
    return [str(name) for name in table.index]


def forest(
    table: pd.DataFrame,
    *,
    value: str = "value",
    low: str = "ci_low",
    high: str = "ci_high",
    reference: float | None = None,
    within: tuple[float, float] | None = None,
    digits: int = 2,
    ax: Axes | None = None,
    xlabel: str = "",
) -> Axes:
    """Draw each estimate as a dot with its interval and its numbers.

    Parameters
    ----------
    table : DataFrame
        One row an estimate: ``model`` (or ``name``, ``metric``, or the index), and the
        columns of the estimate and its limits.
    value, low, high : str
        Those columns.
    reference : float, optional
        Where a dashed line stands, always in sight: 0.5 of a c-index, 0 of a
        difference.
    within : tuple of two floats, optional
        Limits that the axis never passes, such as 0 and 1.
    digits : int
    ax : Axes, optional
        Where to draw; a new figure where not given.
    xlabel : str
        Name of the axis; the column's where not given.

    Returns
    -------
    Axes

    Raises
    ------
    InvalidInput
        A missing column, or no row.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> table = pd.DataFrame({"model": ["combined minus clinical"], "delta": [0.04],
    ...                       "ci_low": [-0.01], "ci_high": [0.09]})
    >>> ax = forest(table, value="delta", reference=0)
    >>> ax.texts[0].get_text()
    '0.04 (-0.01 to 0.09)'
    >>> plt.close(ax.figure)
    """
    columns = (value, low, high)
    missing = [column for column in columns if column not in table]
    if missing or table.empty:
        raise InvalidInput(
            f"The table needs rows with the columns {listed(columns)}; it has "
            f"{len(table)} rows and lacks {listed(missing) or 'no column'}."
        )
    n = len(table)
    ax = new_axes((6.8, 1.3 + 0.5 * n)) if ax is None else ax
    rows = np.arange(n)
    middle, left, right = (table[c].to_numpy(dtype=float) for c in columns)
    if reference is not None:
        ax.axvline(reference, color=GREY, lw=1, ls="--", zorder=0)
    ax.hlines(rows, left, right, color=COLOURS[0], lw=2)
    ax.plot(middle, rows, "o", color=COLOURS[0], ms=7)
    for row in rows:
        text = "not estimable"
        if np.isfinite(middle[row]):
            between = "–" if left[row] >= 0 else " to "
            ends = f"{left[row]:.{digits}f}{between}{right[row]:.{digits}f}"
            text = f"{middle[row]:.{digits}f} ({ends})"
        ax.annotate(
            text,
            (1.02, row),
            xycoords=ax.get_yaxis_transform(),
            va="center",
            fontsize=TEXT,
            annotation_clip=False,
        )
    _limits(ax, np.concatenate([middle, left, right]), reference, within)
    ax.set_ylim(n - 0.5, -0.5)
    ax.set_yticks(rows, _names(table))
    ax.set_xlabel(xlabel or value.replace("_", " "))
    quiet(ax)
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    return ax


def _limits(
    ax: Axes,
    ends: np.ndarray,
    reference: float | None,
    within: tuple[float, float] | None,
) -> None:
    ends = ends if reference is None else np.r_[reference, ends]
    ends = ends[np.isfinite(ends)]
    if not len(ends):
        return
    # At least the room of 0.04 on either side that a c-index gets.
    margin = 0.04 if within == (0, 1) else max(0.08 * float(np.ptp(ends)), 1e-6)
    low, high = float(ends.min()) - margin, float(ends.max()) + margin
    if within is not None:
        low, high = max(within[0], low), min(within[1], high)
    ax.set_xlim(low, high)
