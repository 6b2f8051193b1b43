"""Uno's c-index: what Harrell's would be had nobody been censored."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt

from sarcfeat._validation import pick
from sarcfeat.exceptions import InvalidInput, PastFollowUp
from sarcfeat.metrics.concordance import Concordance, summarised
from sarcfeat.survival import CensoringCurve, censoring_curve, make_y, pairs_of_each

__all__ = ["uno_concordance"]

_CONVENTIONS = ("scikit-survival", "survAUC", "survival")


def uno_concordance(
    event: npt.ArrayLike,
    time: npt.ArrayLike,
    risk: npt.ArrayLike,
    *,
    until: float | None = None,
    convention: str = "survival",
    censoring: CensoringCurve | None = None,
    level: float = 0.95,
) -> Concordance:
    """Compute Uno's c-index, by the convention of one of three packages.

    Parameters
    ----------
    event : array-like of bool or 0/1, shape (n_patients,)
    time : array-like of float, shape (n_patients,)
    risk : array-like of float, shape (n_patients,)
        Higher is worse.
    until : float, optional
        Only events up to this time count.
    convention : {"survival", "scikit-survival", "survAUC"}
        The weight of a pair, the credit for a pair tied in risk, whether an event and
        a censoring at one time compare, and which events count:

        ================  ===========  ======  =============  ==========
        convention        weight       credit  tied in time   until
        ================  ===========  ======  =============  ==========
        survival (R)      1/G(T-)^2    half    compare        T <= until
        scikit-survival   1/G(T)^2     half    compare        T < until
        survAUC (R)       1/G(T)^2     none    do not         T < until
        ================  ===========  ======  =============  ==========

        Without credit a coarse risk falls below 0.5. R's ``survAUC::UnoC`` has the
        last convention, but for a Kaplan–Meier that goes wrong where times are tied.
    censoring : CensoringCurve, optional
        Of other patients, the training ones. Events after its end are left out, and
        said to be.
    level : float

    Returns
    -------
    Concordance
        The error takes the weights as known, as R's ``survival::concordance`` does.

    Raises
    ------
    InvalidInput
        Lengths that differ.

    Warns
    -----
    NoComparablePairs
        No pair can be compared; the index is NaN.
    PastFollowUp
        Events beyond the follow-up of `censoring`.

    References
    ----------
    Uno et al., Stat Med 2011.

    Examples
    --------
    >>> event, time = [1, 1, 0, 1, 0], [1.0, 2.0, 3.0, 4.0, 5.0]
    >>> round(uno_concordance(event, time, [5, 1, 2, 4, 3]).c_index, 3)
    0.676
    """
    pick(convention, _CONVENTIONS, "convention")
    y = make_y(event, time, zero="keep")
    flags, times = y["event"], y["time"]
    values = np.asarray(risk, dtype=float)
    if values.shape != times.shape:
        raise InvalidInput(
            f"Expected {len(times)} risks; got an array of shape {values.shape}."
        )
    curve = censoring or censoring_curve(flags, times)
    g = curve.before(times) if convention == "survival" else curve.at(times)
    counted = flags & _until(times, until, convention)
    if censoring is not None:
        counted &= _followed(flags, times, float(censoring.time[-1]))
    factor = np.divide(1.0, g**2, out=np.zeros(len(g)), where=counted & (g > 0))
    if convention == "survAUC":
        # A censoring at the time of an event is then no later than it.
        times = np.where(flags, times, np.nextafter(times, -np.inf))
    concordant, discordant, tied = pairs_of_each(
        flags, times, values, event_weight=factor
    )
    credit = 0.0 if convention == "survAUC" else 0.5
    return summarised(
        concordant + credit * tied,
        concordant + discordant + tied,
        np.ones(len(times)),
        level,
    )


def _until(
    times: npt.NDArray[np.float64], until: float | None, convention: str
) -> npt.NDArray[np.bool_]:
    if until is None:
        return np.ones(len(times), dtype=bool)
    return times <= until if convention == "survival" else times < until


def _followed(
    event: npt.NDArray[np.bool_], times: npt.NDArray[np.float64], last: float
) -> npt.NDArray[np.bool_]:
    inside = times <= last
    lost = int((event & ~inside).sum())
    if lost:
        warnings.warn(
            f"{lost} events lie beyond the last follow-up of the training patients, "
            f"{last:g}, where their weight is not known; they are left out. Pass "
            f"until={last:g} to say so in the result.",
            PastFollowUp,
            stacklevel=3,
        )
    return inside
