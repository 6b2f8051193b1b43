"""The commands that bring something into a store."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from sarcfeat.cli.console import Store, finish, open_store, pairs

__all__ = ["register"]

Rehash = Annotated[
    bool, typer.Option("--rehash", help="Compare bytes, not size and time alone.")
]
Pattern = Annotated[
    str, typer.Option(help="Where files lie, with {patient} and {sequence}.")
]


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    app.command()(init)
    app.command("add-patients")(add_patients)
    app.command("add-outcome")(add_outcome)
    app.command("add-images")(add_images)
    app.command("add-dicom")(add_dicom)
    app.command("add-masks")(add_masks)
    app.command("add-bags")(add_bags)
    app.command("add-cohort")(add_cohort)
    app.command("import")(import_features)
    app.command()(encode)


def init(store: Store) -> None:
    """Make an empty store, or open one and say what is in it."""
    from sarcfeat.store import FeatureStore

    with FeatureStore(store) as opened:
        print(opened)


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
    known_at: Annotated[
        list[str] | None,
        typer.Option(help="COLUMN=DATE_COLUMN, such as margin=report_date."),
    ] = None,
    site: Annotated[str, typer.Option(help="Column with the hospital.")] = "site",
) -> None:
    """Add patients with their clinical variables."""
    from sarcfeat.store import FeatureStore

    with FeatureStore(store) as opened:
        opened.add_patients(
            table,
            index_time=index_time,
            roles=pairs(role, "role"),
            units=pairs(unit, "unit"),
            known_at=pairs(known_at, "known-at"),
            site=site,
        )
        print(opened)


def add_outcome(
    store: Store,
    name: Annotated[str, typer.Argument(help="Name of the endpoint, such as mfs.")],
    table: Annotated[Path, typer.Argument(help="CSV with patient, time and event.")],
    time: Annotated[str, typer.Option(help="Column of the time in days.")],
    event: Annotated[str, typer.Option(help="Column of the event, 1 or 0.")],
    competing: Annotated[
        str | None, typer.Option(help="Column of the competing event, 1 or 0.")
    ] = None,
    origin: Annotated[
        str | None, typer.Option(help="What the time counts from, such as surgery.")
    ] = None,
) -> None:
    """Add an endpoint: when, and whether it happened."""
    from sarcfeat.io import read_table

    with open_store(store) as opened:
        opened.add_outcome(
            name,
            time=time,
            event=event,
            competing=competing,
            data=read_table(table),
            origin=origin,
        )
        print(opened)


def add_images(
    store: Store,
    source: Annotated[Path, typer.Argument(help="Folder of images, or a manifest.")],
    pattern: Pattern = "{patient}/{sequence}_image.nii.gz",
    kind: Annotated[str | None, typer.Option(help="CT, MR or PET.")] = None,
    rehash: Rehash = False,
) -> None:
    """Add the images of a folder; unreadable ones are listed, the others added."""
    from sarcfeat.store import FeatureStore

    with FeatureStore(store) as opened:
        finish(opened.add_images(source, pattern=pattern, kind=kind, rehash=rehash))


def add_dicom(
    store: Store,
    folder: Annotated[Path, typer.Argument(help="Folder of DICOM files.")],
    salt: Annotated[
        Path | None,
        typer.Option(help="File with the secret, outside the store; or SARCFEAT_SALT."),
    ] = None,
    new_salt: Annotated[
        bool, typer.Option("--new-salt", help="Write the salt file first.")
    ] = False,
    sequence: Annotated[
        list[str] | None,
        typer.Option(help="NAME, or NAME=REGEX of the series' description."),
    ] = None,
    patients: Annotated[
        Path | None,
        typer.Option(help="CSV: hospital's id, the study's own id. Not kept."),
    ] = None,
) -> None:
    """Add DICOM series, de-identified: no name, id, date or path enters the store."""
    from sarcfeat.io import create_salt
    from sarcfeat.store import FeatureStore

    if new_salt:
        place = salt or Path(os.environ.get("SARCFEAT_SALT") or "sarcfeat.salt")
        salt = create_salt(place, store=store)
        print(f"{salt}: keep this file, and keep it apart from the store")
    with FeatureStore(store) as opened:
        finish(
            opened.add_dicom(
                folder,
                salt=salt,
                sequence=_sequences(sequence),
                patients=_own_ids(patients),
            )
        )


def _sequences(given: list[str] | None) -> str | dict[str, str] | None:
    if given and len(given) == 1 and "=" not in given[0]:
        return given[0]
    return pairs(given, "sequence") or None


def _own_ids(path: Path | None) -> dict[str, str] | None:
    """Read two columns of text, whatever they are called."""
    from sarcfeat.io.cells import read_cells

    if path is None:
        return None
    return {row[0]: row[1] for row in read_cells(path).rows}


def add_masks(
    store: Store,
    source: Annotated[Path, typer.Argument(help="Folder of masks, or a manifest.")],
    reader: Annotated[str, typer.Option(help="Who drew them.")] = "A",
    session: Annotated[int, typer.Option(help="1 for the first reading, 2 …")] = 1,
    pattern: Pattern = "{patient}/{sequence}_mask.nii.gz",
    label: Annotated[int, typer.Option(help="Voxel value of the lesion.")] = 1,
    rehash: Rehash = False,
) -> None:
    """Add the lesion masks of one reader."""
    with open_store(store) as opened:
        finish(
            opened.add_masks(
                source,
                reader=reader,
                session=session,
                pattern=pattern,
                label=label,
                rehash=rehash,
            )
        )


def add_bags(
    store: Store,
    source: Annotated[Path, typer.Argument(help="Folder of HDF5 bags, or a manifest.")],
    format: Annotated[str, typer.Option(help="trident, clam or stamp.")],
    extractor: Annotated[str, typer.Option(help="What made them, such as uni2.")],
    pattern: Annotated[
        str | None, typer.Option(help="Where files lie, with {patient} and {slide}.")
    ] = None,
) -> None:
    """Catalogue the tile features of slides where they lie; nothing is copied."""
    with open_store(store) as opened:
        finish(
            opened.add_bags(source, format=format, extractor=extractor, pattern=pattern)
        )


def add_cohort(
    store: Store,
    name: Annotated[str, typer.Argument(help="Name of the cohort.")],
    query: Annotated[
        str | None, typer.Option(help="SQL condition, such as \"site = 'Bordeaux'\".")
    ] = None,
    patient: Annotated[
        list[str] | None, typer.Option(help="Only these patients.")
    ] = None,
    required: Annotated[
        list[str] | None, typer.Option(help="A sequence each patient should have.")
    ] = None,
) -> None:
    """Name a group of patients."""
    with open_store(store) as opened:
        opened.add_cohort(
            name, query=query, patients=patient or None, required=required or ()
        )
        print(opened)


def import_features(
    store: Store,
    table: Annotated[Path, typer.Argument(help="CSV that another tool wrote.")],
    extractor: Annotated[str, typer.Option(help="Short name, such as legacy.")],
    patient: Annotated[
        str | None, typer.Option(help="Column with the patient's id.")
    ] = None,
    reader: Annotated[
        str | None, typer.Option(help="Column with the reader, or the reader.")
    ] = None,
    session: Annotated[
        str | None, typer.Option(help="Column with the session, or the session.")
    ] = None,
    sequence: Annotated[
        str | None, typer.Option(help="Column with the sequence, or the sequence.")
    ] = None,
    acquired_at: Annotated[
        str | None, typer.Option(help="Column with the date of the image.")
    ] = None,
    format: Annotated[
        str, typer.Option(help="auto, pyradiomics, lifex, mirp, captk or wide.")
    ] = "auto",
    decimal: Annotated[str | None, typer.Option(help="Decimal mark: . or ,")] = None,
    skip_unknown: Annotated[
        bool, typer.Option("--skip-unknown", help="Leave out unknown patients.")
    ] = False,
) -> None:
    """Take over features that another tool computed (pyradiomics, LIFEx, MIRP …)."""
    with open_store(store) as opened:
        print(
            opened.import_features(
                table,
                extractor=extractor,
                patient=patient,
                reader=reader,
                session=session,
                sequence=sequence,
                acquired_at=acquired_at,
                format=format,
                decimal=decimal,
                unknown="skip" if skip_unknown else "raise",
            )
        )


def encode(
    store: Store,
    params: Annotated[
        str, typer.Option(help="Parameter file, or the name of a shipped one.")
    ] = "mri.yaml",
    name: Annotated[
        str, typer.Option(help="Name of the feature sets: <name>.<sequence>.")
    ] = "radiomics",
    reference: Annotated[
        Path | None,
        typer.Option(help="Image of a training patient, for histogram matching."),
    ] = None,
    landmarks: Annotated[
        Path | None,
        typer.Option(help="JSON of Landmarks.save, for Nyúl's scale."),
    ] = None,
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

    given = {"reference": reference, "landmarks": landmarks}
    files = {key: path for key, path in given.items() if path is not None}
    with open_store(store) as opened:
        finish(
            opened.encode(
                Radiomics(params, name=name, files=files),
                cohort=cohort,
                sequences=sequence,
                n_jobs=n_jobs,
                retry="failed" if retry_failed else None,
            )
        )
