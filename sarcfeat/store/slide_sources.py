"""Where slides, their annotations and their bags lie: a folder or a manifest."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

import pandas as pd

from sarcfeat._validation import listed, pick
from sarcfeat.exceptions import CohortError, InputMissing, InvalidInput
from sarcfeat.io import read_table
from sarcfeat.store.manifest import manifest_rows
from sarcfeat.store.patients import id_text

__all__ = ["Place", "find_places", "name_of"]

# "scan.ndpi.ndpa" and "scan.svs" both belong to the slide "scan".
SUFFIXES = (
    ".h5",
    ".hdf5",
    ".ndpa",
    ".geojson",
    ".json",
    ".xml",
    ".gz",
    ".svs",
    ".ndpi",
    ".mrxs",
    ".ome",
    ".tif",
    ".tiff",
    ".scn",
    ".bif",
    ".svslide",
    ".vms",
    ".vmu",
    ".qptiff",
    ".czi",
    ".dcm",
    ".png",
    ".jpg",
    ".jpeg",
)


@dataclass(frozen=True)
class Place:
    """Where a file of a slide lies.

    Attributes
    ----------
    patient, slide, path : str
        Whose, which one, and the file.
    mpp : float, optional
        Micrometres per pixel of level 0, where the manifest says.
    acquired_at : int, optional
        When the tissue was taken, in microseconds UTC, where the manifest says.
    refused : str, optional
        Why the file may not be read.
    """

    patient: str
    slide: str
    path: str
    mpp: float | None = None
    acquired_at: int | None = None
    refused: str | None = field(default=None, compare=False)


def name_of(path: str | PathLike[str]) -> str:
    """Name a slide by a file of it: without folder and suffixes.

    Examples
    --------
    >>> name_of("slides/P1.a.svs"), name_of("P1.a.ndpi.ndpa")
    ('P1.a', 'P1.a')
    """
    name = Path(path).name
    while (stem := os.path.splitext(name)) and stem[1].lower() in SUFFIXES and stem[0]:
        name = stem[0]
    return name


def find_places(
    source: pd.DataFrame | str | PathLike[str],
    pattern: str | None,
    *,
    suffixes: Collection[str] | None = None,
    example: str = "'{patient}/{slide}.svs'",
) -> list[Place]:
    """List the files of a folder or a manifest, sorted by patient and slide.

    Parameters
    ----------
    source : folder, DataFrame or path of a CSV
    pattern : str, optional
        How the files of a folder are named.
    suffixes : collection of str, optional
        Of a folder, only files that end so; their names without it are the slides'.
        By default every file; its slide is what ``{slide}`` says.
    example : str
        A pattern, for messages.

    Raises
    ------
    InputMissing
        There is no such folder or manifest.
    CohortError
        A folder without a pattern, a pattern that fits no file, a manifest that lacks
        a column.
    """
    if isinstance(source, pd.DataFrame):
        found = list(_from_manifest(source, Path.cwd(), "The manifest"))
    elif Path(source).is_dir():
        found = list(_from_folder(Path(source), pattern, suffixes, example))
    elif Path(source).is_file():
        table = read_table(source, text=("patient", "slide", "path"))
        found = list(_from_manifest(table, Path(source).parent, str(source)))
    else:
        raise InputMissing(f"No folder or manifest {source}. Correct the path.")
    return sorted(set(found), key=lambda p: (p.patient, p.slide, p.path))


def _from_manifest(table: pd.DataFrame, base: Path, name: str) -> Iterator[Place]:
    for told, date in manifest_rows(table, ("patient", "path"), name):
        path = os.path.abspath(base / str(told["path"]))
        slide = str(told.get("slide", name_of(path)))
        mpp = _number(told["mpp"], name, slide) if "mpp" in told else None
        yield Place(id_text(told["patient"]), slide, path, mpp, date)


def _number(value: object, name: str, slide: str) -> float:
    try:
        found = float(str(value))
    except ValueError:
        found = 0.0
    if not 0 < found < float("inf"):
        raise InvalidInput(
            f"{name}: the mpp of slide {slide} is {value!r}; expected micrometres per "
            "pixel of the full resolution, such as 0.25."
        )
    return found


def _from_folder(
    root: Path, pattern: str | None, suffixes: Collection[str] | None, example: str
) -> Iterator[Place]:
    if pattern is None:
        raise CohortError(
            f"{root} is a folder: say where the patient stands in its files' names, "
            f"such as pattern={example}."
        )
    expression = _compile(pattern)
    files = sorted(
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if not path.name.startswith(".")
        and (path.suffix in suffixes if suffixes is not None else path.is_file())
    )
    matches = {name: expression.match(name) for name in files}
    if not any(matches.values()):
        raise CohortError(
            f"No file in {root} fits the pattern {pattern!r}. Files there"
            f"{'' if suffixes is None else f' ({listed(suffixes)})'}: "
            f"{listed(files, 3) or 'none'}."
        )
    real = os.path.realpath(root)
    for name, match in matches.items():
        if match is None:
            continue
        path = os.path.abspath(root / name)
        slide = match.groupdict().get("slide") or name_of(name)
        if suffixes is not None:
            # The whole stem names a bag's slide: part of it may be the patient.
            slide = Path(name).stem
        yield Place(id_text(match["patient"]), slide, path, refused=_led(real, path))


def _led(root: str, path: str) -> str | None:
    """Say why a file that a link puts outside its folder is not read."""
    if os.path.realpath(path).startswith(os.path.join(root, "")):
        return None
    return (
        f"{path} leads out of its folder {root} (a link or '..'). Copy the file, or "
        "name it by its own absolute path in a manifest."
    )


def _compile(pattern: str) -> re.Pattern[str]:
    """Turn ``{patient}-{slide}.h5`` into a regular expression."""
    if "{patient}" not in pattern:
        raise CohortError(f"Pattern {pattern!r} has no {{patient}}.")
    parts, seen = [], set()
    for literal, name in re.findall(r"([^{]*)(?:\{([^}]*)\})?", pattern):
        parts.append(re.escape(literal))
        if name in seen:
            parts.append(f"(?P={name})")
        elif name:
            pick(name, ("patient", "slide"), f"field in the pattern {pattern!r}")
            seen.add(name)
            parts.append(f"(?P<{name}>[^/]+?)")
    return re.compile("".join(parts) + r"\Z")
