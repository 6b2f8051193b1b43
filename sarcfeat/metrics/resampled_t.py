"""Did one model beat another across folds: a t-test that knows folds overlap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

from sarcfeat.exceptions import InvalidInput

__all__ = ["ResampledT", "corrected_resampled_t"]


@dataclass(frozen=True)
class ResampledT:
    """Result of the corrected resampled t-test.

    Attributes
    ----------
    mean, se, ci_low, ci_high : float
        Mean difference over the folds and its corrected error.
    statistic, df, p : float
        NaN where the differences do not vary.
    n : int
        Folds with a known difference.
    """

    mean: float
    se: float
    ci_low: float
    ci_high: float
    statistic: float
    df: float
    p: float
    n: int


def corrected_resampled_t(
    differences: npt.ArrayLike,
    n_train: float,
    n_test: float,
    *,
    level: float = 0.95,
) -> ResampledT:
    """Test whether the mean difference of two models over folds is 0.

    Training sets of different folds share patients, so a plain t-test is far too sure.
    The variance of the mean is taken as (1 / k + n_test / n_train) times that of the k
    differences.

    Parameters
    ----------
    differences : array-like of float
        One value a fold and repeat, first model minus second; NaN is left out.
    n_train, n_test : float
        Patients a fold is trained on and tested on (their means, where they vary).
    level : float
        Coverage of the interval.

    Returns
    -------
    ResampledT

    Raises
    ------
    InvalidInput
        Fewer than two known differences, or a size that is not above 0.

    References
    ----------
    Nadeau & Bengio, Mach Learn 2003; Bouckaert & Frank 2004.

    Examples
    --------
    >>> test = corrected_resampled_t([0.02, 0.05, 0.03, 0.04, 0.01], 80, 20)
    >>> round(test.mean, 3), round(test.p, 3)
    (0.03, 0.047)
    """
    values = np.asarray(differences, dtype=float).ravel()
    values = values[~np.isnan(values)]
    k = len(values)
    if k < 2 or not (n_train > 0 and n_test > 0):
        raise InvalidInput(
            f"Expected at least 2 known differences and sizes above 0; got {k} and the "
            f"sizes {n_train:g} (training) and {n_test:g} (test)."
        )
    mean = float(values.mean())
    se = float(np.sqrt((1 / k + n_test / n_train) * values.var(ddof=1)))
    df = float(k - 1)
    half = float(student.ppf((1 + level) / 2, df)) * se
    statistic = mean / se if se > 0 else float("nan")
    p = float(2 * student.sf(abs(statistic), df))
    return ResampledT(mean, se, mean - half, mean + half, statistic, df, p, k)
