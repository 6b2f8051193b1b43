"""The c-index of several models side by side, each with its interval."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sarcfeat._validation import listed
from sarcfeat.exceptions import InvalidInput
from sarcfeat.plots.canvas import COLOURS, GREY, TEXT, new_axes, quiet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["c_index_forest"]

_COLUMNS = ("c_index", "ci_low", "ci_high")


def _names(table: pd.DataFrame) -> list[str]:
    for column in ("model", "name"):
        if column in table:
            return [str(name) for name in table[column]]
    return [str(name) for name in table.index]


def c_index_forest(
    table: pd.DataFrame, *, ax: Axes | None = None, xlabel: str = "c-index (95 % CI)"
) -> Axes:
    """Draw each model's c-index as a dot with its interval and its numbers.

    Parameters
    ----------
    table : DataFrame
        One row a model: ``model`` (or ``name``, or the index), ``c_index``,
        ``ci_low``, ``ci_high``.
    ax : Axes, optional
        Where to draw; a new figure where not given.
    xlabel : str
        Name of the axis.

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
    >>> table = pd.DataFrame(
    ...     {"model": ["clinical"], "c_index": 0.62, "ci_low": 0.5, "ci_high": 0.7}
    ... )
    >>> ax = c_index_forest(table)
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['clinical']
    >>> plt.close(ax.figure)
    """
    missing = [column for column in _COLUMNS if column not in table]
    if missing or table.empty:
        raise InvalidInput(
            f"The table needs rows with the columns {listed(_COLUMNS)}; it has "
            f"{len(table)} rows and lacks {listed(missing) or 'no column'}."
        )
    n = len(table)
    ax = new_axes((6.8, 1.3 + 0.5 * n)) if ax is None else ax
    rows = np.arange(n)
    value, low, high = (table[column].to_numpy(dtype=float) for column in _COLUMNS)
    ax.axvline(0.5, color=GREY, lw=1, ls="--", zorder=0)
    ax.hlines(rows, low, high, color=COLOURS[0], lw=2)
    ax.plot(value, rows, "o", color=COLOURS[0], ms=7)
    for row in rows:
        text = "not estimable"
        if np.isfinite(value[row]):
            text = f"{value[row]:.2f} ({low[row]:.2f}–{high[row]:.2f})"
        ax.annotate(
            text,
            (1.02, row),
            xycoords=ax.get_yaxis_transform(),
            va="center",
            fontsize=TEXT,
            annotation_clip=False,
        )
    ends = np.r_[0.5, value, low, high]
    ends = ends[np.isfinite(ends)]
    ax.set_xlim(max(0.0, ends.min() - 0.04), min(1.0, ends.max() + 0.04))
    ax.set_ylim(n - 0.5, -0.5)
    ax.set_yticks(rows, _names(table))
    ax.set_xlabel(xlabel)
    quiet(ax)
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    return ax
