"""Our radiomics beside the consensus values of the IBSI, and why each difference is.

``python -m benchmarks.ibsi [--data DIR] [--quick] [--all] [--json FILE]``

DIR is any folder with phantoms below it: tables of reference values (columns reference
value, tolerance, tag; the digital phantom, or one of the CT phantom's configurations A
to E where the file's name ends in ``config_a`` … ``config_e``) beside ``image`` and
``mask``, and the filter phantoms, with or without the consensus response maps. Default:
SARCFEAT_DATA, then ../shared/data. The exit status is 1 where a value is wrong.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks import ibsi1, ibsi2
from benchmarks.ibsi1 import Row
from benchmarks.table import row, write_json

VERDICTS = ("agree", "by design", "wrong", "not offered")

FAMILY = {
    "cm": "glcm",
    "dzm": "gldzm",
    "ih": "histogram",
    "ivh": "volume histogram",
    "loc": "local intensity",
    "morph": "shape",
    "ngl": "gldm",
    "ngt": "ngtdm",
    "rlm": "glrlm",
    "stat": "first order",
    "szm": "glszm",
}


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with phantoms below it")
    parser.add_argument("--quick", action="store_true", help="volume values only")
    parser.add_argument("--all", action="store_true", help="list what agrees too")
    parser.add_argument("--json", type=Path, help="where to write the rows")
    return parser.parse_args()


def place(given: Path | None) -> Path:
    """Return the folder to look in."""
    folders = [given] if given else [os.environ.get("SARCFEAT_DATA"), "../shared/data"]
    for folder in folders:
        if folder and Path(folder).is_dir():
            return Path(folder)
    raise SystemExit(
        f"No folder {given or 'of data'}. Give --data DIR with phantoms below it."
    )


def family(item: Row) -> str:
    """Return the family of a row, for the summary."""
    if item.case == "filters":
        return "filters"
    if item.feature == "preprocessing" or item.tag.endswith(("_img", "_roi")):
        return "preprocessing"
    return FAMILY.get(item.tag.split("_")[0], "other")


def summary(rows: list[Row]) -> list[str]:
    """Return the lines of the table of counts, a case and a family each."""
    counts = Counter((r.case, family(r), r.verdict) for r in rows)
    lines = [f"{'case':10} {'family':18}" + "".join(f"{v:>13}" for v in VERDICTS)]
    for case, kind in dict.fromkeys((r.case, family(r)) for r in rows):
        numbers = [counts[case, kind, v] for v in VERDICTS]
        cells = "".join(f"{n or '':>13}" for n in numbers)
        lines.append(f"{case:10} {kind:18}{cells}")
    totals = [sum(r.verdict == v for r in rows) for v in VERDICTS]
    lines.append(f"{'all':29}" + "".join(f"{n:>13}" for n in totals))
    return lines


def line(item: Row) -> str:
    """Return one value beside its reference in a line."""
    ours = "" if item.ours is None else f"{item.ours:.4g}"
    if item.case == "filters":
        values = f"off by {item.ours:.2%} of the range" if item.ours is not None else ""
    else:
        values = f"ours {ours}, reference {item.reference:g} ± {item.tolerance:g}"
    reason = f"  {item.reason}" if item.reason else ""
    return f"{item.verdict:10} {item.case:8} {item.tag:32} {values}{reason}"


def as_row(item: Row) -> dict[str, Any]:
    """Return a value in the schema of the benchmarks."""
    return row(
        f"{item.case} {item.tag}",
        item.ours,
        peer=None if math.isnan(item.reference) else item.reference,
        peer_name="IBSI consensus",
        target=item.tolerance if item.ours is not None else None,
        met=None if item.ours is None else item.verdict != "wrong",
        unit="1 % of the range" if item.case == "filters" else None,
        note="; ".join(filter(None, [item.verdict, item.reason])),
    )


def main() -> int:
    """Compare all that lies below the folder and print it."""
    options = arguments()
    folder = place(options.data)
    rows: list[Row] = []
    for case in ibsi1.find_cases(folder):
        print(f"{case.configuration}: {case.table}")
        rows += ibsi1.compare(case, quick=options.quick)
    rows += ibsi2.compare(folder)
    if not rows:
        print(f"No phantom below {folder}: no table of reference values, no image.")
        return 2
    print("\n".join(["", *summary(rows), ""]))
    shown = VERDICTS[:3] if options.all else VERDICTS[1:3]
    for verdict in shown:
        for item in rows:
            if item.verdict == verdict:
                print(line(item))
    if options.json:
        write_json([as_row(item) for item in rows], options.json)
    return int(any(item.verdict == "wrong" for item in rows))


if __name__ == "__main__":
    sys.exit(main())
