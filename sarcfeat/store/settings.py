"""``store.toml``: what a person may want to read about a store without opening it."""

from __future__ import annotations

from pathlib import Path

from sarcfeat.store.connection import Connection
from sarcfeat.store.migrations import latest_version

__all__ = ["SETTINGS", "settings_text", "write_settings"]

SETTINGS = "store.toml"


def settings_text(db: Connection) -> str:
    """Return what the file must hold."""
    name = db.one("SELECT store_id FROM store_meta")[0]
    return (
        "# A sarcfeat feature store. catalog.duckdb holds everything but bags.\n"
        f'store_id = "{name}"\n'
        f"schema_version = {latest_version()}\n"
    )


def write_settings(store: Path, db: Connection) -> None:
    """Write the file anew unless it holds that; nothing is ever read from it."""
    file, text = store / SETTINGS, settings_text(db)
    if not file.exists() or file.read_bytes() != text.encode():
        file.write_text(text, encoding="utf-8")
