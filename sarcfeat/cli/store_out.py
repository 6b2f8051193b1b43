"""The commands that take something out of a store and change nothing in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sarcfeat.cli.console import (
    AsJson,
    AtVersion,
    Published,
    Store,
    open_store,
    print_json,
    show,
)
from sarcfeat.exceptions import InvalidInput

if TYPE_CHECKING:
    from sarcfeat.store import Matrix

__all__ = ["register"]

Features = Annotated[
    list[str], typer.Option(help="Feature sets or columns, such as radiomics.t1.")
]
Everyone = Annotated[
    str | None, typer.Argument(help="Name of the cohort; all patients without one.")
]
Reader = Annotated[str | None, typer.Option(help="Whose masks.")]


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    app.command()(status)
    app.command()(matrix)
    app.command()(missing)
    app.command()(bags)
    app.command()(explain)
    app.command()(lesions)
    app.command()(diff)
    app.command()(sql)


def _seen(opened: Any, at: int | None) -> Any:
    """Return the store, or the store as it was."""
    return opened if at is None else opened.at(at)


def status(
    store: Store,
    at: AtVersion = None,
    published: Published = False,
    as_json: AsJson = False,
) -> None:
    """Say what a store holds."""
    with open_store(store, published=published) as opened:
        seen = _seen(opened, at)
        counts = seen.status()
        if as_json:
            print_json({str(k): int(v) for k, v in counts["count"].items()})
            return
        print(seen)
        show(counts)


def matrix(
    store: Store,
    cohort: Everyone = None,
    features: Annotated[
        list[str] | None,
        typer.Option(help="Feature sets or columns, such as radiomics.t1."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="File to write: .csv, .parquet or .npz.")
    ] = None,
    outcome: Annotated[str | None, typer.Option(help="Endpoint to add.")] = None,
    reader: Reader = None,
    drop: Annotated[
        bool, typer.Option("--drop", help="Leave out patients who lack something.")
    ] = False,
    matrix_id: Annotated[
        str | None, typer.Option("--id", help="A frozen matrix instead of a new one.")
    ] = None,
    at: AtVersion = None,
    published: Published = False,
    as_json: AsJson = False,
) -> None:
    """Build the patients × features table of a cohort, say its id, write it."""
    with open_store(store, published=published) as opened:
        if matrix_id is not None:
            found = opened.matrix_by_id(matrix_id)
        elif features:
            found = _seen(opened, at).matrix(
                cohort,
                features=features,
                outcome=outcome,
                reader=reader,
                missing="drop" if drop else "keep",
            )
        else:
            raise InvalidInput("Give --features radiomics.t1, or --id of a matrix.")
        if out is not None:
            opened.export(found, out)
    _tell(found, out, as_json)


def _tell(found: Matrix, out: Path | None, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "matrix_id": found.matrix_id,
                "file": None if out is None else str(out),
                "patients": found.X.shape[0],
                "columns": [str(name) for name in found.X.columns],
                "missing": found.missing.to_dict(orient="records"),
                "provenance": found.provenance,
            }
        )
        return
    where = f"{out}: " if out is not None else ""
    print(f"{where}{found.X.shape[0]} patients × {found.X.shape[1]} columns")
    print(f"matrix {found.matrix_id}")
    if len(found.missing):
        show(found.missing, "Missing")


def missing(
    store: Store,
    features: Features,
    cohort: Everyone = None,
    reader: Reader = None,
    published: Published = False,
    as_json: AsJson = False,
) -> None:
    """Say who lacks which features, and why."""
    with open_store(store, published=published) as opened:
        found = opened.missing(cohort, features, reader=reader)
    if as_json or len(found):
        show(found, "Missing", as_json=as_json)
    else:
        print("Nobody lacks anything.")


def bags(
    store: Store,
    cohort: Everyone = None,
    at: AtVersion = None,
    published: Published = False,
    as_json: AsJson = False,
) -> None:
    """List the bags of tiles, one row a slide and extractor."""
    with open_store(store, published=published) as opened:
        show(_seen(opened, at).bags(cohort), "Bags", as_json=as_json)


def explain(
    store: Store,
    patient: Annotated[str, typer.Argument(help="Patient id.")],
    feature: Annotated[str, typer.Argument(help="Column, as in a matrix.")],
    reader: Reader = None,
    session: Annotated[int, typer.Option(help="Which reading of the reader.")] = 1,
    at: AtVersion = None,
    published: Published = False,
    as_json: AsJson = False,
) -> None:
    """Say where one number comes from, down to the file."""
    with open_store(store, published=published) as opened:
        found = _seen(opened, at).explain(
            patient, feature, reader=reader, session=session
        )
    print(found.to_json() if as_json else found)


def diff(
    store: Store,
    old: Annotated[str, typer.Argument(help="Id of a matrix, or its beginning.")],
    new: Annotated[str, typer.Argument(help="Id of another one.")],
    published: Published = False,
    as_json: AsJson = False,
) -> None:
    """Say what differs between two frozen matrices."""
    with open_store(store, published=published) as opened:
        found = opened.diff(old, new)
    if as_json or len(found):
        show(found, "Differences", as_json=as_json)
    else:
        print("The two matrices are the same.")


def lesions(
    store: Store,
    cohort: Everyone = None,
    out: Annotated[Path, typer.Option(help="The HTML page.")] = Path(
        "reports/lesions.html"
    ),
    sequence: Annotated[
        list[str] | None, typer.Option(help="Only these sequences.")
    ] = None,
    published: Published = False,
) -> None:
    """Write a page with every lesion outlined on its slice, to be looked through."""
    from sarcfeat.report import lesion_page

    with open_store(store, published=published) as opened:
        print(lesion_page(opened, out, cohort=cohort, sequences=sequence))


def sql(
    store: Store,
    query: Annotated[str, typer.Argument(help="One SELECT, or a file that holds it.")],
    value: Annotated[
        list[str] | None, typer.Option(help="A value for each ? of the query.")
    ] = None,
    at: AtVersion = None,
    published: Published = False,
    as_json: AsJson = False,
) -> None:
    """Ask the catalogue a question; nothing can be changed."""
    if query.endswith(".sql") and Path(query).is_file():
        query = Path(query).read_text(encoding="utf-8")
    with open_store(store, published=published) as opened:
        show(_seen(opened, at).sql(query, value or ()), as_json=as_json)
