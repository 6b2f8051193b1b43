"""Slides and the annotations beside them, in the folder of a cohort."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd

from sarcfeat.datasets.layout import SLIDE_PATTERN, find_files

__all__ = ["SLIDE_COLUMNS", "copy_slides", "find_slides", "no_slides"]

SLIDE_COLUMNS = ("patient", "slide", "path")
SLIDES = (
    ".bif",
    ".bmp",
    ".jpeg",
    ".jpg",
    ".mrxs",
    ".ndpi",
    ".png",
    ".scn",
    ".svs",
    ".svslide",
    ".tif",
    ".tiff",
    ".vms",
    ".vmu",
)
ANNOTATIONS = (".geojson", ".json", ".ndpa", ".xml")


def no_slides() -> pd.DataFrame:
    """Return the empty table of slides, or of annotations."""
    return pd.DataFrame(columns=list(SLIDE_COLUMNS))


def find_slides(root: Path, pattern: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """List the slides below `root` whose path fits a pattern, and their annotations.

    Parameters
    ----------
    root : Path
        The cohort folder.
    pattern : str
        With ``{patient}`` and ``{slide}``, such as ``slides/{patient}/{slide}.{ext}``.

    Returns
    -------
    slides, annotations : DataFrame
        Columns patient, slide, path. An annotation is called as its slide, with or
        without the slide's suffix (``S1.ndpa``, ``S1.ndpi.ndpa``).
    """
    found = find_files(root, "slides", pattern)
    suffix = pd.Series(
        [Path(path).suffix.lower() for path in found["path"]], dtype=object
    )
    found["slide"] = [_slide_name(str(name)) for name in found["slide"]]
    found = found[list(SLIDE_COLUMNS)]
    slides = found[suffix.isin(SLIDES)]
    drawn = found[suffix.isin(ANNOTATIONS)]
    return slides.reset_index(drop=True), drawn.reset_index(drop=True)


def _slide_name(name: str) -> str:
    """Return a slide's name without the suffixes that a name may still carry."""
    stem, dot, last = name.rpartition(".")
    if dot and stem and (f".{last.lower()}" in SLIDES or last.lower() == "ome"):
        return _slide_name(stem)
    return name


def copy_slides(slides: pd.DataFrame, annotations: pd.DataFrame, folder: Path) -> None:
    """Copy slides (of MRXS, with their folders) and annotations into a cohort folder.

    Parameters
    ----------
    slides, annotations : DataFrame
        Columns patient, slide, path; files that do not exist are left out.
    folder : Path
    """
    for row in pd.concat([slides, annotations]).to_dict("records"):
        source = Path(row["path"])
        if not source.is_file():
            continue
        extension = source.suffix.removeprefix(".")
        target = folder / SLIDE_PATTERN.format(**row, ext=extension)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
        if source.suffix.lower() == ".mrxs" and source.with_suffix("").is_dir():
            shutil.copytree(source.with_suffix(""), target.with_suffix(""))
