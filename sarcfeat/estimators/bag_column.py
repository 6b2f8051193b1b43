"""From what a user passes as X to one reference to a bag of tiles a patient."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from sarcfeat._validation import did_you_mean, is_frame, listed
from sarcfeat.exceptions import InvalidInput, SarcfeatWarning

__all__ = ["bag_column", "bag_references", "refuse_missing", "with_tiles"]


def is_bag(value: Any) -> bool:
    """Return whether something can be read as a bag of tiles."""
    return hasattr(value, "chunks") and hasattr(value, "count")


def is_missing(value: Any) -> bool:
    """Return whether a patient has no reference."""
    return (
        value is None or value is pd.NA or (isinstance(value, float) and value != value)
    )


def bag_columns(X: pd.DataFrame) -> list[str]:
    """Return the columns that hold references and nothing else but gaps."""
    found = []
    for name in X.columns:
        if X[name].dtype != object:
            continue
        held = [value for value in X[name] if not is_missing(value)]
        if held and all(map(is_bag, held)):
            found.append(name)
    return found


def bag_column(X: pd.DataFrame, asked: str | None, who: str) -> str:
    """Return the column of references: the one asked for, or the only one.

    Raises
    ------
    InvalidInput
        There is none, there are several, or the one asked for holds something else.
    """
    known = bag_columns(X)
    if asked is not None:
        if asked in X.columns and (asked in known or X[asked].isna().all()):
            return asked
        raise InvalidInput(
            f"{who}: bags={asked!r} is no column of references to bags of tiles."
            f"{did_you_mean(asked, known)} X has: {listed(known) or 'none'}."
        )
    if len(known) != 1:
        raise InvalidInput(
            f"{who} needs one column of references to bags of tiles (BagRef), and X "
            f"has {listed(known) or 'none'} among {X.shape[1]} columns. "
            + ("Choose one with bags=." if known else "store.matrix makes one.")
        )
    return known[0]


def bag_references(
    estimator: Any, X: Any, *, reset: bool
) -> tuple[list[Any], list[str]]:
    """Return the reference of each patient (None where missing) and the labels."""
    who = type(estimator).__name__
    if not reset:
        check_is_fitted(estimator)
    if isinstance(X, pd.Series):
        X = X.to_frame(X.name if X.name is not None else "bag")
    if not is_frame(X):
        values = np.asarray(X, dtype=object)
        X = pd.DataFrame(values.reshape(len(values), -1), dtype=object)
        X.columns = [f"x{i}" for i in range(X.shape[1])]
        # An only column may hold nothing but gaps when it is predicted.
        asked = "x0" if not reset and X.shape[1] == 1 else None
    else:
        asked = getattr(estimator, "bags", None)
        if not reset and asked is None and hasattr(estimator, "feature_names_in_"):
            asked = str(estimator.feature_names_in_[0])
    name = bag_column(X, asked, who)
    if reset:
        estimator.n_features_in_ = 1
        estimator.feature_names_in_ = np.array([name], dtype=object)
    refs = [None if is_missing(value) else value for value in X[name]]
    return refs, [str(label) for label in X.index]


def with_tiles(refs: list[Any], regions: Any) -> NDArray[np.bool_]:
    """Return who has at least one tile in the regions."""
    return np.array(
        [ref is not None and ref.count(regions) > 0 for ref in refs], dtype=bool
    )


def refuse_missing(
    estimator: Any, labels: list[str], has: NDArray[np.bool_], *, fitting: bool
) -> None:
    """Refuse patients without tiles, or say what becomes of them.

    To learn from, somebody must have tiles; to be predicted, nobody need.
    """
    if has.all():
        return
    who = [label for label, one in zip(labels, has, strict=True) if not one]
    where = "" if not estimator.regions else f" in {', '.join(estimator.regions)}"
    told = f"{len(who)} of {len(labels)} patients have no tiles{where}: {listed(who)}."
    if estimator.missing == "raise" or (fitting and not has.any()):
        drop = ", or pass missing='drop'" if has.any() or not fitting else ""
        raise InvalidInput(
            f"{type(estimator).__name__}: {told} Leave them out, extract their slides, "
            f"look at the names of the regions{drop}."
        )
    then = "They are given the mean risk in training."
    if fitting:
        then = "They are left out of the training."
    warnings.warn(
        f"{type(estimator).__name__}: {told} {then}", SarcfeatWarning, stacklevel=4
    )
