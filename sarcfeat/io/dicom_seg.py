"""Segments of a DICOM segmentation object (SEG): voxels, on a grid of their own."""

from __future__ import annotations

from dataclasses import dataclass, field
from os import PathLike, fspath
from typing import Any

import numpy as np

from sarcfeat._validation import missing_dependency
from sarcfeat.exceptions import EmptyROI, InputCorrupt, InvalidInput
from sarcfeat.io.dicom_values import quiet_dicom, text_of
from sarcfeat.io.itk import check_readable
from sarcfeat.io.memory import check_room
from sarcfeat.io.volume import Volume

__all__ = ["Segment", "read_seg"]

SEG = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")


@dataclass(frozen=True)
class Segment:
    """One segment: a mask on the voxels that the file has, which may be few slices.

    Attributes
    ----------
    name : str
        As it was typed; it may hold anything, so no message and no store keeps it.
    frame : str
        UID of the frame of reference.
    volume : Volume
        1 inside, 0 outside.
    """

    name: str = field(repr=False)
    frame: str = field(repr=False)
    volume: Volume = field(repr=False)


def read_seg(path: str | PathLike[str]) -> tuple[Segment, ...]:
    """Read the segments of a DICOM SEG file.

    Parameters
    ----------
    path : str or path
        The file.

    Raises
    ------
    InputMissing, InputEmpty
        There is no such file, or it has no bytes.
    InputCorrupt
        The file is damaged, or its frames form no volume.
    InvalidInput
        The file holds probabilities, or is another kind of DICOM object.
    EmptyROI
        It has no frame.
    MissingDependency
        highdicom is not installed.
    """
    check_readable(path)
    try:
        import highdicom
    except ImportError as error:
        raise missing_dependency("highdicom", "radiomics") from error
    with quiet_dicom():
        import pydicom

        try:
            head = pydicom.dcmread(path)
            if text_of(head, "SOPClassUID") not in SEG:
                raise _NotThis
            frames, rows = int(head.NumberOfFrames), int(head.Rows)
            size = (int(head.Columns), rows, frames)
            check_room(fspath(path), size, 1, held=8 * 1100 * len(head.PixelData))
            fractional = text_of(head, "SegmentationType").upper() == "FRACTIONAL"
            found = () if fractional else _segments(highdicom.seg.segread(path))
        except InvalidInput:
            raise
        except _NotThis:
            raise InvalidInput(f"{fspath(path)} is no DICOM SEG.") from None
        except Exception as error:  # highdicom and pydicom raise whatever a damaged
            # file leads to, and their messages hold values of the file.
            raise InputCorrupt(
                f"{fspath(path)} cannot be read as a segmentation "
                f"({type(error).__name__}). Export it again."
            ) from None
    if fractional:
        raise InvalidInput(
            f"{fspath(path)} holds fractions (SegmentationType FRACTIONAL); expected "
            "whole labels. Threshold the probabilities first."
        )
    if not any(one.volume.array.any() for one in found):
        raise EmptyROI(f"{fspath(path)} has no voxel in any segment. Draw the lesion.")
    return found


class _NotThis(Exception):
    """Another kind of DICOM object."""


def _segments(seg: Any) -> tuple[Segment, ...]:
    frame = str(seg.FrameOfReferenceUID)
    found = []
    for number in seg.segment_numbers:
        volume = seg.get_volume(
            segment_numbers=[number],
            combine_segments=True,
            allow_missing_positions=True,
        )
        affine = volume.affine  # columns: slice, row, column
        steps = affine[:3, [2, 1, 0]]
        spacing = np.linalg.norm(steps, axis=0)
        name = str(seg.get_segment_description(number).SegmentLabel)
        array, origin = (volume.array > 0).astype(np.float64), affine[:3, 3]
        if np.linalg.det(steps) < 0:  # slices from the top: turned to a right hand
            array, origin = array[::-1], origin + steps[:, 2] * (len(array) - 1)
            steps = steps * (1, 1, -1)
        found.append(
            Segment(
                name,
                frame,
                Volume(
                    array,
                    tuple(float(x) for x in spacing),
                    tuple(float(x) for x in origin),
                    tuple(float(x) for x in (steps / spacing).ravel()),
                ),
            )
        )
    return tuple(found)
