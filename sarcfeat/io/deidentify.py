"""DICOM without the patient: an allow-list decides what stays, a key what replaces.

The rules: only the tags of :mod:`sarcfeat.io.dicom_tags` stay, everything else is
dropped, private tags, overlays and every free text included; patient ids and UIDs are
replaced by keyed hashes; a patient's dates all move back by one constant number of
days, so that intervals stay exact; ages above 89 become 90. Times of day are dropped;
in PET they count from the injection, which is what decay correction needs. Pixels are
written anew, uncompressed, so that nothing can hide in their stream.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sarcfeat._validation import listed
from sarcfeat.exceptions import InputMissing, InvalidInput
from sarcfeat.io.burned_in import refuse_text_in_pixels, warn_of_face
from sarcfeat.io.dicom_tags import IMAGE_CLASSES, KEEP, PET_KEEP, UIDS
from sarcfeat.io.dicom_values import (
    DAMAGE,
    class_name,
    day_of,
    open_dicom,
    quiet_dicom,
    seconds_of,
    text_of,
    value_of,
)
from sarcfeat.io.pseudonyms import Pseudonyms
from sarcfeat.io.stack import pixels_of
from sarcfeat.io.suv import philips_factor

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["coded_files", "deidentify", "deidentify_folder"]

NEEDED = (
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "Rows",
    "Columns",
    "PixelSpacing",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelData",
)
DATES = ("StudyDate", "SeriesDate", "AcquisitionDate")
CLOCKS = ("AcquisitionTime", "SeriesTime")


def deidentify(dataset: Dataset, *, key: bytes, patient: str | None = None) -> Dataset:
    """Return a new DICOM dataset that keeps the image and drops the person.

    Parameters
    ----------
    dataset : pydicom.Dataset
        One slice of a CT, MR or PET series, with its pixels; it is not changed.
    key : bytes
        The secret of the study, as :func:`~sarcfeat.io.load_salt` reads it.
    patient : str, optional
        Id to write instead of the keyed pseudonym, such as the study's own number.

    Returns
    -------
    pydicom.Dataset
        With file meta information, ready to be written.

    Raises
    ------
    BurnedInAnnotation
        The pixels are said, or by their kind likely, to show text.
    InvalidInput
        Another kind of object than a classic CT, MR or PET image, no patient id, or
        no geometry.
    MissingDependency
        pydicom, or the codec of compressed pixels, is not installed.

    Warns
    -----
    IdentifiableFace
        An image of the head; defacing is another step, never done here.

    Notes
    -----
    Messages name the patient by pseudonym, never by what the file says. What no header
    tells is not found: text in the pixels that no tag declares, faces, rare anatomy.

    References
    ----------
    DICOM PS3.15 Annex E, Basic Application Level Confidentiality Profile, with the
    options Retain Longitudinal Temporal Information With Modified Dates and Retain
    Patient Characteristics.
    """
    with quiet_dicom():
        return _deidentify(dataset, Pseudonyms(key), patient)


def deidentify_folder(
    source: str | PathLike[str], target: str | PathLike[str], *, key: bytes
) -> list[str]:
    """Write de-identified copies of all images below a folder.

    Parameters
    ----------
    source : str or path
        Folder with DICOM files, under whatever names.
    target : str or path
        New or empty folder; files are named by pseudonyms only:
        ``<patient>/<series>/<instance>.dcm``.
    key : bytes
        The secret of the study.

    Returns
    -------
    list of str
        Why files were left out, each named by a code that
        :func:`~sarcfeat.io.find_source` turns back into a path.

    Raises
    ------
    InputMissing
        There is no such folder.
    InvalidInput
        The target is not empty, or lies inside the source.
    """
    into, names, left = Path(target), Pseudonyms(key), []
    if not Path(source).is_dir():
        raise InputMissing(
            "The folder of DICOM files does not exist. Correct the path."
        )
    if into.resolve().is_relative_to(Path(source).resolve()):
        raise InvalidInput("The target lies inside the source. Give another folder.")
    if into.is_dir() and any(into.iterdir()):
        raise InvalidInput(f"{into} is not empty. Give a new folder.")
    for path, code in coded_files(source, names):
        try:
            with quiet_dicom():
                found = open_dicom(path)
        except DAMAGE:
            left.append(f"file {code}: not a DICOM file")
            continue
        try:
            with quiet_dicom():
                clean = _deidentify(found, names, None)
        except InvalidInput as error:
            left.append(f"file {code}: {error}")
            continue
        uid = clean.SOPInstanceUID.rsplit(".", 1)[-1]
        series = names.code("series", clean.SeriesInstanceUID)
        place = into / str(clean.PatientID) / series / f"{uid}.dcm"
        place.parent.mkdir(parents=True, exist_ok=True)
        clean.save_as(place, enforce_file_format=True)
    return left


def coded_files(
    folder: str | PathLike[str], names: Pseudonyms
) -> Iterator[tuple[Path, str]]:
    """Yield the files below a folder and the codes that stand for their paths."""
    root = Path(folder)
    for path in sorted(root.rglob("*")):
        if path.is_file():
            yield path, names.code("file", path.relative_to(root).as_posix())


def _deidentify(source: Dataset, names: Pseudonyms, patient: str | None) -> Dataset:
    from pydicom.dataset import Dataset

    original = text_of(source, "PatientID")
    who = patient or (names.patient(original) if original else "without an id")
    refuse_text_in_pixels(source, who)
    kind = text_of(source, "SOPClassUID")
    if kind not in IMAGE_CLASSES:
        raise InvalidInput(
            f"Patient {who}: the object is {class_name(kind)}; expected CT, MR or PET "
            "slices of the classic kind. Convert enhanced multi-frame images first."
        )
    if not original and patient is None:
        raise InvalidInput(
            "A DICOM file has no PatientID, so its pseudonym and dates cannot be "
            "made. Say whose it is with patient=…"
        )
    _refuse_incomplete(source, who)
    warn_of_face(source, who)
    clean = Dataset()
    _keep(source, clean, KEEP)
    clean.SOPClassUID = kind
    for keyword in UIDS:
        uid = text_of(source, keyword)
        if uid:
            setattr(clean, keyword, names.uid(uid))
    clean.SpecificCharacterSet = "ISO_IR 192"
    clean.PatientID = clean.PatientName = who
    _shift_dates(source, clean, names, original or who)
    if kind == "1.2.840.10008.5.1.4.1.1.128":
        _keep_decay(source, clean)
        _keep_counts(source, clean, who)
    clean.PatientIdentityRemoved = "YES"
    clean.DeidentificationMethod = "sarcfeat: allow-list, keyed pseudonyms"
    clean.LongitudinalTemporalInformationModified = "MODIFIED"
    _write_pixels(source, clean, who)
    return clean


def _refuse_incomplete(source: Dataset, who: str) -> None:
    lacking = [name for name in NEEDED if name not in source]
    if lacking:
        raise InvalidInput(
            f"Patient {who}: a slice has no {listed(lacking, 6)}. Export the original "
            "series again."
        )


def _keep(source: Dataset, clean: Dataset, rules: dict[str, Any]) -> None:
    for keyword, rule in rules.items():
        value = value_of(source, keyword)
        kept = None if value is None else rule(value)
        if kept is not None:
            setattr(clean, keyword, kept)


def _shift_dates(
    source: Dataset, clean: Dataset, names: Pseudonyms, patient: str
) -> None:
    for keyword in DATES:
        day = day_of(text_of(source, keyword))
        if day is not None:
            shifted = names.shift(patient, day)
            setattr(clean, keyword, f"{shifted:%Y%m%d}")


def _keep_decay(source: Dataset, clean: Dataset) -> None:
    """Keep what decay correction needs; times count from the injection."""
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    items = value_of(source, "RadiopharmaceuticalInformationSequence")
    if not items:
        return
    kept = Dataset()
    _keep(items[0], kept, PET_KEEP)
    start = seconds_of(
        text_of(items[0], "RadiopharmaceuticalStartTime")
        or text_of(items[0], "RadiopharmaceuticalStartDateTime")[8:]
    )
    if start is not None:
        kept.RadiopharmaceuticalStartTime = "000000"
        for keyword in CLOCKS:
            moment = seconds_of(text_of(source, keyword))
            if moment is not None:
                setattr(clean, keyword, _clock(moment - start))
    clean.RadiopharmaceuticalInformationSequence = Sequence([kept])


def _keep_counts(source: Dataset, clean: Dataset, who: str) -> None:
    """Turn counts of Philips into SUV or Bq/mL: their factor is in a private tag."""
    if text_of(source, "Units").upper() != "CNTS":
        return
    units, factor = philips_factor(source, who=f"Patient {who}")
    clean.Units = units
    for keyword in ("RescaleSlope", "RescaleIntercept"):
        if keyword in clean:
            setattr(clean, keyword, f"{float(clean[keyword].value) * factor:.10g}")


def _clock(seconds: float) -> str:
    stamp = str(timedelta(seconds=round(seconds, 6) % 86400)).replace(":", "")
    return stamp.zfill(6) if "." not in stamp else stamp.rjust(13, "0")


def _write_pixels(source: Dataset, clean: Dataset, who: str) -> None:
    """Write the pixels anew: nothing before, behind or inside their stream stays."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    pixels = pixels_of(source, f"Patient {who}")
    data = pixels.astype(pixels.dtype.newbyteorder("<"), copy=False).tobytes()
    clean.PixelData = data + b"\0" * (len(data) % 2)
    clean["PixelData"].VR = "OW"
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = clean.SOPClassUID
    meta.MediaStorageSOPInstanceUID = clean.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    clean.file_meta = meta
