"""Rows of a peer beside ours: numbers compared first, then times.

Slow peers run once, ours several times (the median counts). Where R is not here, its
row carries the figure that the design measured once, and has no target.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.table import row
from benchmarks.timing import measure

__all__ = [
    "beside_figure",
    "beside_r",
    "compared",
    "installed",
    "must_agree",
    "seconds",
]

Row = dict[str, Any]

RUNS = 5
FIGURE = "a figure of the design, not run here"


def seconds(work: Callable[[], Any], runs: int = RUNS) -> float:
    """Return the median seconds of some runs, after one that is not counted."""
    if runs > 1:
        work()
    return measure(work, runs).median / 1000


def must_agree(what: str, ours: Any, theirs: Any, **tolerance: float) -> None:
    """Stop the benchmark where a peer gives other numbers."""
    ours, theirs = (np.asarray(v, dtype=float).ravel() for v in (ours, theirs))
    if ours.shape != theirs.shape or not np.allclose(
        ours, theirs, equal_nan=True, **tolerance
    ):
        raise SystemExit(f"{what}: ours and the peer's numbers differ; nothing timed.")


def installed(module: str) -> bool:
    """Whether a peer is here."""
    return importlib.util.find_spec(module) is not None


def compared(
    name: str, ours: float, peer: float | None, who: str, target: float, note: str = ""
) -> Row:
    """Return the row of a peer that ran here; no target where it did not."""
    if peer is None:
        return row(name, ours, unit="s", note=f"{who} is not installed")
    ratio = peer / ours
    more = {"ratio": ratio, "target": target, "note": note or None}
    return row(name, ours, peer=peer, peer_name=who, unit="s", **more)


def beside_r(
    name: str,
    ours: float,
    found: tuple[float, Any] | None,
    who: str,
    target: float,
    figure: float | None,
) -> Row:
    """Return the row of an R package: run here, or a figure without a target."""
    if found is not None:
        return compared(name, ours, found[0], who, target)
    if figure is None:
        return row(name, ours, unit="s", note=f"{who} is not installed")
    return beside_figure(name, ours, who, target, figure)


def beside_figure(
    name: str, ours: float, who: str, target: float, figure: float
) -> Row:
    """Return the row of a peer that cannot run here: its figure, and no target."""
    ratio = figure / ours
    return row(
        name,
        ours,
        peer=figure,
        peer_name=who,
        ratio=ratio,
        unit="s",
        note=f"{FIGURE}; asked for {target:g} times, "
        f"{'reached' if ratio >= target else 'missed'}",
    )
