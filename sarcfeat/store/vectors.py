"""Feature vectors into the catalogue, bit for bit.

Three ways, by what DuckDB does to them: one alone or one with NaN is bound as a list
(an array's NaN would become NULL), many short ones go as arrays, and long ones as
columns of numbers, of which DuckDB makes the lists itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from sarcfeat.store.connection import Connection
from sarcfeat.store.identity import vector_checksum

__all__ = ["Vector", "write_vectors"]

CHUNK = 256
TOGETHER = 64
# From so many numbers on columns are faster; up to so many DuckDB reads them in one
# go, hence in their order.
LONG, LONGEST = 8192, 100_000


class Vector(NamedTuple):
    """The numbers of one unit."""

    unit_id: str
    feature_set_id: str
    values: npt.NDArray[np.float64]


def write_vectors(db: Connection, vectors: Sequence[Vector]) -> None:
    """Append vectors inside the open transaction."""
    # A plain INSERT: duckdb 2.0's INSERT OR IGNORE turns -0.0 into 0.0.
    if len(vectors) == 1:
        _one(db, vectors[0])
        return
    short: list[Vector] = []
    long: dict[int, list[Vector]] = {}
    for vector in vectors:
        n = len(vector.values)
        if np.isnan(vector.values).any():
            _one(db, vector)
        elif LONG <= n <= LONGEST:
            long.setdefault(n, []).append(vector)
        else:
            short.append(vector)
    for start in range(0, len(short), CHUNK):
        _short(db, short[start : start + CHUNK])
    for alike in long.values():
        for start in range(0, len(alike), TOGETHER):
            _long(db, alike[start : start + TOGETHER])


def _one(db: Connection, vector: Vector) -> None:
    db.update(
        "INSERT INTO feature_vector (unit_id, feature_set_id, v, "
        "n_missing, checksum, commit_no) VALUES (?, ?, ?::DOUBLE[], ?, ?, ?)",
        [
            vector.unit_id,
            vector.feature_set_id,
            vector.values.tolist(),
            int(np.isnan(vector.values).sum()),
            vector_checksum(vector.values),
            db.commit_no,
        ],
    )


def _short(db: Connection, vectors: Sequence[Vector]) -> None:
    db.insert_arrays("feature_vector", {**_keys(vectors), "v": _values(vectors)})


def _values(vectors: Sequence[Vector]) -> list[npt.NDArray[np.float64]]:
    return [vector.values for vector in vectors]


def _keys(vectors: Sequence[Vector]) -> dict[str, list[object]]:
    return {
        "unit_id": [vector.unit_id for vector in vectors],
        "feature_set_id": [vector.feature_set_id for vector in vectors],
        "n_missing": [0] * len(vectors),
        "checksum": [vector_checksum(vector.values) for vector in vectors],
    }


def _side_by_side(vectors: Sequence[Vector]) -> pd.DataFrame:
    """Return a column a vector and, in `place`, where in them each row stands."""
    columns = [f"c{i}" for i in range(len(vectors))]
    numbers = pd.DataFrame(np.stack(_values(vectors)).T, columns=columns, copy=False)
    return numbers.assign(place=np.arange(len(numbers)))


def _long(db: Connection, vectors: Sequence[Vector]) -> None:
    """Write vectors of one length: a column of numbers each, turned into lists."""
    numbers = _side_by_side(vectors)
    keys = pd.DataFrame({**_keys(vectors), "i": range(len(vectors))})
    lists = ", ".join(f"{{'i': {i}, 'v': list(c{i})}}" for i in range(len(vectors)))
    # All columns are read together: where `place` is in order, each of them is. Where
    # it is not, nothing is left to join, and v NOT NULL stops the transaction.
    db.insert_from(
        "INSERT INTO feature_vector (unit_id, feature_set_id, v, n_missing, checksum, "
        "commit_no) SELECT k.unit_id, k.feature_set_id, w.one.v, k.n_missing, "
        f"k.checksum, ? FROM keys k LEFT JOIN (SELECT unnest([{lists}]) AS one "
        f"FROM numbers HAVING list(place) = range({len(numbers)})) w ON w.one.i = k.i",
        {"numbers": numbers, "keys": keys},
    )
