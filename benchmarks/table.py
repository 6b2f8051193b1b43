"""The table and the JSON file that every benchmark writes."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sarcfeat.report import versions

KEYS = (
    "name",
    "ours",
    "peer",
    "peer_name",
    "ratio",
    "target",
    "met",
    "unit",
    "note",
)


def row(name: str, ours: float | None, **more: Any) -> dict[str, Any]:
    """Return one row with every key of the schema; `ratio` > 1 means ours is better."""
    found = dict.fromkeys(KEYS)
    found.update(name=name, ours=ours, **more)
    if found["met"] is None and found["target"] is not None:
        found["met"] = bool(found["ratio"] >= found["target"])
    return found


def arguments(
    description: str, sections: Sequence[str] = (), cohorts: Sequence[str] = ()
) -> argparse.Namespace:
    """Read ``--quick``, ``--json FILE``; where offered, ``--only`` and ``--cohort``."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument("--json", type=Path, help="where to write the rows")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--work", type=Path, default=Path("store/bench"), help="folder of the stores"
    )
    if sections:
        parser.add_argument(
            "--only", action="append", choices=sections, help="may be given again"
        )
    if cohorts:
        parser.add_argument("--cohort", choices=cohorts, default=cohorts[0])
    return parser.parse_args()


def write(rows: list[dict[str, Any]], path: Path | None) -> None:
    """Print the rows; write them as JSON where a path is given."""
    for item in rows:
        target = "" if item["target"] is None else f" target {item['target']:g}"
        met = {None: "", True: " met", False: " MISSED"}[item["met"]]
        ratio = "" if item["ratio"] is None else f" ratio {item['ratio']:.2f}"
        peer = (
            ""
            if item["peer"] is None
            else f" vs {item['peer_name']} {item['peer']:.3f}"
        )
        note = f"  ({item['note']})" if item["note"] else ""
        ours = "–" if item["ours"] is None else f"{item['ours']:.3f}"
        print(f"{item['name']}: {ours}{peer}{ratio}{target}{met}{note}")
    if path is not None:
        write_json(rows, path)


def write_json(rows: list[dict[str, Any]], path: Path) -> None:
    """Write the rows with the machine, the versions and the day."""
    found = {
        "rows": rows,
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "versions": versions(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
