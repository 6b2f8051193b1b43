"""Does a hazard ratio change with time? The score test of R's ``cox.zph``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import linalg
from scipy.stats import chi2, rankdata

from sarcfeat._validation import pick
from sarcfeat.exceptions import InvalidInput
from sarcfeat.survival.cox import CoxFit
from sarcfeat.survival.kaplan_meier import kaplan_meier
from sarcfeat.survival.risk_sets import RiskSets

__all__ = ["cox_zph"]

Floats = npt.NDArray[np.float64]


def cox_zph(
    fit: CoxFit, names: Sequence[str], *, transform: str = "km"
) -> pd.DataFrame:
    """Test, column by column, whether the hazard ratio is constant over time.

    Parameters
    ----------
    fit : CoxFit
        A fitted model.
    names : sequence of str
        Column names.
    transform : {"km", "rank", "identity", "log"}
        The scale of time on which a coefficient is allowed to drift: share of events
        so far, rank among all times, time itself, or its logarithm.

    Returns
    -------
    DataFrame
        Index: the columns and ``GLOBAL``; columns ``chisq``, ``df``, ``p``. A small p
        says that the hazard ratio is not constant.

    Raises
    ------
    InvalidInput
        ``transform="log"`` with an event at time 0.

    References
    ----------
    Grambsch & Therneau, Biometrika 1994; the exact score test of R's survival >= 3.

    Examples
    --------
    >>> sets = RiskSets([1, 1, 1, 1, 0], [1.0, 2.0, 3.0, 4.0, 5.0])
    >>> from sarcfeat.survival import fit_cox
    >>> fit = fit_cox(np.array([[1.0], [0.0], [0.0], [1.0], [1.0]]), sets)
    >>> cox_zph(fit, ["grade"])["df"].tolist()
    [1, 1]
    """
    pick(transform, _TRANSFORMS, "time transform")
    sets = fit.state.sets
    g = _TRANSFORMS[transform](sets)[sets.term_group]
    g = g - g.mean()
    kept = np.flatnonzero(~fit.aliased)
    p = len(kept)
    drift = fit.state.score(g)[kept]
    inside = np.ix_(kept, kept)
    cross = fit.state.information(g)[inside]
    information = np.block(
        [
            [fit.state.information()[inside], cross],
            [cross, fit.state.information(g**2)[inside]],
        ]
    )
    # With time itself as the scale, entries differ by many orders of magnitude: put
    # both coefficients and drifts on scales on which their information is 1.
    size = np.sqrt(np.maximum(np.diag(information), 0))
    size[size == 0] = 1.0
    information /= np.outer(size, size)
    drift = drift / size[p:]
    rows = []
    for tested in [*[[j] for j in range(p)], list(range(p))]:
        use = [*range(p), *[p + j for j in tested]]
        u = np.r_[np.zeros(p), drift[tested]]
        chisq = float(u @ linalg.lstsq(information[np.ix_(use, use)], u)[0])
        rows.append((chisq, len(tested), float(chi2.sf(chisq, max(len(tested), 1)))))
    index = [
        *[name for name, out in zip(names, fit.aliased, strict=True) if not out],
        "GLOBAL",
    ]
    return pd.DataFrame(rows, index=index, columns=["chisq", "df", "p"])


def _km(sets: RiskSets) -> Floats:
    times: Floats
    survival: Floats
    if sets.entry is None:
        curve = kaplan_meier(sets.event, sets.time)
        times, survival = curve.time, curve.survival
    else:
        # Without strata, and only those under observation are at risk.
        whole = RiskSets(sets.event, sets.time, entry=sets.entry)
        everybody = np.ones(len(sets.time))
        died = whole.tied_sums(everybody) / whole.sums(everybody)
        times, survival = whole.group_time, np.asarray(np.cumprod(1 - died))
    before = np.r_[1.0, survival]
    where = np.searchsorted(times, sets.group_time, side="left")
    return np.asarray(1 - before[where])


def _rank(sets: RiskSets) -> Floats:
    # Among all patients' times, censored ones included, as cox.zph does.
    by_group = np.zeros(len(sets.group_time))
    by_group[sets.group_of_row[sets.event]] = rankdata(sets.time)[sets.event]
    return by_group


def _log(sets: RiskSets) -> Floats:
    if (sets.group_time <= 0).any():
        raise InvalidInput(
            "An event at time 0 has no logarithm of time. Choose transform='km', "
            "'rank' or 'identity', or correct the dates."
        )
    return np.asarray(np.log(sets.group_time))


_TRANSFORMS: dict[str, Callable[[RiskSets], Floats]] = {
    "km": _km,
    "rank": _rank,
    "identity": lambda sets: sets.group_time,
    "log": _log,
}
