"""Files that are never opened: those that can run code, or whose parser trusts them."""

from __future__ import annotations

import zipfile
from os import PathLike, fspath
from pathlib import Path

from sarcfeat.exceptions import UntrustedFile

__all__ = ["refuse_untrusted"]

PICKLES = (".pkl", ".pickle", ".joblib", ".dill", ".pt", ".pth", ".ckpt", ".skops")
CATALOGUES = (".duckdb", ".db", ".parquet", ".pq")


def refuse_untrusted(path: str | PathLike[str], instead: str) -> None:
    """Raise where a file is a pickle, a DuckDB database or Parquet, by name or content.

    Opening a pickle (joblib and torch files are pickles) runs whatever code its author
    put in. DuckDB calls opening a database file "closer to loading a shared library
    than to opening a document".

    Parameters
    ----------
    path : str or path
        The file that was given; nothing happens where there is none.
    instead : str
        What to give, as the end of the message.

    Raises
    ------
    UntrustedFile
        The message says what the file is.

    Examples
    --------
    >>> refuse_untrusted("model.joblib", "Give the JSON that Nomogram.to_json wrote.")
    Traceback (most recent call last):
    ...
    sarcfeat.exceptions.UntrustedFile: model.joblib is a pickle, joblib or torch...
    """
    place = Path(path)
    suffix = place.suffix.lower()
    head = b""
    if place.is_file():
        with place.open("rb") as file:
            head = file.read(16)
    if suffix in PICKLES or _is_pickle(place, head):
        raise UntrustedFile(
            f"{fspath(path)} is a pickle, joblib or torch file: opening it runs any "
            f"code it holds. It is refused whoever made it. {instead}"
        )
    if suffix in CATALOGUES or head[8:12] == b"DUCK" or head[:4] == b"PAR1":
        raise UntrustedFile(
            f"{fspath(path)} is a DuckDB or Parquet file, whose parser trusts what it "
            f"reads; sarcfeat opens only those of its own store. {instead}"
        )


def _is_pickle(place: Path, head: bytes) -> bool:
    """Recognise pickles since protocol 2, and the archives that torch wraps them in."""
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return True
    if head[:4] == b"PK\x03\x04" and zipfile.is_zipfile(place):
        with zipfile.ZipFile(place) as archive:
            names = archive.namelist()
        return any(name.endswith((".pkl", ".pickle")) for name in names)
    return False
