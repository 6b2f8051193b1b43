"""The JSON document of a nomogram: its schema, its version, and how to read it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sarcfeat.exceptions import InvalidInput
from sarcfeat.io import refuse_untrusted
from sarcfeat.nomogram.uncertainty import Uncertainty
from sarcfeat.nomogram.variable import Variable

__all__ = ["read_document", "write_document"]

SCHEMA = "sarcfeat.nomogram"
VERSION = 2  # 1 had no splines, intervals, logistic models or notes


def write_document(parts: dict[str, Any]) -> str:
    """Write the parts of a nomogram as JSON; Python's floats come back exactly."""
    marked = {"schema": SCHEMA, "schema_version": VERSION, **parts}
    return json.dumps(marked, indent=1, allow_nan=False)


def _parse(text: str, where: str) -> dict[str, Any]:
    try:
        parts = json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidInput(f"{where} is not JSON: {error}.") from error
    if not isinstance(parts, dict) or parts.pop("schema", None) != SCHEMA:
        raise InvalidInput(
            f"{where} is not a nomogram: its 'schema' is not {SCHEMA!r}. Give a file "
            "that Nomogram.to_json wrote."
        )
    return parts


def read_document(source: str | Path) -> dict[str, Any]:
    """Read the parts of a nomogram from JSON text or from a file.

    Raises
    ------
    InvalidInput
        No JSON, no nomogram, or another version of the schema.
    UntrustedFile
        A pickle or joblib file.
    """
    is_text = isinstance(source, str) and source.lstrip()[:1] in {"{", "["}
    if not is_text:
        refuse_untrusted(source, "Give the JSON that Nomogram.to_json wrote.")
    text = str(source) if is_text else Path(source).read_text(encoding="utf-8")
    where = "The text" if is_text else str(source)
    parts = _parse(text, where)
    version = parts.pop("schema_version", None)
    if version not in (1, VERSION):
        raise InvalidInput(
            f"{where} has version {version} of the nomogram schema; this sarcfeat "
            f"reads versions 1 and {VERSION}. Open it with the sarcfeat that wrote it."
        )
    try:
        variables = [Variable.from_dict(variable) for variable in parts["variables"]]
        known = parts.get("uncertainty")
        uncertainty = None if known is None else Uncertainty.from_dict(known)
    except (KeyError, TypeError) as error:
        raise InvalidInput(
            f"{where} lacks a part of a variable, or has one too many: {error}."
        ) from error
    return {**parts, "variables": variables, "uncertainty": uncertainty}
