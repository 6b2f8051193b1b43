"""Cumulative incidence of a cause by group, with intervals and the numbers at risk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sarcfeat.exceptions import InvalidInput
from sarcfeat.plots.at_risk import write_at_risk
from sarcfeat.plots.canvas import (
    TEXT,
    new_axes,
    p_sentence,
    quiet,
    time_axis,
)
from sarcfeat.plots.kaplan_meier import in_colours
from sarcfeat.survival import (
    CumulativeIncidence,
    gray_test,
    split_causes,
)
from sarcfeat.survival import cumulative_incidence as estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["cumulative_incidence"]


def _draw(
    ax: Axes, curve: CumulativeIncidence, k: int, until: float, colour: str, label: str
) -> None:
    """Draw the step curve of one cause and its band, up to the horizon."""
    shown = curve.time <= until
    end = min(until, float(curve.time[-1]))
    time = np.r_[0.0, curve.time[shown], end]
    height = np.r_[0.0, curve.incidence[shown, k]]
    height = np.r_[height, height[-1]]
    ax.step(time, height, where="post", color=colour, lw=1.8, label=label)
    # Before the first event there is no interval: both limits are 0.
    limits = pd.DataFrame({"low": curve.lower[:, k], "high": curve.upper[:, k]})
    limits[curve.incidence[:, k] == 0] = 0.0
    limits = limits.ffill().fillna(0.0)[shown]
    low, high = (np.r_[0.0, limits[name]] for name in ("low", "high"))
    low, high = np.r_[low, low[-1]], np.r_[high, high[-1]]
    ax.fill_between(time, low, high, step="post", color=colour, alpha=0.15, lw=0)


def _draw_other(
    ax: Axes, curve: CumulativeIncidence, cause: int, until: float, colour: str
) -> None:
    """Draw the incidence of all other causes together, thin and dashed."""
    others = [k for k, code in enumerate(curve.causes) if code != cause]
    shown = curve.time <= until
    height = curve.incidence[:, others].sum(axis=1)[shown]
    end = min(until, float(curve.time[-1]))
    time = np.r_[0.0, curve.time[shown], end]
    height = np.r_[0.0, height, height[-1] if len(height) else 0.0]
    ax.step(time, height, where="post", color=colour, lw=1, ls=(0, (4, 2)))


def cumulative_incidence(
    y: Any,
    groups: Any = None,
    *,
    cause: int = 1,
    others: bool = False,
    ax: Axes | None = None,
    horizon: float | None = None,
    p_value: float | None = None,
    at_risk: bool = True,
    time_unit: str = "days",
    ylabel: str = "Cumulative incidence",
) -> Axes:
    """Draw the share of patients with the event of a cause over time, by group.

    Parameters
    ----------
    y : structured array (event: int, time)
        From :func:`~sarcfeat.survival.make_causes`: 0 censored, else the cause.
    groups : array-like of shape (n_patients,), optional
        Group of each patient; a categorical keeps its own order.
    cause : int
        The cause that is drawn.
    others : bool
        Whether all other causes together are drawn too, thin and dashed.
    ax : Axes, optional
        Where to draw; a new figure where not given.
    horizon : float, optional
        Where the time axis ends; the longest follow-up where not given.
    p_value : float, optional
        What to print; Gray's test's where not given and there are two groups or more.
    at_risk : bool
        Whether the numbers at risk stand below the axis.
    time_unit : str
        Unit of the times; long follow-up in days is labelled in years.
    ylabel : str

    Returns
    -------
    Axes

    Raises
    ------
    InvalidInput
        Not one group for each patient.
    NoEvents
        Nobody had an event of `cause`.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sarcfeat.survival import make_causes
    >>> y = make_causes([1, 2, 0, 1], [200, 400, 500, 900])
    >>> ax = cumulative_incidence(y, ["high", "low", "low", "high"])
    >>> ax.get_ylabel()
    'Cumulative incidence'
    >>> plt.close(ax.figure)
    """
    status, time = split_causes(y, cause=cause)
    labels = (
        np.full(len(time), "all patients") if groups is None else np.asarray(groups)
    )
    if len(labels) != len(time):
        raise InvalidInput(
            f"y has {len(time)} patients and groups has {len(labels)}; give each "
            "patient one group."
        )
    ax = new_axes((6.4, 5.2)) if ax is None else ax
    until = float(time.max() if horizon is None else horizon)
    names = in_colours(labels if groups is None else groups)
    ticks, texts, xlabel = time_axis(until, time_unit)
    counts = []
    for name, colour in names.items():
        mine = labels == name
        counts.append([int((time[mine] >= tick).sum()) for tick in ticks])
        curve = estimate(status[mine], time[mine])
        events = int((status[mine] == cause).sum())
        label = f"{name} (n = {int(mine.sum())}, events = {events})"
        if cause in curve.causes:
            _draw(ax, curve, curve.causes.index(cause), until, colour, label)
        else:
            ax.plot(
                [0, min(until, time[mine].max())], [0, 0], color=colour, label=label
            )
        if others:
            _draw_other(ax, curve, cause, until, colour)
    if p_value is None and len(names) > 1:
        p_value = gray_test(status, time, labels, cause=cause).p_value
    known = p_value is not None and not np.isnan(p_value)
    title = p_sentence("Gray", float(p_value)) if known else None
    if others:
        ax.plot([], [], color="black", lw=1, ls=(0, (4, 2)), label="other causes")
    # Incidence fills the axes from below: the legend stands above them.
    legend: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0, 1.0)}
    legend |= {"frameon": False, "fontsize": TEXT, "title_fontsize": TEXT}
    ax.legend(title=title, alignment="left", **legend)
    ax.set(xlim=(0, until), ylim=(0, 1.0), xlabel=xlabel, ylabel=ylabel)
    ax.set_xticks(ticks, texts)
    if at_risk:
        shown = {str(name): colour for name, colour in names.items()}
        write_at_risk(ax, ticks, shown, counts)
    quiet(ax)
    return ax
