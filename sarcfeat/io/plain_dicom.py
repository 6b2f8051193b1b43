"""A folder of DICOM slices to one image, for work outside a store."""

from __future__ import annotations

import warnings
from collections import Counter
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sarcfeat._validation import listed
from sarcfeat.exceptions import InputCorrupt, InputMissing, InputRepaired, InvalidInput
from sarcfeat.io.dicom_values import DAMAGE, open_dicom, quiet_dicom, text_of
from sarcfeat.io.stack import stack

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["frame_of", "is_dicom", "read_dicom"]

MODALITIES = ("CT", "MR", "PT")


def is_dicom(path: str | PathLike[str]) -> bool:
    """Whether a file begins as the DICOM standard asks for."""
    with Path(path).open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def read_dicom(folder: str | PathLike[str]) -> Any:
    """Read the one series of CT, MR or PET slices in a folder.

    Nothing of the header but the grid and the unit of the voxels is kept.

    Parameters
    ----------
    folder : str or path
        The slices, under any names.

    Returns
    -------
    SimpleITK.Image
        CT in Hounsfield units, PET in SUV by body weight, MR in its own unit.

    Raises
    ------
    InputMissing
        There is no slice in the folder.
    InvalidInput
        Several series, which are listed; or slices that form no volume.
    InputCorrupt
        A slice cannot be read.

    Warns
    -----
    InputRepaired
        A file without a DICOM preamble, or a slice that is there twice.
    """
    slices, name = _slices(folder), fspath(folder)
    found = Counter(text_of(one, "SeriesInstanceUID") for _, one in slices)
    if len(found) > 1:
        raise InvalidInput(
            f"{name} holds {len(found)} series: {_listed_series(slices)}. Give a "
            "folder for each."
        )
    return stack(_once([one for _, one in slices], name), name)


def frame_of(folder: str | PathLike[str]) -> str:
    """Return the UID of the frame of reference of a folder's series; empty without."""
    return text_of(_slices(folder)[0][1], "FrameOfReferenceUID")


def _slices(folder: str | PathLike[str]) -> list[tuple[str, Dataset]]:
    found, bare = [], 0
    with quiet_dicom():
        for path in sorted(Path(folder).iterdir()):
            if not path.is_file() or path.name.startswith("."):
                continue
            try:
                one = open_dicom(path)
            except InputCorrupt:
                continue  # a note or a picture beside the slices
            except DAMAGE as error:
                raise InputCorrupt(
                    f"{fspath(path)} cannot be read ({type(error).__name__}). Copy the "
                    "series again from its source."
                ) from None
            if text_of(one, "Modality").upper() in MODALITIES:
                bare += one.preamble is None
                found.append((path.name, one))
    if not found:
        raise InputMissing(f"{fspath(folder)} holds no CT, MR or PET slice.")
    if bare:
        warnings.warn(
            f"{fspath(folder)}: {bare} files have no DICOM preamble and were read all "
            "the same.",
            InputRepaired,
            stacklevel=4,
        )
    return found


def _once(slices: list[Dataset], name: str) -> list[Dataset]:
    """Keep one of files that are the same instance."""
    kept: dict[str, Dataset] = {}
    for one in slices:
        uid = text_of(one, "SOPInstanceUID")
        twin = kept.get(uid)
        if twin is not None and twin.get("PixelData") != one.get("PixelData"):
            raise InvalidInput(
                f"{name}: two files of one instance have other pixels. Remove one."
            )
        kept[uid] = one
    if len(kept) < len(slices):
        n = len(slices) - len(kept)
        warnings.warn(
            f"{name}: {n} files are copies of others and were left out.",
            InputRepaired,
            stacklevel=4,
        )
    return list(kept.values())


def _listed_series(slices: list[tuple[str, Dataset]]) -> str:
    told: dict[str, list[Any]] = {}
    for name, one in slices:
        told.setdefault(text_of(one, "SeriesInstanceUID"), [one, name, 0])[2] += 1
    return listed(
        [
            f"{text_of(one, 'Modality')} of {n} slices (first {name})"
            for one, name, n in told.values()
        ],
        6,
    )
