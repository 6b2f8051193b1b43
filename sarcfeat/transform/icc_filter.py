"""Keep the features on which two readers of the same lesion agree."""

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
)
from sarcfeat.exceptions import InvalidInput, NothingSelected, SarcfeatWarning
from sarcfeat.metrics.icc import FORMS, ICC, icc
from sarcfeat.transform._frame import ColumnFilter, input_names, read_features, reasons

__all__ = ["ICCFilter"]


def stack_readings(
    table: pd.DataFrame, patients: pd.Index, columns: Sequence[Any]
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
    values = np.full((len(patients), len(readings), len(columns)), np.nan)
    values[rows, layers] = table.to_numpy(dtype=float)
    return values, list(readings)


def _same_everywhere(values: np.ndarray) -> bool:
    """Return whether every patient's readings are alike in every feature."""
    complete = np.isfinite(values).all(axis=1)
    alike = (values == values[:, :1, :]).all(axis=1)
    return bool(complete.any() and alike[complete].all())


class ICCFilter(ColumnFilter):
    """Keep features whose intraclass correlation between readings is high enough.

    A radiomics feature that changes when a second reader outlines the same lesion is
    noise to a prognostic model. The filter measures the agreement on the patients it is
    fitted on, and on no others, so it may stand inside cross-validation.

    Parameters
    ----------
    readings : Readings
        Repeated readings, as ``store.readings("radiomics.t1")`` returns them; for
        a table of your own, ``Readings.from_frame(table)``. An array given as X is
        matched by row number (patient "0", "1", …) and by the order of the columns.
    threshold : float
        A feature is kept when its coefficient is at least this.
    form : {"ICC(1,1)", "ICC(A,1)", "ICC(C,1)", "ICC(1,k)", "ICC(A,k)", "ICC(C,k)"}
        Which coefficient; see :func:`sarcfeat.metrics.icc`. ``"ICC(A,1)"`` (two-way,
        absolute agreement, one reading) also counts a reader who is always higher.
    bound : {"value", "lower"}
        Compare the coefficient itself, or the lower limit of its 95% interval.
    min_patients : int
        The fewest patients with every reading that a coefficient may rest on.
    missing : {"raise", "drop", "keep"}
        What to do with a feature of X that was never read twice.
    passthrough : sequence of str
        Columns of a frame that pass untouched.

    Attributes
    ----------
    report_ : DataFrame
        One row a feature: ``feature, icc, lower, upper, n_patients, kept, reason``. A
        negative coefficient is shown as it is, and one that cannot be computed (no
        variance) as NaN. It holds no value of any patient.
    support_ : ndarray of bool, shape (n_columns,)
        Which columns of X are kept.
    dropped_ : DataFrame
        ``feature, reason``.
    n_features_in_ : int
    feature_names_in_ : ndarray of str

    References
    ----------
    McGraw KO, Wong SP. Forming inferences about some intraclass correlation
    coefficients. Psychol Methods 1996;1:30-46.

    Examples
    --------
    >>> from sarcfeat import Readings
    >>> patients = ["p1", "p2", "p3", "p4", "p5"]
    >>> a = pd.DataFrame({"ct.size": [1.0, 2, 3, 4, 5], "ct.edge": [1.0, 2, 3, 4, 5]})
    >>> b = pd.DataFrame({"ct.size": [1.1, 2, 3, 4, 5], "ct.edge": [5.0, 1, 4, 2, 3]})
    >>> a.index = b.index = pd.Index(patients, name="patient")
    >>> table = pd.concat({("A", 1): a, ("B", 1): b}, names=["reader", "session"])
    >>> readings = Readings.from_frame(table.reorder_levels([2, 0, 1]))
    >>> filter = ICCFilter(readings, threshold=0.8).fit(a)
    >>> list(filter.get_feature_names_out())
    ['ct.size']
    >>> filter.dropped_["reason"].item()
    'ICC(A,1) -0.41 < 0.8'
    """

    _allow_nan = True
    _parameter_constraints: ClassVar[dict] = {
        "readings": [HasMethods("load")],
        "threshold": [Interval(Real, -1, 1, closed="both")],
        "form": [StrOptions(set(FORMS))],
        "bound": [StrOptions({"value", "lower"})],
        "min_patients": [Interval(Integral, 2, None, closed="left")],
        "missing": [StrOptions({"raise", "drop", "keep"})],
        "passthrough": ["array-like"],
    }

    def __init__(
        self,
        readings: Any,
        *,
        threshold: float = 0.75,
        form: str = "ICC(A,1)",
        bound: str = "value",
        min_patients: int = 5,
        missing: str = "raise",
        passthrough: Sequence[str] = ("site",),
    ) -> None:
        self.readings = readings
        self.threshold = threshold
        self.form = form
        self.bound = bound
        self.min_patients = min_patients
        self.missing = missing
        self.passthrough = passthrough

    def fit(self, X: Any, y: Any = None) -> ICCFilter:
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
                "ICCFilter keeps no table of patients: give it store.readings(...), or "
                "Readings.from_frame(table) where there is no store."
            )
        check_params(self)
        values, is_feature = read_features(
            self,
            X,
            reset=True,
            passed=self.passthrough,
            allow_nan=True,
            min_samples=2,
        )
        names = input_names(self)[is_feature]
        if isinstance(X, pd.DataFrame):
            patients = X.index.astype(str).unique()
        else:
            patients = pd.RangeIndex(len(values)).astype(str)
        self.report_ = self._report(
            names, patients, by_name=isinstance(X, pd.DataFrame)
        )
        kept = self.report_["kept"].to_numpy(dtype=bool)
        self.support_ = ~is_feature
        self.support_[is_feature] = kept
        lost = self.report_.loc[~kept, ["feature", "reason"]]
        self.dropped_ = reasons(list(lost.itertuples(index=False, name=None)))
        if len(names) and not kept.any():
            highest = self.report_["lower" if self.bound == "lower" else "icc"].max()
            warnings.warn(
                f"None of {len(names)} features has {self.form} of at least "
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
            return _table(names, {}, np.empty(0, bool), np.empty(0, object))
        table = self._load(patients)
        read = self._columns_read(names, table, by_name=by_name)
        known = np.array([column is not None for column in read], dtype=bool)
        columns = [column for column in read if column is not None]
        values, readings = stack_readings(table, patients, columns)
        found = {"n_patients": np.zeros(len(names), dtype=int)}
        reason = np.full(len(names), "never read twice", dtype=object)
        kept = np.full(len(names), self.missing == "keep", dtype=bool)
        if known.any():
            self._refuse_too_few(values, readings)
            if _same_everywhere(values):
                warnings.warn(
                    f"The readings {listed(readings)} are identical in every feature "
                    "of every patient, so every ICC is 1. Are the masks copies?",
                    SarcfeatWarning,
                    stacklevel=3,
                )
            result = icc(values, form=self.form)
            for field in ("value", "lower", "upper"):
                found[field] = np.full(len(names), np.nan)
                found[field][known] = getattr(result, field)
            found["n_patients"][known] = result.n
            kept[known], reason[known] = self._judge(result)
        return _table(names, found, kept, reason)

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
                f"ICC needs two readings of the same patients; the {len(values)} "
                f"patients of X have {len(readings)} (reader, session): "
                f"{listed(readings) or 'none'}. Add the masks of a second reader."
            )
        complete = np.isfinite(values).all(axis=1)
        most = int(complete.sum(axis=0).max())
        if most < self.min_patients:
            each = np.isfinite(values).any(axis=2).sum(axis=0)
            counts = listed(
                f"{reading}: {n} patients"
                for reading, n in zip(readings, each, strict=True)
            )
            raise InvalidInput(
                f"{most} of the {len(values)} patients of X have every reading of "
                f"a feature; at least {self.min_patients} are needed ({counts}). Add "
                "readings or lower min_patients."
            )

    def _judge(self, result: ICC) -> tuple[np.ndarray, np.ndarray]:
        """Return which features are kept, and why the others are not."""
        judged = result.lower if self.bound == "lower" else result.value
        what = "lower limit of " if self.bound == "lower" else ""
        few = result.n < self.min_patients
        kept = (judged >= self.threshold) & ~few
        reason = np.array(
            [f"{what}{self.form} {v:.2g} < {self.threshold:g}" for v in judged],
            dtype=object,
        )
        reason[np.isnan(judged)] = f"{self.form} cannot be computed: no variance"
        reason[few] = [f"{n} patients with every reading" for n in result.n[few]]
        reason[kept] = ""
        return kept, reason


def _table(
    names: np.ndarray, found: dict, kept: np.ndarray, reason: np.ndarray
) -> pd.DataFrame:
    missing = np.full(len(names), np.nan)
    return pd.DataFrame(
        {
            "feature": pd.Series(names, dtype="str"),
            "icc": found.get("value", missing),
            "lower": found.get("lower", missing),
            "upper": found.get("upper", missing),
            "n_patients": found.get("n_patients", np.zeros(len(names), dtype=int)),
            "kept": kept,
            "reason": pd.Series(reason, dtype="str"),
        }
    )
