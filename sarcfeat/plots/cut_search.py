"""How well each cut of a score parts survival, and the one that was taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from sarcfeat._validation import pick
from sarcfeat.exceptions import InvalidInput
from sarcfeat.plots.canvas import COLOURS, GREY, TEXT, new_axes, p_sentence, quiet
from sarcfeat.survival import MaximallySelected

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["cut_search"]


def _search(found: Any, feature: str | None) -> tuple[pd.DataFrame, float, float, str]:
    """Return the cuts tried, the best cut, its p-value and the feature's name."""
    if isinstance(found, MaximallySelected):
        return found.search, found.cut, found.p_value, feature or "score"
    table = getattr(found, "table_", None)
    if not isinstance(table, pd.DataFrame) or not hasattr(found, "search_"):
        raise InvalidInput(
            "plots.cut_search draws a fitted OptimalCut, or what "
            f"survival.maximally_selected_logrank gives; got {type(found).__name__}."
        )
    names = [str(name) for name in table["feature"]]
    if not names:
        raise InvalidInput("OptimalCut found no cut: there is nothing to draw.")
    name = pick(feature, names, "feature with a cut") if feature else names[0]
    row = table.set_index("feature").loc[name]
    search = found.search_[found.search_["feature"] == name]
    return search, float(row["cut"]), float(row["p"]), name


def cut_search(
    found: Any,
    feature: str | None = None,
    *,
    ax: Axes | None = None,
    xlabel: str = "",
) -> Axes:
    """Draw the standardised difference in survival over the cuts that were tried.

    Parameters
    ----------
    found : OptimalCut or MaximallySelected
        A fitted :class:`~sarcfeat.transform.OptimalCut`, or the result of
        :func:`~sarcfeat.survival.maximally_selected_logrank`.
    feature : str, optional
        Which column of an ``OptimalCut``; the first where not given.
    ax : Axes, optional
        Where to draw; a new figure where not given.
    xlabel : str
        Name of the axis; the feature's where not given.

    Returns
    -------
    Axes

    Raises
    ------
    InvalidInput
        Something else, or no cut.
    UnknownName
        A feature without a cut.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import numpy as np
    >>> from sarcfeat.survival import maximally_selected_logrank
    >>> size = np.arange(20.0)
    >>> time = np.where(size < 12, 30.0, 5.0) + size / 100
    >>> ax = cut_search(maximally_selected_logrank(np.ones(20), time, size))
    >>> float(ax.lines[1].get_xdata()[0])
    11.5
    >>> plt.close(ax.figure)
    """
    search, cut, p, name = _search(found, feature)
    ax = new_axes((6.2, 3.8)) if ax is None else ax
    ordered = search.sort_values("cut")
    x, y = ordered["cut"], ordered["statistic"]
    ax.plot(x, y, color=COLOURS[0], lw=1.4, marker="o", ms=3)
    ax.axvline(cut, color=COLOURS[1], lw=1.4, ls="--")
    top = float(y.max())
    ax.plot([cut], [top], "o", color=COLOURS[1], ms=7)
    right = cut > (float(x.min()) + float(x.max())) / 2
    ax.annotate(
        f"cut {cut:.4g}\n{p_sentence('corrected', p)}",
        (cut, 1.22 * top),
        (-8 if right else 8, 0),
        textcoords="offset points",
        ha="right" if right else "left",
        va="top",
        fontsize=TEXT,
        color=GREY,
    )
    ax.set_ylim(0, 1.25 * top if top > 0 else 1)
    ax.set(xlabel=xlabel or name, ylabel="Standardised log-rank statistic")
    quiet(ax)
    return ax
