"""Readings as an axis: patients × readers × sessions × features, for the ICC."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sarcfeat._validation import listed
from sarcfeat.exceptions import InvalidInput, StoreError, UnknownName
from sarcfeat.store.cohorts import Members
from sarcfeat.store.connection import Connection
from sarcfeat.store.features import choose_extractor, read_catalogue, resolve
from sarcfeat.store.selection import candidates, choose, phase_of, vectors

__all__ = ["Readings", "build_readings", "readings_problem"]

LEVELS = ["patient", "reader", "session"]


class Readings:
    """Repeated readings of the same lesions: a light handle, loaded when needed.

    It holds the path of a file, not its numbers, so that a saved model keeps no
    patient's data, and copies and workers cost nothing. `FeatureStore.readings` and
    :meth:`from_frame` make one.

    Parameters
    ----------
    path : str, optional
        The file that ``FeatureStore.readings`` wrote.

    Examples
    --------
    >>> frame = pd.DataFrame(
    ...     {"patient": ["P1", "P1"], "reader": ["A", "B"], "session": [1, 1],
    ...      "radiomics.t1.mean": [1.0, 1.5]}
    ... ).set_index(["patient", "reader", "session"])
    >>> Readings.from_frame(frame)
    <Readings: 1 patients, 2 readers, 1 sessions, 1 features>
    """

    def __init__(self, path: str) -> None:
        self._path: str | None = path
        self._frame: pd.DataFrame | None = None

    @classmethod
    def from_frame(cls, frame: pd.DataFrame) -> Readings:
        """Take readings from a frame, for use without a store.

        Parameters
        ----------
        frame : DataFrame
            Rows indexed by (patient, reader, session), one column a feature.

        Raises
        ------
        InvalidInput
            The index has other levels, or a reading is there twice.
        """
        if list(frame.index.names) != LEVELS:
            raise InvalidInput(
                f"Readings are indexed by {LEVELS}; got {list(frame.index.names)}. Use "
                f"frame.set_index({LEVELS})."
            )
        if not frame.index.is_unique:
            twice = frame.index[frame.index.duplicated()].unique()
            raise InvalidInput(f"Readings are there twice: {listed(twice, 3)}.")
        made = cls.__new__(cls)
        made._path = None
        made._frame = frame.sort_index()
        return made

    def load(self, patients: Iterable[str] | None = None) -> pd.DataFrame:
        """Return the readings of some patients, or of all.

        Parameters
        ----------
        patients : iterable of str, optional
            Ids; those without a reading are left out.

        Returns
        -------
        DataFrame
            Rows indexed by (patient, reader, session), columns
            ``<feature set>.<feature>``; NaN where a reading lacks a feature.
        """
        frame = self._loaded()
        if patients is None:
            return frame.copy()
        wanted = {str(patient) for patient in patients}
        rows = frame.index.get_level_values("patient").isin(list(wanted))
        return frame.loc[rows].copy()

    @property
    def feature_names(self) -> list[str]:
        """The columns of :meth:`load`."""
        return [str(name) for name in self._loaded().columns]

    def _loaded(self) -> pd.DataFrame:
        if self._frame is None:
            self._frame = _read(str(self._path))
        return self._frame

    def __repr__(self) -> str:
        frame = self._loaded()
        counts = [frame.index.get_level_values(level).nunique() for level in LEVELS]
        return (
            f"<Readings: {counts[0]} patients, {counts[1]} readers, "
            f"{counts[2]} sessions, {frame.shape[1]} features>"
        )

    def __sklearn_clone__(self) -> Readings:
        """Return itself: scikit-learn clones estimators often and this is read-only."""
        return self

    def __copy__(self) -> Readings:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Readings:
        return self

    def __getstate__(self) -> dict[str, Any]:
        """Pickle the path alone; numbers only when there is no file."""
        kept = self._frame if self._path is None else None
        return {"_path": self._path, "_frame": kept}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Readings):
            return NotImplemented
        if self._path is not None or other._path is not None:
            return self._path == other._path
        return self is other or self._loaded().equals(other._loaded())

    def __hash__(self) -> int:
        return hash(self._path) if self._path is not None else id(self)


def build_readings(
    db: Connection,
    folder: Path,
    members: Members,
    feature_sets: str | Sequence[str],
    extractor: str | Mapping[str, str] | None,
) -> Readings:
    """Collect every reader's and session's values and write them beside the store."""
    catalogue = read_catalogue(db)
    request = resolve(catalogue, feature_sets)
    if request.bags:
        raise InvalidInput(
            f"{request.bags[0]!r} gives bags of tiles, which no reader draws: readings "
            "are of images and their masks. Ask for a feature set such as "
            "'radiomics.t1'."
        )
    if request.clinical or not request.sets:
        raise UnknownName(
            f"Readings are of feature sets; got {feature_sets!r}. Known: "
            f"{listed(catalogue.names, 12) or 'none'}."
        )
    parts = [
        _one_set(
            db,
            members,
            address,
            names,
            choose_extractor(catalogue, address, extractor),
        )
        for address, names in request.sets.items()
    ]
    frame = pd.concat(parts, axis=1).sort_index()
    return Readings(_write(folder, frame))


def _one_set(
    db: Connection, members: Members, address: str, names: list[str], extractor: str
) -> pd.DataFrame:
    found = candidates(db, phase_of(db, address), extractor, members.patients)
    groups: dict[tuple[str, str, int], list[Any]] = {}
    for c in found:
        if c.unit_id is not None:
            groups.setdefault((c.patient, c.reader, c.session), []).append(c)
    picked = {
        key: best.unit_id
        for key, mine in groups.items()
        if (best := choose(mine, members.index_time[key[0]], "index_time")) is not None
    }
    numbers = vectors(db, [str(unit) for unit in picked.values()], names, address)
    values = np.array([numbers[str(unit)] for unit in picked.values()])
    return pd.DataFrame(
        values.reshape(len(picked), len(names)),
        index=_index(list(picked)),
        columns=pd.Index([f"{address}.{name}" for name in names], dtype="str"),
    )


def _index(keys: Sequence[tuple[str, str, int]]) -> pd.MultiIndex:
    return pd.MultiIndex.from_arrays(
        [
            pd.Index([key[0] for key in keys], dtype="str"),
            pd.Index([key[1] for key in keys], dtype="str"),
            pd.Index([key[2] for key in keys], dtype="int64"),
        ],
        names=LEVELS,
    )


def _write(folder: Path, frame: pd.DataFrame) -> str:
    """Write an archive named by its content: temporary file, fsync, rename."""
    keys = [[str(p), str(r), int(s)] for p, r, s in frame.index]
    labels = json.dumps({"rows": keys, "columns": list(frame.columns)}).encode()
    values = np.ascontiguousarray(frame.to_numpy(dtype="<f8"))
    state = hashlib.blake2b(labels, digest_size=16)
    state.update(values.data)
    folder.mkdir(exist_ok=True)
    path = folder / f"{state.hexdigest()}.npz"
    if not path.exists():
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        with open(temporary, "wb") as file:
            file.write(_archive(labels, values))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    return str(path.resolve())


def _archive(labels: bytes, values: npt.NDArray[np.float64]) -> bytes:
    """Return the bytes of an npz archive: the same each time, without a date."""
    # Labels as JSON bytes: a text array would cut trailing NULs and pad to the
    # longest name.
    parts = {"labels": np.frombuffer(labels, np.uint8), "values": values}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, part in parts.items():
            held = io.BytesIO()
            np.lib.format.write_array(held, np.asarray(part), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), held.getvalue())
    return buffer.getvalue()


def readings_problem(path: Path) -> tuple[list[str], str | None]:
    """Return the patients in a file of readings, and what is wrong with it."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            labels = archive["labels"].tobytes()
            values = np.ascontiguousarray(archive["values"], dtype="<f8")
        patients = sorted({str(row[0]) for row in json.loads(labels)["rows"]})
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        return [], f"{path} cannot be read: {error}"
    state = hashlib.blake2b(labels, digest_size=16)
    state.update(values.data)
    same = path.read_bytes() == _archive(labels, values)
    if same and state.hexdigest() == path.stem:
        return patients, None
    return patients, f"{path} has changed bytes"


def _read(path: str) -> pd.DataFrame:
    try:
        with np.load(path, allow_pickle=False) as archive:
            labels = json.loads(archive["labels"].tobytes())
            values: npt.NDArray[np.float64] = archive["values"]
    except FileNotFoundError as error:
        raise StoreError(
            f"The readings {path} are gone. Ask the store for them again with "
            "store.readings(...)."
        ) from error
    return pd.DataFrame(
        values,
        index=_index([tuple(row) for row in labels["rows"]]),
        columns=pd.Index(labels["columns"], dtype="str"),
    )
