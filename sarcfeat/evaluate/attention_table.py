"""Which tiles a model looked at: one row a tile, with its place and its weight."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from sarcfeat._validation import listed, pick
from sarcfeat.estimators.bag_column import bag_references
from sarcfeat.exceptions import InvalidInput

__all__ = ["attention_table", "extreme_tiles"]

_COLUMNS = [
    "patient",
    "slide",
    "x",
    "y",
    "region",
    "weight",
    "rank",
    "relative",
    "percentile",
]
_OVER = ("patient", "cohort")


def attention_table(model: Any, X: Any) -> pd.DataFrame:
    """Say how much each tile counted for the risk of its patient, and where it lies.

    Parameters
    ----------
    model : AttentionMIL or another fitted model on bags with ``attention``
    X : DataFrame with a column of BagRef, or array of them
        One row a patient.

    Returns
    -------
    DataFrame
        One row a tile, in the order of the bags: ``patient, slide, x, y`` (upper left
        corner in pixels of level 0), ``region`` (empty text for none), ``weight``
        (attention; sums to one over a patient), ``rank`` (1 is the highest of the
        patient), ``relative`` (weight against the mean of the patient's tiles: 1 is
        average, and patients with few and many tiles compare) and ``percentile`` (of
        the patient's tiles, 0 lowest to 100 highest). Patients without tiles have no
        rows.

    Raises
    ------
    InvalidInput
        The model has no attention, or a patient comes twice.

    References
    ----------
    Ilse, Tomczak & Welling, ICML 2018.

    Examples
    --------
    >>> from sarcfeat import make_y
    >>> from sarcfeat.estimators import AttentionMIL
    >>> from sarcfeat.io import BagArray
    >>> rng = np.random.default_rng(0)
    >>> names = [f"P{i}" for i in range(12)]
    >>> bags = {name: BagArray(name, rng.normal(size=(5, 2))) for name in names}
    >>> X = pd.DataFrame({"cnn.bag": pd.Series(bags, dtype=object)})
    >>> y = make_y(np.ones(12), np.arange(1, 13))
    >>> model = AttentionMIL(epochs=2, validation=None).fit(X, y)
    >>> table = attention_table(model, X)
    >>> table.shape, sorted(table["rank"][:5])
    ((60, 9), [1, 2, 3, 4, 5])
    >>> round(float(table.groupby("patient")["weight"].sum().max()), 9)
    1.0
    """
    if not hasattr(model, "attention"):
        raise InvalidInput(
            f"{type(model).__name__} weighs no tiles. Pass a fitted AttentionMIL (of a "
            "pipeline, its last step)."
        )
    refs, labels = bag_references(model, X, reset=False)
    twice = pd.Index(labels)[pd.Index(labels).duplicated()].unique()
    if len(twice):
        raise InvalidInput(
            f"X has these patients twice: {listed(twice)}. Give one row a patient."
        )
    weights = model.attention(X)
    regions = getattr(model, "regions", None)
    parts = [
        _of_patient(label, ref.places(regions), weights[label])
        for ref, label in zip(refs, labels, strict=True)
        if len(weights[label])
    ]
    if not parts:
        return pd.DataFrame(columns=_COLUMNS)
    return pd.concat(parts, ignore_index=True)


def _of_patient(label: str, places: pd.DataFrame, weight: Any) -> pd.DataFrame:
    weight = np.asarray(weight, dtype=np.float64)
    n = len(weight)
    rank = np.empty(n, np.int64)
    rank[np.argsort(-weight, kind="stable")] = np.arange(1, n + 1)
    told = places.assign(
        patient=label,
        weight=weight,
        rank=rank,
        relative=weight * n,
        percentile=100.0 * (n - rank) / max(n - 1, 1),
    )
    return told[_COLUMNS]


def extreme_tiles(
    table: pd.DataFrame,
    k: int = 10,
    *,
    over: str = "patient",
    by: str = "relative",
) -> pd.DataFrame:
    """Keep the highest and the lowest tiles of each patient, or of the cohort.

    Parameters
    ----------
    table : DataFrame
        As :func:`attention_table` returns it.
    k : int
        Tiles at each end; of fewer than ``2 k`` tiles, half go to each end.
    over : {"patient", "cohort"}
        Whose extremes.
    by : str
        Column that orders the tiles.

    Returns
    -------
    DataFrame
        The rows with ``end`` (``"highest"`` or ``"lowest"``) and ``place`` (1 is the
        most extreme), highest first.

    Raises
    ------
    InvalidInput
        `k` is no number from 1.
    UnknownName
        No such column, or `over` is neither.

    Examples
    --------
    >>> table = pd.DataFrame({"patient": list("aaab"), "relative": [1, 3, 2, 4.0]})
    >>> extreme_tiles(table, 1).values.tolist()
    [['a', 3.0, 'highest', 1], ['a', 1.0, 'lowest', 1], ['b', 4.0, 'highest', 1]]
    """
    pick(over, _OVER, "choice of over")
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise InvalidInput(f"k is {k!r}; expected a number of tiles from 1.")
    for name in ("patient", by):
        pick(name, list(map(str, table.columns)), "column")
    if over == "cohort":
        return _ends(table, by, k)
    parts = [_ends(part, by, k) for _, part in table.groupby("patient", sort=False)]
    return pd.concat(parts, ignore_index=True) if parts else _ends(table, by, k)


def _ends(table: pd.DataFrame, by: str, k: int) -> pd.DataFrame:
    order = np.argsort(-table[by].to_numpy(dtype=float), kind="stable")
    high = min(k, -(-len(order) // 2))
    low = min(k, len(order) - high)
    rows = np.concatenate([order[:high], order[len(order) - low :]])
    place = [*range(1, high + 1), *range(low, 0, -1)]
    kept = table.iloc[rows].reset_index(drop=True)
    return kept.assign(end=["highest"] * high + ["lowest"] * low, place=place)
