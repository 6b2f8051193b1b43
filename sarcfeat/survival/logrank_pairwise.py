"""Log-rank tests of every two of several groups."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import numpy.typing as npt
import pandas as pd

from sarcfeat.survival.logrank import group_codes, logrank
from sarcfeat.survival.target import make_y

__all__ = ["pairwise_logrank"]


def pairwise_logrank(
    event: npt.ArrayLike,
    time: npt.ArrayLike,
    group: npt.ArrayLike,
    *,
    rho: float = 0.0,
    strata: npt.ArrayLike | None = None,
) -> pd.DataFrame:
    """Compare every two groups by the log-rank test.

    Parameters
    ----------
    event, time, group, rho, strata
        As in :func:`logrank`.

    Returns
    -------
    DataFrame
        One row a pair: ``a``, ``b``, ``statistic``, ``p`` (not adjusted: give the
        column to ``metrics.adjust_p``).

    References
    ----------
    As R's ``survminer::pairwise_survdiff``.

    Examples
    --------
    >>> table = pairwise_logrank([1, 1, 1, 1], [1, 2, 3, 4], ["x", "x", "y", "z"])
    >>> table[["a", "b"]].to_numpy().tolist()
    [['x', 'y'], ['x', 'z'], ['y', 'z']]
    """
    y = make_y(event, time, zero="keep")
    labels, code = group_codes(group, len(y), "group")
    stratum = None if strata is None else group_codes(strata, len(y), "strata")[1]
    table = []
    for a, b in combinations(range(len(labels)), 2):
        rows = (code == a) | (code == b)
        test = logrank(
            y["event"][rows],
            y["time"][rows],
            code[rows],
            rho=rho,
            strata=None if stratum is None else stratum[rows],
        )
        table.append(
            {
                "a": labels[a],
                "b": labels[b],
                "statistic": test.statistic,
                "p": test.p_value,
            }
        )
    columns = ["a", "b", "statistic", "p"]
    return pd.DataFrame(table, columns=columns).astype(
        {"statistic": np.float64, "p": np.float64}
    )
