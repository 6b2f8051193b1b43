"""What goes with a score: correlations with numbers, tests over categories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from sarcfeat._validation import listed, pick
from sarcfeat.evaluate._table_rows import (
    checked_columns,
    chosen_variables,
    is_category,
    is_level,
    levels_of,
    number_cell,
    numbers_of,
)
from sarcfeat.evaluate.printed import (
    ADJUSTMENTS,
    Printed,
    interval_text,
    p_text,
    spread_decimals,
)
from sarcfeat.exceptions import InvalidInput
from sarcfeat.metrics import adjust_p, compare_groups, correlation

__all__ = ["Associations", "associations"]

NAN = float("nan")
_TABLE = (
    "score",
    "variable",
    "test",
    "n",
    "correlation",
    "ci_low",
    "ci_high",
    "p",
    "p_adjusted",
    "reason",
)
_LEVELS = ("score", "variable", "level", "n", "mean", "sd", "median", "q1", "q3")
_PAIRS = ("score", "variable", "a", "b", "test", "p", "p_adjusted")
_METHODS = {"spearman": "Spearman", "pearson": "Pearson", "kendall": "Kendall"}
_OF_MEANS = ("ANOVA", "Welch ANOVA", "Welch t-test")
_FEWEST = 4  # patients of a correlation


@dataclass(frozen=True)
class Associations(Printed):
    """What goes with the scores.

    Attributes
    ----------
    table : DataFrame
        One row a score and variable (and, with several scores, two scores): ``score,
        variable, test, n, correlation, ci_low, ci_high`` (NaN of a category), ``p,
        p_adjusted`` (over all rows) and ``reason`` of the test.
    levels : DataFrame
        The score in each level of the categories: ``score, variable, level, n, mean,
        sd, median, q1, q3``.
    pairs : DataFrame
        Every two levels of a category of three and more: ``score, variable, a, b, test,
        p, p_adjusted``.
    notes : list of str
    """

    table: pd.DataFrame
    levels: pd.DataFrame
    pairs: pd.DataFrame
    notes: list[str]

    def formatted(self) -> pd.DataFrame:
        """Return the table as a paper prints it."""
        table = self.table
        out = table[["score", "variable", "test"]].astype(str)
        out["n"] = [str(int(n)) for n in table["n"]]
        numbers = table[["correlation", "ci_low", "ci_high"]].to_numpy(dtype=float)
        known = zip(numbers.tolist(), table["variable"], table["score"], strict=True)
        out["correlation (95 % CI), or score by level"] = [
            interval_text(*row) or self._by_level(score, variable)
            for row, variable, score in known
        ]
        out["p"] = [p_text(v) for v in table["p"]]
        out["adjusted p"] = [p_text(v) for v in table["p_adjusted"]]
        return out

    def _by_level(self, score: str, variable: str) -> str:
        mine = (self.levels["score"] == score) & (self.levels["variable"] == variable)
        part = self.levels[mine]
        records: list[dict[str, Any]] = part.to_dict("records")  # type: ignore[assignment]
        spread = float((part["q3"] - part["q1"]).median())
        same = (self.table["score"] == score) & (self.table["variable"] == variable)
        mean = self.table.loc[same, "test"].iloc[0] in _OF_MEANS
        cells = (number_cell(row, mean, spread_decimals(spread)) for row in records)
        return "; ".join(
            f"{row['level']}: {c}" for row, c in zip(records, cells, strict=True)
        )


def associations(
    scores: Any,
    data: pd.DataFrame,
    *,
    variables: Sequence[str] | None = None,
    categorical: Sequence[str] = (),
    method: str = "spearman",
    between: bool = True,
    adjust: str = "bh",
    alpha: float = 0.05,
    level: float = 0.95,
) -> Associations:
    """Say what goes with a score: size, grade, histotype, and the other scores.

    Numbers are correlated with the score; over the levels of a category the score is
    compared by :func:`~sarcfeat.metrics.compare_groups` (t-test, Mann–Whitney, ANOVA
    with Tukey's pairs, Kruskal–Wallis with adjusted pairs).

    Parameters
    ----------
    scores : Series, DataFrame or array of shape (n_patients,)
        One score or several, a column each; a Series or frame is joined to `data` by
        patient, and patients of only one of the two are left out and counted.
    data : DataFrame, one row a patient
    variables : sequence of str, optional
        Which columns of `data`; all by default.
    categorical : sequence of str
        Columns of numbers that are categories (a grade of 1, 2, 3).
    method : {"spearman", "pearson", "kendall"}
    between : bool
        Whether the scores are correlated with each other too.
    adjust : str
        Over the whole table, as for :func:`~sarcfeat.metrics.adjust_p`.
    alpha : float
        Of the tests of normality and of equal variances.
    level : float
        Coverage of the intervals (Spearman's after Bonett and Wright).

    Returns
    -------
    Associations

    Raises
    ------
    InvalidInput
        No patient has both a score and data; a column twice or an infinite value.
    UnknownName
        A column that `data` lacks, or a method that is none.

    References
    ----------
    Bonett & Wright, Psychometrika 2000.

    Examples
    --------
    >>> patients = [f"P{i}" for i in range(8)]
    >>> data = pd.DataFrame({"size": [3, 9, 4, 12, 5, 11, 7, 8.0],
    ...                      "grade": list("12121222")}, index=patients)
    >>> score = pd.Series([.1, .8, .2, .9, .3, .7, .4, .6], patients, name="DL-C")
    >>> found = associations(score, data)
    >>> found.table[["variable", "test", "n"]].values.tolist()
    [['size', 'Spearman', 8], ['grade', 'Welch t-test', 8]]
    """
    pick(method, _METHODS, "correlation")
    notes: list[str] = []
    frame, data = _joined(scores, checked_columns(data), notes)
    chosen = chosen_variables(data, variables, categorical, notes)
    interval = "bonett-wright" if method == "spearman" else "fisher"
    rows: list[dict[str, Any]] = []
    levels: list[dict[str, Any]] = []
    pairs: list[pd.DataFrame] = []
    for score in frame:
        values = frame[score].to_numpy(dtype=float)
        for name in chosen:
            column = data[name]
            head = {"score": str(score), "variable": name}
            if name in categorical or is_category(column):
                one, some, after = _over_levels(values, column, adjust, alpha)
                levels += [{**head, **row} for row in some]
                pairs.append(after.assign(**head))
            else:
                other = column.to_numpy(dtype=float)
                one = _correlated(values, other, method, interval, level)
            rows.append({**head, **one})
    if between:
        for a, b in combinations(frame, 2):
            x, z = frame[a].to_numpy(dtype=float), frame[b].to_numpy(dtype=float)
            head = {"score": str(a), "variable": str(b)}
            rows.append({**head, **_correlated(x, z, method, interval, level)})
    table = pd.DataFrame(rows).reindex(columns=list(_TABLE))
    table["p_adjusted"] = adjust_p(table["p"].to_numpy(dtype=float), adjust)
    tested = int(table["p"].notna().sum())
    notes.append(f"Adjusted p: {ADJUSTMENTS[adjust]} over {tested} tests.")
    kept = [part for part in pairs if len(part)]
    after = pd.concat(kept, ignore_index=True) if kept else pd.DataFrame()
    return Associations(
        table,
        pd.DataFrame(levels).reindex(columns=list(_LEVELS)),
        after.reindex(columns=list(_PAIRS)),
        notes,
    )


def _joined(
    scores: Any, data: pd.DataFrame, notes: list[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return scores and data of the same patients, in one order."""
    if not isinstance(scores, (pd.Series, pd.DataFrame)):
        values = np.asarray(scores, dtype=float)
        if values.shape[:1] != (len(data),):
            raise InvalidInput(
                f"The scores have shape {values.shape} and data {len(data)} rows; give "
                "each patient one score, or a Series indexed by patient."
            )
        scores = pd.DataFrame(values, index=data.index)
        scores.columns = (
            ["score"]
            if scores.shape[1] == 1
            else [f"score {j + 1}" for j in range(scores.shape[1])]
        )
    frame = (
        scores.to_frame(scores.name or "score")
        if isinstance(scores, pd.Series)
        else scores
    )
    for what, index in (("the scores", frame.index), ("data", data.index)):
        if index.has_duplicates:
            twice = index[index.duplicated()].unique()
            raise InvalidInput(
                f"Patients stand more than once in {what}: {listed(twice)}."
            )
    both = frame.index.intersection(data.index, sort=False)
    if not len(both):
        raise InvalidInput(
            f"No patient has both a score ({listed(frame.index, 3)}) and data "
            f"({listed(data.index, 3)}). Index both by the patient's id."
        )
    for what, index in (("score", data.index), ("data", frame.index)):
        if len(index) > len(both):
            notes.append(f"{len(index) - len(both)} patients have no {what}.")
    return frame.loc[both], data.loc[both]


def _correlated(
    x: np.ndarray, z: np.ndarray, method: str, interval: str, level: float
) -> dict[str, Any]:
    both = ~(np.isnan(x) | np.isnan(z))
    n = int(both.sum())
    refusal = ""
    if n < _FEWEST:
        refusal = f"{n} patients have both"
    elif np.ptp(x[both]) == 0 or np.ptp(z[both]) == 0:
        refusal = "one value throughout"
    if refusal:
        return {"test": "not tested", "n": n, "p": NAN, "reason": refusal}
    found = correlation(x, z, method=method, interval=interval, level=level)
    return {
        "test": _METHODS[method],
        "n": n,
        "correlation": found.value,
        "ci_low": found.ci_low,
        "ci_high": found.ci_high,
        "p": found.p,
        "reason": "two numbers",
    }


def _over_levels(
    values: np.ndarray, column: pd.Series[Any], adjust: str, alpha: float
) -> tuple[dict[str, Any], list[dict[str, Any]], pd.DataFrame]:
    groups = {str(v): values[is_level(column, v)] for v in levels_of(column)}
    found = compare_groups(groups, adjust=adjust, alpha=alpha)
    n = int(sum((~np.isnan(v)).sum() for v in groups.values()))
    one = {"test": found.test.name, "n": n, "p": found.test.p, "reason": found.reason}
    rows = [{"level": name, **numbers_of(v)} for name, v in groups.items()]
    return one, rows, found.pairs
