"""The secret behind pseudonyms: a small file, never beside what it protects."""

from __future__ import annotations

import os
import re
import secrets
from os import PathLike
from pathlib import Path

from sarcfeat.exceptions import InputMissing, InvalidInput

__all__ = ["create_salt", "load_salt"]

Path_ = str | PathLike[str]
VARIABLE = "SARCFEAT_SALT"
BYTES = 32
HEX = re.compile(r"[0-9a-f]{64}\Z")


def create_salt(path: Path_, *, store: Path_ | None = None) -> Path:
    """Write a new secret of 256 random bits, readable by its owner only.

    Keep it where the data of the study do not go, and keep a copy: with another
    secret every pseudonym and every shifted date is another one.

    Parameters
    ----------
    path : str or path
        The file to write; one that is there already is never overwritten.
    store : str or path, optional
        Folder of the feature store, in which the file must not lie.

    Returns
    -------
    Path

    Raises
    ------
    InvalidInput
        The file is there, or would lie inside the store.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> len(load_salt(create_salt(Path(folder.name) / "study.salt")))
    32
    >>> folder.cleanup()
    """
    place = Path(path)
    _refuse_inside(place, store)
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise InvalidInput(
            f"{place} is there already and is not overwritten: the pseudonyms made "
            "with it would be lost. Give another path, or use it as it is."
        ) from None
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(BYTES) + "\n")
    return place


def load_salt(path: Path_ | None = None, *, store: Path_ | None = None) -> bytes:
    """Read the secret that keys the pseudonyms.

    Parameters
    ----------
    path : str or path, optional
        The file that :func:`create_salt` wrote; by default the one that the
        environment variable ``SARCFEAT_SALT`` names.
    store : str or path, optional
        Folder of the feature store, in which the file must not lie.

    Returns
    -------
    bytes
        32 bytes.

    Raises
    ------
    InputMissing
        No path was given, or there is no such file.
    InvalidInput
        The file lies inside the store, can be read by others, or holds no secret.
    """
    named = path if path is not None else os.environ.get(VARIABLE)
    if not named:
        raise InputMissing(
            f"No salt file. Give salt='…' or set {VARIABLE}; create_salt(path) writes "
            "a new one."
        )
    place = Path(named)
    _refuse_inside(place, store)
    if not place.is_file():
        raise InputMissing(
            f"No salt file {place}. Correct the path, or write a new one with "
            "create_salt(path)."
        )
    mode = place.stat().st_mode & 0o777
    if os.name == "posix" and mode & 0o077:
        raise InvalidInput(
            f"The salt file {place} can be read by others (mode {mode:03o}). "
            f"Run: chmod 600 {place}"
        )
    text = place.read_text(encoding="ascii", errors="replace").strip()
    if not HEX.match(text):
        raise InvalidInput(
            f"The salt file {place} does not hold 64 hexadecimal digits, as "
            "create_salt(path) writes them."
        )
    return bytes.fromhex(text)


def _refuse_inside(place: Path, store: Path_ | None) -> None:
    """Refuse a secret that would be copied together with what it protects."""
    if store is not None and place.resolve().is_relative_to(Path(store).resolve()):
        raise InvalidInput(
            f"The salt file {place} lies inside the store {store}: whoever is given "
            "the store could undo its pseudonyms. Keep it elsewhere."
        )
