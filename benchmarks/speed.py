"""How fast we are beside what people use, in the same run on the same machine.

``python -m benchmarks.speed [--quick] [--only TOPIC] [--json FILE]``

A topic is a module of ``benchmarks.speed_rows`` with a function ``rows(quick)`` that
returns a list of what ``benchmarks.table.row`` makes. ``--only`` may be given more than
once; with ``--json`` the rows of the topics that were run replace theirs in the file,
and the others' stay.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import pkgutil
from pathlib import Path
from typing import Any

from benchmarks import speed_rows
from benchmarks.table import row, write, write_json

Rows = list[dict[str, Any]]


def topics() -> list[str]:
    """Return the topics that there are."""
    return sorted(m.name for m in pkgutil.iter_modules(speed_rows.__path__))


def measure(topic: str, *, quick: bool) -> Rows:
    """Run one topic; its rows carry its name in front."""
    module = importlib.import_module(f"benchmarks.speed_rows.{topic}")
    load = row(
        f"{topic}: load of the machine at the start",
        os.getloadavg()[0],
        unit="processes that want a core; above the cores, times are too long",
    )
    found = [
        {**item, "name": f"{topic}: {item['name']}"} for item in module.rows(quick)
    ]
    return [load, *found]


def kept(path: Path | None, replaced: list[str]) -> Rows:
    """Return the rows of other topics that a file already holds."""
    if path is None or not path.is_file():
        return []
    held = json.loads(path.read_text(encoding="utf-8"))["rows"]
    return [r for r in held if r["name"].split(":")[0] not in replaced]


def main() -> None:
    """Run the topics asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument("--json", type=Path, help="where to write the rows")
    parser.add_argument(
        "--only", action="append", choices=topics(), help="only this topic"
    )
    options = parser.parse_args()
    asked = options.only or topics()
    found: Rows = []
    for topic in asked:
        found += measure(topic, quick=options.quick)
    write(found, None)
    if options.json is not None:
        rows = sorted(
            [*kept(options.json, asked), *found], key=lambda r: r["name"].split(":")[0]
        )
        write_json(rows, options.json)


if __name__ == "__main__":
    main()
