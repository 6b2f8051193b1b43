"""The table of hazard ratios that a fitted model prints."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import norm

__all__ = ["FEW_EVENTS", "few_events_note", "hazard_table"]

Floats = npt.NDArray[np.float64]

FEW_EVENTS = 10


def few_events_note(per_variable: float, what: str = "the model") -> list[str]:
    """Return the note of a model with fewer than ten events a variable, or nothing.

    Examples
    --------
    >>> few_events_note(4.25)
    ['4.2 events per variable of the model, fewer than 10: its estimates are unstable.']
    >>> few_events_note(12.0)
    []
    """
    if not per_variable < FEW_EVENTS:
        return []
    return [
        f"{per_variable:.1f} events per variable of {what}, fewer than {FEW_EVENTS}: "
        "its estimates are unstable."
    ]


def hazard_table(
    coef: Floats,
    se: Floats,
    names: list[str],
    level: float,
    per_variable: float = float("inf"),
) -> pd.DataFrame:
    """Return ``coef, hazard_ratio, ci_low, ci_high, se, z, p`` of each column.

    The table's ``attrs`` hold the level of its intervals, and in ``notes`` that events
    are few.
    """
    half = float(norm.ppf((1 + level) / 2)) * se
    z = coef / se
    with np.errstate(over="ignore"):
        table = pd.DataFrame(
            {
                "coef": coef,
                "hazard_ratio": np.exp(coef),
                "ci_low": np.exp(coef - half),
                "ci_high": np.exp(coef + half),
                "se": se,
                "z": z,
                "p": 2 * norm.sf(np.abs(z)),
            },
            index=pd.Index(names, name="feature", dtype="str"),
        )
    table.attrs |= {"level": level, "notes": few_events_note(per_variable)}
    return table
