"""A second, plain record of what was committed, so that a lost log can be named."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

__all__ = ["Journal"]


class Journal:
    """One line a commit (number, tab, what) since the last checkpoint.

    DuckDB opens a catalogue whose log was cut or deleted without a word; the numbers
    in this file tell what is missing then. It holds no patient and no value.

    Parameters
    ----------
    path : Path
        ``<store>/commits.log``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, number: int, what: str) -> None:
        """Note a commit that is done."""
        line = f"{number}\t{' '.join(what.split())}\n"
        # The commit is done: on a full disk it is merely not named here.
        with suppress(OSError), open(self.path, "a", encoding="utf-8") as file:
            file.write(line)

    def after(self, number: int) -> list[tuple[int, str]]:
        """Return the commits noted after a number, the latest word on each."""
        if not self.path.exists():
            return []
        found = {}
        for line in self.path.read_text(encoding="utf-8", errors="replace").split("\n"):
            count, _, what = line.partition("\t")
            if count.isdecimal() and what:
                found[int(count)] = what
        return [(n, what) for n, what in sorted(found.items()) if n > number]

    def clear(self) -> None:
        """Forget all: the catalogue's own file holds it now."""
        self.path.unlink(missing_ok=True)
