"""The allow-list: which DICOM tags survive de-identification, and in which form.

What is not named here is dropped, private tags and every free text included. Text is
kept only where it is one of the words the standard itself defines: a name can be typed
into any field that takes free text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeAlias

__all__ = ["BURNED_IN_CLASSES", "HEAD", "IMAGE_CLASSES", "KEEP", "PET_KEEP", "UIDS"]

Rule: TypeAlias = Callable[[Any], Any]

IMAGE_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.2": "CT",
    "1.2.840.10008.5.1.4.1.1.4": "MR",
    "1.2.840.10008.5.1.4.1.1.128": "PT",
}
# Secondary capture and ultrasound: text is part of their pixels.
BURNED_IN_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.7",
    "1.2.840.10008.5.1.4.1.1.6",
    "1.2.840.10008.5.1.4.1.1.3",
    "1.2.840.10008.5.1.4.1.1.77",
)
HEAD = re.compile(
    r"(?<![^\W\d_])(head|brain|skull|fac(e|ial)|crani|neuro|t[eê]te|cr[aâ]n|encephal"
    r"|c[eé]r[eé]br|orbit|sinus|kopf|sch[aä]del|cabeza)",
    re.IGNORECASE,
)
UIDS = (
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SOPInstanceUID",
    "FrameOfReferenceUID",
)
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\Z")
AGE = re.compile(r"(\d{3})([DWMY])\Z")
OLDEST = 89


def _items(value: Any) -> list[Any]:
    """Return the values of an element as a list."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return []
    if isinstance(value, str | bytes) or not hasattr(value, "__iter__"):
        return [value]
    return list(value)


def numbers(value: Any) -> Any:
    """Keep an element whose every value is a number, written as it was."""
    kept: list[Any] = []
    for item in _items(value):
        text = str(getattr(item, "original_string", item)).strip()
        if not NUMBER.match(text):
            return None
        kept.append(item if type(item) in (int, float) else text)
    return kept[0] if len(kept) == 1 else kept or None


def words(*known: str) -> Rule:
    """Keep those values of an element that are words of the standard."""

    def rule(value: Any) -> Any:
        found = [str(item).strip().upper() for item in _items(value)]
        kept = [item for item in found if item in known]
        return kept[0] if len(kept) == 1 else kept or None

    return rule


def named(**known: str) -> Rule:
    """Replace free text by the known name, one of whose words begins like its key."""

    def rule(value: Any) -> Any:
        text = " ".join(map(str, _items(value))).lower()
        found = [name for key, name in known.items() if re.search(rf"\b{key}", text)]
        return found[0] if found else None

    return rule


def kernel(value: Any) -> Any:
    """Keep reconstruction kernels of the vendors' own vocabulary."""
    known = words("STANDARD", "SOFT", "BONE", "BONEPLUS", "DETAIL", "LUNG", "EDGE")
    siemens = re.compile(r"[BHTU][A-Z]?\d{2}[a-z]?\Z")
    kept = [item for item in map(str, _items(value)) if siemens.match(item)]
    return kept[0] if kept else known(value)


def age(value: Any) -> Any:
    """Keep an age; above 89 years all are ``090Y``, for so few live that long."""
    found = AGE.match(str(value).strip())
    if found is None:
        return None
    if found[2] == "Y" and int(found[1]) > OLDEST:
        return f"{OLDEST + 1:03d}Y"
    return found[0]


