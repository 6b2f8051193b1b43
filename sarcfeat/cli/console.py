"""What every command shares: opening a store, tables for people, JSON for programs."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sarcfeat.exceptions import InvalidInput, SarcfeatError, StoreError

if TYPE_CHECKING:
    import click

    from sarcfeat.store import FeatureStore

__all__ = [
    "AsJson",
    "AtVersion",
    "Commands",
    "Published",
    "Store",
    "finish",
    "open_store",
    "pairs",
    "print_json",
    "show",
    "show_report",
]

Store = Annotated[Path, typer.Argument(help="Folder of the feature store.")]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print JSON, for other programs to read.")
]
Published = Annotated[
    bool,
    typer.Option("--published", help="Read the newest published copy, not the store."),
]
AtVersion = Annotated[
    int | None, typer.Option("--at", help="As the store was at this commit.")
]


class Commands(typer.core.TyperGroup):
    """The group of all commands: a named error is one line, and status 2."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was named."""
        try:
            return super().invoke(ctx)
        except SarcfeatError as error:
            typer.echo(f"error: {' '.join(str(error).split())}", err=True)
            raise typer.Exit(2) from error


def open_store(path: Path, *, published: bool = False) -> FeatureStore:
    """Open a store that is there; only ``init`` and ``add-…`` make one."""
    from sarcfeat.store import FeatureStore

    if not (path / "catalog.duckdb").exists() and not (path / "snapshots").is_dir():
        raise StoreError(
            f"No feature store at {path}. Correct the path, or make one: "
            f"sarcfeat init {path}"
        )
    return FeatureStore(path, read_only=True) if published else FeatureStore(path)


def pairs(items: list[str] | None, what: str) -> dict[str, str]:
    """Read ``NAME=VALUE`` options."""
    found = {}
    for item in items or []:
        name, sign, value = item.partition("=")
        if not sign or not name or not value:
            raise InvalidInput(f"--{what} {item!r}: expected NAME={what.upper()}.")
        found[name] = value
    return found


def show(frame: Any, title: str = "", *, as_json: bool = False) -> None:
    """Print a data frame as a table, or as a list of JSON objects."""
    import pandas as pd

    data = pd.DataFrame(frame)
    if not isinstance(data.index, pd.RangeIndex):
        data = data.reset_index()
    if as_json:
        print_json(data.to_dict(orient="records"))
        return
    table = Table(title=title or None)
    for name in data.columns:
        table.add_column(str(name), overflow="fold")
    for row in data.itertuples(index=False, name=None):
        cells = ["" if plain(value) is None else str(value) for value in row]
        table.add_row(*map(escape, cells))
    Console().print(table)


def plain(value: Any) -> Any:
    """Return what JSON can hold: numbers, text, lists, objects, null."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):  # numpy: an array or one of its numbers
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else _not_finite(value)
    if value is None or isinstance(value, bool | int | str):
        return value
    text = str(value)
    return None if text in ("NaT", "<NA>") else text


def _not_finite(value: float) -> str | None:
    """Write infinities as text; JSON has no number for them, and null for NaN."""
    return None if math.isnan(value) else str(value)


def print_json(value: Any) -> None:
    """Print one JSON document on standard output."""
    print(json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False))


def show_report(report: Any, title: str = "Failures") -> None:
    """Print a report: its counts, then what failed and why as a table."""
    failures = getattr(report, "failures", None)
    if failures is None or not len(failures):
        print(report)
        return
    print(str(report).splitlines()[0])
    show(failures.drop(columns=["session"], errors="ignore"), title)
    for note in getattr(report, "notes", ()):
        print(f"note: {note}")


def finish(report: Any) -> None:
    """Print a report; leave with status 1 where something failed."""
    show_report(report)
    if getattr(report, "failed", 0):
        raise typer.Exit(1)
