"""One writer at a time: who it is, and how the next one waits."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import time
import uuid
import weakref
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from sarcfeat.exceptions import DiskFull, StoreBusy
from sarcfeat.store.connection import Connection
from sarcfeat.store.inbox import write_durably
from sarcfeat.store.place import is_network, user_name

__all__ = ["Writer", "say", "wait_for_catalogue"]

NOTE = "writer.json"
POLL = 0.1


@dataclass(frozen=True)
class Writer:
    """Who holds a store for writing."""

    pid: int
    host: str
    user: str
    program: str
    since: str
    token: str

    @classmethod
    def me(cls) -> Writer:
        """Return this process."""
        # The script's name only: arguments may name patients.
        program = os.path.basename(sys.argv[0] if sys.argv else "") or "python"
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        return cls(
            os.getpid(),
            socket.gethostname(),
            user_name(),
            program,
            now,
            uuid.uuid4().hex,
        )

    @classmethod
    def of(cls, store: Path) -> Writer | None:
        """Return who left a note in a store, if there is a readable one."""
        try:
            return cls(**json.loads((store / NOTE).read_bytes()))
        except (OSError, ValueError, TypeError):
            return None

    def __str__(self) -> str:
        """Return a phrase for a message."""
        return (
            f"process {self.pid} on {self.host} ({self.program}; user {self.user}), "
            f"since {self.since}"
        )

    def sign(self, store: Path, db: Connection) -> None:
        """Leave a note that goes when the connection does, or the process ends."""
        # The lock counts, not the note: a full disk need not stop a reader.
        with contextlib.suppress(DiskFull):
            write_durably(store / NOTE, json.dumps(asdict(self)).encode())
        weakref.finalize(db, _erase_note, store, self.token)


def _erase_note(store: Path, token: str) -> None:
    # Another writer of this process may have signed since.
    left = Writer.of(store)
    if left is not None and left.token == token:
        (store / NOTE).unlink(missing_ok=True)


def say(text: str) -> None:
    """Tell the person at the terminal, on standard error."""
    Console(stderr=True).print(text, markup=False, highlight=False, soft_wrap=True)


def wait_for_catalogue(store: Path, timeout: float) -> Connection:
    """Open the catalogue for writing; wait for another process to close it.

    Raises
    ------
    StoreBusy
        It is still open after `timeout` seconds; the process is named.
    """
    _refuse_other_computer(store)
    deadline = time.monotonic() + timeout
    told = False
    while True:
        try:
            return Connection(store / "catalog.duckdb")
        except StoreBusy as error:
            left = deadline - time.monotonic()
            if left <= 0:
                raise StoreBusy(_busy(store, error, timeout)) from error
            if not told:
                say(f"Waiting up to {timeout:g} s: {_holder(store, error)}.")
                told = True
            time.sleep(min(POLL, left))


def _holder(store: Path, error: StoreBusy) -> str:
    note = Writer.of(store)
    if note is not None and f"process {note.pid} " in str(error):
        return f"{store} is open in {note}"
    return str(error).split(". ")[0]


def _busy(store: Path, error: StoreBusy, timeout: float) -> str:
    return (
        f"{_holder(store, error)}; waited {timeout:g} s. Close that program, wait "
        "longer with FeatureStore(..., timeout=600), or read a published copy with "
        "read_only=True: one process writes a store at a time."
    )


def _refuse_other_computer(store: Path) -> None:
    """On a network disk, where locks do not reach, believe the note."""
    note = Writer.of(store)
    if note is None or note.host == socket.gethostname() or not is_network(store):
        return
    raise StoreBusy(
        f"{store} is open in {note}. It lies on a network file system, whose locks do "
        "not reach other computers, so a second writer is refused. If that computer "
        f"is off, delete {store / NOTE}."
    )
