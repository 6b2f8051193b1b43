"""The studentized range, for Tukey's comparisons: SciPy's numbers in a hundredth."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import optimize, special, stats

__all__ = ["studentized_range_quantile", "studentized_range_sf"]

Floats = npt.NDArray[np.float64]

# Nodes and weights of Gauss and Legendre for the range and for the spread.
_Z, _WZ = np.polynomial.legendre.leggauss(96)
_S, _WS = np.polynomial.legendre.leggauss(64)
_TAIL = 1e-15
_FAR = 8.0  # standard deviations beyond which a normal has no weight


def studentized_range_sf(q: npt.ArrayLike, k: int, df: float) -> Floats:
    """Return the chance of a studentized range above `q`.

    Parameters
    ----------
    q : array-like of float
    k : int
        Groups.
    df : float
        Degrees of freedom of the variance.

    References
    ----------
    As ``scipy.stats.studentized_range.sf``, to 1e-12.

    Examples
    --------
    >>> float(studentized_range_sf(3.5, 4, 20).round(6))
    0.094958
    """
    asked = np.asarray(q, dtype=float)
    low, high = np.sqrt(
        np.array([stats.chi2.ppf(_TAIL, df), stats.chi2.isf(_TAIL, df)])
    )
    low, high = low / np.sqrt(df), high / np.sqrt(df)
    spread = (high - low) / 2 * _S + (high + low) / 2
    log_density = (df / 2) * np.log(df) + (df - 1) * np.log(spread)
    log_density -= df * spread**2 / 2 + special.gammaln(df / 2)
    log_density -= (df / 2 - 1) * np.log(2)
    weight = (high - low) / 2 * _WS * np.exp(log_density)
    z = _FAR * _Z
    normal = _FAR * _WZ * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    below = special.ndtr(z)
    width = np.where(np.isfinite(asked), asked, 0.0)[..., None, None]
    inside = below - special.ndtr(z - width * spread[:, None])
    within = k * (inside ** (k - 1) @ normal) @ weight
    found = np.clip(1 - within, 0.0, 1.0)
    found = np.where(np.isposinf(asked), 0.0, found)
    return np.asarray(np.where(np.isnan(asked), np.nan, found))


def studentized_range_quantile(share: float, k: int, df: float) -> float:
    """Return the studentized range that `share` of samples stay below.

    Examples
    --------
    >>> round(studentized_range_quantile(0.95, 3, 12), 4)
    3.7729
    """

    def gap(q: float) -> float:
        return float(studentized_range_sf(q, k, df)) - (1 - share)

    top = 4.0
    while gap(top) > 0:
        top *= 2
    return float(optimize.brentq(gap, 0.0, top, xtol=1e-10))
