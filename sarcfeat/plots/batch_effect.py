"""What a harmonisation took away: patients by batch, and how far features differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.stats import f as f_distribution

from sarcfeat._validation import listed, pick
from sarcfeat.exceptions import InvalidInput
from sarcfeat.plots.canvas import COLOURS, GREY, TEXT, new_axes, quiet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["batch_effect"]

_SMALLEST = 1e-3  # an F below is drawn there: the axis is logarithmic


def f_by_batch(X: np.ndarray, batch: np.ndarray) -> np.ndarray:
    """Return the F statistic of each feature between batches; NaN where none varies.

    Missing values are left out.

    Examples
    --------
    >>> X = np.array([[0.0, 1.0], [2.0, 1.0], [4.0, 1.0], [6.0, 1.0]])
    >>> f_by_batch(X, np.array(["a", "a", "b", "b"]))
    array([ 8., nan])
    """
    there = ~np.isnan(X)
    filled = np.where(there, X, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        grand = filled.sum(axis=0) / there.sum(axis=0)
        between, groups = np.zeros(X.shape[1]), np.zeros(X.shape[1])
        within = np.zeros(X.shape[1])
        for label in pd.unique(batch):
            rows = batch == label
            n = there[rows].sum(axis=0)
            mean = np.where(n > 0, filled[rows].sum(axis=0) / n, 0.0)
            between += np.where(n > 0, n * (mean - grand) ** 2, 0.0)
            within += (np.where(there[rows], X[rows] - mean, 0.0) ** 2).sum(axis=0)
            groups += n > 0
        df1, df2 = groups - 1, there.sum(axis=0) - groups
        found = (between / df1) / (within / df2)
    flat = within <= 1e-24 * np.nanmax(np.abs(X), axis=0, initial=0.0) ** 2
    return np.where(flat | (df1 < 1) | (df2 < 1), np.nan, found)


def _axes_of_most_variance(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first two principal components and the share of variance of each."""
    mean, spread = np.nanmean(X, axis=0), np.nanstd(X, axis=0)
    kept = np.isfinite(mean) & (spread > 1e-12 * (1 + np.abs(mean)))
    Z = (X[:, kept] - mean[kept]) / spread[kept]
    Z = np.where(np.isnan(Z), 0.0, Z)
    if min(Z.shape) < 2:
        raise InvalidInput(
            f"A figure of the batch effect needs two patients and two features that "
            f"vary; got {Z.shape[0]} and {Z.shape[1]}."
        )
    left, size, _ = np.linalg.svd(Z, full_matrices=False)
    share = size**2 / (size**2).sum()
    points = left[:, :2] * size[:2]
    sign = np.sign(points[np.abs(points).argmax(axis=0), [0, 1]])
    return points * np.where(sign == 0, 1.0, sign), share[:2]


def _scatter(ax: Axes, X: np.ndarray, batch: np.ndarray, title: str) -> None:
    points, share = _axes_of_most_variance(X)
    for k, label in enumerate(sorted(pd.unique(batch), key=str)):
        rows = batch == label
        colour = COLOURS[k % len(COLOURS)]
        ax.scatter(*points[rows].T, s=16, color=colour, alpha=0.75, label=str(label))
        ax.scatter(
            *points[rows].mean(axis=0),
            marker="X",
            s=110,
            color=colour,
            edgecolor="white",
            zorder=3,
        )
    ax.set_xlabel(f"PC 1 ({share[0]:.0%})")
    ax.set_ylabel(f"PC 2 ({share[1]:.0%})")
    ax.set_title(title, loc="left")


