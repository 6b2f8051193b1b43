"""PET in standardised uptake values: what each tag contributes, and what is missing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sarcfeat._validation import listed
from sarcfeat.exceptions import InvalidInput
from sarcfeat.io.dicom_values import seconds_of, text_of, value_of

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["philips_factor", "suv_factor"]

DAY = 86400.0
WEIGHT = "PatientWeight (0010,1030)"
DOSE = "RadionuclideTotalDose (0018,1074)"
HALF_LIFE = "RadionuclideHalfLife (0018,1075)"
INJECTED = "RadiopharmaceuticalStartTime (0018,1072)"
SCANNED = "SeriesTime (0008,0031) or AcquisitionTime (0008,0032)"
PHILIPS_SUV, PHILIPS_BQML = (0x7053, 0x1000), (0x7053, 0x1009)


def suv_factor(slices: Sequence[Dataset], who: str) -> float:
    """Return what turns the voxels of a PET series into SUV by body weight.

    Parameters
    ----------
    slices : sequence of pydicom.Dataset
        All slices of the series.
    who : str
        The patient or file, for messages.

    Returns
    -------
    float
        In g/mL per unit of the voxels: weight (g) / dose at the time that the voxels
        are corrected to (Bq), for ``Units`` BQML; 1 for GML.

    Raises
    ------
    InvalidInput
        A tag that is needed is not there, and is named; or units that have no SUV.

    Notes
    -----
    ``DecayCorrection`` START: voxels hold the activity at the start of the series, to
    which the dose decays; ADMIN: that at injection, so the dose counts as it was given.
    The start is the series' time; where that is later than an acquisition (a series
    that was computed afterwards), the first acquisition's less the time within its
    frame at which activity is as on average.

    References
    ----------
    .. [1] QIBA Profile FDG-PET/CT; Kinahan PE, Fletcher JW. Semin Ultrasound CT MR
       2010;31:496-505.
    """
    first = slices[0]
    units = text_of(first, "Units").upper()
    kind = text_of(first, "SUVType").upper()
    if units == "GML":
        if kind not in ("", "BW"):
            raise InvalidInput(
                f"{who}: the PET holds SUV by {kind} (SUVType 0054,1006); expected "
                "body weight (BW). Export the series in BQML."
            )
        return 1.0
    scale = 1.0
    if units == "CNTS":
        units, scale = philips_factor(first, who)
        if units == "GML":
            return scale
    if units != "BQML":
        raise InvalidInput(
            f"{who}: the PET has Units (0054,1001) {units or 'missing'}; expected "
            "BQML, GML, or CNTS of Philips. Export the series in BQML."
        )
    return scale * _per_becquerel(slices, who)


def philips_factor(one: Dataset, who: str) -> tuple[str, float]:
    """Return the units that Philips' own factor turns counts into, and the factor.

    Parameters
    ----------
    one : pydicom.Dataset
        A slice with ``Units`` CNTS.
    who : str
        The patient or file, for messages.

    Returns
    -------
    tuple of str and float
        GML by the SUV scale factor (7053,1000), or BQML by the activity concentration
        scale factor (7053,1009).

    Raises
    ------
    InvalidInput
        Neither factor is there.
    """
    for tag, units in ((PHILIPS_SUV, "GML"), (PHILIPS_BQML, "BQML")):
        factor = _number(value_of(one, tag))
        if factor is not None:
            return units, factor
    raise InvalidInput(
        f"{who}: the PET has counts (Units CNTS) and neither the SUV scale factor "
        "(7053,1000) nor the activity scale factor (7053,1009) of Philips. Export the "
        "series in BQML."
    )


def _per_becquerel(slices: Sequence[Dataset], who: str) -> float:
    """Return body weight (g) over dose (Bq) at the time of the voxels' activity."""
    first = slices[0]
    items = value_of(first, "RadiopharmaceuticalInformationSequence") or [first]
    drug = items[0]
    weight = _number(value_of(first, "PatientWeight"))
    dose = _number(value_of(drug, "RadionuclideTotalDose"))
    missing = [n for n, v in ((WEIGHT, weight), (DOSE, dose)) if v is None]
    correction = text_of(first, "DecayCorrection").upper()
    if correction not in ("START", "ADMIN"):
        told = correction or "empty"
        missing.append(f"DecayCorrection (0054,1102) START or ADMIN (it is {told})")
    fraction = 1.0
    if correction == "START":
        half_life = _number(value_of(drug, "RadionuclideHalfLife"))
        injected, scanned = _injected(drug), _scanned(slices, half_life)
        missing += [
            name
            for name, value in (
                (HALF_LIFE, half_life),
                (INJECTED, injected),
                (SCANNED, scanned),
            )
            if value is None
        ]
        if half_life and injected is not None and scanned is not None:
            fraction = 2.0 ** -(((scanned - injected) % DAY) / half_life)
    if missing or weight is None or dose is None:
        raise InvalidInput(
            f"{who}: no SUV can be computed: the PET lacks {listed(missing, 6)}. Ask "
            "for the series with these tags, or export it in GML."
        )
    return 1000.0 * weight / (dose * fraction)


def _injected(drug: Dataset) -> float | None:
    return seconds_of(
        text_of(drug, "RadiopharmaceuticalStartTime")
        or text_of(drug, "RadiopharmaceuticalStartDateTime")[8:]
    )


def _scanned(slices: Sequence[Dataset], half_life: float | None) -> float | None:
    """Return the time of day to which the voxels are corrected, in seconds."""
    series = seconds_of(text_of(slices[0], "SeriesTime"))
    acquired = [(seconds_of(text_of(one, "AcquisitionTime")), one) for one in slices]
    times = [(at, one) for at, one in acquired if at is not None]
    if not times:
        return series
    at, one = min(times, key=lambda pair: pair[0])
    if series is not None and series <= at:
        return series
    frame = _number(value_of(one, "FrameReferenceTime"))
    duration = _number(value_of(one, "ActualFrameDuration"))
    if frame is None or duration is None or half_life is None:
        return at
    rate, length = math.log(2) / half_life, duration / 1000
    average = math.log(rate * length / -math.expm1(-rate * length)) / rate
    return at - (frame / 1000 - average)


def _number(value: object) -> float | None:
    """Read a positive number; None for what is missing, zero or none."""
    if isinstance(value, bytes):
        value = value.decode("ascii", "ignore").strip(" \0")
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if math.isfinite(number) and number > 0 else None
