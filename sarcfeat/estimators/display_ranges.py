"""How far each column reaches in the training data: what a nomogram draws."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["display_ranges"]

_MOST_LEVELS = 3  # a column with more distinct values is drawn as an axis


def display_ranges(values: npt.NDArray[np.float64], names: list[str]) -> pd.DataFrame:
    """Return the display range of each column, as ``rms::datadist`` does."""
    tail = 10 / max(len(values), 200)
    ends, levels = np.empty((len(names), 5)), np.empty(len(names), dtype=object)
    for j, column in enumerate(values.T):
        low, middle, high = np.quantile(column, [tail, 0.5, 1 - tail])
        distinct = np.unique(column)
        smallest, largest = distinct[0], distinct[-1]
        few = 2 <= len(distinct) <= _MOST_LEVELS
        levels[j] = tuple(distinct.tolist()) if few else None
        if low == high:  # nearly all patients share one value
            low, high = smallest, largest
        ends[j] = low, high, middle, smallest, largest
    index = pd.Index(names, name="feature", dtype="str")
    columns = ["low", "high", "median", "minimum", "maximum"]
    table = pd.DataFrame(ends, index=index, columns=columns)
    table.insert(3, "levels", pd.Series(levels, index=index, dtype=object))
    return table
