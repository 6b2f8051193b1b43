"""How a cut, fixed beforehand, sorts patients: with Wilson's intervals."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import norm

from sarcfeat.exceptions import InvalidInput
from sarcfeat.metrics.binary import check_binary

__all__ = ["diagnostic_accuracy", "wilson"]


def wilson(k: float, n: float, *, level: float = 0.95) -> tuple[float, float]:
    """Return Wilson's interval of the share k of n; NaN where n is 0.

    References
    ----------
    Wilson, JASA 1927; as R's ``binom::binom.wilson``.

    Examples
    --------
    >>> low, high = wilson(8, 10)
    >>> round(low, 4), round(high, 4)
    (0.4902, 0.9433)
    """
    if not 0 <= k <= n:
        raise InvalidInput(f"Expected 0 <= k <= n; got k = {k:g} of n = {n:g}.")
    if n == 0:
        return float("nan"), float("nan")
    z = float(norm.ppf((1 + level) / 2))
    share, shrink = k / n, z * z / n
    centre = (share + shrink / 2) / (1 + shrink)
    half = z * np.sqrt(share * (1 - share) / n + shrink / n / 4) / (1 + shrink)
    low = 0.0 if k == 0 else float(centre - half)
    return low, 1.0 if k == n else float(centre + half)


def diagnostic_accuracy(
    y: npt.ArrayLike, score: npt.ArrayLike, threshold: float, *, level: float = 0.95
) -> pd.DataFrame:
    """Say how well a cut sorts patients with and without the outcome.

    Parameters
    ----------
    y : array-like of bool or 0/1, shape (n_patients,)
    score : array-like of float, shape (n_patients,)
    threshold : float
        Called positive at or above it. Learn it on the training patients (as
        ``roc(...).youden()`` does): a cut chosen on these very patients flatters.
    level : float
        Coverage of Wilson's interval.

    Returns
    -------
    DataFrame
        Rows ``accuracy``, ``sensitivity``, ``specificity``, ``ppv``, ``npv``; columns
        ``value``, ``ci_low``, ``ci_high``, ``k`` (the right ones), ``n`` (out of). A
        share of nobody is NaN.

    References
    ----------
    Altman & Bland, BMJ 1994; Wilson, JASA 1927.

    Examples
    --------
    >>> table = diagnostic_accuracy([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.8], 0.5)
    >>> table["value"].to_dict()["sensitivity"]
    0.5
    """
    flags, scores = check_binary(y, score, both=False)
    if not np.isfinite(threshold):
        raise InvalidInput(f"The threshold must be a finite number; got {threshold}.")
    called = scores >= threshold
    hits, spared = int((called & flags).sum()), int((~called & ~flags).sum())
    counts = {
        "accuracy": (hits + spared, len(flags)),
        "sensitivity": (hits, int(flags.sum())),
        "specificity": (spared, int((~flags).sum())),
        "ppv": (hits, int(called.sum())),
        "npv": (spared, int((~called).sum())),
    }
    rows = {}
    for name, (k, n) in counts.items():
        low, high = wilson(k, n, level=level)
        value = k / n if n else float("nan")
        rows[name] = {"value": value, "ci_low": low, "ci_high": high, "k": k, "n": n}
    return pd.DataFrame.from_dict(rows, orient="index")
