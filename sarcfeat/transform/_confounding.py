"""Whether batch and outcome go together, so that harmonising one removes the other."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import chi2_contingency

from sarcfeat.exceptions import ConfoundedBatch

__all__ = ["confounding_table", "warn_if_confounded"]

# An association this strong and this sure is worth a warning: with few patients a
# strong one is often chance, with many a weak one is always "significant".
STRONG, SURE = 0.3, 1e-3
CLASSES = 10


def _outcome(y: Any, n: int) -> np.ndarray | None:
    """Return the class of each patient (survival: whether the event was seen)."""
    if y is None:
        return None
    names = getattr(getattr(y, "dtype", None), "names", None)
    if names:
        values = np.asarray(y[names[0]])
    elif isinstance(y, pd.DataFrame) and "event" in y:
        values = y["event"].to_numpy()
    else:
        values = np.asarray(y)
    if values.ndim != 1 or len(values) != n or pd.isna(values).any():
        return None
    return values if 2 <= len(pd.unique(values)) <= CLASSES else None


def confounding_table(batch: pd.Series, y: Any) -> pd.DataFrame | None:
    """Return the patients of each batch (rows) with each outcome (columns).

    Parameters
    ----------
    batch : Series
        The batch of each patient.
    y : survival target, classes or None
        Of a survival target, whether the event was seen.

    Returns
    -------
    DataFrame or None
        None where the outcome has no classes to be counted (or more than 10).
        ``attrs`` holds ``cramers_v`` and the ``p`` of the chi-squared test.
    """
    outcome = _outcome(y, len(batch))
    if outcome is None:
        return None
    table = pd.crosstab(
        pd.Series(batch.to_numpy(), name="batch"), pd.Series(outcome, name="outcome")
    )
    found = {"cramers_v": 0.0, "p": 1.0}
    if min(table.shape) > 1:
        test = chi2_contingency(table.to_numpy(), correction=False)
        least = min(table.shape) - 1
        found["cramers_v"] = float(np.sqrt(test.statistic / len(batch) / least))
        found["p"] = float(test.pvalue)
    table.attrs.update(found)
    return table


def warn_if_confounded(table: pd.DataFrame | None, stacklevel: int) -> None:
    """Warn with the table where batch and outcome go together.

    Warns
    -----
    ConfoundedBatch
    """
    if table is None:
        return
    v, p = table.attrs["cramers_v"], table.attrs["p"]
    if v < STRONG or p > SURE:
        return
    rows = "; ".join(
        f"{batch}: " + ", ".join(f"{n} with {outcome}" for outcome, n in row.items())
        for batch, row in table.iterrows()
    )
    warnings.warn(
        f"Batch and outcome are confounded (Cramér's V {v:.2f}, p {p:.2g}): {rows}. "
        "ComBat takes away with the batch what the outcome looks like. Preserve what "
        "explains it (covariates=[...]), or show the result without ComBat and by "
        "leave-one-site-out as well.",
        ConfoundedBatch,
        stacklevel=stacklevel + 1,
    )
