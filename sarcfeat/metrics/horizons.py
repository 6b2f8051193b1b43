"""The times at which a prediction is judged, and where the follow-up ends."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt

from sarcfeat._validation import listed
from sarcfeat.exceptions import InvalidInput, PastFollowUp

__all__ = ["check_horizons"]


def check_horizons(
    times: npt.ArrayLike, last: float, *, whose: str = "the patients"
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Return the horizons, and which of them lie within the follow-up.

    Parameters
    ----------
    times : array-like of float
        Horizons, in the unit of the follow-up.
    last : float
        The last time anybody is followed.
    whose : str
        Whose follow-up it is, for the warning.

    Returns
    -------
    times : ndarray of shape (n_times,)
    inside : ndarray of bool, shape (n_times,)

    Raises
    ------
    InvalidInput
        A horizon that is missing or not above 0.

    Warns
    -----
    PastFollowUp
        Horizons at or after `last`: nobody is seen beyond them.

    Examples
    --------
    >>> check_horizons([1, 2], 5.0)
    (array([1., 2.]), array([ True,  True]))
    """
    horizons = np.atleast_1d(np.asarray(times, dtype=float))
    with np.errstate(invalid="ignore"):
        bad = ~(horizons > 0) | ~np.isfinite(horizons)
    if bad.any() or horizons.ndim != 1:
        raise InvalidInput(
            f"Times must be finite and above 0; got {listed(horizons.ravel()[:6])}."
        )
    inside = horizons < last
    if not inside.all():
        warnings.warn(
            f"The times {listed(horizons[~inside])} lie at or beyond the last "
            f"follow-up of {whose}, {last:g}; the result is NaN there. Choose times "
            f"before {last:g}.",
            PastFollowUp,
            stacklevel=3,
        )
    return horizons, inside
