"""A matrix for other tools: Parquet, CSV or npz, its provenance beside it."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd

from sarcfeat._validation import pick
from sarcfeat.exceptions import InvalidInput
from sarcfeat.io import BagRef
from sarcfeat.store.bag_blocks import reference_text
from sarcfeat.store.identity import canonical_json, file_sha256
from sarcfeat.store.matrix import Matrix

__all__ = ["FORMATS", "export_matrix", "safe_cell"]

FORMATS = ("parquet", "csv", "npz")
# What a spreadsheet takes as the beginning of a formula (full-width forms too).
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def export_matrix(matrix: Matrix, path: str | PathLike[str], kind: str | None) -> Path:
    """Write a matrix and, beside it, where it comes from; return the file."""
    target = Path(path)
    kind = pick(kind or target.suffix.lstrip(".").lower(), FORMATS, "export format")
    if not target.parent.is_dir():
        raise InvalidInput(
            f"No folder {target.parent} for {target.name}. Make it first."
        )
    writers: dict[str, Callable[[Matrix, Path], None]] = {
        "parquet": _parquet,
        "csv": _csv,
        "npz": _npz,
    }
    _write(target, lambda file: writers[kind](matrix, file))
    told = {
        "matrix_id": matrix.matrix_id,
        "file": target.name,
        "file_sha256": file_sha256(str(target)),
        "format": kind,
        "shape": list(matrix.X.shape),
        "provenance": json.loads(canonical_json(matrix.provenance)),
        "missing": matrix.missing.to_dict(orient="records"),
    }
    text = json.dumps(told, indent=2, ensure_ascii=False)
    beside = target.with_name(f"{target.name}.provenance.json")
    _write(beside, lambda file: file.write_text(text + "\n", encoding="utf-8"))
    return target


def _write(target: Path, write: Callable[[Path], Any]) -> None:
    """Write to a temporary file, fsync, rename: never half a file under the name."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _table(matrix: Matrix) -> pd.DataFrame:
    """Return one flat table: patient, X, and the outcome at its end."""
    X = matrix.X
    others = X.columns[X.dtypes != np.float64]
    text = {str(name): _text(X[name]) for name in others}
    parts = [X.assign(**text).reset_index()]
    if matrix.y is not None:
        name = f"outcome.{matrix.provenance.get('outcome')}"
        parts.append(
            pd.DataFrame(
                {
                    f"{name}.event": matrix.y["event"].astype(np.int64),
                    f"{name}.time": matrix.y["time"],
                }
            )
        )
    return pd.concat(parts, axis=1)


def _text(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return text cells; a reference to tiles becomes JSON that names its files."""
    cells = column.astype(object).where(column.notna(), None)
    written = [reference_text(c) if isinstance(c, BagRef) else c for c in cells]
    return pd.Series(written, cells.index, dtype=object, name=column.name)


def _parquet(matrix: Matrix, file: Path) -> None:
    table = _table(matrix)
    seen: dict[str, str] = {}
    for name in map(str, table.columns):
        if name.lower() in seen:
            raise InvalidInput(
                f"Parquet readers take {seen[name.lower()]!r} and {name!r} for one "
                "column (letter case aside). Export one of them, or as csv or npz."
            )
        seen[name.lower()] = name
    # A database of its own, in memory: the catalogue's connection reaches no file.
    side = duckdb.connect(":memory:")
    try:
        side.register("matrix", table)
        side.execute("COPY (FROM matrix) TO $1 (FORMAT parquet)", [str(file)])
    finally:
        side.close()


def safe_cell(cell: Any) -> Any:
    """Return text that no spreadsheet runs as a formula; numbers stay numbers.

    Examples
    --------
    >>> safe_cell("=1+1"), safe_cell("grade 2"), safe_cell(-0.5)
    ("'=1+1", 'grade 2', -0.5)
    """
    if isinstance(cell, str) and cell.startswith((*FORMULA, "'")):
        return f"'{cell}"
    return cell


def _csv(matrix: Matrix, file: Path) -> None:
    table = _table(matrix)
    columns: list[list[Any]] = [_cells(table[name]) for name in table.columns]
    with open(file, "w", encoding="utf-8", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow([safe_cell(str(name)) for name in table.columns])
        writer.writerows(zip(*columns, strict=True))


def _cells(column: pd.Series[Any]) -> list[Any]:
    """Write floats so that their bits come back, text so that it stays text."""
    if column.dtype == np.float64:
        return ["" if np.isnan(cell) else repr(cell) for cell in column.tolist()]
    return ["" if cell is None else safe_cell(cell) for cell in column.tolist()]


def _npz(matrix: Matrix, file: Path) -> None:
    X = matrix.X
    numeric = [name for name, kind in X.dtypes.items() if kind == np.float64]
    obs: dict[str, npt.NDArray[Any]] = {
        str(name): _unicode(X[name])
        for name in X.columns.difference(numeric, sort=False)
    }
    if matrix.y is not None:
        obs["event"] = matrix.y["event"].astype(np.int64)
        obs["time"] = matrix.y["time"]
    sets = [_split(str(name), matrix) for name in numeric]
    var = {
        "feature_set": np.array([pair[0] for pair in sets], dtype=np.str_),
        "feature": np.array([pair[1] for pair in sets], dtype=np.str_),
    }
    with open(file, "wb") as opened:
        np.savez(
            opened,
            X=X[numeric].to_numpy(dtype=np.float64),
            obs_names=np.array([str(item) for item in X.index], dtype=np.str_),
            var_names=np.array([str(name) for name in numeric], dtype=np.str_),
            obs=_records(obs, len(X)),
            var=_records(var, len(numeric)),
            uns=np.array(canonical_json({"provenance": matrix.provenance})),
        )


def _unicode(column: pd.Series[Any]) -> npt.NDArray[Any]:
    cells = _text(column)
    return np.array(["" if c is None else str(c) for c in cells], dtype=np.str_)


def _split(name: str, matrix: Matrix) -> tuple[str, str]:
    """Take a column's name apart into its feature set and the feature."""
    sets = [*matrix.provenance.get("feature_sets", {}), "clinical"]
    fits = [one for one in sets if name.startswith(f"{one}.")]
    address = max(fits, key=len, default="")
    return address, name.removeprefix(f"{address}.") if address else name


def _records(columns: dict[str, npt.NDArray[Any]], n: int) -> npt.NDArray[Any]:
    """Return a structured array: what ``pd.DataFrame(archive["obs"])`` takes."""
    found = np.empty(
        n, dtype=[(name, values.dtype) for name, values in columns.items()]
    )
    for name, values in columns.items():
        found[name] = values
    return found
