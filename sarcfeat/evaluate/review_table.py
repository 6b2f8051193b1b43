"""What the pathologist saw in tiles of low and of high scores, with its tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sarcfeat._validation import pick
from sarcfeat.evaluate.printed import ADJUSTMENTS, Printed, p_text
from sarcfeat.evaluate.review_answers import joined_review, read_key
from sarcfeat.evaluate.review_variables import checked_variables
from sarcfeat.exceptions import InvalidInput
from sarcfeat.metrics import adjust_p, compare_categories

__all__ = ["ReviewTable", "review_table"]

ALL = "all"
GROUPS = ("low", "high")
_TABLE = (
    "region",
    "variable",
    "test",
    "n",
    "n_missing",
    "statistic",
    "p",
    "p_adjusted",
    "p_patients",
    "reason",
)
_CAUTION = (
    "p takes tiles as independent, as the paper does; tiles of one patient are alike, "
    "and it is then too small. p by patients is chi-squared among groups of patients "
    "drawn anew within training and within validation."
)


@dataclass(frozen=True)
class ReviewTable(Printed):
    """The tests of a review.

    Attributes
    ----------
    table : DataFrame
        One row a region (``all`` first) and variable: ``region, variable, test, n``
        (tiles with an answer), ``n_missing, statistic, p, p_adjusted`` (over all rows),
        ``p_patients`` (whole patients exchanged between the groups) and ``reason`` of
        the test.
    counts : DataFrame
        ``region, variable, level, group, tiles, share`` (of the group's tiles with an
        answer).
    notes : list of str
    """

    table: pd.DataFrame
    counts: pd.DataFrame
    notes: list[str]

    def formatted(self) -> pd.DataFrame:
        """Return the table as a paper prints it: counts by group, and tests."""
        shown = self.counts["tiles"].astype(int).astype(str)
        percent = (100 * self.counts["share"]).map("{:.0f} %".format)
        told = self.counts.assign(cell=shown + " (" + percent + ")")
        names = ["region", "variable", "level"]
        rows = told.pivot(index=names, columns="group", values="cell")
        order = pd.MultiIndex.from_frame(self.counts[names].drop_duplicates())
        out = rows.loc[order, list(GROUPS)].reset_index()
        out.columns.name = None
        tests = self.table.set_index(["region", "variable"])
        first = ~out.duplicated(["region", "variable"])
        keys = list(zip(out["region"], out["variable"], strict=True))
        for name, said in (
            ("test", "test"),
            ("p", "p"),
            ("p_adjusted", "adjusted p"),
            ("p_patients", "p by patients"),
        ):
            held = [tests.loc[k, name] for k in keys]
            text = [v if name == "test" else p_text(float(v)) for v in held]
            out[said] = np.where(first, np.array(text, dtype=object), "")
        return out


def review_table(
    form: pd.DataFrame | str | PathLike[str],
    key: pd.DataFrame | str | PathLike[str],
    *,
    variables: Mapping[str, Sequence[str]] | None = None,
    adjust: str = "bh",
    n_permutations: int = 1999,
    random_state: Any = 0,
) -> ReviewTable:
    """Test what a pathologist saw in tiles of low and high scores, overall, by region.

    Chi-squared, or Fisher's exact test where counts are small
    (:func:`~sarcfeat.metrics.compare_categories`).

    Parameters
    ----------
    form : DataFrame or path
        The form of :func:`review_form`, filled in. Case, spaces, a per cent sign and
        the dash of a range do not matter; empty cells are counted as missing.
    key : DataFrame or path
        Its key.
    variables : mapping of str to sequence of str, optional
        As given to :func:`review_form`.
    adjust : str
        Over all rows of the table, as for :func:`~sarcfeat.metrics.adjust_p`.
    n_permutations : int
        Of patients between the groups; 0 for none.
    random_state : int or Generator
        Of the permutations, and of the random tables of large sparse ones.

    Returns
    -------
    ReviewTable

    Raises
    ------
    InvalidInput
        Answers that are none of those allowed (row, tile and column are named), tiles
        that the key lacks or that come twice, columns that are missing.

    References
    ----------
    Michot et al. (2025), histological features of the score.

    Examples
    --------
    >>> key = pd.DataFrame({"tile": [f"T{i}" for i in range(40)], "region": "C",
    ...                     "patient": np.repeat(list("abcd"), 10),
    ...                     "group": np.repeat(["low", "high"], 20)})
    >>> form = pd.DataFrame({"tile": key["tile"], "necrosis": ["absent"] * 25
    ...                      + ["Present"] * 14 + [""]})
    >>> found = review_table(form, key, variables={"necrosis": ("absent", "present")})
    >>> row = found.table.iloc[0]
    >>> row["region"], row["test"], int(row["n_missing"]), bool(row["p"] < 0.001)
    ('all', 'Chi-squared', 1, True)
    >>> found.counts["tiles"].tolist()[:4]
    [20, 5, 0, 14]
    """
    pick(adjust, ADJUSTMENTS, "adjustment")
    if isinstance(n_permutations, bool) or n_permutations < 0:
        raise InvalidInput(f"n_permutations is {n_permutations}; expected 0 or more.")
    asked = checked_variables(variables)
    notes: list[str] = []
    held = joined_review(form, _checked_groups(read_key(key)), asked, notes)
    rows: list[dict[str, Any]] = []
    counts: list[pd.DataFrame] = []
    for region, part in _by_region(held):
        for name, levels in asked.items():
            one, cells = _tested(part, name, levels, n_permutations, random_state)
            rows.append({"region": region, "variable": name, **one})
            counts.append(cells.assign(region=region, variable=name))
    table = pd.DataFrame(rows)
    table["p_adjusted"] = adjust_p(table["p"].to_numpy(dtype=float), adjust)
    order = ["region", "variable", "level", "group", "tiles", "share"]
    _tell(held, asked, adjust, n_permutations, notes)
    return ReviewTable(
        table[list(_TABLE)], pd.concat(counts, ignore_index=True)[order], notes
    )


def _checked_groups(key: pd.DataFrame) -> pd.DataFrame:
    found = key["group"].astype(str)
    odd = sorted(set(found) - set(GROUPS))
    if odd or found.nunique() < 2:
        raise InvalidInput(
            f"The key has the groups {sorted(set(found))}; expected low and high. Pass "
            "the key that review_form made."
        )
    if (key.groupby("patient")["group"].nunique() > 1).any():
        raise InvalidInput("A patient of the key is in both groups.")
    return key


def _by_region(held: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    parts = [(ALL, held)]
    if "region" in held.columns:
        region = held["region"].fillna("").astype(str)
        names = sorted(set(region) - {""})
        parts += [(name, held[region == name]) for name in names if len(names) > 1]
    return parts


def _tested(
    part: pd.DataFrame,
    name: str,
    levels: tuple[str, ...],
    n_permutations: int,
    random_state: Any,
) -> tuple[dict[str, Any], pd.DataFrame]:
    known = part[part[name].notna()]
    table = pd.crosstab(known[name], known["group"])
    table = table.reindex(index=list(levels), columns=list(GROUPS), fill_value=0)
    found = compare_categories(table, random_state=random_state)
    p_patients = _p_patients(known, name, levels, n_permutations, random_state)
    share = table / table.sum().replace(0, np.nan)
    cells = pd.DataFrame(
        {
            "level": np.repeat(list(levels), 2),
            "group": list(GROUPS) * len(levels),
            "tiles": table.to_numpy(dtype=int).ravel(),
            "share": share.to_numpy(dtype=float).ravel(),
        }
    )
    told = {
        "test": found.test.name,
        "n": len(known),
        "n_missing": len(part) - len(known),
        "statistic": found.test.statistic,
        "p": found.test.p,
        "p_patients": p_patients if np.isfinite(found.test.p) else float("nan"),
        "reason": found.reason,
    }
    return told, cells


def _p_patients(
    known: pd.DataFrame,
    name: str,
    levels: tuple[str, ...],
    n: int,
    random_state: Any,
) -> float:
    """Return the share of exchanges of patients with as large a chi-squared."""
    if not n or known["group"].nunique() < 2:
        return float("nan")
    counts = pd.crosstab(known["patient"], known[name]).reindex(
        columns=list(levels), fill_value=0
    )
    one = known.drop_duplicates("patient").set_index("patient").loc[counts.index]
    high = (one["group"] == "high").to_numpy()
    strata = np.zeros(len(one), int)
    if "chosen_in" in one.columns:
        strata = pd.factorize(one["chosen_in"].astype(str))[0]
    rng = np.random.default_rng(random_state)
    drawn = np.tile(high, (n, 1))
    for stratum in np.unique(strata):
        at = np.flatnonzero(strata == stratum)
        drawn[:, at] = rng.permuted(np.tile(high[at], (n, 1)), axis=1)
    held = counts.to_numpy(dtype=float)
    observed = _chi_squared(high[None, :], held)[0]
    as_large = _chi_squared(drawn, held) >= observed * (1 - 1e-9)
    return float((1 + as_large.sum()) / (1 + n))


def _chi_squared(
    high: npt.NDArray[np.bool_], counts: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return the statistic of each row of group labels, patients by levels given."""
    total = counts.sum(axis=0)
    mine = high.astype(float) @ counts
    n_high = mine.sum(axis=1, keepdims=True)
    share = n_high / total.sum()
    expected = share * total
    other = total - expected
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = (mine - expected) ** 2 * (1 / expected + 1 / other)
    return np.where(np.isfinite(parts), parts, 0.0).sum(axis=1)


def _tell(
    held: pd.DataFrame,
    asked: dict[str, tuple[str, ...]],
    adjust: str,
    n_permutations: int,
    notes: list[str],
) -> None:
    empty = int(held[list(asked)].isna().to_numpy().sum())
    patients = held["patient"].nunique()
    notes.append(f"{len(held)} tiles of {patients} patients; {empty} answers missing.")
    if adjust != "none":
        notes.append(f"Adjusted p: {ADJUSTMENTS[adjust]}, over all rows.")
    if n_permutations:
        notes.append(_CAUTION)
