"""Fragments: what a worker hands in, one durable file a unit of work.

Workers never open the catalogue. Each writes its unit to a file of its own
(temporary name, fsync, rename) in the folder of its run; the one process that holds
the catalogue reads it in. A fragment stays until the catalogue has been checkpointed,
so that no finished unit hangs on a write-ahead log.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from sarcfeat.exceptions import DiskFull, StoreError
from sarcfeat.store.identity import canonical_json, digest, vector_checksum
from sarcfeat.store.units import Encoder, Result, SlideEncoder, Task

__all__ = [
    "FORMAT",
    "FULL",
    "BadFragment",
    "Described",
    "RunFolder",
    "disk_full",
    "write_durably",
]

FORMAT = "sarcfeat-fragment-1"
DESCRIPTION = ("image_filter", "family", "ibsi", "unit")
SUFFIX = ".safetensors"
FULL = (errno.ENOSPC, errno.EDQUOT)


class BadFragment(StoreError):
    """A file in the inbox is damaged, or belongs to another store or schema."""


@dataclass(frozen=True)
class Described:
    """What a run wrote down of its encoder: enough to ingest without it."""

    name: str
    features: dict[str, dict[str, Any]] = field(default_factory=dict)

    def describe_feature(self, name: str) -> dict[str, Any]:
        """Return image_filter, family, ibsi and unit of a feature."""
        return self.features[name]


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run in the inbox; light, and safe to send to a worker.

    Parameters
    ----------
    path : str
        ``<store>/inbox/<run id>``.
    store_id, run_id, extractor_id : str
        Where its fragments belong.
    """

    path: str
    store_id: str
    run_id: str
    extractor_id: str

    def start(self, told: dict[str, Any]) -> None:
        """Create the folder and keep what its run and extractor are."""
        Path(self.path).mkdir(parents=True, exist_ok=True)
        told = {
            "format": FORMAT,
            "store_id": self.store_id,
            "run_id": self.run_id,
            "extractor_id": self.extractor_id,
            **told,
        }
        _write_json(Path(self.path) / "run.json", told)

    @classmethod
    def open(cls, path: Path, store_id: str) -> tuple[RunFolder, dict[str, Any]]:
        """Read a folder that an earlier process left behind."""
        told = _json(path / "run.json")
        _refuse_stranger(path / "run.json", told, store_id)
        folder = cls(str(path), store_id, told["run_id"], told["extractor_id"])
        return folder, told

    def fragments(self) -> list[Path]:
        """Return the fragments in the folder, by name."""
        return sorted(Path(self.path).glob(f"*{SUFFIX}"))

    def write(self, encoder: Encoder | SlideEncoder, result: Result) -> Path:
        """Hand in one unit; return its fragment once it is on the disk."""
        names = list(result.names)
        named = digest("names", names)
        if result.ok and result.bag is None:
            self._keep_names(cast(Encoder, encoder), named, names)
        told = {} if result.bag is None else {"bag": result.bag}
        unit = canonical_json(
            {
                **told,
                "task": result.task._asdict(),
                "seconds": result.seconds,
                "warnings": list(result.warnings),
                "error_code": result.error_code,
                "error_text": result.error_text,
                "names": named,
                "run_id": self.run_id,
                "extractor_id": self.extractor_id,
            }
        )
        checksum = digest(unit, vector_checksum(result.values))
        marks = {"format": FORMAT, "store_id": self.store_id}
        metadata = {**marks, "unit": unit, "checksum": checksum}
        values = np.ascontiguousarray(result.values, dtype="<f8")
        path = Path(self.path) / f"{result.task.unit_id}{SUFFIX}"
        write_durably(path, save({"values": values}, metadata=metadata))
        return path

    def _keep_names(self, encoder: Encoder, named: str, names: list[str]) -> None:
        path = self._names_file(named)
        if path.exists():
            return
        described = {name: encoder.describe_feature(name) for name in names}
        columns = {
            key: [described[name].get(key) for name in names] for key in DESCRIPTION
        }
        _write_json(path, {"names": names, "described": columns})

    def _names_file(self, named: str) -> Path:
        return Path(self.path) / f"names-{named}.json"

    def read(self, path: Path, names: dict[str, tuple[str, ...]]) -> Result:
        """Read one fragment back; `names` is filled with the feature names seen.

        Raises
        ------
        BadFragment
            The file is damaged or another store's; the message says which.
        """
        metadata, values = _load(path)
        _refuse_stranger(path, metadata, self.store_id)
        text = metadata.get("unit", "")
        if digest(text, vector_checksum(values)) != metadata.get("checksum"):
            raise BadFragment(f"{path.name} is damaged: its checksum does not fit.")
        unit = json.loads(text)
        for key in ("run_id", "extractor_id"):
            if unit[key] != getattr(self, key):
                raise BadFragment(
                    f"{path.name} is of {key} {unit[key]}, the folder of "
                    f"{getattr(self, key)}."
                )
        named = unit["names"]
        vector = unit["error_code"] is None and "bag" not in unit
        if vector and named not in names:
            names[named] = tuple(_json(self._names_file(named))["names"])
        return Result(
            task=Task(**unit["task"]),
            seconds=unit["seconds"],
            names=names.get(named, ()),
            values=values,
            warnings=tuple(unit["warnings"]),
            error_code=unit["error_code"],
            error_text=unit["error_text"],
            bag=unit.get("bag"),
        )

    def described(self, encoder_name: str) -> Described:
        """Return the encoder as far as its run wrote it down."""
        found: dict[str, dict[str, Any]] = {}
        for path in Path(self.path).glob("names-*.json"):
            told = _json(path)
            columns = told["described"]
            for i, name in enumerate(told["names"]):
                found[name] = {key: columns[key][i] for key in DESCRIPTION}
        return Described(encoder_name, found)

    def remove(self, paths: Iterable[Path]) -> None:
        """Remove fragments that a checkpointed catalogue holds."""
        for path in paths:
            path.unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove the whole folder, what explains the fragments last."""
        folder = Path(self.path)
        self.remove(self.fragments())
        self.remove(folder.glob("names-*.json"))
        self.remove([folder / "run.json"])
        shutil.rmtree(folder, ignore_errors=True)


def _load(path: Path) -> tuple[dict[str, str], npt.NDArray[np.float64]]:
    try:
        with safe_open(path, framework="numpy") as file:
            return file.metadata() or {}, file.get_tensor("values")
    except (SafetensorError, OSError, ValueError) as error:
        raise BadFragment(f"{path.name} is damaged: {error}.") from error


def _write_json(path: Path, told: dict[str, Any]) -> None:
    sealed = {**told, "checksum": digest(told)}
    write_durably(path, canonical_json(sealed).encode())


def _json(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise BadFragment(f"{path.name} is missing beside its fragments.") from error
    except ValueError as error:
        raise BadFragment(f"{path.name} is damaged: {error}.") from error
    if not isinstance(told, dict) or told.pop("checksum", None) != digest(told):
        raise BadFragment(f"{path.name} is damaged: its checksum does not fit.")
    return told


def _refuse_stranger(path: Path, told: dict[str, Any], store_id: str) -> None:
    if told.get("format") != FORMAT:
        raise BadFragment(
            f"{path.name} has schema {told.get('format')!r}; this sarcfeat reads "
            f"{FORMAT!r}."
        )
    if told.get("store_id") != store_id:
        raise BadFragment(
            f"{path.name} belongs to store {told.get('store_id')}; this is {store_id}."
        )


def write_durably(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole, or not at all.

    Raises
    ------
    DiskFull
        The bytes needed are named.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        if error.errno in FULL:
            raise disk_full(path, len(content)) from error
        raise


def disk_full(path: Path, needed: int) -> DiskFull:
    """Say what a full disk needs, and that nothing is lost."""
    free = shutil.disk_usage(path.parent).free
    return DiskFull(
        f"No space left for {path}: {needed:,} bytes needed, {free:,} free. Make "
        "space and run the same command again: all that was finished is kept."
    )
