"""How every table of results is printed: numbers, p-values, notes, HTML and LaTeX."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from sarcfeat.estimators.hazard_table import FEW_EVENTS, few_events_note

__all__ = [
    "ADJUSTMENTS",
    "FEW_EVENTS",
    "Printed",
    "few_events_note",
    "html_table",
    "interval_text",
    "latex_table",
    "number_text",
    "p_text",
    "ratio_text",
    "readable",
    "spread_decimals",
    "time_text",
]

ADJUSTMENTS = {
    "bh": "Benjamini-Hochberg",
    "bonferroni": "Bonferroni",
    "by": "Benjamini-Yekutieli",
    "hochberg": "Hochberg",
    "holm": "Holm",
    "none": "none",
}
DAYS_PER_YEAR = 365.25

_NAMES = {
    "hazard_ratio": "HR",
    "hr": "HR",
    "odds_ratio": "OR",
    "c_index": "c-index",
    "auc": "AUC",
    "ibs": "IBS",
    "p_value": "p",
    "p_adjusted": "adjusted p",
    "n": "n",
}
_TEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "–": "--",
    "²": "$^2$",
    "χ": r"$\chi$",
    "ρ": r"$\rho$",
}


class Printed:
    """A result with ``formatted()`` and ``notes``, and so with these three ways out."""

    notes: list[str]

    def formatted(self) -> pd.DataFrame:
        """Return the table as text, as a paper prints it."""
        raise TypeError(f"{type(self).__name__} does not say how it is printed.")

    def __str__(self) -> str:
        """Write the table as a paper prints it, with its notes."""
        rows = self.formatted().to_string(index=False)
        return "\n".join([rows, *(f"* {note}" for note in self.notes)])

    def to_html(self, caption: str = "") -> str:
        """Return the formatted table with its notes as HTML, text escaped."""
        return html_table(self.formatted(), caption=caption, notes=self.notes)

    def to_latex(self, caption: str = "") -> str:
        """Return the formatted table with its notes as LaTeX, text escaped."""
        return latex_table(self.formatted(), caption=caption, notes=self.notes)


def number_text(value: float, digits: int = 2) -> str:
    """Write a number; nothing where it is missing.

    Examples
    --------
    >>> number_text(2.096), number_text(float("inf")), number_text(float("nan"))
    ('2.10', 'infinite', '')
    """
    if np.isnan(value):
        return ""
    if np.isinf(value):
        return "infinite" if value > 0 else "-infinite"
    return f"{value:.{digits}f}"


def interval_text(value: float, low: float, high: float, digits: int = 2) -> str:
    """Write an estimate with its interval.

    Examples
    --------
    >>> interval_text(2.1, 1.34, 3.29)
    '2.10 (1.34 to 3.29)'
    """
    if np.isnan(value):
        return ""
    if np.isnan(low) and np.isnan(high):
        return number_text(value, digits)
    ends = (number_text(end, digits) or "not reached" for end in (low, high))
    return f"{number_text(value, digits)} ({' to '.join(ends)})"


def ratio_text(ratio: float, low: float, high: float) -> str:
    """Write a hazard ratio with its interval; 1 without one is a reference level's.

    Examples
    --------
    >>> nan = float("nan")
    >>> ratio_text(2.1, 1.34, 3.29), ratio_text(1, nan, nan), ratio_text(2.1, nan, nan)
    ('2.10 (1.34 to 3.29)', '1 (reference)', '2.10')
    """
    if ratio == 1 and np.isnan(low) and np.isnan(high):
        return "1 (reference)"
    return interval_text(ratio, low, high)


def p_text(value: float) -> str:
    """Write a p-value.

    Examples
    --------
    >>> p_text(0.0431), p_text(0.00002), p_text(float("nan"))
    ('0.043', '<0.001', '')
    """
    if np.isnan(value):
        return ""
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def spread_decimals(spread: float) -> int:
    """Return the decimals that three figures of a spread need.

    Examples
    --------
    >>> [spread_decimals(s) for s in (250.0, 12.1, 0.034)]
    [0, 1, 4]
    """
    if not np.isfinite(spread) or spread <= 0:
        return 1
    return int(np.clip(2 - np.floor(np.log10(spread)), 0, 6))


def time_text(time: float, unit: str) -> str:
    """Write a time; whole years where days are.

    Examples
    --------
    >>> time_text(730.5, "days"), time_text(90, "days"), time_text(24, "months")
    ('2 years', '90 days', '24 months')
    """
    years = time / DAYS_PER_YEAR
    # 365 and 730 days are said as years too.
    if unit == "days" and years > 0.9 and abs(years - round(years)) < 0.01:
        return "1 year" if round(years) == 1 else f"{round(years)} years"
    return f"{round(time, 1):g} {unit}"


def readable(table: pd.DataFrame, *, digits: int = 2) -> pd.DataFrame:
    """Return a tidy table of numbers as text: estimates with intervals, p-values.

    A column before ``ci_low`` and ``ci_high`` takes both in; ``p`` and what ends in it
    is written as a p-value; whole numbers stay whole. An index with a name comes first.

    Parameters
    ----------
    table : DataFrame
        ``attrs["level"]`` is the coverage of its intervals (else 95 %).
    digits : int

    Examples
    --------
    >>> table = pd.DataFrame({"model": ["a"], "c_index": [0.6], "ci_low": [0.5],
    ...                       "ci_high": [0.7], "p_adjusted": [0.00004]})
    >>> readable(table).iloc[0].to_dict()
    {'model': 'a', 'c-index (95 % CI)': '0.60 (0.50 to 0.70)', 'adjusted p': '<0.001'}
    """
    if table.index.name is not None or not isinstance(table.index, pd.RangeIndex):
        table = table.reset_index(names=table.index.name or "name")
    level = f"{100 * float(table.attrs.get('level', 0.95)):g} % CI"
    names = [str(name) for name in table.columns]
    values = dict(
        zip(names, (table.iloc[:, j] for j in range(len(names))), strict=True)
    )
    triples = _triples(names)
    swallowed = {end for ends in triples.values() for end in ends}
    out: dict[str, list[str]] = {}
    for name in names:
        if name in swallowed:
            continue
        column = values[name]
        if name in triples:
            low, high = (values[end].to_numpy(dtype=float) for end in triples[name])
            three = zip(column.to_numpy(dtype=float), low, high, strict=True)
            out[f"{_said(name)} ({level})"] = [
                interval_text(float(a), float(b), float(c), digits) for a, b, c in three
            ]
        else:
            out[_said(name)] = _texts(name, column, digits)
    return pd.DataFrame(out, dtype="object")


def _triples(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return each estimate with the names of its limits: those right behind it."""
    found = {}
    for before, name in pairwise(names):
        if name.endswith("ci_low"):
            high = f"{name.removesuffix('ci_low')}ci_high"
            if high in names:
                found[before] = (name, high)
    return found


