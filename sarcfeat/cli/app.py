"""The commands of ``sarcfeat``; each is one call of the Python that users type."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from sarcfeat import __version__
from sarcfeat.exceptions import InvalidInput, SarcfeatError

__all__ = ["app", "main"]

app = typer.Typer(
    help="From sarcoma images and clinical tables to honestly validated nomograms.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Store = Annotated[Path, typer.Argument(help="Folder of the feature store.")]


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


def _pairs(items: list[str], what: str) -> dict[str, str]:
    """Read ``column=value`` options."""
    found = {}
    for item in items:
        name, sign, value = item.partition("=")
        if not sign or not name or not value:
            raise InvalidInput(f"--{what} {item!r}: expected COLUMN={what.upper()}.")
        found[name] = value
    return found


def _show(frame: object, title: str = "") -> None:
    """Print a data frame as a table."""
    import pandas as pd

    table = Table(title=title or None)
    data = pd.DataFrame(frame)
    for name in data.columns:
        table.add_column(str(name), overflow="fold")
    for row in data.itertuples(index=False, name=None):
        table.add_row(*[str(value) for value in row])
    Console().print(table)


@app.command()
def init(store: Store) -> None:
    """Make an empty store, or open one and say what is in it."""
    from sarcfeat.store import FeatureStore

    with FeatureStore(store) as opened:
        print(opened)


@app.command("add-patients")
def add_patients(
    store: Store,
    table: Annotated[Path, typer.Argument(help="CSV with one row a patient.")],
    index_time: Annotated[
        str | None, typer.Option(help="Column with the date of prediction.")
    ] = None,
    role: Annotated[
        list[str] | None, typer.Option(help="COLUMN=ROLE, such as margin=outcome.")
    ] = None,
    unit: Annotated[
        list[str] | None, typer.Option(help="COLUMN=UNIT, such as size=mm.")
    ] = None,
) -> None:
    """Add patients with their clinical variables."""
    from sarcfeat.store import FeatureStore

    with FeatureStore(store) as opened:
        opened.add_patients(
            table,
            index_time=index_time,
            roles=_pairs(role or [], "role"),
            units=_pairs(unit or [], "unit"),
        )
        print(opened)


@app.command("add-outcome")
def add_outcome(
    store: Store,
    name: Annotated[str, typer.Argument(help="Name of the endpoint, such as mfs.")],
    table: Annotated[Path, typer.Argument(help="CSV with patient, time and event.")],
    time: Annotated[str, typer.Option(help="Column of the time in days.")],
    event: Annotated[str, typer.Option(help="Column of the event, 1 or 0.")],
    competing: Annotated[
        str | None, typer.Option(help="Column of the competing event, 1 or 0.")
    ] = None,
) -> None:
    """Add an endpoint: when, and whether it happened."""
    from sarcfeat.io import read_table
    from sarcfeat.store import FeatureStore

    with FeatureStore(store) as opened:
        opened.add_outcome(
            name, time=time, event=event, competing=competing, data=read_table(table)
        )
        print(opened)


@app.command("add-images")
def add_images(
    store: Store,
    folder: Annotated[Path, typer.Argument(help="Folder of image files.")],
    pattern: Annotated[
        str, typer.Option(help="Where they lie, with {patient} and {sequence}.")
    ] = "{patient}/{sequence}_image.nii.gz",
) -> None:
    """Add the images of a folder; unreadable ones are listed, the others added."""
    from sarcfeat.store import FeatureStore

    with FeatureStore(store) as opened:
        _finish(opened.add_images(folder, pattern=pattern))


@app.command("add-masks")
def add_masks(
    store: Store,
    folder: Annotated[Path, typer.Argument(help="Folder of mask files.")],
    reader: Annotated[str, typer.Option(help="Who drew them.")] = "A",
    session: Annotated[int, typer.Option(help="1 for the first reading, 2 …")] = 1,
    pattern: Annotated[
        str, typer.Option(help="Where they lie, with {patient} and {sequence}.")
    ] = "{patient}/{sequence}_mask.nii.gz",
) -> None:
    """Add the lesion masks of one reader."""
    from sarcfeat.store import FeatureStore

    with FeatureStore(store) as opened:
        _finish(
            opened.add_masks(folder, reader=reader, session=session, pattern=pattern)
        )


def _finish(report: object) -> None:
    """Print a report; leave with status 1 where something failed."""
    print(report)
    if getattr(report, "failed", 0):
        raise typer.Exit(1)


@app.command("add-cohort")
def add_cohort(
    store: Store,
    name: Annotated[str, typer.Argument(help="Name of the cohort.")],
    query: Annotated[
        str | None, typer.Option(help="SQL condition, such as \"site = 'Bordeaux'\".")
    ] = None,
) -> None:
    """Name a group of patients."""
    from sarcfeat.store import FeatureStore

    with FeatureStore(store) as opened:
        opened.add_cohort(name, query=query)
        print(opened)


@app.command()
def encode(
    store: Store,
    params: Annotated[
        str, typer.Option(help="Parameter file, or the name of a shipped one.")
    ] = "mri.yaml",
    sequence: Annotated[
        list[str] | None, typer.Option(help="Only these sequences.")
    ] = None,
    cohort: Annotated[str | None, typer.Option(help="Only this cohort.")] = None,
    n_jobs: Annotated[int, typer.Option(help="Worker processes.")] = 2,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try known failures again.")
    ] = False,
) -> None:
    """Extract radiomics features; only what is missing or has changed."""
    from sarcfeat.encoders import Radiomics
    from sarcfeat.store import FeatureStore

    with FeatureStore(store) as opened:
        _finish(
            opened.encode(
                Radiomics(params),
                cohort=cohort,
                sequences=sequence,
                n_jobs=n_jobs,
                retry="failed" if retry_failed else None,
            )
        )


@app.command()
def status(store: Store) -> None:
    """Say what a store holds."""
    from sarcfeat.store import FeatureStore

    with FeatureStore(store) as opened:
        print(opened)
        _show(opened.status())


@app.command()
def matrix(
    store: Store,
    cohort: Annotated[str, typer.Argument(help="Name of the cohort.")],
    features: Annotated[list[str], typer.Option(help="Feature sets or columns.")],
    out: Annotated[Path, typer.Option(help="CSV to write.")],
    outcome: Annotated[str | None, typer.Option(help="Endpoint to add.")] = None,
) -> None:
    """Write the patients × features table of a cohort as CSV."""
    from sarcfeat.store import FeatureStore

    with FeatureStore(store) as opened:
        found = opened.matrix(cohort, features=features, outcome=outcome)
    table = found.X.copy()
    if found.y is not None:
        table["event"], table["time"] = found.y["event"], found.y["time"]
    table.to_csv(out)
    print(f"{out}: {table.shape[0]} patients × {table.shape[1]} columns")
    print(f"matrix {found.matrix_id}")
    if len(found.missing):
        _show(found.missing, "Missing")


@app.command()
def explain(
    store: Store,
    patient: Annotated[str, typer.Argument(help="Patient id.")],
    feature: Annotated[str, typer.Argument(help="Column, as in a matrix.")],
) -> None:
    """Say where one number comes from, down to the file."""
    from sarcfeat.store import FeatureStore

    with FeatureStore(store) as opened:
        print(opened.explain(patient, feature))


@app.command()
def sql(
    store: Store, query: Annotated[str, typer.Argument(help="One SELECT.")]
) -> None:
    """Ask the catalogue a question; nothing can be changed."""
    from sarcfeat.store import FeatureStore

    with FeatureStore(store) as opened:
        _show(opened.sql(query))


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
    """Run the command; a named error is one line on standard error, status 2."""
    try:
        app()
    except SarcfeatError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
