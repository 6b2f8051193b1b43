"""Consensus clustering: who is together, how many groups, and how they split."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sarcfeat._validation import listed
from sarcfeat.exceptions import InvalidInput
from sarcfeat.plots.canvas import COLOURS, GREY, TEXT, quiet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["consensus"]

_NEEDED = ("consensus_", "table_", "labels_", "k_")


def _cdf(matrix: np.ndarray, grid: np.ndarray) -> np.ndarray:
    pairs = np.sort(matrix[np.tril_indices(len(matrix), -1)])
    return np.searchsorted(pairs, grid + 1e-9, side="right") / len(pairs)


def _draw_heatmap(ax: Axes, fitted: Any) -> None:
    """Draw the consensus of the patients, those of one group side by side."""
    inside = fitted.item_consensus_[np.arange(len(fitted.labels_)), fitted.labels_]
    order = np.lexsort((-np.nan_to_num(inside), fitted.labels_))
    matrix = fitted.consensus_[fitted.k_][np.ix_(order, order)]
    image = ax.imshow(matrix, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    ends = np.cumsum(np.bincount(fitted.labels_))
    starts = np.r_[0, ends[:-1]]
    for start, end in zip(starts, ends, strict=True):
        ax.plot(
            np.array([start, end, end, start, start]) - 0.5,
            np.array([start, start, end, end, start]) - 0.5,
            color=COLOURS[1],
            lw=1.2,
        )
    ticks = (starts + ends - 1) / 2
    names = [
        f"group {i}\n(n = {size})" for i, size in enumerate(np.bincount(fitted.labels_))
    ]
    ax.set_yticks(ticks, names)
    ax.set_xticks([])
    ax.set_xlabel("Patients")
    ax.set_title(f"Consensus of pairs, K = {fitted.k_}", loc="left")
    ax.figure.colorbar(image, ax=ax, shrink=0.8, label="Share of joint draws together")


def _draw_cdf(ax: Axes, fitted: Any) -> None:
    """Draw the distribution of the consensus for each k."""
    grid = np.linspace(0, 1, 201)
    for i, (k, matrix) in enumerate(fitted.consensus_.items()):
        chosen = k == fitted.k_
        ax.step(
            grid,
            _cdf(matrix, grid),
            where="post",
            color=COLOURS[i % len(COLOURS)],
            lw=2.4 if chosen else 1.2,
            label=f"K = {k}" + (" (chosen)" if chosen else ""),
        )
    ax.axvspan(0.1, 0.9, color=GREY, alpha=0.08, lw=0)
    ax.set_xlabel("Consensus (ambiguous where shaded)")
    ax.set_ylabel("Share of pairs")
    ax.set_ylim(0, 1.02)
    ax.legend(frameon=False, fontsize=TEXT - 1, loc="lower right")


def _draw_gain(ax: Axes, fitted: Any) -> None:
    """Draw the relative gain in area, and the share of ambiguous pairs, over k."""
    table = fitted.table_
    ax.plot(table["k"], table["delta_area"], "o-", color=COLOURS[0], label="Δ area")
    ax.plot(table["k"], table["pac"], "s--", color=COLOURS[1], label="PAC")
    ax.axvline(fitted.k_, color=GREY, lw=1, ls=":")
    ax.set_xticks(table["k"])
    ax.set_xlabel("Number of groups K")
    ax.set_ylabel("Relative gain in area; PAC")
    ax.legend(frameon=False, fontsize=TEXT - 1, loc="upper right")


def _draw_tracking(ax: Axes, fitted: Any) -> None:
    """Draw the groups of each patient for every k, one row a k."""
    from matplotlib.colors import ListedColormap

    rows = np.stack([fitted.labels_by_k_[k] for k in fitted.consensus_])
    order = np.lexsort(rows[::-1])
    most = int(rows.max()) + 1
    colours = [COLOURS[i % len(COLOURS)] for i in range(most)]
    ax.imshow(
        rows[:, order],
        aspect="auto",
        interpolation="nearest",
        cmap=ListedColormap(colours),
        vmin=-0.5,
        vmax=most - 0.5,
    )
    ax.set_yticks(range(len(rows)), [str(k) for k in fitted.consensus_])
    ax.set_xticks([])
    ax.set_xlabel("Patients")
    ax.set_ylabel("Number of groups K")


def consensus(clustering: Any, *, ax: Any = None) -> np.ndarray:
    """Draw a fitted consensus clustering in four panels.

    Parameters
    ----------
    clustering : ConsensusClustering
        Fitted.
    ax : sequence of four Axes, optional
        A new figure where not given.

    Returns
    -------
    ndarray of four Axes
        The consensus of the patients as a heatmap; the distribution of the consensus
        for each K; the gain in area and the share of ambiguous pairs; the group of each
        patient for each K.

    Raises
    ------
    InvalidInput
        The clustering is not fitted, or had no feature.

    References
    ----------
    The figures of R's ``ConsensusClusterPlus``.

    Examples
    --------
    >>> from sarcfeat.plots import close
    >>> from sarcfeat.transform import ConsensusClustering
    >>> X = np.random.default_rng(0).normal(size=(20, 6))
    >>> fitted = ConsensusClustering(2, n_resamples=20, random_state=0).fit(X)
    >>> heatmap, *_ = consensus(fitted)
    >>> heatmap.get_title(loc="left")
    'Consensus of pairs, K = 2'
    >>> close(heatmap)
    """
    missing = [name for name in _NEEDED if not hasattr(clustering, name)]
    if missing:
        raise InvalidInput(
            f"consensus draws a fitted ConsensusClustering; this "
            f"{type(clustering).__name__} lacks {listed(missing)}. Fit it first."
        )
    if not clustering.consensus_:
        raise InvalidInput(
            "This ConsensusClustering had no feature to cluster by: there is no "
            "consensus to draw."
        )
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(2, 2, figsize=(11, 8.6), layout="constrained")
    axes = np.asarray(ax, dtype=object).ravel()
    panels = (_draw_heatmap, _draw_cdf, _draw_gain, _draw_tracking)
    for axis, draw in zip(axes, panels, strict=True):
        draw(axis, clustering)
        quiet(axis)
    return axes