def _said(name: str) -> str:
    if name in _NAMES:
        return _NAMES[name]
    for part in ("hazard_ratio", "hr"):
        if name.endswith(f"_{part}"):
            return f"{name.removesuffix(part).replace('_', ' ')}HR"
    return name.replace("_", " ")


def _texts(name: str, column: pd.Series[Any], digits: int) -> list[str]:
    if re.fullmatch(r"(.*_)?p(_value|_adjusted)?", name) and _numeric(column):
        return [p_text(float(v)) for v in column.to_numpy(dtype=float)]
    if pd.api.types.is_bool_dtype(column):
        return ["yes" if v else "no" for v in column]
    if pd.api.types.is_integer_dtype(column):
        return [str(v) for v in column]
    if _numeric(column):
        values = column.to_numpy(dtype=float)
        known = values[np.isfinite(values)]
        whole = bool(len(known)) and bool((known == np.round(known)).all())
        return [number_text(float(v), 0 if whole else digits) for v in values]
    return ["" if pd.isna(v) else str(v) for v in column]


def _numeric(column: pd.Series[Any]) -> bool:
    return pd.api.types.is_numeric_dtype(column)


def html_table(
    table: pd.DataFrame, *, caption: str = "", notes: Iterable[str] = ()
) -> str:
    """Return a table of text as HTML with a caption and footnotes, all escaped.

    Examples
    --------
    >>> "&lt;b&gt;" in html_table(pd.DataFrame({"<b>": ["x"]}))
    True
    """

    def cells(row: Iterable[Any], tag: str) -> str:
        return "".join(f"<{tag}>{html.escape(str(v))}</{tag[:2]}>" for v in row)

    head = cells(table.columns, 'th scope="col"')
    rows = [f"<tr>{cells(row, 'td')}</tr>" for row in table.to_numpy().tolist()]
    parts = ['<table class="sarcfeat">']
    if caption:
        parts.append(f"<caption>{html.escape(caption)}</caption>")
    parts += [f"<thead><tr>{head}</tr></thead>", "<tbody>", *rows, "</tbody>"]
    feet = [html.escape(note) for note in notes]
    if feet:
        span = table.shape[1]
        parts.append("<tfoot>")
        parts += [f'<tr><td colspan="{span}">{foot}</td></tr>' for foot in feet]
        parts.append("</tfoot>")
    return "\n".join([*parts, "</table>"])


def latex_table(
    table: pd.DataFrame, *, caption: str = "", notes: Iterable[str] = ()
) -> str:
    r"""Return a table of text as LaTeX with a caption and footnotes, all escaped.

    Examples
    --------
    >>> print(latex_table(pd.DataFrame({"share": ["5 %"]})).splitlines()[4])
    5 \% \\
    """
    width = table.shape[1]
    rows = [[tex(cell) for cell in row] for row in table.to_numpy().tolist()]
    lines = [
        rf"\begin{{tabular}}{{{'l' * width}}}",
        r"\hline",
        " & ".join(tex(name) for name in table.columns) + r" \\",
        r"\hline",
        *(" & ".join(row) + r" \\" for row in rows),
        r"\hline",
    ]
    foot = rf"\multicolumn{{{width}}}{{p{{0.9\linewidth}}}}{{\footnotesize "
    lines += [foot + tex(note) + r"} \\" for note in notes]
    lines.append(r"\end{tabular}")
    if not caption:
        return "\n".join(lines)
    wrapped = [r"\begin{table}", rf"\caption{{{tex(caption)}}}", *lines, r"\end{table}"]
    return "\n".join(wrapped)


def tex(text: Any) -> str:
    r"""Return text that LaTeX prints as it is, on one line.

    Examples
    --------
    >>> print(tex("a_b & 5 %"), tex(r"\input{x}"))
    a\_b \& 5 \% \textbackslash{}input\{x\}
    """
    plain = " ".join(str(text).split())
    return "".join(_TEX.get(character, character) for character in plain)
