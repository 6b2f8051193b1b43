"""Incidence and survival by group, one column a cohort."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sarcfeat.exceptions import InvalidInput
from sarcfeat.plots.canvas import new_axes
from sarcfeat.plots.cumulative_incidence import cumulative_incidence
from sarcfeat.plots.kaplan_meier import in_order, kaplan_meier
from sarcfeat.survival import make_causes, make_y

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["cohort_curves"]

# Points between the axes and the cohort's name: the legend with its p stands there.
TITLE, LINE = 24.0, 16.0


def cohort_curves(
    outcome: pd.DataFrame,
    groups: pd.Series[Any],
    cohort: pd.Series[Any],
    *,
    time_unit: str = "days",
) -> npt.NDArray[Any]:
    """Draw how groups of patients fared in each cohort.

    Above, the cumulative incidence of the event where others compete; below,
    Kaplan–Meier with these censored.

    Parameters
    ----------
    outcome : DataFrame
        Columns ``time`` and ``event`` (0 censored, 1 the event, 2 a competing one).
    groups : Series
        Group of each patient, indexed as `outcome`; without one, left out.
    cohort : Series
        Each patient's cohort, indexed as `outcome`.
    time_unit : str

    Returns
    -------
    ndarray of Axes, shape (2, n_cohorts)

    Raises
    ------
    InvalidInput
        Nobody has a group, or the indexes differ.

    References
    ----------
    Figure 2 of Michot et al. (2025).

    Examples
    --------
    >>> outcome = pd.DataFrame({"time": [90, 200, 400, 500], "event": [1, 2, 1, 0]})
    >>> axes = cohort_curves(outcome, pd.Series(list("aabb")), pd.Series(["x"] * 4))
    >>> axes.shape, axes[0, 0].get_title()
    ((2, 1), 'x (n = 4)')
    """
    if not (groups.index.equals(outcome.index) and cohort.index.equals(outcome.index)):
        raise InvalidInput("groups and cohort must be indexed as the outcome is.")
    there = groups.notna().to_numpy()
    names = in_order(cohort[there]) if there.any() else []
    if not names:
        raise InvalidInput("Nobody has a group; there is nothing to draw.")
    axes = new_axes(
        (5.2 * len(names), 8.4), nrows=2, ncols=len(names), squeeze=False, sharey="row"
    )
    for column, name in enumerate(names):
        mine = there & (cohort == name).to_numpy()
        _column(axes[:, column], outcome[mine], groups[mine], time_unit)
        # Above the legend, which stands on the axes where there is no room within.
        pad = TITLE + LINE * groups[there].nunique()
        axes[0, column].set_title(f"{name} (n = {int(mine.sum())})", pad=pad)
    return np.asarray(axes)


def _column(
    axes: Any, outcome: pd.DataFrame, groups: pd.Series[Any], time_unit: str
) -> None:
    """Draw one cohort: incidence above, survival below."""
    above: Axes = axes[0]
    below: Axes = axes[1]
    event, time = outcome["event"].astype(int), outcome["time"].astype(float)
    if (event == 1).any():
        causes = make_causes(event, time)
        cumulative_incidence(causes, groups, ax=above, time_unit=time_unit)
    else:
        above.set_axis_off()
        above.text(0.5, 0.5, "no event", ha="center", transform=above.transAxes)
    y = make_y(event == 1, time, zero="keep")
    kaplan_meier(y, groups, ax=below, time_unit=time_unit)
