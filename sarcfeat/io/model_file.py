"""Fitted models on disk: skops files that run no code and name no patient.

A pickle runs whatever its author put in; skops writes a zip of JSON and arrays and
builds only the types it is told to trust. It has no form for pandas tables, so tables
within a model (``dropped_``, ``table_``) are written as their columns.
"""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from collections.abc import Callable, Iterable
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sarcfeat._validation import listed
from sarcfeat.exceptions import (
    InputCorrupt,
    InputMissing,
    InvalidInput,
    LeakageError,
    OtherVersion,
    UntrustedFile,
)

__all__ = ["TRUSTED", "load_model", "save_model"]

# Types of other packages that our fitted models hold, beyond those skops trusts itself.
# Each is data and arithmetic; none reads a file or starts a process when it is built.
TRUSTED = (
    "builtins.frozenset",
    "glmnet.logistic.LogitNet",
    "numpy.dtype",
    "pandas.api.typing.NAType",
    "scipy.optimize._optimize.OptimizeResult",
    "sklearn.tree._tree.Tree",
    "sksurv.ensemble.boosting.GradientBoostingSurvivalAnalysis",
    "sksurv.ensemble.forest.ExtraSurvivalTrees",
    "sksurv.ensemble.forest.RandomSurvivalForest",
    "sksurv.ensemble.survival_loss.CoxPH",
    "sksurv.functions.StepFunction",
    "sksurv.linear_model.coxph.BreslowEstimator",
    "sksurv.linear_model.coxph.CoxPHSurvivalAnalysis",
    "sksurv.linear_model.coxnet.CoxnetSurvivalAnalysis",
    "sksurv.svm.survival_svm.FastSurvivalSVM",
    "sksurv.tree.tree.ExtraSurvivalTree",
    "sksurv.tree.tree.SurvivalTree",
)
# Our own classes, where models live.
OURS = re.compile(
    r"sarcfeat\.(transform|estimators|nomogram|evaluate|survival|metrics|splits|io"
    r"|store\.readings)(\.\w+)*\._?[A-Z]\w*"
)
MAX_BYTES = 2 * 1024**3


class Table:
    """A pandas table, series or index as lists: the form in which it is written."""

    def __init__(self, kind: str, parts: list[Any], labels: list[Any]) -> None:
        self.kind = kind
        self.parts = parts
        self.labels = labels


def _packed_index(index: pd.Index) -> Table:
    if isinstance(index, pd.MultiIndex):
        levels = [
            _packed_index(index.get_level_values(i)) for i in range(index.nlevels)
        ]
        return Table("levels", levels, list(index.names))
    if isinstance(index, pd.RangeIndex):
        ends = [index.start, index.stop, index.step]
        return Table("range", ends, [index.name])
    return Table("index", [str(index.dtype), index.tolist()], [index.name])


def _packed_frame(frame: pd.DataFrame) -> Table:
    columns = [
        [str(dtype), _column(frame.iloc[:, i])] for i, dtype in enumerate(frame.dtypes)
    ]
    sides = [_packed_index(frame.columns), _packed_index(frame.index)]
    return Table("frame", columns, sides)


def _column(values: pd.Series) -> Any:
    if isinstance(values.dtype, np.dtype) and values.dtype.kind in "fiub":
        return values.to_numpy()
    return [None if pd.isna(v) else v for v in values.tolist()]


def _unpacked(table: Table) -> Any:
    if table.kind == "levels":
        levels = [_unpacked(level) for level in table.parts]
        return pd.MultiIndex.from_arrays(levels, names=table.labels)
    if table.kind == "range":
        start, stop, step = table.parts
        return pd.RangeIndex(start, stop, step, name=table.labels[0])
    if table.kind == "index":
        dtype, values = table.parts
        return pd.Index(values, dtype=dtype, name=table.labels[0])
    columns, index = (_unpacked(side) for side in table.labels)
    made = {
        i: pd.Series(values, index=index, dtype=dtype)
        for i, (dtype, values) in enumerate(table.parts)
    }
    frame = pd.DataFrame(made, index=index)
    frame.columns = columns
    if table.kind == "series":
        only = frame.iloc[:, 0]
        return only.rename(columns[0])
    return frame


def _pack(item: Any) -> Any:
    """Return a copy of a model in which every pandas object is a :class:`Table`."""
    if isinstance(item, pd.DataFrame):
        return _packed_frame(item)
    if isinstance(item, pd.Series):
        packed = _packed_frame(item.to_frame(item.name if item.name is not None else 0))
        packed.kind = "series"
        return packed
    if isinstance(item, pd.Index):
        return _packed_index(item)
    return _rebuilt(item, _pack)


def _unpack(item: Any) -> Any:
    if isinstance(item, Table):
        return _unpacked(item)
    return _rebuilt(item, _unpack)


def _rebuilt(item: Any, change: Callable[[Any], Any]) -> Any:
    """Return a copy of a container or model whose parts were changed, one by one."""
    if isinstance(item, dict):
        return {key: change(value) for key, value in item.items()}
    if type(item) in (list, tuple):
        return type(item)(change(part) for part in item)
    home = type(item).__module__.split(".")[0]
    if home not in ("sarcfeat", "sklearn") or not hasattr(item, "__dict__"):
        return item
    if isinstance(item, type) or callable(getattr(item, "__wrapped__", None)):
        return item
    state = item.__getstate__() if home == "sarcfeat" else vars(item)
    if not isinstance(state, dict):
        return item
    cls: Any = type(item)
    try:
        made = cls.__new__(cls)
    except TypeError:
        # A compiled class makes itself whole and holds no table.
        return item
    made.__dict__.update({name: change(value) for name, value in state.items()})
    return made


