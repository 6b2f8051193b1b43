"""The commands that keep a store sound, share it, and let a patient leave it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from sarcfeat.cli.console import AsJson, Store, open_store, print_json, show

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    app.command()(verify)
    app.command()(publish)
    app.command()(relocate)
    app.command()(gc)
    app.command()(erase)


def verify(
    store: Store,
    sources: Annotated[
        bool, typer.Option("--sources", help="Also the images, masks and slides.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Look at every byte of the store; name the patients that damage concerns."""
    with open_store(store) as opened:
        found = opened.verify(sources=sources)
    if as_json:
        print_json(
            {
                "ok": found.ok,
                "checked": found.checked,
                "patients": found.patients,
                "problems": found.problems.to_dict(orient="records"),
                "seconds": found.seconds,
            }
        )
    else:
        print(str(found).splitlines()[0])
        if not found.ok:
            show(found.problems, "Problems")
    if not found.ok:
        raise typer.Exit(1)


def publish(
    store: Store,
    keep: Annotated[int, typer.Option(help="How many of the newest copies stay.")] = 5,
) -> None:
    """Write a read-only copy that colleagues open while you work."""
    with open_store(store) as opened:
        print(opened.publish(keep=keep))


def relocate(
    store: Store,
    old: Annotated[Path, typer.Argument(help="Folder or file: where it was.")],
    new: Annotated[Path, typer.Argument(help="Where it is now.")],
    as_json: AsJson = False,
) -> None:
    """Tell the store that files were moved; only the same bytes are followed."""
    with open_store(store) as opened:
        found = opened.relocate(old, new)
    if as_json:
        rows = found.failures.to_dict(orient="records")
        print_json({"moved": found.moved, "failures": rows})
    else:
        print(str(found).splitlines()[0])
        if len(found.failures):
            show(found.failures, "Not followed")
    if len(found.failures):
        raise typer.Exit(1)


def gc(
    store: Store,
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove them, instead of only listing.")
    ] = False,
    readings: Annotated[
        bool, typer.Option("--readings", help="Also readings that can be made again.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the files that nothing needs any more; remove them when told to."""
    with open_store(store) as opened:
        found = opened.gc(dry_run=not remove, readings=readings)
    if as_json:
        show(found, as_json=True)
        return
    if len(found):
        show(found, "Removed" if remove else "Not needed; --remove removes them")
    total = int(found["bytes"].sum())
    print(f"{len(found)} files, {total:,} bytes{' removed' if remove else ''}")


def erase(
    store: Store,
    patient: Annotated[str, typer.Argument(help="Patient id.")],
    reason: Annotated[str, typer.Option(help="Why, such as withdrawal.")],
    by: Annotated[str | None, typer.Option(help="On whose behalf.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove a patient from every table, file and copy; it cannot be undone."""
    if not yes:
        typer.confirm(f"Erase {patient} from {store} for good?", abort=True, err=True)
    with open_store(store) as opened:
        found = opened.erase(patient, reason=reason, by=by)
    if as_json:
        print_json(asdict(found))
    else:
        print(found)
