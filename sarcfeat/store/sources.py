"""Where image and mask files are: a folder with a pattern, or a manifest."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import Any

import pandas as pd

from sarcfeat._validation import listed, pick
from sarcfeat.exceptions import CohortError, InputMissing
from sarcfeat.io import read_table
from sarcfeat.io.plain_dicom import is_dicom
from sarcfeat.store.identity import digest
from sarcfeat.store.manifest import manifest_rows
from sarcfeat.store.patients import id_text

__all__ = ["Slot", "Source", "compile_pattern", "find_slots"]

FIELDS = ("patient", "sequence", "reader", "session")
REQUIRED = ("patient", "sequence", "path")
PHASE_OF_CT = re.compile(
    r"(non.?contrast|unenhanced|native|plain|arterial|portal|porto|venous|delayed)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Slot:
    """One place where a file of a patient is, or should be."""

    what: str
    patient: str
    phase: str
    path: str
    reader: str | None = None
    session: int | None = None
    label: int | None = None
    lesion: str | None = None
    kind: str | None = None
    acquired_at: int | None = None
    refused: str | None = field(default=None, compare=False)

    @property
    def key(self) -> str:
        """Name of this place in the catalogue."""
        return digest(
            "slot",
            self.what,
            self.patient,
            self.phase,
            self.reader,
            self.session,
            self.label,
            self.lesion,
            self.path,
        )


@dataclass(frozen=True)
class Source:
    """What ``add_images``, ``add_masks`` or ``add_slides`` was told."""

    what: str
    reader: str | None = None
    session: int | None = None
    label: int | None = None
    kind: str | None = None


def compile_pattern(pattern: str) -> re.Pattern[str]:
    r"""Turn ``{patient}/{sequence}_image.nii.gz`` into a regular expression.

    Everything outside the braces is taken literally; a field is any text without a
    slash; a field that appears twice must hold the same text twice. ``{phase}`` is
    another word for ``{sequence}``.

    Raises
    ------
    CohortError
        A field that is not known, or no ``{patient}`` or ``{sequence}``.

    Examples
    --------
    >>> found = compile_pattern("{patient}/{sequence}_image.nii.gz").match(
    ...     "STS_001/MR_T1_image.nii.gz"
    ... )
    >>> found.groupdict()
    {'patient': 'STS_001', 'sequence': 'MR_T1'}
    """
    parts, seen = [], set()
    for literal, written in re.findall(r"([^{]*)(?:\{([^}]*)\})?", pattern):
        name = "sequence" if written == "phase" else written
        parts.append(re.escape(literal))
        if name in seen:
            parts.append(f"(?P={name})")
        elif name:
            pick(name, FIELDS, f"field in the pattern {pattern!r}")
            seen.add(name)
            parts.append(f"(?P<{name}>[^/]+)")
    lacking = [name for name in ("patient", "sequence") if name not in seen]
    if lacking:
        raise CohortError(
            f"Pattern {pattern!r} has no {{{lacking[0]}}}. Write it like "
            "'{patient}/{sequence}_image.nii.gz'."
        )
    return re.compile("".join(parts) + r"\Z")


def find_slots(
    data: pd.DataFrame | str | PathLike[str], pattern: str | None, source: Source
) -> list[Slot]:
    """List the files of a source, sorted by patient and sequence.

    Raises
    ------
    InputMissing
        There is no such folder or manifest.
    CohortError
        A folder without a pattern, a pattern that fits no file, a manifest that lacks
        a column.
    """
    if isinstance(data, pd.DataFrame):
        slots = list(_from_manifest(data, Path.cwd(), source, "The manifest"))
    elif Path(data).is_dir():
        slots = list(_from_folder(Path(data), pattern, source))
    elif Path(data).is_file():
        table = read_table(data, text=("sequence", "reader", "path", "lesion"))
        slots = list(_from_manifest(table, Path(data).parent, source, str(data)))
    else:
        raise InputMissing(f"No folder or manifest {data}. Correct the path.")
    unique = {slot.key: slot for slot in slots}
    return sorted(
        unique.values(),
        key=lambda s: (s.patient, s.phase, s.reader or "", s.session or 0, s.path),
    )


def _from_folder(root: Path, pattern: str | None, source: Source) -> Iterator[Slot]:
    if pattern is None:
        raise CohortError(
            f"{root} is a folder: say how its files are named, such as "
            "pattern='{patient}/{sequence}_image.nii.gz'."
        )
    expression, found, others = compile_pattern(pattern), 0, []
    real = os.path.realpath(root)
    for path in _files(root, expression):
        inside = path.relative_to(root).as_posix()
        match = expression.match(inside)
        if match is None:
            others.append(inside)
            continue
        found += 1
        yield _held_to(real, _slot(match.groupdict(), path, source))
    if not found:
        raise CohortError(
            f"No file in {root} fits the pattern {pattern!r}. Files there: "
            f"{listed(sorted(others), 3) or 'none'}."
        )


def _files(root: Path, expression: re.Pattern[str]) -> Iterator[Path]:
    """Yield the files, and as one the folders of DICOM slices that fit a pattern."""
    for folder, below, names in os.walk(root):
        below.sort()
        inside = Path(folder).relative_to(root).as_posix()
        if expression.match(inside) and _holds_dicom(Path(folder), names):
            below.clear()
            yield Path(folder)
            continue
        for name in sorted(names):
            if not name.startswith("."):
                yield Path(folder) / name


def _holds_dicom(folder: Path, names: list[str]) -> bool:
    seen = [folder / name for name in sorted(names) if not name.startswith(".")]
    return any(path.is_file() and is_dicom(path) for path in seen[:5])


def _held_to(root: str, slot: Slot) -> Slot:
    """Refuse a file that a link or ``..`` puts outside its folder."""
    real = os.path.realpath(slot.path)
    if real == root or real.startswith(os.path.join(root, "")):
        return slot
    return replace(
        slot,
        refused=(
            f"{slot.path} leads out of its folder {root} (a link or '..'). Copy the "
            "file, or name it by its own absolute path in a manifest."
        ),
    )


def _from_manifest(
    table: pd.DataFrame, base: Path, source: Source, name: str
) -> Iterator[Slot]:
    for fields, date in manifest_rows(table, REQUIRED, name):
        slot = _slot(fields, base / str(fields["path"]), source, acquired_at=date)
        if base == Path.cwd() or os.path.isabs(str(fields["path"])):
            yield slot  # whoever wrote it meant this file
        else:
            yield _held_to(os.path.realpath(base), slot)


def _slot(
    fields: dict[str, Any], path: Path, source: Source, acquired_at: int | None = None
) -> Slot:
    common: dict[str, Any] = {
        "what": source.what,
        "patient": id_text(fields["patient"]),
        "phase": str(fields["sequence"]),
        "path": os.path.abspath(path),
    }
    if source.what == "image":
        kind = str(fields.get("kind", source.kind or _kind(common["phase"])))
        return Slot(**common, kind=kind, acquired_at=acquired_at)
    return Slot(
        **common,
        reader=str(fields.get("reader", source.reader)),
        session=int(fields.get("session", source.session or 1)),
        label=int(fields.get("label", source.label or 1)),
        lesion=str(fields["lesion"]) if "lesion" in fields else None,
        acquired_at=acquired_at,
    )


def _kind(phase: str) -> str:
    """Guess the modality by the sequence's name."""
    for kind in ("PET", "CT"):
        if phase.upper().startswith(kind):
            return kind
    return "CT" if PHASE_OF_CT.match(phase) else "MR"
