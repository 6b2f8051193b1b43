"""DICOM into the store: only de-identified volumes under pseudonyms ever reach it."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import pandas as pd

from sarcfeat._validation import listed
from sarcfeat.exceptions import (
    IdentifiableFace,
    InvalidInput,
    WorkerDied,
    WorkerTimedOut,
)
from sarcfeat.io import Pseudonyms, Series, load_salt
from sarcfeat.io.isolation import isolated
from sarcfeat.store.connection import Connection
from sarcfeat.store.dicom_volumes import (
    FOLDER,
    KINDS,
    convert_series,
    keep_headers,
    own_id,
    series_below,
)
from sarcfeat.store.files import (
    FAILURE_COLUMNS,
    Report,
    forget,
    known_looks,
    write_refusals,
)
from sarcfeat.store.handle import Handle
from sarcfeat.store.intake import add_files
from sarcfeat.store.progress import progress_bar
from sarcfeat.store.sources import Source

__all__ = ["FromDicom"]

Path_ = str | PathLike[str]
Names = str | Mapping[str, str] | None


class FromDicom(Handle):
    """The verb that takes images out of DICOM without the patient."""

    def add_dicom(
        self,
        folder: Path_,
        *,
        salt: Path_ | None = None,
        sequence: Names = None,
        patients: Mapping[str, str] | None = None,
        progress: bool = True,
    ) -> Report:
        """De-identify the series of a folder and add them as images.

        Each CT, MR or PET series becomes ``images/<pseudonym>/<sequence>_….nii.gz``
        inside the store; what is kept of its header (scanner, echo time, …) is in the
        column ``acquisition`` of the table ``image``. Of the source nothing else enters
        the store: no name, id, date, description or path. Doing it again changes
        nothing.

        Parameters
        ----------
        folder : str or path
            DICOM files, in any nesting, under any names.
        salt : str or path, optional
            File with the study's secret, outside the store; by default the one that
            ``SARCFEAT_SALT`` names.
        sequence : str or dict, optional
            Name for all series; or name → regular expression that the series'
            description must hold, other series being left out. By default CT, MR, PET.
        patients : dict, optional
            Hospital's id → the study's own id; by default keyed pseudonyms.
        progress : bool
            Show a bar on a terminal.

        Returns
        -------
        Report
            A series that was refused is a failure; files are named by codes, which
            ``sarcfeat.io.find_source(folder, code, key=…)`` turns back into paths.

        Warns
        -----
        IdentifiableFace
            An image of the head.
        """
        key = load_salt(salt, store=self.path)
        series, others = series_below(folder, key)
        done = _Done()
        chosen = _choose(series, sequence, patients, Pseudonyms(key), done)
        label = "De-identifying series"
        with progress_bar(label, len(chosen), show=progress) as bar:
            for job in chosen:
                bar.step(_import(job, key, self.path / FOLDER, done))
        if others:
            done.notes.append(f"{len(others)} files are not DICOM: {listed(others)}")
        write_refusals(self._open, "image", done.failures)
        manifest = pd.DataFrame(done.rows, columns=ROW)
        with self._open.commit("add_dicom"):
            _forget_renamed(self._open, self.path / FOLDER)
            added = add_files(
                self._open, manifest, Source("image"), None, progress=progress
            )
            keep_headers(self._open, done.headers)
        failures = [*added.failures.to_numpy().tolist(), *done.failures]
        return Report(
            ok=added.ok,
            failed=added.failed + len(done.failures),
            read=added.read,
            failures=pd.DataFrame(failures, columns=FAILURE_COLUMNS),
            notes=(*added.notes, *done.notes),
        )


ROW = ["patient", "sequence", "path", "kind", "acquired_at"]


def _forget_renamed(db: Connection, folder: Path) -> None:
    """Forget the volumes of the store that another sequence's name replaced."""
    looks = known_looks(db, "image").items()
    inside = [(k, Path(look.slot.path)) for k, look in looks]
    gone = [(k, p) for k, p in inside if folder in p.parents and not p.exists()]
    forget(db, [k for k, p in gone if any(p.parent.glob(f"*_{_code(p)}_image.*"))])


def _code(path: Path) -> str:
    """Return the code of the series that a stored volume is named by."""
    return path.name.removesuffix("_image.nii.gz").rpartition("_")[2]


@dataclass(frozen=True)
class _Job:
    """One series to import, and under which names."""

    series: Series = field(repr=False)
    patient: str
    given: str | None
    sequence: str


@dataclass
class _Done:
    """What an import gave."""

    rows: list[list[Any]] = field(default_factory=list)
    headers: dict[str, dict[str, Any]] = field(default_factory=dict)
    failures: list[list[Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def fail(self, patient: str, sequence: str, code: str, error: Exception) -> None:
        """Keep why a series was refused."""
        row = [patient, sequence, None, None, f"series {code}"]
        self.failures.append([*row, type(error).__name__, str(error)])


def _choose(
    series: Iterable[Series],
    sequence: Names,
    patients: Mapping[str, str] | None,
    names: Pseudonyms,
    done: _Done,
) -> list[_Job]:
    """Say which series are imported, and note those that are not."""
    chosen: list[_Job] = []
    left: dict[str, list[str]] = {}
    own = {str(k).strip(): own_id(str(v)) for k, v in (patients or {}).items()}
    for one in series:
        phase = _phase(one, sequence)
        given = own.get(one.patient)
        who = given or (names.patient(one.patient) if one.patient else "unknown")
        if one.modality in ("RTSTRUCT", "SEG", "RTDOSE", "RTPLAN", "SR", "KO", "PR"):
            left.setdefault(f"{one.modality} objects, not images", []).append(one.code)
        elif one.localizer:
            left.setdefault("localizers", []).append(one.code)
        elif phase is None:
            left.setdefault("of another sequence", []).append(one.code)
        elif patients is not None and given is None:
            reason = "the patient of the series is not among the patients given"
            done.fail(who, phase, one.code, InvalidInput(f"Patient {who}: {reason}."))
        else:
            chosen.append(_Job(one, who, given, phase))
    for why, codes in left.items():
        done.notes.append(f"{len(codes)} series left out, {why}: {listed(codes)}")
    return chosen


def _phase(series: Series, sequence: Names) -> str | None:
    """Name the sequence of a series; None where it was not asked for."""
    if sequence is None:
        return KINDS.get(series.modality, "other")
    if isinstance(sequence, str):
        return sequence
    for name, pattern in sequence.items():
        if re.search(pattern, series.description, re.IGNORECASE):
            return name
    return None


def _import(job: _Job, key: bytes, root: Path, done: _Done) -> bool:
    """Write one series as a volume; return whether it could be."""
    try:
        made = isolated(
            convert_series,
            job.series,
            key,
            job.given,
            job.patient,
            job.sequence,
            root,
        )
    except (InvalidInput, WorkerDied, WorkerTimedOut) as error:
        done.fail(job.patient, job.sequence, job.series.code, error)
        return False
    done.notes += [*made.faces, *made.notes]
    for text in made.faces:
        warnings.warn(text, IdentifiableFace, stacklevel=4)
    done.headers[made.path] = made.header
    done.rows.append([job.patient, job.sequence, made.path, made.kind, made.day])
    return True
