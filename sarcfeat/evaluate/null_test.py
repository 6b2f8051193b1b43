"""The guard against leakage: with a shuffled outcome nothing can be predicted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state

from sarcfeat.evaluate.nested import nested_cv
from sarcfeat.evaluate.progress import progress_bar
from sarcfeat.survival import check_y

__all__ = ["NullTest", "null_test"]


@dataclass(frozen=True)
class NullTest:
    """Cross-validated c-indices under shuffled outcomes.

    Attributes
    ----------
    c_indices : tuple of float
        One a permutation.
    """

    c_indices: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean over the permutations; 0.5 where nothing leaks."""
        return float(np.mean(self.c_indices))

    @property
    def standard_error(self) -> float:
        """Standard error of that mean."""
        return float(np.std(self.c_indices, ddof=1) / np.sqrt(len(self.c_indices)))

    @property
    def passed(self) -> bool:
        """Whether the mean lies within three standard errors of 0.5."""
        return abs(self.mean - 0.5) <= 3 * self.standard_error

    def __str__(self) -> str:
        return (
            f"null test {'passed' if self.passed else 'FAILED'}: mean c-index "
            f"{self.mean:.3f} over {len(self.c_indices)} shuffled outcomes "
            f"(standard error {self.standard_error:.4f}; 0.5 expected)"
        )


def null_test(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    outside: Any = None,
    n_permutations: int = 20,
    n_splits: int = 5,
    n_repeats: int = 1,
    random_state: Any = None,
    n_jobs: int | None = None,
    progress: bool = True,
) -> NullTest:
    """Shuffle the outcome, cross-validate the whole chain, and expect 0.5.

    Parameters
    ----------
    estimator : survival estimator or Pipeline
        The whole chain, tuning included.
    X : DataFrame or array
    y : structured array (event, time)
    outside : transformer or Pipeline, optional
        Fitted on **all** patients with the shuffled outcome *before* the folds are
        drawn: the leaky twin of a chain, to see what the test catches.
    n_permutations, n_splits, n_repeats : int
    random_state : int, RandomState or None
    n_jobs : int, optional
    progress : bool

    Returns
    -------
    NullTest

    References
    ----------
    Ambroise C, McLachlan GJ. Selection bias in gene extraction on the basis of
    microarray gene-expression data. PNAS 2002; 99: 6562-6566.

    Examples
    --------
    >>> import numpy as np
    >>> from sarcfeat import CoxPH, make_y
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 2))
    >>> y = make_y(rng.random(60) < 0.8, rng.exponential(np.exp(-X[:, 0])))
    >>> null_test(CoxPH(), X, y, n_permutations=10, n_splits=3, random_state=0,
    ...           progress=False).passed
    True
    """
    check_y(y, n=len(X))
    rng = check_random_state(random_state)
    found = []
    with progress_bar("null test", n_permutations, progress) as advance:
        for _ in range(n_permutations):
            shuffled = y[rng.permutation(len(y))]
            seed = int(rng.randint(2**31 - 1))
            features = X
            if outside is not None:
                features = clone(outside).fit_transform(X, shuffled)
            result = nested_cv(
                {"null": estimator},
                features,
                shuffled,
                n_splits=n_splits,
                n_repeats=n_repeats,
                random_state=seed,
                n_jobs=n_jobs,
                progress=False,
            )
            found.append(result.concordance("null", n_bootstrap=0).c_index)
            advance()
    return NullTest(tuple(found))