def _compare(ax: Axes, before: np.ndarray, after: np.ndarray, critical: float) -> None:
    """Draw each feature's F before and after; what fell lies below the line."""
    there = np.isfinite(before) & np.isfinite(after)
    x, y = (np.maximum(values[there], _SMALLEST) for values in (before, after))
    ax.loglog(x, y, "o", ms=3.5, color=COLOURS[0], alpha=0.6, mew=0)
    low = min(x.min(initial=1.0), y.min(initial=1.0)) / 1.5
    high = max(x.max(initial=1.0), y.max(initial=1.0)) * 1.5
    ax.plot([low, high], [low, high], color=GREY, lw=0.8)
    for draw in (ax.axvline, ax.axhline):
        draw(critical, color="black", lw=1, ls="--")
    ax.set_xlim(low, high)
    ax.set_ylim(low, high)
    ax.set_xlabel("F between batches, before")
    ax.set_ylabel("F between batches, after")
    counts = [int((values > critical).sum()) for values in (x, y)]
    ax.set_title(
        f"p < 0.05 (dashed): {counts[0]} → {counts[1]} of {there.sum()}", loc="left"
    )


def _labels(before: pd.DataFrame, batch: Any) -> np.ndarray:
    if isinstance(batch, str):
        pick(batch, before.columns, "column")
        batch = before[batch]
    if isinstance(batch, pd.Series):
        batch = batch.reindex(before.index)
    labels = np.asarray(batch, dtype=object)
    if len(labels) != len(before) or pd.isna(labels).any():
        raise InvalidInput(
            f"batch must name one batch for each of the {len(before)} patients of "
            f"`before`; got {len(labels)}, {int(pd.isna(labels).sum())} missing."
        )
    if len(pd.unique(labels)) < 2:
        raise InvalidInput(
            f"There is one batch only, {labels[0]!r}: no batch effect to draw."
        )
    return labels


def batch_effect(
    before: pd.DataFrame,
    after: pd.DataFrame,
    batch: Any = "site",
    *,
    ax: tuple[Axes, Axes, Axes] | None = None,
) -> tuple[Axes, Axes, Axes]:
    """Draw how far sites differ before and after harmonisation.

    Left and middle, the patients on the two axes of most variance, coloured by batch
    with each batch's centre; right, how far each feature differs between batches
    (analysis of variance) before against after. For the honest picture give it
    patients that ComBat was *not* fitted on: on its own patients it always looks good.

    Parameters
    ----------
    before, after : DataFrame indexed by patient
        Features, before and after; columns that both have, and numbers, are drawn.
    batch : str or array-like of shape (n_patients,)
        The column of `before` that names the batch, or the batches themselves.
    ax : tuple of three Axes, optional
        A new figure, side by side, where not given.

    Returns
    -------
    tuple of three Axes

    Raises
    ------
    InvalidInput
        Other patients after than before, fewer than two batches or features.

    References
    ----------
    Leek JT, et al. Tackling the widespread and critical impact of batch effects in
    high-throughput data. Nat Rev Genet 2010;11:733-9.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sarcfeat import ComBat
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.normal(size=(40, 3)), columns=["a", "b", "c"])
    >>> X["site"] = ["Lyon", "Nice"] * 20
    >>> X.loc[X["site"] == "Nice", ["a", "b", "c"]] += 2
    >>> axes = batch_effect(X, ComBat().fit_transform(X))
    >>> axes[2].get_title(loc="left")
    'p < 0.05 (dashed): 3 → 0 of 3'
    >>> plt.close(axes[0].figure)
    """
    labels = _labels(before, batch)
    if not before.index.equals(after.index):
        other = before.index.symmetric_difference(after.index)
        raise InvalidInput(
            "batch_effect compares the same patients in the same order; `after` has "
            f"others than `before`: {listed(other) or 'another order'}."
        )
    numbers = set(before.select_dtypes("number")) & set(after.select_dtypes("number"))
    names = [name for name in before.columns if name in numbers]
    first, second = (X[names].to_numpy(dtype=float) for X in (before, after))
    if ax is None:
        ax = tuple(new_axes((12.5, 4.2), ncols=3))
    left, middle, right = ax
    _scatter(left, first, labels, "Before")
    _scatter(middle, second, labels, "After")
    left.legend(frameon=False, fontsize=TEXT, loc="best")
    n, k = len(labels), len(pd.unique(labels))
    critical = float(f_distribution.ppf(0.95, k - 1, n - k))
    _compare(right, f_by_batch(first, labels), f_by_batch(second, labels), critical)
    for each in ax:
        quiet(each)
    return left, middle, right
