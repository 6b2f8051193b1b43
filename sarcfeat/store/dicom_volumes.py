"""A DICOM series to a de-identified volume in the store, made in a worker process."""

from __future__ import annotations

import json
import os
import re
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sarcfeat._validation import listed
from sarcfeat.exceptions import IdentifiableFace, InputRepaired, InvalidInput
from sarcfeat.io import Series, find_series, read_series
from sarcfeat.io.dicom import read_head
from sarcfeat.io.dicom_tags import KEEP
from sarcfeat.io.dicom_values import day_of
from sarcfeat.io.isolation import isolated
from sarcfeat.store.connection import Connection
from sarcfeat.store.identity import file_sha256

__all__ = [
    "FOLDER",
    "KINDS",
    "Converted",
    "convert_folder",
    "convert_series",
    "keep_headers",
    "own_id",
    "series_below",
    "write_volume",
]

KINDS = {"CT": "CT", "MR": "MR", "PT": "PET"}
FOLDER = "images"


@dataclass(frozen=True)
class Converted:
    """A volume that was written, and what is kept of the header of its series."""

    path: str
    kind: str
    day: str | None
    header: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    faces: tuple[str, ...] = ()


def series_below(
    folder: str | os.PathLike[str], key: bytes
) -> tuple[list[Series], list[str]]:
    """List the series of a folder; each header is read in a worker process."""
    return find_series(folder, key=key, read=lambda path: isolated(read_head, path))


def convert_folder(
    folder: str, key: bytes, patient: str, sequence: str, root: Path
) -> Converted:
    """Convert the one series of a folder; call it in a worker process.

    Raises
    ------
    InvalidInput
        There is none, or there are several, which are listed.
    """
    series, _ = find_series(folder, key=key)
    images = [one for one in series if one.modality in KINDS and not one.localizer]
    if len(images) != 1:
        told = listed(
            [f"{s.modality} of {len(s.files)} slices ({s.code})" for s in images], 6
        )
        raise InvalidInput(
            f"the folder holds {len(images)} DICOM series of images"
            f"{': ' + told if told else ''}; expected one. Give a folder for each, or "
            "use add_dicom, which tells series apart."
        )
    return convert_series(images[0], key, patient, patient, sequence, root)


def convert_series(
    series: Series,
    key: bytes,
    given: str | None,
    patient: str,
    sequence: str,
    root: Path,
) -> Converted:
    """Write one series as a volume without the patient; call it in a worker process."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        image, head = read_series(series, key=key, patient=given)
    place = root / patient
    place.mkdir(parents=True, exist_ok=True)
    stem = re.sub(r"[^\w.-]", "_", sequence)
    path = place / f"{stem}_{series.code}_image.nii.gz"
    write_volume(image, path)
    # The same series under the name of an earlier rule: the later word counts.
    for other in place.glob(f"*_{series.code}_image.nii.gz"):
        if other != path:
            other.unlink()
    header = {name: _plain(head.get(name)) for name in sorted(KEEP) if name in head}
    if "FrameOfReferenceUID" in head:
        header["FrameOfReferenceUID"] = str(head.FrameOfReferenceUID)  # a keyed hash
    days = (
        day_of(str(head.get(name, "")))
        for name in ("AcquisitionDate", "SeriesDate", "StudyDate")
    )
    day = next((found for found in days if found is not None), None)
    return Converted(
        path=str(path),
        kind=KINDS[str(head.Modality)],
        day=day.isoformat() if day else None,
        header=header,
        notes=_said(caught, InputRepaired),
        faces=_said(caught, IdentifiableFace),
    )


def _said(caught: Any, kind: type[Warning]) -> tuple[str, ...]:
    return tuple(sorted({str(w.message) for w in caught if w.category is kind}))


def own_id(text: str) -> str:
    """Return a study's own id, which becomes the name of a folder."""
    own = text.strip()
    if not own or own.startswith(".") or re.search(r"[/\\\0]", own):
        raise InvalidInput(
            f"{own!r} cannot be a patient's id here: it would be the name of a folder. "
            "Use letters, digits, - and _."
        )
    return own


def keep_headers(db: Connection, headers: Mapping[str, dict[str, Any]]) -> None:
    """Put what is kept of each header beside the geometry of its image."""
    for path, header in headers.items():
        live = "WHERE uri = ? AND retired_no IS NULL"
        for (text,) in db.rows(f"SELECT acquisition FROM image {live}", [path]):
            told = json.loads(text)
            if told.get("header") != header:
                kept = json.dumps({**told, "header": header})
                db.update(f"UPDATE image SET acquisition = ? {live}", [kept, path])


def _plain(value: Any) -> Any:
    """Turn a DICOM value into what JSON knows."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return float(value) if isinstance(value, float) else int(value)
    return [_plain(item) for item in value]


def write_volume(image: Any, path: Path) -> None:
    """Write a volume whole or not at all; leave a file of the same bytes untouched."""
    import SimpleITK

    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".new-") as folder:
        new = Path(folder) / path.name
        SimpleITK.WriteImage(image, str(new), True)
        if path.exists() and file_sha256(str(path)) == file_sha256(str(new)):
            return
        with new.open("rb") as file:
            os.fsync(file.fileno())
        new.replace(path)