KEEP: dict[str, Rule] = {
    # Where the voxels lie
    "Rows": numbers,
    "Columns": numbers,
    "PixelSpacing": numbers,
    "SliceThickness": numbers,
    "SpacingBetweenSlices": numbers,
    "ImagePositionPatient": numbers,
    "ImageOrientationPatient": numbers,
    "SliceLocation": numbers,
    "InstanceNumber": numbers,
    "NumberOfSlices": numbers,
    "GantryDetectorTilt": numbers,
    "PatientPosition": words(
        "HFS", "HFP", "HFDR", "HFDL", "FFS", "FFP", "FFDR", "FFDL"
    ),
    # What their values mean
    "SamplesPerPixel": numbers,
    "PhotometricInterpretation": words("MONOCHROME1", "MONOCHROME2"),
    "BitsAllocated": numbers,
    "BitsStored": numbers,
    "HighBit": numbers,
    "PixelRepresentation": numbers,
    "PixelPaddingValue": numbers,
    "RescaleSlope": numbers,
    "RescaleIntercept": numbers,
    "RescaleType": words("HU", "US", "OD", "MGML", "Z_EFF", "ED", "EDW"),
    "Units": words("BQML", "CNTS", "GML", "CM2ML", "PROPCPS", "PROPCNTS", "NONE"),
    "SUVType": words("BSA", "BW", "LBM", "LBMJAMES128", "LBMJANMA", "IBW"),
    "DecayCorrection": words("NONE", "START", "ADMIN"),
    "CorrectedImage": words(
        "DECY",
        "ATTN",
        "SCAT",
        "DTIM",
        "MOTN",
        "PMOT",
        "CLN",
        "RAN",
        "RADL",
        "DCAL",
        "NORM",
        "SLSENS",
    ),
    "DecayFactor": numbers,
    "DoseCalibrationFactor": numbers,
    "FrameReferenceTime": numbers,
    "ActualFrameDuration": numbers,
    "PatientWeight": numbers,
    "PatientSize": numbers,
    "PatientSex": words("M", "F", "O"),
    "PatientAge": age,
    # How they were acquired
    "Modality": words("CT", "MR", "PT"),
    "ImageType": words(
        "ORIGINAL",
        "DERIVED",
        "PRIMARY",
        "SECONDARY",
        "AXIAL",
        "LOCALIZER",
        "MPR",
        "M",
        "P",
        "ADC",
        "DIFFUSION",
        "TRACEW",
        "FFE",
        "SE",
        "IR",
        "NORM",
        "DIS2D",
        "ND",
    ),
    "BodyPartExamined": words(
        "HEAD",
        "BRAIN",
        "SKULL",
        "NECK",
        "CHEST",
        "THORAX",
        "ABDOMEN",
        "PELVIS",
        "SPINE",
        "EXTREMITY",
        "ARM",
        "HAND",
        "SHOULDER",
        "LEG",
        "THIGH",
        "KNEE",
        "FOOT",
        "ANKLE",
        "HIP",
        "WHOLEBODY",
        "RETROPERITONEUM",
        "BREAST",
        "LIVER",
        "UTERUS",
    ),
    "Manufacturer": named(
        ge="GE",
        siemens="SIEMENS",
        philips="PHILIPS",
        toshiba="TOSHIBA",
        canon="CANON",
        hitachi="HITACHI",
        fujifilm="FUJIFILM",
        united="UIH",
        uih="UIH",
        cti="CTI",
    ),
    "MagneticFieldStrength": numbers,
    "RepetitionTime": numbers,
    "EchoTime": numbers,
    "InversionTime": numbers,
    "FlipAngle": numbers,
    "EchoTrainLength": numbers,
    "NumberOfAverages": numbers,
    "MRAcquisitionType": words("2D", "3D"),
    "ScanningSequence": words("SE", "IR", "GR", "EP", "RM"),
    "SequenceVariant": words("SK", "MTC", "SS", "TRSS", "SP", "MP", "OSP", "NONE"),
    "DiffusionBValue": numbers,
    "KVP": numbers,
    "XRayTubeCurrent": numbers,
    "Exposure": numbers,
    "ExposureTime": numbers,
    "ReconstructionDiameter": numbers,
    "ConvolutionKernel": kernel,
}
PET_KEEP: dict[str, Rule] = {
    "RadionuclideTotalDose": numbers,
    "RadionuclideHalfLife": numbers,
    "RadionuclidePositronFraction": numbers,
    "Radiopharmaceutical": named(fdg="FDG", fluorodeoxy="FDG"),
}
