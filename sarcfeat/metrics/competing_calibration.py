"""Calibration of a predicted cumulative incidence, in groups of patients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from sarcfeat.exceptions import InvalidInput
from sarcfeat.metrics.binary import check_probability
from sarcfeat.metrics.survival_calibration import grouped
from sarcfeat.survival import check_causes, cumulative_incidence

__all__ = ["calibration_groups_competing"]


def calibration_groups_competing(
    status: npt.ArrayLike,
    time: npt.ArrayLike,
    incidence: npt.ArrayLike,
    at: float,
    *,
    cause: int = 1,
    groups: int = 5,
    cuts: Sequence[float] | npt.NDArray[np.float64] | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Compare predicted incidence at a time with Aalen–Johansen's, in groups.

    Parameters
    ----------
    status : array-like of int, shape (n_patients,)
        0 censored, else the code of the cause.
    time : array-like of float, shape (n_patients,)
    incidence : array-like of float, shape (n_patients,)
        Predicted probability of an event of `cause` by `at`.
    at : float
        The horizon, in the unit of `time`.
    cause : int
    groups, cuts, level
        As in :func:`calibration_groups`.

    Returns
    -------
    DataFrame
        One row a group, the lowest incidence first: ``predicted`` (mean), ``n``,
        ``events`` (of the cause), ``observed``, ``std_err``, ``ci_low``, ``ci_high``.
        NaN where a group has fewer than two patients or is not followed to `at`.

    Raises
    ------
    InvalidInput
        An incidence outside 0 and 1, or a horizon beyond the follow-up.

    References
    ----------
    Gerds, Andersen & Kattan, Stat Med 2014.

    Examples
    --------
    >>> status, time = [1, 2, 0, 1, 0, 2], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    >>> p = [0.6, 0.5, 0.4, 0.3, 0.2, 0.1]
    >>> table = calibration_groups_competing(status, time, p, 2.5, groups=2)
    >>> table["observed"].round(3).tolist()
    [0.0, 0.333]
    """
    codes, times = check_causes(status, time, cause=cause)
    predicted = check_probability(incidence, "The predicted incidence").reshape(-1)
    if len(predicted) != len(codes):
        raise InvalidInput(
            f"Expected {len(codes)} predicted incidences; got {len(predicted)}."
        )
    if not 0 < at <= times.max():
        raise InvalidInput(
            f"The horizon {at:g} must be above 0 and within the follow-up; the last "
            f"one is {times.max():g}. Choose an earlier time."
        )
    group, count = grouped(predicted, groups, cuts)
    rows = []
    for k in range(count):
        inside = group == k
        row = _group(codes[inside], times[inside], at, cause, level)
        mean = float(predicted[inside].mean()) if inside.any() else float("nan")
        rows.append({"predicted": mean, **row})
    return pd.DataFrame(rows)


def _group(
    status: npt.NDArray[np.int64],
    time: npt.NDArray[np.float64],
    at: float,
    cause: int,
    level: float,
) -> dict[str, float]:
    row: dict[str, float] = {"n": len(status), "events": int((status == cause).sum())}
    names = ("observed", "std_err", "ci_low", "ci_high")
    if len(status) < 2:
        return {**row, **dict.fromkeys(names, float("nan"))}
    curve = cumulative_incidence(status, time, level=level)
    if cause not in curve.causes:
        # No event of the cause: its incidence is 0 for as long as they are followed.
        level_here = 0.0 if at <= time.max() else float("nan")
        return {**row, "observed": level_here, **dict.fromkeys(names[1:], float("nan"))}
    column = curve.causes.index(cause)
    tables = (curve.at(at), curve.std_err_at(at), *curve.interval_at(at))
    found = (float(table[0, column]) for table in tables)
    return {**row, **dict(zip(names, found, strict=True))}
