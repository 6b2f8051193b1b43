"""Folds inside an estimator: few events must not make a fold without any."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sarcfeat.exceptions import FewEvents, InvalidInput, NoEvents
from sarcfeat.splits import EventStratifiedKFold
from sarcfeat.survival import make_y

__all__ = ["Fold", "event_folds", "refuse_partial"]

Fold = tuple[NDArray[np.intp], NDArray[np.intp]]


def event_folds(
    cv: Any, X: Any, event: Any, time: Any, random_state: Any, who: str
) -> list[Fold]:
    """Return the (train, test) rows of each fold.

    Parameters
    ----------
    cv : int, array-like of fold labels or splitter
        A number makes event-stratified folds, as many as there are events at most.
    X : array-like
        Handed to the splitter.
    event, time : ndarray of shape (n_patients,)
    random_state : int, RandomState or None
        For the shuffling, when `cv` is a number.
    who : str
        The name of the estimator, for messages.

    Warns
    -----
    FewEvents
        There are fewer events than folds; as many folds as events are made.
    """
    n, n_events = len(event), int(np.sum(event))
    y = make_y(event, time, zero="keep")
    if hasattr(cv, "split"):
        return list(cv.split(X, y))
    if np.ndim(cv) == 0:
        return _numbered(int(cv), X, y, n_events, random_state, who)
    label = np.asarray(cv)
    if label.shape != (n,):
        raise InvalidInput(
            f"{who}: cv given as fold labels must have one label a patient, shape "
            f"({n},); got shape {label.shape}."
        )
    labels = np.unique(label)
    if len(labels) < 2:
        raise InvalidInput(
            f"{who}: cv given as fold labels holds one label only ({labels[0]!r}); at "
            "least 2 folds are needed."
        )
    return [(np.flatnonzero(label != k), np.flatnonzero(label == k)) for k in labels]


def _numbered(
    cv: int, X: Any, y: Any, n_events: int, random_state: Any, who: str
) -> list[Fold]:
    if n_events < 2:
        raise NoEvents(
            f"{who}: {n_events} events cannot be spread over cross-validation folds; "
            "at least 2 are needed. Choose an endpoint with more events."
        )
    if n_events < cv:
        warnings.warn(
            f"{who}: {cv} folds were asked for and there are {n_events} events among "
            f"{len(y)} patients; {n_events} folds are used, one event in each.",
            FewEvents,
            stacklevel=4,
        )
        cv = n_events
    return list(EventStratifiedKFold(cv, random_state=random_state).split(X, y))


def refuse_partial(folds: list[Fold], n: int, who: str) -> None:
    """Refuse folds that do not hold every patient out exactly once."""
    times = np.bincount(np.concatenate([test for _, test in folds]), minlength=n)
    if (times != 1).any():
        raise InvalidInput(
            f"{who}: cv holds out {int((times == 0).sum())} of {n} patients never and "
            f"{int((times > 1).sum())} more than once; each must be held out once. Use "
            "a splitter such as EventStratifiedKFold, without repeats."
        )
