"""A page that a radiologist looks through: every lesion, outlined on its slice."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sarcfeat import plots
from sarcfeat.encoders import Preprocess
from sarcfeat.exceptions import InvalidInput, SarcfeatError
from sarcfeat.io import read_volume
from sarcfeat.report.html import Figure, Section, write_html
from sarcfeat.store import FeatureStore

__all__ = ["lesion_page", "preprocessing_figure"]

COLUMNS = 6
PER_FIGURE = 24
DPI = 75  # a thumbnail of about 190 pixels; the page stays small


def lesion_page(
    store: FeatureStore,
    path: str | os.PathLike[str],
    *,
    cohort: str | None = None,
    sequences: Sequence[str] | None = None,
) -> Path:
    """Write one HTML page with every lesion outlined on its largest slice.

    Parameters
    ----------
    store : FeatureStore
    path : path-like
        The ``.html`` file.
    cohort : str, optional
        Only its patients; all patients without one.
    sequences : list of str, optional
        Only these; each is a section of the page.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    InvalidInput
        No image with a mask is there to be shown.

    Notes
    -----
    A file that cannot be read, or a mask on another grid, does not end the page: it is
    listed in red at its top, and the other lesions are shown.
    """
    pairs = store.images_and_masks(cohort)
    if sequences is not None:
        pairs = pairs[pairs["sequence"].isin(list(sequences))]
    if pairs.empty:
        raise InvalidInput(
            f"No image with a mask in cohort {cohort or 'of all patients'}"
            f"{f', sequences {list(sequences)}' if sequences else ''}. Add images and "
            "masks to the store first."
        )
    problems: list[str] = []
    sections = []
    with tempfile.TemporaryDirectory() as folder:
        for sequence, rows in pairs.groupby("sequence", sort=True):
            figures = list(_figures(str(sequence), rows, Path(folder), problems))
            shown = rows["patient"].nunique()
            readers = ", ".join(sorted(rows["reader"].unique()))
            text = [f"{shown} patients, {len(rows)} readings by {readers}."]
            sections.append(Section(str(sequence), text, figures=figures))
        return write_html(
            path,
            title=f"Lesions of {cohort or 'all patients'}",
            summary=[
                f"{pairs['patient'].nunique()} patients, "
                f"{pairs['sequence'].nunique()} sequences. Each picture is the slice "
                "on which the readers' areas add up to the most."
            ],
            sections=sections,
            warnings=problems,
        )


def _figures(
    sequence: str, rows: pd.DataFrame, folder: Path, problems: list[str]
) -> Iterator[Figure]:
    """Draw a sequence's lesions, a limited number in memory at a time."""
    patients = [str(p) for p in dict.fromkeys(rows["patient"])]
    for start in range(0, len(patients), PER_FIGURE):
        batch = patients[start : start + PER_FIGURE]
        drawn = []
        for patient in batch:
            try:
                drawn.append(_lesion(patient, rows[rows["patient"] == patient]))
            except SarcfeatError as error:
                problems.append(f"Patient {patient}, {sequence}: {error}")
        if not drawn:
            continue
        axes = plots.lesion_outlines(
            [(title, image, masks) for title, image, masks, _ in drawn],
            spacing=[spacing for *_, spacing in drawn],
            columns=COLUMNS,
        )
        names = [title for title, *_ in drawn]
        yield _saved(
            axes[0],
            folder / f"lesions_{len(list(folder.iterdir()))}.png",
            f"{sequence}: {names[0]} to {names[-1]}.",
            f"{len(names)} slices of {sequence} images with the outlines of lesions: "
            f"{', '.join(names)}.",
        )


def _lesion(
    patient: str, rows: pd.DataFrame
) -> tuple[str, Any, dict[str, Any], tuple[float, float]]:
    """Read one patient's image and the masks of all readings, cut to the lesion."""
    first = rows["image_path"].iloc[0]
    image = read_volume(first)
    masks: dict[str, np.ndarray] = {}
    for row in rows.itertuples(index=False):
        if row.image_path != first:
            continue
        mask = read_volume(row.mask_path)
        difference = image.geometry.difference(mask.geometry)
        if difference:
            raise InvalidInput(
                f"mask {row.mask_path} lies on another grid than image {first}: "
                f"{difference}."
            )
        name = row.reader if row.session == 1 else f"{row.reader}, {row.session}"
        inside = mask.array == row.label
        masks[name] = masks[name] | inside if name in masks else inside
    return patient, image.array, masks, (image.spacing[1], image.spacing[0])


def preprocessing_figure(
    preprocess: Any,
    image_path: str | os.PathLike[str],
    mask_path: str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    every_step: bool = False,
) -> Figure:
    """Draw a lesion before and after preprocessing, as a figure of a report.

    Parameters
    ----------
    preprocess : Preprocess or its spec
        The chain; its grey levels (BinWidth, BinCount) are drawn too.
    image_path, mask_path : path-like
        One lesion on one image.
    path : path-like
        The PNG file.
    every_step : bool
        One picture after each step, not only after the last.

    Returns
    -------
    Figure
    """
    import SimpleITK

    chain = Preprocess.from_spec(preprocess)
    image = SimpleITK.ReadImage(os.fspath(image_path))
    mask = SimpleITK.ReadImage(os.fspath(mask_path))
    stages = [("before", *Preprocess().apply(image, mask))]
    if every_step:
        for step in chain.steps:
            done = Preprocess([step]).apply(*stages[-1][1:])
            stages.append((type(step).__name__, *done))
    else:
        stages.append(("after", *chain.apply(image, mask)))
    axes = plots.preprocessing(
        [(t, *map(SimpleITK.GetArrayFromImage, both)) for t, *both in stages],
        spacing=[(i.GetSpacing()[1], i.GetSpacing()[0]) for _, i, _ in stages],
    )
    return _saved(
        axes[0],
        Path(path),
        f"Before and after preprocessing: {chain}.",
        "Slices of an image with the outline of the lesion, and histograms of the "
        "lesion's grey values, before and after preprocessing.",
    )


def _saved(axes: Any, path: Path, caption: str, alt: str) -> Figure:
    path.parent.mkdir(parents=True, exist_ok=True)
    axes.figure.savefig(path, dpi=DPI, bbox_inches="tight")
    plots.close(axes.figure)
    return Figure(path, caption, alt)
