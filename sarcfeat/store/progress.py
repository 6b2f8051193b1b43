"""A progress bar on a terminal, and silence everywhere else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

__all__ = ["Bar", "progress_bar"]


class Bar:
    """What a loop tells its progress bar."""

    def __init__(self, progress: Progress, label: str, total: int) -> None:
        self._progress = progress
        self._label = label
        self._task = progress.add_task(label, total=total)
        self._failed = 0

    def step(self, ok: bool = True) -> None:
        """Count one item, and whether it failed."""
        self._failed += not ok
        label = (
            f"{self._label} ({self._failed} failed)" if self._failed else self._label
        )
        self._progress.update(self._task, advance=1, description=label)


@contextmanager
def progress_bar(label: str, total: int, *, show: bool) -> Iterator[Bar]:
    """Open a progress bar on standard error; it is hidden when not a terminal."""
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not (show and total and console.is_terminal),
    ) as progress:
        yield Bar(progress, label, total)
