"""Every measure of every model from the kept predictions, in one tidy table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from sarcfeat._validation import pick
from sarcfeat.evaluate.kept_metrics import METRICS, Kept
from sarcfeat.evaluate.nested import NestedCV

__all__ = ["metric_table"]


def metric_table(
    result: NestedCV,
    *,
    at: float | None = None,
    threshold: float = 0.3,
    metrics: Sequence[str] | None = None,
    n_bootstrap: int = 1000,
    level: float = 0.95,
    random_state: Any = 0,
) -> pd.DataFrame:
    """Measure every model on its kept out-of-fold predictions, with intervals.

    Nothing is fitted: the table can be computed again from ``result`` alone.

    Parameters
    ----------
    result : NestedCV
        From :func:`~sarcfeat.evaluate.nested_cv` (with ``times=`` for measures of
        probabilities) or :func:`~sarcfeat.evaluate.leave_one_site_out`.
    at : float, optional
        The horizon of the AUC, the calibration slope and the net benefit; one of the
        kept times. Without it they are left out. Uno's c counts events up to it.
    threshold : float
        Risk by `at` from which one would treat, for the net benefit.
    metrics : sequence of str, optional
        Of ``harrell_c, uno_c, tdauc, ibs, calibration_slope, net_benefit``; all that
        the predictions allow by default.
    n_bootstrap : int
        Resamples of patients; the same for every model and measure.
    level : float
        Coverage of the intervals.
    random_state : int, RandomState or None

    Returns
    -------
    DataFrame
        One row a model and measure: ``model, metric, value, ci_low, ci_high, how,
        n_resamples`` (in which it was known), ``constant_folds, empty_folds, folds``.
        The value is the mean over repeats; the interval is the percentile bootstrap
        over patients of that mean. It says nothing of refitting. In ``attrs["notes"]``:
        the models with fewer than ten events per variable.

    Raises
    ------
    InvalidInput
        A horizon that was not kept, or a measure that these predictions do not allow.

    References
    ----------
    Graf et al., Stat Med 1999; Uno et al., Stat Med 2011 and JASA 2007; Crowson et al.,
    Stat Methods Med Res 2016; Vickers et al., BMC Med Inform Decis Mak 2008.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sarcfeat import CoxPH, make_y
    >>> from sarcfeat.evaluate import nested_cv
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.normal(size=(60, 2)), columns=["age", "size"])
    >>> y = make_y(rng.random(60) < 0.8, rng.exponential(np.exp(-X["size"])))
    >>> result = nested_cv({"clinical": CoxPH()}, X, y, n_splits=3, n_repeats=1,
    ...                    times=[0.5, 1.0], random_state=0, progress=False)
    >>> metric_table(result, at=1.0, n_bootstrap=50)["metric"].tolist()
    ['harrell_c', 'uno_c', 'tdauc', 'ibs', 'calibration_slope', 'net_benefit']
    """
    kept = Kept(
        result,
        at=at,
        threshold=threshold,
        n_bootstrap=n_bootstrap,
        random_state=random_state,
    )
    for name in metrics or ():
        pick(name, METRICS, "measure")
    rows = []
    for model in result.models:
        counts = _folds(result, model)
        for metric in metrics or kept.names():
            found = kept.measure(model, metric)
            low, high, known = percentile(found.draws, level)
            rows.append(
                {
                    "model": model,
                    "metric": metric,
                    "value": found.value,
                    "ci_low": low,
                    "ci_high": high,
                    "how": f"{result.n_repeats} x {result.n_splits}-fold "
                    f"{result.protocol}; {found.how}; percentile bootstrap over "
                    f"patients ({n_bootstrap})",
                    "n_resamples": known,
                    **counts,
                }
            )
    table = pd.DataFrame(rows)
    table.attrs["notes"] = result.notes
    return table


def percentile(draws: Any, level: float) -> tuple[float, float, int]:
    """Return the percentile interval of the known resamples, and their number."""
    known = draws[~np.isnan(draws)]
    if len(known) < 2:
        return float("nan"), float("nan"), len(known)
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high), len(known)


def _folds(result: NestedCV, model: str) -> dict[str, int]:
    fits = result.fits[result.fits["model"] == model]
    found = result.concordance(model, n_bootstrap=0)
    return {
        "constant_folds": int(fits["constant"].sum()),
        "empty_folds": int(found.n_empty_folds),
        "folds": len(fits),
    }
