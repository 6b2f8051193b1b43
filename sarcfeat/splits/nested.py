"""Nested cross-validation: choices are made inside, judged outside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_random_state

from sarcfeat.exceptions import NoEvents
from sarcfeat.splits.event_stratified import (
    EventStratifiedKFold,
    RepeatedEventStratifiedKFold,
)
from sarcfeat.survival import check_y

__all__ = ["NestedSplit", "nested"]


class NestedSplit(NamedTuple):
    """One outer fold, and the splitter to use on its training patients."""

    repeat: int
    fold: int
    train: npt.NDArray[np.intp]
    test: npt.NDArray[np.intp]
    inner: EventStratifiedKFold


def nested(
    X: Any,
    y: Any,
    *,
    outer: int = 5,
    inner: int = 5,
    n_repeats: int = 3,
    groups: Any = None,
    random_state: Any = None,
) -> Iterator[NestedSplit]:
    """Yield the outer folds, each with an inner splitter that has its own seed.

    Parameters
    ----------
    X : array-like of shape (n_rows, n_features)
    y : structured array (event, time), shape (n_rows,)
    outer, inner : int
        Number of outer and of inner folds.
    n_repeats : int
        How often the outer folds are drawn.
    groups : array-like, shape (n_rows,), optional
        The patient of each row; hand ``groups[train]`` to the inner splitter too.
    random_state : int, RandomState or None
        Seed of everything, inner splitters included.

    Yields
    ------
    NestedSplit
        ``(repeat, fold, train, test, inner)``.

    Raises
    ------
    NoEvents
        A training set has fewer events than inner folds; repeat and fold are named.

    References
    ----------
    Varma & Simon, BMC Bioinformatics 2006.

    Examples
    --------
    >>> from sarcfeat import make_y
    >>> y = make_y([1, 1, 1, 1, 0, 0, 0, 0], range(1, 9))
    >>> splits = list(nested(np.zeros((8, 1)), y, outer=2, inner=2, n_repeats=1,
    ...                      random_state=0))
    >>> splits[0].fold, len(splits[0].train), splits[0].inner.n_splits
    (0, 4, 2)
    """
    rng = check_random_state(random_state)
    seed = int(rng.randint(2**31 - 1))
    splitter = RepeatedEventStratifiedKFold(outer, n_repeats, random_state=seed)
    event, _ = check_y(y)
    for number, (train, test) in enumerate(splitter.split(X, y, groups)):
        repeat, fold = divmod(number, outer)
        if event[train].sum() < inner:
            raise NoEvents(
                f"The training set of repeat {repeat}, fold {fold} has "
                f"{int(event[train].sum())} events; {inner} inner folds need at least "
                f"{inner}. Use fewer inner folds or an endpoint with more events."
            )
        own = int(rng.randint(2**31 - 1))
        within = EventStratifiedKFold(inner, random_state=own)
        yield NestedSplit(repeat, fold, train, test, within)
