"""Groups of resampled patients, for many resamples and several numbers of groups."""

from __future__ import annotations

from collections.abc import Sequence

import kmedoids
import numpy as np
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import cdist, squareform
from scipy.stats import rankdata

__all__ = [
    "cut_trees",
    "distances",
    "first_seen",
    "hierarchical_groups",
    "kmeans_groups",
    "medoid_groups",
    "tree",
]

# Passes of k-means over the patients, R's own limit; almost all end before.
SWEEPS = 10


def _unit_rows(X: np.ndarray) -> np.ndarray:
    """Return rows of mean 0 and length 1; a constant row becomes zeros."""
    Z = X - X.mean(axis=1, keepdims=True)
    length = np.sqrt(np.einsum("ij,ij->i", Z, Z))
    flat = (X.max(axis=1) <= X.min(axis=1)) | (length == 0)
    Z /= np.where(flat, 1.0, length)[:, None]
    Z[flat] = 0.0
    return Z


def distances(X: np.ndarray, other: np.ndarray, metric: str) -> np.ndarray:
    """Return the distance of each row of X to each row of `other`.

    ``pearson`` and ``spearman`` are 1 minus the correlation, between 0 and 2; a
    constant row has correlation 0 with every other.

    Examples
    --------
    >>> X = np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])
    >>> distances(X, X, "pearson").round(12)
    array([[0., 2.],
           [2., 0.]])
    """
    if metric == "euclidean":
        return cdist(X, other)
    if metric == "spearman":
        X, other = rankdata(X, axis=1), rankdata(other, axis=1)
    return 1.0 - np.clip(_unit_rows(X) @ _unit_rows(other).T, -1.0, 1.0)


def tree(distance: np.ndarray, method: str) -> np.ndarray:
    """Return the merges of agglomerative clustering (SciPy's linkage matrix)."""
    return linkage(squareform(distance, checks=False), method)


def cut_trees(merges: np.ndarray, ks: Sequence[int]) -> np.ndarray:
    """Cut many trees over the same number of leaves into several numbers of groups.

    Parameters
    ----------
    merges : ndarray of int, shape (n_trees, n_leaves - 1, 2)
        The nodes joined at each step, lowest first; leaves are 0 … n_leaves - 1.
    ks : sequence of int
        Numbers of groups, each at most n_leaves.

    Returns
    -------
    ndarray of int8, shape (n_trees, n_ks, n_leaves)
        A tree is cut by undoing its last k - 1 merges, so that there are exactly k
        groups whatever heights are tied, as with R's ``cutree``.

    Examples
    --------
    >>> cut_trees(np.array([[[0, 1], [2, 3]]]), [2, 3])[0].tolist()
    [[1, 1, 0], [1, 2, 0]]
    """
    n_trees, steps, _ = merges.shape
    every, top = np.arange(n_trees), 2 * steps
    group = np.zeros((n_trees, top + 1, len(ks)), dtype=np.int8)
    ks = np.asarray(ks)
    for step in range(steps - 1, -1, -1):
        parent = group[:, steps + 1 + step]
        group[every, merges[:, step, 0]] = parent
        undone = steps - step
        group[every, merges[:, step, 1]] = np.where(undone < ks, undone, parent)
    return group[:, : steps + 1].transpose(0, 2, 1)


def first_seen(labels: np.ndarray) -> np.ndarray:
    """Return labels numbered 0, 1, … in the order in which first members come.

    Examples
    --------
    >>> first_seen(np.array([2, 2, 0, 1, 0]))
    array([0, 0, 1, 2, 1])
    """
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]


def hierarchical_groups(
    parts: Sequence[np.ndarray], ks: Sequence[int], method: str
) -> np.ndarray:
    """Return the groups of each resample, one tree cut at every k.

    Parameters
    ----------
    parts : sequence of ndarray of shape (n_sampled, n_sampled)
        Distances between the patients of each resample.
    """
    merges = np.stack([tree(part, method)[:, :2] for part in parts])
    return cut_trees(merges.astype(np.intp), ks)


