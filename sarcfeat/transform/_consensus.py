"""How often patients fall into one group over resamples, and what that says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from joblib import Parallel, delayed, effective_n_jobs
from threadpoolctl import threadpool_limits

from sarcfeat.transform._groupings import (
    cut_trees,
    distances,
    first_seen,
    hierarchical_groups,
    kmeans_groups,
    medoid_groups,
    tree,
)

__all__ = [
    "cluster_consensus",
    "consensus_cdf",
    "consensus_curves",
    "consensus_matrices",
    "final_groups",
    "item_consensus",
]

# Resamples drawn from one stream of random numbers: the unit of work, whatever n_jobs.
BLOCK = 250
BINS = 100
# A pair is ambiguous when it is together in more than a tenth and less than nine tenths
# of the resamples that hold both.
AMBIGUOUS = (0.1, 0.9)


def _sampled(rng: np.random.Generator, n_resamples: int, n: int, m: int) -> np.ndarray:
    """Draw m of n without replacement, many times; rows are sorted."""
    drawn = rng.random((n_resamples, n)).argpartition(m - 1, axis=1)[:, :m]
    return np.sort(drawn, axis=1)


def _groups(
    X: np.ndarray,
    distance: np.ndarray | None,
    rows: np.ndarray,
    ks: Sequence[int],
    options: Mapping,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return the groups (n_resamples, n_ks, n_sampled) of one block of resamples."""
    columns = None
    if options["n_features"] < X.shape[1]:
        columns = _sampled(rng, len(rows), X.shape[1], options["n_features"])
    if options["algorithm"] == "kmeans":
        return np.stack([kmeans_groups(X, rows, k, rng, columns) for k in ks], axis=1)
    if columns is not None:
        parts = [
            distances(part, part, options["distance"])
            for part in (X[np.ix_(*rc)] for rc in zip(rows, columns, strict=True))
        ]
    else:
        assert distance is not None
        parts = [distance.take(r, 0).take(r, 1) for r in rows]
    if options["algorithm"] == "pam":
        return medoid_groups(parts, ks)
    return hierarchical_groups(parts, ks, options["inner_linkage"])


