"""The rows a Cox model is fitted on, and how they enter its likelihood."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sarcfeat.estimators._row_columns import label_column, number_column
from sarcfeat.exceptions import InvalidInput
from sarcfeat.survival import RiskSets, check_y, make_y, split_causes

__all__ = ["CoxRows", "cox_rows"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class CoxRows:
    """Design, outcome, weight, stratum, entry and cluster of each row."""

    values: Floats
    event: npt.NDArray[np.bool_]
    time: Floats
    weight: Floats | None
    stratum: npt.NDArray[np.intp] | None
    strata: tuple[str, ...]
    entry: Floats | None
    cluster: npt.NDArray[np.object_] | None

    def sets(self, ties: str) -> RiskSets:
        """Return the risk sets."""
        return RiskSets(
            self.event,
            self.time,
            self.weight,
            ties=ties,
            strata=self.stratum,
            entry=self.entry,
        )


def cox_rows(
    model: Any,
    values: Floats,
    X: Any,
    y: Any,
    sample_weight: Any,
    *,
    drop: bool = True,
    scored: bool = False,
) -> CoxRows:
    """Read what a Cox model needs of each row; rows of weight 0 are left out.

    Parameters
    ----------
    model : estimator
        With ``strata``, ``entry``, ``cluster`` and ``cause``.
    values : ndarray of shape (n_rows, n_features)
        The design, without those columns.
    X : DataFrame or array
        With them.
    y : survival target
    sample_weight : array-like, optional
    drop : bool
        Whether rows of weight 0 are left out.
    scored : bool
        Whether the rows are new ones: no event is needed, and no cluster.
    """
    what, n = type(model).__name__, len(values)
    if model.cause is None:
        event, time = check_y(y, n=n, min_events=0 if scored else 2)
    else:
        status, time = split_causes(y, n=n, cause=None if scored else model.cause)
        only = make_y(status == model.cause, time, zero="keep")
        event, time = check_y(only, min_events=0 if scored else 2)
    rows, weight = np.ones(n, dtype=bool), None
    if sample_weight is not None:
        weight = np.asarray(sample_weight, dtype=float)
        if weight.shape != (n,):
            raise InvalidInput(
                f"sample_weight has shape {weight.shape}; expected ({n},)."
            )
        rows = weight != 0 if drop else rows
        weight = weight[rows]
    strata, stratum = (), None
    if model._strata():
        labels = label_column(X, model._strata(), what)[rows]
        known, stratum = np.unique(labels.astype(str), return_inverse=True)
        strata = tuple(str(name) for name in known)
        stratum = np.asarray(stratum.reshape(-1), dtype=np.intp)
    entry = None if model.entry is None else number_column(X, model.entry, what)
    cluster = None
    if model.cluster is not None and not scored:
        cluster = label_column(X, [model.cluster], what)[rows]
    return CoxRows(
        values=values[rows],
        event=event[rows],
        time=time[rows],
        weight=weight,
        stratum=stratum,
        strata=strata,
        entry=None if entry is None else entry[rows],
        cluster=cluster,
    )