def medoid_groups(parts: Sequence[np.ndarray], ks: Sequence[int]) -> np.ndarray:
    """Return the groups of each resample around medoids: PAM from its BUILD start."""
    found = np.empty((len(parts), len(ks), len(parts[0])), dtype=np.int8)
    for i, part in enumerate(parts):
        for j, k in enumerate(ks):
            result = kmedoids.fastpam1(part, int(k), max_iter=100, init="build")
            found[i, j] = np.asarray(result.labels)
    return found


def kmeans_groups(
    X: np.ndarray,
    rows: np.ndarray,
    k: int,
    rng: np.random.Generator,
    columns: np.ndarray | None = None,
) -> np.ndarray:
    """Return the k-means groups of many resamples at once.

    Lloyd's steps from k random patients, then single patients move to where the sum
    of squares falls most until none moves, as Hartigan and Wong do.

    Parameters
    ----------
    X : ndarray of shape (n_patients, n_features)
    rows : ndarray of int, shape (n_resamples, n_sampled)
    k : int
    rng : Generator
        Draws the first centres.
    columns : ndarray of int, shape (n_resamples, n_features_drawn), optional
        The features of each resample; all where not given.

    Returns
    -------
    ndarray of int8, shape (n_resamples, n_sampled)
    """
    n_resamples, m = rows.shape
    # A feature that was not drawn is 0 in every centre and every patient.
    use = np.ones((n_resamples, X.shape[1]))
    if columns is not None:
        use[:] = 0.0
        np.put_along_axis(use, columns, 1.0, axis=1)
    start = rng.random((n_resamples, m)).argsort(axis=1)[:, :k]
    centre = X[np.take_along_axis(rows, start, axis=1)] * use[:, None]
    label = np.full((n_resamples, m), -1)
    for _ in range(SWEEPS):
        new = _nearest(X, rows, centre)
        if np.array_equal(new, label):
            break
        label = new
        centre, size = _centres(X, rows, label, centre)
        centre = centre * use[:, None]
    _transfer(X, rows, label, centre, size, use)
    return label.astype(np.int8)


def _nearest(X: np.ndarray, rows: np.ndarray, centre: np.ndarray) -> np.ndarray:
    product = np.einsum("np,bkp->bnk", X, centre, optimize=True)
    far = np.einsum("bkp,bkp->bk", centre, centre)[:, None] - 2 * product
    far = np.take_along_axis(far, rows[:, :, None], axis=1)
    return far.argmin(axis=2)


def _centres(
    X: np.ndarray, rows: np.ndarray, label: np.ndarray, old: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and size of each group; an empty group keeps its old centre."""
    n_resamples, k = old.shape[:2]
    member = np.zeros((n_resamples, k, len(X)))
    every = np.arange(n_resamples)[:, None]
    member[every, label, rows] = 1.0
    size = member.sum(axis=2)
    total = member.reshape(-1, len(X)) @ X
    mean = total.reshape(old.shape) / np.maximum(size, 1.0)[:, :, None]
    return np.where(size[:, :, None] > 0, mean, old), size


def _transfer(
    X: np.ndarray,
    rows: np.ndarray,
    label: np.ndarray,
    centre: np.ndarray,
    size: np.ndarray,
    use: np.ndarray,
) -> None:
    """Move single patients while that lowers the sum of squares; changes `label`."""
    every = np.arange(len(rows))
    for _ in range(SWEEPS):
        moved = False
        for i in range(rows.shape[1]):
            point, now = X[rows[:, i]] * use, label[:, i]
            gap = point[:, None] - centre
            cost = np.einsum("bkp,bkp->bk", gap, gap)
            cost *= size / (size + 1)
            own = size[every, now]
            stay = cost[every, now] * (own + 1) / np.maximum(own - 1, 1e-300)
            cost[every, now] = np.where(own > 1, stay, 0.0)
            best = cost.argmin(axis=1)
            move = np.flatnonzero(cost[every, best] < cost[every, now] * (1 - 1e-12))
            if not len(move):
                continue
            moved = True
            a, b, x = now[move].copy(), best[move], point[move]
            size_a, size_b = size[move, a][:, None], size[move, b][:, None]
            centre[move, a] += (centre[move, a] - x) / (size_a - 1)
            centre[move, b] += (x - centre[move, b]) / (size_b + 1)
            size[move, a] -= 1
            size[move, b] += 1
            label[move, i] = b
        if not moved:
            return
