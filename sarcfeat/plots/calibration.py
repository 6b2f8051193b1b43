"""Predicted against observed: groups with intervals, a smooth curve, who is where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sarcfeat._validation import listed
from sarcfeat.exceptions import InvalidInput
from sarcfeat.metrics import Calibration, SurvivalCalibration
from sarcfeat.plots.canvas import COLOURS, GREY, TEXT, new_axes, quiet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["calibration"]

_GROUPS = ("predicted", "observed", "ci_low", "ci_high")
_BINS = 40
# Text stays readable where an interval runs behind it.
_BEHIND: dict[str, Any] = {"facecolor": "white", "alpha": 0.85, "lw": 0, "pad": 2}
_HEIGHT = 0.12  # of the tallest bar of the histogram, of the axis


def _checked_curve(
    predicted: Any, result: Any
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64] | None]:
    values = np.asarray(predicted, dtype=float).reshape(-1)
    if result is None:
        return values, None
    if not isinstance(result, (Calibration, SurvivalCalibration)):
        raise InvalidInput(
            "plots.calibration draws what metrics.calibration or "
            f"metrics.survival_calibration gives; got {type(result).__name__}."
        )
    if len(result.curve) != len(values):
        raise InvalidInput(
            f"The curve is of {len(result.curve)} patients and predicted has "
            f"{len(values)}; give the predictions that the result was made of."
        )
    return values, result.curve


def _draw_groups(ax: Axes, groups: pd.DataFrame) -> None:
    missing = [name for name in _GROUPS if name not in groups]
    if missing:
        raise InvalidInput(
            f"groups lacks the columns {listed(missing)}; give it from "
            "metrics.calibration_groups."
        )
    known = groups.dropna(subset=["predicted", "observed"])
    x, y, low, high = (known[name].to_numpy(dtype=float) for name in _GROUPS)
    ax.vlines(x, low, high, color=COLOURS[1], lw=1.6, zorder=3)
    ax.plot(x, y, "o", color=COLOURS[1], ms=6, zorder=4, label="groups (95 % CI)")


def _draw_histogram(ax: Axes, values: npt.NDArray[np.float64], top: float) -> None:
    """Draw how many patients have each prediction, along the foot of the axes."""
    counts, edges = np.histogram(values, bins=_BINS, range=(0, top))
    heights = _HEIGHT * counts / max(counts.max(), 1)
    ax.bar(
        (edges[:-1] + edges[1:]) / 2,
        heights,
        width=np.diff(edges) * 0.8,
        transform=ax.get_xaxis_transform(),
        color=GREY,
        alpha=0.45,
        lw=0,
        zorder=0,
        label="patients",
    )


def _said(result: Any) -> str:
    lines = [
        f"slope {result.slope:.2f} ({result.slope_low:.2f} to {result.slope_high:.2f})"
    ]
    if isinstance(result, SurvivalCalibration):
        ends = f"{result.ratio_low:.2f} to {result.ratio_high:.2f}"
        lines.append(f"observed / expected {result.ratio:.2f} ({ends})")
    else:
        ends = f"{result.in_the_large_low:.2f} to {result.in_the_large_high:.2f}"
        lines.append(f"in the large {result.in_the_large:.2f} ({ends})")
    return "\n".join([*lines, f"ICI {result.ici:.3f}"])


def calibration(
    predicted: Any,
    result: Any = None,
    *,
    groups: pd.DataFrame | None = None,
    what: str = "survival",
    whole: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw predicted against observed probabilities, with who is predicted what.

    Parameters
    ----------
    predicted : array-like of shape (n_patients,)
        The predictions that `result` was made of; their histogram is at the foot.
    result : SurvivalCalibration or Calibration, optional
        From :func:`~sarcfeat.metrics.survival_calibration` or
        :func:`~sarcfeat.metrics.calibration`: the smooth curve and its numbers.
    groups : DataFrame, optional
        From :func:`~sarcfeat.metrics.calibration_groups` or
        ``calibration_groups_competing``: the dots and their intervals.
    what : str
        What is predicted, for the names of the axes: ``"3-year survival"``.
    whole : bool
        Whether the axes run from 0 to 1; else to the largest value drawn, for risks
        that are all small.
    ax : Axes, optional
        Where to draw; a new figure where not given.

    Returns
    -------
    Axes

    Raises
    ------
    InvalidInput
        A result of another kind or of other patients; groups without their columns.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sarcfeat import metrics
    >>> rng = np.random.default_rng(0)
    >>> p = rng.uniform(0.1, 0.9, 200)
    >>> found = metrics.calibration(rng.uniform(size=200) < p, p)
    >>> ax = calibration(p, found, what="response")
    >>> ax.get_xlabel()
    'Predicted response'
    >>> plt.close(ax.figure)
    """
    values, curve = _checked_curve(predicted, result)
    ax = new_axes((5.2, 5.0)) if ax is None else ax
    tops = [values]
    ax.plot([0, 1], [0, 1], color=GREY, lw=1, ls=":", zorder=0, label="ideal")
    if curve is not None:
        order = np.argsort(values)
        x, y = values[order], curve[order]
        ax.plot(x, y, color=COLOURS[0], lw=1.8, label="smooth", zorder=2)
        tops.append(curve)
        # In the corner that a good curve never enters.
        place = {"transform": ax.transAxes, "ha": "left", "va": "top", "fontsize": TEXT}
        ax.text(0.03, 0.98, _said(result), bbox=_BEHIND, zorder=5, **place)
    if groups is not None:
        _draw_groups(ax, groups)
        tops.append(groups[["observed", "ci_high"]].to_numpy(dtype=float).ravel())
    top = 1.0 if whole else min(1.0, 1.05 * float(np.nanmax(np.concatenate(tops))))
    _draw_histogram(ax, values, top)
    ax.set(xlim=(0, top), ylim=(0, top), aspect="equal")
    ax.set(xlabel=f"Predicted {what}", ylabel=f"Observed {what}")
    legend: dict[str, Any] = {"framealpha": 0.85, "edgecolor": "none"}
    legend |= {"loc": "lower right", "bbox_to_anchor": (1.0, _HEIGHT)}
    ax.legend(fontsize=TEXT, **legend).set_zorder(5)
    quiet(ax)
    return ax
