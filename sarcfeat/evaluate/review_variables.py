"""What a pathologist is asked of each tile, and the answers there are."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from sarcfeat.exceptions import InvalidInput

__all__ = ["KEPT", "REVIEW_VARIABLES", "checked_variables", "plain_answer"]

# Columns of the key that a test needs; no variable may be called so.
KEPT = ("tile", "patient", "chosen_in", "group", "region")
_FOUND = ("absent", "present")

# Ranges are written "10 to 50": spreadsheets take "10-50" for October 1950.
REVIEW_VARIABLES: dict[str, tuple[str, ...]] = {
    "cellularity": ("<10", "10 to 50", ">50"),
    "stroma": ("absent", "chondroid", "fibromyxoid", "fibrosis", "myxoid"),
    "cell_type": ("epithelioid", "pleomorphic", "round", "spindle"),
    "atypia": ("0", "1", "2"),
    "hyperchromasia": _FOUND,
    "mitosis": ("0", "1", "2"),
    "necrosis": _FOUND,
    "red_blood_cells": _FOUND,
    "differentiation": ("absent", "chondroid", "smooth muscle"),
    "infiltration": _FOUND,
    "vessels": _FOUND,
}
"""The eleven variables of Michot et al. (2025), each with its answers in order."""

MEANINGS = {
    "cellularity": "tumour cells, % of the tile",
    "stroma": "main kind of stroma",
    "cell_type": "main type of tumour cells",
    "atypia": "0 none or very mild, 1 moderate, 2 severe",
    "hyperchromasia": "of the nuclei",
    "mitosis": "mitoses in the tile; 2 is two or more",
    "necrosis": "in the tile",
    "red_blood_cells": "in the tile",
    "differentiation": "of the tumour cells",
    "infiltration": "by lymphocytes, with or without plasma cells",
    "vessels": "in the tile",
}


def plain_answer(text: str) -> str:
    """Return an answer without what hands and spreadsheets add to it.

    Examples
    --------
    >>> plain_answer("10 – 50 %"), plain_answer("1.0"), plain_answer("Smooth_Muscle ")
    ('10 to 50', '1', 'smooth muscle')
    >>> plain_answer("< 10%")
    '<10'
    """
    plain = " ".join(text.replace("%", " ").replace("_", " ").lower().split())
    plain = re.sub(r"(?<=\d)\s*(?:[-–—]|to)\s*(?=\d)", " to ", plain)
    plain = re.sub(r"^([<>])\s+", r"\1", plain)
    return re.sub(r"^(\d+)\.0+$", r"\1", plain)


def checked_variables(
    variables: Mapping[str, Sequence[str]] | None,
) -> dict[str, tuple[str, ...]]:
    """Return the variables asked, by default the paper's.

    Raises
    ------
    InvalidInput
        There are none, or one has fewer than two answers or the same one twice.
    """
    if variables is None:
        return dict(REVIEW_VARIABLES)
    if not variables:
        raise InvalidInput("No variables: give names, each with its answers.")
    asked = {str(k): tuple(map(str, v)) for k, v in variables.items()}
    for name, levels in asked.items():
        if name in KEPT:
            raise InvalidInput(f"No variable can be called {name!r}: the key has it.")
        if len(levels) < 2:
            raise InvalidInput(
                f"Variable {name!r} has the answers {list(levels)}; expected two or "
                "more."
            )
        if len({plain_answer(one) for one in levels}) < len(levels):
            raise InvalidInput(
                f"Variable {name!r} has an answer twice: {list(levels)}."
            )
    return asked
