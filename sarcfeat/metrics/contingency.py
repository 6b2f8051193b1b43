"""Do two categories go together? Tests of tables of counts."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb
from typing import Any

import numpy as np
from scipy import stats
from scipy.special import gammaln

from sarcfeat.exceptions import InvalidInput

__all__ = ["FisherExact", "TableTest", "chi_squared", "fisher_exact", "mcnemar"]

# Tables of the same margins that are enumerated at most.
MOST = 5_000_000


@dataclass(frozen=True)
class TableTest:
    """A chi-squared test of a table: ``statistic, p, df``."""

    statistic: float
    p: float
    df: int


@dataclass(frozen=True)
class FisherExact:
    """Fisher's exact test.

    Attributes
    ----------
    p : float
    odds_ratio, ci_low, ci_high : float
        The conditional maximum-likelihood odds ratio of a 2 x 2 table with its exact
        interval; NaN for a larger table.
    """

    p: float
    odds_ratio: float
    ci_low: float
    ci_high: float


def _counts(table: Any) -> np.ndarray:
    """Return a table of whole counts without empty rows and columns.

    Raises
    ------
    InvalidInput
    """
    counts = np.asarray(table)
    if counts.ndim != 2:
        raise InvalidInput(f"A table has rows and columns; got shape {counts.shape}.")
    whole = counts.astype(float)
    if (whole < 0).any() or (whole != np.floor(whole)).any():
        raise InvalidInput(
            "A table holds counts of patients, 0, 1, 2 …; got values from "
            f"{whole.min():g} to {whole.max():g}."
        )
    counts = whole.astype(np.int64)
    counts = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    if min(counts.shape) < 2:
        raise InvalidInput(
            "All patients are in one row or one column of the table: there is nothing "
            "to compare."
        )
    return counts


def chi_squared(table: Any, *, continuity: bool = True) -> TableTest:
    """Test whether rows and columns of a table are independent.

    Parameters
    ----------
    table : array-like of counts
    continuity : bool
        Yates' correction, for a 2 x 2 table only.

    Examples
    --------
    >>> round(chi_squared([[12, 5], [4, 11]]).p, 3)
    0.034
    """
    found = stats.chi2_contingency(_counts(table), correction=continuity)
    return TableTest(float(found.statistic), float(found.pvalue), int(found.dof))


def mcnemar(first: Any, second: Any, *, continuity: bool = True) -> TableTest:
    """Compare two yes-or-no judgements of the same patients.

    Parameters
    ----------
    first, second : array-like of bool
    continuity : bool

    Examples
    --------
    >>> mcnemar([1, 1, 1, 0, 1], [0, 0, 1, 0, 0]).statistic
    1.3333333333333333
    """
    a, b = np.asarray(first).astype(bool), np.asarray(second).astype(bool)
    only_a, only_b = int((a & ~b).sum()), int((~a & b).sum())
    if not only_a + only_b:
        return TableTest(0.0, 1.0, 1)
    gap = abs(only_a - only_b)
    if continuity and gap:
        gap -= 1
    statistic = gap**2 / (only_a + only_b)
    return TableTest(statistic, float(stats.chi2.sf(statistic, 1)), 1)


def _log_chances(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return the log chance of every table of these margins, but for a constant.

    Column by column, and in it row by row, every table begun is continued in all ways
    that its margins allow, all tables at once.
    """
    left, chance = rows[None], np.zeros(1)
    for total in columns[:-1]:
        need = np.full(len(left), int(total))
        for row in range(len(rows) - 1):
            low = np.maximum(need - left[:, row + 1 :].sum(axis=1), 0)
            ways = np.minimum(need, left[:, row]) - low + 1
            table = np.repeat(np.arange(len(left)), ways)
            start = np.repeat(np.cumsum(ways) - ways, ways)
            count = low[table] + np.arange(len(table)) - start
            left, need = left[table], need[table] - count
            left[:, row] -= count
            chance = chance[table] - gammaln(count + 1)
        left[:, -1] -= need
        chance = chance - gammaln(need + 1)
    return chance - gammaln(left + 1).sum(axis=1)


def fisher_exact(table: Any, *, level: float = 0.95) -> FisherExact:
    """Test independence exactly, given the margins of the table.

    Parameters
    ----------
    table : array-like of counts
        Of any size whose tables can be enumerated.
    level : float
        Level of the interval of the odds ratio.

    Raises
    ------
    InvalidInput
        Too many tables have these margins.

    References
    ----------
    P-values equal R's ``fisher.test``; the odds ratio is exact where R's root finder
    stops at 1e-4.

    Examples
    --------
    >>> found = fisher_exact([[8, 2], [1, 5]])
    >>> round(found.p, 4), round(found.odds_ratio, 2)
    (0.035, 15.47)
    """
    counts = _counts(table)
    if counts.shape[0] > counts.shape[1]:
        counts = counts.T
    rows, columns = counts.sum(axis=1), counts.sum(axis=0)
    most = 1
    for total in np.sort(columns)[:-1]:
        most *= comb(int(total) + len(rows) - 1, len(rows) - 1)
    if most > MOST:
        raise InvalidInput(
            f"Up to {most:.2g} tables have the margins {rows.tolist()} and "
            f"{columns.tolist()}: too many to enumerate. Use chi_squared, or join rare "
            "categories."
        )
    order = np.argsort(columns, kind="stable")
    log_chance = _log_chances(rows, columns[order])
    observed = -gammaln(counts + 1).sum()
    chance = np.exp(log_chance - log_chance.max())
    limit = np.exp(observed - log_chance.max()) * (1 + 1e-7)
    p = min(1.0, float(chance[chance <= limit].sum() / chance.sum()))
    if counts.shape != (2, 2):
        return FisherExact(p, float("nan"), float("nan"), float("nan"))
    found = stats.contingency.odds_ratio(counts)
    ci = found.confidence_interval(level)
    return FisherExact(p, float(found.statistic), float(ci.low), float(ci.high))
