"""The rows of Table 1: one variable described in every group, with its test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sarcfeat._validation import listed, pick
from sarcfeat.evaluate.printed import spread_decimals
from sarcfeat.exceptions import InvalidInput
from sarcfeat.metrics import (
    GroupComparison,
    compare_categories,
    compare_groups,
    looks_normal,
)
from sarcfeat.metrics.group_comparison import compare_paired_categories

__all__ = [
    "Described",
    "Rows",
    "checked_columns",
    "chosen_variables",
    "is_category",
    "levels_of",
    "numbers_of",
]

MISSING = "missing"
_MANY = 10  # levels of a text column beyond which it may be no category

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def is_category(column: pd.Series[Any]) -> bool:
    """Return whether a column holds categories: text, flags, or two numbers."""
    if pd.api.types.is_bool_dtype(column) or not pd.api.types.is_numeric_dtype(column):
        return True
    return bool(column.nunique() <= 2)


def checked_columns(data: pd.DataFrame) -> pd.DataFrame:
    """Return the table under names of text; refuse a name twice, and infinity.

    Raises
    ------
    InvalidInput
    """
    data = data.set_axis([str(name) for name in data.columns], axis=1)
    if data.columns.has_duplicates:
        twice = data.columns[data.columns.duplicated()].unique()
        raise InvalidInput(
            f"The table holds these columns more than once: {listed(twice)}."
        )
    numbers = data.select_dtypes("number")
    endless = np.isinf(numbers.to_numpy(dtype=float, na_value=np.nan))
    if endless.any():
        row, column = (int(i) for i in np.argwhere(endless)[0])
        who = str(numbers.index[row])
        raise InvalidInput(
            f"{numbers.columns[column]} of patient {who!r} is infinite "
            f"({int(endless.sum())} values in all). Make it missing, or find out why."
        )
    return data


def chosen_variables(
    data: pd.DataFrame,
    variables: Sequence[str] | None,
    categorical: Sequence[str],
    notes: list[str],
    *,
    besides: Sequence[str | None] = (),
) -> list[str]:
    """Return the columns asked for; by default all but names, dates and ids.

    Raises
    ------
    UnknownName
        A variable, or a categorical one, that `data` lacks.
    """
    known = [str(name) for name in data.columns]
    for name in categorical:
        pick(name, known, "column")
    if variables is not None:
        return [pick(name, known, "column") for name in variables]
    chosen = [name for name in known if name not in besides]
    endless = _texts_of_their_own(data[chosen])
    if endless:
        notes.append(
            f"Left out, a text of its own for most patients: {listed(endless, 12)}."
        )
    return [name for name in chosen if name not in endless]


def _texts_of_their_own(data: pd.DataFrame) -> list[str]:
    """Return the text columns that differ for most patients: names, dates, ids."""
    return [
        str(name)
        for name in data.columns
        if is_category(data[name])
        and data[name].nunique() > max(_MANY, data[name].notna().sum() / 2)
    ]


def levels_of(column: pd.Series[Any]) -> list[Any]:
    """Return the levels that occur, in their own order or sorted."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return [c for c in column.cat.categories if (column == c).any()]
    found = pd.unique(column.dropna()).tolist()
    return sorted(found, key=lambda v: (str(type(v)), v))


def is_level(column: pd.Series[Any], level: Any) -> Mask:
    """Return which patients are of a level; a missing value is of none."""
    return np.asarray((column == level).fillna(False), dtype=bool)


def numbers_of(values: Floats) -> dict[str, float]:
    """Return ``n, missing, mean, sd, median, q1, q3`` of a sample.

    Examples
    --------
    >>> found = numbers_of(np.array([1.0, 2.0, 6.0, np.nan]))
    >>> found["n"], found["missing"], found["mean"], found["median"]
    (3, 1, 3.0, 2.0)
    """
    known = values[~np.isnan(values)]
    nan = float("nan")
    found: dict[str, float] = {"n": len(known), "missing": len(values) - len(known)}
    if not len(known):
        return {**found, **dict.fromkeys(("mean", "sd", "median", "q1", "q3"), nan)}
    low, middle, high = np.quantile(known, [0.25, 0.5, 0.75])
    return {
        **found,
        "mean": float(known.mean()),
        "sd": float(known.std(ddof=1)) if len(known) > 1 else nan,
        "median": float(middle),
        "q1": float(low),
        "q3": float(high),
    }


def number_cell(one: Mapping[str, float], mean: bool, decimals: int) -> str:
    """Write a sample as ``mean (SD)`` or ``median [quartiles]``."""
    if not one["n"]:
        return "no value"
    if mean:
        return f"{one['mean']:.{decimals}f} ({one['sd']:.{decimals}f})"
    q1, q3 = f"{one['q1']:.{decimals}f}", f"{one['q3']:.{decimals}f}"
    return f"{one['median']:.{decimals}f} [{q1} to {q3}]"


@dataclass(frozen=True)
class Described:
    """The rows of one variable, the numbers behind them and the test."""

    rows: list[dict[str, Any]]
    numbers: list[dict[str, Any]]
    comparison: GroupComparison | None


