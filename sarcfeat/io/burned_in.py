"""What no cleaning of headers removes: text in the pixels, a face in the voxels."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from sarcfeat.exceptions import BurnedInAnnotation, IdentifiableFace
from sarcfeat.io.dicom_tags import BURNED_IN_CLASSES, HEAD
from sarcfeat.io.dicom_values import class_name, text_of, value_of

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["refuse_text_in_pixels", "warn_of_face"]

SHOWN = ("LABEL", "OVERVIEW", "MACRO", "SCREEN SAVE", "SCREENSHOT")
HEADLINES = (
    "BodyPartExamined",
    "StudyDescription",
    "SeriesDescription",
    "ProtocolName",
    "RequestedProcedureDescription",
    "PerformedProcedureStepDescription",
)


def refuse_text_in_pixels(source: Dataset, who: str) -> None:
    """Raise where the pixels are said, or by their kind likely, to show text."""
    kind = text_of(source, "SOPClassUID")
    shown = [word for word in SHOWN if word in text_of(source, "ImageType").upper()]
    overlay = any(
        tag.group & 0xFF01 == 0x6000 and tag.element == 0x0102 and value_of(source, tag)
        for tag in source.keys()  # noqa: SIM118  (iterating a dataset parses it)
    )
    reasons = {
        "BurnedInAnnotation is YES": text_of(source, "BurnedInAnnotation").upper()
        == "YES",
        f"it is {class_name(kind)}": any(
            f"{kind}.".startswith(f"{family}.") for family in BURNED_IN_CLASSES
        ),
        "its ConversionType says that it was captured from a screen, film or video": (
            bool(text_of(source, "ConversionType"))
        ),
        f"its ImageType says {', '.join(shown)}": bool(shown),
        "an overlay lies in the unused bits of its pixels": overlay,
    }
    found = [reason for reason, holds in reasons.items() if holds]
    if found:
        raise BurnedInAnnotation(
            f"Patient {who}: the image may show names as text in its pixels: "
            f"{found[0]}. It is refused; give the original series."
        )


def warn_of_face(source: Dataset, who: str) -> None:
    """Warn where a face can be rebuilt from the voxels."""
    said = any(HEAD.search(text_of(source, keyword)) for keyword in HEADLINES)
    visible = text_of(source, "RecognizableVisualFeatures").upper() == "YES"
    if visible or (said and text_of(source, "Modality") in ("CT", "MR")):
        warnings.warn(
            f"Patient {who}: the image shows the head, and a face can be rebuilt from "
            "its voxels. It is not defaced here: run a defacing tool (mri_reface, "
            "pydeface, quickshear) first, or keep it as personal data.",
            IdentifiableFace,
            stacklevel=4,
        )
