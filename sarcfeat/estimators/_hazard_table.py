"""The table of hazard ratios that a fitted model prints."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import norm

__all__ = ["hazard_table"]

Floats = npt.NDArray[np.float64]


def hazard_table(
    coef: Floats, se: Floats, names: list[str], level: float
) -> pd.DataFrame:
    """Return ``coef, hazard_ratio, ci_low, ci_high, se, z, p`` of each column."""
    half = float(norm.ppf((1 + level) / 2)) * se
    z = coef / se
    with np.errstate(over="ignore"):
        return pd.DataFrame(
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
