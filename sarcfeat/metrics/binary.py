"""Outcomes of yes and no, and the columns that go with them, checked once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from sarcfeat.exceptions import InvalidInput

__all__ = ["check_binary", "check_probability"]

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


def check_binary(
    y: npt.ArrayLike, score: npt.ArrayLike, *, both: bool = True
) -> tuple[Flags, Floats]:
    """Check an outcome of 0 and 1 with a score of the same patients.

    Parameters
    ----------
    y : array-like of bool or 0/1, shape (n_patients,)
    score : array-like of float, shape (n_patients, ...)
    both : bool
        Whether patients with and without the outcome are both needed.

    Returns
    -------
    y : ndarray of bool
    score : ndarray of float

    Raises
    ------
    InvalidInput
        Other values than 0 and 1, lengths that differ, a score that is missing, or
        one outcome only.

    Examples
    --------
    >>> check_binary([0, 1], [0.2, 0.7])[0]
    array([False,  True])
    """
    values = np.asarray(y)
    counts = pd.Series(values.ravel()).value_counts(dropna=False).to_dict()
    if not set(counts) <= {0, 1}:
        raise InvalidInput(
            f"The outcome must be True/False or 1/0; got the values {counts}. Recode "
            "it yourself: which value means the outcome is not guessed."
        )
    scores = np.asarray(score, dtype=float)
    if values.ndim != 1 or scores.shape[:1] != values.shape:
        raise InvalidInput(
            f"y has shape {values.shape} and the score {scores.shape}; expected one "
            "value a patient."
        )
    missing = np.isnan(scores).reshape(len(values), -1).any(axis=1)
    if missing.any():
        raise InvalidInput(
            f"{int(missing.sum())} of {len(values)} scores are NaN (first: row "
            f"{int(np.flatnonzero(missing)[0])}). Leave these patients out, or find "
            "out why the model has no prediction for them."
        )
    flags = values.astype(bool)
    if both and (flags.all() or not flags.any()):
        raise InvalidInput(
            f"All {len(flags)} patients have the outcome {int(flags.any())}; nothing "
            "can be told apart. Both outcomes are needed."
        )
    return flags, scores


def check_probability(p: npt.ArrayLike, what: str = "The predicted risk") -> Floats:
    """Return probabilities as floats; refuse what is outside 0 and 1.

    Examples
    --------
    >>> check_probability([0.1, 1])
    array([0.1, 1. ])
    """
    values = np.asarray(p, dtype=float)
    with np.errstate(invalid="ignore"):
        bad = ~((values >= 0) & (values <= 1))
    if bad.any():
        first = tuple(int(i) for i in np.argwhere(bad)[0])
        raise InvalidInput(
            f"{what} must be a probability; {int(bad.sum())} values are missing or "
            f"outside 0 and 1 (first: row {first[0]}, {values[first]:g}). A linear "
            "predictor must be turned into a risk at a time first."
        )
    return values
