"""Cross-validation folds with the same share of events in each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import check_random_state
from sklearn.utils.validation import _num_samples

from sarcfeat.exceptions import InvalidInput, NoEvents
from sarcfeat.survival import check_y

__all__ = ["EventStratifiedKFold", "RepeatedEventStratifiedKFold"]

Rows = npt.NDArray[np.intp]


class EventStratifiedKFold(BaseCrossValidator):
    """Split patients into folds with the same number of events, give or take one.

    Parameters
    ----------
    n_splits : int
        Number of folds, at least 2.
    shuffle : bool
        Whether patients are shuffled first; otherwise they are dealt out in order.
    random_state : int, RandomState or None
        Seed of the shuffling.

    See Also
    --------
    RepeatedEventStratifiedKFold : The same several times.
    nested : Outer folds with a seeded inner splitter each.

    Examples
    --------
    >>> from sarcfeat import make_y
    >>> y = make_y([1, 1, 0, 0], [1, 2, 3, 4])
    >>> folds = list(EventStratifiedKFold(2, random_state=0).split(np.zeros((4, 1)), y))
    >>> [int(y["event"][test].sum()) for _, test in folds]
    [1, 1]
    """

    def __init__(
        self, n_splits: int = 5, *, shuffle: bool = True, random_state: Any = None
    ) -> None:
        self.n_splits = n_splits
        self.shuffle = shuffle
        self.random_state = random_state

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds."""
        return self.n_splits

    def split(
        self, X: Any, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[Rows, Rows]]:
        """Yield the row numbers to train and to test on, fold by fold.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
        y : structured array (event, time), shape (n_rows,)
        groups : array-like, shape (n_rows,), optional
            The patient of each row; rows of a patient stay in one fold.

        Yields
        ------
        train, test : ndarray of int

        Raises
        ------
        NoEvents
            There are fewer (patients with) events than folds.
        """
        fold = self._fold_of_each(_num_samples(X), y, groups)
        for number in range(self.n_splits):
            yield np.flatnonzero(fold != number), np.flatnonzero(fold == number)

    def _fold_of_each(self, n: int, y: Any, groups: Any) -> Rows:
        if not isinstance(self.n_splits, (int, np.integer)) or self.n_splits < 2:
            raise InvalidInput(f"n_splits must be 2 or more; got {self.n_splits!r}.")
        if y is None:
            raise InvalidInput("y is needed: folds are balanced by the event in it.")
        event, _ = check_y(y, n=n)
        rng = check_random_state(self.random_state) if self.shuffle else None
        unit = np.arange(n) if groups is None else _codes(groups, n)
        size = np.bincount(unit)
        events = np.bincount(unit, weights=event)
        self._check(event, events, groups)
        return _deal(events, size, self.n_splits, rng)[unit]

    def _check(self, event: npt.NDArray[np.bool_], events: Any, groups: Any) -> None:
        available = int((events > 0).sum())
        if available >= self.n_splits:
            return
        of = "events" if groups is None else "patients (groups) with an event"
        lacking = self.n_splits - available
        first = available + 1
        raise NoEvents(
            f"{self.n_splits} folds need {self.n_splits} {of} and there are {available}"
            f" among {len(event)} rows: {lacking} folds (from fold {first} of "
            f"{self.n_splits}) would have none. Use n_splits <= {max(available, 2)} or "
            "an endpoint with more events."
        )


class RepeatedEventStratifiedKFold(BaseCrossValidator):
    """Split patients into event-stratified folds several times over.

    Parameters
    ----------
    n_splits : int
        Number of folds, at least 2.
    n_repeats : int
        How often to start over with another shuffling.
    random_state : int, RandomState or None
        Seed; repeat r has its own seed drawn from it.

    Examples
    --------
    >>> from sarcfeat import make_y
    >>> y = make_y([1, 1, 0, 0], [1, 2, 3, 4])
    >>> splitter = RepeatedEventStratifiedKFold(2, n_repeats=3, random_state=0)
    >>> len(list(splitter.split(np.zeros((4, 1)), y)))
    6
    """

    def __init__(
        self, n_splits: int = 5, n_repeats: int = 3, random_state: Any = None
    ) -> None:
        self.n_splits = n_splits
        self.n_repeats = n_repeats
        self.random_state = random_state

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds over all repeats."""
        return self.n_splits * self.n_repeats

    def split(
        self, X: Any, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[Rows, Rows]]:
        """Yield the row numbers to train and to test on, repeat by repeat.

        Parameters
        ----------
        X, y, groups
            As in :meth:`EventStratifiedKFold.split`.

        Yields
        ------
        train, test : ndarray of int
            Split number i is fold ``i % n_splits`` of repeat ``i // n_splits``.
        """
        if not isinstance(self.n_repeats, (int, np.integer)) or self.n_repeats < 1:
            raise InvalidInput(f"n_repeats must be 1 or more; got {self.n_repeats!r}.")
        rng = check_random_state(self.random_state)
        for seed in rng.randint(2**31 - 1, size=self.n_repeats):
            once = EventStratifiedKFold(self.n_splits, random_state=int(seed))
            yield from once.split(X, y, groups)


def _codes(groups: Any, n: int) -> Rows:
    array = np.asarray(groups)
    if array.shape != (n,):
        raise InvalidInput(
            f"groups has shape {array.shape}; expected {n} patients, one for each row."
        )
    return np.unique(array, return_inverse=True)[1].reshape(-1)


def _deal(
    events: npt.NDArray[Any],
    size: npt.NDArray[Any],
    n_splits: int,
    rng: np.random.RandomState | None,
) -> Rows:
    """Give each patient, most events first, to the fold with the fewest so far."""
    order = np.arange(len(size)) if rng is None else rng.permutation(len(size))
    order = order[np.lexsort((-size[order], -events[order]))]
    fold = np.empty(len(size), dtype=np.intp)
    have_events, have_rows = np.zeros(n_splits), np.zeros(n_splits)
    for patient in order:
        if events[patient]:
            into = np.lexsort((have_rows, have_events))[0]
        else:
            into = np.argmin(have_rows)
        fold[patient] = into
        have_events[into] += events[patient]
        have_rows[into] += size[patient]
    return fold
