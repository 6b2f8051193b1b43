"""The c-index of several models side by side, each with its interval."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from sarcfeat.plots.forest import forest

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["c_index_forest"]


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

    See Also
    --------
    forest : Any other metric.

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
    return forest(
        table, value="c_index", reference=0.5, within=(0, 1), ax=ax, xlabel=xlabel
    )
