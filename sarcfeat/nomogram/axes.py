"""The axes of a nomogram from the columns of a model's design."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sarcfeat._validation import did_you_mean, listed
from sarcfeat.exceptions import InvalidInput
from sarcfeat.nomogram.pretty import digits_within
from sarcfeat.nomogram.terms import Term
from sarcfeat.nomogram.variable import Variable

__all__ = ["Axis", "axes_of"]


@dataclass(frozen=True)
class Axis:
    """A variable, and where in the design its columns stand (-1: it has none)."""

    variable: Variable
    places: tuple[int, ...]


def _short(name: str) -> str:
    """Return a column's name without where it came from: ``clin__clinical.age``.

    Examples
    --------
    >>> _short("clin__clinical.age"), _short("rad__rad_score")
    ('age', 'rad_score')
    """
    return name.rpartition("__")[2].removeprefix("clinical.")


def _lookup(given: Mapping[str, str] | None, names: Sequence[str]) -> dict[str, str]:
    """Return the given text of each column; refuse a key that is no column."""
    found: dict[str, str] = {}
    for key, text in (given or {}).items():
        spelled = [n for n in names if key in {n, n.rpartition("__")[2], _short(n)}]
        if not spelled:
            raise InvalidInput(
                f"A label or unit is given for {key!r}, which is no column of the "
                f"model's design: {listed(names, 12)}.{did_you_mean(key, names)}"
            )
        found.update(dict.fromkeys(spelled, text))
    return found


def _levels(row: pd.Series[Any]) -> tuple[float, ...]:
    """Return the values of a column that has few of them, else nothing."""
    levels = row["levels"]
    if levels is None or np.isscalar(levels):
        return ()
    return tuple(float(level) for level in levels)


def _ends(row: pd.Series[Any]) -> dict[str, Any]:
    """Return the whole range of the training patients, where the model kept it."""
    low = float(row.get("minimum", row["low"]))
    return {"low": low, "high": float(row.get("maximum", row["high"]))}


def _middle(row: pd.Series[Any]) -> float:
    """Return the median with as many digits as a reader would type."""
    return round(float(row["median"]), digits_within(**_ends(row)))


def _one_column(
    name: str, coefficient: float, row: pd.Series[Any], label: str, unit: str
) -> Variable:
    common: dict[str, Any] = {"label": label, "unit": unit, "start": _middle(row)}
    levels = _levels(row)
    if levels:
        return Variable.coded(name, coefficient, levels=levels, **common)
    return Variable.numeric(name, coefficient, **_ends(row), **common)


def _of_term(
    term: Term,
    coef: Sequence[float],
    rows: pd.DataFrame,
    label: str,
    unit: str,
) -> Variable:
    if term.knots:
        row = rows.iloc[0]
        return Variable.spline(
            term.name,
            coef,
            term.knots,
            **_ends(row),
            label=label,
            unit=unit,
            start=_middle(row),
            columns=term.columns,
        )
    effects = dict(zip(term.levels, [0.0, *coef], strict=True))
    usual = np.flatnonzero(rows["median"].to_numpy(dtype=float) == 1.0)
    start = term.levels[usual[0] + 1] if len(usual) else term.levels[0]
    return Variable.categories(
        term.name, effects, label=label, start=start, columns=term.columns
    )


def axes_of(
    names: Sequence[str],
    coef: npt.NDArray[np.float64],
    ranges: pd.DataFrame,
    shown: npt.NDArray[np.bool_],
    terms: Sequence[Term],
    *,
    labels: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
) -> list[Axis]:
    """Return the axes, each where the first of its columns stands in the design.

    Parameters
    ----------
    names : sequence of str
        Columns of the design.
    coef : ndarray of float
        Their coefficients.
    ranges : DataFrame
        How far they reach; see :class:`CoxPH`.
    shown : ndarray of bool
        Whether a column by itself has an axis.
    terms : sequence of Term
        Columns that are one variable; of one that the design has not whole, each
        column is an axis.
    labels, units : mapping, optional
        Column or variable → text for the reader.

    Raises
    ------
    InvalidInput
        A label or unit of no column.
    """
    place = {name: i for i, name in enumerate(names)}
    whole = [term for term in terms if set(term.columns) <= set(place)]
    owner = {column: term for term in whole for column in term.columns}
    known = [*names, *(term.name for term in whole if term.name not in place)]
    label_of, unit_of = _lookup(labels, known), _lookup(units, known)
    axes: list[Axis] = []
    done: set[str] = set()
    for name in names:
        term = owner.get(name)
        key = name if term is None else term.name
        if (term is not None and key in done) or (
            term is None and not shown[place[name]]
        ):
            continue
        text = label_of.get(key, _short(key)), unit_of.get(key, "")
        if term is None:
            i = place[name]
            made = _one_column(name, float(coef[i]), ranges.iloc[i], *text)
            axes.append(Axis(made, (i,)))
            continue
        done.add(key)
        at = [place[column] for column in term.columns]
        if not shown[at].any():
            continue
        made = _of_term(term, coef[at].tolist(), ranges.iloc[at], *text)
        axes.append(Axis(made, tuple(at) if term.knots else (-1, *at)))
    return axes
