"""The commands of ``sarcfeat``; each is one call of the Python that users type."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sarcfeat import __version__
from sarcfeat.cli import store_in, store_keep, store_out, store_slides
from sarcfeat.cli.console import Commands

__all__ = ["app", "main"]

app = typer.Typer(
    cls=Commands,
    help="From sarcoma images and clinical tables to honestly validated nomograms.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(value: bool) -> None:
    if value:
        print(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, help="Print the version.")
    ] = False,
) -> None:
    """From sarcoma images and clinical tables to honestly validated nomograms."""


store_in.register(app)
store_slides.register(app)
store_out.register(app)
store_keep.register(app)


@app.command()
def demo(
    cohort: Annotated[
        str | None,
        typer.Option(
            help="simulated, sts or a folder; sts where SARCFEAT_DATA is set."
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Where the report goes.")] = Path(
        "reports/demo"
    ),
    store: Annotated[Path, typer.Option(help="Folder of the demo's stores.")] = Path(
        "store/demo"
    ),
    quick: Annotated[bool, typer.Option("--quick", help="Fewer patients.")] = False,
    trials: Annotated[
        int | None, typer.Option(help="Trials of the study in each training fold.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    n_jobs: Annotated[int, typer.Option(help="Worker processes.")] = 2,
) -> None:
    """Run the main job: from images and a clinical table to a validated nomogram."""
    from sarcfeat.cli.demo import run_demo

    result = run_demo(
        cohort,
        store_path=store,
        out=out,
        quick=quick,
        trials=trials,
        seed=seed,
        n_jobs=n_jobs,
    )
    if result.failed:
        raise typer.Exit(1)


def main() -> None:
    """Run a command: status 0 is done, 1 something failed, 2 an error."""
    app()
