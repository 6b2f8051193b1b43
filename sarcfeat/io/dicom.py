"""DICOM series: from a folder of slices to one volume, without the patient."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sarcfeat.exceptions import (
    InputCorrupt,
    InputMissing,
    InputRepaired,
    InvalidInput,
    SarcfeatError,
)
from sarcfeat.io.deidentify import coded_files, deidentify
from sarcfeat.io.dicom_values import DAMAGE, open_dicom, quiet_dicom, text_of
from sarcfeat.io.pseudonyms import Pseudonyms
from sarcfeat.io.stack import stack

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["Series", "find_series", "find_source", "read_head", "read_series"]

READ = (
    "SOPClassUID",
    "SeriesInstanceUID",
    "PatientID",
    "Modality",
    "SeriesDescription",
    "ProtocolName",
    "ImageType",
)


@dataclass
class Series:
    """The files of one series; what they say of the patient is in no message.

    Attributes
    ----------
    code : str
        Keyed hash of the series' UID.
    modality : str
        CT, MR, PT, or another DICOM modality.
    """

    code: str
    modality: str
    localizer: bool
    patient: str = field(repr=False)
    description: str = field(repr=False)
    files: list[tuple[Path, str]] = field(default_factory=list, repr=False)


def read_head(path: Path) -> Dataset:
    """Read those tags of a DICOM file by which series are told apart."""
    return open_dicom(path, stop_before_pixels=True, specific_tags=list(READ))


def find_series(
    folder: str | PathLike[str],
    *,
    key: bytes,
    strict: bool = False,
    read: Callable[[Path], Dataset] = read_head,
) -> tuple[list[Series], list[str]]:
    """Group the DICOM files below a folder by series; only headers are read.

    Parameters
    ----------
    folder : str or path
        Any nesting, any file names.
    key : bytes
        The secret of the study.
    strict : bool
        Take a file without the preamble that the standard asks for as not DICOM.
    read : callable
        Reads the header of one file; what it raises makes the file not DICOM.

    Returns
    -------
    list of Series
        In the order of their first file.
    list of str
        Codes of the files that are not DICOM.

    Raises
    ------
    InputMissing
        There is no such folder.
    """
    with quiet_dicom():
        if not Path(folder).is_dir():
            raise InputMissing("There is no such folder of DICOM files.")
        names, found, others = Pseudonyms(key), {}, []
        for path, code in coded_files(folder, names):
            try:
                head = read(path)
            except (SarcfeatError, *DAMAGE):
                others.append(code)
                continue
            if strict and head.preamble is None:
                others.append(code)
                continue
            uid = text_of(head, "SeriesInstanceUID") or f"file {code}"
            if uid not in found:
                found[uid] = _series(head, names.code("series", uid))
            found[uid].files.append((path, code))
        return list(found.values()), others


def _series(head: Dataset, code: str) -> Series:
    return Series(
        code=code,
        modality=text_of(head, "Modality").upper()[:16],
        localizer="LOCALIZER" in text_of(head, "ImageType").upper(),
        patient=text_of(head, "PatientID"),
        description=" ".join(
            text_of(head, name) for name in ("SeriesDescription", "ProtocolName")
        ),
    )


def find_source(folder: str | PathLike[str], code: str, *, key: bytes) -> Path | None:
    """Return the file below a folder that a message named by its code.

    Parameters
    ----------
    folder : str or path
        The folder that was imported.
    code : str
        Such as ``"4be0643f1d98"``.
    key : bytes
        The secret of the study.
    """
    for path, name in coded_files(folder, Pseudonyms(key)):
        if name == code:
            return path
    return None


def read_series(
    series: Series, *, key: bytes, patient: str | None = None
) -> tuple[Any, Dataset]:
    """De-identify the slices of a series and stack them.

    Parameters
    ----------
    series : Series
        As :func:`find_series` lists them.
    key : bytes
        The secret of the study.
    patient : str, optional
        Id to write instead of the keyed pseudonym.

    Returns
    -------
    SimpleITK.Image
        Voxels in the unit that slope and intercept give.
    pydicom.Dataset
        The de-identified header of the first slice.

    Raises
    ------
    BurnedInAnnotation, InvalidInput
        As :func:`deidentify`; also slices that are missing, doubled, of unequal
        distance, size or direction. The place is given in millimetres.
    """
    slices = _clean_slices(series, key, patient)
    return stack(slices, f"Patient {slices[0].PatientID}"), slices[0]


def _clean_slices(series: Series, key: bytes, patient: str | None) -> list[Dataset]:
    """Return the slices, exact copies left out."""
    found: dict[str, Dataset] = {}
    twice, bare = 0, 0
    for path, code in series.files:
        try:
            with quiet_dicom():
                source = open_dicom(path)
                one = deidentify(source, key=key, patient=patient)
        except InvalidInput as error:
            raise type(error)(f"{error} (file {code})") from None
        except DAMAGE as error:
            # Their messages hold paths and values.
            raise InputCorrupt(
                f"File {code} cannot be read ({type(error).__name__}). Copy the series "
                "again from its source."
            ) from None
        twin = found.get(one.SOPInstanceUID)
        if twin is not None and twin.PixelData != one.PixelData:
            raise InvalidInput(
                f"Patient {one.PatientID}: two files of one instance have other pixels "
                f"(file {code}). Remove one."
            )
        twice += twin is not None
        bare += source.preamble is None
        found[one.SOPInstanceUID] = one
    who = f"Patient {next(iter(found.values())).PatientID}"
    if twice:
        _say(f"{who}: {twice} files are copies of others and were left out.")
    if bare:
        _say(f"{who}: {bare} files have no DICOM preamble and were read all the same.")
    return list(found.values())


def _say(text: str) -> None:
    warnings.warn(text, InputRepaired, stacklevel=4)
