"""A nomogram as files: a JSON document and an HTML calculator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Self

from sarcfeat._validation import pick
from sarcfeat.nomogram.calculator import render
from sarcfeat.nomogram.document import read_document, write_document
from sarcfeat.nomogram.uncertainty import Uncertainty
from sarcfeat.nomogram.variable import Variable

__all__ = ["NomogramFiles"]


class NomogramFiles:
    """What :class:`Nomogram` writes and reads; it holds the numbers."""

    variables: Sequence[Variable]
    uncertainty: Uncertainty | None

    def to_dict(self) -> dict[str, Any]:
        """Return everything the nomogram knows, as plain values."""
        parts = {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]
        known = self.uncertainty
        return {
            **parts,
            "variables": [v.to_dict() for v in self.variables],
            "uncertainty": None if known is None else known.to_dict(),
        }

    def to_json(self, path: str | Path | None = None) -> str:
        """Return the nomogram as JSON, and write it to `path` where one is given.

        Every number comes back exactly through :meth:`from_json`.
        """
        text = write_document(self.to_dict())
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

    @classmethod
    def from_json(cls, source: str | Path) -> Self:
        """Read a nomogram from the text, or the file, that :meth:`to_json` wrote.

        Raises
        ------
        InvalidInput
            No nomogram, or one of another schema version.
        """
        return cls(**read_document(source))

    def to_html(
        self,
        path: str | Path,
        *,
        title: str = "Nomogram calculator",
        values: Mapping[str, Any] | None = None,
    ) -> Path:
        """Write a calculator: one HTML page that needs no network.

        Parameters
        ----------
        path : path
        title : str
            Heading of the page.
        values : mapping, optional
            Variable → the value shown first; the median where not given.
        """
        names = [variable.name for variable in self.variables]
        for name in values or {}:
            pick(name, names, "variable")
        file = Path(path)
        file.write_text(render(self, title, dict(values or {})), encoding="utf-8")
        return file
