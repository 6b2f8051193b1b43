"""DICOM series: from a folder of slices to one volume, without the patient."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sarcfeat._validation import missing_dependency
from sarcfeat.exceptions import InputCorrupt, InputMissing, InvalidInput
from sarcfeat.io.deidentify import coded_files, deidentify
from sarcfeat.io.dicom_values import quiet_dicom, text_of
from sarcfeat.io.pseudonyms import Pseudonyms

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["Series", "find_series", "find_source", "read_series"]

READ = (
    "SOPClassUID",
    "SeriesInstanceUID",
    "PatientID",
    "Modality",
    "SeriesDescription",
    "ProtocolName",
    "ImageType",
)
# Relative to the median distance between slices; rounding of headers is far less.
TOLERANCE = 0.01


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


def find_series(
    folder: str | PathLike[str], *, key: bytes
) -> tuple[list[Series], list[str]]:
    """Group the DICOM files below a folder by series; only headers are read.

    Parameters
    ----------
    folder : str or path
        Any nesting, any file names.
    key : bytes
        The secret of the study.

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
        import pydicom

        if not Path(folder).is_dir():
            raise InputMissing("There is no such folder of DICOM files.")
        names, found, others = Pseudonyms(key), {}, []
        for path, code in coded_files(folder, names):
            try:
                head = pydicom.dcmread(
                    path, stop_before_pixels=True, specific_tags=list(READ)
                )
            except (pydicom.errors.InvalidDicomError, EOFError, ValueError, OSError):
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
    _check_stack(slices)
    with tempfile.TemporaryDirectory(prefix="sarcfeat-") as folder:
        paths = []
        for number, one in enumerate(slices):
            path = Path(folder) / f"{number:05d}.dcm"
            one.save_as(path, enforce_file_format=True)
            paths.append(str(path))
        image = _read_stack(paths, slices)
    return image, slices[0]


def _clean_slices(series: Series, key: bytes, patient: str | None) -> list[Dataset]:
    """Return the slices in the order of their place, exact copies left out."""
    import pydicom

    found: dict[str, Dataset] = {}
    for path, code in series.files:
        try:
            with quiet_dicom():
                one = deidentify(pydicom.dcmread(path), key=key, patient=patient)
        except InvalidInput as error:
            raise type(error)(f"{error} (file {code})") from None
        except (OSError, ValueError, LookupError) as error:
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
        found[one.SOPInstanceUID] = one
    return sorted(found.values(), key=_place)


def _place(one: Dataset) -> float:
    """Return where a slice lies along the normal of its plane, in millimetres."""
    axes = np.array(one.ImageOrientationPatient, dtype=float)
    return float(np.cross(axes[:3], axes[3:]) @ np.array(one.ImagePositionPatient))


def _check_stack(slices: Sequence[Dataset]) -> None:
    first, who = slices[0], slices[0].PatientID
    if len(slices) < 2:
        raise InvalidInput(
            f"Patient {who}: the series has one slice; expected a stack."
        )
    if len({one.PatientID for one in slices}) > 1:
        raise InvalidInput(
            f"Patient {who}: the slices of one series are of several patients. Export "
            "the series again."
        )
    for name in ("Rows", "Columns", "PixelSpacing", "ImageOrientationPatient"):
        here = np.array([getattr(one, name) for one in slices], dtype=float)
        if np.ptp(here, axis=0).max() > 1e-4:
            raise InvalidInput(
                f"Patient {who}: the slices of one series differ in {name}. Split the "
                f"series. (first file: {getattr(first, name)})"
            )
    places = np.array([_place(one) for one in slices])
    gaps = np.diff(places)
    usual = float(np.median(gaps))
    odd = np.flatnonzero(np.abs(gaps - usual) > TOLERANCE * max(usual, 1e-6))
    if len(odd):
        at = int(odd[0])
        why = (
            "two slices lie on one another"
            if gaps[at] < usual / 2
            else ("a slice is missing or the distance changes")
        )
        raise InvalidInput(
            f"Patient {who}: {why} between {places[at]:.2f} and "
            f"{places[at + 1]:.2f} mm ({gaps[at]:.3f} mm; elsewhere {usual:.3f} mm). "
            "Export the whole series."
        )
    if _sideways(slices) > TOLERANCE * max(usual, 1.0):
        raise InvalidInput(
            f"Patient {who}: the slices shift sideways by {_sideways(slices):.2f} mm "
            "(gantry tilt), which no grid of voxels holds. Correct the tilt first."
        )


def _sideways(slices: Sequence[Dataset]) -> float:
    """Return how far slices move within their plane, in millimetres."""
    at = np.array([one.ImagePositionPatient for one in slices], dtype=float)
    axes = np.array(slices[0].ImageOrientationPatient, dtype=float).reshape(2, 3)
    return float(np.ptp(at @ axes.T, axis=0).max())


def _read_stack(paths: list[str], slices: Sequence[Dataset]) -> Any:
    try:
        import SimpleITK
    except ImportError:
        raise missing_dependency("SimpleITK", "radiomics") from None
    reader = SimpleITK.ImageSeriesReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileNames(paths)
    scales = [
        float(one.get(name, default))
        for one in slices
        for name, default in (("RescaleSlope", 1), ("RescaleIntercept", 0))
    ]
    if not all(scale.is_integer() for scale in scales):
        # Each slice has a slope of its own: the first one's type would truncate.
        reader.SetOutputPixelType(SimpleITK.sitkFloat32)
    try:
        return reader.Execute()
    except RuntimeError:
        raise InputCorrupt(
            f"Patient {slices[0].PatientID}: the slices cannot be stacked. Export the "
            "series again."
        ) from None
