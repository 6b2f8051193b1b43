"""What every encoder says of itself: its name, its libraries, its own source."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from importlib import metadata, resources
from importlib.util import find_spec
from typing import Any

from sarcfeat._validation import missing_dependency
from sarcfeat.encoders.source import bare_source
from sarcfeat.exceptions import InvalidInput

__all__ = [
    "check_count",
    "check_library",
    "check_name",
    "code_hash",
    "package_version",
]


def check_name(name: Any) -> None:
    """Refuse what could not stand in ``<name>.<sequence>.<feature>``."""
    if not isinstance(name, str) or not name.strip() or "." in name:
        raise InvalidInput(
            f"name is {name!r}; expected a text without a dot, such as 'radiomics'."
        )


def check_count(value: Any, name: str, least: int) -> int:
    """Refuse what is no whole number, or too small a one."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise InvalidInput(f"{name} is {value!r}; expected a whole number ≥ {least}.")
    return value


def check_library(module: str, package: str) -> None:
    """Refuse to start without a library, before any image is read."""
    if find_spec(module) is None:
        raise missing_dependency(package, "radiomics")


def package_version(package: str, extra: str = "radiomics") -> str:
    """Return the version of an installed package of an extra."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError as error:
        raise missing_dependency(package, extra) from error


def code_hash(files: Iterable[str]) -> str:
    """Return the sha256 of the code in files of ``sarcfeat.encoders``, in this order.

    Comments, docstrings and empty lines do not count: an edit of these makes no new
    extractor, and nothing is encoded again.
    """
    digest = hashlib.sha256()
    for name in files:
        file = resources.files("sarcfeat.encoders") / name
        source = file.read_text(encoding="utf-8")
        code = bare_source(source) if name.endswith(".py") else source
        digest.update(f"{name}\n{code}\n".encode())
    return digest.hexdigest()