@dataclass(frozen=True)
class Rows:
    """What every variable needs to know: the groups, and how to describe and test."""

    groups: dict[Any, Mask]
    by: str | None
    paired: str | None
    style: str
    adjust: str
    alpha: float

    def parts(self, n: int) -> dict[str, Mask]:
        """Return the patients of each column of the table, under its heading."""
        whole = {f"overall (n = {n})": np.ones(n, dtype=bool)}
        if self.by is None:
            return whole
        return whole | {f"{g} (n = {int(m.sum())})": m for g, m in self.groups.items()}

    def number(
        self, name: str, column: pd.Series[Any], data: pd.DataFrame
    ) -> Described:
        """Describe a measurement."""
        values = column.to_numpy(dtype=float)
        parts = self.parts(len(values))
        comparison = None if self.by is None else self._compared(values, data)
        mean = self.style == "mean"
        if self.style == "auto":
            samples = [values[m] for m in self.groups.values()] or [values]
            mean = all(looks_normal(sample, alpha=self.alpha) for sample in samples)
        row: dict[str, Any] = {
            "variable": name,
            "level": "",
            "statistic": "mean (SD)" if mean else "median [IQR]",
        }
        known = values[~np.isnan(values)]
        decimals = spread_decimals(float(known.std()) if len(known) else 0.0)
        if (known == np.round(known)).all():
            decimals = min(decimals, 1)
        numbers = []
        for heading, mask in parts.items():
            one = numbers_of(values[mask])
            row[heading] = number_cell(one, mean, decimals)
            numbers.append({"variable": name, "level": "", "group": heading, **one})
        lost = np.isnan(values)
        rows = [_tested(row, comparison, int(lost.sum()))]
        return Described(rows + _missing(name, lost, parts), numbers, comparison)

    def _compared(self, values: Floats, data: pd.DataFrame) -> GroupComparison:
        if self.paired is None:
            samples = {g: values[m] for g, m in self.groups.items()}
            return compare_groups(samples, alpha=self.alpha, adjust=self.adjust)
        wide = self._wide(values, data).astype(float)
        return compare_groups(
            {g: wide[g].to_numpy() for g in self.groups},
            paired=True,
            alpha=self.alpha,
            adjust=self.adjust,
        )

    def _wide(self, values: Any, data: pd.DataFrame) -> pd.DataFrame:
        """Return one row a patient, one column an occasion."""
        keys = pd.MultiIndex.from_arrays([data[self.paired], data[self.by]])
        flat = pd.Series(values, index=keys)
        return flat.unstack().reindex(columns=list(self.groups))

    def category(
        self, name: str, column: pd.Series[Any], data: pd.DataFrame
    ) -> Described:
        """Describe a category, level by level."""
        lost = column.isna().to_numpy(dtype=bool)
        parts = self.parts(len(column))
        levels = levels_of(column)
        members = {level: is_level(column, level) for level in levels}
        comparison = None
        if self.by is not None:
            comparison = self._compared_categories(column, data, members)
        rows: list[dict[str, Any]] = []
        numbers: list[dict[str, Any]] = []
        for level, mine in members.items():
            row: dict[str, Any] = {
                "variable": name,
                "level": str(level),
                "statistic": "n (%)",
            }
            for heading, mask in parts.items():
                one = _share_of(mine, mask, lost)
                text = f"{one['count']} ({100 * one['share']:.0f} %)"
                row[heading] = text if one["n"] else "0"
                labels = {"variable": name, "level": str(level), "group": heading}
                numbers.append({**labels, **one})
            first = comparison if not rows else None
            rows.append(_tested(row, first, int(lost.sum())))
        return Described(rows + _missing(name, lost, parts), numbers, comparison)

    def _compared_categories(
        self, column: pd.Series[Any], data: pd.DataFrame, members: dict[Any, Mask]
    ) -> GroupComparison:
        if self.paired is None:
            counts = {
                g: [int((mask & mine).sum()) for mine in members.values()]
                for g, mask in self.groups.items()
            }
            table = pd.DataFrame(counts, index=[str(level) for level in members])
            return compare_categories(table, adjust=self.adjust)
        wide = self._wide(column.astype(object).to_numpy(), data)
        return compare_paired_categories([wide[g] for g in self.groups])


def _share_of(mine: Mask, mask: Mask, lost: Mask) -> dict[str, Any]:
    known, count = int((mask & ~lost).sum()), int((mask & mine).sum())
    return {
        "n": known,
        "missing": int((mask & lost).sum()),
        "count": count,
        "share": count / known if known else float("nan"),
    }


def _tested(
    row: dict[str, Any], comparison: GroupComparison | None, missing: int
) -> dict[str, Any]:
    row["missing"] = missing
    row["test"] = comparison.test.name if comparison else ""
    row["p"] = comparison.test.p if comparison else float("nan")
    row["reason"] = comparison.reason if comparison else ""
    return row


def _missing(name: str, lost: Mask, parts: Mapping[str, Mask]) -> list[dict[str, Any]]:
    if not lost.any():
        return []
    row: dict[str, Any] = {"variable": name, "level": MISSING, "statistic": "n"}
    row |= {heading: str(int((lost & mask).sum())) for heading, mask in parts.items()}
    return [_tested(row, None, int(lost.sum()))]
