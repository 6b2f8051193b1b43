"""ROC curves: of a yes-or-no outcome, or of the event by a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from sarcfeat.exceptions import InvalidInput
from sarcfeat.metrics import ROC, TimeDependentROC
from sarcfeat.plots.canvas import GREY, TEXT, colours, named, new_axes, quiet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["roc"]


def _rates(curve: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return false and true positive rates, both rising."""
    if isinstance(curve, TimeDependentROC):
        return curve.false_positive, curve.true_positive
    if isinstance(curve, ROC):
        return (1 - curve.specificity)[::-1], curve.sensitivity[::-1]
    raise InvalidInput(
        "plots.roc draws what metrics.roc or metrics.time_dependent_roc gives; got "
        f"{type(curve).__name__}."
    )


def _area(name: str, area: Any) -> str:
    """Write a curve's name with its area, and the interval where it has one."""
    if area is None:
        return name
    value = float(np.squeeze(getattr(area, "auc", area)))
    low, high = (getattr(area, end, None) for end in ("ci_low", "ci_high"))
    if low is None or high is None:
        return f"{name}: {value:.2f}"
    ends = f"{float(np.squeeze(low)):.2f}–{float(np.squeeze(high)):.2f}"
    return f"{name}: {value:.2f} ({ends})"


def roc(
    curves: Any,
    *,
    areas: Mapping[str, Any] | Any = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw ROC curves, with the areas under them in the legend.

    Parameters
    ----------
    curves : ROC, TimeDependentROC, or dict of name to them
        From :func:`~sarcfeat.metrics.roc` or
        :func:`~sarcfeat.metrics.time_dependent_roc`; the names may be models or times.
    areas : AUC, TimeDependentAUC at one time, float, or dict of name to them, optional
        From :func:`~sarcfeat.metrics.delong` or
        :func:`~sarcfeat.metrics.time_dependent_auc`.
    ax : Axes, optional
        Where to draw; a new figure where not given.

    Returns
    -------
    Axes

    Raises
    ------
    InvalidInput
        A curve of another kind.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sarcfeat import metrics
    >>> y, p = [0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]
    >>> ax = roc({"model": metrics.roc(y, p)}, areas={"model": 0.75})
    >>> ax.get_legend().get_texts()[0].get_text()
    'model: 0.75'
    >>> plt.close(ax.figure)
    """
    found = named(curves, "model")
    known = named(areas, next(iter(found), "model")) if areas is not None else {}
    ax = new_axes((5.0, 4.8)) if ax is None else ax
    ax.plot([0, 1], [0, 1], color=GREY, lw=1, ls=":", zorder=0)
    for (name, curve), colour in zip(found.items(), colours(len(found)), strict=True):
        x, y = _rates(curve)
        ax.plot(x, y, color=colour, lw=1.8, label=_area(name, known.get(name)))
    title = "AUC (95 % CI)" if known else None
    legend: dict[str, Any] = {"loc": "lower right", "frameon": False, "fontsize": TEXT}
    ax.legend(title=title, title_fontsize=TEXT, alignment="left", **legend)
    ax.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    ax.set(xlabel="1 - specificity", ylabel="Sensitivity")
    quiet(ax)
    return ax
