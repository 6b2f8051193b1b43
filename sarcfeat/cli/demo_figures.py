"""The demo's pictures, each drawn by `plots` and saved as a PNG."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sarcfeat import plots
from sarcfeat.evaluate import NestedCV
from sarcfeat.io import read_volume
from sarcfeat.nomogram import Nomogram
from sarcfeat.report import Figure
from sarcfeat.survival import logrank, make_y

__all__ = ["demo_figures", "median_groups"]

DPI = 130


def _save(axes: Any, folder: Path, name: str, caption: str, alt: str) -> Figure:
    """Save the figure that holds the axes and let it go."""
    first = np.ravel(np.asarray(axes, dtype=object))[0]
    figure = first.get_figure()
    path = folder / f"{name}.png"
    figure.savefig(path, dpi=DPI, bbox_inches="tight")
    plots.close(figure)
    return Figure(path, caption, alt)


def median_groups(result: NestedCV, model: str) -> pd.Series:
    """Split patients at the median of their out-of-fold risk, fold by fold.

    The first repeat only; each test fold is cut at its own median, so that no risk is
    compared across models fitted on different patients.
    """
    rows = result.predictions.query("model == @model and repeat == 0")
    cut = rows.groupby("fold")["risk"].transform("median")
    high = (rows["risk"] > cut).to_numpy()
    groups = pd.Categorical(
        np.where(high, "high risk", "low risk"), ["low risk", "high risk"]
    )
    return pd.Series(groups, index=rows["patient"]).reindex(result.outcome.index)


def _kaplan_meier(result: NestedCV, model: str, endpoint: str, folder: Path) -> Figure:
    groups = median_groups(result, model)
    y = make_y(result.outcome["event"], result.outcome["time"], zero="keep")
    p = logrank(y["event"], y["time"], groups.astype(str).to_numpy()).p_value
    axes = plots.kaplan_meier(y, groups, p_value=p)
    return _save(
        axes,
        folder,
        "kaplan_meier",
        f"Kaplan–Meier curves of {endpoint} by the median out-of-fold risk of the "
        f"{model} model (log-rank p = {p:.3g}), with numbers at risk.",
        f"Kaplan–Meier curves of {endpoint} for high and low predicted risk.",
    )


def _outlines(cases: list[tuple[str, Path, dict[str, Path]]], folder: Path) -> Figure:
    volumes = [
        (
            title,
            read_volume(image).array,
            {reader: read_volume(mask).array > 0 for reader, mask in masks.items()},
        )
        for title, image, masks in cases
    ]
    return _save(
        plots.lesion_outlines(volumes),
        folder,
        "lesion_outlines",
        "The slice with the largest lesion area of a few patients; one outline a "
        "reading.",
        "Image slices with the outlines of the lesion.",
    )


def demo_figures(
    *,
    result: NestedCV,
    table: pd.DataFrame,
    nomogram: Nomogram,
    lasso: Any,
    endpoint: str,
    cases: list[tuple[str, Path, dict[str, Path]]],
    folder: Path,
) -> list[Figure]:
    """Draw and save every figure of the demo.

    Parameters
    ----------
    result : NestedCV
    table : DataFrame
        ``model, c_index, ci_low, ci_high``.
    nomogram : Nomogram
    lasso : LassoCox
        Fitted on the whole cohort.
    endpoint : str
    cases : list of (title, image path, {reader: mask path})
    folder : path
        Where the PNG files go.
    """
    folder.mkdir(parents=True, exist_ok=True)
    figures = [
        _save(
            plots.c_index_forest(table),
            folder,
            "c_index",
            "Cross-validated c-index of each model with its 95 % interval.",
            "Dots and intervals of the c-index of each model beside the line of 0.5.",
        ),
        _kaplan_meier(result, "combined", endpoint, folder),
        _save(
            plots.nomogram(nomogram),
            folder,
            "nomogram",
            "The nomogram, fitted on the whole cohort. Its performance is that of the "
            "combined model in cross-validation, not of this fit.",
            "Nomogram: points of each variable, total points and probabilities.",
        ),
    ]
    if lasso is not None and not lasso.is_constant_:
        figures.append(
            _save(
                plots.lasso_path(lasso),
                folder,
                "lasso_path",
                "LASSO-Cox path and its cross-validated deviance on the whole cohort.",
                "Coefficients against the penalty, and the deviance curve.",
            )
        )
    if cases:
        figures.append(_outlines(cases, folder))
    return figures
