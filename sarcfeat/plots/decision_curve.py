"""Net benefit over the thresholds of treatment, against treating all and none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sarcfeat._validation import listed
from sarcfeat.exceptions import InvalidInput
from sarcfeat.plots.canvas import GREY, TEXT, colours, new_axes, quiet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["decision_curve"]

_COLUMNS = ("model", "threshold", "net_benefit")
_STRATEGIES = {"all": ("treat all", "--"), "none": ("treat none", "-")}


def decision_curve(
    table: pd.DataFrame,
    *,
    ax: Axes | None = None,
    xlim: tuple[float, float] | None = None,
    xlabel: str = "Threshold probability",
) -> Axes:
    """Draw the net benefit of each model, with its band where it has been resampled.

    Parameters
    ----------
    table : DataFrame
        From :func:`~sarcfeat.metrics.decision_curve`, ``decision_curve_survival`` or
        ``decision_curve_competing``.
    ax : Axes, optional
        Where to draw; a new figure where not given.
    xlim : tuple of two floats, optional
        The thresholds that are shown; all where not given. Choose those at which a
        patient might be treated.
    xlabel : str

    Returns
    -------
    Axes

    Raises
    ------
    InvalidInput
        A missing column, or no model.

    References
    ----------
    Vickers & Elkin, Med Decis Making 2006.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sarcfeat import metrics
    >>> p = [0.1, 0.4, 0.3, 0.9]
    >>> ax = decision_curve(metrics.decision_curve([0, 0, 1, 1], {"nomogram": p}))
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['treat all', 'treat none', 'nomogram']
    >>> plt.close(ax.figure)
    """
    missing = [name for name in _COLUMNS if name not in table]
    if missing or table.empty:
        raise InvalidInput(
            f"The table needs rows with the columns {listed(_COLUMNS)}; it has "
            f"{len(table)} rows and lacks {listed(missing) or 'no column'}."
        )
    ax = new_axes((6.4, 4.6)) if ax is None else ax
    shown = table
    if xlim is not None:
        shown = table[table["threshold"].between(*xlim)]
    names = [str(n) for n in pd.unique(shown["model"]) if n not in _STRATEGIES]
    paints = dict(zip(names, colours(len(names)), strict=True))
    for name, part in shown.groupby("model", sort=False):
        part = part.sort_values("threshold")
        at, benefit = part["threshold"].to_numpy(), part["net_benefit"].to_numpy()
        if name in _STRATEGIES:
            said, style = _STRATEGIES[str(name)]
            ax.plot(at, benefit, color=GREY, lw=1.2, ls=style, label=said, zorder=1)
            continue
        ax.plot(at, benefit, color=paints[str(name)], lw=1.8, label=str(name))
        if {"ci_low", "ci_high"} <= set(part) and part["ci_low"].notna().any():
            low, high = part["ci_low"].to_numpy(), part["ci_high"].to_numpy()
            ax.fill_between(at, low, high, color=paints[str(name)], alpha=0.15, lw=0)
    # Treating all falls without end; what matters lies around 0 and above.
    top = float(np.nanmax(shown["net_benefit"]))
    ax.set_ylim(-0.25 * top if top > 0 else -0.05, 1.08 * top if top > 0 else 0.05)
    low, high = float(shown["threshold"].min()), float(shown["threshold"].max())
    ax.set_xlim(*(xlim or ((low, high) if high > low else (0, 1))))
    ax.set(xlabel=xlabel, ylabel="Net benefit")
    ax.legend(loc="upper right", frameon=False, fontsize=TEXT)
    quiet(ax)
    return ax
