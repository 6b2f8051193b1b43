"""What is known of one slide's bag: its file, the slide, the regions, the tiles."""

from __future__ import annotations

import json
from typing import Any

from sarcfeat.store.bag_blocks import HeldPart, store_of
from sarcfeat.store.connection import Connection
from sarcfeat.store.identity import file_sha256
from sarcfeat.store.slides import slide_sha256
from sarcfeat.store.times import date_of

__all__ = ["bag_facts", "region_facts", "slide_facts"]


def bag_facts(db: Connection, part: HeldPart) -> dict[str, Any]:
    """Return where a bag lies, whether it is whole, and what its tiles are."""
    path = str(store_of(db) / part.uri)
    counts = db.rows(
        "SELECT region, tile_group, tiles FROM tile_count WHERE unit_id = ? "
        "ORDER BY rowid",
        [part.unit_id],
    )
    told = [f"{group} {region}".strip() + f": {n}" for region, group, n in counts]
    side = db.one(
        "SELECT tile_px FROM embedding_file WHERE unit_id = ?", [part.unit_id]
    )[0]
    return {
        "path": path,
        "checksum": part.checksum,
        "file_is_unchanged": _fits(path, part.checksum, slide=False),
        "tiles": part.tiles,
        "dim": part.dim,
        "tile_px": side,
        "counts": "; ".join(told) or None,
    }


def slide_facts(db: Connection, unit: str) -> dict[str, Any]:
    """Return the file that tiles were cut from, and its resolution."""
    path, sha256, key, acquired, text = db.one(
        "SELECT s.uri, s.file_sha256, s.slide_id, epoch_us(s.acquired_at), s.told "
        "FROM unit u JOIN slide s ON s.slide_id = u.image_id WHERE u.unit_id = ?",
        [unit],
    )
    told = json.loads(text) if text else {}
    unchanged = None if path is None else _fits(path, sha256, slide=True)
    return {
        "path": path,
        "file_sha256": sha256,
        "file_is_unchanged": unchanged,
        "slide_id": key,
        "acquired_at": date_of(acquired),
        **{name: told.get(name) for name in ("reader", "mpp", "mpp_from")},
    }


def region_facts(db: Connection, unit: str) -> dict[str, Any]:
    """Return the outlines that tiles were sorted by."""
    rows = db.rows(
        "SELECT a.uri, a.file_sha256, a.annotation_id, a.regions_sha256, a.regions "
        "FROM unit u JOIN annotation a ON a.annotation_id = u.mask_id "
        "WHERE u.unit_id = ? ORDER BY a.commit_no DESC LIMIT 1",
        [unit],
    )
    if not rows:
        return {"names": "none: all tiles with tissue"}
    path, sha256, key, mark, text = rows[0]
    return {
        "names": " ".join(json.loads(text)["names"]),
        "path": path,
        "file_sha256": sha256,
        "file_is_unchanged": _fits(path, sha256, slide=False),
        "annotation_id": key,
        "regions_sha256": mark,
    }


def _fits(path: str, sha256: str, *, slide: bool) -> bool | None:
    """Whether the file is still the one that was read; None when it is gone."""
    try:
        return (slide_sha256(path) if slide else file_sha256(path)) == sha256
    except OSError:
        return None
