"""What the filters on repeated readings share: whose, of whom, and the report."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from sarcfeat._validation import (
    HasMethods,
    Interval,
    StrOptions,
    check_params,
    did_you_mean,
    listed,
    pick,
)
from sarcfeat.exceptions import InvalidInput, NothingSelected, SarcfeatWarning
from sarcfeat.transform.frame import ColumnFilter, input_names, read_features, reasons

__all__ = ["ReadingsFilter", "stack_readings"]


def stack_readings(
    table: pd.DataFrame,
    patients: pd.Index,
    columns: Sequence[Any],
    *,
    dtype: type = float,
) -> tuple[np.ndarray, list[tuple]]:
    """Lay readings out as patients x readings x features; NaN where there is none.

    Parameters
    ----------
    table : DataFrame
        Index levels patient, reader, session. Rows of other patients are left out.
    patients : Index
        The patients wanted, each once.
    columns : sequence
        The columns of `table` wanted.
    dtype : type
        float, or object for categories.

    Returns
    -------
    values : ndarray of shape (n_patients, n_readings, n_features)
    readings : list of tuple
        (reader, session) of each layer.

    Raises
    ------
    InvalidInput
        A patient has two rows of one reader and session.
    """
    # Ids are text everywhere: patient 007 of a table is not patient 7.
    rows = patients.get_indexer(table.index.get_level_values(0).astype(str))
    table, rows = table.loc[rows >= 0, list(columns)], rows[rows >= 0]
    if table.index.has_duplicates:
        twice = table.index[table.index.duplicated()]
        raise InvalidInput(
            f"{len(twice)} readings are there twice: {listed(twice)} (patient, reader, "
            "session). Keep one row of each, or number the sessions."
        )
    layers, readings = pd.factorize(table.index.droplevel(0), sort=True)
    values = np.full((len(patients), len(readings), len(columns)), np.nan, dtype)
    values[rows, layers] = table.to_numpy(dtype=dtype)
    return values, list(readings)


def there(values: np.ndarray) -> np.ndarray:
    """Return which readings can be used: finite numbers, or any category."""
    return ~pd.isna(values) if values.dtype == object else np.isfinite(values)


def chosen_readings(table: pd.DataFrame, readers: Any, sessions: Any) -> pd.DataFrame:
    """Return the readings of some readers and sessions; None means of all.

    Raises
    ------
    UnknownName
        No such reader or session has read any of these patients.
    """
    for level, wanted in (("reader", readers), ("session", sessions)):
        if wanted is None:
            continue
        given = table.index.get_level_values(level).astype(str)
        names = [str(name) for name in wanted]
        for name in names:
            pick(name, given.unique(), level)
        table = table[given.isin(names)]
    return table


def same_everywhere(values: np.ndarray) -> bool:
    """Return whether every patient's readings are alike in every feature."""
    complete = there(values).all(axis=1)
    alike = (values == values[:, :1, :]).all(axis=1)
    return bool(complete.any() and alike[complete].all())