def save_model(
    model: Any, path: str | PathLike[str], *, patients: Iterable[Any] | None = None
) -> Path:
    """Write a fitted model, transformer or Pipeline to a skops file.

    Parameters
    ----------
    model : estimator
    path : str or path
        By custom ``<name>.skops``; replaced where it is there.
    patients : iterable of str, optional
        Ids that the file must not hold: it is searched, byte by byte, before it is
        written. Give ``X.index``.

    Returns
    -------
    Path

    Raises
    ------
    LeakageError
        The model holds one of the patients' ids.
    InvalidInput
        The model holds something that skops cannot write.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.preprocessing import StandardScaler
    >>> scaler = StandardScaler().fit([[1.0], [3.0]])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = save_model(scaler, f"{folder}/scaler.skops", patients=["STS_001"])
    ...     load_model(file).mean_
    array([2.])
    """
    import skops.io

    try:
        data = skops.io.dumps({"model": _pack(model), "versions": _versions()})
    except (TypeError, AttributeError) as error:
        raise InvalidInput(
            f"{type(model).__name__} cannot be written to {fspath(path)}: {error}"
        ) from error
    if patients is not None:
        _refuse_patients(data, patients, type(model).__name__)
    place = Path(path)
    place.write_bytes(data)
    return place


def _refuse_patients(data: bytes, patients: Iterable[Any], what: str) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = [archive.read(name) for name in archive.namelist()]
    # NumPy writes text as UTF-32, everything else here is UTF-8.
    found = [
        str(patient)
        for patient in patients
        for form in [(str(patient).encode(), str(patient).encode("utf-32-le"))]
        if any(text in part for part in parts for text in form)
    ]
    if found:
        raise LeakageError(
            f"{what} holds the ids of {len(found)} patients: {listed(found)}. Nothing "
            "was written. Fit it without them (give ICCFilter the readings of a store, "
            "which are a handle)."
        )


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in ("sarcfeat", "scikit-learn", "scikit-survival", "numpy", "pandas"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            # Run from a clone that was not installed.
            found[name] = "unknown"
    return found


def load_model(path: str | PathLike[str]) -> Any:
    """Read a model that :func:`save_model` wrote; only known types are built.

    Still a file to take from people you trust: a model can be wrong in ways no type
    shows.

    Parameters
    ----------
    path : str or path

    Raises
    ------
    InputMissing
        There is no such file.
    UntrustedFile
        The file is a pickle, is unreasonably large, or asks for types that no model of
        sarcfeat holds; they are named.
    InputCorrupt
        The file is no skops file.

    Warns
    -----
    OtherVersion
        It was written by other versions; both are named.
    """
    import skops.io

    place = Path(path)
    if not place.is_file():
        raise InputMissing(f"There is no model file {fspath(path)}.")
    _refuse_archive(place)
    data = place.read_bytes()
    try:
        types = skops.io.get_untrusted_types(data=data)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise InputCorrupt(f"{fspath(path)} is no model file: {error!r}") from error
    strange = [t for t in types if t not in TRUSTED and not OURS.fullmatch(t)]
    if strange:
        raise UntrustedFile(
            f"{fspath(path)} asks for types that no model of sarcfeat holds: "
            f"{listed(strange)}. It was not opened."
        )
    try:
        found = _unpack(skops.io.loads(data, trusted=types))
        model, versions = found["model"], found["versions"]
    except (KeyError, ValueError, TypeError, AttributeError, ImportError) as error:
        raise InputCorrupt(f"{fspath(path)} is no model file: {error!r}") from error
    _compare_versions(versions, fspath(path))
    return model


def _refuse_archive(place: Path) -> None:
    with place.open("rb") as file:
        head = file.read(4)
    if head[:1] == b"\x80":
        raise UntrustedFile(
            f"{place} is a pickle, joblib or torch file: opening it runs any code it "
            "holds. It is refused whoever made it. Write models with save_model."
        )
    if not zipfile.is_zipfile(place):
        raise InputCorrupt(
            f"{place} is no model file, or is cut short: {place.stat().st_size} bytes."
        )
    with zipfile.ZipFile(place) as archive:
        size = sum(item.file_size for item in archive.infolist())
        if "schema.json" not in archive.namelist():
            raise InputCorrupt(f"{place} is an archive, but no model file.")
    if size > MAX_BYTES:
        raise UntrustedFile(
            f"{place} unpacks to {size / 1024**3:.1f} GiB; a model has less than "
            f"{MAX_BYTES / 1024**3:.0f} GiB. It was not opened."
        )


def _compare_versions(then: dict[str, str], path: str) -> None:
    now = _versions()
    other = [
        f"{name} {then[name]} (here {now[name]})"
        for name in now
        if then.get(name, now[name]) != now[name]
    ]
    if other:
        warnings.warn(
            f"{path} was written by {', '.join(other)}. Its numbers may differ: check "
            "a known patient, or fit again.",
            OtherVersion,
            stacklevel=3,
        )
