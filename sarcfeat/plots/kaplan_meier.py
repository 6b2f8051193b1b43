"""Kaplan–Meier curves by group, with intervals, censoring and the numbers at risk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sarcfeat.exceptions import InvalidInput
from sarcfeat.plots.at_risk import write_at_risk
from sarcfeat.plots.canvas import (
    TEXT,
    colours,
    new_axes,
    p_sentence,
    quiet,
    time_axis,
)
from sarcfeat.survival import KaplanMeier, check_y, logrank, make_y
from sarcfeat.survival import kaplan_meier as estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["kaplan_meier"]


def _target(y: Any) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """Return event and time of a survival target, or of a pair of columns."""
    if isinstance(y, tuple):
        y = make_y(*y, zero="keep")
    return check_y(y)


def in_order(groups: Any) -> list[Any]:
    """Return the groups in their own order: categories, or as sorted."""
    if isinstance(getattr(groups, "dtype", None), pd.CategoricalDtype):
        categorical = pd.Categorical(groups)
        return [c for c in categorical.categories if (categorical == c).any()]
    return sorted(pd.unique(np.asarray(groups)).tolist())


def in_colours(groups: Any) -> dict[Any, str]:
    """Return the groups in their own order, each with its colour.

    A category keeps its colour where another has no patient: high is not drawn in the
    colour of low in a cohort in which all are high.
    """
    names = in_order(groups)
    if not isinstance(getattr(groups, "dtype", None), pd.CategoricalDtype):
        return dict(zip(names, colours(len(names)), strict=True))
    every = list(pd.Categorical(groups).categories)
    shades = dict(zip(every, colours(len(every)), strict=True))
    return {name: shades[name] for name in names}


def _band(
    curve: KaplanMeier, shown: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the limits at 0, at the times shown, and at the end of the curve.

    At survival 1 there is no interval: both limits are 1. At survival 0 there is
    none either: the band before it goes on to that time.
    """
    limits = pd.DataFrame({"lower": curve.lower, "upper": curve.upper})
    limits[curve.survival == 1] = 1.0
    limits = limits.ffill()[shown]
    lower, upper = (np.r_[1.0, limits[name]] for name in ("lower", "upper"))
    return np.r_[lower, lower[-1]], np.r_[upper, upper[-1]]


def _draw_curve(
    ax: Axes, curve: KaplanMeier, until: float, colour: str, label: str
) -> None:
    """Draw one step curve, its band and its censoring marks, up to the horizon."""
    shown = curve.time <= until
    end = min(until, float(curve.time[-1]))
    time = np.r_[0.0, curve.time[shown], end]
    survival = np.r_[1.0, curve.survival[shown]]
    survival = np.r_[survival, survival[-1]]
    ax.step(time, survival, where="post", color=colour, lw=1.8, label=label)
    lower, upper = _band(curve, shown)
    ax.fill_between(time, lower, upper, step="post", color=colour, alpha=0.15, lw=0)
    leaving = curve.n_risk - np.r_[curve.n_risk[1:], 0]
    censored = shown & (leaving > curve.n_event)
    marks = {"linestyle": "", "marker": "|", "ms": 7, "mew": 1.2, "color": colour}
    ax.plot(curve.time[censored], curve.survival[censored], **marks)


def kaplan_meier(
    y: Any,
    groups: Any,
    *,
    ax: Axes | None = None,
    horizon: float | None = None,
    p_value: float | None = None,
    at_risk: bool = True,
    time_unit: str = "days",
    ylabel: str = "Event-free survival",
) -> Axes:
    """Draw the share of patients free of the event over time, group by group.

    Parameters
    ----------
    y : structured array (event, time), or tuple (event, time)
        The survival target.
    groups : array-like of shape (n_patients,)
        Group of each patient, such as low and high risk by the median; a categorical
        keeps its own order.
    ax : Axes, optional
        Where to draw; a new figure where not given.
    horizon : float, optional
        Where the time axis ends, in `time_unit`; the longest follow-up where not
        given.
    p_value : float, optional
        What to print; the log-rank test's where not given and there are two groups or
        more. A p-value of groups cut at a chosen threshold is not the log-rank's.
    at_risk : bool
        Whether the numbers at risk stand below the axis.
    time_unit : str
        Unit of the times; long follow-up in days is labelled in years.
    ylabel : str
        What the curves show.

    Returns
    -------
    Axes

    Raises
    ------
    InvalidInput
        Not one group for each patient.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> y = make_y([1, 0, 1, 1], [200, 400, 500, 900])
    >>> ax = kaplan_meier(y, ["high", "low", "high", "low"])
    >>> ax.get_xlabel()
    'Time (years)'
    >>> plt.close(ax.figure)
    """
    event, time = _target(y)
    if len(np.asarray(groups)) != len(time):
        raise InvalidInput(
            f"y has {len(time)} patients and groups has {len(np.asarray(groups))}; "
            "give each patient one group."
        )
    ax = new_axes((6.4, 4.8)) if ax is None else ax
    until = float(time.max() if horizon is None else horizon)
    labels = np.asarray(groups)
    names = in_colours(groups)
    ticks, texts, xlabel = time_axis(until, time_unit)
    counts = []
    for name, colour in names.items():
        mine = labels == name
        curve = estimate(event[mine], time[mine])
        events = int(event[mine].sum())
        label = f"{name} (n = {int(mine.sum())}, events = {events})"
        _draw_curve(ax, curve, until, colour, label)
        counts.append([int(number) for number in curve.n_risk_at(ticks)])
    if p_value is None and len(names) > 1:
        p_value = logrank(event, time, labels).p_value
    title = (
        None
        if p_value is None or np.isnan(p_value)
        else p_sentence("Log-rank", p_value)
    )
    legend = {"loc": "best", "frameon": False, "fontsize": TEXT}
    ax.legend(title=title, title_fontsize=TEXT, alignment="left", **legend)
    ax.set(xlim=(0, until), ylim=(0, 1.02), xlabel=xlabel, ylabel=ylabel)
    ax.set_xticks(ticks, texts)
    if at_risk:
        shown = {str(name): colour for name, colour in names.items()}
        write_at_risk(ax, ticks, shown, counts)
    quiet(ax)
    return ax
