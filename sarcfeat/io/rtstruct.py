"""Regions of a DICOM structure set (RTSTRUCT): contours, as radiotherapy draws them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sarcfeat._validation import listed
from sarcfeat.exceptions import EmptyROI, InputCorrupt, InvalidInput, UnknownName
from sarcfeat.io.contours import Contour
from sarcfeat.io.dicom_values import DAMAGE, open_dicom, quiet_dicom, text_of, value_of
from sarcfeat.io.itk import check_readable

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["Region", "StructureSet", "choose", "read_rtstruct"]

RTSTRUCT = "1.2.840.10008.5.1.4.1.1.481.3"


@dataclass(frozen=True)
class Region:
    """One region of a structure set.

    Attributes
    ----------
    name : str
        As it was typed; it may hold anything, so no message and no store keeps it.
    frame : str
        UID of the frame of reference that its coordinates are in.
    contours : tuple of Contour
        All its curves.
    """

    name: str = field(repr=False)
    frame: str = field(repr=False)
    contours: tuple[Contour, ...] = field(repr=False)


@dataclass(frozen=True)
class StructureSet:
    """The regions of one RTSTRUCT file."""

    path: str
    regions: tuple[Region, ...]

    @property
    def names(self) -> list[str]:
        """Names of the regions, to choose one by."""
        return [region.name for region in self.regions]

    def region(self, name: str | None = None) -> Region:
        """Return one region; see :func:`choose`."""
        with_contours = [one for one in self.regions if one.contours]
        if not with_contours:
            raise EmptyROI(
                f"{self.path} has no contour in any region. Draw the lesion."
            )
        names = [one.name for one in with_contours]
        return with_contours[choose(names, name, self.path, "region")]


def choose(names: list[str], wanted: str | None, path: str, what: str) -> int:
    """Return which of several named things is meant.

    Parameters
    ----------
    names : list of str
        What the file holds.
    wanted : str, optional
        Regular expression, whatever the case; without it there must be one thing.
    path, what : str
        For messages, which tell no name: names are free text, and people type into it.

    Raises
    ------
    InvalidInput
        Several fit.
    UnknownName
        None fits.
    """
    fit = [
        i
        for i, name in enumerate(names)
        if wanted is None or re.search(wanted, name, re.IGNORECASE)
    ]
    if len(fit) == 1:
        return fit[0]
    asked = "" if wanted is None else f" fit roi={wanted!r}"
    if fit:
        raise InvalidInput(
            f"{path} has {len(fit)} {what}s{asked}; expected one. Choose it by "
            "roi='regular expression' (sarcfeat.io.region_names lists the names)."
        )
    raise UnknownName(
        f"{path} has {len(names)} {what}s, of which none{asked}. "
        "sarcfeat.io.region_names lists their names."
    )


def read_rtstruct(path: str | PathLike[str]) -> StructureSet:
    """Read the contours of a structure set.

    Parameters
    ----------
    path : str or path
        The RTSTRUCT file.

    Raises
    ------
    InputMissing, InputEmpty
        There is no such file, or it has no bytes.
    InputCorrupt
        The file is no DICOM file, or damaged.
    InvalidInput
        The file is another kind of DICOM object.

    References
    ----------
    DICOM PS3.3 C.8.8.6, ROI Contour Module.
    """
    check_readable(path)
    with quiet_dicom():
        try:
            one = open_dicom(Path(path))
            kind = text_of(one, "SOPClassUID")
            regions = _regions(one) if kind == RTSTRUCT else ()
        except (InputCorrupt, *DAMAGE) as error:
            # Their messages hold values of the file.
            raise InputCorrupt(
                f"{fspath(path)} cannot be read as a structure set "
                f"({type(error).__name__}). Export it again."
            ) from None
    if kind != RTSTRUCT:
        raise InvalidInput(f"{fspath(path)} is no RTSTRUCT. Give the structure set.")
    return StructureSet(fspath(path), regions)


def _regions(one: Dataset) -> tuple[Region, ...]:
    named = {
        str(item.ROINumber): item
        for item in value_of(one, "StructureSetROISequence") or []
    }
    drawn = {
        str(item.ReferencedROINumber): item
        for item in value_of(one, "ROIContourSequence") or []
    }
    lost = sorted(set(drawn) - set(named))
    if lost:
        raise InvalidInput(f"contours of {listed(lost)}, which is no region")
    return tuple(
        Region(
            text_of(item, "ROIName"),
            text_of(item, "ReferencedFrameOfReferenceUID"),
            _contours(drawn[number]) if number in drawn else (),
        )
        for number, item in named.items()
    )


def _contours(drawn: Dataset) -> tuple[Contour, ...]:
    found = []
    for item in value_of(drawn, "ContourSequence") or []:
        kind = text_of(item, "ContourGeometricType").upper()
        if kind == "POINT":
            continue  # a marker, not an outline
        points = np.array([float(x) for x in item.ContourData]).reshape(-1, 3)
        found.append(Contour(points, closed=kind.startswith("CLOSED")))
    return tuple(found)
