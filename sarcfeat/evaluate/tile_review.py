"""The pathologist's review: a blinded form of tiles goes out, to be filled in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

from sarcfeat._validation import did_you_mean, listed, pick
from sarcfeat.evaluate.review_variables import MEANINGS, checked_variables
from sarcfeat.exceptions import InvalidInput

__all__ = ["ReviewForm", "review_form"]

_CHOICES = ("highest", "lowest", "random")
_KEY = [
    "tile",
    "patient",
    "cohort",
    "chosen_in",
    "score",
    "group",
    "slide",
    "x",
    "y",
    "region",
]


@dataclass(frozen=True)
class ReviewForm:
    """A form to be filled in blind, and its key.

    Attributes
    ----------
    form : DataFrame
        ``tile`` (a number that tells nothing, in random order) and an empty column for
        each variable.
    levels : DataFrame
        The answers there are: ``variable, level, meaning``.
    key : DataFrame
        What each tile is: ``tile, patient, cohort, chosen_in`` (``training`` or
        ``validation``), ``score, group`` (``low`` or ``high``), ``slide, x, y, region,
        weight``. Not for the reader.
    notes : list of str
        Patients with fewer tiles than asked for.
    """

    form: pd.DataFrame
    levels: pd.DataFrame
    key: pd.DataFrame
    notes: list[str]

    def __repr__(self) -> str:
        n = self.key["patient"].nunique()
        return f"<ReviewForm: {len(self.form):,} tiles of {n} patients>"

    def to_csv(
        self, folder: str | PathLike[str], key: str | PathLike[str]
    ) -> list[Path]:
        """Write ``review_form.csv`` and ``review_levels.csv``, and the key elsewhere.

        Parameters
        ----------
        folder : path
            What the reader is given.
        key : path
            A file outside of `folder`.

        Returns
        -------
        list of Path
            The three files.

        Raises
        ------
        InvalidInput
            The key would lie in the reader's folder, or a file is already there: a
            form that is filled in is not replaced.
        """
        home, secret = Path(folder), Path(key)
        if home.resolve() in (secret.resolve(), *secret.resolve().parents):
            raise InvalidInput(
                f"The key {secret} would lie in {home}, which the reader is given. "
                "Write it elsewhere."
            )
        held = {
            home / "review_form.csv": self.form,
            home / "review_levels.csv": self.levels,
            secret: self.key,
        }
        there = [str(path) for path in held if path.exists()]
        if there:
            raise InvalidInput(
                f"{listed(there)} is there already, and may be filled in. Choose "
                "another folder."
            )
        for path, table in held.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            # The mark tells spreadsheets that the text is UTF-8.
            table.to_csv(path, index=False, encoding="utf-8-sig")
        return list(held)


def review_form(
    table: pd.DataFrame,
    scores: pd.Series[Any],
    cohort: pd.Series[Any],
    *,
    training: str = "training",
    patients: int = 5,
    tiles: int = 50,
    choose: str = "highest",
    variables: Mapping[str, Sequence[str]] | None = None,
    random_state: Any = 0,
) -> ReviewForm:
    """Make the form with which a pathologist looks at tiles of extreme patients, blind.

    Of the training cohort, and of all other cohorts together, the patients with the
    lowest and the highest scores are taken, and of each so many tiles: 20 patients of
    50 tiles by default.

    Parameters
    ----------
    table : DataFrame
        Tiles, as :func:`~sarcfeat.evaluate.attention_table` returns them.
    scores : Series indexed by patient
        The risk score.
    cohort : Series indexed by patient
        Which cohort each patient is of.
    training : str
        The cohort that the model was trained on.
    patients : int
        Patients at each end of the scores, in training and in validation.
    tiles : int
        Tiles of each; all where there are fewer, which the notes say.
    choose : {"highest", "lowest", "random"}
        Which: by attention, or drawn.
    variables : mapping of str to sequence of str, optional
        What is asked, each with its answers; default :data:`REVIEW_VARIABLES`.
    random_state : int, RandomState or None
        Order of the tiles, and those drawn.

    Returns
    -------
    ReviewForm

    Raises
    ------
    InvalidInput
        A score is missing or no number, a patient has two, or too few patients have
        both a score and tiles.

    See Also
    --------
    review_table : The tests of the form that came back.
    sarcfeat.plots.contact_sheet : The pictures, blinded by the same numbers.

    References
    ----------
    Michot et al. (2025), histological analysis of the score.

    Examples
    --------
    >>> names = [f"P{i}" for i in range(8)]
    >>> table = pd.DataFrame({"patient": np.repeat(names, 3), "slide": "S1",
    ...                       "x": range(24), "y": 0, "region": "C", "weight": 1 / 3})
    >>> scores = pd.Series(range(8), names)
    >>> cohort = pd.Series(["training"] * 4 + ["validation"] * 4, names)
    >>> made = review_form(table, scores, cohort, patients=1, tiles=2)
    >>> made
    <ReviewForm: 8 tiles of 4 patients>
    >>> sorted(made.key["patient"].unique()), list(made.form.columns[:3])
    (['P0', 'P3', 'P4', 'P7'], ['tile', 'cellularity', 'stroma'])
    """
    pick(choose, _CHOICES, "choice of tiles")
    asked = checked_variables(variables)
    for name, number in (("patients", patients), ("tiles", tiles)):
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise InvalidInput(f"{name} is {number!r}; expected a number from 1.")
    _check_columns(table)
    rng = check_random_state(random_state)
    chosen = _chosen(table, scores, cohort, training, patients)
    names = table["patient"].astype(str)
    table = table[names.isin(chosen["patient"])].assign(patient=names)
    notes: list[str] = []
    parts = [
        _tiles_of(table, row, tiles, choose, rng, notes)
        for row in chosen.itertuples(index=False)
    ]
    key = pd.concat(parts, ignore_index=True)
    key = key.iloc[rng.permutation(len(key))].reset_index(drop=True)
    width = max(len(str(len(key))), 3)
    # A letter before it keeps a spreadsheet from dropping zeros.
    key["tile"] = [f"T{number:0{width}d}" for number in range(1, len(key) + 1)]
    form = pd.DataFrame({"tile": key["tile"], **dict.fromkeys(asked, "")})
    levels = pd.DataFrame(
        [
            {"variable": name, "level": level, "meaning": MEANINGS.get(name, "")}
            for name, answers in asked.items()
            for level in answers
        ]
    )
    kept = [*_KEY, *(["weight"] if "weight" in key.columns else [])]
    return ReviewForm(form, levels, key[kept], notes)


def _check_columns(table: pd.DataFrame) -> None:
    needed = ("patient", "slide", "x", "y", "region")
    absent = [name for name in needed if name not in table.columns]
    if absent:
        raise InvalidInput(
            f"table lacks {listed(absent)}.{did_you_mean(absent[0], table.columns)} "
            "Pass what attention_table returns."
        )


def _chosen(
    table: pd.DataFrame,
    scores: pd.Series[Any],
    cohort: pd.Series[Any],
    training: str,
    k: int,
) -> pd.DataFrame:
    """Return the patients at the ends of the scores, in training and elsewhere."""
    for name, one in (("scores", scores), ("cohort", cohort)):
        twice = one.index[one.index.duplicated()]
        if len(twice):
            raise InvalidInput(f"{name} has patients twice: {listed(twice.unique())}.")
    known = pd.DataFrame({"score": scores, "cohort": cohort})
    known.index = known.index.astype(str)
    known = known[known.index.isin(table["patient"].astype(str).unique())]
    gone = known.index[~np.isfinite(known["score"].astype(float))]
    if len(gone):
        raise InvalidInput(
            f"These patients have tiles and a cohort, and no score: {listed(gone)}. "
            "Leave their tiles out, or score them."
        )
    known = known[known["cohort"].notna()].astype({"score": float})
    pick(training, [str(name) for name in known["cohort"].unique()], "cohort")
    inside = known["cohort"].astype(str) == training
    parts = []
    for told, part in (("training", known[inside]), ("validation", known[~inside])):
        if len(part) < 2 * k:
            raise InvalidInput(
                f"{len(part)} patients of {told} have a score and tiles; {2 * k} are "
                f"needed for {k} at each end. Lower patients."
            )
        order = part.rename_axis("patient").reset_index()
        order = order.sort_values(["score", "patient"], kind="stable")
        parts += [order.iloc[:k].assign(group="low", chosen_in=told)]
        parts += [order.iloc[-k:].assign(group="high", chosen_in=told)]
    return pd.concat(parts, ignore_index=True)


def _tiles_of(
    table: pd.DataFrame,
    patient: Any,
    n: int,
    choose: str,
    rng: np.random.RandomState,
    notes: list[str],
) -> pd.DataFrame:
    mine = table[table["patient"] == patient.patient]
    if len(mine) < n:
        notes.append(f"{patient.patient} has {len(mine)} tiles, fewer than {n}.")
    if choose == "random":
        mine = mine.iloc[rng.permutation(len(mine))[:n]]
    else:
        if "weight" not in mine.columns:
            raise InvalidInput(
                f"table lacks weight, which choose={choose!r} goes by. Pass what "
                "attention_table returns, or choose='random'."
            )
        sign = -1 if choose == "highest" else 1
        order = np.argsort(sign * mine["weight"].to_numpy(float), kind="stable")
        mine = mine.iloc[order[:n]]
    return mine.assign(
        patient=patient.patient,
        cohort=patient.cohort,
        chosen_in=patient.chosen_in,
        score=patient.score,
        group=patient.group,
    )
