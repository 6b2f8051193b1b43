"""Checks that every stage shares; the only file with private scikit-learn imports."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils._param_validation import (
    HasMethods,
    Hidden,
    Interval,
    Options,
    StrOptions,
    validate_parameter_constraints,
)

from sarcfeat.exceptions import InvalidInput, MissingDependency, UnknownName

__all__ = [
    "HasMethods",
    "Hidden",
    "Interval",
    "Options",
    "StrOptions",
    "check_params",
    "did_you_mean",
    "listed",
    "missing_dependency",
    "pick",
    "refuse_twins",
    "select_columns",
]


def check_params(estimator: Any) -> None:
    """Check constructor parameters against ``estimator._parameter_constraints``.

    Call at the top of ``fit``. The message is scikit-learn's: "The 'k' parameter
    of MRMR must be an int in the range [1, inf). Got 0 instead."
    """
    validate_parameter_constraints(
        estimator._parameter_constraints,
        estimator.get_params(deep=False),
        caller_name=type(estimator).__name__,
    )


def listed(names: Iterable[Any], limit: int = 5) -> str:
    """Write names for a message: the first few, then how many more.

    Examples
    --------
    >>> listed(["a", "b", "c"], limit=2)
    'a, b and 1 more'
    """
    names = [str(name) for name in names]
    if len(names) <= limit:
        return ", ".join(names)
    return f"{', '.join(names[:limit])} and {len(names) - limit} more"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?`` when a known name is close, else nothing."""
    close = difflib.get_close_matches(str(name), [str(k) for k in known], n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def pick(name: str, known: Iterable[str], kind: str) -> str:
    """Return `name` if it is known; raise :class:`UnknownName` with the near miss.

    Examples
    --------
    >>> pick("mfz", ["mfs", "os"], "endpoint")
    Traceback (most recent call last):
    ...
    sarcfeat.exceptions.UnknownName: No endpoint 'mfz'. Did you mean 'mfs'? ...
    """
    known = list(known)
    if name in known:
        return name
    raise UnknownName(
        f"No {kind} {name!r}.{did_you_mean(name, known)} "
        f"Known: {listed(known, 12) or 'none'}."
    )


def missing_dependency(module: str, extra: str) -> MissingDependency:
    """Build the error for an optional library that is not installed."""
    return MissingDependency(
        f"{module} is not installed. Run: pip install 'sarcfeat[{extra}]'."
    )


def select_columns(X: pd.DataFrame, names: Sequence[str], what: str) -> pd.DataFrame:
    """Return ``X[names]``, aligned by name; name the columns that are missing.

    Extra columns of `X` are left out; the order of `names` is kept.
    """
    refuse_twins(X, what, names)
    absent = [name for name in names if name not in X.columns]
    if absent:
        raise InvalidInput(
            f"{what} was fitted on {len(names)} columns; X lacks {len(absent)} of "
            f"them: {listed(absent)}.{did_you_mean(absent[0], X.columns)} "
            "Give X the columns of the training data."
        )
    return X.loc[:, list(names)]


def refuse_twins(
    X: pd.DataFrame, what: str, names: Iterable[Any] | None = None
) -> None:
    """Refuse a frame with two columns of one name (of some names), with positions."""
    twins = X.columns[X.columns.duplicated()].unique()
    if names is not None:
        twins = twins[twins.isin(list(names))]
    if len(twins):
        at = [i for i, name in enumerate(X.columns) if name == twins[0]]
        raise InvalidInput(
            f"X has {len(at)} columns named {twins[0]!r} (columns {listed(at)}), and "
            f"{what} finds columns by name. Rename or drop all but one"
            f"{'; the same is true of ' + listed(twins[1:]) if len(twins) > 1 else ''}."
        )


def is_frame(X: Any) -> bool:
    """Return whether `X` is a pandas DataFrame."""
    return isinstance(X, pd.DataFrame)


def finite(values: np.ndarray) -> bool:
    """Return whether every number is finite."""
    return bool(np.isfinite(values).all())
