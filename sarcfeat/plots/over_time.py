"""Metrics over time, each model a line with its band: the AUC, and Brier's score."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from sarcfeat.exceptions import InvalidInput
from sarcfeat.metrics import Brier, TimeDependentAUC
from sarcfeat.plots.canvas import (
    GREY,
    TEXT,
    colours,
    named,
    new_axes,
    quiet,
    time_axis,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["brier_curve", "time_dependent_auc"]


def _lines(
    ax: Axes, results: Mapping[str, Any], field: str, reference: str | None = None
) -> None:
    """Draw each result over its times; where its metric is unknown the line ends."""
    paints = iter(colours(len(results)))
    for name, one in results.items():
        values = np.asarray(getattr(one, field), dtype=float)
        known = np.isfinite(values)
        time, values = np.asarray(one.times)[known], values[known]
        if name == reference:
            ax.plot(time, values, color=GREY, lw=1.5, ls="--", label=name)
            continue
        colour = next(paints)
        single = "o" if len(time) < 2 else ""
        ax.plot(time, values, color=colour, lw=1.8, marker=single, label=name)
        low, high = (np.asarray(v)[known] for v in (one.ci_low, one.ci_high))
        ax.fill_between(time, low, high, color=colour, alpha=0.15, lw=0)


def _finish(
    ax: Axes, results: Mapping[str, Any], time_unit: str, ylabel: str, loc: str
) -> Axes:
    until = max(float(np.max(one.times)) for one in results.values())
    ticks, texts, xlabel = time_axis(until, time_unit)
    ax.set_xticks(ticks, texts)
    ax.set(xlim=(0, until), xlabel=xlabel, ylabel=ylabel)
    ax.legend(loc=loc, frameon=False, fontsize=TEXT)
    quiet(ax)
    return ax


def _checked(results: Any, kind: type, function: str) -> dict[str, Any]:
    found = named(results, "model")
    wrong = [n for n, one in found.items() if not isinstance(one, kind)]
    if wrong or not found:
        first = type(found[wrong[0]]).__name__ if wrong else "nothing"
        raise InvalidInput(
            f"plots.{function} draws what metrics gives as {kind.__name__}, by name of "
            f"the model; got {first}{f' for {wrong[0]!r}' if wrong else ''}."
        )
    return found


def time_dependent_auc(
    results: Any,
    *,
    ax: Axes | None = None,
    time_unit: str = "days",
    ylabel: str = "AUC (95 % CI)",
) -> Axes:
    """Draw the area under the ROC curve over time, each model with its band.

    Parameters
    ----------
    results : TimeDependentAUC, or dict of name to TimeDependentAUC
        From :func:`~sarcfeat.metrics.time_dependent_auc` at several times.
    ax : Axes, optional
        Where to draw; a new figure where not given.
    time_unit : str
    ylabel : str

    Returns
    -------
    Axes

    Raises
    ------
    InvalidInput
        A result of another kind.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sarcfeat import metrics
    >>> event, time = [1, 1, 0, 1, 0], [1.0, 2.0, 3.0, 4.0, 5.0]
    >>> found = metrics.time_dependent_auc(event, time, [5, 4, 2, 3, 1], [2.5, 4.5])
    >>> ax = time_dependent_auc({"clinical": found}, time_unit="years")
    >>> ax.get_xlabel()
    'Time (years)'
    >>> plt.close(ax.figure)
    """
    found = _checked(results, TimeDependentAUC, "time_dependent_auc")
    ax = new_axes((6.4, 4.2)) if ax is None else ax
    ax.axhline(0.5, color=GREY, lw=1, ls=":", zorder=0)
    _lines(ax, found, "auc")
    lowest = min(float(np.nanmin(one.ci_low)) for one in found.values())
    ax.set_ylim(min(0.4, max(0.0, lowest - 0.12)), 1.02)
    return _finish(ax, found, time_unit, ylabel, "lower left")


def brier_curve(
    results: Any,
    *,
    reference: str | None = None,
    ax: Axes | None = None,
    time_unit: str = "days",
    ylabel: str = "Brier score (95 % CI)",
) -> Axes:
    """Draw the prediction error over time, each model with its band; low is good.

    Parameters
    ----------
    results : Brier, or dict of name to Brier
        From :func:`~sarcfeat.metrics.brier` at several times.
    reference : str, optional
        Which of them is the reference (``brier_reference``: what Kaplan–Meier alone
        would predict); drawn dashed and grey.
    ax : Axes, optional
        Where to draw; a new figure where not given.
    time_unit : str
    ylabel : str

    Returns
    -------
    Axes

    Raises
    ------
    InvalidInput
        A result of another kind, or a reference that is none of them.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sarcfeat import metrics
    >>> event, time = [1, 1, 0, 0], [1.0, 2.0, 3.0, 4.0]
    >>> found = metrics.brier(event, time, np.full((4, 2), 0.5), [1.5, 2.5])
    >>> ax = brier_curve(found, time_unit="years")
    >>> len(ax.lines)
    1
    >>> plt.close(ax.figure)
    """
    found = _checked(results, Brier, "brier_curve")
    if reference is not None and reference not in found:
        raise InvalidInput(
            f"The reference {reference!r} is none of the results: {', '.join(found)}."
        )
    ax = new_axes((6.4, 4.2)) if ax is None else ax
    _lines(ax, found, "brier", reference)
    highest = max(
        float(np.nanmax(one.brier if name == reference else one.ci_high))
        for name, one in found.items()
    )
    ax.set_ylim(0, max(0.26, 1.05 * highest))
    return _finish(ax, found, time_unit, ylabel, "lower right")
