"""A score in groups of patients: every patient a dot, the shape and the median."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sarcfeat.exceptions import InvalidInput
from sarcfeat.plots.canvas import GREY, TEXT, colours, new_axes, p_sentence, quiet
from sarcfeat.plots.kaplan_meier import in_order

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["score_by_group"]

_FEWEST = 5  # patients of a group that gets a shape
_WIDTH = 0.35
_LINE = 16  # characters of a group's name that stand beside its neighbour's


def _broken(name: Any) -> str:
    """Break a long name into lines, so that it does not run into the next.

    Examples
    --------
    >>> _broken("myxoid/round cell liposarcoma").split(chr(10))
    ['myxoid/round', 'cell liposarcoma']
    """
    return fill(str(name), _LINE, break_long_words=False)


def _spread_out(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return sideways places of dots: neighbours lie apart, and never by chance."""
    places = np.empty(len(values))
    # The golden ratio spaces any number of neighbours evenly, without chance.
    golden = (np.arange(len(values)) * 0.6180339887498949) % 1.0
    places[np.argsort(values, kind="stable")] = golden
    return (places - 0.5) * _WIDTH


def score_by_group(
    score: Any,
    groups: Any,
    *,
    comparison: Any = None,
    ax: Axes | None = None,
    ylabel: str = "Score",
) -> Axes:
    r"""Draw a score group by group: a violin, every patient, and the median.

    Parameters
    ----------
    score : array-like of shape (n_patients,)
        Missing values are left out.
    groups : array-like of shape (n_patients,)
        Group of each patient; a categorical keeps its own order. A patient without a
        group is left out.
    comparison : GroupComparison or GroupTest, optional
        From :func:`~sarcfeat.metrics.compare_groups` or a single test: its name and p
        stand above.
    ax : Axes, optional
        Where to draw; a new figure where not given.
    ylabel : str

    Returns
    -------
    Axes

    Raises
    ------
    InvalidInput
        Not one group a patient, or no patient with both.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> ax = score_by_group([0.1, 0.4, 0.3, 0.9], ["I", "I", "II", "II"])
    >>> [label.get_text() for label in ax.get_xticklabels()]
    ['I\n(n = 2)', 'II\n(n = 2)']
    >>> plt.close(ax.figure)
    """
    values = np.asarray(score, dtype=float)
    labels = np.asarray(groups, dtype=object)
    if values.ndim != 1 or labels.shape != values.shape:
        raise InvalidInput(
            f"score has shape {values.shape} and groups {labels.shape}; give each "
            "patient one score and one group."
        )
    lost = np.isnan(values) | np.array(
        [v is None or v != v for v in labels], dtype=bool
    )
    if lost.all():
        raise InvalidInput("No patient has both a score and a group.")
    names = in_order(
        groups if hasattr(groups, "dtype") and not lost.any() else labels[~lost]
    )
    samples = [values[~lost & (labels == name)] for name in names]
    pairs = [(name, one) for name, one in zip(names, samples, strict=True) if len(one)]
    ax = new_axes((1.6 + 1.2 * len(pairs), 4.2)) if ax is None else ax
    for place, ((_, one), colour) in enumerate(
        zip(pairs, colours(len(pairs)), strict=True)
    ):
        if len(one) >= _FEWEST and np.ptp(one) > 0:
            _violin(ax, one, place, colour)
        dots = {"color": colour, "s": 14, "alpha": 0.75, "lw": 0, "zorder": 2}
        ax.scatter(place + _spread_out(one), one, **dots)
        half = float(np.median(one))
        ax.hlines(half, place - 0.28, place + 0.28, color="black", lw=2, zorder=3)
    ax.set_xlim(-0.6, len(pairs) - 0.4)
    ax.set_xticks(
        range(len(pairs)), [f"{_broken(name)}\n(n = {len(one)})" for name, one in pairs]
    )
    ax.set_ylabel(ylabel)
    test = getattr(comparison, "test", comparison)
    if test is not None and not np.isnan(test.p):
        ax.set_title(p_sentence(test.name, test.p), color=GREY, fontsize=TEXT)
    quiet(ax)
    ax.tick_params(axis="x", length=0)
    return ax


def _violin(
    ax: Axes, values: npt.NDArray[np.float64], place: float, colour: str
) -> None:
    drawn = ax.violinplot([values], positions=[place], widths=0.8, showextrema=False)
    for body in drawn["bodies"]:  # type: ignore[attr-defined]
        body.set(facecolor=colour, alpha=0.18, linewidth=0)
