"""DICOM slices to one volume: in order, on one grid, in the unit of their modality."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sarcfeat._validation import listed
from sarcfeat.exceptions import InputCorrupt, InputRepaired, InvalidInput, SarcfeatError
from sarcfeat.io.dicom_values import DAMAGE, class_name, quiet_dicom, text_of, value_of
from sarcfeat.io.memory import check_room
from sarcfeat.io.suv import suv_factor

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["pixels_of", "stack"]

# Relative to the median distance between slices; rounding of headers is far less.
TOLERANCE = 0.01
SAME_PLACE = 1e-3  # mm
PLACED = ("PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient")
SAME = ("PixelData", "Rows", "Columns", "PixelSpacing", "ImageOrientationPatient")
# Deflated streams hold about a thousand times their length at most; JPEG far less.
MOST_PACKED = 1100


def stack(slices: Sequence[Dataset], who: str) -> Any:
    """Stack the slices of one series.

    Parameters
    ----------
    slices : sequence of pydicom.Dataset
        In any order, with their pixels.
    who : str
        The patient or folder, for messages.

    Returns
    -------
    SimpleITK.Image
        CT in Hounsfield units, PET in SUV by body weight (g/mL, float32), MR as slope
        and intercept give it. The third axis follows the normal of the slices, so that
        the grid is right-handed.

    Raises
    ------
    InvalidInput
        Slices that are missing, doubled, of unequal distance, size or direction (the
        place is given in millimetres); CT without slope and intercept; PET without what
        SUV takes.
    InputTooLarge
        The volume does not fit into memory.

    Warns
    -----
    InputRepaired
        The same slice was there twice; one was kept.
    """
    try:
        return _stacked(slices, who)
    except SarcfeatError:
        raise
    except DAMAGE as error:
        # What stands in a damaged header is not repeated.
        raise InputCorrupt(
            f"{who}: the headers of the slices are damaged ({type(error).__name__}). "
            "Copy the series again from its source."
        ) from None


def _stacked(slices: Sequence[Dataset], who: str) -> Any:
    import SimpleITK

    _check_places(slices, who)
    ordered = _without_twins(sorted(slices, key=_place), who)
    _check_stack(ordered, who)
    first = ordered[0]
    size = (int(first.Columns), int(first.Rows), len(ordered))
    check_room(who, size, 2)
    voxels = _voxels(ordered, who)
    image = SimpleITK.GetImageFromArray(voxels)
    row, column = np.array(first.ImageOrientationPatient, float).reshape(2, 3)
    normal = np.cross(row, column)
    normal /= np.linalg.norm(normal)
    image.SetDirection(np.column_stack([row, column, normal]).ravel().tolist())
    image.SetOrigin([float(x) for x in first.ImagePositionPatient])
    between = (_place(ordered[-1]) - _place(first)) / (len(ordered) - 1)
    down, across = (float(x) for x in first.PixelSpacing)
    image.SetSpacing([across, down, between])
    return image


def pixels_of(one: Dataset, who: str) -> npt.NDArray[Any]:
    """Decode the pixels of one slice.

    Raises
    ------
    InputTooLarge
        The header says more pixels than there are bytes for.
    InputCorrupt
        The pixels cannot be decoded, or are fewer than the header says.
    """
    packed = _syntax(one) is not None
    held = len(one.PixelData) * (MOST_PACKED if packed else 1)
    size = (int(one.Columns), int(one.Rows))
    width = max(1, int(one.get("BitsAllocated", 16)) // 8)
    if max(size) > 8192 or packed:
        check_room(f"{who}: a slice", size, width, held=held)
    try:
        with quiet_dicom():
            return one.pixel_array
    except (RuntimeError, NotImplementedError, ImportError, AttributeError) as error:
        raise InputCorrupt(
            f"{who}: the pixels cannot be decoded ({type(error).__name__}; "
            f"{_syntax(one) or 'no compression'}). Install a codec "
            "(pip install pylibjpeg[all]) or export the series uncompressed."
        ) from None
    except (ValueError, TypeError, KeyError, EOFError, MemoryError):
        raise InputCorrupt(
            f"{who}: the pixels are fewer than the header says, or damaged. Copy the "
            "series again from its source."
        ) from None


def _syntax(one: Dataset) -> str | None:
    """Return the name of the compression of the pixels; None without."""
    meta = getattr(one, "file_meta", None)
    uid = str(meta.get("TransferSyntaxUID", "")) if meta else ""
    name = class_name(uid) if uid else "no transfer syntax"
    plain = ("Little Endian", "Big Endian")
    return None if name.split(" (")[0].endswith(plain) else name


def _check_places(slices: Sequence[Dataset], who: str) -> None:
    """Refuse slices whose place, size or spacing is no number that can be."""
    for one in slices:
        lacking = [name for name in (*PLACED, "PixelData") if name not in one]
        if lacking:
            raise InvalidInput(
                f"{who}: a slice has no {listed(lacking, 6)}. Export the original "
                "series again."
            )
        for name, n in zip(PLACED, (2, 3, 6), strict=True):
            values = np.array(value_of(one, name) or [np.nan], float)
            if values.shape != (n,) or not np.isfinite(values).all():
                raise InvalidInput(
                    f"{who}: {name} is {values.tolist()}; expected {n} numbers. Export "
                    "the series again."
                )
        spacing = np.array(one.PixelSpacing, float)
        if (spacing <= 0).any():
            raise InvalidInput(
                f"{who}: PixelSpacing is {spacing.tolist()} mm; expected lengths "
                "greater than 0. Export the series again."
            )
        row, column = np.array(one.ImageOrientationPatient, float).reshape(2, 3)
        if abs(np.linalg.norm(np.cross(row, column)) - 1) > TOLERANCE:
            raise InvalidInput(
                f"{who}: the directions in ImageOrientationPatient are not at right "
                "angles or not of length 1. Export the series again."
            )
        if int(one.get("SamplesPerPixel", 1)) != 1:
            raise InvalidInput(
                f"{who}: the slices are in colour ({one.SamplesPerPixel} values a "
                "pixel); expected one. Choose the series of the original image."
            )


def _place(one: Dataset) -> float:
    """Return where a slice lies along the normal of its plane, in millimetres."""
    axes = np.array(one.ImageOrientationPatient, dtype=float)
    return float(np.cross(axes[:3], axes[3:]) @ np.array(one.ImagePositionPatient))


def _without_twins(ordered: Sequence[Dataset], who: str) -> list[Dataset]:
    """Leave out slices that are there twice with the same pixels."""
    kept: list[Dataset] = []
    for one in ordered:
        twin = kept[-1] if kept else None
        if (
            twin is not None
            and abs(_place(twin) - _place(one)) < SAME_PLACE
            and all(twin.get(name) == one.get(name) for name in SAME)
        ):
            continue
        kept.append(one)
    if len(kept) < len(ordered):
        n = len(ordered) - len(kept)
        warnings.warn(
            f"{who}: {n} slices are there twice with the same pixels; one of each was "
            "kept.",
            InputRepaired,
            stacklevel=4,
        )
    return kept


def _check_stack(slices: Sequence[Dataset], who: str) -> None:
    first = slices[0]
    if len(slices) < 2:
        raise InvalidInput(f"{who}: the series has one slice; expected a stack.")
    if len({text_of(one, "PatientID") for one in slices}) > 1:
        raise InvalidInput(
            f"{who}: the slices of one series are of several patients. Export the "
            "series again."
        )
    for name in ("Rows", "Columns", "PixelSpacing", "ImageOrientationPatient"):
        here = np.array([getattr(one, name) for one in slices], dtype=float)
        if np.ptp(here, axis=0).max() > 1e-4:
            raise InvalidInput(
                f"{who}: the slices of one series differ in {name}. Split the "
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
            f"{who}: {why} between {places[at]:.2f} and "
            f"{places[at + 1]:.2f} mm ({gaps[at]:.3f} mm; elsewhere {usual:.3f} mm). "
            "Export the whole series."
        )
    if usual < SAME_PLACE:
        raise InvalidInput(
            f"{who}: all slices lie at {places[0]:.2f} mm. Split the series by time "
            "point or echo."
        )
    if _sideways(slices) > TOLERANCE * max(usual, 1.0):
        raise InvalidInput(
            f"{who}: the slices shift sideways by {_sideways(slices):.2f} mm "
            "(gantry tilt), which no grid of voxels holds. Correct the tilt first."
        )


def _sideways(slices: Sequence[Dataset]) -> float:
    """Return how far slices move within their plane, in millimetres."""
    at = np.array([one.ImagePositionPatient for one in slices], dtype=float)
    axes = np.array(slices[0].ImageOrientationPatient, dtype=float).reshape(2, 3)
    return float(np.ptp(at @ axes.T, axis=0).max())


def _voxels(slices: Sequence[Dataset], who: str) -> npt.NDArray[Any]:
    """Return slope × pixel + intercept, exactly where both are whole numbers."""
    modality = text_of(slices[0], "Modality").upper()
    scales = np.array([_scale(one, modality, who) for one in slices])
    pixels = np.stack([pixels_of(one, who) for one in slices])
    if modality == "PT":
        scales = scales * suv_factor(slices, who)
    if modality == "PT" or not np.array_equal(scales, np.rint(scales)):
        # In float32 throughout, as converters to NIfTI do: the last bit is theirs too.
        slopes, shifts = scales.astype(np.float32).T[:, :, None, None]
        return pixels.astype(np.float32) * slopes + shifts
    slopes, shifts = scales.astype(np.int64).T[:, :, None, None]
    whole = pixels.astype(np.int64) * slopes + shifts
    for kind in (np.int16, np.int32):
        limits = np.iinfo(kind)
        if limits.min <= whole.min() and whole.max() <= limits.max:
            return whole.astype(kind)
    return whole.astype(np.float64)


def _scale(one: Dataset, modality: str, who: str) -> tuple[float, float]:
    names = ("RescaleSlope", "RescaleIntercept")
    values = [value_of(one, name) for name in names]
    lacking = [n for n, v in zip(names, values, strict=True) if v in (None, "")]
    if lacking and modality in ("CT", "PT"):
        raise InvalidInput(
            f"{who}: the {modality} has no {listed(lacking)}, so its voxels have no "
            "unit. Export the original series."
        )
    slope, shift = (
        default if value in (None, "") else float(value)
        for value, default in zip(values, (1.0, 0.0), strict=True)
    )
    if slope == 0 or not np.isfinite([slope, shift]).all():
        raise InvalidInput(
            f"{who}: RescaleSlope {slope:g} and RescaleIntercept {shift:g} give no "
            "voxel a value. Export the original series."
        )
    return slope, shift
