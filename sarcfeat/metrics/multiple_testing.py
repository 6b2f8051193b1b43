"""P-values of many tests, adjusted for their number."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sarcfeat._validation import pick
from sarcfeat.exceptions import InvalidInput

__all__ = ["adjust_p"]

_METHODS = ("bh", "bonferroni", "by", "hochberg", "holm", "none")


def adjust_p(p: npt.ArrayLike, method: str = "bh") -> npt.NDArray[np.float64]:
    """Adjust p-values for the number of tests.

    Parameters
    ----------
    p : array-like of float, shape (n_tests,)
        P-values; NaN (a test that could not be done) stays NaN and is not counted.
    method : {"bh", "bonferroni", "by", "hochberg", "holm", "none"}
        ``bh`` controls the share of false discoveries (``by`` under any dependence),
        the others the chance of a single one (``hochberg`` for independent tests).

    Returns
    -------
    ndarray of shape (n_tests,)

    Raises
    ------
    InvalidInput
        A p-value outside [0, 1].

    References
    ----------
    Benjamini & Hochberg, J R Stat Soc B 1995; Benjamini & Yekutieli, Ann Stat 2001;
    Hochberg, Biometrika 1988; Holm, Scand J Stat 1979; equal to R's ``p.adjust``.

    Examples
    --------
    >>> adjust_p([0.01, 0.02, 0.03, 0.5]).round(3)
    array([0.04, 0.04, 0.04, 0.5 ])
    """
    pick(method, _METHODS, "adjustment")
    p = np.asarray(p, dtype=float)
    known = ~np.isnan(p)
    tested = p[known]
    if ((tested < 0) | (tested > 1)).any():
        raise InvalidInput(
            f"p-values lie between 0 and 1; got {tested.min():g} to {tested.max():g}."
        )
    m, order = len(tested), np.argsort(tested, kind="stable")
    rank = np.arange(1, m + 1)
    if method in ("bh", "by", "hochberg"):
        factor = m - rank + 1 if method == "hochberg" else m / rank
        if method == "by":
            factor = factor * (1 / rank).sum()
        steps = np.minimum.accumulate((tested[order] * factor)[::-1])[::-1]
    elif method == "holm":
        steps = np.maximum.accumulate(tested[order] * (m - rank + 1))
    else:
        steps = tested[order] * (m if method == "bonferroni" else 1)
    adjusted = np.full(p.shape, np.nan)
    adjusted[np.flatnonzero(known)[order]] = np.minimum(steps, 1)
    return adjusted
