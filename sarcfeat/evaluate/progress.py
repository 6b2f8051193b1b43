"""One progress bar for the long loops of this stage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["progress_bar"]


@contextmanager
def progress_bar(what: str, total: int, show: bool) -> Iterator[Callable[[], None]]:
    """Yield a function that moves a bar on by one; a silent one if `show` is false.

    The bar goes to standard error, so that results on standard output stay clean.

    Examples
    --------
    >>> with progress_bar("folds", 2, show=False) as advance:
    ...     advance()
    """
    if not show:
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=total)
        yield lambda: bar.advance(task)
