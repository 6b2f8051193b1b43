"""What preprocessing did to a lesion: the slice and the grey values, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sarcfeat.exceptions import InvalidInput
from sarcfeat.plots.canvas import COLOURS, GREY, TEXT, new_axes, quiet
from sarcfeat.plots.lesion_outlines import lesion_outlines

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["preprocessing"]

Stage = tuple[str, npt.ArrayLike, npt.ArrayLike]


def preprocessing(
    stages: Sequence[Stage],
    *,
    ax: Sequence[Axes] | None = None,
    spacing: Sequence[tuple[float, float]] | None = None,
    margin: float | None = 0.6,
    bins: int = 40,
) -> list[Axes]:
    """Show an image before and after preprocessing, above its lesion's grey values.

    Parameters
    ----------
    stages : sequence of (title, image, mask)
        Arrays (slice, row, column), e.g. before and after; grids may differ.
    ax : sequence of Axes, optional
        Two for each stage: the slices first, then the histograms.
    spacing : sequence of (row, column), optional
        Size of a pixel of each stage in mm.
    margin : float or None
        How much to show around the lesion, in sizes of the lesion; None shows all.
    bins : int
        Bars of the histograms.

    Returns
    -------
    list of Axes
        The slices, then the histograms.

    Raises
    ------
    InvalidInput
        No stage, or too few axes.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> image, mask = np.arange(192.0).reshape(3, 8, 8), np.zeros((3, 8, 8))
    >>> mask[1, 2:6, 2:6] = 1
    >>> stages = [("before", image, mask), ("z-score", (image - 90) / 40, mask)]
    >>> len(preprocessing(stages))
    4
    >>> plt.close("all")
    """
    n = len(stages)
    if not n or (ax is not None and len(ax) < 2 * n):
        raise InvalidInput(
            f"preprocessing needs at least one stage and two axes for each; got {n} "
            f"stages and {'no' if ax is None else len(ax)} axes."
        )
    if ax is None:
        grid = new_axes(
            (max(3.2 * n, 4.0), 5.4),
            nrows=2,
            ncols=n,
            squeeze=False,
            height_ratios=[2, 1],
        )
        ax = list(grid.ravel())
    slices, histograms = list(ax[:n]), list(ax[n : 2 * n])
    lesion_outlines(
        [(title, image, {"": mask}) for title, image, mask in stages],
        ax=slices,
        margin=margin,
        spacing=spacing,
        legend=False,
    )
    for below, (_, image, mask) in zip(histograms, stages, strict=True):
        values = np.asarray(image, dtype=float)[np.asarray(mask) > 0]
        below.hist(values, bins=bins, color=COLOURS[0])
        below.axvline(float(np.mean(values)), color=GREY, linestyle="--")
        below.set_xlabel(f"lesion: mean {np.mean(values):.4g}, SD {np.std(values):.3g}")
        below.set_yticks([])
        below.locator_params(axis="x", nbins=4)
        quiet(below)
        below.spines["left"].set_visible(False)
    histograms[0].set_ylabel("voxels", fontsize=TEXT)
    return [*slices, *histograms]
