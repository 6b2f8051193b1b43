"""The figures of Michot 2025, each drawn by one call in whatever process."""

from __future__ import annotations

from typing import Any

import pandas as pd

from sarcfeat import make_y, plots
from sarcfeat.io import open_slide
from sarcfeat.plots.canvas import new_axes

__all__ = ["attention", "by_group", "kaplan_meiers", "sheet"]


def kaplan_meiers(
    outcome: pd.DataFrame, groups: pd.DataFrame, where: pd.Series[Any], ylabel: str
) -> Any:
    """Draw a row a score and a column a cohort; a panel without patients is empty.

    Parameters
    ----------
    outcome : DataFrame
        ``time, event`` (1: the event), without missing values.
    groups : DataFrame
        Low and high by each score, indexed as `outcome`.
    where : Series
        Each patient's cohort.
    ylabel : str
    """
    cohorts = list(where.cat.categories)
    shape = {"nrows": groups.shape[1], "ncols": len(cohorts), "squeeze": False}
    axes = new_axes((5.2 * len(cohorts), 4.4 * groups.shape[1]), **shape)
    y = make_y(outcome["event"] == 1, outcome["time"], zero="keep")
    for row, score in zip(axes, groups, strict=True):
        for ax, cohort in zip(row, cohorts, strict=True):
            mine = ((where == cohort) & groups[score].notna()).to_numpy()
            if mine.any():
                named = groups.loc[mine, score]
                plots.kaplan_meier(y[mine], named, ax=ax, ylabel=ylabel)
            else:
                ax.set_axis_off()
            ax.set_title(f"{score}, {cohort} (n = {int(mine.sum())})")
    return axes


def by_group(score: pd.Series[Any], groups: pd.Series[Any]) -> Any:
    """Draw a score in the levels of a category."""
    return plots.score_by_group(score, groups, ylabel=str(score.name))


def attention(path: str, tiles: pd.DataFrame, size: int, mpp: float | None) -> Any:
    """Draw a slide with its tiles of `size` pixels coloured by attention."""
    with open_slide(path) as slide:
        side = size * (mpp or slide.mpp) / slide.mpp
        return plots.attention_map(slide, tiles, tile_px=side)


def sheet(tiles: pd.DataFrame, slides: pd.DataFrame, tile_um: float) -> Any:
    """Draw the most and the least weighed tiles of all patients."""
    return plots.contact_sheet(tiles, slides, tile_um=tile_um, over="cohort")
