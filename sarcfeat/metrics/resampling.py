"""Resamples of patients as rows of weights: the bootstrap without copies."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["resample_weights"]


def resample_weights(
    n: int,
    n_bootstrap: int,
    random_state: int | np.random.RandomState | np.random.Generator | None = None,
) -> npt.NDArray[np.float64]:
    """Draw, for each resample, how often each patient is in it.

    Parameters
    ----------
    n : int
        Number of patients.
    n_bootstrap : int
        Number of resamples.
    random_state : int, RandomState, Generator or None

    Returns
    -------
    ndarray of shape (n_bootstrap, n)
        Each row sums to `n`.

    References
    ----------
    Efron & Tibshirani, An Introduction to the Bootstrap, 1993.

    Examples
    --------
    >>> resample_weights(5, 2, 0).sum(axis=1)
    array([5., 5.])
    """
    if isinstance(random_state, np.random.RandomState):
        random_state = np.random.default_rng(random_state.randint(2**31))
    rng = np.random.default_rng(random_state)
    if not n:
        return np.zeros((n_bootstrap, 0))
    drawn = rng.multinomial(n, np.full(n, 1 / n), size=n_bootstrap)
    return np.asarray(drawn, dtype=float)
