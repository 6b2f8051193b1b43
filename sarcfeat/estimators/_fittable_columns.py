"""Which columns of X an unpenalised model has a coefficient for."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from sarcfeat._validation import listed
from sarcfeat.estimators._matrix import independent_columns
from sarcfeat.exceptions import NothingSelected, SarcfeatWarning

__all__ = ["fittable_columns"]


def fittable_columns(
    estimator: Any, values: npt.NDArray[np.float64], names: list[str], model: str
) -> npt.NDArray[np.bool_]:
    """Mark the columns that can be fitted; name the others in ``aliased_``.

    Called by ``fit`` itself: the warnings point to the caller of that.

    Warns
    -----
    NothingSelected
        X has no column; predictions are constant.
    SarcfeatWarning
        A column is constant or given by the others.
    """
    kept = independent_columns(values)
    estimator.aliased_ = [n for n, ok in zip(names, kept, strict=True) if not ok]
    if not values.shape[1]:
        warnings.warn(
            f"X has no column; the {model} model predicts the same for every patient.",
            NothingSelected,
            stacklevel=3,
        )
    elif estimator.aliased_:
        warnings.warn(
            f"{listed(estimator.aliased_)}: constant, or given by the columns before; "
            "the coefficient is set to 0. Leave the column out.",
            SarcfeatWarning,
            stacklevel=3,
        )
    return kept
