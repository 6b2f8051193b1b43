"""What DL-CP looks at: maps, sheets, and the form for the pathologist."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from pipelines.patients import TRAINING
from pipelines.region_figures import attention, sheet
from pipelines.region_tables import Cases
from pipelines.study import Study
from sarcfeat.datasets import Cohort
from sarcfeat.encoders import SlideTiles
from sarcfeat.evaluate import (
    attention_table,
    extreme_tiles,
    review_form,
    review_table,
)
from sarcfeat.io import read_table

__all__ = ["looked_at"]

# The review of the paper: 20 patients, 50 tiles of each.
PATIENTS, TILES = 5, 50


def looked_at(
    study: Study,
    model: Any,
    X: pd.DataFrame,
    score: pd.Series[Any],
    these: Cases,
    cohort: Cohort,
    net: SlideTiles,
) -> None:
    """Show what a model weighs: attention maps, extreme tiles, the blinded form."""
    ranked = score.dropna().sort_values(kind="stable")
    paths = cohort.slides.astype({"path": str})
    tiles = attention_table(model, X.loc[ranked.index])
    for word, patient in (("lowest", ranked.index[0]), ("highest", ranked.index[-1])):
        mine = tiles[tiles["patient"] == patient]
        name = mine["slide"].iloc[0]
        row = paths[(paths["patient"] == patient) & (paths["slide"] == name)].iloc[0]
        args = (row["path"], mine[mine["slide"] == name], net.size, net.mpp)
        told = f"DL-CP {word} ({patient}): attention"
        study.figure("Tiles", f"attention_{word}", told, attention, *args)
    ends = extreme_tiles(tiles, 10, over="cohort")
    side_um = net.size * (net.mpp or 0.25)
    told = "Most and least weighed tiles"
    args = (ends, paths, side_um)
    study.figure("Tiles", "top_and_bottom_tiles", told, sheet, *args)
    _review(study, tiles, ranked, these.where[ranked.index])


def _review(
    study: Study, tiles: pd.DataFrame, ranked: pd.Series[Any], where: pd.Series[Any]
) -> None:
    """Make the form, or read what came back."""
    folder, key = study.options.out / "review", study.options.out / "review_key.csv"
    if folder.exists():
        _came_back(study, folder / "review_form.csv", key)
        return
    training = where.eq(TRAINING)
    least = min(int(training.sum()), int((~training).sum()))
    if least < 2:
        study.warn(
            "No form for the pathologist: it needs two patients with a DL-CP score in "
            "training and two in validation."
        )
        return
    form = review_form(
        tiles,
        ranked,
        training.map({True: TRAINING, False: "validation"}),
        training=TRAINING,
        patients=min(PATIENTS, least // 2),
        tiles=TILES,
        random_state=study.options.seed,
    )
    form.to_csv(folder, key)
    n = form.key["patient"].nunique()
    study.summary.append(
        "review/ is a form for a pathologist who does not see scores: "
        f"{len(form.form)} tiles of {n} patients, {TILES} of each who has as many"
        f"{f' ({len(form.notes)} have fewer)' if form.notes else ''}. Once it is "
        "filled in, the same command tests it against review_key.csv."
    )
    if form.notes:
        shown = pd.DataFrame({"patients with fewer tiles": form.notes})
        study.table("Tiles", "Pathologist's form", shown)


def _came_back(study: Study, form: Path, key: Path) -> None:
    if not form.exists() or not key.exists():
        study.warn(f"{form} and {key} are not both there: the review is not read.")
        return
    answers = read_table(form, missing=("",)).drop(columns="tile", errors="ignore")
    if not answers.notna().any(axis=None):
        study.summary.append(
            "review/ was there already, and is empty: it was left as it is. For a new "
            "form move it away."
        )
        return
    study.table("Tiles", "What the pathologist saw", review_table(form, key))
