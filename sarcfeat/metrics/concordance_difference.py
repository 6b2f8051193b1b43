"""Do two models differ in their c-index: an analytic test on the same patients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from sarcfeat._validation import pick
from sarcfeat.exceptions import InvalidInput
from sarcfeat.metrics.concordance import concordance
from sarcfeat.survival import make_y

__all__ = ["ConcordanceDifference", "concordance_difference"]

Floats = npt.NDArray[np.float64]

_METHODS = ("jackknife", "kang")
_BLOCK = 4_000_000  # entries of a block of pairs held at once


@dataclass(frozen=True)
class ConcordanceDifference:
    """Difference of two c-indices on the same patients; first minus second.

    Attributes
    ----------
    c_a, c_b, delta : float
    se, ci_low, ci_high : float
        Of `delta`.
    z, p : float
        Two-sided; NaN where the error is 0, as for one and the same risk.
    vcov : ndarray of shape (2, 2)
        Covariance of the two indices.
    """

    c_a: float
    c_b: float
    delta: float
    se: float
    ci_low: float
    ci_high: float
    z: float
    p: float
    vcov: Floats


def concordance_difference(
    event: npt.ArrayLike,
    time: npt.ArrayLike,
    risk_a: npt.ArrayLike,
    risk_b: npt.ArrayLike,
    *,
    method: str = "jackknife",
    time_weight: str = "n",
    until: float | None = None,
    level: float = 0.95,
) -> ConcordanceDifference:
    """Test whether two risks of the same patients have one c-index.

    Parameters
    ----------
    event : array-like of bool or 0/1, shape (n_patients,)
    time : array-like of float, shape (n_patients,)
    risk_a, risk_b : array-like of float, shape (n_patients,)
        Higher is worse.
    method : {"jackknife", "kang"}
        ``jackknife``: the infinitesimal jackknife of R's ``survival::concordance``.
        ``kang``: the U-statistic variance of R's ``compareC``, for Harrell's c.
    time_weight, until
        As in :func:`concordance`, for ``jackknife``.
    level : float

    Returns
    -------
    ConcordanceDifference

    Raises
    ------
    InvalidInput
        ``kang`` with weights in time, or fewer than four patients.

    References
    ----------
    Therneau & Atkinson, vignette "Concordance" of R's survival; Kang et al., Stat Med
    2015.

    Examples
    --------
    >>> event, time = [1, 1, 1, 1, 0, 1], [1, 2, 3, 4, 5, 6]
    >>> test = concordance_difference(event, time, [6, 5, 4, 3, 2, 1],
    ...                               [6, 2, 4, 3, 5, 1])
    >>> round(test.delta, 3), round(test.p, 3)
    (0.357, 0.1)
    """
    pick(method, _METHODS, "method")
    a, b = (
        concordance(event, time, risk, time_weight=time_weight, until=until)
        for risk in (risk_a, risk_b)
    )
    if method == "kang":
        if time_weight != "n" or until is not None:
            raise InvalidInput(
                f"Kang's test is of Harrell's c; got time_weight={time_weight!r} and "
                f"until={until}. Use method='jackknife'."
            )
        vcov = _kang(event, time, risk_a, risk_b)
    else:
        influence = np.array([a.influence, b.influence])
        vcov = influence @ influence.T
    delta = a.c_index - b.c_index
    se = float(np.sqrt(max(vcov[0, 0] + vcov[1, 1] - 2 * vcov[0, 1], 0.0)))
    half = float(norm.ppf((1 + level) / 2)) * se
    z = delta / se if se > 0 else float("nan")
    p = float(2 * norm.sf(abs(z)))
    return ConcordanceDifference(
        a.c_index, b.c_index, delta, se, delta - half, delta + half, z, p, vcov
    )


def _kang(
    event: npt.ArrayLike,
    time: npt.ArrayLike,
    risk_a: npt.ArrayLike,
    risk_b: npt.ArrayLike,
) -> Floats:
    """Covariance of the two indices by Kang's U-statistics.

    c is (tau_xy / tau_xx + 1) / 2 of Kendall's tau; the covariances of the taus are
    Cliff and Charter's, from sums over each patient's pairs.
    """
    y = make_y(event, time, zero="keep")
    n = len(y)
    if n < 4:
        raise InvalidInput(f"Kang's variance needs at least 4 patients; got {n}.")
    risks = [np.asarray(risk, dtype=float) for risk in (risk_a, risk_b)]
    rows = np.zeros((3, n))  # sums over each patient's pairs: comparable, a, b
    products = np.zeros((3, 3))
    for block in _blocks(n):
        signs = _signs(y, block)
        kinds = [np.abs(signs)]
        kinds += [signs * np.sign(risk - risk[block, None]) for risk in risks]
        rows[:, block] = [kind.sum(axis=1) for kind in kinds]
        for i in range(3):
            for j in range(3):
                products[i, j] += float((kinds[i] * kinds[j]).sum())
    totals = rows.sum(axis=1)
    pairs = n * (n - 1)
    tau = totals / pairs
    spread = 4 * rows @ rows.T - 2 * products
    spread -= 2 * (2 * n - 3) / pairs * np.outer(totals, totals)
    spread /= pairs * (n - 2) * (n - 3)
    # The delta method on tau_xy / tau_xx, halved.
    slope = np.array([[-tau[1] / tau[0], 1.0, 0.0], [-tau[2] / tau[0], 0.0, 1.0]]) / (
        2 * tau[0]
    )
    return np.asarray(slope @ spread @ slope.T)


def _blocks(n: int) -> list[slice]:
    size = max(1, _BLOCK // n)
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def _signs(y: npt.NDArray[np.void], block: slice) -> Floats:
    """One where the row's patient had the event first, minus one where the other."""
    event, time = y["event"], y["time"]
    first, moment = event[block, None], time[block, None]
    sooner = first & ((moment < time) | ((moment == time) & ~event))
    later = event & ((time < moment) | ((time == moment) & ~first))
    # Concordant: the sooner patient has the higher risk.
    return np.asarray(later.astype(float) - sooner.astype(float))
