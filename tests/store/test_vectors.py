"""Vectors of every length come back bit for bit, in their order."""

import duckdb
import numpy as np
import pytest

from sarcfeat import FeatureStore
from sarcfeat.store import vectors as module
from sarcfeat.store.identity import vector_checksum
from sarcfeat.store.vectors import LONG, Vector, write_vectors

ODD = (-0.0, 0.0, np.inf, -np.inf, 5e-324, -1.7976931348623157e308, 0.1)


@pytest.fixture(scope="module")
def db(tmp_path_factory):
    with FeatureStore(tmp_path_factory.mktemp("vectors") / "study") as store:
        yield store._open


def vector(name, n, *, nan=False):
    values = np.random.default_rng([n, *name.encode()]).normal(size=n)
    values[: len(ODD)] = ODD
    if nan:
        values[-1] = np.nan
    return Vector(name, f"set of {n}", values)


def read(db, names):
    rows = db.rows(
        "SELECT unit_id, feature_set_id, v, n_missing, checksum FROM feature_vector "
        "WHERE list_contains(?::VARCHAR[], unit_id)",
        [names],
    )
    return {row[0]: row[1:] for row in rows}


@pytest.mark.parametrize("n", [7, 200, LONG - 1, LONG, LONG + 1])
def test_bits_and_order_come_back(db, n):
    given = [vector(f"{n}-{i}", n, nan=i == 3) for i in range(70)]
    with db.commit("vectors"):
        write_vectors(db, given)
    found = read(db, [v.unit_id for v in given])
    assert len(found) == 70
    for v in given:
        feature_set, numbers, missing, checksum = found[v.unit_id]
        assert np.array(numbers).tobytes() == v.values.tobytes()
        assert checksum == vector_checksum(v.values)
        assert (feature_set, missing) == (f"set of {n}", int(v.unit_id == f"{n}-3"))


def test_lengths_may_be_mixed(db):
    given = [vector(f"m{i}", n) for i, n in enumerate((9000, 50, 9001, 9000, 50))]
    with db.commit("vectors"):
        write_vectors(db, given)
    found = read(db, [v.unit_id for v in given])
    for v in given:
        assert np.array(found[v.unit_id][1]).tobytes() == v.values.tobytes()


def test_numbers_out_of_order_are_refused(db, monkeypatch):
    original = module._side_by_side

    def turned(vectors):
        numbers = original(vectors)
        return type(numbers)({name: numbers[name].to_numpy()[::-1] for name in numbers})

    monkeypatch.setattr(module, "_side_by_side", turned)
    before = db.commit_no
    with pytest.raises(duckdb.ConstraintException), db.commit("vectors"):
        write_vectors(db, [vector("x", LONG), vector("y", LONG)])
    assert read(db, ["x", "y"]) == {}
    assert db.commit_no == before
