"""Where the files of a public cohort come from: a local mirror, or the pinned source.

A registry is a CSV inside this package with one line a file: name, size, sha256.
It holds facts about the files, not the files.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path

import pandas as pd

from sarcfeat._validation import listed
from sarcfeat.exceptions import CohortError, InputCorrupt

__all__ = [
    "address_of",
    "checksum_notes",
    "data_root",
    "download",
    "read_registry",
    "sha256_of",
]

RETRIES = 2


def data_root(root: str | Path | None) -> Path | None:
    """Return the folder of the local mirror: the argument, else ``SARCFEAT_DATA``.

    Raises
    ------
    CohortError
        A folder is given and does not exist.
    """
    said = "root" if root is not None else "SARCFEAT_DATA"
    given = root if root is not None else os.environ.get("SARCFEAT_DATA") or None
    if given is None:
        return None
    folder = Path(given)
    if not folder.is_dir():
        raise CohortError(f"{said} is {given!s}, and there is no such folder.")
    return folder


def read_registry(name: str) -> pd.DataFrame:
    """Read a registry of this package: one row a file, indexed by local file name."""
    file = resources.files("sarcfeat.datasets") / "registry" / f"{name}.csv"
    with file.open(encoding="utf-8") as handle:
        return pd.read_csv(handle, index_col="file")


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def checksum_notes(
    root: Path, registry: pd.DataFrame, files: Iterable[str]
) -> list[str]:
    """Say which files of a local mirror are not the pinned ones.

    They are not refused: a user may repair a mask or draw a new one.
    """
    changed = []
    for file in files:
        path = root / file
        if file not in registry.index or not path.is_file():
            continue
        pinned = registry.loc[file]
        same = path.stat().st_size == pinned["bytes"]
        if not (same and sha256_of(path) == pinned["sha256"]):
            changed.append(file)
    if not changed:
        return []
    return [
        f"{len(changed)} local files differ from the pinned source (sha256), and were "
        f"taken as they are: {listed(changed)}."
    ]


def download(
    registry: pd.DataFrame, folder: Path, addresses: Mapping[str, str]
) -> None:
    """Download the files of a registry that are not yet in a folder.

    Parameters
    ----------
    registry : DataFrame
        As :func:`read_registry` returns it.
    folder : Path
        Where to; files that are there with the pinned sha256 are kept.
    addresses : dict of prefix to address
        A file whose name starts with the prefix comes from the address, the rest of
        its name appended.

    Raises
    ------
    InputCorrupt
        A downloaded file is not the pinned one; it is not kept.
    CohortError
        The source cannot be reached.
    """
    import pooch
    from rich.progress import track

    fetcher = pooch.create(
        path=folder,
        base_url="",
        registry={file: f"sha256:{row['sha256']}" for file, row in registry.iterrows()},
        urls={file: address_of(str(file), addresses) for file in registry.index},
        retry_if_failed=RETRIES,
    )
    for file in track(list(registry.index), f"Downloading to {folder}", transient=True):
        try:
            fetcher.fetch(file)
        except ValueError as error:
            raise InputCorrupt(
                f"{fetcher.get_url(file)}: the file that came is not the pinned one "
                f"(sha256 {registry.at[file, 'sha256'][:12]}…) and was refused."
            ) from error
        except OSError as error:
            raise CohortError(
                f"{fetcher.get_url(file)} cannot be downloaded: {error}. Give the "
                "folder of a local mirror as root or in SARCFEAT_DATA."
            ) from error


def address_of(file: str, addresses: Mapping[str, str]) -> str:
    """Return the address of a file by its prefix.

    Examples
    --------
    >>> address_of("images/sts/S1/PET.nii.gz", {"images/sts/": "https://host/pinned/"})
    'https://host/pinned/S1/PET.nii.gz'
    """
    for prefix, address in addresses.items():
        if file.startswith(prefix):
            return address + file.removeprefix(prefix)
    raise CohortError(f"No address for {file}; known prefixes: {listed(addresses)}.")
