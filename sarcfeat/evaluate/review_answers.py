"""A review form that came back: read, checked answer by answer, joined to its key."""

from __future__ import annotations

from os import PathLike, fspath

import pandas as pd

from sarcfeat._validation import did_you_mean, listed
from sarcfeat.evaluate.review_variables import KEPT, plain_answer
from sarcfeat.exceptions import InvalidInput
from sarcfeat.io import read_table
from sarcfeat.io.cells import read_cells

__all__ = ["joined_review", "read_key"]

_SHOWN = 10  # wrong answers named in a message
# What hands write where they could not tell.
_UNKNOWN = ("", "na", "nan", "none", "?", "-", "not assessable", "n/a", "<na>")


def read_key(key: pd.DataFrame | str | PathLike[str]) -> pd.DataFrame:
    """Return the key of a form: a frame as it is, or read from its CSV."""
    if not isinstance(key, pd.DataFrame):
        # The text "NA" may be the name of a patient or a region.
        names = ("tile", "patient", "slide", "region", "cohort")
        key = read_table(key, text=names, missing=("",))
    absent = [c for c in ("tile", "patient", "group") if c not in key.columns]
    if absent:
        raise InvalidInput(
            f"The key lacks {listed(absent)}; it has {listed(key.columns, 12)}. Pass "
            "the key that review_form made."
        )
    key = key.assign(tile=key["tile"].astype(str))
    if key["tile"].duplicated().any():
        twice = key["tile"][key["tile"].duplicated()].unique()
        raise InvalidInput(f"The key has these tiles twice: {listed(twice)}.")
    return key.reset_index(drop=True)


def joined_review(
    form: pd.DataFrame | str | PathLike[str],
    key: pd.DataFrame,
    asked: dict[str, tuple[str, ...]],
    notes: list[str],
) -> pd.DataFrame:
    """Return the key with an answer a variable, None where there is none.

    Raises
    ------
    InvalidInput
        A column is missing, a tile is unknown or comes twice, or answers are none of
        those allowed: each is named with its row and column.
    """
    name, header, rows, lines = _cells(form)
    places = {plain_answer(told): at for at, told in enumerate(header)}
    absent = [one for one in ("tile", *asked) if plain_answer(one) not in places]
    if absent:
        raise InvalidInput(
            f"{name} lacks {listed(absent)}.{did_you_mean(absent[0], header)} It has "
            f"{listed(header, 12)}. Leave the header of the form as it was."
        )
    # Rows below the table that hold nothing are a spreadsheet's.
    kept = [(line, row) for line, row in zip(lines, rows, strict=True) if any(row)]
    column = places["tile"]
    tiles = [row[column] for _, row in kept]
    _check_tiles(name, tiles, [line for line, _ in kept], set(key["tile"]))
    answers: dict[str, list[str | None]] = {}
    wrong: list[str] = []
    for variable, levels in asked.items():
        at = places[plain_answer(variable)]
        given = [(line, row[column], row[at]) for line, row in kept]
        answers[variable] = [_answer(one, variable, levels, wrong) for one in given]
    if wrong:
        more = f"\nand {len(wrong) - _SHOWN} more." if len(wrong) > _SHOWN else ""
        raise InvalidInput(
            f"{name}: {len(wrong)} answers are none of those allowed:\n"
            + "\n".join(wrong[:_SHOWN])
            + more
            + "\nCorrect them in the form, or leave the cell empty."
        )
    found = pd.DataFrame(answers, index=pd.Index(tiles), dtype=object)
    left = len(key) - len(found)
    if left:
        out = key["tile"][~key["tile"].isin(tiles)]
        notes.append(f"{left} tiles of the key are not in the form: {listed(out)}.")
    told = key[[c for c in KEPT if c in key.columns]]
    return told[told["tile"].isin(tiles)].join(found, on="tile")


def _cells(
    form: pd.DataFrame | str | PathLike[str],
) -> tuple[str, list[str], list[list[str]], list[int]]:
    """Return a name, the header, the cells as text and the number of each row."""
    if not isinstance(form, pd.DataFrame):
        cells = read_cells(form)
        return fspath(form), cells.header, cells.rows, cells.lines
    header = [str(name) for name in form.columns]
    rows = [
        ["" if pd.isna(v) else str(v).strip() for v in row]
        for row in form.itertuples(index=False)
    ]
    return "The form", header, rows, list(range(1, len(rows) + 1))


def _check_tiles(
    name: str, tiles: list[str], lines: list[int], known: set[str]
) -> None:
    seen: dict[str, int] = {}
    for tile, line in zip(tiles, lines, strict=True):
        if tile not in known:
            raise InvalidInput(
                f"{name}, row {line}: tile {tile!r} is not in the key."
                f"{did_you_mean(tile, known)} Pass the form and key of one review."
            )
        if tile in seen:
            raise InvalidInput(
                f"{name}: tile {tile!r} is on rows {seen[tile]} and {line}. Keep one."
            )
        seen[tile] = line


def _answer(
    given: tuple[int, str, str],
    variable: str,
    levels: tuple[str, ...],
    wrong: list[str],
) -> str | None:
    line, tile, text = given
    if text.strip().lower() in _UNKNOWN:
        return None
    plain = {plain_answer(level): level for level in levels}
    if plain_answer(text) in plain:
        return plain[plain_answer(text)]
    near = did_you_mean(plain_answer(text), levels)
    wrong.append(
        f"row {line} (tile {tile}), column {variable!r}: {text!r}; expected "
        f"{' / '.join(levels)}.{near}"
    )
    return None
