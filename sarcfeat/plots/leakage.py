"""What leakage adds to a c-index."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sarcfeat._validation import listed
from sarcfeat.exceptions import InvalidInput
from sarcfeat.plots.c_index_forest import c_index_forest
from sarcfeat.plots.canvas import COLOURS, GREY, TEXT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["leakage"]


def leakage(audit: Any, *, ax: Axes | None = None) -> Axes:
    """Draw a chain's c-index in-fold and with its steps fitted on the whole cohort.

    Parameters
    ----------
    audit : LeakageAudit
        From ``evaluate.leakage_audit``.
    ax : Axes, optional
        A new figure where not given.

    Returns
    -------
    Axes
        Two intervals, and the optimism between them as an arrow with its interval.

    Raises
    ------
    InvalidInput
        Not the result of an audit.

    Examples
    --------
    >>> import pandas as pd
    >>> from types import SimpleNamespace
    >>> from sarcfeat.plots import close
    >>> table = pd.DataFrame({"model": ["in-fold", "whole cohort", "optimism"],
    ...                       "c_index": [0.52, 0.71, 0.19],
    ...                       "ci_low": [0.44, 0.64, 0.1],
    ...                       "ci_high": [0.6, 0.78, 0.27]})
    >>> ax = leakage(SimpleNamespace(table=table, outside=("combat", "mrmr")))
    >>> ax.get_title(loc="left")
    'Optimism +0.19 (+0.10 to +0.27)'
    >>> close(ax)
    """
    table = getattr(audit, "table", None)
    if table is None or not hasattr(audit, "outside") or len(table) != 3:
        raise InvalidInput(
            f"leakage draws the result of evaluate.leakage_audit; got "
            f"{type(audit).__name__}."
        )
    gap = table.iloc[2]
    shown = table.iloc[:2].assign(
        model=["all steps\nin the fold", "steps fitted on\nthe whole cohort"]
    )
    ax = c_index_forest(shown, ax=ax)
    low, high = shown["c_index"]
    ax.annotate(
        "",
        xy=(high, 0.5),
        xytext=(low, 0.5),
        arrowprops={"arrowstyle": "->", "color": COLOURS[1], "lw": 1.8},
    )
    ax.set_title(
        f"Optimism {gap['c_index']:+.2f} ({gap['ci_low']:+.2f} to "
        f"{gap['ci_high']:+.2f})",
        loc="left",
        color=COLOURS[1],
        fontsize=TEXT + 1,
    )
    ax.set_xlabel(
        f"c-index (95 % CI)\nfitted on everybody: {listed(audit.outside)}",
        color=GREY,
    )
    return ax
