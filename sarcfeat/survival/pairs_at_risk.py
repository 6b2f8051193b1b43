"""Pairs of patients of whom one came under observation late."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sarcfeat.exceptions import InvalidInput

__all__ = ["pairs_at_risk"]

Floats = npt.NDArray[np.float64]

_BLOCK = 2_000_000  # pairs held at once


def pairs_at_risk(
    event: npt.ArrayLike,
    time: npt.ArrayLike,
    entry: npt.ArrayLike,
    risk: npt.ArrayLike,
    sample_weight: npt.ArrayLike | None = None,
    *,
    event_weight: npt.ArrayLike | None = None,
) -> tuple[Floats, Floats, Floats]:
    """Return each row's weight of concordant, discordant and tied pairs.

    A row is compared with the event of another only if it was under observation then:
    it entered before, and left after it or was censored at that time. Every pair is
    looked at.

    Parameters
    ----------
    event, time, entry, risk : array-like of shape (n_rows,)
        A row is under observation after `entry` up to and including `time`.
    sample_weight, event_weight : array-like of shape (n_rows,), optional

    Returns
    -------
    tuple of three arrays of shape (n_rows,)

    Raises
    ------
    InvalidInput
        An entry is not before its time.

    References
    ----------
    R's ``survival::concordance`` of ``Surv(start, stop, event)``.

    Examples
    --------
    >>> pairs_at_risk([1, 1, 0], [1.0, 2, 3], [0.0, 1, 0], [0.9, 0.1, 0.5])[0]
    array([1., 0., 1.])
    """
    flags = np.asarray(event, dtype=bool)
    times, start = np.asarray(time, dtype=float), np.asarray(entry, dtype=float)
    risks, n = np.asarray(risk, dtype=float), len(flags)
    weight = np.ones(n) if sample_weight is None else np.asarray(sample_weight, float)
    factor = np.ones(n) if event_weight is None else np.asarray(event_weight, float)
    late = np.flatnonzero(start >= times)
    if len(late):
        raise InvalidInput(
            f"entry is not before time in {len(late)} rows (first: row {late[0]}, "
            f"entry {start[late[0]]:g}, time {times[late[0]]:g})."
        )
    found = np.zeros((3, n))
    rows = np.flatnonzero(flags)
    for chosen in np.array_split(rows, len(rows) * n // _BLOCK + 1):
        at = times[chosen][:, None]
        under = (start < at) & ((times > at) | ((times == at) & ~flags))
        gap = risks[chosen][:, None] - risks
        for kind, which in enumerate((gap > 0, gap < 0, gap == 0)):
            pairs = (which & under) * factor[chosen][:, None]
            found[kind, chosen] += pairs @ weight
            found[kind] += weight[chosen] @ pairs
    return found[0], found[1], found[2]
