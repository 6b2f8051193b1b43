"""The files people keep features in: how each writes a table and reads it back."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

__all__ = ["PEERS", "Peer"]

# As many lines has each patient's table: three sequences by two readers.
READINGS = 6


@dataclass(frozen=True)
class Peer:
    """A habit of keeping features; `habit` is the one to beat twentyfold."""

    name: str
    module: str
    write: Callable[[Path, pd.DataFrame], Path]
    read: Callable[[Path], pd.DataFrame]
    repeats: int = 5
    habit: bool = False
    note: str = ""

    def installed(self) -> bool:
        """Whether its library is here."""
        return importlib.util.find_spec(self.module) is not None


def _write_parquet(folder: Path, frame: pd.DataFrame) -> Path:
    path = folder / "peer.parquet"
    frame.reset_index().to_parquet(path)
    return path


def _read_parquet(path: Path) -> pd.DataFrame:
    return pd.read_parquet(path).set_index("patient")


def _write_hdf5(folder: Path, frame: pd.DataFrame) -> Path:
    import h5py

    path = folder / "peer.h5"
    with h5py.File(path, "w") as file:
        file["X"] = frame.to_numpy()
        file["patient"] = np.array(frame.index, dtype="S")
        file["feature"] = np.array(frame.columns, dtype="S")
    return path


def _read_hdf5(path: Path) -> pd.DataFrame:
    import h5py

    with h5py.File(path) as file:
        rows, columns = file["patient"].asstr()[:], file["feature"].asstr()[:]
        return pd.DataFrame(file["X"][:], index=rows, columns=columns)


def _write_npz(folder: Path, frame: pd.DataFrame) -> Path:
    path = folder / "peer.npz"
    labels = {"rows": list(frame.index), "columns": list(frame.columns)}
    np.savez(path, X=frame.to_numpy(), **{k: np.array(v) for k, v in labels.items()})
    return path


def _read_npz(path: Path) -> pd.DataFrame:
    with np.load(path, allow_pickle=False) as file:
        return pd.DataFrame(file["X"], index=file["rows"], columns=file["columns"])


def _write_long(folder: Path, frame: pd.DataFrame) -> Path:
    path = folder / "peer_long.duckdb"
    long = frame.reset_index().melt("patient", var_name="feature")
    db = duckdb.connect(str(path))
    db.register("frame", long)
    db.execute("CREATE TABLE long AS FROM frame").fetchall()
    db.close()
    return path


def _read_long(path: Path) -> pd.DataFrame:
    db = duckdb.connect(str(path), read_only=True)
    columns = db.execute("SELECT patient, feature, value FROM long").fetchnumpy()
    db.close()
    return pd.DataFrame(columns).pivot(
        index="patient", columns="feature", values="value"
    )


def _write_csvs(folder: Path, frame: pd.DataFrame) -> Path:
    place = folder / "peer_csvs"
    place.mkdir()
    for start in range(0, len(frame), READINGS):
        part = frame.iloc[start : start + READINGS]
        part.to_csv(place / f"{part.index[0]}.csv")
    return place


def _read_csvs(place: Path) -> pd.DataFrame:
    paths = sorted(place.glob("*.csv"))
    return pd.concat([pd.read_csv(path, index_col="patient") for path in paths])


def _write_lines(folder: Path, frame: pd.DataFrame) -> Path:
    place = folder / "peer_lines"
    place.mkdir()
    for patient, values in frame.iterrows():
        values.rename("value").to_csv(place / f"{patient}.csv", index_label="feature")
    return place


def _read_lines(place: Path) -> pd.DataFrame:
    parts = {
        path.stem: pd.read_csv(path, index_col="feature")["value"]
        for path in sorted(place.glob("*.csv"))
    }
    return pd.DataFrame(parts).T


PEERS = (
    Peer("Parquet through pandas", "pyarrow", _write_parquet, _read_parquet),
    Peer("HDF5", "h5py", _write_hdf5, _read_hdf5),
    Peer("npz", "numpy", _write_npz, _read_npz),
    Peer("long table in DuckDB", "duckdb", _write_long, _read_long, repeats=2),
    Peer(
        "a CSV a patient",
        "pandas",
        _write_csvs,
        _read_csvs,
        repeats=2,
        habit=True,
        note=f"a line a reading, {READINGS} of them (3 sequences × 2 readers)",
    ),
    Peer(
        "a CSV a reading, a line a feature",
        "pandas",
        _write_lines,
        _read_lines,
        repeats=2,
    ),
)
