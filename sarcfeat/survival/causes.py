"""Outcomes of several kinds: 0 is censored, each other code a cause."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sarcfeat.exceptions import InvalidInput, NoEvents
from sarcfeat.survival.target import make_y, refuse_other_order

__all__ = ["check_causes", "make_causes", "split_causes"]

CAUSES_DTYPE = np.dtype([("event", "<i8"), ("time", "<f8")])


def check_causes(
    status: npt.ArrayLike, time: npt.ArrayLike, *, cause: int | None = None
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Check the outcome of a competing-risks analysis.

    Parameters
    ----------
    status : array-like of int, shape (n_patients,)
        0 where follow-up ended without an event, else the code of its cause.
    time : array-like of float, shape (n_patients,)
    cause : int, optional
        The cause that is asked about; it must occur.

    Returns
    -------
    status : ndarray of int
    time : ndarray of float

    Raises
    ------
    InvalidInput
        A status that is missing, negative or not whole; a time that
        :func:`make_y` refuses.
    NoEvents
        Nobody had an event of `cause`.

    Examples
    --------
    >>> check_causes([0, 2, 1], [5, 3, 4])
    (array([0, 2, 1]), array([5., 3., 4.]))
    """
    values = np.asarray(status)
    numbers = pd.to_numeric(pd.Series(values.ravel()), errors="coerce")
    whole = np.asarray(numbers, dtype=float)
    with np.errstate(invalid="ignore"):
        bad = ~((whole >= 0) & (whole == np.floor(whole)))
    if bad.any():
        counts = pd.Series(values.ravel()).value_counts(dropna=False).to_dict()
        raise InvalidInput(
            "The status must be 0 (censored) or the whole number of a cause; got the "
            f"values {counts}. Recode it yourself: which value means which cause is "
            "not guessed."
        )
    codes = whole.astype(np.int64)
    y = make_y(codes > 0, time, zero="keep")
    if cause is not None and not (cause > 0 and (codes == cause).any()):
        found = sorted(set(codes.tolist()) - {0})
        raise NoEvents(
            f"None of the {len(codes)} patients had an event of cause {cause}; the "
            f"causes that occur are {found or 'none'}. Choose another endpoint or "
            "cause."
        )
    return codes, y["time"]


def make_causes(status: Any, time: Any) -> np.ndarray[Any, np.dtype[np.void]]:
    """Build the target of a competing-risks model from two columns.

    Parameters
    ----------
    status : array-like of int, shape (n_patients,)
        0 where follow-up ended without an event, else the code of its cause.
    time : array-like of float, shape (n_patients,)

    Returns
    -------
    numpy structured array of dtype [("event", int), ("time", float)]

    Raises
    ------
    InvalidInput
        See :func:`check_causes`.

    Examples
    --------
    >>> make_causes([0, 2], [365, 90])
    array([(0, 365.), (2,  90.)], dtype=[('event', '<i8'), ('time', '<f8')])
    """
    refuse_other_order(status, time)
    codes, times = check_causes(status, time)
    y = np.empty(len(codes), dtype=CAUSES_DTYPE)
    y["event"], y["time"] = codes, times
    return y


def split_causes(
    y: Any, *, n: int | None = None, cause: int | None = None
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Take a competing-risks target apart into ``status`` and ``time``.

    Parameters
    ----------
    y : structured array or DataFrame (event, time)
        As :func:`make_causes` builds it; a boolean event is cause 1.
    n : int, optional
        The number of rows that X has.
    cause : int, optional
        The cause that is asked about; it must occur.

    Returns
    -------
    status : ndarray of int
    time : ndarray of float

    Raises
    ------
    InvalidInput
        `y` is no such target, or its length is not `n`.
    NoEvents
        Nobody had an event of `cause`.

    Examples
    --------
    >>> split_causes(make_causes([0, 2], [365, 90]))[0]
    array([0, 2])
    """
    frame = isinstance(y, pd.DataFrame)
    found = y.columns if frame else getattr(getattr(y, "dtype", None), "names", None)
    names: list[str] = list(found) if found is not None else []
    if not names or (frame and not {"event", "time"} <= set(names)):
        raise InvalidInput(
            "y must be a structured array (event: int, time: float), as "
            f"sarcfeat.survival.make_causes builds it; got {type(y).__name__}."
        )
    first, second = ("event", "time") if frame else (names[0], names[1])
    if n is not None and len(y) != n:
        raise InvalidInput(f"X has {n} rows and y has {len(y)}.")
    return check_causes(np.asarray(y[first]), np.asarray(y[second]), cause=cause)
