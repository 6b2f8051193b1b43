"""How strongly each feature goes with a target or with another feature."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "concordance_with",
    "correlation_with",
    "mutual_information",
    "standardised",
]

# Columns worked on at once: a block of 512 columns of 300 patients stays in the cache.
BLOCK = 512
# Rows summed at once as bytes.
BYTES = 255


def mutual_information(r: npt.ArrayLike) -> np.ndarray:
    """Return ``-ln(1 - r^2) / 2``, the mutual information of two normal variables.

    Examples
    --------
    >>> mutual_information([0.0, 0.5, 1.0]).round(3)
    array([0.   , 0.144,   inf])
    """
    square = np.minimum(np.asarray(r, dtype=float) ** 2, 1.0)
    with np.errstate(divide="ignore"):
        return -0.5 * np.log1p(-square)


def standardised(X: np.ndarray) -> np.ndarray:
    """Return columns of mean 0 and length 1; a constant column becomes zeros.

    The product of two such columns is their Pearson correlation.
    """
    constant = X.max(axis=0) <= X.min(axis=0)
    Z = X - X.mean(axis=0)
    with np.errstate(over="ignore"):
        length = np.sqrt(np.einsum("ij,ij->j", Z, Z))
    constant |= ~np.isfinite(length) | (length == 0)
    Z /= np.where(constant, 1.0, length)
    Z[:, constant] = 0.0
    return Z


def correlation_with(X: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the Pearson correlation of each column with a target; 0 if constant."""
    return standardised(X).T @ standardised(target[:, None].astype(float))[:, 0]


def _higher_lower(
    X: np.ndarray, anchors: np.ndarray, others: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Count pairs in which the anchor's value is higher, and lower, by column."""
    higher = np.zeros(X.shape[1], dtype=np.int64)
    lower = np.zeros(X.shape[1], dtype=np.int64)
    for start in range(0, X.shape[1], BLOCK):
        block = np.ascontiguousarray(X[:, start : start + BLOCK])
        part = slice(start, start + block.shape[1])
        for anchor, rows in zip(anchors, others, strict=True):
            for first in range(0, len(rows), BYTES):
                other = block[rows[first : first + BYTES]]
                above, below = block[anchor] > other, block[anchor] < other
                higher[part] += above.view(np.uint8).sum(axis=0, dtype=np.uint8)
                lower[part] += below.view(np.uint8).sum(axis=0, dtype=np.uint8)
    return higher, lower


def concordance_with(X: np.ndarray, target: Any, *, ties: str = "half") -> np.ndarray:
    """Return ``2C - 1`` of each column with an ordered or a survival target.

    Parameters
    ----------
    X : ndarray of shape (n_patients, n_features)
    target : ndarray, or tuple (event, time)
        Ordered values: pairs of patients with different values count. Survival: pairs
        count where the earlier time is an event and the other time is later.
    ties : {"half", "mRMRe"}
        A pair with the same feature value counts one half, as in Harrell's c, so that a
        constant column has association 0; or as discordant, as R's mRMRe does, which
        makes a feature with many ties look strongly associated.

    Returns
    -------
    ndarray of shape (n_features,)
        Between -1 and 1; positive when higher values go with the higher class or the
        earlier event; 0 when no pair counts.

    Examples
    --------
    >>> X = np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]])
    >>> concordance_with(X, np.array([0, 0, 1]))
    array([1., 0.])
    """
    if isinstance(target, tuple):
        event, time = target
        anchors = np.flatnonzero(event)
        others = [np.flatnonzero(time > time[i]) for i in anchors]
    else:
        anchors = np.flatnonzero(target > target.min())
        others = [np.flatnonzero(target < target[i]) for i in anchors]
    pairs = sum(map(len, others))
    if not pairs:
        return np.zeros(X.shape[1])
    higher, lower = _higher_lower(X, anchors, others)
    if ties == "mRMRe":
        return 2 * higher / pairs - 1
    return (higher - lower) / pairs
