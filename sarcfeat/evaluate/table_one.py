"""Table 1: who the patients are, group by group, each variable with its right test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sarcfeat._validation import listed, pick
from sarcfeat.evaluate._table_rows import (
    Rows,
    checked_columns,
    chosen_variables,
    is_category,
    levels_of,
)
from sarcfeat.evaluate.printed import ADJUSTMENTS, Printed, p_text
from sarcfeat.exceptions import InvalidInput
from sarcfeat.metrics import adjust_p

__all__ = ["TableOne", "table_one"]

_STYLES = ("auto", "mean", "median")
_CODES = 5  # values of a number that may be the codes of a category
_PAIRS = ("variable", "a", "b", "test", "p", "p_adjusted")


@dataclass(frozen=True)
class TableOne(Printed):
    """Patients described by group.

    Attributes
    ----------
    table : DataFrame
        One row a variable, or a level of a category: ``variable, level, statistic``
        (``mean (SD)``, ``median [IQR]`` or ``n (%)``), ``overall``, one column a group
        under its name with its number of patients, ``missing``, ``test``, ``p``,
        ``p_adjusted`` (over the variables) and ``reason`` of the test.
    summary : DataFrame
        The numbers behind it: ``variable, level, group, n, missing, mean, sd, median,
        q1, q3, count, share``.
    pairs : DataFrame
        After a test of three groups and more: ``variable, a, b, test, p, p_adjusted``.
    notes : list of str
    """

    table: pd.DataFrame
    summary: pd.DataFrame
    pairs: pd.DataFrame
    notes: list[str]

    def formatted(self) -> pd.DataFrame:
        """Return the table as a paper prints it."""
        table = self.table
        out = pd.DataFrame({"variable": _said_once(table["variable"])})
        said = table["level"].where(table["level"] != "", table["statistic"])
        out["level"] = said.astype(str)
        groups = list(table.columns)[3 : list(table.columns).index("missing")]
        for name in groups:
            out[str(name)] = table[name].astype(str)
        if len(groups) > 1:
            out["test"] = table["test"].astype(str)
            out["p"] = [p_text(v) for v in table["p"]]
            out["adjusted p"] = [p_text(v) for v in table["p_adjusted"]]
        return out


def _said_once(names: pd.Series[Any]) -> list[str]:
    texts = [str(name) for name in names]
    return ["" if i and texts[i - 1] == t else t for i, t in enumerate(texts)]


def table_one(
    data: pd.DataFrame,
    *,
    by: str | None = None,
    paired: str | None = None,
    variables: Sequence[str] | None = None,
    categorical: Sequence[str] = (),
    numbers: str = "auto",
    adjust: str = "bh",
    alpha: float = 0.05,
    labels: Mapping[str, str] | None = None,
) -> TableOne:
    """Describe patients by group, and test each variable by the test that fits it.

    Parameters
    ----------
    data : DataFrame, one row a patient
        With `paired`, one row a patient and occasion. Text, categories, booleans and
        numbers of two values are categories; a column that holds a text for almost
        every patient (a name, an id) is left out and said.
    by : str, optional
        The column of the groups; without it nothing is tested. A patient without a
        group is left out and counted in the notes.
    paired : str, optional
        The column that says which rows are one patient; `by` is then the occasion, and
        the paired tests are taken.
    variables : sequence of str, optional
        Which columns, in what order; all by default.
    categorical : sequence of str
        Columns of numbers that are categories (a grade of 1, 2, 3).
    numbers : {"auto", "mean", "median"}
        How numbers are described: ``"auto"`` by mean and SD where Shapiro and Wilk's
        test leaves every group its normality, else by median and quartiles. The tests
        follow :func:`~sarcfeat.metrics.compare_groups` either way.
    adjust : str
        Adjustment over the variables and over the pairs, as for
        :func:`~sarcfeat.metrics.adjust_p`.
    alpha : float
        Of the tests of normality and of equal variances.
    labels : mapping, optional
        Column → what it is called in the table.

    Returns
    -------
    TableOne

    Raises
    ------
    InvalidInput
        No patient; a column twice or an infinite value; two rows of a patient on one
        occasion.
    UnknownName
        A column that `data` lacks.

    Notes
    -----
    Shares are of the patients whose value is known. The p-values describe imbalance;
    they do not choose the variables of a model.

    Examples
    --------
    >>> data = pd.DataFrame({"group": list("aaaabbbb"), "sex": list("fmfmmmmf"),
    ...                      "age": [60, 61, 63, 70, 41, 45, 47, None]})
    >>> found = table_one(data, by="group")
    >>> found.table[["level", "statistic", "a (n = 4)", "b (n = 4)"]].values.tolist()[0]
    ['f', 'n (%)', '2 (50 %)', '1 (25 %)']
    >>> found.table["test"].unique().tolist()
    ['Fisher exact', '', 'Welch t-test']
    """
    pick(numbers, _STYLES, "description of numbers")
    notes: list[str] = []
    data = checked_columns(data)
    data, groups = _grouped(data, by, paired, notes)
    chosen = chosen_variables(data, variables, categorical, notes, besides=(by, paired))
    work = Rows(groups, by, paired, numbers, adjust, alpha)
    rows: list[dict[str, Any]] = []
    summary: list[dict[str, Any]] = []
    pairs: list[pd.DataFrame] = []
    for name in chosen:
        said = (labels or {}).get(name, name)
        category = name in categorical or is_category(data[name])
        describe = work.category if category else work.number
        found = describe(said, data[name], data)
        rows += found.rows
        summary += found.numbers
        if found.comparison is not None and len(found.comparison.pairs):
            pairs.append(found.comparison.pairs.assign(variable=said))
    notes += _few_values(data, chosen, categorical)
    table = _assembled(rows, adjust)
    if by is not None and len(table):
        notes += _test_notes(table, adjust)
    after = pd.concat(pairs, ignore_index=True) if pairs else pd.DataFrame()
    after = after.reindex(columns=list(_PAIRS))
    return TableOne(table, pd.DataFrame(summary), after, notes)


def _grouped(
    data: pd.DataFrame, by: str | None, paired: str | None, notes: list[str]
) -> tuple[pd.DataFrame, dict[Any, np.ndarray]]:
    """Return the rows that have a group, and which rows each group has."""
    known = [str(name) for name in data.columns]
    for what, name in (("by", by), ("paired", paired)):
        if name is not None and not isinstance(name, str):
            raise InvalidInput(
                f"{what}= takes the name of a column of the data; got "
                f"{type(name).__name__}. Add it to the data (data.assign(...)) first."
            )
        if name is not None:
            pick(name, known, "column")
    if paired is not None and by is None:
        raise InvalidInput(
            "paired= says who is one patient; by= must say the occasion."
        )
    if by is not None and data[by].isna().any():
        lost = int(data[by].isna().sum())
        notes.append(f"{lost} of {len(data)} patients have no {by} and are left out.")
        data = data[data[by].notna()]
    if data.empty:
        raise InvalidInput("Table 1 needs at least one patient; got none.")
    if by is None:
        return data, {}
    if paired is not None and data.duplicated([paired, by]).any():
        row = data[data.duplicated([paired, by])].iloc[0]
        raise InvalidInput(
            f"Patient {row[paired]!r} has more than one row with {by} = {row[by]!r}; "
            "give one row a patient and occasion."
        )
    column = data[by]
    masks = {g: (column == g).to_numpy(dtype=bool) for g in levels_of(column)}
    return data, masks


def _few_values(
    data: pd.DataFrame, chosen: list[str], categorical: Sequence[str]
) -> list[str]:
    """Name the measurements that look like the codes of a category."""
    doubtful = [
        name
        for name in chosen
        if name not in categorical
        and not is_category(data[name])
        and data[name].nunique() <= min(_CODES, len(data) / 3)
    ]
    if not doubtful:
        return []
    return [
        f"Described as numbers, with {_CODES} values or fewer: {listed(doubtful, 12)}. "
        "Name them in categorical= if they are categories."
    ]


def _assembled(rows: list[dict[str, Any]], adjust: str) -> pd.DataFrame:
    table = pd.DataFrame(rows)
    if table.empty:
        return table
    adjusted = adjust_p(table["p"].to_numpy(dtype=float), adjust)
    table.insert(list(table.columns).index("p") + 1, "p_adjusted", adjusted)
    return table


def _test_notes(table: pd.DataFrame, adjust: str) -> list[str]:
    tested = int(table["p"].notna().sum())
    notes = [f"Adjusted p: {ADJUSTMENTS[adjust]} over {tested} variables."]
    none = table.loc[table["test"] == "not tested", ["variable", "reason"]]
    notes += [f"{r.variable}: not tested ({r.reason})." for r in none.itertuples()]
    return notes
