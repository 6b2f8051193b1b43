"""Differences of two models on the same patients, by the paired bootstrap.

The pairs of patients are laid out once; each resample is a row of weights, so that a
thousand resamples are a few matrix products.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from sarcfeat._validation import pick
from sarcfeat.exceptions import InvalidInput
from sarcfeat.metrics.binary import check_binary
from sarcfeat.metrics.resampling import resample_weights
from sarcfeat.survival import make_y

__all__ = [
    "BootstrapDifference",
    "bootstrap_auc_difference",
    "bootstrap_concordance_difference",
]

Floats = npt.NDArray[np.float64]

_KINDS = ("basic", "normal", "percentile")
_BLOCK = 8_000_000  # entries of a block of pairs held at once


@dataclass(frozen=True)
class BootstrapDifference:
    """Two models' values and their difference under the same resamples.

    Attributes
    ----------
    a, b, delta : float
        On the patients as they are; `delta` is the first minus the second.
    se, ci_low, ci_high : float
        Of `delta`, percentile interval.
    p : float
        Two-sided: twice the smaller share of resamples with a difference <= 0 or >= 0,
        one added above and below, at most 1.
    p_normal : float
        Two-sided, of `delta` over `se`.
    resampled_a, resampled_b : ndarray of shape (n_bootstrap,)
    """

    a: float
    b: float
    delta: float
    se: float
    ci_low: float
    ci_high: float
    p: float
    p_normal: float
    resampled_a: Floats = field(repr=False)
    resampled_b: Floats = field(repr=False)

    @property
    def resampled(self) -> Floats:
        """The resampled differences."""
        return np.asarray(self.resampled_a - self.resampled_b)

    def interval(
        self, what: str = "delta", kind: str = "percentile", level: float = 0.95
    ) -> tuple[float, float]:
        """Return an interval of ``a``, ``b`` or ``delta``.

        Parameters
        ----------
        what : {"a", "b", "delta"}
        kind : {"percentile", "basic", "normal"}
            ``normal`` is corrected for bias; all as R's ``boot::boot.ci``.
        level : float
        """
        pick(what, ("a", "b", "delta"), "value")
        pick(kind, _KINDS, "interval type")
        point = float(getattr(self, what))
        values = {
            "a": self.resampled_a,
            "b": self.resampled_b,
            "delta": self.resampled,
        }[what]
        values = values[~np.isnan(values)]
        if not len(values):
            return float("nan"), float("nan")
        if kind == "normal":
            half = float(norm.ppf((1 + level) / 2)) * float(values.std(ddof=1))
            centre = 2 * point - float(values.mean())
            return centre - half, centre + half
        shares = [(1 - level) / 2, (1 + level) / 2]
        low, high = (float(q) for q in np.quantile(values, shares))
        return (2 * point - high, 2 * point - low) if kind == "basic" else (low, high)


def bootstrap_concordance_difference(
    event: npt.ArrayLike,
    time: npt.ArrayLike,
    risk_a: npt.ArrayLike,
    risk_b: npt.ArrayLike,
    *,
    n_bootstrap: int = 1000,
    weights: npt.ArrayLike | None = None,
    level: float = 0.95,
    random_state: int | np.random.RandomState | np.random.Generator | None = None,
) -> BootstrapDifference:
    """Compare the c-indices of two risks of the same patients by the bootstrap.

    Parameters
    ----------
    event : array-like of bool or 0/1, shape (n_patients,)
    time : array-like of float, shape (n_patients,)
    risk_a, risk_b : array-like of float, shape (n_patients,)
        Higher is worse.
    n_bootstrap : int
        Resamples of patients.
    weights : array-like of shape (n_bootstrap, n_patients), optional
        The resamples themselves: how often each patient is in each.
    level : float
    random_state : int, RandomState, Generator or None

    Returns
    -------
    BootstrapDifference

    Raises
    ------
    InvalidInput
        Lengths that differ, or a risk that is NaN.

    References
    ----------
    Efron & Tibshirani, An Introduction to the Bootstrap, 1993.

    Examples
    --------
    >>> event, time = [1, 1, 1, 0], [1.0, 2.0, 3.0, 4.0]
    >>> found = bootstrap_concordance_difference(
    ...     event, time, [4, 3, 2, 1], [4, 2, 3, 1], n_bootstrap=200, random_state=0)
    >>> round(found.delta, 3), found.ci_low <= found.delta <= found.ci_high
    (0.167, True)
    """
    y = make_y(event, time, zero="keep")
    flags, times = y["event"], y["time"]
    risks = _risks((risk_a, risk_b), len(y))
    drawn = _drawn(weights, len(y), n_bootstrap, random_state)
    rows = np.flatnonzero(flags)
    agreeing, comparable = np.zeros((2, len(drawn))), np.zeros(len(drawn))
    size = max(1, _BLOCK // max(len(y), 1))
    for start in range(0, len(rows), size):
        block = rows[start : start + size]
        later = times[block, None] < times
        later |= (times[block, None] == times) & ~flags
        first = drawn[:, block]
        comparable += np.einsum("be,be->b", first, drawn @ later.T.astype(float))
        for k, risk in enumerate(risks):
            wins = np.where(later, (1 + np.sign(risk[block, None] - risk)) / 2, 0.0)
            agreeing[k] += np.einsum("be,be->b", first, drawn @ wins.T)
    return _summary(agreeing, comparable, level)


def bootstrap_auc_difference(
    y: npt.ArrayLike,
    score_a: npt.ArrayLike,
    score_b: npt.ArrayLike,
    *,
    n_bootstrap: int = 1000,
    weights: npt.ArrayLike | None = None,
    level: float = 0.95,
    random_state: int | np.random.RandomState | np.random.Generator | None = None,
) -> BootstrapDifference:
    """Compare the areas under the ROC curves of two scores by the bootstrap.

    Parameters
    ----------
    y : array-like of bool or 0/1, shape (n_patients,)
    score_a, score_b : array-like of float, shape (n_patients,)
    n_bootstrap, weights, level, random_state
        As in :func:`bootstrap_concordance_difference`.

    Returns
    -------
    BootstrapDifference
        A resample without both outcomes is NaN and left out.

    Examples
    --------
    >>> y = [0, 0, 0, 1, 1, 1]
    >>> found = bootstrap_auc_difference(y, [1, 2, 3, 4, 5, 6], [1, 5, 3, 4, 2, 6],
    ...                                  random_state=0)
    >>> round(found.delta, 3)
    0.333
    """
    flags, _ = check_binary(y, score_a)
    scores = _risks((score_a, score_b), len(flags))
    drawn = _drawn(weights, len(flags), n_bootstrap, random_state)
    ill, well = drawn[:, flags], drawn[:, ~flags]
    agreeing = []
    for score in scores:
        wins = (1 + np.sign(score[flags, None] - score[~flags])) / 2
        agreeing.append(np.einsum("be,be->b", ill, well @ wins.T))
    return _summary(np.array(agreeing), ill.sum(axis=1) * well.sum(axis=1), level)


def _risks(risks: tuple[npt.ArrayLike, npt.ArrayLike], n: int) -> list[Floats]:
    found = [np.asarray(risk, dtype=float) for risk in risks]
    for name, risk in zip("ab", found, strict=True):
        if risk.shape != (n,) or np.isnan(risk).any():
            raise InvalidInput(
                f"Model {name} has {int(np.isnan(risk).sum())} NaN among values of "
                f"shape {risk.shape}; expected {n} numbers."
            )
    return found


def _drawn(
    weights: npt.ArrayLike | None,
    n: int,
    n_bootstrap: int,
    random_state: int | np.random.RandomState | np.random.Generator | None,
) -> Floats:
    """Return the patients as they are, then the resamples."""
    if weights is None:
        resamples = resample_weights(n, n_bootstrap, random_state)
    else:
        resamples = np.atleast_2d(np.asarray(weights, dtype=float))
        if resamples.shape[1] != n or (resamples < 0).any():
            raise InvalidInput(
                f"weights has shape {resamples.shape}; expected {n} columns of counts."
            )
    return np.vstack([np.ones((1, n)), resamples])


def _summary(agreeing: Floats, total: Floats, level: float) -> BootstrapDifference:
    with np.errstate(divide="ignore", invalid="ignore"):
        values = agreeing / total
    (a, b), (resampled_a, resampled_b) = values[:, 0], values[:, 1:]
    gaps = resampled_a - resampled_b
    known = gaps[~np.isnan(gaps)]
    delta, nan = float(a - b), float("nan")
    if len(known) < 2:
        return BootstrapDifference(
            float(a), float(b), delta, nan, nan, nan, nan, nan, resampled_a, resampled_b
        )
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    se = float(known.std(ddof=1))
    tail = 1 + min(int((known <= 0).sum()), int((known >= 0).sum()))
    p = min(1.0, 2 * tail / (len(known) + 1))
    p_normal = float(2 * norm.sf(abs(delta) / se)) if se > 0 else nan
    return BootstrapDifference(
        float(a),
        float(b),
        delta,
        se,
        float(low),
        float(high),
        p,
        p_normal,
        resampled_a,
        resampled_b,
    )
