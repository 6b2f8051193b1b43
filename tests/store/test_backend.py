"""The small interface behind the store, and that DuckDB keeps it."""

import inspect
import typing

import numpy as np
import pytest

from sarcfeat import FeatureStore
from sarcfeat.store.backend import Backend, DuckDBBackend
from sarcfeat.store.inbox import RunFolder
from sarcfeat.store.units import Result, register_extractor
from tests.store.fakes import FakeEncoder

VERBS = ["anti_join", "append_units", "begin", "fetch_matrix", "snapshot"]


def test_five_verbs_without_a_type_of_duckdb():
    verbs = [n for n, f in vars(Backend).items() if inspect.isfunction(f)]
    assert sorted(v for v in verbs if not v.startswith("_")) == VERBS
    for verb in VERBS:
        hints = typing.get_type_hints(getattr(Backend, verb))
        assert "duckdb" not in str(hints).lower()
        assert "Connection" not in str(hints)
        mine = inspect.signature(getattr(DuckDBBackend, verb))
        assert mine == inspect.signature(getattr(Backend, verb))


def test_duckdb_keeps_them(study, tmp_path):
    backend = DuckDBBackend(study._open, study.path)
    assert isinstance(backend, Backend)
    encoder = FakeEncoder()
    extractor = register_extractor(study._open, encoder)
    tasks = backend.anti_join(extractor, ["P001", "P002"], None)
    assert [task.patient for task in tasks] == ["P001", "P001", "P002", "P002"]
    folder = RunFolder(str(tmp_path / "run"), "store", "run", extractor)
    values = np.array([-0.0, np.nan])
    results = [Result(task, 0.1, ("mean", "sd"), values) for task in tasks]
    with backend.begin("two patients") as number:
        assert backend.append_units(encoder, folder, results) == []
        assert number == study.version
    assert backend.append_units(encoder, folder, results) == []
    assert backend.anti_join(extractor, ["P001", "P002"], None) == []
    units = [task.unit_id for task in reversed(tasks)]
    X = backend.fetch_matrix([*units, "none"], ["sd", "mean", "max"], "fake.t1")
    assert X.shape == (5, 3)
    assert X[:4, 1].tobytes() == np.full(4, -0.0).tobytes()
    assert np.isnan(X[:, [0, 2]]).all()
    assert np.isnan(X[4]).all()
    assert backend.fetch_matrix([], ["sd"], "fake.t1").shape == (0, 1)
    assert backend.snapshot().exists()
    with FeatureStore(study.path, read_only=True) as store:
        assert int(store.status().loc["units", "count"]) == 4


def test_a_transaction_is_whole_or_not_at_all(study):
    backend = DuckDBBackend(study._open, study.path)
    before = study.version

    def half():
        with backend.begin("half"):
            study._open.update("DELETE FROM mask")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()
    assert study.version == before
    assert int(study.status().loc["masks", "count"]) == 12
