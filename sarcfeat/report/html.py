"""One self-contained HTML page: pictures inside, nothing fetched, all escaped."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from jinja2 import Environment, PackageLoader, select_autoescape

__all__ = ["Figure", "Section", "Table", "write_html"]


@dataclass(frozen=True)
class Figure:
    """A PNG with its caption; `alt` says in words what it shows."""

    path: Path
    caption: str
    alt: str

    @property
    def data_uri(self) -> str:
        """The picture itself, so that the page needs no other file."""
        encoded = base64.b64encode(Path(self.path).read_bytes()).decode("ascii")
        return f"data:image/png;base64,{encoded}"


@dataclass(frozen=True)
class Table:
    """A data frame as it should be read: numbers formatted, missing as a dash.

    What its `notes` say stands below it.
    """

    frame: pd.DataFrame
    caption: str
    digits: int = 3
    notes: Sequence[str] = ()

    @property
    def header(self) -> list[str]:
        """Column names in words."""
        return [str(name).replace("_", " ") for name in self.frame.columns]

    @property
    def rows(self) -> list[list[str]]:
        """Cells as text."""
        return [
            [format_cell(value, self.digits) for value in row]
            for row in self.frame.itertuples(index=False, name=None)
        ]


@dataclass(frozen=True)
class Section:
    """A heading with what stands under it: paragraphs, then tables, then figures."""

    title: str
    text: Sequence[str] = field(default_factory=tuple)
    tables: Sequence[Table] = field(default_factory=tuple)
    figures: Sequence[Figure] = field(default_factory=tuple)


def format_cell(value: object, digits: int = 3) -> str:
    """Write one value of a table.

    Examples
    --------
    >>> format_cell(0.61849), format_cell(None), format_cell(34), format_cell(0.00001)
    ('0.618', '–', '34', '<0.001')
    """
    if value is None or (isinstance(value, float) and value != value):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        if value.is_integer() and abs(value) < 1e6:
            return str(int(value))
        if 0 < value < 10**-digits:
            return f"<{10**-digits:g}"
        return f"{value:.{digits}f}"
    return str(value)


def write_html(
    path: str | os.PathLike[str],
    *,
    title: str,
    summary: Sequence[str],
    sections: Sequence[Section],
    warnings: Sequence[str] = (),
    footer: str = "",
) -> Path:
    """Write a study report that opens anywhere, without a network.

    Parameters
    ----------
    path : path-like
        The ``.html`` file.
    title : str
    summary : list of str
        The sentences a reader in a hurry needs.
    sections : list of Section
    warnings : list of str
        Printed in red at the top: failed patients, small event counts.
    footer : str
        Versions, seed and matrix id.

    Returns
    -------
    pathlib.Path

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     page = write_html(folder + "/report.html", title="A <b> study",
    ...                       summary=["34 patients."], sections=[])
    ...     "A &lt;b&gt; study" in page.read_text()
    True
    """
    environment = Environment(
        loader=PackageLoader("sarcfeat.report", "templates"),
        autoescape=select_autoescape(default=True),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("study.html").render(
        title=title,
        summary=summary,
        sections=sections,
        warnings=warnings,
        footer=footer,
    )
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(page, encoding="utf-8")
    return target