class ReadingsFilter(ColumnFilter):
    """Base of the filters that keep features on which readings agree.

    A subclass says in `_measured` how far the readings (patients, readings, features)
    agree: an object with ``value, lower, upper, n``, arrays over features.
    """

    _allow_nan = True
    _column: ClassVar[str]
    _dtype: ClassVar[type] = float
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "readings": [HasMethods("load")],
        "threshold": [Interval(Real, -1, 1, closed="both")],
        "bound": [StrOptions({"value", "lower"})],
        "readers": ["array-like", None],
        "sessions": ["array-like", None],
        "min_patients": [Interval(Integral, 2, None, closed="left")],
        "missing": [StrOptions({"raise", "drop", "keep"})],
        "passthrough": ["array-like"],
    }

    def _label(self) -> str:
        return self._column

    def _measured(self, values: np.ndarray) -> Any:
        raise AssertionError("a subclass measures")  # pragma: no cover

    def _checked(self, X: Any) -> tuple[int, np.ndarray]:
        """Return how many patients X has, and which of its columns are features."""
        values, is_feature = read_features(
            self,
            X,
            reset=True,
            passed=self.passthrough,
            allow_nan=True,
            min_samples=2,
        )
        return len(values), is_feature

    def fit(self, X: Any, y: Any = None) -> Any:
        """Measure the agreement on the patients of X and choose features.

        Parameters
        ----------
        X : DataFrame indexed by patient, or array whose row i is patient i
            Its values are not used: the readings are.
        y : ignored

        Raises
        ------
        InvalidInput
            A feature has no readings, or fewer than `min_patients` of these patients
            have every reading.
        """
        if isinstance(self.readings, pd.DataFrame):
            raise InvalidInput(
                f"{type(self).__name__} keeps no table of patients: give it "
                "store.readings(...), or Readings.from_frame(table) where there is no "
                "store."
            )
        check_params(self)
        n, is_feature = self._checked(X)
        names = input_names(self)[is_feature]
        if isinstance(X, pd.DataFrame):
            patients = X.index.astype(str).unique()
        else:
            patients = pd.RangeIndex(n).astype(str)
        self.report_ = self._report(
            names, patients, by_name=isinstance(X, pd.DataFrame)
        )
        kept = self.report_["kept"].to_numpy(dtype=bool)
        self.support_ = ~is_feature
        self.support_[is_feature] = kept
        lost = self.report_.loc[~kept, ["feature", "reason"]]
        self.dropped_ = reasons(list(lost.itertuples(index=False, name=None)))
        if len(names) and not kept.any():
            judged = "lower" if self.bound == "lower" else self._column
            highest = self.report_[judged].max()
            warnings.warn(
                f"None of {len(names)} features has {self._label()} of at least "
                f"{self.threshold:g}; the highest is {highest:.2g}.",
                NothingSelected,
                stacklevel=2,
            )
        return self

    def _load(self, patients: pd.Index) -> pd.DataFrame:
        """Return the readings of these patients; nothing of them is kept."""
        return self.readings.load(list(patients))

    def _report(
        self, names: np.ndarray, patients: pd.Index, *, by_name: bool
    ) -> pd.DataFrame:
        if not len(names):
            return self._table(names, {}, np.empty(0, bool), np.empty(0, object))
        table = chosen_readings(self._load(patients), self.readers, self.sessions)
        read = self._columns_read(names, table, by_name=by_name)
        known = np.array([column is not None for column in read], dtype=bool)
        columns = [column for column in read if column is not None]
        values, readings = stack_readings(table, patients, columns, dtype=self._dtype)
        found = {"n_patients": np.zeros(len(names), dtype=int)}
        reason = np.full(len(names), "never read twice", dtype=object)
        kept = np.full(len(names), self.missing == "keep", dtype=bool)
        if known.any():
            self._refuse_too_few(values, readings)
            if same_everywhere(values):
                warnings.warn(
                    f"The readings {listed(readings)} are identical in every feature "
                    f"of every patient, so every {self._column} is 1. Are the masks "
                    "copies?",
                    SarcfeatWarning,
                    stacklevel=3,
                )
            result = self._measured(values)
            for field in ("value", "lower", "upper"):
                found[field] = np.full(len(names), np.nan)
                found[field][known] = getattr(result, field)
            found["n_patients"][known] = result.n
            kept[known], reason[known] = self._judge(result)
        return self._table(names, found, kept, reason)

    def _columns_read(
        self, names: np.ndarray, table: pd.DataFrame, *, by_name: bool
    ) -> list[Any]:
        """Return each feature's column among the readings, None where it has none."""
        if not by_name:
            if table.shape[1] != len(names):
                raise InvalidInput(
                    f"X is an array of {len(names)} columns and the readings have "
                    f"{table.shape[1]}; without names they must be the same columns."
                )
            return list(table.columns)
        there = set(table.columns)
        absent = [name for name in names if name not in there]
        if absent and self.missing == "raise":
            raise InvalidInput(
                f"{len(absent)} of {len(names)} features of X were never read twice: "
                f"{listed(absent)}.{did_you_mean(absent[0], table.columns)} Pass "
                "missing='keep' or 'drop', or choose the columns that the filter gets."
            )
        return [name if name in there else None for name in names]

    def _refuse_too_few(self, values: np.ndarray, readings: list[tuple]) -> None:
        if len(readings) < 2:
            raise InvalidInput(
                f"{type(self).__name__} needs two readings of the same patients; the "
                f"{len(values)} patients of X have {len(readings)} (reader, session): "
                f"{listed(readings) or 'none'}. Add the masks of a second reader."
            )
        complete = there(values).all(axis=1)
        most = int(complete.sum(axis=0).max())
        if most < self.min_patients:
            each = there(values).any(axis=2).sum(axis=0)
            counts = listed(
                f"{reading}: {n} patients"
                for reading, n in zip(readings, each, strict=True)
            )
            raise InvalidInput(
                f"{most} of the {len(values)} patients of X have every reading of "
                f"a feature; at least {self.min_patients} are needed ({counts}). Add "
                "readings or lower min_patients."
            )

    def _judge(self, result: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return which features are kept, and why the others are not."""
        judged = result.lower if self.bound == "lower" else result.value
        what = "lower limit of " if self.bound == "lower" else ""
        few = result.n < self.min_patients
        kept = (judged >= self.threshold) & ~few
        reason = np.array(
            [f"{what}{self._label()} {v:.2g} < {self.threshold:g}" for v in judged],
            dtype=object,
        )
        reason[np.isnan(judged)] = f"{self._label()} cannot be computed: no variance"
        reason[few] = [f"{n} patients with every reading" for n in result.n[few]]
        reason[kept] = ""
        return kept, reason

    def _table(
        self, names: np.ndarray, found: dict, kept: np.ndarray, reason: np.ndarray
    ) -> pd.DataFrame:
        missing = np.full(len(names), np.nan)
        return pd.DataFrame(
            {
                "feature": pd.Series(names, dtype="str"),
                self._column: found.get("value", missing),
                "lower": found.get("lower", missing),
                "upper": found.get("upper", missing),
                "n_patients": found.get("n_patients", np.zeros(len(names), dtype=int)),
                "kept": kept,
                "reason": pd.Series(reason, dtype="str"),
            }
        )
