"""The survival target: who had the event, and after how long.

`y` is scikit-survival's structured array ``(event: bool, time: float)`` everywhere
in this package; ``predict`` of a survival estimator is a risk, and higher is worse.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sarcfeat._validation import listed
from sarcfeat.exceptions import InvalidInput, NoComparablePairs, NoEvents
from sarcfeat.survival.pairs import count_pairs

__all__ = ["SurvivalMixin", "check_y", "make_y"]

Y_DTYPE = np.dtype([("event", "?"), ("time", "<f8")])


def _names_of(values: Any, where: npt.NDArray[np.bool_]) -> str:
    """Write the patients (index labels or row numbers) where a mask is true."""
    if isinstance(values, (pd.Series, pd.DataFrame)):
        return listed(values.index[where])
    return listed(f"row {i}" for i in np.flatnonzero(where))


def _as_event(event: Any) -> npt.NDArray[np.bool_]:
    array = np.asarray(event)
    if array.dtype == bool:
        return array.copy()
    series = pd.Series(array)
    counts = series.value_counts(dropna=False).to_dict()
    if series.isna().any() or not set(counts) <= {0, 1}:
        raise InvalidInput(
            f"The event must be True/False or 1/0 (1 = event); got the values {counts}."
            " Recode it yourself: which value means event is not guessed. For"
            " competing risks choose one cause: event == 1, CoxPH(cause=1), FineGray."
        )
    return array.astype(bool)


def _as_time(time: Any) -> npt.NDArray[np.float64]:
    """Return times as plain numbers; a duration, a date or a word is none."""
    array = np.asarray(time)
    if array.dtype.kind in "mM":
        raise InvalidInput(
            f"The times are of dtype {array.dtype}, not numbers in one unit. Give "
            "days, as (end - start).dt.days does, or months or years throughout."
        )
    try:
        return np.asarray(time, dtype=float)
    except (TypeError, ValueError) as error:
        bad = pd.to_numeric(pd.Series(array.ravel()), errors="coerce").isna()
        which = _names_of(time, bad.to_numpy()) if array.ndim == 1 else "none is"
        raise InvalidInput(
            f"Some times are no numbers: {which} ({error}). Give the time in one unit, "
            "days by habit, and leave out patients without one."
        ) from error


def refuse_other_order(event: Any, time: Any) -> None:
    """Refuse two columns whose patients are not the same, in the same order.

    Raises
    ------
    InvalidInput
    """
    if not (isinstance(event, pd.Series) and isinstance(time, pd.Series)):
        return
    if len(event) == len(time) and not event.index.equals(time.index):
        here, there = event.index, time.index
        at = int(np.flatnonzero(here.to_numpy() != there.to_numpy())[0])
        raise InvalidInput(
            "event and time are indexed by different patients, or in another order: "
            f"row {at} is {here[at]!r} of one and {there[at]!r} of the other. Take "
            "both from one table, or .to_numpy() if the rows do belong together."
        )


def make_y(
    event: Any, time: Any, *, zero: str = "raise"
) -> np.ndarray[Any, np.dtype[np.void]]:
    """Build the survival target from two columns.

    Parameters
    ----------
    event : array-like of bool or of 0/1, shape (n_patients,)
        True (1) where the event was observed, False (0) where follow-up ended.
    time : array-like of float, shape (n_patients,)
        Time from the index date to the event or the end of follow-up, in one unit
        throughout (days, by this package's habit).
    zero : {"raise", "keep"}
        What to do with a time of exactly 0.

    Returns
    -------
    numpy structured array of dtype [("event", bool), ("time", float)]

    Raises
    ------
    InvalidInput
        An event that is not 0/1, a time that is missing, infinite or negative (the
        patients are named), a duration or a date in place of a number, or columns of
        different lengths or of patients in another order.

    References
    ----------
    The layout is scikit-survival's (``sksurv.util.Surv``).

    Examples
    --------
    >>> make_y([1, 0], [365, 1095])
    array([( True,  365.), (False, 1095.)],
          dtype=[('event', '?'), ('time', '<f8')])
    """
    refuse_other_order(event, time)
    flags, times = _as_event(event), _as_time(time)
    if flags.shape != times.shape or flags.ndim != 1:
        raise InvalidInput(
            f"event has shape {flags.shape} and time {times.shape}; expected two "
            "columns of the same length."
        )
    bad = ~np.isfinite(times)
    if bad.any():
        raise InvalidInput(
            f"{int(bad.sum())} times are missing or infinite: {_names_of(time, bad)}. "
            "Drop these patients or complete their follow-up."
        )
    bad = times < 0
    if bad.any():
        raise InvalidInput(
            f"{int(bad.sum())} times are negative: {_names_of(time, bad)} (smallest "
            f"{times.min():g}). An event before the index date needs another origin."
        )
    bad = times == 0
    if bad.any() and zero == "raise":
        raise InvalidInput(
            f"{int(bad.sum())} times are 0: {_names_of(time, bad)}. Pass zero='keep' "
            "to keep them, or correct the dates."
        )
    y = np.empty(len(times), dtype=Y_DTYPE)
    y["event"], y["time"] = flags, times
    return y


def check_y(
    y: Any, *, n: int | None = None, min_events: int = 0
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """Take a survival target apart into ``event`` and ``time``.

    Parameters
    ----------
    y : structured array with one boolean and one float field, shape (n_patients,)
        As :func:`make_y` or scikit-survival's ``Surv`` build it; a frame with the
        columns ``event`` and ``time`` is taken too.
    n : int, optional
        The number of rows that X has.
    min_events : int
        The fewest events to go on with.

    Returns
    -------
    event : ndarray of bool
    time : ndarray of float

    Raises
    ------
    InvalidInput
        `y` is no survival target, or its length is not `n`.
    NoEvents
        Fewer than `min_events` events.

    Examples
    --------
    >>> event, time = check_y(make_y([1, 0], [365, 1095]))
    >>> event
    array([ True, False])
    """
    if isinstance(y, pd.DataFrame) and {"event", "time"} <= set(y.columns):
        y = make_y(y["event"], y["time"], zero="keep")
    names: Sequence[str] = getattr(getattr(y, "dtype", None), "names", None) or ()
    if len(names) != 2:
        raise InvalidInput(
            "y must be a structured array (event: bool, time: float), as "
            f"sarcfeat.make_y(event, time) builds it; got {type(y).__name__} "
            f"of dtype {getattr(y, 'dtype', None)}."
        )
    event = _as_event(y[names[0]])
    time = np.asarray(y[names[1]], dtype=float)
    if not np.isfinite(time).all() or (time < 0).any():
        raise InvalidInput("y holds times that are NaN, infinite or negative.")
    if n is not None and len(event) != n:
        raise InvalidInput(f"X has {n} rows and y has {len(event)}.")
    if event.sum() < min_events:
        raise NoEvents(
            f"y holds {int(event.sum())} events among {len(event)} patients; at least "
            f"{min_events} are needed. Choose an endpoint with more events or a "
            "larger training set."
        )
    return event, time


class SurvivalMixin:
    """Mixin of every survival estimator: ``predict`` is risk, ``score`` is Harrell's c.

    Unlike scikit-survival's, `score` takes ``sample_weight``, so pipelines work with
    metadata routing switched on.
    """

    _estimator_type = "survival"

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return Harrell's concordance index of ``predict(X)`` with `y`.

        Parameters
        ----------
        X : array-like of shape (n_patients, n_features)
        y : structured array (event, time)
        sample_weight : array-like of shape (n_patients,), optional
            A pair counts with the product of its two weights.

        Returns
        -------
        float
            Between 0 and 1; 0.5 is chance; NaN when no pair can be compared (warned
            about as :class:`NoComparablePairs`, so a grid search goes on).
        """
        event, time = check_y(y)
        predict: Callable[[Any], Any] = self.predict  # type: ignore[attr-defined]
        pairs = count_pairs(event, time, predict(X), sample_weight)
        if not pairs.comparable > 0:
            warnings.warn(
                f"No pair of the {len(event)} patients can be compared "
                f"({int(event.sum())} events); the c-index is NaN.",
                NoComparablePairs,
                stacklevel=2,
            )
        return pairs.c_index
