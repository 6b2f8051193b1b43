"""The commands that keep a store sound and share it."""

from __future__ import annotations

from typing import Annotated

import typer

from sarcfeat.cli.console import Store, open_store

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    app.command()(publish)


def publish(
    store: Store,
    keep: Annotated[int, typer.Option(help="How many of the newest copies stay.")] = 5,
) -> None:
    """Write a read-only copy that colleagues open while you work."""
    with open_store(store) as opened:
        print(opened.publish(keep=keep))
