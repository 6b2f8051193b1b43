"""Published risk groups: Sarculator's three, and the semantic MRI risk."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from sarcfeat._validation import listed
from sarcfeat.exceptions import InvalidInput

__all__ = ["sarculator_groups", "semantic_mri_risk"]


def sarculator_groups(survival_10y: Any) -> pd.Series:
    """Group patients by Sarculator's predicted 10-year overall survival.

    Parameters
    ----------
    survival_10y : Series or array-like of float, shape (n_patients,)
        The probability of being alive at 10 years, 0 to 1, as the user's Sarculator
        printed it; its coefficients are not public and none are invented here.

    Returns
    -------
    Series of str
        ``"high risk"`` (51 % or less), ``"intermediate risk"`` (over 51 to 66 %),
        ``"low risk"`` (over 66 %); missing where the probability is.

    Raises
    ------
    InvalidInput
        A value outside 0 to 1 (percent, most often).

    References
    ----------
    Crombe A, et al. 2024 (Methods), after Pasquali S, et al. Eur J Cancer 2019.

    Examples
    --------
    >>> sarculator_groups([0.51, 0.66, 0.9]).tolist()
    ['high risk', 'intermediate risk', 'low risk']
    """
    survival = pd.Series(survival_10y, dtype=float)
    wrong = (survival < 0) | (survival > 1)
    if wrong.any():
        raise InvalidInput(
            f"{int(wrong.sum())} predicted survivals lie outside 0 to 1, the first "
            f"{survival[wrong].iloc[0]:g} for patient {survival[wrong].index[0]}. Give "
            "probabilities, not percent."
        )
    names = np.select(
        [survival <= 0.51, survival <= 0.66],
        ["high risk", "intermediate risk"],
        "low risk",
    )
    groups = pd.Series(names, index=survival.index, name="sarculator_group")
    return groups.where(survival.notna())


def semantic_mri_risk(
    heterogeneous_t2: Any, necrosis: Any, peritumoral_enhancement: Any
) -> pd.Series:
    """Return the semantic MRI risk: high where at least two of three signs are there.

    Parameters
    ----------
    heterogeneous_t2 : Series or array-like of 0/1
        Heterogeneous signal in half of the tumour or more on T2.
    necrosis : Series or array-like of 0/1
    peritumoral_enhancement : Series or array-like of 0/1

    Returns
    -------
    Series of str
        ``"high"`` or ``"low"``; missing where the known signs do not decide it.

    Raises
    ------
    InvalidInput
        A sign that is neither 0, 1 nor missing.

    References
    ----------
    Crombe A, et al. J Magn Reson Imaging 2019; as used in Crombe 2024.

    Examples
    --------
    >>> semantic_mri_risk([1, 1, 1], [1, 0, None], [0, 0, 1]).tolist()
    ['high', 'low', 'high']
    """
    signs = pd.DataFrame(
        {
            "heterogeneous_t2": pd.Series(heterogeneous_t2, dtype=float),
            "necrosis": pd.Series(necrosis, dtype=float),
            "peritumoral_enhancement": pd.Series(peritumoral_enhancement, dtype=float),
        }
    )
    wrong = signs.notna() & ~signs.isin([0.0, 1.0])
    if wrong.to_numpy().any():
        bad = signs.index[wrong.any(axis=1)]
        raise InvalidInput(
            f"A semantic sign is 0 (absent) or 1 (present); patients {listed(bad)} "
            f"have other values, as {signs.loc[bad[0]].to_dict()}."
        )
    surely = signs.fillna(0.0).sum(axis=1) >= 2
    possibly = signs.fillna(1.0).sum(axis=1) >= 2
    risk = pd.Series(
        np.where(surely, "high", "low"), index=signs.index, name="semantic_mri_risk"
    )
    return risk.where(surely == possibly)
