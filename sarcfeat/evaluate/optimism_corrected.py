"""Apparent measures of a model, corrected for its having seen the patients."""

from __future__ import annotations

from typing import Any

import pandas as pd

from sarcfeat.evaluate.printed import few_events_note
from sarcfeat.evaluate.refits import PER_VARIABLE, Measures, Ranks, refit
from sarcfeat.survival import check_y

__all__ = ["optimism_corrected"]

SLOPE = "calibration_slope"


def optimism_corrected(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    at: float | None = None,
    n_bootstrap: int = 200,
    level: float = 0.95,
    random_state: Any = None,
    n_jobs: int | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Correct the apparent measures of a model for optimism, by Harrell's bootstrap.

    Parameters
    ----------
    estimator, X, y, n_bootstrap, random_state, n_jobs, progress
        As in :func:`bootstrap_632plus`.
    at : float, optional
        Horizon of the AUC, of Brier's score (integrated to it) and of the calibration
        slope; without it the c-indices only. A model without survival curves gives
        no Brier's score and no slope.
    level : float
        Coverage of the interval.

    Returns
    -------
    DataFrame
        Indexed by measure: ``apparent, training, test, optimism, corrected, n`` as
        :func:`sarcfeat.metrics.bootstrap_optimism` has them, with ``ci_low, ci_high``:
        the percentile interval of the apparent measure, moved by the optimism (of the
        calibration slope, that of the test values, for its apparent value is 1). In
        ``attrs["notes"]``: fewer than ten events per variable.

    References
    ----------
    Harrell, Lee & Mark, Stat Med 1996; intervals Noma et al., Stat Med 2021.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sarcfeat import CoxPH, make_y
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.normal(size=(60, 2)), columns=["age", "size"])
    >>> y = make_y(rng.random(60) < 0.8, rng.exponential(np.exp(-X["size"])))
    >>> table = optimism_corrected(CoxPH(), X, y, n_bootstrap=20, random_state=0,
    ...                            progress=False)
    >>> bool((table["corrected"] < table["apparent"]).all())
    True
    """
    event, time = check_y(y, n=len(X))
    measure = Ranks(True) if at is None else Measures(event, time, at)
    (apparent, _), resamples = refit(
        estimator, X, y, measure, False, n_bootstrap, random_state, n_jobs, progress
    )
    value = pd.Series(apparent, dtype=float)
    per_variable = value.pop(PER_VARIABLE)
    training, test = (
        pd.DataFrame(list(side)).reindex(columns=value.index)
        for side in zip(*resamples, strict=True)
    )
    both = training.notna() & test.notna()
    inside, outside = training.where(both), test.where(both)
    optimism = inside.mean() - outside.mean()
    shares = [(1 - level) / 2, (1 + level) / 2]
    limits = inside.quantile(shares) - optimism
    if SLOPE in limits:
        # On the patients it was fitted on the slope is always about 1.
        spread = outside[SLOPE] - outside[SLOPE].mean()
        limits[SLOPE] = spread.quantile(shares) + value[SLOPE] - optimism[SLOPE]
    table = pd.DataFrame(
        {
            "apparent": value,
            "training": inside.mean(),
            "test": outside.mean(),
            "optimism": optimism,
            "corrected": value - optimism,
            "ci_low": limits.iloc[0],
            "ci_high": limits.iloc[1],
            "n": both.sum(),
        },
        index=value.index,
    )
    table.attrs["notes"] = few_events_note(per_variable)
    return table
