"""Any table of results as HTML, LaTeX or text: numbers as a paper prints them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from sarcfeat.evaluate.printed import html_table, latex_table, readable
from sarcfeat.exceptions import InvalidInput

__all__ = ["to_frame", "to_html", "to_latex"]


def to_frame(table: Any, *, digits: int = 2) -> pd.DataFrame:
    """Return a table of results as text, as a paper prints it.

    Parameters
    ----------
    table : DataFrame, or a result with ``formatted()``
        ``CoxTable``, ``TableOne``, ``SurvivalTable`` and ``Associations`` know how they
        are printed; in a DataFrame an estimate takes in the ``ci_low`` and ``ci_high``
        behind it, and p-values under 0.001 are said so.
    digits : int
        Decimals of a DataFrame's numbers.

    Returns
    -------
    DataFrame
        Of text.

    Raises
    ------
    InvalidInput
        Neither of the two.

    Examples
    --------
    >>> table = pd.DataFrame({"hazard_ratio": [2.096], "ci_low": [1.336],
    ...                       "ci_high": [3.288], "p": [0.0002]}, index=["size"])
    >>> to_frame(table).iloc[0].to_dict()
    {'name': 'size', 'HR (95 % CI)': '2.10 (1.34 to 3.29)', 'p': '<0.001'}
    """
    if isinstance(table, pd.DataFrame):
        return readable(table, digits=digits)
    if hasattr(table, "formatted"):
        found = table.formatted()
        if isinstance(found, pd.DataFrame):
            return found
    raise InvalidInput(
        "Expected a DataFrame or a result with formatted(); got "
        f"{type(table).__name__}."
    )


def to_html(
    table: Any,
    *,
    caption: str = "",
    notes: Iterable[str] = (),
    digits: int = 2,
) -> str:
    """Return a table of results as HTML, with its caption and its notes below.

    Parameters
    ----------
    table : DataFrame, or a result with ``formatted()``
        Its own notes come along: ``table.notes``, or ``table.attrs["notes"]`` of a
        DataFrame. Fewer than ten events a variable is among them.
    caption : str
    notes : iterable of str
        Further notes.
    digits : int

    Returns
    -------
    str
        One ``<table>``; every text of the data is escaped.

    Examples
    --------
    >>> table = pd.DataFrame({"model": ["<script>"], "p": [0.04]})
    >>> table.attrs["notes"] = ["4.0 events per variable."]
    >>> text = to_html(table, caption="Models")
    >>> "<script>" in text, "<caption>Models</caption>" in text, "4.0 events" in text
    (False, True, True)
    """
    shown = to_frame(table, digits=digits)
    return html_table(shown, caption=caption, notes=_notes(table, notes))


def to_latex(
    table: Any,
    *,
    caption: str = "",
    notes: Iterable[str] = (),
    digits: int = 2,
) -> str:
    r"""Return a table of results as LaTeX, with its caption and its notes below.

    Parameters
    ----------
    table, caption, notes, digits
        As in :func:`to_html`.

    Returns
    -------
    str
        A ``tabular``, within a ``table`` where there is a caption; every text of the
        data is escaped. No package is needed.

    Examples
    --------
    >>> print(to_latex(pd.DataFrame({"model": ["a_b"], "p": [0.0001]})))
    \begin{tabular}{ll}
    \hline
    model & p \\
    \hline
    a\_b & $<$0.001 \\
    \hline
    \end{tabular}
    """
    shown = to_frame(table, digits=digits)
    return latex_table(shown, caption=caption, notes=_notes(table, notes))


def _notes(table: Any, more: Iterable[str]) -> list[str]:
    attrs = getattr(table, "attrs", {})
    own = attrs.get("notes", ()) if attrs else getattr(table, "notes", ())
    return [str(note) for note in (*own, *more)]
