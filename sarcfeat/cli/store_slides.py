"""The commands of slides: scans and outlines in, tiles encoded and counted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sarcfeat.cli.console import (
    AsJson,
    AtVersion,
    Published,
    Store,
    finish,
    open_store,
    pairs,
    show,
)

__all__ = ["register"]

Everyone = Annotated[
    str | None, typer.Argument(help="Name of the cohort; all patients without one.")
]
Pattern = Annotated[
    str | None, typer.Option(help="Where files lie, with {patient} and {slide}.")
]
Rehash = Annotated[
    bool, typer.Option("--rehash", help="Compare bytes, not size and time alone.")
]


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    app.command("add-slides")(add_slides)
    app.command("add-annotations")(add_annotations)
    app.command("encode-slides")(encode_slides)
    app.command()(slides)
    app.command("tile-counts")(tile_counts)


def add_slides(
    store: Store,
    source: Annotated[Path, typer.Argument(help="Folder of slides, or a manifest.")],
    pattern: Pattern = None,
    mpp: Annotated[
        float | None,
        typer.Option(help="µm per pixel, where the files do not say or are wrong."),
    ] = None,
    rehash: Rehash = False,
) -> None:
    """Add slides; unreadable ones are listed, the others added."""
    from sarcfeat.store import FeatureStore

    with FeatureStore(store) as opened:
        finish(opened.add_slides(source, pattern=pattern, mpp=mpp, rehash=rehash))


def add_annotations(
    store: Store,
    source: Annotated[
        Path, typer.Argument(help="Folder of NDPA, GeoJSON or XML, or a manifest.")
    ],
    pattern: Pattern = None,
    name: Annotated[
        list[str] | None, typer.Option(help="REGION=SPELLING, such as C=centre.")
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option(help="A name that marks something else.")
    ] = None,
    derive: Annotated[
        bool,
        typer.Option("--derive", help="Derive C, P and R from the tumour's outline."),
    ] = False,
    periphery: Annotated[float, typer.Option(help="With --derive: mm inside.")] = 10.0,
    ring: Annotated[float, typer.Option(help="With --derive: mm outside.")] = 10.0,
    outline: Annotated[
        str | None, typer.Option(help="With --derive: what the tumour is called.")
    ] = None,
    rehash: Rehash = False,
) -> None:
    """Add the regions drawn on slides."""
    widths = {"periphery": periphery, "ring": ring, "outline": outline}
    with open_store(store) as opened:
        finish(
            opened.add_annotations(
                source,
                pattern=pattern,
                names=_spellings(name),
                derive=widths if derive else None,
                ignore=ignore or (),
                rehash=rehash,
            )
        )


def _spellings(given: list[str] | None) -> dict[str, list[str]] | None:
    """Read REGION=SPELLING options; a region may have several."""
    found: dict[str, list[str]] = {}
    for item in given or []:
        for region, spelling in pairs([item], "name").items():
            found.setdefault(region, []).append(spelling)
    return found or None


def encode_slides(
    store: Store,
    weights: Annotated[
        str | None,
        typer.Option(help="File of weights, or 'random'; else SARCFEAT_WEIGHTS."),
    ] = None,
    net: Annotated[
        str, typer.Option(help="resnet50, resnet18, densenet121, or one of your own.")
    ] = "resnet50",
    mpp: Annotated[float, typer.Option(help="µm per pixel of the tiles.")] = 0.25,
    size: Annotated[int, typer.Option(help="Pixels along a tile's side.")] = 224,
    stain: Annotated[
        Path | None, typer.Option(help="JSON of a fitted StainNormaliser.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the column: <name>.bag.")
    ] = None,
    cohort: Annotated[str | None, typer.Option(help="Only this cohort.")] = None,
    n_threads: Annotated[int, typer.Option(help="Threads that read a slide.")] = 2,
    n_jobs: Annotated[int, typer.Option(help="Slides at a time, a net each.")] = 1,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try known failures again.")
    ] = False,
) -> None:
    """Turn slides into bags of tiles; only what is missing or was drawn anew."""
    from sarcfeat.encoders import SlideTiles

    encoder = SlideTiles(
        weights,
        net=net,
        mpp=mpp,
        size=size,
        stain=stain,
        n_threads=n_threads,
        name=name,
    )
    with open_store(store) as opened:
        finish(
            opened.encode(
                encoder,
                cohort=cohort,
                n_jobs=n_jobs,
                retry="failed" if retry_failed else None,
            )
        )


def slides(
    store: Store,
    cohort: Everyone = None,
    at: AtVersion = None,
    published: Published = False,
    as_json: AsJson = False,
) -> None:
    """List the slides, one row each."""
    with open_store(store, published=published) as opened:
        seen = opened if at is None else opened.at(at)
        show(seen.slides(cohort), "Slides", as_json=as_json)


def tile_counts(
    store: Store,
    cohort: Everyone = None,
    extractor: Annotated[
        str | None, typer.Option(help="Name or id, where there are several.")
    ] = None,
    at: AtVersion = None,
    published: Published = False,
    as_json: AsJson = False,
) -> None:
    """Count the tiles of each slide, by region and share of tissue."""
    with open_store(store, published=published) as opened:
        seen = opened if at is None else opened.at(at)
        counts = seen.tile_counts(cohort, extractor=extractor)
        show(counts, "Tiles", as_json=as_json)