def _count_block(
    X: np.ndarray,
    distance: np.ndarray | None,
    ks: Sequence[int],
    options: Mapping,
    block: int,
    size: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return how often each pair was together, for each k, and drawn together."""
    rng = np.random.default_rng([options["seed"], block])
    n = len(X)
    rows = _sampled(rng, size, n, options["n_sampled"])
    label = _groups(X, distance, rows, ks, options, rng)
    here = np.arange(size)[:, None]
    drawn = np.zeros((size, n), dtype=np.float32)
    drawn[here, rows] = 1.0
    together = np.empty((len(ks), n, n), dtype=np.float32)
    for j, k in enumerate(ks):
        # One row a (resample, group): the product with itself counts pairs. Whole
        # numbers below 2^24 are exact in single precision.
        member = np.zeros((size, k, n), dtype=np.float32)
        member[here, label[:, j], rows] = 1.0
        member = member.reshape(-1, n)
        together[j] = member.T @ member
    return together, drawn.T @ drawn


def _count(
    X: np.ndarray,
    distance: np.ndarray | None,
    ks: Sequence[int],
    options: Mapping,
    blocks: Sequence[tuple[int, int]],
) -> tuple[np.ndarray, np.ndarray]:
    n = len(X)
    together = np.zeros((len(ks), n, n), dtype=np.int32)
    drawn = np.zeros((n, n), dtype=np.int32)
    with threadpool_limits(limits=1):
        for block, size in blocks:
            found = _count_block(X, distance, ks, options, block, size)
            together += found[0].astype(np.int32)
            drawn += found[1].astype(np.int32)
    return together, drawn


def consensus_matrices(
    X: np.ndarray,
    ks: Sequence[int],
    *,
    n_resamples: int,
    n_sampled: int,
    n_features: int,
    algorithm: str,
    distance: str,
    inner_linkage: str,
    seed: int,
    n_jobs: int | None = None,
) -> dict[int, np.ndarray]:
    """Return, for each k, the share of joint draws in which two patients are together.

    Parameters
    ----------
    X : ndarray of shape (n_patients, n_features_in)
    ks : sequence of int
        Numbers of groups.
    n_resamples, n_sampled, n_features : int
        How many resamples, of how many patients and features.
    algorithm, distance, inner_linkage : str
        As for ``ConsensusClustering``.
    seed : int
    n_jobs : int, optional
        Joblib workers; counts are whole numbers, so the result does not depend on it.

    Returns
    -------
    dict of int to ndarray of shape (n_patients, n_patients)
        1 on the diagonal; 0 for a pair that was never drawn together, as in R.
    """
    options = {
        "n_sampled": n_sampled,
        "n_features": n_features,
        "algorithm": algorithm,
        "distance": distance,
        "inner_linkage": inner_linkage,
        "seed": seed,
    }
    sizes = [
        (i, min(BLOCK, n_resamples - start))
        for i, start in enumerate(range(0, n_resamples, BLOCK))
    ]
    full = None
    if algorithm != "kmeans" and n_features == X.shape[1]:
        full = distances(X, X, distance)
    workers = max(1, min(len(sizes), 2 * effective_n_jobs(n_jobs)))
    jobs = (
        delayed(_count)(X, full, ks, options, sizes[w::workers]) for w in range(workers)
    )
    together = np.zeros((len(ks), len(X), len(X)), dtype=np.int64)
    drawn = np.zeros((len(X), len(X)), dtype=np.int64)
    for part, both in Parallel(n_jobs=n_jobs, return_as="generator")(jobs):
        together += part
        drawn += both
    share = together / np.maximum(drawn, 1)
    for matrix in share:
        np.fill_diagonal(matrix, 1.0)
    return dict(zip(ks, share, strict=True))


def final_groups(matrix: np.ndarray, k: int, method: str) -> np.ndarray:
    """Return k groups of a consensus matrix, numbered by their first members.

    Examples
    --------
    >>> final_groups(np.array([[1, 0.9, 0], [0.9, 1, 0.1], [0, 0.1, 1]]), 2, "average")
    array([0, 0, 1])
    """
    merges = tree(1.0 - matrix, method)[None, :, :2].astype(np.intp)
    return first_seen(cut_trees(merges, [k])[0, 0])


def _pairs(matrix: np.ndarray) -> np.ndarray:
    return matrix[np.tril_indices(len(matrix), -1)]


def consensus_cdf(matrix: np.ndarray) -> np.ndarray:
    """Return the share of pairs with a consensus of at most 0.01, 0.02, … 1.

    Examples
    --------
    >>> consensus_cdf(np.eye(3))[[0, 50, 99]]
    array([1., 1., 1.])
    """
    # R's histogram takes a value a ten-millionth above a break as lying on it.
    edges = np.linspace(0, 1, BINS + 1)[1:] + 1e-7 / BINS
    bins = np.searchsorted(edges, _pairs(matrix), side="left")
    counts = np.bincount(np.minimum(bins, BINS - 1), minlength=BINS)
    return counts.cumsum() / max(1, counts.sum())


def consensus_curves(consensus: Mapping[int, np.ndarray]) -> pd.DataFrame:
    """Return ``k, area, delta_area, pac`` of consensus matrices.

    ``area`` lies under the cumulative distribution of the consensus of pairs;
    ``delta_area`` is its gain over the k before, relative to that (the area itself for
    the first k); ``pac`` is the share of ambiguous pairs.
    """
    area = np.array([consensus_cdf(m).mean() for m in consensus.values()])
    gain = area.copy()
    gain[1:] = np.diff(area) / np.maximum(area[:-1], np.finfo(float).tiny)
    low, high = AMBIGUOUS
    pac = [
        float(np.mean((_pairs(m) > low) & (_pairs(m) < high)))
        for m in consensus.values()
    ]
    return pd.DataFrame(
        {"k": list(consensus), "area": area, "delta_area": gain, "pac": pac}
    )


def item_consensus(matrix: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return each patient's mean consensus with the other members of each group.

    Returns
    -------
    ndarray of shape (n_patients, n_groups)
        NaN where a group has no other member.
    """
    member = (labels[:, None] == np.arange(labels.max() + 1)).astype(float)
    total = (matrix - np.diag(np.diag(matrix))) @ member
    others = member.sum(axis=0) - member
    return np.where(others > 0, total / np.maximum(others, 1), np.nan)


def cluster_consensus(matrix: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the mean consensus of the pairs within each group; NaN for one patient.

    Examples
    --------
    >>> matrix = np.array([[1, 0.9, 0], [0.9, 1, 0.1], [0, 0.1, 1]])
    >>> cluster_consensus(matrix, np.array([0, 0, 1]))
    array([0.9, nan])
    """
    found = np.full(labels.max() + 1, np.nan)
    for group in range(len(found)):
        inside = np.flatnonzero(labels == group)
        if len(inside) > 1:
            found[group] = _pairs(matrix[np.ix_(inside, inside)]).mean()
    return found
